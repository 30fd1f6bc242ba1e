//! What the contract says of every operation, asked of every operation.

use serde_json::{Value, json};

use super::{Contract, fits};
use crate::{
    certs::House,
    client::{JSON, Reply},
    harness::{Server, Start},
    shipped::served,
};

/// An operation of the contract.
struct Operation<'c> {
    method: String,
    path: &'c str,
    of_admin: bool,
    said: &'c Value,
}

impl Contract {
    fn operations(&self) -> Vec<Operation<'_>> {
        let paths = self.0["paths"].as_object().unwrap();
        let mut operations = Vec::new();
        for (path, item) in paths {
            for (method, said) in item.as_object().unwrap() {
                // Gateways ask with whatever method they were asked with, and are known by the
                // credential of a header of their own: `tests/it/proxy` holds what they are answered.
                let of_gateways = said["tags"][0] == "gateways";
                if method != "servers" && !of_gateways {
                    operations.push(Operation {
                        method: method.to_uppercase(),
                        path,
                        of_admin: item.get("servers").is_some(),
                        said,
                    });
                }
            }
        }
        assert!(operations.len() > 20, "{}", operations.len());
        operations
    }
}

impl Operation<'_> {
    /// What comes of it, asked with another method, with something behind the path, and a body.
    fn asked(&self, server: &Server, method: &str, behind: &str, body: &str) -> Reply {
        let mut connection = match self.of_admin {
            true => server.connect_admin(),
            false => server.connect(),
        };
        let path = format!("{}{behind}", self.path);
        connection.send(method, &path, &[JSON], body.as_bytes())
    }

    /// Whether its own `security` never asks for a credential.
    fn is_open(&self) -> bool {
        let ways = self.said.get("security").and_then(Value::as_array);
        let is_open = |way: &Value| way.as_object().unwrap().keys().all(|it| it == "mutualTLS");
        ways.is_some_and(|ways| ways.iter().all(is_open))
    }
}

#[test]
fn other_methods_are_refused_with_those_that_are_listed() {
    let server = Server::start(&Start::default());
    let contract = Contract::of(server.connect());
    for operation in contract.operations() {
        let allowed = match operation.method.as_str() {
            "GET" => vec!["GET", "HEAD"],
            _ => vec!["POST"],
        };
        for method in [
            "GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW",
        ] {
            if allowed.contains(&method) {
                continue;
            }
            let reply = operation.asked(&server, method, "", "");
            let said = reply.header("allow").map(str::to_owned);
            assert_eq!(
                (reply.status, said),
                (405, Some(allowed.join(", "))),
                "{method}"
            );
            if method != "HEAD" {
                contract.answer_fits(&operation.method, operation.path, &reply);
            }
        }
    }
}

#[test]
fn head_is_answered_wherever_get_is_and_as_get_is() {
    let server = Server::start(&Start::default());
    let contract = Contract::of(server.connect());
    let gets = contract
        .operations()
        .into_iter()
        .filter(|it| it.method == "GET");
    for operation in gets {
        let get = operation.asked(&server, "GET", "", "");
        let head = operation.asked(&server, "HEAD", "", "");
        assert_eq!((get.status, ""), (head.status, head.body.as_str()));
        let named =
            |reply: &Reply| -> Vec<String> { reply.header_names().map(str::to_owned).collect() };
        assert_eq!(named(&get), named(&head), "{}", operation.path);
    }
}

#[test]
fn paths_are_exact_and_queries_that_are_not_listed_are_ignored() {
    let server = Server::start(&Start::default());
    let contract = Contract::of(server.connect());
    for operation in contract.operations() {
        let (method, path) = (&operation.method, operation.path);
        let plain = operation.asked(&server, method, "", "{}");
        let queried = operation.asked(&server, method, "?unheard=of&=", "{}");
        assert_eq!(plain.status, queried.status, "{path}");
        let behind = if path == "/" { "x" } else { "/" };
        let other = operation.asked(&server, method, behind, "{}");
        assert_eq!(
            (other.status, other.code().as_str()),
            (404, "not_found"),
            "{path}"
        );
    }
}

