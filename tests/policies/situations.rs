//! The situations that an action calls for, on one type of resource.

use crate::model::{
    Context, Person, Place, Relation, Resource, Role, Sandbox, Situation, Someone, Status, Target,
    Via, Work,
};

const COLLEAGUE: Someone = Someone::Colleague(Role::Annotator, Status::Active);

const IDLE: Work = Work {
    annotator: false,
    reviewer: false,
    labeled: false,
    author: false,
};

/// Where the resource lies and what the person has to do with it.
#[derive(Clone, Copy)]
struct Base {
    person: Person,
    place: Place,
    work: Work,
}

/// Every situation for an action on a type of resource.
pub(crate) fn situations(action: &'static str, resource_type: &str) -> Vec<Situation> {
    match resource_type {
        "Organization" => on_organization(action),
        "Member" => on_member(action),
        "Workspace" => on_place(action, Resource::Workspace, workspaces()),
        "Project" => on_place(action, Resource::Project, projects(action, "Project")),
        "Task" => on_place(action, Resource::Task, projects(action, "Task")),
        "Annotation" => on_place(action, Resource::Annotation, projects(action, "Annotation")),
        "MemberReport" => on_report(action),
        unknown => panic!("no situations for a resource of type `{unknown}`"),
    }
}

fn on_organization(action: &'static str) -> Vec<Situation> {
    let plans = [true, false].map(|plan| {
        Role::ALL.map(|role| Person {
            plan,
            ..Person::active(role)
        })
    });
    let mut situations = Vec::new();
    for person in plans.into_iter().flatten().chain(inactive()) {
        for home in [true, false] {
            situations.push(plain(
                action,
                person,
                Resource::Organization(home),
                Context::Empty,
            ));
        }
    }
    situations
}

fn on_member(action: &'static str) -> Vec<Situation> {
    let mut others = vec![
        Someone::Myself,
        Someone::ForeignSelf,
        Someone::Foreigner(Role::Annotator),
        Someone::Colleague(Role::None, Status::Pending),
        Someone::Colleague(Role::Annotator, Status::Deactivated),
    ];
    others.extend(Role::ALL.map(|role| Someone::Colleague(role, Status::Active)));
    let contexts = match action {
        "org.member.assign_role" | "org.member.activate" => {
            Role::ALL.map(Context::NewRole).to_vec()
        }
        _ => vec![Context::Empty],
    };
    let mut situations = Vec::new();
    for person in Role::ALL.map(Person::active).into_iter().chain(inactive()) {
        for other in &others {
            for context in &contexts {
                situations.push(plain(action, person, Resource::Member(*other), *context));
            }
        }
    }
    situations
}

fn on_place(action: &'static str, resource: Resource, bases: Vec<Base>) -> Vec<Situation> {
    let mut situations = Vec::new();
    for base in bases {
        let Base {
            person,
            place,
            work,
        } = base;
        for context in contexts(action, base) {
            situations.push(Situation {
                action,
                person,
                resource,
                place,
                work,
                context,
            });
        }
    }
    if action == "project.assign_role" {
        situations.extend(project_roles(action));
    }
    situations
}

fn on_report(action: &'static str) -> Vec<Situation> {
    let subjects = [
        Someone::Myself,
        COLLEAGUE,
        Someone::Foreigner(Role::Annotator),
        Someone::ForeignSelf,
    ];
    let mut situations = Vec::new();
    for subject in subjects {
        let everybody = Role::ALL.map(Person::active).into_iter().chain(inactive());
        let resource = Resource::MemberReport(subject, false);
        situations.extend(everybody.map(|person| plain(action, person, resource, Context::Empty)));
        for Base {
            person,
            place,
            work,
        } in projects(action, "MemberReport")
        {
            let resource = Resource::MemberReport(subject, true);
            situations.push(Situation {
                action,
                person,
                resource,
                place,
                work,
                context: Context::Empty,
            });
        }
    }
    situations
}

