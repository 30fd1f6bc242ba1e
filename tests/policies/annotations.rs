//! Where the policies say they come from: rows, facts, sources and rulings, and the order of the rows.

use std::{collections::BTreeSet, path::Path};

use palisade::authz::PolicyInfo;

use crate::{
    editions::{Edition, compile, text},
    tables::{TableLine, questions, table, without_row},
};

/// The rulings there are: C01 to C41, and C03b.
pub(crate) fn is_ruling(id: &str) -> bool {
    let number = id.strip_prefix('C').and_then(|digits| digits.parse().ok());
    id == "C03b" || (id.len() == 3 && number.is_some_and(|number| (1..=41).contains(&number)))
}

/// Facts are numbered within their chapters.
pub(crate) fn is_fact(id: &str) -> bool {
    let chapters = [
        ("R", 27),
        ("T", 20),
        ("M", 17),
        ("W", 15),
        ("P", 8),
        ("D", 5),
        ("I", 4),
    ];
    chapters.iter().any(|(chapter, last)| {
        let number = id
            .strip_prefix(chapter)
            .and_then(|digits| digits.parse().ok());
        id.len() == 3 && number.is_some_and(|number: u32| (1..=*last).contains(&number))
    })
}

/// A line of a source: `002#L52`.
fn is_source(id: &str) -> bool {
    let number = |line: &str| line.parse::<u32>().is_ok();
    id.split_once("#L")
        .is_some_and(|(seed, line)| number(seed) && seed.len() == 3 && number(line))
}

fn annotation<'p>(policy: &'p PolicyInfo, key: &str) -> Option<&'p str> {
    let entry = policy.annotations.iter().find(|(name, _)| name == key);
    entry.map(|(_, value)| value.as_str())
}

/// Every policy of every edition, once.
fn everything() -> Vec<PolicyInfo> {
    let mut seen = BTreeSet::new();
    let all = Edition::ALL
        .into_iter()
        .flat_map(|edition| compile(&edition.sources()).policies().to_vec());
    all.filter(|policy| seen.insert(policy.id.clone()))
        .collect()
}

fn rows_of(edition: Edition) -> Vec<TableLine> {
    table()
        .into_iter()
        .filter(|line| line.edition == edition.table())
        .collect()
}

#[test]
fn every_policy_says_where_it_comes_from() {
    for policy in everything() {
        let at = format!("{}:{}", policy.file, policy.line);
        assert_eq!(annotation(&policy, "id"), Some(policy.id.as_str()), "{at}");
        let words = |key| {
            annotation(&policy, key)
                .unwrap_or_default()
                .split(' ')
                .collect::<Vec<_>>()
        };
        assert!(words("source").into_iter().all(is_source), "{at}: @source");
        let (row, fact) = (annotation(&policy, "row"), annotation(&policy, "fact"));
        assert!(
            row.is_some() != fact.is_some(),
            "{at}: one of @row and @fact"
        );
        assert!(
            fact.is_none() || words("fact").into_iter().all(is_fact),
            "{at}: @fact"
        );
        let has_ruling = annotation(&policy, "ruling").is_some();
        assert!(
            !has_ruling || words("ruling").into_iter().all(is_ruling),
            "{at}: @ruling"
        );
    }
}

/// Names of the guards, as the spec has them.
fn guards_of_the_spec() -> BTreeSet<String> {
    let spec = ["guards", "guards-teams"].map(|file| text(&format!("policies/spec/{file}.cedar")));
    let lines = spec.iter().flat_map(|file| file.lines());
    let named = lines.filter_map(|line| line.strip_prefix("@guard(\"")?.strip_suffix("\")"));
    named.map(str::to_owned).collect()
}

#[test]
fn every_guard_is_marked_with_its_name_in_the_spec() {
    let mut marked = BTreeSet::new();
    for policy in everything() {
        let guard = annotation(&policy, "guard");
        // `guard.sandbox.target` is one of the guards called `sandbox`, `teams.two-roles` of `teams`.
        let mut words = policy.id.split('.');
        let expected = match words.next() {
            Some("guard") => words.next(),
            Some("teams") => Some("teams"),
            _ => None,
        };
        assert_eq!(guard, expected, "{}", policy.id);
        assert!(
            guard.is_none() || policy.effect == "forbid",
            "{}",
            policy.id
        );
        marked.extend(guard.map(str::to_owned));
    }
    assert_eq!(marked, guards_of_the_spec());
}

