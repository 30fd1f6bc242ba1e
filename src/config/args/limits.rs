//! Flags about how much of the machine callers may take.

use std::num::NonZeroUsize;

use clap::Args;

use super::Span;

/// How much of the machine callers may take.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Limits")]
pub struct LimitArgs {
    /// Most connections to decisions at once; more wait, and so do those beyond three quarters of the
    /// files that may be open [default: 10000]
    #[arg(long, env = "PALISADE_MAX_CONNECTIONS", value_name = "N")]
    pub max_connections: Option<NonZeroUsize>,
    /// Longest request head [default: 16384]
    #[arg(long, env = "PALISADE_MAX_HEADER", value_name = "BYTES")]
    pub max_header: Option<usize>,
    /// How long a connection may be without a whole request head, between two requests; the first has
    /// to come within 10 seconds, or this if it is shorter [default: 75s]
    #[arg(long, env = "PALISADE_IDLE_TIMEOUT", value_name = "DURATION")]
    pub idle_timeout: Option<Span>,
    /// How long a request body may take to arrive [default: 10s]
    #[arg(long, env = "PALISADE_BODY_TIMEOUT", value_name = "DURATION")]
    pub body_timeout: Option<Span>,
    /// Most memory for bodies and answers over 16 KiB that are read, wait or are written
    /// [default: 67108864]
    #[arg(long, env = "PALISADE_MAX_HELD", value_name = "BYTES")]
    pub max_held: Option<usize>,
}