#[test]
fn whoever_presents_no_credential_is_turned_away_but_where_none_is_listed() {
    let house = House::new();
    let credentials = house.write("credentials.toml", "# nobody\n");
    let server = Server::start(&Start {
        credentials: Some(credentials.clone()),
        admin_credentials: Some(credentials),
        ..Start::default()
    });
    let contract = Contract::of(server.connect());
    for operation in contract.operations() {
        let reply = operation.asked(&server, &operation.method, "", "{}");
        let turned_away = reply.status == 401;
        assert_eq!(turned_away, !operation.is_open(), "{}", operation.path);
        contract.answer_fits(&operation.method, operation.path, &reply);
    }
}

#[test]
fn examples_are_answered_as_they_say() {
    let server = served();
    let contract = Contract::of(server.connect());
    let mut decided = 0;
    for operation in contract.operations() {
        let examples = &operation.said["requestBody"]["content"]["application/json"]["examples"];
        for (name, example) in examples.as_object().into_iter().flatten() {
            let (path, body) = (operation.path, &example["value"]);
            fits(&contract.request(path), path, body);
            let reply = operation.asked(&server, "POST", "", &body.to_string());
            contract.answer_fits("POST", path, &reply);
            // Here nobody may put anything in force by hand.
            let by_hand = operation.said["responses"]["403"].get("$ref").is_none();
            assert_eq!(
                reply.status,
                if by_hand { 403 } else { 200 },
                "{path} {name}"
            );
            let expected = match name.as_str() {
                "permitted" => [json!(true), json!("Allow")],
                "denied" => [json!(false), json!("Deny")],
                _ => continue,
            };
            let decision = &reply.json()["decision"];
            assert!(expected.contains(decision), "{path} {name}: {decision}");
            decided += 1;
        }
        let takes_json = operation.said.get("requestBody").is_some();
        assert_eq!(examples.is_object(), takes_json, "{}", operation.path);
    }
    assert_eq!(decided, 6);
}

#[test]
fn what_an_evaluation_links_to_takes_its_body() {
    let server = served();
    let contract = Contract::of(server.connect());
    let operations = contract.operations();
    let mut followed = 0;
    for operation in &operations {
        let links = operation.said["responses"]["200"]["links"].as_object();
        for link in links.into_iter().flatten().map(|(_, link)| link) {
            let to = operations
                .iter()
                .find(|it| it.said["operationId"] == link["operationId"])
                .expect("the operation that is linked to");
            if link["requestBody"] != "$request.body" {
                continue;
            }
            let content = &operation.said["requestBody"]["content"]["application/json"];
            let body = &content["examples"]["permitted"]["value"];
            fits(&contract.request(to.path), to.path, body);
            let reply = to.asked(&server, "POST", "", &body.to_string());
            assert_eq!(reply.status, 200, "{}: {}", to.path, reply.body);
            contract.answer_fits("POST", to.path, &reply);
            followed += 1;
        }
    }
    assert_eq!(followed, 4);
}

#[test]
fn a_page_token_that_is_none_is_refused_as_the_contract_says() {
    let server = Server::start(&Start::default());
    let contract = Contract::of(server.connect());
    let alice = json!({ "type": "user", "id": "alice" });
    let record = json!({ "type": "record", "id": "record-1" });
    for sought in ["subject", "resource", "action"] {
        let path = format!("/access/v1/search/{sought}");
        let body = json!({ "subject": alice, "action": { "name": "read" }, "resource": record,
            "page": { "token": "x" } });
        fits(&contract.request(&path), &path, &body);
        let reply = server.post(&path, &body);
        assert_eq!(reply.code(), "invalid_page_token");
        contract.answer_fits("POST", &path, &reply);
    }
}
