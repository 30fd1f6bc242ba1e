//! What the certification scenario and the standard say in prose, one test for each rule. Search
//! has its own; credentials and TLS belong to whoever asks for them.
//!
//! | rule | held by |
//! |---|---|
//! | POST only; GET and PUT are 405 with `Allow` | `other_methods_are_405_and_say_which_is_allowed` |
//! | `application/json`, also with parameters; all else is 400 | `another_content_type_is_a_400`, `json_with_parameters_is_json` |
//! | malformed, empty, not an object: 400 | `a_body_that_is_no_object_is_a_400` |
//! | a required attribute missing or of the wrong JSON type: 400 | `what_is_required_must_be_there_and_of_its_type` |
//! | I-JSON: no duplicate names, no lone surrogates, bounded | `what_two_parsers_could_read_differently_is_a_400` |
//! | unknown fields are ignored | `unknown_fields_change_nothing` |
//! | unknown properties and any context are accepted | `undeclared_properties_and_any_context_are_accepted` |
//! | empty strings are strings | `empty_identifiers_are_decided_like_any_other` |
//! | success is 200 and JSON, a deny too; reasons are opt-in | `answers::a_decision_is_a_200_with_a_boolean_and_no_more` |
//! | an error is a JSON object | `answers::an_error_is_an_object_with_a_code_and_a_message` |
//! | `X-Request-ID` comes back, on errors too | `answers::the_request_id_comes_back_with_every_status` |
//! | three equal requests, three equal bodies | `answers::the_same_question_has_the_same_body_three_times` |
//! | no list or an empty one is the single question | `batch::without_items_a_batch_is_the_single_question` |
//! | order is kept, `execute_all` answers all | `batch::answers_come_in_the_order_of_the_questions` |
//! | a short circuit ends the list at its trigger | `batch::a_short_circuit_ends_the_list_at_its_trigger` |
//! | options: unknown keys are ignored, an unknown semantic is 400 | `batch::unknown_options_are_ignored_but_a_semantic_must_be_known` |
//! | a bad item is a denied item, a bad default a 400 | `batch::a_bad_item_is_denied_and_a_bad_default_refuses_all` |
//! | a part of an item replaces the default whole | `batch::a_part_of_an_item_replaces_the_default_whole` |
//! | metadata: GET, JSON, https, identifier, no empty values | `metadata::metadata_is_read_with_get_alone`, `metadata::metadata_has_https_urls_below_its_identifier_and_no_empty_values` |
//! | metadata: where it stands | `crate::metadata::metadata_of_a_tenant_stands_at_its_path_and_nowhere_else` |

use serde_json::{Value, json};

use crate::{
    client::{JSON, Reply},
    harness::{Server, Start},
};

mod answers;
mod batch;
mod metadata;

use batch::decisions;

const ONE: &str = "/access/v1/evaluation";
const MANY: &str = "/access/v1/evaluations";
const WELL_KNOWN: &str = "/.well-known/authzen-configuration";

fn server() -> Server {
    Server::start(&Start::default())
}

/// What the fixture permits.
fn permitted() -> Value {
    json!({
        "subject": {"type": "user", "id": "alice"},
        "action": {"name": "read"},
        "resource": {"type": "record", "id": "record-1"},
    })
}

/// What it does not.
fn denied() -> Value {
    with(permitted(), "/subject/id", json!("nobody"))
}

/// The body with the value at a JSON pointer, which may be new in its object.
fn with(mut body: Value, pointer: &str, value: Value) -> Value {
    let (object, key) = pointer.rsplit_once('/').unwrap();
    body.pointer_mut(object).unwrap()[key] = value;
    body
}

fn without(mut body: Value, pointer: &str) -> Value {
    let (object, key) = pointer.rsplit_once('/').unwrap();
    let object = body.pointer_mut(object).unwrap();
    object.as_object_mut().unwrap().remove(key);
    body
}

fn send(server: &Server, method: &str, path: &str, kind: &str, body: &str) -> Reply {
    let headers = [("Content-Type", kind)];
    server
        .connect()
        .send(method, path, &headers, body.as_bytes())
}

#[test]
fn other_methods_are_405_and_say_which_is_allowed() {
    let server = server();
    for path in [ONE, MANY] {
        for method in ["GET", "PUT", "DELETE", "PATCH"] {
            let reply = send(&server, method, path, JSON.1, &permitted().to_string());
            assert_eq!(reply.status, 405, "{method} {path}");
            assert_eq!(reply.header("allow"), Some("POST"), "{method} {path}");
        }
    }
}

#[test]
fn another_content_type_is_a_400() {
    let server = server();
    let body = permitted().to_string();
    for path in [ONE, MANY] {
        for kind in [
            "text/plain",
            "application/xml",
            "application/json-patch+json",
            "",
        ] {
            let reply = send(&server, "POST", path, kind, &body);
            assert_eq!(
                (reply.status, reply.code().as_str()),
                (400, "invalid_content_type"),
                "{kind}"
            );
        }
        let reply = server.connect().send("POST", path, &[], body.as_bytes());
        assert_eq!(reply.status, 400, "none at all");
    }
}

