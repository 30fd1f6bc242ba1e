//! The shipped edition, served: what the example organization's page promises.

use std::{fs, path::Path};

use palisade::source::Selection;
use serde_json::{Value, json};

use crate::harness::{Server, Start};

/// The shipped edition with its example organization.
pub(crate) fn served() -> Server {
    let selection = Selection {
        root: env!("CARGO_MANIFEST_DIR").into(),
        ..Selection::default()
    };
    let sources = selection.resolve().unwrap().read();
    Server::start(&Start {
        sources: sources.unwrap_or_else(|rejection| panic!("{rejection}")),
        ..Start::default()
    })
}

fn decision(server: &Server, body: &Value) -> Value {
    let reply = server.post("/access/v1/evaluation", body);
    assert_eq!(reply.status, 200, "{}", reply.body);
    reply.json()
}

/// The cells of the page's table lines that begin with a row of the permission table.
fn rows(page: &str) -> Vec<Vec<String>> {
    let rows = page.lines().filter(|line| line.starts_with("| T"));
    rows.map(|line| {
        let cells = line.trim_matches('|').split('|');
        cells.map(|cell| cell.trim().replace('`', "")).collect()
    })
    .collect()
}

#[test]
fn every_row_of_the_table_can_be_tried_on_the_example_organization() {
    let server = served();
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/demo/README.md");
    let rows = rows(&fs::read_to_string(page).unwrap());
    assert_eq!(rows.len(), 26);
    for row in rows {
        let [name, action, resource, permitted, denied, context] = row.as_slice() else {
            panic!("not a line of six cells: {row:?}");
        };
        let (kind, id) = resource.split_once(' ').unwrap();
        let context: Value = serde_json::from_str(context).unwrap_or_else(|_| json!({}));
        for (member, expected) in [(permitted, true), (denied, false)] {
            let body = json!({
                "subject": { "type": "Member", "id": member },
                "action": { "name": action },
                "resource": { "type": kind, "id": id },
                "context": context,
            });
            let expected = json!({ "decision": expected });
            assert_eq!(decision(&server, &body), expected, "{name} {body}");
        }
    }
}

#[test]
fn the_matrix_page_is_the_matrix_of_the_snapshot_in_force() {
    let server = served();
    let reply = server.admin("/v1/matrix");
    assert_eq!(reply.status, 200);
    assert_eq!(
        reply.header("x-palisade-revision"),
        Some(server.revision.as_str())
    );
    let matrix = reply.json();
    let roles = json!(["Annotator", "Reviewer", "Manager", "Administrator", "Owner"]);
    assert_eq!(matrix["roles"], roles);
    let lines = matrix["lines"].as_array().unwrap();
    assert_eq!(lines.len(), 130);
    let export = lines
        .iter()
        .find(|line| line["row_id"] == "T09" && line["role"] == "Manager");
    assert_eq!(export.unwrap()["scope"], "workspace_and_invited");
}

#[test]
fn without_a_spec_there_is_no_matrix() {
    let reply = Server::start(&Start::default()).admin("/v1/matrix");
    assert_eq!(reply.status, 404);
    assert_eq!(reply.json()["error"]["code"], "not_found");
}
