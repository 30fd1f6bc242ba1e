//! `palisade matrix`: who may do what, row by row, and whether that is what a table says.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::{
    authz::{self, Snapshot, Table},
    config::SourceArgs,
};

use super::{Exit, Failure, load, print};

mod oracle;

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
        let file = self.against.as_deref().map(oracle::read).transpose()?;
        let choice = self.sources.clone().resolve()?;
        let edition = choice.edition.unwrap_or_else(|| "enterprise".to_owned());
        let snapshot = load(self.sources)?;
        match &file {
            Some(file) => compare(&snapshot, &oracle::of_edition(file, &edition)?),
            None => write(&snapshot, self.format),
        }
    }
}

fn matrix(snapshot: &Snapshot) -> Result<&authz::Matrix, Failure> {
    match snapshot.matrix() {
        Ok(Some(matrix)) => Ok(matrix),
        Ok(None) => Err(Failure::usage(
            "these sources have no spec, so nobody knows what the rows are: name an edition",
        )),
        Err(rejection) => Err(rejection.clone().into()),
    }
}

fn write(snapshot: &Snapshot, format: Format) -> Result<Exit, Failure> {
    let matrix = matrix(snapshot)?;
    let text = match format {
        Format::Csv => matrix.to_csv(),
        Format::Json => matrix.to_json(),
        Format::Md => matrix.to_markdown(),
    };
    print(text.trim_end())?;
    Ok(Exit::Ok)
}

fn compare(snapshot: &Snapshot, table: &Table<'_>) -> Result<Exit, Failure> {
    let differences = matrix(snapshot)?.differences(table);
    if differences.is_empty() {
        let count = table.len();
        print(format_args!("{count} lines of the table, no difference"))?;
        return Ok(Exit::Ok);
    }
    let told: Vec<_> = differences.iter().map(|it| it.message.as_str()).collect();
    print(told.join("\n"))?;
    Ok(Exit::Difference)
}
