//! Searches and their page tokens: whatever is found, the reference allows.

use serde_json::{Map, Value, json};

use crate::{reference::may, runs::fuzz, served::Server};

/// The endpoint, and the part of a question that each of its results is.
const SEARCHES: [(&str, &str); 3] = [
    ("/access/v1/search/subject", "subject"),
    ("/access/v1/search/resource", "resource"),
    ("/access/v1/search/action", "action"),
];

/// Holds each result against the reference; the token of the next page.
fn search(server: &Server, path: &str, part: &str, body: &[u8]) -> Option<String> {
    let reply = server.post(path, body);
    assert!([200, 400].contains(&reply.status), "{reply:?}");
    if reply.status != 200 {
        return None;
    }
    let question: Map<String, Value> = serde_json::from_slice(body).unwrap();
    let told = reply.json();
    for found in told["results"].as_array().unwrap() {
        let mut whole = question.clone();
        let mut found = found.as_object().unwrap().clone();
        // What is said of the one that is sought is said of whoever is found.
        if let Some(said) = question.get(part).and_then(|it| it.get("properties")) {
            found.insert("properties".to_owned(), said.clone());
        }
        whole.insert(part.to_owned(), Value::Object(found));
        assert!(may(&whole), "{whole:?} in {reply:?}");
    }
    told["page"]["next_token"].as_str().map(str::to_owned)
}

#[test]
fn a_search_finds_what_the_reference_allows() {
    let server = Server::start(None);
    fuzz("search", |body| {
        for (path, part) in SEARCHES {
            search(&server, path, part, body);
        }
    });
    server.answers();
}

#[test]
fn a_page_token_only_moves_a_search() {
    let server = Server::start(None);
    let body = |token: &str| {
        json!({
            "subject": {"type": "U", "properties": {"level": 4}},
            "action": {"name": "edit"},
            "resource": {"type": "D", "id": "d"},
            "context": {"ok": true},
            "page": {"limit": 1, "token": token},
        })
        .to_string()
    };
    let (path, part) = SEARCHES[0];
    let first = search(
        &server,
        path,
        part,
        body("").replace(r#","token":"""#, "").as_bytes(),
    );
    let own = first.filter(|it| !it.is_empty()).expect("a second page");
    // The first of the corpus stands for a token that the service has made.
    fuzz("page_token", |token| {
        let token = String::from_utf8_lossy(token).replace("OWN", &own);
        search(&server, path, part, body(&token).as_bytes());
    });
    server.answers();
}
