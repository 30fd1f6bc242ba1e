//! What an answer looks like, and that it stays the same.

use palisade::api::{self, AuthzenOptions};
use serde_json::json;

use super::{MANY, ONE, WELL_KNOWN, denied, permitted, send, server};
use crate::{
    client::JSON,
    harness::{Server, Start},
};

#[test]
fn a_decision_is_a_200_with_a_boolean_and_no_more() {
    let server = server();
    for (body, expected) in [
        (permitted(), r#"{"decision":true}"#),
        (denied(), r#"{"decision":false}"#),
    ] {
        let reply = server.post(ONE, &body);
        assert_eq!((reply.status, reply.body.as_str()), (200, expected));
        assert_eq!(reply.header("content-type"), Some("application/json"));
    }
    let batch = json!({"evaluations": [permitted(), denied()]});
    let reply = server.post(MANY, &batch);
    let expected = r#"{"evaluations":[{"decision":true},{"decision":false}]}"#;
    assert_eq!((reply.status, reply.body.as_str()), (200, expected));
    assert_eq!(reply.header("content-type"), Some("application/json"));
}

#[test]
fn an_error_is_an_object_with_a_code_and_a_message() {
    let server = server();
    let replies = [
        server.post(ONE, &json!({})),
        server.post(MANY, &json!({"evaluations": 1})),
        send(&server, "POST", ONE, "text/plain", "{}"),
        send(&server, "PUT", ONE, JSON.1, "{}"),
        server.get("/access/v1/nothing"),
    ];
    for reply in replies {
        assert!(reply.status >= 400);
        let json = reply.json();
        assert_eq!(json.as_object().unwrap().len(), 1, "{json}");
        assert!(json["error"]["code"].is_string(), "{json}");
        assert!(json["error"]["message"].is_string(), "{json}");
    }
}

#[test]
fn the_request_id_comes_back_with_every_status() {
    let server = Server::start(&Start {
        limits: api::Limits {
            body_bytes: 1000,
            ..api::Limits::default()
        },
        ..Start::default()
    });
    let good = permitted().to_string();
    let large = " ".repeat(1001);
    for (method, path, kind, body, status) in [
        ("POST", ONE, JSON.1, good.as_str(), 200),
        ("POST", MANY, JSON.1, &good, 200),
        ("GET", WELL_KNOWN, JSON.1, "", 200),
        ("POST", ONE, JSON.1, "", 400),
        ("POST", MANY, JSON.1, "{", 400),
        ("POST", MANY, "text/plain", &good, 400),
        ("POST", "/access/v1/nothing", JSON.1, &good, 404),
        ("PUT", ONE, JSON.1, &good, 405),
        ("POST", ONE, JSON.1, &large, 413),
    ] {
        for id in [
            "bfe9eb29-ab87-4ca3-be83-a1d5d8305716",
            "not a UUID; {at} all",
        ] {
            let headers = [("Content-Type", kind), ("X-Request-ID", id)];
            let reply = server
                .connect()
                .send(method, path, &headers, body.as_bytes());
            assert_eq!(reply.status, status, "{method} {path}");
            assert_eq!(reply.header("x-request-id"), Some(id), "{method} {path}");
        }
    }
}

#[test]
fn the_same_question_has_the_same_body_three_times() {
    for decision_context in [false, true] {
        let server = Server::start(&Start {
            authzen: AuthzenOptions {
                decision_context,
                ..AuthzenOptions::default()
            },
            ..Start::default()
        });
        let batch = json!({"evaluations": [permitted(), denied(), 5, {}]});
        for (path, body) in [(ONE, permitted()), (ONE, denied()), (MANY, batch)] {
            let first = server.post(path, &body).body;
            for _ in 0..2 {
                assert_eq!(server.post(path, &body).body, first, "{path}");
            }
        }
    }
}
