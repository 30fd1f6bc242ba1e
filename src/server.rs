//! Sockets: accept, bound, time, drain. What is said over them is the handler's business.

use std::time::Duration;

mod accept;
mod connection;
mod linger;
mod listen;

pub use accept::{ServerError, run};
pub use listen::{BadListen, Bound, Listen, bind};

/// What one listener lets its callers take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most connections that are served at once; more wait to be accepted. A sidecar has a few
    /// callers with a few connections each, and 10,000 idle ones cost well under 1 GiB.
    pub connections: usize,
    /// Longest request head. Ours are a few hundred bytes; tokens and traces fit in 16 KiB.
    pub header_bytes: usize,
    /// How long a request head may take to arrive, counted from the answer before it, so that it
    /// also ends idle connections. Callers keep theirs in pools and lose a question when one ends
    /// under it, so this is longer than the minute most pools keep one.
    pub header_timeout: Duration,
    /// How long answers in flight may take once the server is told to stop. The longest batch
    /// takes under a second; an orchestrator that kills does so after 30.
    pub grace: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 10_000,
            header_bytes: 16 << 10,
            header_timeout: Duration::from_secs(75),
            grace: Duration::from_secs(10),
        }
    }
}