fn plain(action: &'static str, person: Person, resource: Resource, context: Context) -> Situation {
    Situation {
        action,
        person,
        resource,
        place: Place::PLAIN,
        work: IDLE,
        context,
    }
}

/// Pending and deactivated members, with and without a role.
fn inactive() -> impl Iterator<Item = Person> {
    [Status::Pending, Status::Deactivated]
        .into_iter()
        .flat_map(|status| {
            Role::ALL.map(|role| Person {
                status,
                ..Person::active(role)
            })
        })
}

/// Every role in every relation, with and without projects; then what the guards are about.
fn workspaces() -> Vec<Base> {
    let base = |person, place| Base {
        person,
        place,
        work: IDLE,
    };
    let mut bases = Vec::new();
    for person in Role::ALL.map(Person::active) {
        for relation in Relation::ALL {
            let place = Place {
                relation,
                ..Place::PLAIN
            };
            bases.push(base(person, place));
            if !matches!(
                relation,
                Relation::CreatedProject | Relation::Direct | Relation::Sibling
            ) {
                bases.push(base(
                    person,
                    Place {
                        empty: true,
                        ..place
                    },
                ));
            }
        }
    }
    let empty = Place {
        empty: true,
        ..Place::PLAIN
    };
    bases.extend(
        guarded(empty)
            .into_iter()
            .map(|(person, place)| base(person, place)),
    );
    bases
}

/// Every role in every relation, with the facts the action is about in all combinations; then what
/// the guards are about.
fn projects(action: &str, resource_type: &str) -> Vec<Base> {
    let facts = facts_that_matter(action, resource_type);
    let mut bases = Vec::new();
    for role in Role::ALL {
        let facts = if role.can_be_overridden() { facts } else { 0 };
        for relation in Relation::ALL {
            for project_role in [None, Some(Role::Annotator), Some(Role::Reviewer)] {
                for (place, work) in combinations(facts) {
                    let place = Place {
                        relation,
                        project_role,
                        ..place
                    };
                    bases.push(Base {
                        person: Person::active(role),
                        place,
                        work,
                    });
                }
            }
        }
    }
    for (place, work) in combinations(0) {
        bases.extend(guarded(place).into_iter().map(|(person, place)| Base {
            person,
            place,
            work,
        }));
    }
    bases
}

/// Another organization, a sandbox, a member who is not active: whatever the relation.
fn guarded(place: Place) -> Vec<(Person, Place)> {
    let mut guarded = Vec::new();
    for role in Role::ALL {
        let person = Person::active(role);
        let own = Place {
            relation: Relation::Workspace,
            sandbox: Sandbox::Own,
            ..place
        };
        guarded.push((person, own));
        for relation in Relation::ALL {
            let needs_projects = matches!(
                relation,
                Relation::CreatedProject | Relation::Direct | Relation::Sibling
            );
            let place = Place {
                relation,
                empty: place.empty && !needs_projects,
                ..place
            };
            guarded.push((
                person,
                Place {
                    home: false,
                    ..place
                },
            ));
            guarded.push((
                person,
                Place {
                    sandbox: Sandbox::Others,
                    ..place
                },
            ));
            let pending = Person {
                status: Status::Pending,
                ..person
            };
            let deactivated = Person {
                status: Status::Deactivated,
                ..person
            };
            guarded.extend([(pending, place), (deactivated, place)]);
        }
    }
    guarded
}

const AUTO: u8 = 1;
const SETTING: u8 = 2;
const ANNOTATOR: u8 = 4;
const REVIEWER: u8 = 8;
const LABELED: u8 = 16;
const AUTHOR: u8 = 32;

/// What the answer for an Annotator or Reviewer may depend on, beyond membership.
fn facts_that_matter(action: &str, resource_type: &str) -> u8 {
    match (action, resource_type) {
        ("data.view", "Task") => AUTO | SETTING | ANNOTATOR | LABELED,
        ("data.view", "Annotation") => AUTO | SETTING | AUTHOR,
        ("data.view" | "data.view_own", _) => AUTO | SETTING,
        ("labeling.access" | "annotation.create", _) => AUTO | ANNOTATOR,
        ("review.access" | "annotation.verify", _) => AUTO | REVIEWER,
        ("annotation.update", _) => AUTO | ANNOTATOR | REVIEWER | AUTHOR,
        ("annotation.delete", _) => AUTO | ANNOTATOR | AUTHOR,
        _ => 0,
    }
}

