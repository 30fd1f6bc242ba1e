//! The lines of a table: bytes of CSV to what is said of cells, each with its place.

use csv::{ReaderBuilder, StringRecord};

use crate::authz::{Finding, Kind, SourceFile, text};

use super::{Expected, Key, Printed};

/// How many lines all tables may have together: twenty-five times those of the editions that ship.
pub(super) const MAX_LINES: usize = 10_000;

/// How long a table may be: 400 bytes for each line, four times what those that ship have.
const MAX_BYTES: usize = 4 << 20;

/// The columns that are read, in the order of [`Columns`].
const COLUMNS: [&str; 6] = [
    "row_id",
    "crud",
    "role",
    "cedar_action",
    "resource_type",
    "scope",
];

/// The columns that are for people, where there are any.
const PRINTED: [&str; 3] = ["cell", "seed_ref", "ruling"];

/// The column that is read where only the lines of one edition count.
const EDITION: &str = "edition";

const FORMAT: &str = "a table is CSV with a header; its columns `row_id`, `crud`, `role`, \
     `cedar_action`, `resource_type` and `scope` are read, all others are for people";

/// Where a line stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spot<'t> {
    pub(super) file: &'t SourceFile,
    text: &'t str,
    /// Where in the text it starts, and how many lines end before.
    pub(super) start: (usize, usize),
    length: usize,
}

/// Where the columns stand, as the header says.
struct Columns<'e> {
    read: [usize; COLUMNS.len()],
    printed: [Option<usize>; PRINTED.len()],
    edition: Option<(usize, &'e str)>,
    count: usize,
}

/// The lines of a file that count, and what is wrong with others.
pub(super) fn read<'t>(
    file: &'t SourceFile,
    edition: Option<&str>,
    room: &mut usize,
) -> Result<Vec<Result<Expected<'t>, Finding>>, Vec<Finding>> {
    let text = text::utf8(file)?;
    let refused = |message: String| vec![Finding::error(Kind::Parse, &file.name, message)];
    if text.len() > MAX_BYTES {
        return Err(refused(format!("a table of more than {MAX_BYTES} bytes")));
    }
    // How many fields a line has is ours to say, with its place.
    let mut reader = ReaderBuilder::new()
        .flexible(true)
        .from_reader(text.as_bytes());
    let header = reader
        .headers()
        .map_err(|error| refused(error.to_string()))?;
    let columns = Columns::of(header, edition).map_err(|message| {
        let finding = Finding::error(Kind::Parse, &file.name, message);
        vec![finding.at_line(text, 1, 1).help(FORMAT)]
    })?;
    let mut lines = Vec::new();
    let mut start = (0, 0);
    for record in reader.records() {
        let record = record.map_err(|error| refused(error.to_string()))?;
        let Some(left) = room.checked_sub(1) else {
            let message = format!("with this file the tables have more than {MAX_LINES} lines");
            return Err(refused(message));
        };
        *room = left;
        let spot = Spot::of(&record, file, text, start);
        start = spot.start;
        lines.extend(columns.line(&record, spot).transpose());
    }
    Ok(lines)
}

impl<'t> Spot<'t> {
    /// Where a record stands that is behind a place with so many lines before it.
    fn of(
        record: &StringRecord,
        file: &'t SourceFile,
        text: &'t str,
        known: (usize, usize),
    ) -> Self {
        let offset = record.position().map_or(0, |it| it.byte());
        let offset = usize::try_from(offset).unwrap_or_default();
        let rest = text.get(offset..).unwrap_or_default();
        // Empty lines, and what is left of the end of the last one, count to the record.
        let rest = rest.trim_start_matches(['\r', '\n']);
        let offset = text::offset_in(text, rest);
        Self {
            file,
            text,
            start: (offset, known.1 + text::newlines(text, known.0, offset)),
            length: rest.lines().next().map_or(0, str::len),
        }
    }

    pub(super) fn finding(&self, kind: Kind, message: String) -> Finding {
        let finding = Finding::error(kind, &self.file.name, message);
        finding.at_behind(self.start, self.text, self.start.0, self.length)
    }
}

impl<'e> Columns<'e> {
    fn of(header: &StringRecord, edition: Option<&'e str>) -> Result<Self, String> {
        let at = |name: &str| {
            let mut named = (0..).zip(header).filter(|(_, it)| *it == name);
            match (named.next(), named.next()) {
                (Some((at, _)), None) => Ok(at),
                (Some(_), Some(_)) => Err(format!("two columns are called `{name}`")),
                (None, _) => Err(format!("there is no column `{name}`")),
            }
        };
        let mut read = [0; COLUMNS.len()];
        for (column, name) in read.iter_mut().zip(COLUMNS) {
            *column = at(name)?;
        }
        let edition = edition.map(|edition| at(EDITION).map(|at| (at, edition)));
        Ok(Self {
            read,
            printed: PRINTED.map(|name| at(name).ok()),
            edition: edition.transpose()?,
            count: header.len(),
        })
    }

    /// What a line says; `None` if it is about another edition.
    fn line<'t>(
        &self,
        record: &StringRecord,
        spot: Spot<'t>,
    ) -> Result<Option<Expected<'t>>, Finding> {
        if record.len() != self.count {
            let message = format!(
                "{} fields where the header has {}",
                record.len(),
                self.count
            );
            return Err(spot.finding(Kind::Parse, message).help(FORMAT));
        }
        if self
            .edition
            .is_some_and(|(at, edition)| record.get(at) != Some(edition))
        {
            return Ok(None);
        }
        let said = self
            .read
            .map(|at| record.get(at).unwrap_or_default().to_owned());
        let [mut row_id, crud, role, cedar_action, resource_type, scope] = said;
        // What has no row is known by what it is about.
        if row_id.is_empty() {
            row_id = format!("{cedar_action} {resource_type}");
        }
        let printed = self
            .printed
            .map(|at| at.and_then(|at| record.get(at)).unwrap_or_default());
        let [cell, seed_ref, rulings] = printed;
        Ok(Some(Expected {
            key: Key { row_id, crud, role },
            cedar_action,
            resource_type,
            scope,
            printed: Printed {
                cell: cell.to_owned(),
                seed_ref: seed_ref.to_owned(),
                rulings: rulings.split_terminator(';').map(str::to_owned).collect(),
            },
            spot,
        }))
    }
}
