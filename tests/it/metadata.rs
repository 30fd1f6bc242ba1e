//! `GET /.well-known/authzen-configuration`.

use palisade::api::AuthzenOptions;
use serde_json::json;

use crate::{
    client::Reply,
    harness::{Server, Start},
};

const WELL_KNOWN: &str = "/.well-known/authzen-configuration";

fn metadata(public_url: Option<&str>, path: &str) -> Reply {
    let server = Server::start(&Start {
        authzen: AuthzenOptions {
            public_url: public_url.map(|url| url.parse().unwrap()),
            ..AuthzenOptions::default()
        },
        ..Start::default()
    });
    server.get(path)
}

#[test]
fn metadata_says_where_the_endpoints_are() {
    let reply = metadata(Some("https://pdp.example.com"), WELL_KNOWN);
    assert_eq!(reply.status, 200);
    assert_eq!(reply.header("cache-control"), Some("public, max-age=3600"));
    assert_eq!(
        reply.json(),
        json!({
            "policy_decision_point": "https://pdp.example.com",
            "access_evaluation_endpoint": "https://pdp.example.com/access/v1/evaluation",
            "access_evaluations_endpoint": "https://pdp.example.com/access/v1/evaluations",
            "search_action_endpoint": "https://pdp.example.com/access/v1/search/action",
            "search_resource_endpoint": "https://pdp.example.com/access/v1/search/resource",
            "search_subject_endpoint": "https://pdp.example.com/access/v1/search/subject",
        })
    );
}

#[test]
fn metadata_of_a_tenant_stands_at_its_path_and_nowhere_else() {
    let url = Some("https://pdp.example.com/tenant1");
    let path = format!("{WELL_KNOWN}/tenant1");
    let json = metadata(url, &path).json();
    assert_eq!(
        json["policy_decision_point"],
        "https://pdp.example.com/tenant1"
    );
    let endpoint = "https://pdp.example.com/tenant1/access/v1/evaluation";
    assert_eq!(json["access_evaluation_endpoint"], endpoint);
    assert_eq!(metadata(url, WELL_KNOWN).status, 404);
    assert_eq!(metadata(None, &path).status, 404);
}

#[test]
fn metadata_without_a_public_url_names_the_callers_host() {
    let reply = metadata(None, WELL_KNOWN);
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    assert_eq!(reply.json()["policy_decision_point"], "http://pdp.test");
}
