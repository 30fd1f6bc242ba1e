//! The stored data all situations share: it grows as situations name what they need.
//!
//! It breaks data conditions on purpose (strangers in teams, several owners): the guards of the
//! policies must hold on their own.

use std::collections::{BTreeMap, BTreeSet};

use palisade::authz::SourceFile;
use serde_json::{Value, json};

use crate::model::{Person, Place, Relation, Role, Sandbox, Someone, Status, Target, Via};

/// The organization nobody who asks is in.
const FOREIGN: &str = "2";

/// Stored entities by type and id: attributes and parents.
#[derive(Debug, Default)]
pub(crate) struct World {
    stored: BTreeMap<(&'static str, String), (Value, Vec<Value>)>,
    teams: BTreeMap<String, BTreeSet<String>>,
}

/// `{"type": …, "id": …}` as an attribute value.
pub(crate) fn reference(type_name: &str, id: &str) -> Value {
    json!({ "__entity": { "type": type_name, "id": id } })
}

impl World {
    /// The data as Cedar's JSON.
    pub(crate) fn entities(&self) -> Vec<Value> {
        let team_uid = |team: &String| json!({ "type": "Team", "id": team });
        let entity = |((type_name, id), (attrs, parents)): (
            &(&str, String),
            &(Value, Vec<Value>),
        )| {
            let mut parents = parents.clone();
            if *type_name == "Member" {
                parents.extend(self.teams.get(id).into_iter().flatten().map(team_uid));
            }
            json!({ "uid": { "type": type_name, "id": id }, "attrs": attrs, "parents": parents })
        };
        self.stored.iter().map(entity).collect()
    }

    /// The data as a source file.
    pub(crate) fn source(&self) -> SourceFile {
        SourceFile {
            name: "world.json".to_owned(),
            bytes: Value::from(self.entities()).to_string().into_bytes(),
        }
    }

    /// The organization of the person, or another one.
    pub(crate) fn organization(&mut self, person: Person, home: bool) -> String {
        let id = if home { person.organization() } else { FOREIGN };
        let attrs = json!({ "plan_allows_more_organizations": id != "3" });
        self.store("Organization", id, attrs, Vec::new());
        id.to_owned()
    }

    /// Whoever asks.
    pub(crate) fn person(&mut self, person: Person) -> String {
        self.someone(person, Someone::Myself)
    }

    /// A member, as seen from the person who asks.
    pub(crate) fn someone(&mut self, person: Person, someone: Someone) -> String {
        let Person { role, status, .. } = person;
        let home = someone.is_home();
        match someone {
            Someone::Myself | Someone::ForeignSelf => self.member(person, home, "", role, status),
            Someone::Colleague(role, status) => {
                self.member(person, home, "colleague-", role, status)
            }
            Someone::Foreigner(role) => {
                self.member(person, home, "stranger-", role, Status::Active)
            }
        }
    }

    fn member(
        &mut self,
        person: Person,
        home: bool,
        kind: &str,
        role: Role,
        status: Status,
    ) -> String {
        let organization = self.organization(person, home);
        let user = format!("{kind}{}-{}", status.id(), role.id());
        let id = format!("{organization}/{user}");
        let attrs = json!({
            "organization": reference("Organization", &organization),
            "user": user,
            "role": reference("Role", role.id()),
            "status": reference("Status", status.id()),
        });
        let parent = json!({ "type": "Organization", "id": organization });
        self.store("Member", &id, attrs, vec![parent]);
        id
    }

    /// The workspace of a place.
    pub(crate) fn workspace(&mut self, person: Person, place: Place) -> String {
        let organization = self.organization(person, place.home);
        let id = place_id(&organization, person, place);
        if self.stored.contains_key(&("Workspace", id.clone())) {
            return id;
        }
        let me = self.person(person);
        let other = self.member(
            person,
            place.home,
            "colleague-",
            Role::Manager,
            Status::Active,
        );
        let members = self.team(format!("workspace/{id}/members"));
        let mut attrs = json!({ "members": reference("Team", &members), "project_count": 0 });
        let creator = match place.relation {
            Relation::CreatedWorkspace => Some(&me),
            Relation::Direct | Relation::Stranger => Some(&other),
            Relation::CreatedProject | Relation::Sibling | Relation::Workspace => None,
        };
        let user = match place.sandbox {
            Sandbox::No => None,
            Sandbox::Others => Some(&other),
            Sandbox::Own => Some(&me),
        };
        if let Some(creator) = creator {
            attrs["created_by"] = reference("Member", creator);
        }
        if let Some(user) = user {
            attrs["personal_of"] = reference("Member", user);
            self.join(user, &members);
        }
        if place.relation == Relation::Workspace {
            self.join(&me, &members);
        }
        if let Some((guest, Via::Workspace)) = place.guest {
            let guest = self.someone(person, guest);
            self.join(&guest, &members);
        }
        let parent = json!({ "type": "Organization", "id": organization });
        let projects = match place {
            Place { empty: true, .. } => 0,
            Place {
                relation: Relation::Sibling,
                ..
            } => 2,
            Place { .. } => 1,
        };
        attrs["project_count"] = projects.into();
        self.store("Workspace", &id, attrs, vec![parent]);
        if projects > 0 {
            self.project_in(&id, "project", person, place);
        }
        if projects > 1 {
            let invited = Place {
                relation: Relation::Direct,
                ..place
            };
            self.project_in(&id, "sibling", person, invited);
        }
        id
    }

