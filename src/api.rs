//! Wire formats, one file each, and the two handlers that the server runs.
//!
//! An endpoint's file owns its wire types and turns them into the core's questions; what all
//! endpoints share (bodies, error answers, request ids) is here beside them.

use std::time::Duration;

use http_body_util::Full;
use hyper::{
    Request, Response,
    body::{Bytes, Incoming},
};

mod access;
mod admin;
mod authzen;
mod body;
mod cedar;
mod computed;
mod deadline;
mod decisions;
mod exchange;
mod offload;
mod page;
mod proxy;
mod reply;
mod room;

pub use access::{BadCredentials, CredentialPlace, CredentialSet, Credentials, Peer};
pub use admin::Admin;
pub use authzen::{AuthzenOptions, BadPublicUrl, BatchDefaults, PublicUrl};
pub use decisions::Decisions;
pub use proxy::{BadMapping, Gateway, GatewayMapping};

/// Answers requests; what a listener runs.
pub trait Handler: Send + Sync + 'static {
    /// Answers one request of this caller. Every request has an answer.
    fn handle(
        &self,
        request: Request<Incoming>,
        peer: &Peer,
    ) -> impl Future<Output = Response<Full<Bytes>>> + Send;
}

/// What a caller may ask for at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Longest request body we read. A query with a large context is about 4 KiB; 1 MiB leaves
    /// room for a batch of thousands without letting one caller hold more of the machine.
    pub body_bytes: usize,
    /// How long a body may take to arrive. A body within the cap crosses any link a sidecar has
    /// in well under a second; ten seconds separate a slow caller from one that holds us up.
    pub body_timeout: Duration,
    /// Most memory that long bodies and long answers take together, over all connections: while
    /// they are read, wait for their turn, and are written. What is shorter than 16 KiB does not
    /// count. Room for sixty of the largest bodies at once is more than a sidecar's callers send,
    /// and what a sidecar's memory allows.
    pub held_bytes: usize,
    /// Most queries in one batch: more does not fit into the body cap unless they share nearly
    /// everything. With the policies that ship, as many short questions take about 60 ms.
    pub batch: usize,
    /// Most candidates that one page of a search evaluates. With the policies that ship, so many
    /// take a second or two; whoever wants more goes on with the next page.
    pub search_evaluations: usize,
    /// How long one page of a search may take before it ends where it is.
    pub search_time: Duration,
    /// How long the work on one request may take once its body is there, waiting for a turn
    /// included. Items that share a large context cost what their number and its size multiply
    /// to: without a schema that says what of it counts, over a minute of a core within the
    /// other limits. Most callers have given up after ten seconds, so the core is better spent
    /// on somebody who still waits.
    pub budget: Duration,
    /// Deepest nesting of JSON. Cedar values nest a few levels; the parser recurses.
    pub json_depth: usize,
    /// Most values in one body. Cedar makes up to 1.5 KiB of a value of two bytes, so that a body
    /// within the cap could take 800 MB; with this it is a quarter of that. A batch of the
    /// largest size has thirty for each of its items.
    pub json_values: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes: 1 << 20,
            body_timeout: Duration::from_secs(10),
            held_bytes: 64 << 20,
            batch: 5000,
            search_evaluations: 100_000,
            search_time: Duration::from_secs(2),
            budget: Duration::from_secs(10),
            json_depth: 64,
            json_values: 150_000,
        }
    }
}
