//! Palisade: a policy-as-data authorization sidecar.
//!
//! Cedar policies, a schema and entities are compiled whole into an immutable
//! [`authz::Snapshot`], published by one writer, and asked over local HTTP.
//! `ARCHITECTURE.md` names the modules, the arrows between them and the invariants.

pub mod api;
pub mod authz;
pub mod cli;
pub mod config;
pub mod pdp;
pub mod prover;
pub mod server;
pub mod source;
pub mod store;
pub mod telemetry;
