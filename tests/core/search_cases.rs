//! Searches one by one: who is a candidate, and what is told of those that fail.

use palisade::authz::{
    Json, OnPolicyError, RawAction, RawEntity, RawSearch, RawTarget, Snapshot, Wanted,
};
use serde_json::{Value, json};

use crate::searches::{ALL, EVERY, plain, snapshot};

fn ids(snapshot: &Snapshot, raw: &RawSearch<'_>) -> Vec<String> {
    let search = snapshot.search(raw);
    let ids_by = |narrowing| {
        let wanted = Wanted { narrowing, ..ALL };
        search.page(&wanted, OnPolicyError::Deny, || true).ids
    };
    let [plain, scopes, residuals] = EVERY.map(ids_by);
    assert_eq!(plain, scopes);
    assert_eq!(plain, residuals);
    plain
}

const READ: RawAction<'static> = RawAction {
    name: "read",
    properties: None,
};

#[test]
fn entities_that_came_along_are_candidates_too() {
    let schema = "entity User { draft?: Doc }; entity Doc { owner: User, also?: Doc };
        action read appliesTo { principal: [User], resource: [Doc] };";
    let policy = "permit (principal, action, resource) when { resource.owner == principal };";
    let stored = |id: &str, owner: &str| {
        json!({ "uid": { "type": "Doc", "id": id },
            "attrs": { "owner": { "type": "User", "id": owner } }, "parents": [] })
    };
    let entities = json!([stored("a", "ann"), stored("m", "bob"), stored("x", "ann")]);
    let snapshot = snapshot(policy, Some(schema), &entities);
    let draft = br#"{"draft":{"id":"f","properties":{"owner":"ann","also":{"id":"m","properties":
        {"owner":"ann","also":{"id":"z","properties":{"owner":"bob"}}}}}}}"#;
    let properties = Json::parse(draft, 64).unwrap();
    let target = RawTarget {
        type_name: "Doc",
        properties: None,
    };
    let raw = RawSearch::Resource {
        principal: RawEntity {
            properties: properties.as_object(),
            ..plain("User", "ann")
        },
        action: READ,
        target,
        context: None,
    };
    assert_eq!(snapshot.search(&raw).candidates(), 5);
    assert_eq!(ids(&snapshot, &raw), ["a", "f", "m", "x"]);
    let nameless = br#"{"draft":{"id":"","properties":{"owner":"ann"}}}"#;
    let properties = Json::parse(nameless, 64).unwrap();
    let raw = RawSearch::Resource {
        principal: RawEntity {
            properties: properties.as_object(),
            ..plain("User", "ann")
        },
        action: READ,
        target,
        context: None,
    };
    assert_eq!(ids(&snapshot, &raw), ["", "a", "x"]);
    // Those on the target are of each candidate.
    let owner = Json::parse(br#"{"owner":{"id":"ann"}}"#, 64).unwrap();
    let raw = RawSearch::Resource {
        principal: plain("User", "ann"),
        action: READ,
        target: RawTarget {
            properties: owner.as_object(),
            ..target
        },
        context: None,
    };
    assert_eq!(ids(&snapshot, &raw), ["a", "m", "x"]);
}

