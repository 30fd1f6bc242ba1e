//! Sets of policies and of stored entities that grow, with questions whose work does not.
//!
//! People work on tasks in projects. Fifty policies are in every set; six of them are about the
//! action that is asked for, and what is added to them is about something else.

use std::fmt::Write as _;

use crate::ask::Ask;

mod brought;

pub(crate) use brought::{inline, stored};

/// What `palisade serve` takes as three arguments. Lists are the texts of files.
#[derive(Clone, Debug)]
pub(crate) struct Set {
    pub(crate) schema: String,
    pub(crate) policies: Vec<String>,
    pub(crate) entities: Vec<String>,
}

/// What policies are about that are added to the first fifty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extra {
    /// Other actions.
    Actions,
    /// The action that is asked for, and other principals: `==` and `in` by turns.
    Principals,
    /// The action that is asked for, and other resources: `==` and `in` by turns.
    Resources,
    /// The action that is asked for, and principals or resources of other types.
    Types,
}

impl Extra {
    pub(crate) const ALL: [Self; 4] = [
        Self::Actions,
        Self::Principals,
        Self::Resources,
        Self::Types,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Actions => "other actions",
            Self::Principals => "other principals",
            Self::Resources => "other resources",
            Self::Types => "other types",
        }
    }
}

/// How many policies there are in the smallest set.
pub(crate) const FEWEST_POLICIES: usize = 50;

/// How many entities are stored where policies grow.
const ENTITIES_BESIDE_POLICIES: usize = 1_000;

/// Enough that a set of a million entities is met all over.
const QUESTIONS: usize = 20_000;

/// Actions that are not asked for.
const ACTIONS: usize = 1_000;

const POLICIES_PER_FILE: usize = 1_000;
const ENTITIES_PER_FILE: usize = 100_000;

impl Set {
    /// So many policies, all but the first fifty about this.
    pub(crate) fn of_policies(extra: Extra, count: usize) -> Self {
        let mut policies = base();
        policies.extend((FEWEST_POLICIES..count).map(|number| added(extra, number)));
        Self {
            policies: policies
                .chunks(POLICIES_PER_FILE)
                .map(<[_]>::concat)
                .collect(),
            ..Self::of_entities(ENTITIES_BESIDE_POLICIES)
        }
    }

    /// So many stored entities: most are tasks with three attributes and a parent.
    pub(crate) fn of_entities(count: usize) -> Self {
        let (world, mut files) = (World::of(count), Vec::new());
        let mut all = world.entities().peekable();
        while all.peek().is_some() {
            let some: Vec<String> = all.by_ref().take(ENTITIES_PER_FILE).collect();
            files.push(format!("[{}]", some.join(",\n")));
        }
        Self {
            schema: schema(),
            policies: vec![base().concat()],
            entities: files,
        }
    }

    /// Ten entities around each note that [`stored`] asks about, and others.
    pub(crate) fn of_brought() -> Self {
        let mut set = Self::of_entities(ENTITIES_BESIDE_POLICIES);
        let brought: Vec<String> = brought::entities().collect();
        set.entities.push(format!("[{}]", brought.join(",\n")));
        set
    }
}

/// Questions to any set of policies.
pub(crate) fn to_policies() -> Vec<Ask> {
    to_entities(ENTITIES_BESIDE_POLICIES)
}

/// Questions to a set of so many entities, all over it.
pub(crate) fn to_entities(count: usize) -> Vec<Ask> {
    let world = World::of(count);
    (0..QUESTIONS).map(|number| world.ask(number)).collect()
}

fn schema() -> String {
    let mut schema = String::from(
        r#"entity Team;
entity User, Robot, Service in [Team] { level: Long, team: Team };
entity Project { lead: User, level: Long };
entity Task, Draft, Report in [Project] { project: Project, annotators: Set<User>, reviewers: Set<User> };
entity Note { task: Task, author: User };
action "view" appliesTo {
  principal: [User, Robot, Service],
  resource: [Task, Draft, Report, Note],
};
"#,
    );
    for action in 0..ACTIONS {
        writeln!(
            schema,
            "action \"a{action}\" appliesTo {{ principal: User, resource: Task }};"
        )
        .unwrap();
    }
    schema
}

/// The policies of every set. Those about the action that is asked for, with a world's answers in
/// [`World::ask`] and [`brought::Brought::allowed`].
fn base() -> Vec<String> {
    let asked = r#"
@id("annotator") permit (principal is User, action == Action::"view", resource is Task)
when { resource.annotators.contains(principal) };
@id("reviewer") permit (principal is User, action == Action::"view", resource is Task)
when { resource.reviewers.contains(principal) };
@id("lead") permit (principal is User, action == Action::"view", resource is Task)
when { resource.project.lead == principal };
@id("senior") permit (principal is User, action == Action::"view", resource is Task)
when { principal.level >= 6 && principal.team == resource.project.lead.team };
@id("level") forbid (principal is User, action == Action::"view", resource is Task)
when { principal.level < resource.project.level };
@id("note") permit (principal is User, action == Action::"view", resource is Note)
when {
  (resource.author == principal || resource.task.annotators.contains(principal)) &&
  principal.level >= resource.task.project.level && resource.task.project.lead.level > 1 &&
  resource.author.level > 0
};
"#;
    let asked = asked.split_inclusive(";\n").map(ToOwned::to_owned);
    let asked = asked.filter(|it| !it.trim().is_empty());
    let mut policies: Vec<String> = asked.collect();
    for number in policies.len()..FEWEST_POLICIES {
        policies.push(added(Extra::Actions, number));
    }
    policies
}

