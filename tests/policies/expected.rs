//! The right answer, from the scope words and guards of the rulings (sections 1 to 3).

use crate::{
    editions::Edition,
    model::{
        Context, Person, Place, Relation, Resource, Role, Sandbox, Situation, Someone, Status,
        Target, Via,
    },
};

/// Whether the decision is permit, in a cell with this scope word.
pub(crate) fn expected(edition: Edition, scope: &str, situation: &Situation) -> bool {
    guards_pass(edition, situation) && in_scope(scope, situation)
}

/// The scope words of section 2, and the compound ones of the actions without a row.
fn in_scope(scope: &str, situation: &Situation) -> bool {
    let Situation {
        action,
        person,
        resource,
        place,
        work,
        context,
        ..
    } = *situation;
    match scope {
        "never" => false,
        // Where the resource lies is for the guard.
        "organization" => true,
        "organization_if_plan_permits" => person.plan,
        "own" => is_own(resource),
        "member" | "project" => is_member(resource, place) || is_own_report(resource),
        "created_or_member" => created_or_member(place),
        "created_or_member_or_self" => created_or_member(place) || leaves(place, context),
        "self" => leaves(place, context),
        "workspace_and_invited" => {
            workspace_and_invited(resource, place) || is_own_report(resource)
        }
        "workspace_and_invited_and_target_created_or_member" => {
            workspace_and_invited(resource, place) && target(context).is_some_and(may_create_in)
        }
        "assigned" => is_assigned(situation),
        "setting_own" => {
            let own = if resource == Resource::Annotation {
                work.author
            } else {
                assert_eq!(resource, Resource::Task, "`setting_own` of {action}");
                if place.auto {
                    work.labeled
                } else {
                    work.annotator
                }
            };
            is_member(resource, place) && place.setting && own
        }
        "member_if_setting" => is_member(resource, place) && place.setting,
        "author_and_assigned" => work.author && may_label(situation),
        "author_and_assigned_or_review_scope" => {
            (work.author && may_label(situation)) || may_review(situation)
        }
        unknown => panic!("no meaning for the scope word `{unknown}`"),
    }
}

/// The subject of the resource is the person.
fn is_own(resource: Resource) -> bool {
    resource == Resource::Member(Someone::Myself) || is_own_report(resource)
}

/// C26: wherever a report is in some scope, the one about oneself is.
fn is_own_report(resource: Resource) -> bool {
    matches!(resource, Resource::MemberReport(Someone::Myself, _))
}

fn is_member(resource: Resource, place: Place) -> bool {
    match place.relation {
        Relation::Workspace => resource.has_workspace(),
        Relation::Direct => resource.has_project(),
        Relation::CreatedProject
        | Relation::CreatedWorkspace
        | Relation::Sibling
        | Relation::Stranger => false,
    }
}

fn created_or_member(place: Place) -> bool {
    matches!(
        place.relation,
        Relation::Workspace | Relation::CreatedWorkspace
    )
}

fn workspace_and_invited(resource: Resource, place: Place) -> bool {
    let in_project = matches!(place.relation, Relation::CreatedProject | Relation::Direct);
    (resource.has_workspace() && created_or_member(place)) || (resource.has_project() && in_project)
}

/// A member of the workspace removes themselves (C30).
fn leaves(place: Place, context: Context) -> bool {
    place.relation == Relation::Workspace && context == Context::Member(Someone::Myself)
}

fn is_assigned(situation: &Situation) -> bool {
    let Situation {
        action,
        resource,
        place,
        context,
        ..
    } = *situation;
    match (action, resource) {
        // C28: no task is known yet.
        ("labeling.access" | "review.access", Resource::Project) => {
            is_member(resource, place) && (place.auto || context == Context::Assigned(Some(true)))
        }
        ("labeling.access" | "annotation.create", Resource::Task) => may_label(situation),
        ("review.access", Resource::Task) | ("annotation.verify", Resource::Annotation) => {
            may_review(situation)
        }
        _ => panic!("`assigned` for {action} on {resource:?}"),
    }
}

fn may_label(situation: &Situation) -> bool {
    let Situation {
        resource,
        place,
        work,
        ..
    } = *situation;
    is_member(resource, place) && (place.auto || work.annotator)
}

fn may_review(situation: &Situation) -> bool {
    let Situation {
        resource,
        place,
        work,
        ..
    } = *situation;
    is_member(resource, place) && (place.auto || work.reviewer)
}

