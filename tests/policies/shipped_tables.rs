//! The tables that ship beside the policies: each edition's are what the documents say of it, cell
//! by cell, they hold however overlays are put together, and they see what an edit changes.

use std::collections::BTreeMap;

use palisade::authz::{Kind, Snapshot, Sources, Table};

use crate::editions::{Edition, compile, files, source};

const PRINTED: [Edition; 3] = [Edition::Enterprise, Edition::Enterprise2023, Edition::Teams];

const HEADER: &str = "edition,row_id,section,row_label,role,cell,crud,cedar_action,\
                      resource_type,scope,ruling,seed_ref";

const ADMINISTRATOR_EXPORTS: &str = r#"  action == Action::"data.export",
  resource is Project
)
when { principal.role in [Role::"administrator", Role::"owner"] }"#;

/// What the documents' table says of an edition, line by line.
fn printed(edition: Edition) -> Vec<csv::StringRecord> {
    let lines = records(&crate::editions::fixture("table.csv"));
    let lines = lines.into_iter();
    lines.filter(|line| &line[0] == edition.name()).collect()
}

fn records(text: &str) -> Vec<csv::StringRecord> {
    assert!(text.starts_with(HEADER));
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    reader.records().map(|line| line.unwrap()).collect()
}

/// Row, letter, role; action, type, scope.
fn cell(line: &csv::StringRecord) -> [&str; 6] {
    [1, 6, 4, 7, 8, 9].map(|column| &line[column])
}

#[test]
fn the_tables_of_each_edition_are_its_lines_of_the_documents_table() {
    for edition in PRINTED {
        let mut merged = BTreeMap::new();
        for file in edition.tables() {
            for line in records(&String::from_utf8(file.bytes).unwrap()) {
                let [row, crud, role, says @ ..] = cell(&line).map(str::to_owned);
                merged.insert([row, crud, role], says);
            }
        }
        for line in printed(edition) {
            let [row, crud, role, says @ ..] = cell(&line).map(str::to_owned);
            assert_eq!(merged.remove(&[row, crud, role]), Some(says), "{line:?}");
        }
        assert_eq!(merged.into_iter().collect::<Vec<_>>(), []);
    }
}

#[test]
fn an_overlay_says_only_what_it_changes_as_it_is_printed() {
    let base = printed(Edition::Enterprise);
    for (edition, changed) in [(Edition::Enterprise2023, 4), (Edition::Teams, 44)] {
        let tables = edition.tables();
        let overlay = std::str::from_utf8(&tables.last().unwrap().bytes).unwrap();
        let expected: Vec<_> = printed(edition);
        let expected = expected
            .into_iter()
            .filter(|line| base.iter().all(|it| cell(it) != cell(line)));
        assert_eq!(records(overlay), expected.collect::<Vec<_>>());
        assert_eq!(records(overlay).len(), changed);
    }
}

/// The base with some of the overlays, asked what its rows are in the words of the Teams edition if
/// that is among them.
fn with_overlays(overlays: &[&str]) -> Sources {
    let rows = match overlays.contains(&"teams") {
        true => Edition::Teams,
        false => Edition::Enterprise,
    };
    let mut sources = Sources {
        policies: Edition::Enterprise.policies(),
        tables: Edition::Enterprise.tables(),
        ..rows.shipped()
    };
    for overlay in overlays {
        let folder = format!("policies/overlays/{overlay}");
        sources.policies.extend(files(&folder, ".cedar"));
        sources
            .tables
            .extend(files(&format!("{folder}/tests"), ".csv"));
    }
    sources
}

#[test]
fn the_tables_hold_however_overlays_are_put_together() {
    let all = ["enterprise-2023", "organization-page-by-prose", "teams"];
    for chosen in 0..8_usize {
        let named = (0..3).filter(|it| chosen & (1 << it) != 0);
        let mut overlays: Vec<&str> = named.map(|it| all[it]).collect();
        for _ in 0..2 {
            let rehearsal = compile(&with_overlays(&overlays)).rehearse(|| true);
            assert_eq!(rehearsal.findings, [], "{overlays:?}");
            assert_eq!(rehearsal.cells, 130);
            overlays.reverse();
        }
    }
}

#[test]
fn an_overlay_without_its_table_is_seen_cell_by_cell() {
    for (edition, cells) in [
        (Edition::Enterprise2023, 4),
        (Edition::Teams, 44),
        (Edition::ByProse, 1),
    ] {
        let sources = Sources {
            tables: Edition::Enterprise.tables(),
            ..edition.shipped()
        };
        assert_eq!(told(&compile(&sources)).len(), cells, "{}", edition.name());
    }
}

/// Where the tables differ: file, line and message.
fn told(snapshot: &Snapshot) -> Vec<(String, usize, String)> {
    let findings = snapshot.rehearse(|| true).findings.into_iter();
    let told = findings.map(|it| {
        assert_eq!(it.kind, Kind::Canary);
        (it.file, it.place.unwrap().line, it.message)
    });
    told.collect()
}

/// The only cell that differs in the enterprise edition once a text in its policies is another.
#[track_caller]
fn sees(file: &str, from: &str, to: &str, expected: &str) {
    let mut sources = Edition::Enterprise.shipped();
    let named = format!("policies/enterprise/{file}");
    let file = sources.policies.iter_mut().find(|it| it.name == named);
    let file = file.unwrap();
    let text = String::from_utf8(file.bytes.clone()).unwrap();
    let position = text.find(from).unwrap_or_else(|| panic!("no `{from}`"));
    let (before, after) = text.split_at(position);
    file.bytes = format!("{before}{to}{}", &after[from.len()..]).into_bytes();
    let told = told(&compile(&sources));
    let [(table, line, message)] = told.as_slice() else {
        panic!("one cell changed, not {told:?}")
    };
    assert_eq!(table, "policies/enterprise/tests/table.csv");
    assert!(message.starts_with(expected), "{message}");
    // The line is that of the cell.
    let text = source(table);
    let text = std::str::from_utf8(&text.bytes).unwrap();
    let line = text.lines().nth(line - 1).unwrap();
    let row = expected.split(' ').next().unwrap();
    assert!(line.starts_with(&format!("enterprise,{row},")), "{line}");
}

#[test]
fn what_an_edit_gives_or_takes_is_told_at_the_line_of_the_cell() {
    let export =
        "@id(\"slip\") permit (principal, action == Action::\"data.export\", resource is Project)
        when { principal.role == Role::\"reviewer\" }
        when { principal in [resource.members, resource.workspace.members] };\n";
    sees(
        "data_access.cedar",
        "@id(",
        &format!("{export}@id("),
        "T09 Reviewer: the policies say `data.export Project member`, the table says `data.export Project never`",
    );
}

#[test]
fn a_role_that_one_policy_no_longer_names_is_told() {
    sees(
        "data_access.cedar",
        ADMINISTRATOR_EXPORTS,
        &ADMINISTRATOR_EXPORTS.replace("Role::\"administrator\", ", ""),
        "T09 Administrator: the policies say `data.export Project never`, the table says `data.export Project organization`",
    );
}

#[test]
fn the_table_of_an_edition_is_one_that_can_be_compared_by_hand() {
    let file = [source("policies/enterprise/tests/table.csv")];
    let table = Table::read(&file, Some("enterprise")).unwrap();
    assert_eq!(table.len(), 130);
}
