//! A situation: who asks, how they stand to the place the resource lies in, and what else matters.

use std::fmt;

/// A role in an organization.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Role {
    Annotator,
    Reviewer,
    Manager,
    Administrator,
    Owner,
    /// No role was given yet.
    None,
}

impl Role {
    pub(crate) const ALL: [Self; 6] = [
        Self::Annotator,
        Self::Reviewer,
        Self::Manager,
        Self::Administrator,
        Self::Owner,
        Self::None,
    ];

    /// The id in `Role::"id"`.
    pub(crate) fn id(self) -> &'static str {
        match self {
            Self::Administrator => "administrator",
            Self::Annotator => "annotator",
            Self::Manager => "manager",
            Self::None => "none",
            Self::Owner => "owner",
            Self::Reviewer => "reviewer",
        }
    }

    /// The column of the table.
    pub(crate) fn column(self) -> &'static str {
        match self {
            Self::Administrator => "Administrator",
            Self::Annotator => "Annotator",
            Self::Manager => "Manager",
            Self::None => "(no role)",
            Self::Owner => "Owner",
            Self::Reviewer => "Reviewer",
        }
    }

    /// Whether a role inside a project can replace it (C18).
    pub(crate) fn can_be_overridden(self) -> bool {
        matches!(self, Self::Annotator | Self::Reviewer)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Status {
    Active,
    Deactivated,
    Pending,
}

impl Status {
    pub(crate) fn id(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Deactivated => "deactivated",
            Self::Pending => "pending",
        }
    }
}

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Person {
    pub(crate) role: Role,
    pub(crate) status: Status,
    /// Whether the plan of their organization permits further organizations.
    pub(crate) plan: bool,
}

impl Person {
    pub(crate) fn active(role: Role) -> Self {
        Self {
            role,
            status: Status::Active,
            plan: true,
        }
    }

    pub(crate) fn organization(self) -> &'static str {
        if self.plan { "1" } else { "3" }
    }
}

/// How the person stands to the project, its workspace, or both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Relation {
    CreatedProject,
    CreatedWorkspace,
    /// A member of the project, not of its workspace.
    Direct,
    /// A member of another project in the workspace.
    Sibling,
    Stranger,
    /// A member of the workspace, not of the project.
    Workspace,
}

impl Relation {
    pub(crate) const ALL: [Self; 6] = [
        Self::Stranger,
        Self::Direct,
        Self::Workspace,
        Self::CreatedProject,
        Self::CreatedWorkspace,
        Self::Sibling,
    ];
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Sandbox {
    No,
    Others,
    Own,
}

/// A colleague who is a member of the place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Via {
    Nothing,
    Project,
    Workspace,
}

/// A workspace with one project in it (none if `empty`), as it stands to the person who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Place {
    /// In the person's own organization.
    pub(crate) home: bool,
    pub(crate) relation: Relation,
    /// The person's role inside the project: Annotator or Reviewer.
    pub(crate) project_role: Option<Role>,
    pub(crate) sandbox: Sandbox,
    pub(crate) empty: bool,
    /// Tasks are handed out automatically, not by assignment.
    pub(crate) auto: bool,
    /// Annotators may see their own data.
    pub(crate) setting: bool,
    /// Somebody else, and how they are a member.
    pub(crate) guest: Option<(Someone, Via)>,
}

impl Place {
    /// A stranger's place in the own organization, where nothing is in the person's favour.
    pub(crate) const PLAIN: Self = Self {
        home: true,
        relation: Relation::Stranger,
        project_role: None,
        sandbox: Sandbox::No,
        empty: false,
        auto: false,
        setting: false,
        guest: None,
    };
}

/// What the person has to do with a task or annotation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Work {
    pub(crate) annotator: bool,
    pub(crate) reviewer: bool,
    pub(crate) labeled: bool,
    pub(crate) author: bool,
}

/// A member beside the person who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Someone {
    Colleague(Role, Status),
    /// Of another organization.
    Foreigner(Role),
    /// The same user in another organization.
    ForeignSelf,
    Myself,
}

impl Someone {
    pub(crate) fn is_home(self) -> bool {
        matches!(self, Self::Colleague(..) | Self::Myself)
    }
}

