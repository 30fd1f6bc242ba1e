//! The Cedar-shaped endpoints.

use std::time::Duration;

use palisade::{
    api,
    authz::{SourceFile, Sources},
};
use serde_json::{Value, json};

use crate::harness::{Server, Start};

const ONE: &str = "/v1/is_authorized";
const MANY: &str = "/v1/batch_is_authorized";

fn question(principal: &str, action: &str, resource: &str) -> Value {
    json!({
        "principal": format!("user::\"{principal}\""),
        "action": format!("Action::\"{action}\""),
        "resource": format!("record::\"{resource}\""),
    })
}

fn with(mut body: Value, key: &str, value: Value) -> Value {
    body[key] = value;
    body
}

#[track_caller]
fn check(server: &Server, path: &str, body: &Value, expected: (u16, &str)) {
    let reply = server.post(path, body);
    assert_eq!((reply.status, reply.body.as_str()), expected, "{body}");
}

const READ: &str = r#"{"decision":"Allow","diagnostics":{"reason":["fixture-read"],"errors":[]}}"#;
const DENIED: &str = r#"{"decision":"Deny","diagnostics":{"reason":[],"errors":[]}}"#;

#[test]
fn answers_are_exact() {
    let server = Server::start(&Start::default());
    let read = question("alice", "read", "record-1");
    let write = question("bob", "write", "record-1");
    check(&server, ONE, &read, (200, READ));
    check(&server, ONE, &write, (200, DENIED));
    let null = with(read.clone(), "entities", Value::Null);
    check(&server, ONE, &with(null, "context", json!({})), (200, READ));
    let both = format!(r#"{{"responses":[{READ},{DENIED}]}}"#);
    check(
        &server,
        MANY,
        &json!({"requests": [read, write]}),
        (200, &both),
    );
    check(
        &server,
        MANY,
        &json!({"requests": []}),
        (200, r#"{"responses":[]}"#),
    );
}

#[test]
fn a_uid_may_be_cedars_json() {
    let server = Server::start(&Start::default());
    let read = question("alice", "read", "record-1");
    let read = with(read, "principal", json!({"type": "user", "id": "alice"}));
    check(&server, ONE, &read, (200, READ));
}

#[test]
fn entities_replace_the_stored_ones_and_additional_ones_join_them() {
    let server = Server::start(&Start::default());
    let write = question("bob", "write", "record-9");
    let archived = json!([{
        "uid": {"type": "record", "id": "record-9"},
        "attrs": {"status": "archived"},
        "parents": [],
    }]);
    let allowed = concat!(
        r#"{"decision":"Allow","diagnostics":{"#,
        r#""reason":["fixture-write-archived-admin"],"errors":[]}}"#
    );
    check(&server, ONE, &write, (200, DENIED));
    let joined = with(write.clone(), "additional_entities", archived.clone());
    check(&server, ONE, &joined, (200, allowed));
    // Bob is an administrator only in the store.
    let replaced = with(write.clone(), "entities", archived.clone());
    check(&server, ONE, &replaced, (200, DENIED));
    let batch = json!({"additional_entities": archived, "requests": [write]});
    let expected = format!(r#"{{"responses":[{allowed}]}}"#);
    check(&server, MANY, &batch, (200, &expected));
}

#[test]
fn what_cedar_refuses_is_a_400_and_says_where() {
    let server = Server::start(&Start::default());
    let check = |path, body: &Value, code: &str, place: &str| {
        let reply = server.post(path, body);
        assert_eq!((reply.status, reply.code().as_str()), (400, code), "{body}");
        assert!(reply.body.contains(place), "{} for {body}", reply.body);
    };
    let read = question("alice", "read", "record-1");
    let bad = |key, value| with(read.clone(), key, value);
    check(
        ONE,
        &bad("principal", json!("user::alice")),
        "invalid_request",
        "principal",
    );
    check(
        ONE,
        &bad("principal", json!("ghost::\"alice\"")),
        "invalid_request",
        "ghost",
    );
    check(
        ONE,
        &bad("action", json!("Action::\"fly\"")),
        "invalid_request",
        "fly",
    );
    check(
        ONE,
        &bad("context", json!({"extra": 1})),
        "invalid_request",
        "context",
    );
    check(
        ONE,
        &bad("entities", json!({})),
        "invalid_entities",
        "entities",
    );
    let clash = json!([{"uid": {"type": "user", "id": "bob"}, "attrs": {}, "parents": []}]);
    check(
        ONE,
        &bad("additional_entities", clash),
        "invalid_entities",
        "bob",
    );
    let batch = json!({"requests": [read, bad("action", json!("Action::\"fly\""))]});
    check(MANY, &batch, "invalid_request", "requests[1]");
    let many = json!({"requests": vec![Value::Null; 5001]});
    check(MANY, &many, "batch_too_large", "5001");
}

#[test]
fn a_long_batch_answers_as_a_short_one() {
    let server = Server::start(&Start::default());
    let requests = vec![question("alice", "read", "record-1"); 300];
    let expected = format!(r#"{{"responses":[{}]}}"#, vec![READ; 300].join(","));
    check(
        &server,
        MANY,
        &json!({"requests": requests}),
        (200, &expected),
    );
}

#[test]
fn a_batch_that_is_not_worked_through_in_time_is_refused_whole() {
    let server = Server::start(&Start {
        limits: api::Limits {
            budget: Duration::ZERO,
            ..api::Limits::default()
        },
        ..Start::default()
    });
    for items in [1, 300] {
        let requests = vec![question("alice", "read", "record-1"); items];
        let reply = server.post(MANY, &json!({"requests": requests}));
        assert_eq!((reply.status, reply.code().as_str()), (503, "overloaded"));
        assert_eq!(reply.header("retry-after"), Some("1"));
    }
}

#[test]
fn why_the_policies_were_not_asked_is_in_the_notes() {
    let file = |name: &str, text: &str| SourceFile {
        name: name.to_owned(),
        bytes: text.as_bytes().to_vec(),
    };
    let schema = r#"@held("stored") entity user; entity record;
        action read appliesTo { principal: user, resource: record };"#;
    let server = Server::start(&Start {
        sources: Sources {
            policies: vec![file("p.cedar", "permit (principal, action, resource);")],
            schema: Some(file("s.cedarschema", schema)),
            ..Sources::default()
        },
        ..Start::default()
    });
    let denied = concat!(
        r#"{"decision":"Deny","diagnostics":{"reason":[],"errors":[],"notes":["#,
        r#""`user::\"alice\"` is not stored, and only the store speaks for its type: denied"]}}"#
    );
    let read = question("alice", "read", "record-1");
    check(&server, ONE, &read, (200, denied));
}
