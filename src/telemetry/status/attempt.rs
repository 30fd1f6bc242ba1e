//! One attempt to bring other sources into force, as a record: for the log, and for the status page.

use std::time::{Duration, SystemTime};

use crate::authz::{Finding, Kind};

/// What happened, from the first look to the last.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// When it ended.
    pub at: SystemTime,
    /// What began it.
    pub trigger: Trigger,
    /// Who wanted it, if an operator did and is known.
    pub by: Option<String>,
    /// The revision that was in force.
    pub from: Option<String>,
    /// The revision of the candidate, if it could be read.
    pub revision: Option<String>,
    /// How it ended.
    pub result: ReloadResult,
    /// How the candidate's files differ from those that were in force.
    pub changes: Changes,
    /// Why it was refused, or what should be looked at.
    pub findings: Vec<Finding>,
    /// How long each step took that was taken.
    pub took: Vec<(Phase, Duration)>,
}

/// What begins an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// An operator takes an edit that a gate refused.
    Accept,
    /// The file system said that something changed.
    Event,
    /// An operator holds a snapshot in force.
    Pin,
    /// It was time to look.
    Poll,
    /// The service starts.
    Start,
    /// An operator lets go of what was pinned.
    Unpin,
}

/// How an attempt ended; the `result` and `reason` labels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReloadResult {
    /// A new snapshot is in force.
    Applied,
    /// The candidate is good, and waits for the end of a pin.
    Held,
    /// The candidate was refused; the last good one stays.
    Rejected(Kind),
    /// What is in force stays, and nothing waits that did not wait before.
    Unchanged,
}

/// A step of a reload that is timed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Known queries are put to the candidate.
    Canary,
    /// The texts become a snapshot.
    Compile,
    /// The candidate is proved.
    Prove,
    /// The files are read.
    Read,
}

/// Names of files that differ.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// The first of them, in byte order.
    pub files: Vec<Changed>,
    /// How many more there are.
    pub more: usize,
}

/// A file that differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    /// How it differs.
    pub change: Change,
    /// As the operator would write it.
    pub name: String,
    /// The user that it belongs to, if it is still there.
    pub owner: Option<u32>,
}

/// How a file differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It was not there.
    Added,
    /// It has other content.
    Changed,
    /// It is not there any more.
    Removed,
}

impl Attempt {
    /// How long each step took, in milliseconds to the microsecond.
    pub fn durations_ms(&self) -> impl Iterator<Item = (Phase, f64)> {
        let took = self.took.iter();
        took.map(|(phase, took)| (*phase, took.as_micros() as f64 / 1e3))
    }
}

impl Trigger {
    /// Whether the files are looked at for it.
    pub fn looks(self) -> bool {
        match self {
            Self::Accept | Self::Pin | Self::Unpin => false,
            Self::Event | Self::Poll | Self::Start => true,
        }
    }

    /// The name in the log and on the status page.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accept => "accept",
            Self::Event => "event",
            Self::Pin => "pin",
            Self::Poll => "poll",
            Self::Start => "start",
            Self::Unpin => "unpin",
        }
    }
}

impl ReloadResult {
    /// The `result` and the `reason`, in metrics, in the log and on the status page.
    pub fn labels(self) -> [&'static str; 2] {
        match self {
            Self::Applied => ["applied", "none"],
            Self::Held => ["held", "pin"],
            Self::Rejected(kind) => ["rejected", kind.as_str()],
            Self::Unchanged => ["unchanged", "none"],
        }
    }
}

impl Phase {
    /// Every phase, in the order in which they follow each other.
    pub const ALL: [Self; 4] = [Self::Read, Self::Compile, Self::Canary, Self::Prove];

    /// The name in metrics, in the log and on the status page.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Canary => "canary",
            Self::Compile => "compile",
            Self::Prove => "prove",
            Self::Read => "read",
        }
    }
}

impl Change {
    /// The name in the log and on the status page.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Changed => "changed",
            Self::Removed => "removed",
        }
    }
}