/// The type of the resource, with what only that type has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Resource {
    Annotation,
    Member(Someone),
    /// A report about someone, inside the project of the place or across the organization.
    MemberReport(Someone, bool),
    /// The own organization, or another one.
    Organization(bool),
    Project,
    Task,
    Workspace,
}

impl Resource {
    pub(crate) fn type_name(self) -> &'static str {
        match self {
            Self::Annotation => "Annotation",
            Self::Member(_) => "Member",
            Self::MemberReport(..) => "MemberReport",
            Self::Organization(_) => "Organization",
            Self::Project => "Project",
            Self::Task => "Task",
            Self::Workspace => "Workspace",
        }
    }

    /// Whether it belongs to a project.
    pub(crate) fn has_project(self) -> bool {
        match self {
            Self::Annotation | Self::Project | Self::Task | Self::MemberReport(_, true) => true,
            Self::Member(_)
            | Self::MemberReport(_, false)
            | Self::Organization(_)
            | Self::Workspace => false,
        }
    }

    /// Whether it lies in a workspace.
    pub(crate) fn has_workspace(self) -> bool {
        self.has_project() || self == Self::Workspace
    }
}

/// The workspace a project is moved or copied into.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Target {
    Created,
    /// In another organization; the person is a member by mistake.
    Foreign,
    Member,
    /// Somebody's sandbox; the person is a member by mistake.
    OthersSandbox,
    OwnSandbox,
    Stranger,
}

/// What comes beside principal, action and resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Context {
    /// `has_assigned_task`, if it is sent.
    Assigned(Option<bool>),
    Duplicate(Target, &'static str, bool),
    Empty,
    Member(Someone),
    Move(Target),
    NewRole(Role),
    /// The guest of the place (or a stranger to it), and the role inside the project.
    ProjectRole(Someone, &'static str),
}

/// Everything a decision may depend on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Situation {
    pub(crate) action: &'static str,
    pub(crate) person: Person,
    pub(crate) resource: Resource,
    pub(crate) place: Place,
    pub(crate) work: Work,
    pub(crate) context: Context,
}

impl Situation {
    /// The role whose column of the table applies (C18).
    pub(crate) fn effective_role(&self) -> Role {
        match self.place.project_role {
            Some(role) if self.resource.has_project() && self.person.role.can_be_overridden() => {
                role
            }
            _ => self.person.role,
        }
    }
}

impl fmt::Display for Situation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Person { role, status, plan } = self.person;
        write!(f, "{} {}", status.id(), role.id())?;
        if !plan {
            write!(f, " of an organization without plan")?;
        }
        write!(f, " asks {} on {:?}", self.action, self.resource)?;
        if self.resource.has_workspace() {
            let Place { relation, .. } = self.place;
            write!(f, "; {relation:?}")?;
            if !self.place.home {
                write!(f, ", other organization")?;
            }
            if self.place.sandbox != Sandbox::No {
                write!(f, ", sandbox: {:?}", self.place.sandbox)?;
            }
        }
        if self.resource == Resource::Workspace && self.place.empty {
            write!(f, ", without projects")?;
        }
        if self.resource.has_project() {
            let hands_out = if self.place.auto { "auto" } else { "manual" };
            let setting = if self.place.setting { "on" } else { "off" };
            write!(f, ", {hands_out}, setting {setting}")?;
            if let Some(role) = self.place.project_role {
                write!(f, ", {} in the project", role.id())?;
            }
            if let Some(guest) = self.place.guest {
                write!(f, ", guest {guest:?}")?;
            }
        }
        if matches!(self.resource, Resource::Task | Resource::Annotation) {
            let all = [
                (self.work.annotator, "assigned"),
                (self.work.reviewer, "assigned to review"),
                (self.work.labeled, "labeled it"),
                (self.work.author, "own annotation"),
            ];
            for (_, word) in all.iter().filter(|(holds, _)| *holds) {
                write!(f, ", {word}")?;
            }
        }
        if self.context != Context::Empty {
            write!(f, "; {:?}", self.context)?;
        }
        Ok(())
    }
}
