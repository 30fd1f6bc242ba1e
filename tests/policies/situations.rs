//! The situations that an action calls for, on one type of resource.

use crate::{
    model::{
        Context, Person, Place, Relation, Resource, Role, Sandbox, Situation, Someone, Status,
        Target, Via,
    },
    places::{Base, IDLE, inactive, projects, workspaces},
};

const COLLEAGUE: Someone = Someone::Colleague(Role::Annotator, Status::Active);

const STRANGER: Someone = Someone::Foreigner(Role::Annotator);

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
        STRANGER,
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
    let subjects = [Someone::Myself, COLLEAGUE, STRANGER, Someone::ForeignSelf];
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
        | "project.remove_member" => [Someone::Myself, COLLEAGUE, STRANGER]
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
                        guest: Some((guest, via)),
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
            guest: Some((COLLEAGUE, Via::Project)),
            ..ordinary
        };
        for member in [COLLEAGUE, Someone::Myself, STRANGER] {
            situations.push(project_role(person, place, member, "reviewer"));
        }
        // In the project by mistake.
        let place = Place {
            guest: Some((STRANGER, Via::Project)),
            ..ordinary
        };
        situations.push(project_role(person, place, STRANGER, "reviewer"));
    }
    situations
}