#[test]
fn without_a_schema_the_actions_are_those_that_policies_name() {
    let policies = "permit (principal == U::\"ann\", action == Action::\"b\", resource);
        permit (principal, action in [Action::\"c\", Action::\"a\"], resource);
        forbid (principal, action == Action::\"c\", resource);
        permit (principal, action == N::Action::\"d\", resource);";
    let snapshot = snapshot(policies, None, &json!([]));
    let may = |id| {
        let raw = RawSearch::Action {
            principal: plain("U", id),
            resource: plain("U", "x"),
            context: None,
        };
        ids(&snapshot, &raw)
    };
    assert_eq!(may("ann"), ["a", "b"]);
    assert_eq!(may("bob"), ["a"]);
}

#[test]
fn a_policy_that_errs_is_told_once_and_permits_nobody() {
    let policies = "permit (principal, action, resource);
        forbid (principal, action, resource) when { resource.secret };";
    let entity = |id: usize| {
        json!({ "uid": { "type": "D", "id": format!("d{id}") },
        "attrs": if id == 1 { json!({ "secret": false }) } else { json!({}) }, "parents": [] })
    };
    let entities: Vec<Value> = (0..5).map(entity).collect();
    let snapshot = snapshot(policies, None, &json!(entities));
    let raw = RawSearch::Resource {
        principal: plain("U", "ann"),
        action: READ,
        target: RawTarget {
            type_name: "D",
            properties: None,
        },
        context: None,
    };
    assert_eq!(ids(&snapshot, &raw), ["d1"]);
    let found = snapshot
        .search(&raw)
        .page(&ALL, OnPolicyError::Deny, || true);
    let erring: Vec<_> = found.errors.iter().map(|error| &*error.policy).collect();
    assert_eq!(erring, ["policy1"]);
    let found = snapshot
        .search(&raw)
        .page(&ALL, OnPolicyError::Cedar, || true);
    assert_eq!(found.ids.len(), 5);
}

#[test]
fn types_that_nothing_is_stored_of_find_nothing() {
    let snapshot = snapshot("permit (principal, action, resource);", None, &json!([]));
    for type_name in ["Nothing", "not a name", ""] {
        let raw = RawSearch::Resource {
            principal: plain("U", "ann"),
            action: READ,
            target: RawTarget {
                type_name,
                properties: None,
            },
            context: None,
        };
        assert_eq!(ids(&snapshot, &raw), [""; 0], "{type_name}");
    }
}

#[test]
fn every_id_of_an_enumerated_type_is_a_candidate() {
    let schema = "entity User; entity Color enum [\"red\", \"blue\", \"green\"];
        action read appliesTo { principal: [User, Color], resource: [Color] };";
    let policy = "permit (principal, action, resource) unless { resource == Color::\"red\" };";
    let snapshot = snapshot(policy, Some(schema), &json!([]));
    let raw = RawSearch::Resource {
        principal: plain("User", "ann"),
        action: READ,
        target: RawTarget {
            type_name: "Color",
            properties: None,
        },
        context: None,
    };
    assert_eq!(ids(&snapshot, &raw), ["blue", "green"]);
}

#[test]
fn stored_actions_are_candidates_where_no_schema_declares_any() {
    let action = |id: &str, parents: Value| json!({ "uid": { "type": "Action", "id": id }, "attrs": {}, "parents": parents });
    let group = json!([{ "type": "Action", "id": "all" }]);
    let entities = json!([
        action("x", group),
        action("y", json!([])),
        action("all", json!([]))
    ]);
    let policy = "permit (principal, action in Action::\"all\", resource);";
    let raw = RawSearch::Action {
        principal: plain("U", "ann"),
        resource: plain("U", "ann"),
        context: None,
    };
    assert_eq!(ids(&snapshot(policy, None, &entities), &raw), ["all", "x"]);
}

#[test]
fn what_is_too_much_beside_one_candidate_may_be_fine_beside_another() {
    let schema = "entity User; entity Doc { level?: Long, rel?: Set<Doc> };
        action read appliesTo { principal: [User], resource: [Doc], context: { d?: Doc } };";
    let policy = "permit (principal, action, resource) when { resource has level };";
    let doc = |id: &str| json!({ "uid": { "type": "Doc", "id": id }, "attrs": {}, "parents": [] });
    let snapshot = snapshot(policy, Some(schema), &json!([doc("a"), doc("b")]));
    let many: Vec<Value> = (0..1_000)
        .map(|n| json!({ "id": format!("n{n}"), "properties": {} }))
        .collect();
    let context = json!({ "d": { "id": "a", "properties": { "rel": many } } }).to_string();
    let context = Json::parse(context.as_bytes(), 64).unwrap();
    let level = Json::parse(br#"{"level":1}"#, 64).unwrap();
    let raw = RawSearch::Resource {
        principal: plain("User", "ann"),
        action: READ,
        target: RawTarget {
            type_name: "Doc",
            properties: level.as_object(),
        },
        context: context.as_object(),
    };
    // The properties of the target come first: beside `a`, those of the context are not read.
    assert_eq!(ids(&snapshot, &raw), ["a"]);
}
