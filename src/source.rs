//! Folders to [`Sources`], read whole, and the loop that looks again when they change.
//!
//! Nothing here decides what is valid: this module reads bytes, the core compiles them, and the
//! [`Reloader`] is the one writer that puts the result in force.

use std::path::PathBuf;

use crate::authz::{Rejection, Snapshot, Sources};

mod candidates;
mod cells;
mod changes;
mod compile;
mod editions;
mod gates;
mod interest;
mod log;
mod proving;
mod publication;
mod read;
mod reload;
mod scan;
mod watch;

pub use candidates::CandidateFolders;
pub use editions::{EditionError, Selection, editions};
pub use gates::{Gate, Gates, rehearse};
pub use proving::Proving;
pub use reload::{ReloadRules, Reloader, Running};

/// Where everything is read from. Paths are as the operator wrote them, relative to `root`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourceSpec {
    /// The folder that relative paths start from.
    pub root: PathBuf,
    /// Policy files and folders, in reading order.
    pub policies: Vec<PathBuf>,
    /// The schema file.
    pub schema: Option<PathBuf>,
    /// The file of data conditions.
    pub conditions: Option<PathBuf>,
    /// Entity files and folders, in reading order.
    pub entities: Vec<PathBuf>,
    /// What the matrix needs to know, files and folders.
    pub spec: Vec<PathBuf>,
    /// What must hold of the policies whatever they say, files and folders.
    pub invariants: Vec<PathBuf>,
    /// Skip strict validation of the policies against the schema.
    pub skip_validation: bool,
}

impl SourceSpec {
    /// Reads everything, twice, and gives what both reads agree on. Blocks: not for an async task.
    ///
    /// # Errors
    /// Everything that cannot be read or is out of bounds, at once; and sources that never hold
    /// still for the time of two reads.
    pub fn read(&self) -> Result<Sources, Rejection> {
        read::settled_soon(self).1
    }

    /// Reads everything and compiles it, for commands that look once. Blocks.
    ///
    /// # Errors
    /// As [`SourceSpec::read`], and whatever the core refuses.
    pub fn load(&self) -> Result<Snapshot, Rejection> {
        self.read()
            .and_then(|sources| compile::compile(sources, None))
    }
}