    /// The project of a place.
    pub(crate) fn project(&mut self, person: Person, place: Place) -> String {
        assert!(!place.empty, "no project in an empty workspace");
        format!("{}/project", self.workspace(person, place))
    }

    fn project_in(&mut self, workspace: &str, name: &str, person: Person, place: Place) {
        let id = format!("{workspace}/{name}");
        let me = self.person(person);
        let other = self.member(
            person,
            place.home,
            "colleague-",
            Role::Manager,
            Status::Active,
        );
        let team = |kind: &str| format!("project/{id}/{kind}");
        let [members, as_annotator, as_reviewer] =
            ["members", "as_annotator", "as_reviewer"].map(|kind| self.team(team(kind)));
        let mut attrs = json!({
            "workspace": reference("Workspace", workspace),
            "members": reference("Team", &members),
            "as_annotator": reference("Team", &as_annotator),
            "as_reviewer": reference("Team", &as_reviewer),
            "annotators_see_own_data": place.setting,
            "distribution": reference("Distribution", if place.auto { "auto" } else { "manual" }),
        });
        let creator = match place.relation {
            Relation::CreatedProject => Some(&me),
            Relation::Stranger | Relation::Workspace => Some(&other),
            Relation::CreatedWorkspace | Relation::Direct | Relation::Sibling => None,
        };
        if let Some(creator) = creator {
            attrs["created_by"] = reference("Member", creator);
        }
        if place.relation == Relation::Direct {
            self.join(&me, &members);
        }
        if let Some(role) = place.project_role {
            let raised = role == Role::Reviewer;
            self.join(&me, if raised { &as_reviewer } else { &as_annotator });
        }
        if let Some((guest, Via::Project)) = place.guest {
            let guest = self.someone(person, guest);
            self.join(&guest, &members);
        }
        let parent = json!({ "type": "Workspace", "id": workspace });
        self.store("Project", &id, attrs, vec![parent]);
    }

    /// The workspace something is moved into.
    pub(crate) fn target(&mut self, person: Person, target: Target) -> String {
        let (relation, sandbox) = match target {
            Target::Created => (Relation::CreatedWorkspace, Sandbox::No),
            Target::Foreign | Target::Member => (Relation::Workspace, Sandbox::No),
            Target::OthersSandbox => (Relation::Workspace, Sandbox::Others),
            Target::OwnSandbox => (Relation::Workspace, Sandbox::Own),
            Target::Stranger => (Relation::Stranger, Sandbox::No),
        };
        let home = target != Target::Foreign;
        let place = Place {
            home,
            relation,
            sandbox,
            ..Place::PLAIN
        };
        self.workspace(person, place)
    }

    fn team(&mut self, id: String) -> String {
        self.store("Team", &id, json!({}), Vec::new());
        id
    }

    fn join(&mut self, member: &str, team: &str) {
        self.teams
            .entry(member.to_owned())
            .or_default()
            .insert(team.to_owned());
    }

    fn store(&mut self, type_name: &'static str, id: &str, attrs: Value, parents: Vec<Value>) {
        let key = (type_name, id.to_owned());
        self.stored.entry(key).or_insert((attrs, parents));
    }
}

fn place_id(organization: &str, person: Person, place: Place) -> String {
    let Place {
        relation,
        project_role,
        sandbox,
        empty,
        auto,
        setting,
        guest,
        ..
    } = place;
    let who = format!("{}-{}", person.status.id(), person.role.id());
    let mut id = format!("{organization}/{who}/{relation:?}");
    let words = [
        (empty, "empty".to_owned()),
        (auto, "auto".to_owned()),
        (setting, "setting".to_owned()),
        (sandbox != Sandbox::No, format!("sandbox:{sandbox:?}")),
        (project_role.is_some(), format!("as:{project_role:?}")),
        (guest.is_some(), format!("with:{guest:?}")),
        (
            organization != person.organization(),
            format!("of:{}", person.organization()),
        ),
    ];
    for (_, word) in words.into_iter().filter(|(holds, _)| *holds) {
        id = format!("{id},{word}");
    }
    id
}
