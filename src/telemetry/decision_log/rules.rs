//! What is logged of decisions, where, and what becomes of records that find no place.

use std::{fmt, io, path::PathBuf};

use crate::telemetry::Check;

/// Where records go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogTarget {
    /// To the end of this file, which is made if there is none.
    File(PathBuf),
    /// To standard output.
    Stdout,
}

/// What a record looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordFormat {
    /// One JSON object of our own.
    Json,
    /// An event of OCSF 1.0 as JSON.
    Ocsf,
}

/// What happens to a record for which the queue has no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overflow {
    /// The decision waits for a place: no answer without its record.
    Block,
    /// It is dropped and counted: no answer waits.
    Drop,
}

/// Why a record is in no log; the `reason` label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dropped {
    /// It found no place.
    QueueFull,
    /// It could not be written before the end.
    Shutdown,
}

/// What is logged, and where.
#[derive(Clone, Debug)]
pub struct LogRules {
    /// Where records go.
    pub target: LogTarget,
    /// What they look like.
    pub format: RecordFormat,
    /// What happens if they come faster than they are written.
    pub overflow: Overflow,
    /// How many bytes of records may wait.
    pub queue_bytes: usize,
    /// Which part of the allows is written, from 0 to 1. Denials always are.
    pub allows: f64,
    /// The keys of the context that are written; nothing else of it is.
    pub context: Vec<String>,
    /// Whether the properties and entities that came with a question are written.
    pub entities: bool,
}

/// Why there is no decision log.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The file cannot be opened.
    #[error("the decision log `{target}` cannot be opened: {source}")]
    Open {
        /// Where records should have gone.
        target: LogTarget,
        /// The system's error.
        source: io::Error,
    },
    /// No thread can be made for it.
    #[error("the decision log has no thread: {0}")]
    Thread(#[source] io::Error),
    /// The first line cannot be written, and no decision may go without one.
    #[error(
        "the decision log `{target}` cannot be written: {source}; with \
         `--decision-log-overflow=drop` answers would be given all the same"
    )]
    Write {
        /// Where records should have gone.
        target: LogTarget,
        /// The system's error.
        source: io::Error,
    },
}

impl Overflow {
    /// How it stands about the service if records cannot be written.
    pub(super) fn check(self, why: String) -> Check {
        match self {
            Self::Block => Check::Failed(why),
            Self::Drop => Check::Degraded(why),
        }
    }
}

impl Dropped {
    /// Every reason.
    pub const ALL: [Self; 2] = [Self::QueueFull, Self::Shutdown];

    /// The `reason` label.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::QueueFull => "queue_full",
            Self::Shutdown => "shutdown",
        }
    }
}

impl fmt::Display for LogTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Stdout => f.write_str("stdout"),
        }
    }
}
