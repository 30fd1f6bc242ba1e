//! The published AuthZEN cases: the certification scenario and the conformance suite.

use palisade::api::{AuthzenOptions, BatchDefaults};
use serde_json::{Value, json};

use crate::{
    client::Reply,
    harness::{Server, Start, read_fixture},
};

/// The case that needs the suite's reading of defaults; the standard says otherwise.
const MERGING: &str = "authzen-pdp-evaluations-batch-with-default-value-merging";

fn cases(file: &str) -> Vec<Value> {
    let all: Value = serde_json::from_str(&read_fixture(file)).unwrap();
    all["cases"].as_array().unwrap().clone()
}

#[track_caller]
fn check(name: &str, reply: &Reply, case: &Value) {
    let expected = &case["expected"];
    let json = reply.json();
    assert!(json.is_object(), "{name}: {json}");
    if let Some(decision) = expected.get("decision") {
        assert_eq!(&json["decision"], decision, "{name}: {json}");
        assert_eq!(json.get("evaluations"), None, "{name}: {json}");
    }
    if let Some(count) = expected.get("evaluations_count") {
        let got = json["evaluations"].as_array().map(Vec::len);
        assert_eq!(got, count.as_u64().map(|it| it as usize), "{name}: {json}");
    }
    if let Some(evaluations) = expected.get("evaluations") {
        let decisions = |list: &Value| -> Vec<Value> {
            let items = list.as_array().unwrap().iter();
            items.map(|item| item["decision"].clone()).collect()
        };
        let got = decisions(&json["evaluations"]);
        assert_eq!(got, decisions(evaluations), "{name}: {json}");
        assert_eq!(json.get("decision"), None, "{name}: {json}");
    }
    if let Some(results) = expected.get("results") {
        check_results(name, case, &json, results);
    }
    if expected.get("results_array").is_some() {
        assert!(json["results"].is_array(), "{name}: {json}");
    }
    if expected.get("page_required").is_some() || json.get("page").is_some() {
        assert!(json["page"]["next_token"].is_string(), "{name}: {json}");
    }
    if reply.status == 400 {
        assert!(json["error"]["code"].is_string(), "{name}: {json}");
        assert!(json["error"]["message"].is_string(), "{name}: {json}");
    }
}

/// Every expected result is there, and whatever is there is of the kind that is sought.
#[track_caller]
fn check_results(name: &str, case: &Value, json: &Value, expected: &Value) {
    let results = json["results"].as_array().unwrap();
    let expected = expected.as_array().unwrap();
    let paged = case["request"].get("page").is_some();
    let missing = expected.iter().find(|it| !results.contains(it));
    // One page of several is followed to the end elsewhere.
    assert!(
        paged || missing.is_none(),
        "{name}: {missing:?} not in {json}"
    );
    if case.get("exact").is_some() || expected.is_empty() {
        assert_eq!(results, expected, "{name}: {json}");
    }
    let endpoint = case["endpoint"].as_str().unwrap();
    let sought = endpoint.rsplit('/').next().unwrap();
    for result in results {
        let keys: Vec<_> = result.as_object().unwrap().keys().collect();
        match sought {
            "action" => assert_eq!(keys, ["name"], "{name}"),
            _ => {
                assert_eq!(keys, ["type", "id"], "{name}");
                assert_eq!(result["type"], case["request"][sought]["type"], "{name}");
            }
        }
    }
}

/// Follows the pages of a search to the end; everything expected is on one of them.
fn follow(server: &Server, name: &str, case: &Value) {
    let path = case["endpoint"].as_str().unwrap();
    let mut request = case["request"].clone();
    let limit = request["page"]["limit"].as_u64().unwrap() as usize;
    let mut all = Vec::new();
    loop {
        let json = server.post(path, &request).json();
        let results = json["results"].as_array().unwrap();
        assert!(results.len() <= limit, "{name}: {json}");
        all.extend(results.iter().cloned());
        match json["page"]["next_token"].as_str().unwrap() {
            "" => break,
            token => request["page"]["token"] = token.into(),
        }
    }
    for expected in case["expected"]["results"].as_array().unwrap() {
        assert!(all.contains(expected), "{name}: {expected} not in {all:?}");
    }
}

/// The token that the first page of this search gives.
fn token_of(server: &Server, case: &Value) -> Value {
    let mut first = case["request"].clone();
    first["page"] = json!({ "limit": 1 });
    let reply = server.post(case["endpoint"].as_str().unwrap(), &first);
    reply.json()["page"]["next_token"].clone()
}

#[test]
fn the_certification_cases_pass() {
    let server = Server::start(&Start::default());
    let mut count = 0;
    for case in cases("certification-cases.json") {
        let name = case["id"].as_str().unwrap();
        let mut request = case["request"].clone();
        if request["page"].get("token").is_some() {
            request["page"]["token"] = token_of(&server, &case);
        }
        let reply = server.post(case["endpoint"].as_str().unwrap(), &request);
        assert_eq!(
            Value::from(reply.status),
            case["status"],
            "{name}: {reply:?}"
        );
        check(name, &reply, &case);
        count += 1;
    }
    assert_eq!(count, 50, "cases of all levels");
}

#[test]
fn the_conformance_suite_passes_with_its_reading_of_defaults() {
    assert_eq!(run_suite(BatchDefaults::FillIdentifiers, |_| true), 125);
}

#[test]
fn the_conformance_suite_passes_but_for_one_case_with_the_standards_reading() {
    assert_eq!(
        run_suite(BatchDefaults::Strict, |name| name != MERGING),
        124
    );
}

fn run_suite(batch_defaults: BatchDefaults, wanted: impl Fn(&str) -> bool) -> usize {
    let server = Server::start(&Start {
        authzen: AuthzenOptions {
            batch_defaults,
            ..AuthzenOptions::default()
        },
        ..Start::default()
    });
    let mut count = 0;
    for case in cases("conformance-cases.json") {
        let name = case["name"].as_str().unwrap();
        // Two cases are about credentials, which this listener does not ask for.
        if case.get("auth").is_some() || !wanted(name) {
            continue;
        }
        let body = match case.get("raw_body") {
            Some(raw) => raw.as_str().unwrap().to_owned(),
            None => case["request"].to_string(),
        };
        let mut headers = vec![("Content-Type", case["content_type"].as_str().unwrap())];
        if case.get("x_request_id").is_some() {
            headers.push(("X-Request-ID", "bfe9eb29-ab87-4ca3-be83-a1d5d8305716"));
        }
        let (method, path) = (&case["method"], &case["endpoint"]);
        let send = || {
            let (method, path) = (method.as_str().unwrap(), path.as_str().unwrap());
            server
                .connect()
                .send(method, path, &headers, body.as_bytes())
        };
        let reply = send();
        let accepted = case["accept_status"].as_array().unwrap();
        assert!(accepted.contains(&reply.status.into()), "{name}: {reply:?}");
        check(name, &reply, &case);
        if case.get("paginate").is_some() {
            follow(&server, name, &case);
        }
        if case.get("x_request_id").is_some() {
            assert_eq!(reply.header("x-request-id"), Some(headers[1].1), "{name}");
        }
        for _ in 1..case["repeat"].as_u64().unwrap_or(1) {
            assert_eq!(send().body, reply.body, "{name}");
        }
        count += 1;
    }
    count
}