fn target(context: Context) -> Option<Target> {
    match context {
        Context::Move(target) | Context::Duplicate(target, ..) => Some(target),
        Context::Assigned(_)
        | Context::Empty
        | Context::Member(_)
        | Context::NewRole(_)
        | Context::ProjectRole(..) => None,
    }
}

/// Created it, or is in its members.
fn may_create_in(target: Target) -> bool {
    match target {
        Target::Created
        | Target::Foreign
        | Target::Member
        | Target::OthersSandbox
        | Target::OwnSandbox => true,
        Target::Stranger => false,
    }
}

/// Section 3, and what the overlays of section 1 forbid.
fn guards_pass(edition: Edition, situation: &Situation) -> bool {
    let Situation { action, person, .. } = *situation;
    person.status == Status::Active
        && same_organization(situation)
        && sandbox_is_private(situation)
        && owner_stays(situation)
        && single_rules(situation)
        && (action != "billing.view" || person.role == Role::Owner)
        && edition_allows(edition, situation)
}

/// guard.organization
fn same_organization(situation: &Situation) -> bool {
    let Situation {
        resource,
        place,
        context,
        ..
    } = *situation;
    let resource = match resource {
        Resource::Organization(home) => home,
        Resource::Member(someone) => someone.is_home(),
        Resource::MemberReport(subject, in_project) => {
            subject.is_home() && (!in_project || place.home)
        }
        Resource::Annotation | Resource::Project | Resource::Task | Resource::Workspace => {
            place.home
        }
    };
    let beside = match context {
        Context::Member(someone) | Context::ProjectRole(someone, _) => someone.is_home(),
        Context::Move(target) | Context::Duplicate(target, ..) => target != Target::Foreign,
        Context::Assigned(_) | Context::Empty | Context::NewRole(_) => true,
    };
    resource && beside
}

/// guard.sandbox
fn sandbox_is_private(situation: &Situation) -> bool {
    let Situation {
        action,
        resource,
        place,
        context,
        ..
    } = *situation;
    if target(context) == Some(Target::OthersSandbox) {
        return false;
    }
    if !resource.has_workspace() {
        return true;
    }
    let fixed = [
        "workspace.add_member",
        "workspace.remove_member",
        "workspace.delete",
        "project.add_member",
        "project.assign_role",
    ];
    match place.sandbox {
        Sandbox::No => true,
        Sandbox::Others => false,
        Sandbox::Own => !fixed.contains(&action),
    }
}

/// guard.owner and guard.owner_account
fn owner_stays(situation: &Situation) -> bool {
    let Situation {
        action,
        person,
        resource,
        context,
        ..
    } = *situation;
    let target = if let Resource::Member(Someone::Colleague(role, _) | Someone::Foreigner(role)) =
        resource
    {
        role
    } else {
        person.role
    };
    let gives = |role| context == Context::NewRole(role);
    match action {
        "org.transfer_owner" => false,
        "org.member.assign_role" | "org.member.activate" => {
            target != Role::Owner && !gives(Role::Owner) && !gives(Role::None)
        }
        "org.member.deactivate" => target != Role::Owner,
        "owner_account.view" => {
            person.role == Role::Owner && resource == Resource::Member(Someone::Myself)
        }
        _ => true,
    }
}

/// guard.workspace_empty, guard.ground_truth, guard.project_role
fn single_rules(situation: &Situation) -> bool {
    let Situation {
        action,
        place,
        context,
        ..
    } = *situation;
    match (action, context) {
        ("workspace.delete", _) => place.empty,
        (_, Context::Duplicate(_, mode, true)) => mode == "settings_data_annotations",
        (_, Context::ProjectRole(member, _)) => {
            let is_member = place
                .guest
                .is_some_and(|(guest, via)| guest == member && via != Via::Nothing);
            matches!(member, Someone::Colleague(role, _) if role.can_be_overridden()) && is_member
        }
        _ => true,
    }
}

/// What an overlay forbids beyond the cells.
fn edition_allows(edition: Edition, situation: &Situation) -> bool {
    let Situation {
        action,
        person: Person { role, .. },
        context,
        ..
    } = *situation;
    let gives_role = matches!(action, "org.member.assign_role" | "org.member.activate");
    match edition {
        Edition::Enterprise | Edition::ByProse => true,
        Edition::Enterprise2023 => {
            !(matches!(action, "token.create" | "token.use") && role.can_be_overridden())
        }
        Edition::Teams => {
            matches!(role, Role::Owner | Role::Manager)
                && (!gives_role || context == Context::NewRole(Role::Manager))
        }
    }
}
