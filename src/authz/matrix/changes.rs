//! Cells that are not what they were.

use std::collections::{BTreeMap, BTreeSet};

use super::{Line, Matrix, NEVER};

/// A cell that is not what it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CellChange {
    /// The row, as `T05`.
    pub row_id: String,
    /// The label it is printed with.
    pub row_label: String,
    /// `C`, `R`, `U` or `D`, where the row is split.
    pub crud: String,
    /// The column.
    pub role: String,
    /// The action that is asked.
    pub action: String,
    /// What it was; none if there was no such cell.
    pub before: Option<CellWord>,
    /// What it is.
    pub after: Option<CellWord>,
}

/// What a cell says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CellWord {
    /// The scope word and where it holds, as `organization on Project`.
    pub word: String,
    /// What is nearest to a cell that no word describes: two of these are not the same.
    pub note: Option<String>,
}

impl Matrix {
    /// The cells that are not what they were in another matrix, in the order of this one; then those
    /// that it does not have.
    pub fn cell_changes(&self, before: &Self) -> Vec<CellChange> {
        let mut old: BTreeMap<_, &Line> = before.lines.iter().map(|it| (it.cell(), it)).collect();
        let mut changes = Vec::new();
        let known: BTreeSet<_> = self.lines.iter().map(Line::cell).collect();
        for line in &self.lines {
            let was = old.remove(&line.cell()).map(Line::said);
            if was.as_ref() != Some(&line.said()) {
                changes.push(line.change(was, Some(line.said())));
            }
        }
        let gone = before.lines.iter().filter(|it| !known.contains(&it.cell()));
        changes.extend(gone.map(|line| line.change(Some(line.said()), None)));
        changes
    }
}

impl Line {
    fn cell(&self) -> [&str; 3] {
        [&self.row_id, &self.crud, &self.role]
    }

    fn said(&self) -> CellWord {
        let word = match self.scope.as_str() {
            NEVER => NEVER.to_owned(),
            scope => format!("{scope} on {}", self.resource_type),
        };
        CellWord {
            word,
            note: self.note.clone(),
        }
    }

    fn change(&self, before: Option<CellWord>, after: Option<CellWord>) -> CellChange {
        CellChange {
            row_id: self.row_id.clone(),
            row_label: self.row_label.clone(),
            crud: self.crud.clone(),
            role: self.role.clone(),
            action: self.cedar_action.clone(),
            before,
            after,
        }
    }
}
