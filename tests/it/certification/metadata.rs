//! `GET /.well-known/authzen-configuration`.

use palisade::api::AuthzenOptions;
use serde_json::{Value, json};

use super::{WELL_KNOWN, send, server};
use crate::{
    client::JSON,
    harness::{Server, Start},
};

#[test]
fn metadata_is_read_with_get_alone() {
    let server = server();
    for method in ["POST", "PUT", "DELETE"] {
        let reply = send(&server, method, WELL_KNOWN, JSON.1, "{}");
        assert_eq!(
            (reply.status, reply.header("allow")),
            (405, Some("GET, HEAD")),
            "{method}"
        );
    }
    let reply = server.get(WELL_KNOWN);
    assert_eq!(reply.status, 200);
    assert_eq!(reply.header("content-type"), Some("application/json"));
}

#[test]
fn metadata_has_https_urls_below_its_identifier_and_no_empty_values() {
    for identifier in ["https://pdp.example.com", "https://pdp.example.com/tenant1"] {
        let server = Server::start(&Start {
            authzen: AuthzenOptions {
                public_url: Some(identifier.parse().unwrap()),
                ..AuthzenOptions::default()
            },
            ..Start::default()
        });
        let tenant = identifier.strip_prefix("https://pdp.example.com").unwrap();
        let json = server.get(&format!("{WELL_KNOWN}{tenant}")).json();
        assert_eq!(json["policy_decision_point"], identifier);
        let mut endpoints = 0;
        for (key, value) in json.as_object().unwrap() {
            match value {
                Value::String(url) if key.ends_with("_endpoint") => {
                    let path = url.strip_prefix(identifier).unwrap();
                    assert!(path.starts_with("/access/v1/"), "{key}: {url}");
                    let reply = server.post(&format!("{tenant}{path}"), &json!({}));
                    assert_eq!(reply.status, 400, "{url} is served");
                    endpoints += 1;
                }
                Value::String(text) => assert_ne!(text, "", "{key}"),
                Value::Array(items) => assert_ne!(items.len(), 0, "{key}"),
                Value::Bool(_) | Value::Null | Value::Number(_) | Value::Object(_) => {
                    panic!("{key}: {value}")
                }
            }
        }
        assert!(endpoints >= 2, "{json}");
    }
}
