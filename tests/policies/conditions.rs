//! The data conditions: the example organization meets them, and a data set that breaks one is refused.

use std::collections::BTreeSet;

use palisade::authz::{
    Answer, Decision, Kind, OnPolicyError, RawAction, RawEntity, RawQuery, Rejection, Snapshot,
    SourceFile, Sources,
};
use serde_json::{Value, json};

use crate::{
    editions::{Edition, compile, text},
    world::reference,
};

/// The example organization, to be changed.
struct Data(Vec<Value>);

impl Data {
    fn demo() -> Self {
        Self(serde_json::from_str(&text("deploy/demo/entities.json")).unwrap())
    }

    fn entity(&mut self, type_name: &str, id: &str) -> &mut Value {
        let uid = json!({ "type": type_name, "id": id });
        self.0
            .iter_mut()
            .find(|entity| entity["uid"] == uid)
            .unwrap()
    }

    fn set(&mut self, type_name: &str, id: &str, key: &str, value: Value) {
        self.entity(type_name, id)["attrs"][key] = value;
    }

    fn role(&mut self, member: &str, role: &str) {
        self.set("Member", member, "role", reference("Role", role));
    }

    fn join(&mut self, member: &str, team: &str) {
        self.parent("Member", member, "Team", team);
    }

    fn leave(&mut self, member: &str, team: &str) {
        let parents = self.entity("Member", member)["parents"]
            .as_array_mut()
            .unwrap();
        let before = parents.len();
        parents.retain(|parent| parent["id"] != team);
        assert_eq!(parents.len() + 1, before, "`{member}` is not in `{team}`");
    }

    fn parent(&mut self, type_name: &str, id: &str, parent_type: &str, parent: &str) {
        let parents = self.entity(type_name, id)["parents"]
            .as_array_mut()
            .unwrap();
        parents.push(json!({ "type": parent_type, "id": parent }));
    }

    fn orphan(&mut self, type_name: &str, id: &str) {
        self.entity(type_name, id)["parents"] = json!([]);
    }

    /// A copy of an entity under another id.
    fn copy(&mut self, type_name: &str, id: &str, new: &str) {
        let mut copy = self.entity(type_name, id).clone();
        copy["uid"]["id"] = new.into();
        self.0.push(copy);
    }

    fn sources(&self) -> Sources {
        let bytes = Value::from(self.0.clone()).to_string().into_bytes();
        Sources {
            entities: vec![SourceFile {
                name: "entities.json".to_owned(),
                bytes,
            }],
            ..Edition::Enterprise.shipped()
        }
    }
}