/// One policy that has nothing to do with any question, though its condition would hold.
fn added(extra: Extra, number: usize) -> String {
    let view = r#"action == Action::"view""#;
    let scope = match (extra, number % 4) {
        (Extra::Actions, _) => {
            let action = number % ACTIONS;
            format!(r#"principal, action == Action::"a{action}", resource"#)
        }
        (Extra::Principals, 0 | 2) => {
            format!(r#"principal == User::"other-{number}", {view}, resource"#)
        }
        (Extra::Principals, _) => {
            format!(r#"principal in Team::"other-{number}", {view}, resource"#)
        }
        (Extra::Resources, 0 | 2) => {
            format!(r#"principal, {view}, resource == Task::"other-{number}""#)
        }
        (Extra::Resources, _) => {
            format!(r#"principal, {view}, resource in Project::"other-{number}""#)
        }
        (Extra::Types, 0) => format!("principal is Robot, {view}, resource"),
        (Extra::Types, 1) => format!("principal, {view}, resource is Draft"),
        (Extra::Types, 2) => format!("principal is Service, {view}, resource"),
        (Extra::Types, _) => format!("principal, {view}, resource is Report"),
    };
    // Notes have other attributes.
    let tasks = "resource has project && resource.project.level >= 0";
    let effect = if number.is_multiple_of(10) {
        "forbid"
    } else {
        "permit"
    };
    let level = number % 7;
    format!(
        "@id(\"added-{number}\") {effect} ({scope})\n\
         when {{ principal.level >= {level} && {tasks} && resource.annotators.contains(resource.project.lead) }};\n"
    )
}

/// So many entities of all kinds, made by counting.
#[derive(Clone, Copy)]
struct World {
    teams: usize,
    users: usize,
    projects: usize,
    tasks: usize,
}

impl World {
    fn of(count: usize) -> Self {
        let (teams, users, projects) = ((count / 1_000).max(1), count / 20, count / 100);
        Self {
            teams,
            users,
            projects,
            tasks: count - teams - users - projects,
        }
    }

    fn entities(self) -> impl Iterator<Item = String> {
        let teams = (0..self.teams).map(|it| entity(("Team", &team(it)), "{}", ""));
        let users = (0..self.users).map(move |it| {
            let (level, team) = (level(it), reference("Team", &team(it % self.teams)));
            let attributes = format!(r#"{{"level":{level},"team":{}}}"#, as_value(&team));
            entity(("User", &user(it)), &attributes, &team)
        });
        let projects = (0..self.projects).map(move |it| {
            let lead = reference("User", &user(self.lead(it)));
            let level = project_level(it);
            let attributes = format!(r#"{{"lead":{},"level":{level}}}"#, as_value(&lead));
            entity(("Project", &project(it)), &attributes, "")
        });
        let tasks = (0..self.tasks).map(move |it| {
            let project = reference("Project", &project(it % self.projects));
            let [first, second, third] = self
                .workers(it)
                .map(|it| as_value(&reference("User", &user(it))));
            let attributes = format!(
                r#"{{"project":{},"annotators":[{first},{second}],"reviewers":[{third}]}}"#,
                as_value(&project)
            );
            entity(("Task", &task(it)), &attributes, &project)
        });
        teams.chain(users).chain(projects).chain(tasks)
    }

    /// Two annotators and a reviewer.
    fn workers(self, task: usize) -> [usize; 3] {
        [0, 1, 2].map(|it| (task * 3 + it) % self.users)
    }

    fn lead(self, project: usize) -> usize {
        (project * 7 + 3) % self.users
    }

    /// One of those who work on a task, or somebody, by turns.
    fn ask(self, number: usize) -> Ask {
        // A prime, so that neighbours in the list are far apart in the store.
        let of_task = number * 48_271 % self.tasks;
        let workers = self.workers(of_task);
        let by = if number.is_multiple_of(2) {
            workers[number / 2 % 3]
        } else {
            number * 7_919 % self.users
        };
        let of_project = of_task % self.projects;
        let lead = self.lead(of_project);
        let senior = level(by) >= 6 && by % self.teams == lead % self.teams;
        let forbidden = level(by) < project_level(of_project);
        let allowed = !forbidden && (workers.contains(&by) || by == lead || senior);
        Ask::new(
            ("User", &user(by)),
            "view",
            ("Task", &task(of_task)),
            allowed,
        )
    }
}

// Ids are of one length in sets of all sizes, so that questions are.

pub(crate) fn team(number: usize) -> String {
    format!("acme/team-{number:07}")
}

pub(crate) fn user(number: usize) -> String {
    format!("acme/user-{number:07}")
}

pub(crate) fn project(number: usize) -> String {
    format!("acme/{number:07}")
}

pub(crate) fn task(number: usize) -> String {
    format!("acme/tasks/{number:07}")
}

fn level(user: usize) -> usize {
    user % 8
}

fn project_level(project: usize) -> usize {
    project % 3
}

/// An entity of a store file; `parent` may be empty.
fn entity((type_name, id): (&str, &str), attributes: &str, parent: &str) -> String {
    let uid = reference(type_name, id);
    format!(r#"{{"uid":{uid},"attrs":{attributes},"parents":[{parent}]}}"#)
}

fn reference(type_name: &str, id: &str) -> String {
    format!(r#"{{"type":"{type_name}","id":"{id}"}}"#)
}

fn as_value(reference: &str) -> String {
    format!(r#"{{"__entity":{reference}}}"#)
}
