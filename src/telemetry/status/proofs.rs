//! What is proved of the cells of the matrix, and what that makes of each cell for who looks at it.

use std::{collections::BTreeMap, time::SystemTime};

use super::Reading;

/// What was proved of the cells of one revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CellProofs {
    /// The revision that the proofs are about; they say nothing of another.
    pub revision: String,
    /// When they were done.
    pub at: SystemTime,
    /// Cells without an entry were not looked at.
    pub cells: BTreeMap<CellKey, CellProof>,
}

/// Which cell: a row, a letter of CRUD where the row is split, and a role.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CellKey {
    /// The row, as `T05`.
    pub row_id: String,
    /// `C`, `R`, `U` or `D`, or empty.
    pub crud: String,
    /// The column.
    pub role: String,
}

/// What came of the proof of one cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CellProof {
    /// How it ended.
    pub state: CellState,
    /// Why, as a counterexample or a time that was not enough.
    pub note: Option<String>,
}

/// How a proof ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CellState {
    /// The word holds in exactly what the policies permit, whatever is stored.
    Proved,
    /// It does not.
    Refuted,
    /// Nobody could say.
    Unknown,
}

/// How sure one may be of a cell. The least sure comes last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// It is proved for whatever is stored.
    Proved,
    /// It is what the table says, in the situations of the spec.
    Tested,
    /// Nothing says what it must be, or a proof came to no end.
    Unknown,
    /// It is not what the table says, or a proof found where it does not hold.
    Refuted,
}

impl Standing {
    /// The name on pages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Proved => "proved",
            Self::Refuted => "refuted",
            Self::Tested => "tested",
            Self::Unknown => "unknown",
        }
    }
}

impl Reading {
    /// How sure one may be of a cell of this revision, and why. `as_printed` is whether the table says
    /// of it what the policies say, if it says anything.
    pub fn standing(
        &self,
        revision: &str,
        key: &CellKey,
        as_printed: Option<bool>,
    ) -> (Standing, Option<&str>) {
        // Proofs are about what the table says, and the cell shows what the policies say.
        if as_printed == Some(false) {
            return (Standing::Refuted, Some("the table says something else"));
        }
        let proofs = self.proofs.as_ref();
        let proofs = proofs.filter(|proofs| proofs.revision == revision);
        if let Some(proof) = proofs.and_then(|proofs| proofs.cells.get(key)) {
            let standing = match proof.state {
                CellState::Proved => Standing::Proved,
                CellState::Refuted => Standing::Refuted,
                CellState::Unknown => Standing::Unknown,
            };
            return (standing, proof.note.as_deref());
        }
        match as_printed {
            Some(_) => (Standing::Tested, None),
            None => (Standing::Unknown, Some("no table says what it must be")),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use crate::telemetry::Status;

    use super::*;

    fn key(role: &str) -> CellKey {
        CellKey {
            row_id: "T05".to_owned(),
            crud: "C".to_owned(),
            role: role.to_owned(),
        }
    }

    fn reading(revision: &str) -> Reading {
        let states = [
            ("Owner", CellState::Proved),
            ("Manager", CellState::Refuted),
            ("Reviewer", CellState::Unknown),
        ];
        let cells = states.map(|(role, state)| {
            let note = Some("because".to_owned());
            (key(role), CellProof { state, note })
        });
        let status = Status::new();
        status.set_proofs(Arc::new(CellProofs {
            revision: revision.to_owned(),
            at: SystemTime::UNIX_EPOCH,
            cells: BTreeMap::from(cells),
        }));
        status.read()
    }

    #[track_caller]
    fn check(revision: &str, role: &str, as_printed: Option<bool>, expected: Standing) {
        let reading = reading(revision);
        let (standing, _) = reading.standing("abc", &key(role), as_printed);
        assert_eq!(standing, expected);
    }

    #[test]
    fn a_proof_of_the_revision_counts_before_the_table() {
        check("abc", "Owner", None, Standing::Proved);
        check("abc", "Owner", Some(true), Standing::Proved);
        check("abc", "Manager", Some(true), Standing::Refuted);
        check("abc", "Reviewer", Some(true), Standing::Unknown);
        let reading = reading("abc");
        let (_, note) = reading.standing("abc", &key("Manager"), None);
        assert_eq!(note, Some("because"));
    }

    #[test]
    fn what_the_table_says_otherwise_is_never_called_proved() {
        check("abc", "Owner", Some(false), Standing::Refuted);
    }

    #[test]
    fn without_a_proof_the_table_says_how_sure_one_may_be() {
        for revision in ["abc", "of another revision"] {
            check(revision, "Annotator", Some(true), Standing::Tested);
            check(revision, "Annotator", Some(false), Standing::Refuted);
            check(revision, "Annotator", None, Standing::Unknown);
        }
    }

    #[test]
    fn proofs_of_another_revision_say_nothing() {
        check("of another revision", "Owner", Some(true), Standing::Tested);
        check("of another revision", "Manager", None, Standing::Unknown);
    }
}