/// A condition, and a change to the example organization that breaks it.
type Break = (&'static str, fn(&mut Data));

const BREAKS: [Break; 17] = [
    ("one-owner", |data| {
        data.role("acme/olivia", "administrator")
    }),
    ("one-owner", |data| data.role("acme/adam", "owner")),
    ("active-members-have-a-role", |data| {
        data.role("acme/ben", "none")
    }),
    ("pending-members-have-no-role", |data| {
        data.role("acme/newton", "annotator")
    }),
    ("member-ids-begin-with-the-organization", |data| {
        data.copy("Member", "acme/dora", "globex/dora")
    }),
    ("workspace-members-are-of-its-organization", |data| {
        data.join("globex/gina", "workspace/acme/vision/members");
    }),
    ("project-members-are-of-its-organization", |data| {
        data.join("globex/gina", "project/acme/cats/members");
    }),
    ("project-annotators-are-of-its-organization", |data| {
        data.join("globex/anna", "project/acme/cats/as_annotator");
    }),
    ("project-reviewers-are-of-its-organization", |data| {
        data.join("globex/anna", "project/acme/cats/as_reviewer");
    }),
    ("one-role-inside-a-project", |data| {
        data.join("acme/cleo", "project/acme/calls/as_annotator");
    }),
    ("sandbox-members-include-its-user", |data| {
        data.leave("acme/mona", "workspace/acme/sandbox-mona/members");
    }),
    ("sandbox-members-are-nobody-else", |data| {
        data.join("acme/ben", "workspace/acme/sandbox-mona/members");
    }),
    ("one-sandbox-for-a-member", |data| {
        data.set(
            "Workspace",
            "acme/archive",
            "personal_of",
            reference("Member", "acme/mona"),
        );
        data.join("acme/mona", "workspace/acme/archive/members");
    }),
    ("a-workspace-lies-in-one-organization", |data| {
        data.parent("Workspace", "acme/archive", "Organization", "globex");
    }),
    ("a-workspace-lies-in-one-organization", |data| {
        data.orphan("Workspace", "acme/archive");
    }),
    ("project-count-is-the-number-of-projects", |data| {
        data.set("Workspace", "acme/vision", "project_count", 1.into());
    }),
    ("project-count-is-the-number-of-projects", |data| {
        data.set("Workspace", "acme/archive", "project_count", 1.into());
    }),
];

/// Why a data set is refused.
fn refusal(data: &Data) -> Rejection {
    Snapshot::compile(&data.sources()).unwrap_err()
}

#[test]
fn the_example_organization_meets_the_conditions_of_every_edition() {
    for edition in [Edition::Enterprise, Edition::Enterprise2023, Edition::Teams] {
        let snapshot = compile(&edition.shipped());
        assert!(snapshot.counts().entities > 0, "{}", edition.name());
        assert_eq!(snapshot.warnings(), [], "{}", edition.name());
    }
}

#[test]
fn a_broken_condition_refuses_the_data_and_is_named() {
    for (condition, change) in BREAKS {
        let mut data = Data::demo();
        change(&mut data);
        let rejection = refusal(&data);
        assert_eq!(rejection.reason(), Kind::Entities, "{condition}");
        let name = format!("`{condition}`");
        let named = rejection.findings().iter().any(|finding| {
            finding
                .help
                .as_ref()
                .is_some_and(|help| help.contains(&name))
        });
        assert!(named, "{condition}: {rejection}");
    }
}

#[test]
fn every_condition_has_data_that_breaks_it() {
    let conditions: toml::Table = text("schema/conditions.toml").parse().unwrap();
    let named = |section: &str| conditions[section].as_array().unwrap().clone();
    let all = named("each").into_iter().chain(named("count"));
    let names: BTreeSet<String> = all
        .map(|rule| rule["name"].as_str().unwrap().to_owned())
        .collect();
    let broken: BTreeSet<String> = BREAKS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(names, broken);
}

#[test]
fn the_alias_of_the_organization_cannot_be_stored() {
    let mut data = Data::demo();
    data.copy("Organization", "globex", "0");
    let rejection = refusal(&data);
    assert_eq!(rejection.reason(), Kind::Entities);
    assert!(
        rejection
            .to_string()
            .contains(r#"`Organization::"0"` is an alias"#),
        "{rejection}"
    );
}

#[test]
fn the_alias_resolves_where_there_is_one_organization() {
    let mut data = Data::demo();
    let both = compile(&data.sources());
    data.0
        .retain(|entity| !entity.to_string().contains("globex"));
    let only = compile(&data.sources());
    for (snapshot, organization, decision) in [
        (&both, "acme", Decision::Allow),
        (&both, "0", Decision::Deny),
        (&only, "acme", Decision::Allow),
        (&only, "0", Decision::Allow),
    ] {
        let answer = may_adam_see(snapshot, organization);
        assert_eq!(answer.decision(), decision, "{organization}: {answer:?}");
        assert_eq!(
            answer.diagnostics.is_empty(),
            decision == Decision::Allow,
            "{answer:?}"
        );
    }
}

fn may_adam_see(snapshot: &Snapshot, organization: &str) -> Answer {
    let entity = |type_name, id| RawEntity {
        type_name,
        id,
        properties: None,
    };
    let query = snapshot.query(&RawQuery {
        principal: entity("Member", "acme/adam"),
        action: RawAction {
            name: "org.page.view",
            properties: None,
        },
        resource: entity("Organization", organization),
        context: None,
    });
    snapshot.decide(&query, OnPolicyError::Deny)
}
