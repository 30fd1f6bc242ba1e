//! `palisade matrix`: who may do what, row by row, and whether that is what a table says.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::{authz::Snapshot, config::SourceArgs};

use super::{Exit, Failure, load};

mod oracle;

use oracle::Line;

/// Write the permission matrix of the policies, or compare it with a table
///
/// With `--against`, the lines of the table that are of the edition are compared with what the
/// policies decide; differences are written and the command exits with 1.
#[derive(Args, Debug)]
pub(super) struct Matrix {
    #[command(flatten)]
    sources: SourceArgs,
    /// How to write it
    #[arg(long, value_enum, default_value_t = Format::Md)]
    format: Format,
    /// Compare with this table (CSV) instead of writing
    #[arg(long, value_name = "TABLE")]
    against: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    Csv,
    Json,
    Md,
}

impl Matrix {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        let table = self.against.as_deref().map(oracle::read).transpose()?;
        let choice = self.sources.clone().resolve()?;
        let edition = choice.edition.unwrap_or_else(|| "enterprise".to_owned());
        let snapshot = load(self.sources)?;
        match table {
            Some(lines) => compare(&snapshot, &oracle::of_edition(lines, &edition)),
            None => write(&snapshot, self.format),
        }
    }
}

fn write(_snapshot: &Snapshot, _format: Format) -> Result<Exit, Failure> {
    Err(Failure::runtime("the matrix is not built in yet"))
}

fn compare(_snapshot: &Snapshot, _lines: &[Line]) -> Result<Exit, Failure> {
    Err(Failure::runtime("the matrix is not built in yet"))
}
