//! What the process that proves answers, as one line of JSON, and what that means.

use std::collections::{BTreeMap, HashSet};

use serde::{Deserialize, Serialize};

use crate::authz::{Cell, Finding, Key, Kind, Place, Severity};

/// What came of a job.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Told {
    findings: Vec<ToldFinding>,
    cells: Vec<ToldCell>,
    proved: Vec<String>,
    asked: usize,
    obligations: usize,
}

#[derive(Debug, Serialize, Deserialize)]
struct ToldFinding {
    kind: String,
    warning: bool,
    file: String,
    place: Option<ToldPlace>,
    message: String,
    label: Option<String>,
    help: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
struct ToldPlace {
    line: usize,
    column: usize,
    length: usize,
    source_line: String,
    hidden: usize,
}

#[derive(Debug, Serialize, Deserialize)]
struct ToldCell {
    row_id: String,
    crud: String,
    role: String,
    state: ToldState,
    note: Option<String>,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
enum ToldState {
    Proved,
    Refuted,
    Unknown,
}

/// How the proof of a cell ended; the worst comes last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CellVerdict {
    /// It is so, whatever is stored.
    Proved,
    /// Nobody could say.
    Unknown,
    /// It is not so.
    Refuted,
}

/// A cell of the table, by row, letter and column.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CellName {
    /// The row, as `T05`.
    pub row_id: String,
    /// `C`, `R`, `U` or `D`, or empty.
    pub crud: String,
    /// The column.
    pub role: String,
}

/// What came of proving in another process.
#[derive(Debug, Default)]
pub struct Outcome {
    /// What is not proved, with a counterexample where there is one.
    pub findings: Vec<Finding>,
    /// The cells, if they were asked for, each with why it is not proved.
    pub cells: BTreeMap<CellName, (CellVerdict, Option<String>)>,
    /// How many claims were put to the solver.
    pub asked: usize,
    /// How many there were, known ones included.
    pub obligations: usize,
    pub(super) proved: HashSet<Key>,
}

impl From<Outcome> for Told {
    fn from(outcome: Outcome) -> Self {
        let cell = |(name, (verdict, note)): (CellName, (CellVerdict, Option<String>))| ToldCell {
            row_id: name.row_id,
            crud: name.crud,
            role: name.role,
            state: match verdict {
                CellVerdict::Proved => ToldState::Proved,
                CellVerdict::Refuted => ToldState::Refuted,
                CellVerdict::Unknown => ToldState::Unknown,
            },
            note,
        };
        Self {
            findings: outcome
                .findings
                .into_iter()
                .map(ToldFinding::from)
                .collect(),
            cells: outcome.cells.into_iter().map(cell).collect(),
            proved: outcome.proved.iter().map(hex).collect(),
            asked: outcome.asked,
            obligations: outcome.obligations,
        }
    }
}

impl From<Told> for Outcome {
    fn from(told: Told) -> Self {
        let cell = |cell: ToldCell| {
            let verdict = match cell.state {
                ToldState::Proved => CellVerdict::Proved,
                ToldState::Refuted => CellVerdict::Refuted,
                ToldState::Unknown => CellVerdict::Unknown,
            };
            let name = CellName {
                row_id: cell.row_id,
                crud: cell.crud,
                role: cell.role,
            };
            (name, (verdict, cell.note))
        };
        Self {
            findings: told.findings.into_iter().map(Finding::from).collect(),
            cells: told.cells.into_iter().map(cell).collect(),
            proved: told.proved.iter().filter_map(|it| key(it)).collect(),
            asked: told.asked,
            obligations: told.obligations,
        }
    }
}

impl From<Finding> for ToldFinding {
    fn from(finding: Finding) -> Self {
        let place = |it: Place| ToldPlace {
            line: it.line,
            column: it.column,
            length: it.length,
            source_line: it.source_line,
            hidden: it.hidden,
        };
        Self {
            kind: finding.kind.as_str().to_owned(),
            warning: finding.severity == Severity::Warning,
            file: finding.file,
            place: finding.place.map(place),
            message: finding.message,
            label: finding.label,
            help: finding.help,
        }
    }
}

impl From<ToldFinding> for Finding {
    fn from(told: ToldFinding) -> Self {
        // Spec and invariants are read there, and nobody else reads them before.
        let kinds = [Kind::Parse, Kind::Validate];
        let kind = kinds.into_iter().find(|kind| kind.as_str() == told.kind);
        let place = |it: ToldPlace| Place {
            line: it.line.max(1),
            column: it.column.max(it.hidden.saturating_add(1)),
            length: it.length.max(1),
            source_line: it.source_line,
            hidden: it.hidden,
        };
        Self {
            kind: kind.unwrap_or(Kind::Proof),
            severity: match told.warning {
                true => Severity::Warning,
                false => Severity::Error,
            },
            file: told.file,
            place: told.place.map(place),
            message: told.message,
            label: told.label,
            help: told.help,
        }
    }
}

impl From<&Cell> for CellName {
    fn from(cell: &Cell) -> Self {
        Self {
            row_id: cell.row_id.clone(),
            crud: cell.crud.clone(),
            role: cell.role.clone(),
        }
    }
}

pub(super) fn hex(key: &Key) -> String {
    key.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The key that is written like this, if it is one.
pub(super) fn key(text: &str) -> Option<Key> {
    let mut key = Key::default();
    if text.len() != 2 * key.len() || !text.is_ascii() {
        return None;
    }
    for (place, byte) in key.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * place..2 * place + 2)?, 16).ok()?;
    }
    Some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outcome_arrives_as_it_was_sent() {
        let text = "permit (principal, action, resource);";
        let name = CellName {
            row_id: "T05".to_owned(),
            crud: "C".to_owned(),
            role: "Owner".to_owned(),
        };
        let finding = Finding::error(Kind::Proof, "a.cedar", "not so").at(text, 8, 9);
        let sent = Outcome {
            findings: vec![
                finding.help("look"),
                Finding::error(Kind::Parse, "i.cedar", "no"),
            ],
            cells: BTreeMap::from([(name, (CellVerdict::Refuted, Some("why".to_owned())))]),
            asked: 3,
            obligations: 4,
            proved: HashSet::from([[7; 32], [255; 32]]),
        };
        let (findings, cells, proved) = (
            sent.findings.clone(),
            sent.cells.clone(),
            sent.proved.clone(),
        );
        let line = serde_json::to_string(&Told::from(sent)).unwrap();
        let got = Outcome::from(serde_json::from_str::<Told>(&line).unwrap());
        assert_eq!(
            (got.findings, got.cells, got.proved),
            (findings, cells, proved)
        );
        assert_eq!((got.asked, got.obligations), (3, 4));
    }

    #[test]
    fn what_is_no_key_is_left_out() {
        assert_eq!(key(&hex(&[171; 32])), Some([171; 32]));
        for text in ["", "ab", &"g".repeat(64), &"é".repeat(32)] {
            assert_eq!(key(text), None);
        }
    }
}
