//! `GET /openapi.json` says what is true: real requests and answers of every endpoint fit it.

use jsonschema::Validator;
use palisade::api::{self, AuthzenOptions};
use serde_json::{Value, json};

use crate::{
    certs::House,
    client::{Connection, JSON, Reply},
    conformance::cases,
    harness::{Server, Start, Tls},
    shipped::served,
};

mod cedar_shapes;
mod everywhere;

/// What servers say of any answer; not the contract's to list.
const USUAL_HEADERS: [&str; 4] = ["connection", "content-length", "content-type", "date"];

/// The contract as it is served.
pub(crate) struct Contract(Value);

impl Contract {
    pub(crate) fn of(mut decisions: Connection) -> Self {
        Self(decisions.send("GET", "/openapi.json", &[], b"").json())
    }

    fn operation(&self, method: &str, path: &str) -> &Value {
        let path = path.split('?').next().unwrap();
        let operation = &self.0["paths"][path][method.to_lowercase()];
        assert!(operation.is_object(), "{method} {path}");
        operation
    }

    /// Follows a reference within the document.
    fn resolved<'v>(&'v self, value: &'v Value) -> &'v Value {
        match value["$ref"].as_str() {
            Some(reference) => self.0.pointer(&reference[1..]).unwrap(),
            None => value,
        }
    }

    fn validator(&self, schema: &Value) -> Validator {
        let whole = json!({ "components": self.0["components"], "allOf": [schema] });
        jsonschema::validator_for(&whole).unwrap()
    }

    fn request(&self, path: &str) -> Validator {
        let operation = self.operation("POST", path);
        self.validator(&operation["requestBody"]["content"]["application/json"]["schema"])
    }

    #[track_caller]
    pub(crate) fn answer_fits(&self, method: &str, path: &str, reply: &Reply) {
        let operation = self.operation(method, path);
        let response = self.resolved(&operation["responses"][reply.status.to_string()]);
        assert!(response.is_object(), "{method} {path}: {reply:?}");
        self.headers_fit(&response["headers"], path, reply);
        if response.get("content").is_none() {
            assert_eq!(reply.body, "", "{method} {path}");
            return;
        }
        let kind = reply.header("content-type").unwrap();
        let content = &response["content"][kind.split(';').next().unwrap()];
        assert!(content.is_object(), "{method} {path}: {kind}");
        if kind == "application/json" {
            fits(&self.validator(&content["schema"]), path, &reply.json());
        }
    }

    /// Those that must be there are, those that are there are listed, and say what they may.
    #[track_caller]
    fn headers_fit(&self, listed: &Value, path: &str, reply: &Reply) {
        for (name, header) in listed.as_object().unwrap() {
            let header = self.resolved(header);
            let values = reply.all(name);
            assert!(
                header["required"] != true || !values.is_empty(),
                "{path}: {name}"
            );
            let validator = self.validator(&header["schema"]);
            for value in values {
                let value = match header["schema"]["type"] == "integer" {
                    true => value.parse::<u64>().unwrap().into(),
                    false => Value::from(value),
                };
                fits(&validator, &format!("{path}: {name}"), &value);
            }
        }
        for name in reply.header_names() {
            let known = USUAL_HEADERS.contains(&name) || listed.get(name).is_some();
            assert!(known, "{path}: {name}");
        }
    }
}

