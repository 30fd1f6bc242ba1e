//! Tables: what each cell of the matrix must be, read from CSV, and where the policies differ.

use std::{
    collections::{HashMap, HashSet},
    fmt,
};

use crate::authz::{
    Cell, Finding, Kind, Rejection, SourceFile,
    finding::{self, MAX_TOLD},
};

use super::{Line, Matrix};

mod lines;

use lines::Spot;

const WAY_OUT: &str = "if the new cell is meant, change the table in the same edit; a folder with \
     more policies states the cells that they change in its own `tests/*.csv`";

/// What each cell of the matrix must be.
#[derive(Clone, Debug, Default)]
pub struct Table<'t> {
    /// The first file, which is to blame for what none of them says.
    first: &'t str,
    cells: Vec<Expected<'t>>,
    places: HashMap<Key, usize>,
}

/// Which cell: a row, a letter of CRUD where the row is split, and a role. The action and the type
/// are part of what a cell says: a row may be about several types.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    row_id: String,
    crud: String,
    role: String,
}

/// What a table says of one cell.
#[derive(Clone, Debug)]
struct Expected<'t> {
    key: Key,
    cedar_action: String,
    resource_type: String,
    scope: String,
    printed: Printed,
    spot: Spot<'t>,
}

/// What a table has of a cell for people: the documents' own words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Printed {
    /// What is printed in the cell: `cell`.
    pub cell: String,
    /// Where in the documents: `seed_ref`, as `002:L49`.
    pub seed_ref: String,
    /// The rulings that the cell rests on: `ruling`.
    pub rulings: Vec<String>,
}

impl<'t> Table<'t> {
    /// Reads tables as one; what a later file says of a cell counts. With an edition, only lines
    /// of that edition are taken.
    ///
    /// # Errors
    /// All that is wrong with the files, within what is told of one.
    pub fn read(files: &'t [SourceFile], edition: Option<&str>) -> Result<Self, Rejection> {
        let mut table = Self {
            first: files.first().map_or("", |file| file.name.as_str()),
            ..Self::default()
        };
        let mut findings = Vec::new();
        let mut room = lines::MAX_LINES;
        for file in files {
            if findings.len() >= MAX_TOLD {
                break;
            }
            match lines::read(file, edition, &mut room) {
                Ok(lines) => {
                    let lines = lines
                        .into_iter()
                        .map(|line| line.and_then(|it| table.put(it)));
                    let mut found = Vec::new();
                    finding::sifted(lines, &mut found);
                    findings.append(&mut found);
                }
                Err(found) => findings.extend(found),
            }
        }
        match Rejection::of(findings) {
            Some(rejection) => Err(rejection),
            None => Ok(table),
        }
    }

    /// How many cells it has.
    pub fn len(&self) -> usize {
        self.cells.len()
    }

    /// Whether it says nothing.
    pub fn is_empty(&self) -> bool {
        self.cells.is_empty()
    }

    /// What is printed for a cell, and whether the table says of it what the policies say; `None` if it
    /// says nothing.
    pub fn of(&self, matrix: &Matrix, line: &Line) -> Option<(&Printed, bool)> {
        let expected = self.cell(&Key::of(line))?;
        let differs = expected.difference(line, &matrix.words).is_some();
        Some((&expected.printed, !differs))
    }

    /// Takes a cell, in the place of what an earlier file said of it.
    fn put(&mut self, expected: Expected<'t>) -> Result<(), Finding> {
        let place = self.places.get(&expected.key);
        match place.and_then(|place| self.cells.get_mut(*place)) {
            Some(known) if std::ptr::eq(known.spot.file, expected.spot.file) => {
                let line = known.spot.start.1 + 1;
                let message = format!("line {line} says already what {} is", expected.key);
                Err(expected.spot.finding(Kind::Parse, message))
            }
            Some(known) => {
                *known = expected;
                Ok(())
            }
            None => {
                self.places.insert(expected.key.clone(), self.cells.len());
                self.cells.push(expected);
                Ok(())
            }
        }
    }

    /// What it says, cell by cell.
    pub(in crate::authz) fn cells(&self) -> impl Iterator<Item = Cell> {
        self.cells.iter().map(|it| Cell {
            row_id: it.key.row_id.clone(),
            crud: it.key.crud.clone(),
            role: it.key.role.clone(),
            action: it.cedar_action.clone(),
            resource_type: it.resource_type.clone(),
            scope: it.scope.clone(),
        })
    }

    fn cell(&self, key: &Key) -> Option<&Expected<'t>> {
        self.cells.get(*self.places.get(key)?)
    }
}

impl Matrix {
    /// Where the policies and a table differ: a finding for each cell, in the order of the matrix,
    /// then for those that only the table has. Empty if they agree.
    pub fn differences(&self, table: &Table<'_>) -> Vec<Finding> {
        let computed = self.lines.iter().filter_map(|line| {
            let key = Key::of(line);
            match table.cell(&key) {
                Some(expected) => expected.difference(line, &self.words),
                None => {
                    let message =
                        format!("{key}: the policies say {}, the table nothing", says(line));
                    let finding = Finding::error(Kind::Canary, table.first, message);
                    Some(finding.help("`palisade matrix --format csv` writes the line"))
                }
            }
        });
        let known: HashSet<Key> = self.lines.iter().map(Key::of).collect();
        let unknown = table.cells.iter().filter(|it| !known.contains(&it.key));
        let unknown = unknown.map(|it| {
            let message = format!("{}: not among the rows of the matrix", it.key);
            it.spot.finding(Kind::Canary, message)
        });
        computed.chain(unknown).collect()
    }
}

impl Key {
    fn of(line: &Line) -> Self {
        Self {
            row_id: line.row_id.clone(),
            crud: line.crud.clone(),
            role: line.role.clone(),
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [&self.row_id, &self.crud, &self.role].map(String::as_str);
        let parts = parts.into_iter().filter(|part| !part.is_empty());
        f.write_str(&parts.collect::<Vec<_>>().join(" "))
    }
}

impl Expected<'_> {
    fn difference(&self, line: &Line, words: &[String]) -> Option<Finding> {
        // Before anything else: two cells that no word describes are not the same.
        if !words.contains(&self.scope) {
            let message = format!("{}: unknown scope word `{}`", self.key, self.scope);
            let finding = self.spot.finding(Kind::Parse, message);
            return Some(finding.help(format!("the words are {}", words.join(", "))));
        }
        let said = (&self.cedar_action, &self.resource_type, &self.scope);
        if said == (&line.cedar_action, &line.resource_type, &line.scope) {
            return None;
        }
        let message = format!(
            "{}: the policies say {}, the table says `{} {} {}`",
            self.key,
            says(line),
            self.cedar_action,
            self.resource_type,
            self.scope,
        );
        Some(self.spot.finding(Kind::Canary, message).help(WAY_OUT))
    }
}

/// What the policies say of a cell.
fn says(line: &Line) -> String {
    let said = format!(
        "`{} {} {}`",
        line.cedar_action, line.resource_type, line.scope
    );
    match &line.note {
        Some(note) => format!("{said} ({note})"),
        None => said,
    }
}
