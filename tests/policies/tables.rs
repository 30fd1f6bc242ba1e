//! The two tables of cells: rows of the printed table, and actions without a row.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    editions::{Edition, fixture},
    model::Role,
};

/// One cell: what decides a question about this action, on this type, for this role.
#[derive(Clone, Debug)]
pub(crate) struct Cell {
    /// `T01`, or `-` for an action without a row.
    pub(crate) row: String,
    pub(crate) scope: String,
}

/// Action, resource type, role.
pub(crate) type Key = (String, String, Role);

/// The cells of an edition.
pub(crate) fn cells(edition: Edition) -> BTreeMap<Key, Cell> {
    let mut cells = BTreeMap::new();
    for line in table() {
        if line.edition == edition.table() {
            let key = (line.action.clone(), line.resource_type.clone(), line.role);
            let (row, scope) = (line.row, line.scope);
            assert!(
                cells.insert(key, Cell { row, scope }).is_none(),
                "two lines for one cell"
            );
        }
    }
    for line in without_row() {
        let key = (line.action, line.resource_type, line.role);
        let (row, scope) = ("-".to_owned(), line.scope);
        assert!(
            cells.insert(key, Cell { row, scope }).is_none(),
            "two lines for one cell"
        );
    }
    for ((action, _, role), cell) in &mut cells {
        if is_withdrawn(edition, action, *role) {
            cell.scope = "never".to_owned();
        }
    }
    cells
}

/// Cells that section 1 of the rulings takes away, for the lines that are no line of the edition's table.
fn is_withdrawn(edition: Edition, action: &str, role: Role) -> bool {
    match edition {
        Edition::Enterprise => false,
        Edition::ByProse => action == "org.page.view" && role == Role::Manager,
        Edition::Enterprise2023 => action == "token.create" && role.can_be_overridden(),
        Edition::Teams => !matches!(role, Role::Owner | Role::Manager),
    }
}

/// A line of `table.csv`.
#[derive(Debug)]
pub(crate) struct TableLine {
    pub(crate) edition: String,
    pub(crate) row: String,
    pub(crate) section: String,
    pub(crate) action: String,
    pub(crate) resource_type: String,
    pub(crate) role: Role,
    pub(crate) scope: String,
    /// The lines it rests on, as `002:L52`, separated by `;`.
    pub(crate) sources: String,
}

/// A line of `actions-without-row.csv`.
#[derive(Debug)]
pub(crate) struct RowlessLine {
    pub(crate) action: String,
    pub(crate) resource_type: String,
    pub(crate) role: Role,
    pub(crate) scope: String,
    pub(crate) rulings: String,
    pub(crate) facts: String,
}

pub(crate) fn table() -> Vec<TableLine> {
    let line = |get: &dyn Fn(&str) -> String| TableLine {
        edition: get("edition"),
        row: get("row_id"),
        section: get("section"),
        action: get("cedar_action"),
        resource_type: get("resource_type"),
        role: role(&get("role")),
        scope: get("scope"),
        sources: get("seed_ref"),
    };
    lines("table.csv", line)
}

pub(crate) fn without_row() -> Vec<RowlessLine> {
    let line = |get: &dyn Fn(&str) -> String| RowlessLine {
        action: get("action"),
        resource_type: get("resource_type"),
        role: role(&get("role")),
        scope: get("scope"),
        rulings: get("ruling"),
        facts: get("facts"),
    };
    lines("actions-without-row.csv", line)
}

/// Every action and resource type that either table names.
pub(crate) fn questions() -> BTreeSet<(String, String)> {
    cells(Edition::Enterprise)
        .into_keys()
        .map(|(action, resource_type, _)| (action, resource_type))
        .collect()
}

fn lines<T>(name: &str, line: impl Fn(&dyn Fn(&str) -> String) -> T) -> Vec<T> {
    let text = fixture(name);
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let headers = reader.headers().unwrap().clone();
    let parse = |record: csv::Result<csv::StringRecord>| {
        let record = record.unwrap();
        let column = |name: &str| headers.iter().position(|header| header == name).unwrap();
        line(&|name| record[column(name)].to_owned())
    };
    reader.records().map(parse).collect()
}

fn role(column: &str) -> Role {
    let is_named = |role: &Role| role.column() == column;
    Role::ALL.into_iter().find(is_named).unwrap()
}