#[track_caller]
fn fits(validator: &Validator, path: &str, body: &Value) {
    let errors: Vec<String> = validator
        .iter_errors(body)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{path}: {errors:#?}\n{body:#}");
}

/// Questions that have answers of every shape, with their paths.
fn questions() -> Vec<(&'static str, Value)> {
    let user = json!({ "type": "user", "id": "alice" });
    let read = json!({ "name": "read" });
    let record = json!({ "type": "record", "id": "record-1", "properties": { "status": "new" } });
    let explain = json!({ "palisade": { "explain": true }, "time": "now" });
    let whole = json!({ "subject": user, "action": read, "resource": record });
    let explained =
        json!({ "subject": user, "action": read, "resource": record, "context": explain });
    let cedar = json!({ "principal": "user::\"alice\"", "action": "Action::\"read\"",
        "resource": { "type": "record", "id": "record-1" } });
    vec![
        ("/access/v1/evaluation", whole.clone()),
        ("/access/v1/evaluation", explained.clone()),
        (
            "/access/v1/evaluations",
            json!({ "subject": user, "action": read,
                "evaluations": [{ "resource": record }, {}, { "resource": record, "context": explain }] }),
        ),
        ("/access/v1/evaluations", whole.clone()),
        ("/access/v1/search/subject", whole),
        ("/access/v1/search/resource", explained.clone()),
        ("/access/v1/search/action", explained),
        (
            "/access/v1/search/resource",
            json!({ "subject": user, "action": read, "resource": { "type": "record" },
                "page": { "limit": 0 } }),
        ),
        ("/v1/is_authorized", cedar.clone()),
        ("/v1/batch_is_authorized", json!({ "requests": [cedar] })),
    ]
}

#[test]
fn requests_and_answers_fit_the_contract() {
    let server = Server::start(&Start::default());
    let contract = Contract::of(server.connect());
    for (path, body) in questions() {
        fits(&contract.request(path), path, &body);
        let reply = server.post(path, &body);
        assert_eq!(reply.status, 200, "{path}: {}", reply.body);
        contract.answer_fits("POST", path, &reply);
    }
    for path in ["/.well-known/authzen-configuration", "/openapi.json"] {
        contract.answer_fits("GET", path, &server.get(path));
    }
}

#[test]
fn what_is_refused_is_refused_as_the_contract_says() {
    let server = Server::start(&Start {
        limits: api::Limits {
            body_bytes: 100,
            ..api::Limits::default()
        },
        ..Start::default()
    });
    let contract = Contract::of(server.connect());
    let long = json!({ "unknown": "x".repeat(100) });
    for (path, _) in questions() {
        for (body, status) in [(json!({}), 400), (long.clone(), 413)] {
            let reply = server.post(path, &body);
            assert_eq!(reply.status, status, "{path}");
            contract.answer_fits("POST", path, &reply);
        }
        let reply = server.connect().send("PUT", path, &[JSON], b"");
        assert_eq!(reply.status, 405);
        contract.answer_fits("POST", path, &reply);
    }
    let silent = Server::start(&Start {
        publish: false,
        ..Start::default()
    });
    for (path, body) in questions() {
        let reply = silent.post(path, &body);
        assert_eq!(reply.status, 503);
        contract.answer_fits("POST", path, &reply);
    }
}

#[test]
fn published_requests_fit_the_contract() {
    let server = Server::start(&Start {
        authzen: AuthzenOptions {
            batch_defaults: api::BatchDefaults::FillIdentifiers,
            ..AuthzenOptions::default()
        },
        ..Start::default()
    });
    let contract = Contract::of(server.connect());
    let (mut fitting, mut unfit) = (0, 0);
    for case in cases("conformance-cases.json") {
        let path = case["endpoint"].as_str().unwrap();
        let accepted = case["accept_status"].as_array().unwrap();
        if case["method"] != "POST" || case["content_type"] == "text/plain" {
            continue;
        }
        if accepted.contains(&200.into()) {
            fits(&contract.request(path), path, &case["request"]);
            fitting += 1;
        } else if *accepted == [400] && case.get("raw_body").is_none() {
            assert!(!contract.request(path).is_valid(&case["request"]), "{case}");
            unfit += 1;
        }
    }
    assert!(fitting > 50 && unfit > 20, "{fitting} fit, {unfit} do not");
}

#[test]
fn the_admin_pages_fit_the_contract() {
    let shipped = served();
    let fixture = Server::start(&Start::default());
    let house = House::new();
    let credentials = house.write("credentials.toml", "# nobody\n");
    let guarded = Server::start(&Start {
        tls: Some(Tls::of(&house)),
        credentials: Some(credentials),
        ..Start::default()
    });
    let silent = Server::start(&Start {
        publish: false,
        ..Start::default()
    });
    let contract = Contract::of(shipped.connect());
    let admin = contract.0["paths"].as_object().unwrap().iter();
    let admin = admin.filter(|(_, item)| item.get("servers").is_some());
    let admin: Vec<&String> = admin.map(|(path, _)| path).collect();
    assert_eq!(admin.len(), 12);
    for server in [&shipped, &fixture, &guarded, &silent] {
        for path in &admin {
            let mut connection = server.connect_admin();
            let (method, body) = match path.as_str() {
                "/v1/explain" => ("POST", questions()[0].1.to_string()),
                "/v1/accept" | "/v1/pin" => ("POST", json!({ "revision": "x" }).to_string()),
                "/v1/unpin" => ("POST", String::new()),
                _ => ("GET", String::new()),
            };
            let reply = connection.send(method, path, &[JSON], body.as_bytes());
            contract.answer_fits(method, path, &reply);
        }
        contract.answer_fits(
            "GET",
            "/readyz?revision=x",
            &server.admin("/readyz?revision=x"),
        );
    }
}
