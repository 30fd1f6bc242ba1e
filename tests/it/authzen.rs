//! What the AuthZEN endpoints say beyond the published cases.

use std::time::Duration;

use palisade::{
    api::{self, AuthzenOptions, BatchDefaults},
    authz::{SourceFile, Sources},
};
use serde_json::{Value, json};

use crate::{
    client::JSON,
    harness::{Server, Start, fixture},
};

const ONE: &str = "/access/v1/evaluation";
const MANY: &str = "/access/v1/evaluations";

fn question(subject: &str, action: &str, resource: &str) -> Value {
    json!({
        "subject": {"type": "user", "id": subject},
        "action": {"name": action},
        "resource": {"type": "record", "id": resource},
    })
}

fn with(mut body: Value, key: &str, value: Value) -> Value {
    body[key] = value;
    body
}

fn started(authzen: AuthzenOptions) -> Server {
    Server::start(&Start {
        authzen,
        ..Start::default()
    })
}

#[track_caller]
fn check(server: &Server, path: &str, body: &Value, expected: &str) {
    let reply = server.post(path, body);
    assert_eq!(
        (reply.status, reply.body.as_str()),
        (200, expected),
        "{body}"
    );
}

#[test]
fn answers_are_exact() {
    let server = Server::start(&Start::default());
    let read = question("alice", "read", "record-1");
    check(&server, ONE, &read, r#"{"decision":true}"#);
    let unknown = question("nobody", "no such action", "");
    check(&server, ONE, &unknown, r#"{"decision":false}"#);
    let batch = json!({"evaluations": [read, unknown, 5, {}]});
    check(
        &server,
        MANY,
        &batch,
        concat!(
            r#"{"evaluations":[{"decision":true},{"decision":false},"#,
            r#"{"decision":false,"context":{"error":{"status":400,"message":"#,
            r#""`evaluations[2]` must be an object, not a number"}}},"#,
            r#"{"decision":false,"context":{"error":{"status":400,"message":"#,
            r#""`evaluations[3].subject` is missing"}}}]}"#,
        ),
    );
}

#[test]
fn null_counts_as_absent() {
    let server = Server::start(&Start::default());
    let mut body = question("alice", "read", "record-1");
    for key in ["context", "evaluations", "options"] {
        body = with(body, key, Value::Null);
    }
    body["subject"]["properties"] = Value::Null;
    check(&server, MANY, &body, r#"{"decision":true}"#);
    let defaults = question("alice", "read", "record-1");
    let batch = with(
        defaults,
        "evaluations",
        json!([{"subject": null, "context": null}]),
    );
    check(
        &server,
        MANY,
        &batch,
        r#"{"evaluations":[{"decision":true}]}"#,
    );
}

#[test]
fn an_unused_empty_default_is_legal_and_a_used_one_denies_its_item() {
    let server = Server::start(&Start::default());
    let item = question("alice", "read", "record-1");
    let body = json!({"resource": {}, "evaluations": [item]});
    check(
        &server,
        MANY,
        &body,
        r#"{"evaluations":[{"decision":true}]}"#,
    );
    let item = json!({"subject": item["subject"], "action": item["action"]});
    let body = json!({"resource": {}, "evaluations": [item]});
    let reply = server.post(MANY, &body);
    let error = &reply.json()["evaluations"][0]["context"]["error"];
    assert_eq!(error["message"], "`resource.type` is missing");
}

#[test]
fn a_failure_ends_deny_on_first_deny() {
    let server = Server::start(&Start::default());
    let good = question("alice", "read", "record-1");
    let body = json!({
        "evaluations": [good, {}, good],
        "options": {"evaluations_semantic": "deny_on_first_deny", "more": 1},
    });
    let reply = server.post(MANY, &body).json();
    let evaluations = reply["evaluations"].as_array().unwrap();
    assert_eq!(evaluations.len(), 2);
    assert_eq!(evaluations[1]["context"]["error"]["status"], 400);
}

#[test]
fn identifiers_are_filled_only_on_request_and_properties_never() {
    let defaults = json!({
        "subject": {"type": "user", "id": "alice"},
        "action": {"name": "write"},
        "resource": {"type": "record", "properties": {"status": "archived"}},
    });
    let item = json!({"resource": {"id": "record-1"}});
    let body = with(defaults, "evaluations", json!([item]));
    let strict = Server::start(&Start::default()).post(MANY, &body).json();
    let error = &strict["evaluations"][0]["context"]["error"];
    assert_eq!(
        error["message"],
        "`evaluations[0].resource.type` is missing"
    );
    let filling = started(AuthzenOptions {
        batch_defaults: BatchDefaults::FillIdentifiers,
        ..AuthzenOptions::default()
    });
    // The default's properties say archived, and alice may not write what is.
    check(
        &filling,
        MANY,
        &body,
        r#"{"evaluations":[{"decision":true}]}"#,
    );
}

#[test]
fn reasons_are_told_to_those_who_ask() {
    let plain = Server::start(&Start::default());
    let body = question("alice", "read", "record-1");
    let explained = concat!(
        r#"{"decision":true,"context":{"outcome":"permitted","#,
        r#""policies":["fixture-read"],"diagnostics":[]}}"#
    );
    check(&plain, ONE, &body, r#"{"decision":true}"#);
    let asking = with(
        body.clone(),
        "context",
        json!({"palisade": {"explain": true}}),
    );
    check(&plain, ONE, &asking, explained);
    let not_asking = with(
        body.clone(),
        "context",
        json!({"palisade": {"explain": "yes"}}),
    );
    check(&plain, ONE, &not_asking, r#"{"decision":true}"#);
    let batch = json!({"evaluations": [body, asking]});
    let expected = format!(r#"{{"evaluations":[{{"decision":true}},{explained}]}}"#);
    check(&plain, MANY, &batch, &expected);
    let always = started(AuthzenOptions {
        decision_context: true,
        ..AuthzenOptions::default()
    });
    check(&always, ONE, &body, explained);
    let denied = question("bob", "write", "record-1");
    let context = always.post(ONE, &denied).json()["context"].clone();
    assert_eq!(context["outcome"], "not_permitted");
    assert_eq!(context["policies"], json!([]));
}

#[test]
fn policies_do_not_see_our_own_key() {
    let policy = r#"@id("nosy") permit (principal, action, resource)
        when { context has palisade };
        @id("sees") permit (principal, action, resource) when { context has other };"#;
    let server = Server::start(&Start {
        sources: Sources {
            policies: vec![SourceFile {
                name: "nosy.cedar".to_owned(),
                bytes: policy.as_bytes().to_vec(),
            }],
            ..Sources::default()
        },
        ..Start::default()
    });
    let body = question("alice", "read", "record-1");
    let own = json!({"palisade": {"explain": false}});
    check(
        &server,
        ONE,
        &with(body.clone(), "context", own),
        r#"{"decision":false}"#,
    );
    let other = json!({"palisade": {}, "other": 1});
    check(
        &server,
        ONE,
        &with(body, "context", other),
        r#"{"decision":true}"#,
    );
}

#[test]
fn a_batch_has_the_same_answers_on_either_side_of_every_threshold() {
    let server = Server::start(&Start::default());
    let body = |count: usize, padding: usize| {
        let items: Vec<_> = (0..count)
            .map(|index| json!({"resource": {"type": "record", "id": format!("record-{index}")}}))
            .collect();
        let defaults = question("alice", "read", "x");
        let padded = with(defaults, "padding", "x".repeat(padding).into());
        with(padded, "evaluations", items.into())
    };
    for (count, padding) in [
        (1, 0),
        (64, 0),
        (65, 0),
        (1, 20_000),
        (65, 20_000),
        (5000, 0),
    ] {
        let reply = server.post(MANY, &body(count, padding));
        assert_eq!(reply.status, 200, "{count}: {}", reply.body);
        assert_eq!(
            reply.header("x-palisade-revision"),
            Some(server.revision.as_str())
        );
        let all = vec![json!({"decision": true}); count];
        assert_eq!(
            reply.json(),
            json!({"evaluations": all}),
            "{count} {padding}"
        );
    }
    let reply = server.post(MANY, &body(5001, 0));
    assert_eq!(
        (reply.status, reply.code().as_str()),
        (400, "batch_too_large")
    );
}

#[test]
fn a_request_id_comes_back_on_every_answer() {
    let server = Server::start(&Start::default());
    let id = "  any string, \"quoted\"  ".trim();
    let check = |method, path, headers: &[_], body: &str, status| {
        let mut headers = headers.to_vec();
        headers.push(("X-Request-ID", id));
        let reply = server
            .connect()
            .send(method, path, &headers, body.as_bytes());
        assert_eq!(
            (reply.status, reply.header("x-request-id")),
            (status, Some(id)),
            "{path}"
        );
    };
    let body = question("alice", "read", "record-1").to_string();
    check("POST", ONE, &[JSON], &body, 200);
    check("POST", ONE, &[JSON], "{", 400);
    check("POST", ONE, &[], &body, 400);
    check("GET", ONE, &[], "", 405);
    check("GET", "/nowhere", &[], "", 404);
    check("GET", "/openapi.json", &[], "", 200);
    let none = server.get("/openapi.json");
    assert_eq!(none.header("x-request-id"), None);
}

#[test]
fn the_revision_is_told_where_a_snapshot_decided() {
    let server = Server::start(&Start::default());
    let reply = server.post(ONE, &question("alice", "read", "record-1"));
    assert_eq!(
        reply.header("x-palisade-revision"),
        Some(fixture().revision().as_str())
    );
    let reply = server.get("/.well-known/authzen-configuration");
    assert_eq!(reply.header("x-palisade-revision"), None);
}

#[test]
fn content_types_with_parameters_and_capitals_are_json() {
    let server = Server::start(&Start::default());
    let body = question("alice", "read", "record-1").to_string();
    for kind in [
        "application/json; charset=utf-8",
        "Application/JSON;charset=UTF-8",
    ] {
        let headers = [("Content-Type", kind)];
        let reply = server
            .connect()
            .send("POST", ONE, &headers, body.as_bytes());
        assert_eq!(
            (reply.status, reply.body.as_str()),
            (200, r#"{"decision":true}"#),
            "{kind}"
        );
    }
}

#[test]
fn the_endpoints_are_found_under_the_tenants_path_too() {
    let server = started(AuthzenOptions {
        public_url: Some("https://pdp.example.com/tenant1".parse().unwrap()),
        ..AuthzenOptions::default()
    });
    let body = question("alice", "read", "record-1");
    for path in ["/tenant1/access/v1/evaluation", ONE] {
        check(&server, path, &body, r#"{"decision":true}"#);
    }
    assert_eq!(
        server.post("/tenant2/access/v1/evaluation", &body).status,
        404
    );
}

#[test]
fn what_is_not_worked_through_in_time_is_refused_whole() {
    let server = Server::start(&Start {
        limits: api::Limits {
            budget: Duration::ZERO,
            ..api::Limits::default()
        },
        ..Start::default()
    });
    let read = question("alice", "read", "record-1");
    // One is not cut short; two are not begun, decided at once or on another thread.
    assert_eq!(server.post(ONE, &read).body, r#"{"decision":true}"#);
    for items in [2, 300] {
        let reply = server.post(MANY, &json!({"evaluations": vec![&read; items]}));
        assert_eq!((reply.status, reply.code().as_str()), (503, "overloaded"));
        assert_eq!(reply.header("retry-after"), Some("1"));
    }
}
