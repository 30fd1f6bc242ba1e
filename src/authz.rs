//! The core: compile sources to a snapshot, parse a query against it, decide, explain.
//!
//! Values and pure functions only: no IO, no clock, no async, no serde derives. Wire formats and
//! folders are somebody else's business; what comes in are texts and [`Json`] trees.

mod answer;
mod finding;
mod json;
mod query;
mod snapshot;
mod sources;

pub use answer::{Answer, Decision, OnPolicyError, Outcome, PolicyError};
pub use finding::{Finding, Kind, Place, Rejection, Severity};
pub use json::{Json, JsonError, Object};
pub use query::{BadQuery, CedarEntities, CedarQuery, Query, RawAction, RawEntity, RawQuery};
pub use snapshot::{Counts, PolicyInfo, Snapshot};
pub use sources::{Revision, SourceFile, Sources};

/// The version of the Cedar SDK that decides, for metrics.
pub fn cedar_version() -> String {
    cedar_policy::get_sdk_version().to_string()
}
