//! Searches over the example organization find what single questions permit: every member, action
//! and entity of it, in every edition, however the search is narrowed.

use std::collections::BTreeMap;

use palisade::authz::{
    Decision, Json, Narrowing, Object, OnPolicyError, RawAction, RawEntity, RawSearch, RawTarget,
    Snapshot, Wanted,
};
use serde_json::Value;

use crate::editions::{Edition, compile, text};

fn found(snapshot: &Snapshot, raw: &RawSearch<'_>, narrowing: Narrowing) -> Vec<String> {
    let wanted = Wanted {
        from: 0,
        limit: None,
        evaluations: usize::MAX,
        narrowing,
    };
    let search = snapshot.search(raw);
    search.page(&wanted, OnPolicyError::Deny, || true).ids
}

/// How many are found; all the ways to search agree with single questions.
fn check(snapshot: &Snapshot, raw: &RawSearch<'_>, candidates: &[String]) -> usize {
    let is_permitted = |id: &&String| {
        let answer = snapshot.decide(&snapshot.query(&raw.question(id)), OnPolicyError::Deny);
        answer.decision() == Decision::Allow
    };
    let expected: Vec<String> = candidates.iter().filter(is_permitted).cloned().collect();
    for narrowing in [Narrowing::Nothing, Narrowing::Scopes, Narrowing::Residuals] {
        let found = found(snapshot, raw, narrowing);
        assert_eq!(found, expected, "{narrowing:?} {raw:?}");
    }
    expected.len()
}

/// The ids of the example organization by type, sorted.
fn ids() -> BTreeMap<String, Vec<String>> {
    let entities: Vec<Value> = serde_json::from_str(&text("deploy/demo/entities.json")).unwrap();
    let mut by_type: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for entity in &entities {
        let part = |key: &str| entity["uid"][key].as_str().unwrap().to_owned();
        by_type.entry(part("type")).or_default().push(part("id"));
    }
    by_type.values_mut().for_each(|ids| ids.sort());
    by_type
}

fn entity<'a>(type_name: &'a str, id: &'a str) -> RawEntity<'a> {
    RawEntity {
        type_name,
        id,
        properties: None,
    }
}

fn every_search(snapshot: &Snapshot, context: Option<&Object<'_>>) -> usize {
    let ids = ids();
    let actions = snapshot.action_labels();
    let members = &ids["Member"];
    let mut count = 0;
    for (type_name, resources) in &ids {
        let target = |type_name| RawTarget {
            type_name,
            properties: None,
        };
        for name in actions {
            let action = RawAction {
                name,
                properties: None,
            };
            for member in members {
                let raw = RawSearch::Resource {
                    principal: entity("Member", member),
                    action,
                    target: target(type_name),
                    context,
                };
                count += check(snapshot, &raw, resources);
            }
            for resource in resources {
                let raw = RawSearch::Principal {
                    target: target("Member"),
                    action,
                    resource: entity(type_name, resource),
                    context,
                };
                check(snapshot, &raw, members);
            }
        }
        for (member, resource) in members
            .iter()
            .flat_map(|it| resources.iter().map(move |re| (it, re)))
        {
            let raw = RawSearch::Action {
                principal: entity("Member", member),
                resource: entity(type_name, resource),
                context,
            };
            check(snapshot, &raw, actions);
        }
    }
    count
}

#[test]
fn a_search_finds_what_single_questions_permit() {
    for edition in Edition::ALL {
        let snapshot = compile(&edition.shipped());
        let plain = every_search(&snapshot, None);
        assert!(plain > 300, "{}: only {plain} found", edition.name());
    }
}

#[test]
fn the_context_counts_in_a_search() {
    let snapshot = compile(&Edition::Enterprise.shipped());
    let context = Json::parse(br#"{"new_role":"reviewer"}"#, 64).unwrap();
    let plain = every_search(&snapshot, None);
    let with_context = every_search(&snapshot, context.as_object());
    assert!(with_context > plain, "{with_context} with, {plain} without");
}
