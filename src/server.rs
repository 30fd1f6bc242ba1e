//! Sockets: accept, encrypt, bound, time, drain. What is said over them is the handler's business.

use std::{sync::Arc, time::Duration};

use crate::telemetry::Connections;

mod accept;
mod certificate;
mod connection;
mod descriptors;
mod keep;
mod linger;
mod listen;
mod patience;
mod seldom;
mod threads;
mod timed;
mod tls;
mod turns;

pub use accept::{ServerError, run};
pub use descriptors::Places;
pub use keep::read_small;
pub use keep::{BadFiles, Keeper, Keeping, TlsFiles};
pub use listen::{BadListen, Bound, Listen, bind, connect};
pub use threads::Threads;
pub use tls::Tls;

/// Whom a listener lets in before a word of HTTP is said. The default is everybody, uncounted.
#[derive(Clone, Debug, Default)]
pub struct Door {
    /// TLS on TCP sockets; a socket file is as private as the machine.
    pub tls: Option<Arc<Tls>>,
    /// Who may connect to socket files; empty is anybody whom the file's mode lets in.
    pub allow_uid: Arc<[u32]>,
    /// Counts whoever is let in.
    pub connections: Option<Connections>,
}

/// What one call of [`run`] lets callers take, over all its sockets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most connections that are served at once, over all sockets; more wait, one of them accepted
    /// on each socket. A sidecar has a few callers with a few connections each, and 10,000 idle
    /// ones cost well under 1 GiB. [`Places`] says how many the system has descriptors for.
    pub connections: usize,
    /// Longest request head. Ours are a few hundred bytes; tokens and traces fit in 16 KiB.
    pub header_bytes: usize,
    /// How long a request head may take to arrive, counted from the answer before it, so that it
    /// also ends idle connections. Callers keep theirs in pools and lose a question when one ends
    /// under it, so this is longer than the minute most pools keep one.
    pub header_timeout: Duration,
    /// How long the handshake of TLS may take: two round trips and a signature are done within a
    /// second over a bad link; whoever takes longer holds a place for nothing.
    pub handshake_timeout: Duration,
    /// How long a caller may take, once connected and let in by TLS, until its first request head
    /// is there. Whoever connects has something to ask, and heads take a round trip; a stranger who
    /// says nothing should not keep a place for as long as a pool that has asked before.
    pub first_request_timeout: Duration,
    /// How long a caller may go without taking any of its answer. One that reads takes what the
    /// system holds within milliseconds, also over a bad link within seconds; one that has
    /// stopped reading keeps a connection and its answers for as long as we let it.
    pub write_timeout: Duration,
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
            handshake_timeout: Duration::from_secs(10),
            first_request_timeout: Duration::from_secs(10),
            write_timeout: Duration::from_secs(30),
            grace: Duration::from_secs(10),
        }
    }
}