#[test]
fn json_with_parameters_is_json() {
    let server = server();
    for path in [ONE, MANY] {
        let kind = "application/json; charset=utf-8";
        let reply = send(&server, "POST", path, kind, &permitted().to_string());
        assert_eq!(reply.body, r#"{"decision":true}"#, "{path}");
    }
}

#[test]
fn a_body_that_is_no_object_is_a_400() {
    let server = server();
    for path in [ONE, MANY] {
        for body in [
            "",
            " ",
            "{",
            "{\"subject\":",
            "nonsense",
            "[]",
            "[{}]",
            "null",
            "1",
            "\"a\"",
        ] {
            let reply = send(&server, "POST", path, JSON.1, body);
            assert_eq!(reply.status, 400, "{path} {body}");
            assert!(
                reply.json()["error"]["message"].is_string(),
                "{path} {body}"
            );
        }
    }
}

#[test]
fn what_is_required_must_be_there_and_of_its_type() {
    let server = server();
    let parts = ["/subject", "/action", "/resource"];
    let names = [
        "/subject/type",
        "/subject/id",
        "/action/name",
        "/resource/type",
        "/resource/id",
    ];
    for pointer in parts.into_iter().chain(names) {
        let absent = without(permitted(), pointer);
        let wrong = [json!(1), json!(null), json!([]), json!(true)];
        let wrong = wrong.map(|value| with(permitted(), pointer, value));
        for body in wrong.iter().chain([&absent]) {
            for path in [ONE, MANY] {
                assert_eq!(server.post(path, body).status, 400, "{path} {body}");
            }
        }
    }
    for pointer in [
        "/context",
        "/subject/properties",
        "/action/properties",
        "/resource/properties",
    ] {
        for value in [json!("now"), json!([])] {
            let body = with(permitted(), pointer, value);
            assert_eq!(server.post(ONE, &body).status, 400, "{body}");
        }
        let body = with(permitted(), pointer, Value::Null);
        assert_eq!(
            server.post(ONE, &body).status,
            200,
            "null is absent: {body}"
        );
    }
}

#[test]
fn what_two_parsers_could_read_differently_is_a_400() {
    let server = server();
    let good = permitted().to_string();
    let twice = good.replacen('{', r#"{"subject":{"type":"user","id":"bob"},"#, 1);
    let surrogate = good.replace("alice", r"\ud800");
    let deep = good.replacen(
        '{',
        &format!(r#"{{"x":{}{},"#, "[".repeat(65), "]".repeat(65)),
        1,
    );
    for path in [ONE, MANY] {
        for body in [&twice, &surrogate, &deep] {
            let reply = send(&server, "POST", path, JSON.1, body);
            assert_eq!(
                (reply.status, reply.code().as_str()),
                (400, "invalid_json"),
                "{body}"
            );
        }
    }
}

#[test]
fn unknown_fields_change_nothing() {
    let server = server();
    for (question, decision) in [(permitted(), true), (denied(), false)] {
        let mut body = question;
        for pointer in ["/x", "/subject/x", "/action/x", "/resource/x"] {
            body = with(body, pointer, json!({"y": [1, null]}));
        }
        for path in [ONE, MANY] {
            assert_eq!(
                server.post(path, &body).json(),
                json!({"decision": decision}),
                "{path}"
            );
        }
        let batch = json!({"evaluations": [body], "x": 1});
        assert_eq!(decisions(&server.post(MANY, &batch)), [decision]);
    }
}

#[test]
fn undeclared_properties_and_any_context_are_accepted() {
    let server = server();
    let properties =
        json!({"department": "Sales", "role": "manager", "n": 1.5, "o": {"a": [null, {}]}});
    for (question, decision) in [(permitted(), true), (denied(), false)] {
        let mut body = question;
        for pointer in [
            "/subject/properties",
            "/action/properties",
            "/resource/properties",
        ] {
            body = with(body, pointer, properties.clone());
        }
        // The standard's own example of a time, which is none by RFC 3339.
        let context =
            json!({"time": "1985-10-26T01:22-07:00", "ip": "10.0.0.1", "more": properties});
        let body = with(body, "/context", context);
        assert_eq!(
            server.post(ONE, &body).json(),
            json!({"decision": decision})
        );
    }
}

#[test]
fn empty_identifiers_are_decided_like_any_other() {
    let server = server();
    for pointer in [
        "/subject/type",
        "/subject/id",
        "/action/name",
        "/resource/type",
    ] {
        let body = with(permitted(), pointer, json!(""));
        let reply = server.post(ONE, &body);
        assert_eq!(
            (reply.status, reply.body.as_str()),
            (200, r#"{"decision":false}"#),
            "{pointer}"
        );
    }
}
