//! The matrix that is computed from the policies and the spec, against the documents' table.

use palisade::authz::{Matrix, Snapshot, Table};

use crate::editions::{Edition, compile, fixture, golden, source};

const PRINTED: [Edition; 3] = [Edition::Enterprise, Edition::Enterprise2023, Edition::Teams];

fn matrix(snapshot: &Snapshot) -> &Matrix {
    let matrix = snapshot
        .matrix()
        .unwrap_or_else(|rejection| panic!("{rejection}"));
    matrix.expect("the edition has a spec")
}

/// The lines of the documents' table that are about an edition.
fn lines(edition: Edition) -> Vec<csv::StringRecord> {
    let text = fixture("table.csv");
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let lines = reader.records().map(|line| line.unwrap());
    lines.filter(|line| &line[0] == edition.name()).collect()
}

/// Where an edition's matrix and the documents' table differ, of how many cells.
fn against_the_documents(edition: Edition, matrix: &Matrix) -> (Vec<String>, usize) {
    let file = [source("tests/fixtures/table.csv")];
    let table = Table::read(&file, Some(edition.name())).unwrap();
    let differences = matrix.differences(&table).into_iter();
    (differences.map(|it| it.message).collect(), table.len())
}

#[test]
fn every_edition_computes_the_documents_table() {
    for edition in PRINTED {
        let snapshot = compile(&edition.shipped());
        let compared = against_the_documents(edition, matrix(&snapshot));
        assert_eq!(compared, (vec![], 130), "{}", edition.name());
    }
}

#[test]
fn the_matrix_is_what_the_golden_file_shows() {
    for edition in PRINTED {
        let snapshot = compile(&edition.shipped());
        let name = format!("matrix-{}.md", edition.name());
        golden(&name, &matrix(&snapshot).to_markdown());
    }
}

#[test]
fn rows_stand_in_the_printed_order_with_their_labels() {
    for edition in PRINTED {
        let snapshot = compile(&edition.shipped());
        let computed: Vec<[String; 4]> = matrix(&snapshot)
            .lines
            .iter()
            .map(|l| [&l.row_id, &l.section, &l.row_label, &l.crud].map(String::clone))
            .collect();
        let expected: Vec<[String; 4]> = lines(edition)
            .iter()
            .map(|line| [&line[1], &line[2], &line[3], &line[6]].map(str::to_owned))
            .collect();
        assert_eq!(computed, expected, "{}", edition.name());
    }
}

#[test]
fn a_cell_that_no_word_describes_names_the_nearest() {
    let mut sources = Edition::Enterprise.shipped();
    let file = sources
        .policies
        .iter_mut()
        .find(|file| file.name.ends_with("data_access.cedar"))
        .unwrap();
    file.bytes.extend_from_slice(
        br#"
@id("slip") permit (principal, action == Action::"data.export", resource is Project)
when { principal.role == Role::"reviewer" }
when { resource.distribution == Distribution::"manual" && principal in resource.members };"#,
    );
    let snapshot = compile(&sources);
    let (differences, _) = against_the_documents(Edition::Enterprise, matrix(&snapshot));
    let [only] = differences.as_slice() else {
        panic!("one cell changed, not {differences:?}");
    };
    assert!(
        only.starts_with("T09 Reviewer: the policies say `data.export Project ?`"),
        "{only}"
    );
    assert!(only.contains("nearest is `"), "{only}");
}
