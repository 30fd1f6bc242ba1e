//! The cells of actions and resource types without a row that the spec has, edition by edition.

use std::collections::BTreeMap;

use crate::{
    editions::{Edition, fixture, text},
    tables::{cells, questions},
};

/// Action, resource type, role, as the files have them.
type Key = [String; 3];

fn records(text: &str) -> (csv::StringRecord, Vec<csv::StringRecord>) {
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let headers = reader.headers().unwrap().clone();
    let records = reader.records().map(|record| record.unwrap());
    (headers, records.collect())
}

fn columns<const N: usize>(text: &str, names: [&str; N]) -> Vec<[String; N]> {
    let (headers, records) = records(text);
    let column = |name: &str| headers.iter().position(|header| header == name).unwrap();
    let columns = names.map(column);
    let values = |record: &csv::StringRecord| columns.map(|column| record[column].to_owned());
    records.iter().map(values).collect()
}

/// The files that are about an edition; a later one counts.
fn files(edition: Edition) -> Vec<String> {
    let overlay = match edition {
        Edition::ByProse | Edition::Enterprise => None,
        Edition::Enterprise2023 => Some("without-row-2023.csv"),
        Edition::Teams => Some("without-row-teams.csv"),
    };
    let names = ["without-row.csv"].into_iter().chain(overlay);
    names
        .map(|name| text(&format!("policies/spec/{name}")))
        .collect()
}

/// The scope words of one file; no cell stands in it twice.
fn scopes(text: &str) -> BTreeMap<Key, String> {
    let lines = columns(text, ["cedar_action", "resource_type", "role", "scope"]);
    let mut scopes = BTreeMap::new();
    for [action, resource_type, role, scope] in lines {
        let key = [action, resource_type, role];
        assert_eq!(scopes.insert(key.clone(), scope), None, "twice: {key:?}");
    }
    scopes
}

/// The scope words of the shipped tables, where a later one counts as well.
fn shipped(edition: Edition) -> BTreeMap<Key, String> {
    let tables = edition.tables().into_iter();
    let tables = tables.map(|table| String::from_utf8(table.bytes).unwrap());
    tables.flat_map(|table| scopes(&table)).collect()
}

#[test]
fn without_row_says_what_the_fixture_says_line_by_line() {
    let names = [
        "cedar_action",
        "resource_type",
        "role",
        "scope",
        "ruling",
        "source",
    ];
    let said = columns(&text("policies/spec/without-row.csv"), names);
    let names = [
        "action",
        "resource_type",
        "role",
        "scope",
        "ruling",
        "facts",
    ];
    let expected = columns(&fixture("actions-without-row.csv"), names);
    assert_eq!(said, expected);
}

#[test]
fn lines_without_row_name_neither_row_nor_letter() {
    for edition in Edition::ALL {
        for file in files(edition) {
            let lines = columns(&file, ["row_id", "crud"]);
            assert!(lines.iter().flatten().all(String::is_empty));
        }
    }
}

#[test]
fn an_edition_says_only_what_it_changes() {
    for edition in [Edition::Enterprise2023, Edition::Teams] {
        let files: [String; 2] = files(edition).try_into().unwrap();
        let [base, changed] = files.map(|file| scopes(&file));
        for (key, scope) in changed {
            let before = base.get(&key);
            assert!(before.is_some_and(|it| *it != scope), "{key:?}");
        }
    }
}

#[test]
fn every_action_and_type_has_one_cell_for_each_role_in_the_table_or_beside_it() {
    for edition in Edition::ALL {
        let name = edition.name();
        let mut said = shipped(edition);
        let beside: BTreeMap<Key, String> = files(edition)
            .iter()
            .flat_map(|file| scopes(file))
            .collect();
        for (key, scope) in beside {
            assert_eq!(said.insert(key.clone(), scope), None, "{name}: {key:?}");
        }
        assert_eq!(said.len(), questions().len() * 5, "{name}");
        let expected = cells(edition).into_iter();
        let expected: BTreeMap<Key, String> = expected
            .map(|((action, resource_type, role), cell)| {
                let key = [action, resource_type, role.column().to_owned()];
                (key, cell.scope)
            })
            .collect();
        assert_eq!(said, expected, "{name}");
    }
}
