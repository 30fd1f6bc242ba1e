//! The matrix with what is behind it and what a candidate would change, gathered once for whichever
//! format shows it.

use std::collections::BTreeMap;

use crate::{
    authz::{Detail, Details, Line, Matrix, Rejection, Snapshot},
    store::Candidates,
    telemetry::{CellKey, Reading, Standing},
};

use super::{
    deadline::{self, Deadline},
    reply::Refusal,
};

mod question;

pub(super) use question::Question;

/// The matrix of a snapshot, and all that is known of each cell.
#[derive(Debug)]
pub(super) struct Computed<'s> {
    pub(super) snapshot: &'s Snapshot,
    pub(super) matrix: &'s Matrix,
    details: Details,
    /// One for each line of the matrix.
    sure: Vec<(Standing, Option<String>)>,
    pub(super) against: Option<Against>,
}

/// One cell of the matrix.
#[derive(Clone, Copy, Debug)]
pub(super) struct CellOf<'c> {
    pub(super) line: &'c Line,
    pub(super) detail: &'c Detail,
    pub(super) standing: Standing,
    /// Why it stands so.
    pub(super) note: Option<&'c str>,
    /// What a candidate would make of it, if that is something else.
    pub(super) next: Option<&'c Line>,
}

/// Why there is no matrix.
#[derive(Debug)]
pub(super) enum Missing {
    Broken(Rejection),
    NoSpec,
}

/// What a candidate would change.
#[derive(Debug)]
pub(super) struct Against {
    pub(super) name: String,
    /// Its revision, with changed lines by their place; or why it cannot be in force.
    pub(super) outcome: Result<(String, BTreeMap<usize, Line>), Rejection>,
}

impl<'s> Computed<'s> {
    /// Gathers everything. Takes as long as the matrix does, twice.
    ///
    /// # Errors
    /// The time is up.
    pub(super) fn of(
        snapshot: &'s Snapshot,
        reading: &Reading,
        deadline: &Deadline,
    ) -> Result<Result<Self, Missing>, Refusal> {
        let matrix = match snapshot.matrix() {
            Ok(Some(matrix)) => matrix,
            Ok(None) => return Ok(Err(Missing::NoSpec)),
            Err(rejection) => return Ok(Err(Missing::Broken(rejection.clone()))),
        };
        let details = match snapshot.matrix_details(|| deadline.check().is_ok()) {
            Ok(Some(details)) => details,
            Ok(None) => return Err(deadline::out_of_time()),
            Err(rejection) => return Ok(Err(Missing::Broken(rejection))),
        };
        let revision = snapshot.revision().as_str();
        let cells = matrix.lines.iter().zip(&details.cells);
        let sure = cells.map(|(line, detail)| {
            let key = CellKey {
                row_id: line.row_id.clone(),
                crud: line.crud.clone(),
                role: line.role.clone(),
            };
            let (standing, note) = reading.standing(revision, &key, detail.as_printed);
            (standing, note.map(str::to_owned))
        });
        Ok(Ok(Self {
            sure: sure.collect(),
            snapshot,
            matrix,
            details,
            against: None,
        }))
    }

    /// Compares with the candidate of that name.
    ///
    /// # Errors
    /// None is called so, or the time is up.
    pub(super) fn compare(
        &mut self,
        candidates: &dyn Candidates,
        name: &str,
        deadline: &Deadline,
    ) -> Result<(), Refusal> {
        let compiled = candidates
            .compile(name)
            .ok_or_else(|| Refusal::unknown_candidate(name, &candidates.names()))?;
        deadline.check()?;
        let outcome = match compiled {
            Ok(candidate) => match candidate.matrix_while(|| deadline.check().is_ok()) {
                Some(Ok(other)) => {
                    let changes = other.map_or_else(Vec::new, |other| self.matrix.changes(other));
                    let changes = changes.into_iter();
                    let changes = changes.map(|(place, line)| (place, line.clone()));
                    Ok((candidate.revision().to_string(), changes.collect()))
                }
                Some(Err(rejection)) => Err(rejection.clone()),
                None => return Err(deadline::out_of_time()),
            },
            Err(rejection) => Err(rejection),
        };
        self.against = Some(Against {
            name: name.to_owned(),
            outcome,
        });
        Ok(())
    }

    /// Every cell, in the order of the matrix.
    pub(super) fn cells(&self) -> impl Iterator<Item = CellOf<'_>> {
        let changes = self
            .against
            .as_ref()
            .and_then(|it| it.outcome.as_ref().ok());
        let cells = self.matrix.lines.iter().zip(&self.details.cells);
        let cells = cells.zip(&self.sure).enumerate();
        cells.map(move |(place, ((line, detail), (standing, note)))| CellOf {
            line,
            detail,
            standing: *standing,
            note: note.as_deref(),
            next: changes.and_then(|(_, changes)| changes.get(&place)),
        })
    }

    /// What a word means, in a sentence.
    pub(super) fn says(&self, word: &str) -> Option<&str> {
        let mut words = self.details.words.iter();
        let word = words.find(|it| it.name == word)?;
        word.says.as_deref()
    }

    /// The words that some cell has, `never` aside, in the order of the spec.
    pub(super) fn words(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        let used = |word: &str| {
            let is_of = |cell: CellOf<'_>| {
                cell.line.scope == word || cell.next.is_some_and(|it| it.scope == word)
            };
            self.cells().any(is_of)
        };
        let words = self.details.words.iter().filter(move |it| used(&it.name));
        words.map(|it| (it.name.as_str(), it.says.as_deref()))
    }

    /// The rulings that some cell names, with what they say, sorted.
    pub(super) fn rulings(&self) -> BTreeMap<&str, Option<&str>> {
        let named = self.details.cells.iter().flat_map(|it| &it.rulings);
        named.map(|id| (id.as_str(), self.ruling(id))).collect()
    }

    /// What a ruling says.
    pub(super) fn ruling(&self, id: &str) -> Option<&str> {
        self.details.rulings.get(id).map(String::as_str)
    }
}
