//! `POST /access/v1/search/…` beyond the published cases: pages, tokens, budgets.

use std::time::Duration;

use palisade::{api, authz::Sources};
use serde_json::{Value, json};

use crate::harness::{Server, Start, fixture};

const SUBJECT: &str = "/access/v1/search/subject";
const RESOURCE: &str = "/access/v1/search/resource";
const ACTION: &str = "/access/v1/search/action";

fn readers() -> Value {
    json!({
        "subject": { "type": "user" },
        "action": { "name": "read" },
        "resource": { "type": "record", "id": "record-1" },
    })
}

/// The body with another value at the top.
fn with(body: &Value, key: &str, value: &Value) -> Value {
    let mut body = body.clone();
    body[key] = value.clone();
    body
}

fn search(server: &Server, path: &str, body: &Value) -> Value {
    let reply = server.post(path, body);
    assert_eq!(reply.status, 200, "{}", reply.body);
    assert_eq!(reply.header("x-palisade-revision"), Some(&*server.revision));
    reply.json()
}

fn ids(found: &Value) -> Vec<&str> {
    let results = found["results"].as_array().unwrap();
    let id = |it: &'_ Value| it.get("id").or_else(|| it.get("name")).is_some();
    assert!(results.iter().all(id));
    let named = results.iter().map(|it| it.get("id").unwrap_or(&it["name"]));
    named.map(|it| it.as_str().unwrap()).collect()
}

/// The token of the second page of one each.
fn second(server: &Server, path: &str, body: &Value) -> Value {
    let first = search(server, path, &with(body, "page", &json!({ "limit": 1 })));
    let token = first["page"]["next_token"].clone();
    assert_ne!(token, "", "{first}");
    token
}

#[track_caller]
fn refused(server: &Server, path: &str, body: &Value, code: &str) {
    let reply = server.post(path, body);
    assert_eq!((reply.status, reply.code().as_str()), (400, code), "{body}");
}

#[test]
fn what_fits_into_one_answer_has_no_page_unless_one_is_asked_for() {
    let server = Server::start(&Start::default());
    let found = search(&server, SUBJECT, &readers());
    assert_eq!(found.get("page"), None);
    assert_eq!(ids(&found), ["alice", "bob"]);
    let reply = server.post(SUBJECT, &with(&readers(), "page", &json!({})));
    let page = r#"{"page":{"next_token":"","count":2,"total":2},"results":"#;
    assert!(reply.body.starts_with(page), "{}", reply.body);
}

#[test]
fn the_pages_of_a_search_have_each_result_once() {
    let server = Server::start(&Start::default());
    let first = search(
        &server,
        SUBJECT,
        &with(&readers(), "page", &json!({ "limit": 1 })),
    );
    assert_eq!(ids(&first), ["alice"]);
    assert_eq!(first["page"]["count"], 1);
    let token = &first["page"]["next_token"];
    // The limit may be left out or repeated.
    for page in [
        json!({ "token": token }),
        json!({ "token": token, "limit": 1 }),
    ] {
        let second = search(&server, SUBJECT, &with(&readers(), "page", &page));
        assert_eq!(ids(&second), ["bob"]);
        assert_eq!(second["page"], json!({ "next_token": "", "count": 1 }));
    }
}

#[test]
fn a_limit_of_zero_counts() {
    let server = Server::start(&Start::default());
    let found = search(
        &server,
        SUBJECT,
        &with(&readers(), "page", &json!({ "limit": 0 })),
    );
    assert_eq!(found["results"], json!([]));
    assert_eq!(found["page"]["count"], 0);
    assert_eq!(found["page"]["total"], 2);
    assert_ne!(found["page"]["next_token"], "");
    let nobody = with(&readers(), "action", &json!({ "name": "unheard-of" }));
    let found = search(
        &server,
        SUBJECT,
        &with(&nobody, "page", &json!({ "limit": 0 })),
    );
    let page = json!({ "next_token": "", "count": 0, "total": 0 });
    assert_eq!(found["page"], page);
}

#[test]
fn a_limit_is_a_whole_number_however_it_is_written() {
    let server = Server::start(&Start::default());
    let token = second(&server, SUBJECT, &readers());
    let page = |page| with(&readers(), "page", &page);
    for limit in [json!(1.0), json!(1e0), json!(1)] {
        let found = search(&server, SUBJECT, &page(json!({ "limit": limit })));
        assert_eq!(ids(&found), ["alice"], "{limit}");
        let asked = page(json!({ "limit": limit, "token": token }));
        assert_eq!(ids(&search(&server, SUBJECT, &asked)), ["bob"], "{limit}");
    }
    let found = search(&server, SUBJECT, &page(json!({ "limit": 1e300 })));
    assert_eq!(found["page"]["total"], 2);
    for limit in [json!(0.5), json!(-1.0), json!(-1)] {
        refused(
            &server,
            SUBJECT,
            &page(json!({ "limit": limit })),
            "invalid_request",
        );
    }
}

