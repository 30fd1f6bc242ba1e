//! The table beside the policies that ship, on the real loop: an edit that makes a cell another is
//! refused, and the cell is named.

use std::path::PathBuf;

use crate::{
    authz::Severity,
    source::{Gate, Selection},
};

use super::*;

const TABLE: &str = "tests/table.csv";

/// The shipped edition in a folder where it can be edited, in force.
fn shipped(canary: Gate) -> (House, Reloader) {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR"));
    let selection = Selection {
        root: repository.to_owned(),
        ..Selection::default()
    };
    let spec = selection.resolve().unwrap();
    let here = |path: PathBuf| repository.join(path);
    let (house, mut reloader) = House::beside(
        SourceSpec {
            schema: spec.schema.map(here),
            conditions: spec.conditions.map(here),
            entities: spec.entities.into_iter().map(here).collect(),
            spec: spec.spec.into_iter().map(here).collect(),
            ..SourceSpec::default()
        },
        NEVER,
    );
    let policies = repository.join("policies/enterprise");
    for folder in ["", "tests/"] {
        for entry in fs::read_dir(policies.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                let name = path.file_name().unwrap().to_string_lossy();
                let text = fs::read_to_string(&path).unwrap();
                house.write(&format!("{folder}{name}"), &text);
            }
        }
    }
    let gates = Gates {
        canary,
        ..Gates::default()
    };
    reloader.rules.gates = gates;
    reloader.first_load().unwrap();
    let counts = house.reader.current().unwrap().counts();
    assert_eq!((counts.canaries, counts.cells), (163, 130));
    (house, reloader)
}

/// Writes a file of the edition with another text in the place of one that is in it once.
#[track_caller]
fn edit(house: &House, name: &str, from: &str, to: &str) {
    let text = fs::read_to_string(house.path(name)).unwrap();
    assert_eq!(text.matches(from).count(), 1, "`{from}`");
    house.write(name, &text.replace(from, to));
}

/// Reviewers import what Administrators do, where the table denies it.
fn give_reviewers_the_import(house: &House) {
    edit(
        house,
        "data_access.cedar",
        "  action == Action::\"data.import\",\n  resource is Project\n)\nwhen { principal.role in [",
        "  action == Action::\"data.import\",\n  resource is Project\n)\nwhen { principal.role in [Role::\"reviewer\", ",
    );
}

const GIVEN: &str = "T08 Reviewer: the policies say `data.import Project organization`, \
                     the table says `data.import Project never`";

#[test]
fn an_edit_that_gives_what_the_table_denies_is_refused_and_the_cell_is_named() {
    let (house, mut reloader) = shipped(Gate::Enforce);
    let good = house.revision();
    give_reviewers_the_import(&house);
    reloader.read_and_apply(Trigger::Poll);
    assert_eq!(house.revision(), good);
    assert!(house.metric("palisade_reloads_total{reason=\"canary\",result=\"rejected\"} 1"));
    assert!(house.metric("palisade_sources_stale 1"));
    let attempt = house.status.read().attempts.pop_back().unwrap();
    assert_eq!(attempt.result, ReloadResult::Rejected(Kind::Canary));
    let [finding] = attempt.findings.as_slice() else {
        panic!("{:?}", attempt.findings)
    };
    assert_eq!(finding.message, GIVEN);
    assert_eq!(finding.file, "policies/tests/table.csv");
    let place = finding.place.as_ref().unwrap();
    assert!(place.source_line.starts_with("enterprise,T08,"));
    assert!(place.source_line.contains(",Reviewer,"));
    // With the table it is meant.
    let line = place.source_line.clone();
    edit(&house, TABLE, &line, &line.replace("never", "organization"));
    reloader.read_and_apply(Trigger::Poll);
    assert_ne!(house.revision(), good);
    assert!(house.metric("palisade_sources_stale 0"));
    let status = house.status.read();
    assert!(status.in_force.unwrap().snapshot.warnings().is_empty());
}

#[test]
fn an_edit_that_takes_a_role_out_of_one_policy_is_refused_too() {
    let (house, mut reloader) = shipped(Gate::Enforce);
    let good = house.revision();
    edit(
        &house,
        "data_access.cedar",
        "  action == Action::\"data.import\",\n  resource is Project\n)\nwhen { principal.role in [Role::\"administrator\", ",
        "  action == Action::\"data.import\",\n  resource is Project\n)\nwhen { principal.role in [",
    );
    reloader.read_and_apply(Trigger::Poll);
    assert_eq!(house.revision(), good);
    let attempt = house.status.read().attempts.pop_back().unwrap();
    let told = attempt.findings.iter().map(|it| it.message.as_str());
    let said = "T08 Administrator: the policies say `data.import Project never`, \
                the table says `data.import Project organization`";
    assert_eq!(told.collect::<Vec<_>>(), [said]);
}

#[test]
fn where_the_gate_warns_the_edit_is_taken_and_the_cell_is_among_the_warnings() {
    let (house, mut reloader) = shipped(Gate::Warn);
    let good = house.revision();
    give_reviewers_the_import(&house);
    reloader.read_and_apply(Trigger::Poll);
    assert_ne!(house.revision(), good);
    let in_force = house.reader.current().unwrap();
    let [warning] = in_force.warnings() else {
        panic!("{:?}", in_force.warnings())
    };
    assert_eq!(warning.message, GIVEN);
    assert_eq!(warning.severity, Severity::Warning);
}

#[test]
fn a_table_that_vanishes_is_refused_though_queries_are_left() {
    let (house, mut reloader) = shipped(Gate::Enforce);
    let good = house.revision();
    fs::remove_file(house.path(TABLE)).unwrap();
    reloader.read_and_apply(Trigger::Poll);
    assert_eq!(house.revision(), good);
    let attempt = house.status.read().attempts.pop_back().unwrap();
    let told = attempt.findings.iter().map(|it| it.message.as_str());
    let said = "130 of 130 cells in `tests/*.csv` would be gone";
    assert_eq!(told.collect::<Vec<_>>(), [said]);
}
