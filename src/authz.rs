//! The core: compile sources to a snapshot, parse a query against it, decide, search.
//!
//! Values and pure functions only: no IO, no clock, no async, no serde derives. Wire formats and
//! folders are somebody else's business; what comes in are texts and [`Json`] trees.

mod answer;
mod canary;
mod cedar_query;
mod coerce;
mod compile;
mod conditions;
mod engine;
mod expr;
mod finding;
mod hierarchy;
mod index;
mod inline;
mod json;
mod known;
mod matrix;
mod nesting;
mod notes;
mod numbered;
mod policies;
mod proof;
mod query;
mod rule;
mod schema;
mod search;
mod snapshot;
mod sources;
mod spec;
mod steps;
mod stored;
mod symbols;
mod table;
mod text;
mod uids;
mod value;
mod world;

pub use answer::{Answer, Decision, OnPolicyError, Outcome, PolicyError};
pub use canary::Rehearsal;
pub use cedar_query::{BadQuery, CedarEntities, CedarQuery};
pub use finding::{Finding, Kind, Place, Rejection, Severity};
pub use json::{Json, JsonError, Object};
pub use matrix::{
    CellChange, CellWord, Definition, Detail, Details, Example, Line, Matrix, Printed, Table, Word,
};
pub use nesting::EVALUATION_STACK_BYTES;
pub use notes::Diagnostics;
pub use policies::Valid;
pub use proof::{
    Asked, Cell, CellResult, Claim, Counterexample, Dead, Difference, Direction, Edit,
    InvariantResult, Key, Model, Obligation, Parts, PolicyChange, PolicyText, Presence, Proofs,
    Report, Result as ProofResult, ShapeChange, Subject, Verdict, Why, assumptions,
    invariant_names,
};
pub use query::{Query, RawAction, RawEntity, RawQuery};
pub use search::{Found, Narrowing, RawSearch, RawTarget, Search, Wanted};
pub use snapshot::{Counts, PolicyInfo, Snapshot};
pub use sources::{Revision, SourceFile, Sources};
pub use steps::telling;

/// The version of the Cedar SDK that decides, for metrics.
pub fn cedar_version() -> String {
    cedar_policy::get_sdk_version().to_string()
}