#[test]
fn a_token_is_for_one_query() {
    let server = Server::start(&Start::default());
    let token = second(&server, SUBJECT, &readers());
    let page = json!({ "token": token });
    let asked = with(&readers(), "page", &page);
    // What the search ignores, and how it is written, does not count.
    for (key, value) in [
        ("subject", json!({ "id": "whoever", "type": "user" })),
        (
            "resource",
            json!({ "id": "record-1", "properties": null, "type": "record" }),
        ),
        ("context", json!(null)),
        ("unknown", json!(1)),
        ("page", json!({ "token": token, "limit": 1, "unknown": 1 })),
    ] {
        let found = search(&server, SUBJECT, &with(&asked, key, &value));
        assert_eq!(ids(&found), ["bob"], "{key}");
    }
    for (key, value) in [
        ("subject", json!({ "type": "record" })),
        (
            "subject",
            json!({ "type": "user", "properties": { "role": "admin" } }),
        ),
        ("action", json!({ "name": "write" })),
        (
            "action",
            json!({ "name": "read", "properties": { "soft": true } }),
        ),
        ("resource", json!({ "type": "record", "id": "record-2" })),
        ("context", json!({})),
        ("context", json!({ "time": "now" })),
        ("page", json!({ "token": token, "limit": 2 })),
        ("page", json!({ "token": token, "properties": {} })),
    ] {
        let changed = with(&asked, key, &value);
        refused(&server, SUBJECT, &changed, "invalid_page_token");
    }
    refused(
        &server,
        RESOURCE,
        &with(&asked, "subject", &json!({ "type": "user", "id": "alice" })),
        "invalid_page_token",
    );
    for token in ["", "x", ":", "x:1+1", "🦀:0+all"] {
        let page = json!({ "token": token });
        refused(
            &server,
            SUBJECT,
            &with(&readers(), "page", &page),
            "invalid_page_token",
        );
    }
}

#[test]
fn a_token_ends_with_the_revision_it_was_given_by() {
    let old = Server::start(&Start::default());
    let token = second(&old, SUBJECT, &readers());
    let mut sources = fixture();
    sources.policies[0].bytes.push(b'\n');
    let new = Server::start(&Start {
        sources,
        ..Start::default()
    });
    let asked = with(&readers(), "page", &json!({ "token": token }));
    refused(&new, SUBJECT, &asked, "expired_page_token");
    assert_eq!(ids(&search(&old, SUBJECT, &asked)), ["bob"]);
}

#[test]
fn a_search_over_its_budget_is_a_partial_page_and_goes_on() {
    let one = api::Limits {
        search_evaluations: 1,
        ..api::Limits::default()
    };
    let two = api::Limits {
        search_evaluations: 2,
        ..one
    };
    // Every page gets somewhere, also without any time.
    let no_time = api::Limits {
        search_time: Duration::ZERO,
        ..api::Limits::default()
    };
    for (limits, partial) in [(one, 1), (two, 0), (no_time, 1)] {
        let server = Server::start(&Start {
            limits,
            ..Start::default()
        });
        let mut body = readers();
        let (mut all, mut pages): (Vec<String>, usize) = (Vec::new(), 0);
        loop {
            let found = search(&server, SUBJECT, &body);
            all.extend(ids(&found).into_iter().map(str::to_owned));
            let token = found["page"]["next_token"].as_str().unwrap_or_default();
            if token.is_empty() {
                break;
            }
            assert_eq!(found["page"].get("total"), None);
            body["page"] = json!({ "token": token });
            pages += 1;
        }
        assert_eq!(
            (all.as_slice(), pages),
            (&["alice".to_owned(), "bob".to_owned()][..], partial)
        );
    }
}

#[test]
fn whoever_asks_is_told_what_was_odd() {
    let server = Server::start(&Start::default());
    let context = json!({ "palisade": { "explain": true }, "time": "now" });
    let body = with(&readers(), "context", &context);
    let alice = json!({ "type": "user", "id": "alice" });
    let found = search(&server, ACTION, &with(&body, "subject", &alice));
    assert_eq!(ids(&found), ["read", "write"]);
    assert_eq!(found["context"]["diagnostics"], json!([]));
    let found = search(&server, SUBJECT, &body);
    assert_eq!(ids(&found), ["alice", "bob"]);
    let told = json!(["`context.time` is not declared: left out"]);
    assert_eq!(found["context"]["diagnostics"], told);
}

#[test]
fn many_candidates_are_searched_elsewhere_with_the_same_result() {
    let mut sources: Sources = fixture();
    let more: Vec<Value> = (0..500)
        .map(|n| {
            json!({ "uid": { "type": "record", "id": format!("more-{n:03}") },
            "attrs": { "status": "archived" }, "parents": [] })
        })
        .collect();
    let mut extra = sources.entities[0].clone();
    extra.name = "more.json".to_owned();
    extra.bytes = json!(more).to_string().into_bytes();
    sources.entities.push(extra);
    let server = Server::start(&Start {
        sources,
        ..Start::default()
    });
    let body = json!({
        "subject": { "type": "user", "id": "bob" },
        "action": { "name": "write" },
        "resource": { "type": "record" },
        "page": { "limit": 300 },
    });
    let found = search(&server, RESOURCE, &body);
    assert_eq!(ids(&found)[..2], ["more-000", "more-001"]);
    let page = json!({ "token": found["page"]["next_token"] });
    let rest = search(&server, RESOURCE, &with(&body, "page", &page));
    let all = [ids(&found), ids(&rest)].concat();
    assert_eq!(all.len(), 501);
    assert_eq!(all.last(), Some(&"record-2"));
    let metrics = server.admin("/metrics").body;
    let counted =
        r#"palisade_http_request_duration_seconds_count{code="200",endpoint="search_resource"} 2"#;
    assert!(metrics.contains(counted), "{metrics}");
}
