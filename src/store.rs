//! The current snapshot: one publisher, many readers, one swap.

use std::{fmt::Debug, sync::Arc};

use arc_swap::{ArcSwapOption, Guard};

use crate::authz::{Rejection, Snapshot};

/// The only writer. There is one, because it cannot be cloned.
#[derive(Debug)]
pub struct Publisher {
    current: Arc<ArcSwapOption<Snapshot>>,
}

/// Reads the snapshot in force, without locks.
#[derive(Clone, Debug)]
pub struct Reader {
    current: Arc<ArcSwapOption<Snapshot>>,
}

/// An empty store.
pub fn store() -> (Publisher, Reader) {
    let current = Arc::new(ArcSwapOption::empty());
    let reader = Reader {
        current: Arc::clone(&current),
    };
    (Publisher { current }, reader)
}

impl Publisher {
    /// Puts a snapshot in force; queries that began keep theirs.
    pub fn publish(&mut self, snapshot: Arc<Snapshot>) {
        self.current.store(Some(snapshot));
    }
}

impl Reader {
    /// The snapshot in force; `None` before the first is published.
    pub fn current(&self) -> Option<Arc<Snapshot>> {
        self.current.load_full()
    }

    /// The snapshot in force, for a moment: costs less than [`Reader::current`], which counts in
    /// memory that all threads share.
    pub fn borrow(&self) -> Borrowed {
        Borrowed(self.current.load())
    }
}

/// What [`Reader::borrow`] found.
#[derive(Debug)]
pub struct Borrowed(Guard<Option<Arc<Snapshot>>>);

impl Borrowed {
    /// The snapshot; `None` before the first is published.
    pub fn snapshot(&self) -> Option<&Snapshot> {
        self.0.as_deref()
    }
}

/// Policies that are not in force, to be compared with those that are. Who asks names no path.
pub trait Candidates: Debug + Send + Sync {
    /// What they are called, sorted.
    fn names(&self) -> Vec<String>;

    /// Reads and compiles one of them with everything else as it is served; `None` if none is called
    /// so. Blocks for as long as a start takes.
    fn compile(&self, name: &str) -> Option<Result<Snapshot, Rejection>>;
}

/// What an operator may put in force by hand. Each call returns when it is done, and names who wants
/// it, if that is known.
pub trait Override: Debug + Send + Sync {
    /// Puts a snapshot that is kept in force, and holds it there, whatever the files say.
    ///
    /// # Errors
    /// It is not kept.
    fn pin(&self, revision: &str, by: Option<String>) -> Result<(), OverrideError>;

    /// Puts what the files say in force again. Without a pin there is nothing to do.
    ///
    /// # Errors
    /// What they say is refused, and what they said before is not in force.
    fn unpin(&self, by: Option<String>) -> Result<(), OverrideError>;

    /// Takes the edit that a gate refused last.
    ///
    /// # Errors
    /// It is another one, or a gate is not what refused it.
    fn accept(&self, revision: &str, by: Option<String>) -> Result<(), OverrideError>;
}

/// Why an operator's wish cannot be fulfilled.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OverrideError {
    /// What is refused is not valid.
    #[error("`{revision}` is not valid ({reason}): only what a gate refused can be accepted")]
    Invalid {
        /// The revision that was asked for.
        revision: String,
        /// Why it was refused.
        reason: &'static str,
    },
    /// It is not in memory.
    #[error("`{revision}` is not kept; these are: {}", kept.join(", "))]
    NotKept {
        /// The revision that was asked for.
        revision: String,
        /// Those that can be pinned, newest last.
        kept: Vec<String>,
    },
    /// The files say nothing that could be put in force.
    #[error(
        "the last edit is refused ({reason}), and `{latest}` is what the files said before it: mend \
         the files, or pin that"
    )]
    Refused {
        /// Why the last edit was refused.
        reason: &'static str,
        /// What the files said when they were last in order.
        latest: String,
    },
    /// It is not what was refused last.
    #[error("`{revision}` is not the edit that was refused last{}", named(refused.as_deref()))]
    NotRefused {
        /// The revision that was asked for.
        revision: String,
        /// The one that was refused, if there is one.
        refused: Option<String>,
    },
}

fn named(refused: Option<&str>) -> String {
    refused.map_or_else(
        || ": no edit is refused".to_owned(),
        |it| format!(", which is `{it}`"),
    )
}
