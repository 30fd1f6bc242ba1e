//! Who asks about which place: every role in every relation, and what the guards are about.

use crate::model::{Person, Place, Relation, Role, Sandbox, Status, Work};

/// Nothing to do with the task.
pub(crate) const IDLE: Work = Work {
    annotator: false,
    reviewer: false,
    labeled: false,
    author: false,
};

/// Where the resource lies and what the person has to do with it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Base {
    pub(crate) person: Person,
    pub(crate) place: Place,
    pub(crate) work: Work,
}

/// Pending and deactivated members, with and without a role.
pub(crate) fn inactive() -> impl Iterator<Item = Person> {
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
pub(crate) fn workspaces() -> Vec<Base> {
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
pub(crate) fn projects(action: &str, resource_type: &str) -> Vec<Base> {
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