#[test]
fn rows_stand_in_the_order_of_the_table() {
    for edition in Edition::ALL {
        let order: Vec<String> = rows_of(edition).into_iter().map(|line| line.row).collect();
        let place = |row: &str| order.iter().position(|other| other == row).unwrap();
        let snapshot = compile(&edition.sources());
        for two in snapshot.policies().windows(2) {
            let [first, second] = two else { unreachable!() };
            let (rows, same_file) = (
                [first, second].map(|p| annotation(p, "row")),
                first.file == second.file,
            );
            if let ([Some(one), Some(other)], true) = (rows, same_file) {
                assert!(
                    place(one) <= place(other),
                    "{}: {one} before {other}",
                    first.file
                );
            }
        }
    }
}

#[test]
fn each_section_of_the_table_has_its_file() {
    let table = rows_of(Edition::Enterprise);
    let snapshot = compile(&Edition::Enterprise.sources());
    let mut rows = BTreeSet::new();
    for policy in snapshot.policies() {
        let Some(row) = annotation(policy, "row") else {
            continue;
        };
        let line = table.iter().find(|line| line.row == row).unwrap();
        let file = line.section.to_lowercase().replace(' ', "_");
        let stem = Path::new(&policy.file).file_stem().unwrap();
        assert_eq!(stem.to_str(), Some(file.as_str()), "{}", policy.id);
        rows.insert(row.to_owned());
    }
    let all: BTreeSet<String> = table.into_iter().map(|line| line.row).collect();
    assert_eq!(rows, all);
}

#[test]
fn a_policy_of_a_row_cites_lines_of_that_row() {
    let table = rows_of(Edition::Enterprise);
    let snapshot = compile(&Edition::Enterprise.sources());
    for policy in snapshot.policies() {
        let Some(row) = annotation(policy, "row") else {
            continue;
        };
        let lines = table.iter().filter(|line| line.row == row);
        let cited: BTreeSet<String> = lines
            .flat_map(|line| line.sources.split(';'))
            .map(str::to_owned)
            .collect();
        for source in annotation(policy, "source").unwrap().split(' ') {
            let source = source.replace("#L", ":L");
            assert!(
                cited.contains(&source),
                "{}: {source} is none of {cited:?}",
                policy.id
            );
        }
    }
}

#[test]
fn every_action_of_the_schema_has_cells_or_a_reason_to_have_no_row() {
    let snapshot = compile(&Edition::Enterprise.sources());
    let schema: serde_json::Value = serde_json::from_str(snapshot.schema_json().unwrap()).unwrap();
    let mut declared = BTreeSet::new();
    for (action, declaration) in schema[""]["actions"].as_object().unwrap() {
        for resource_type in declaration["appliesTo"]["resourceTypes"]
            .as_array()
            .unwrap()
        {
            declared.insert((action.clone(), resource_type.as_str().unwrap().to_owned()));
        }
    }
    assert_eq!(declared, questions());
    for line in without_row() {
        let mut reasons = line.facts.split(' ').filter(|id| !id.is_empty()).peekable();
        let mut rulings = line
            .rulings
            .split(';')
            .filter(|id| !id.is_empty())
            .peekable();
        let has_reason = reasons.peek().is_some() || rulings.peek().is_some();
        assert!(
            has_reason && reasons.all(is_fact) && rulings.all(is_ruling),
            "{line:?}"
        );
    }
}

#[test]
fn every_action_and_type_has_a_cell_for_every_role() {
    for edition in Edition::ALL {
        let cells = crate::tables::cells(edition);
        assert_eq!(cells.len(), questions().len() * 5, "{}", edition.name());
    }
}

/// Every overlay is independent of the others.
#[test]
fn overlays_may_be_compiled_together() {
    let mut sources = Edition::Enterprise.sources();
    for edition in Edition::ALL {
        for file in edition.policies() {
            if !sources.policies.contains(&file) {
                sources.policies.push(file);
            }
        }
    }
    let base = compile(&Edition::Enterprise.sources()).counts().policies;
    assert!(compile(&sources).counts().policies > base);
}