/// The facts in all combinations, once with all others true and once with all others false.
fn combinations(facts: u8) -> Vec<(Place, Work)> {
    let of = |bits: u8| {
        let has = |fact| bits & fact != 0;
        let place = Place {
            auto: has(AUTO),
            setting: has(SETTING),
            ..Place::PLAIN
        };
        let work = Work {
            annotator: has(ANNOTATOR),
            reviewer: has(REVIEWER),
            labeled: has(LABELED),
            author: has(AUTHOR),
        };
        (place, work)
    };
    let others = 63 & !facts;
    (0..64)
        .filter(|bits| bits & others == 0 || bits & others == others)
        .map(of)
        .collect()
}

/// What is asked beside the resource.
fn contexts(action: &str, base: Base) -> Vec<Context> {
    let targets = [
        Target::Member,
        Target::Created,
        Target::Stranger,
        Target::OwnSandbox,
        Target::OthersSandbox,
        Target::Foreign,
    ];
    match action {
        "labeling.access" | "review.access" => [None, Some(false), Some(true)]
            .map(Context::Assigned)
            .to_vec(),
        "workspace.add_member"
        | "workspace.remove_member"
        | "project.add_member"
        | "project.remove_member" => [
            Someone::Myself,
            COLLEAGUE,
            Someone::Foreigner(Role::Annotator),
        ]
        .map(Context::Member)
        .to_vec(),
        "project.assign_role" => vec![Context::ProjectRole(COLLEAGUE, "reviewer")],
        "project.move" => targets.map(Context::Move).to_vec(),
        "project.duplicate" => {
            let settings = |target| Context::Duplicate(target, "settings", false);
            let mut contexts = targets.map(settings).to_vec();
            for mode in ["settings", "settings_data", "settings_data_annotations"] {
                if base.place.relation == Relation::Direct {
                    contexts.push(Context::Duplicate(Target::Member, mode, true));
                    contexts.push(Context::Duplicate(Target::Member, mode, false));
                }
            }
            contexts
        }
        _ => vec![Context::Empty],
    }
}

/// Whose role inside the project is set, and to what: members of every kind, and strangers to it.
fn project_roles(action: &'static str) -> Vec<Situation> {
    let project_role = |person, place, member, new_role| Situation {
        action,
        person,
        resource: Resource::Project,
        place,
        work: IDLE,
        context: Context::ProjectRole(member, new_role),
    };
    let ordinary = Place::PLAIN;
    let own = Place {
        relation: Relation::Workspace,
        sandbox: Sandbox::Own,
        ..ordinary
    };
    let others = Place {
        sandbox: Sandbox::Others,
        ..ordinary
    };
    let foreign = Place {
        home: false,
        ..ordinary
    };
    let mut situations = Vec::new();
    for person in Role::ALL.map(Person::active) {
        for role in Role::ALL {
            let guest = Someone::Colleague(role, Status::Active);
            for via in [Via::Nothing, Via::Project, Via::Workspace] {
                for place in [ordinary, own, others, foreign] {
                    let place = Place {
                        guest: Some((role, via)),
                        ..place
                    };
                    for new_role in ["annotator", "reviewer", "inherit"] {
                        situations.push(project_role(person, place, guest, new_role));
                    }
                }
            }
        }
    }
    for person in Role::ALL.map(Person::active).into_iter().chain(inactive()) {
        let place = Place {
            guest: Some((Role::Annotator, Via::Project)),
            ..ordinary
        };
        for member in [
            COLLEAGUE,
            Someone::Myself,
            Someone::Foreigner(Role::Annotator),
        ] {
            situations.push(project_role(person, place, member, "reviewer"));
        }
    }
    situations
}
