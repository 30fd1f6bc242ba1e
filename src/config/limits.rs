//! How much of the machine callers may take.

use std::{num::NonZeroUsize, time::Duration};

use super::{ConfigError, LimitArgs, Span, file::File};

/// Most connections to decisions.
const MAX_CONNECTIONS: NonZeroUsize = NonZeroUsize::MIN.saturating_add(9_999);

/// Longest request head: tokens and traces fit.
const MAX_HEADER_BYTES: usize = 16 << 10;

/// Browsers and proxies send heads of a few hundred bytes; with less nobody could ask.
const MIN_HEADER_BYTES: usize = 1 << 10;

/// Each connection keeps as much while its head comes.
const MOST_HEADER_BYTES: usize = 256 << 10;

/// How long a connection may be without a whole head.
const IDLE_TIMEOUT: Duration = Duration::from_secs(75);

/// How long a body may take to arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// Less than a busy machine may take to look, so that good callers would be refused.
const MIN_TIMEOUT: Duration = Duration::from_millis(100);

/// Most memory for what is long, over all connections.
const MAX_HELD_BYTES: usize = 64 << 20;

/// How much of the machine callers may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most connections to decisions at once.
    pub connections: NonZeroUsize,
    /// Longest request head.
    pub header_bytes: usize,
    /// How long a connection may be without a whole head between two requests.
    pub idle_timeout: Duration,
    /// How long a body may take to arrive.
    pub body_timeout: Duration,
    /// Most memory for long bodies and long answers together.
    pub held_bytes: usize,
}

impl LimitArgs {
    pub(super) fn over(self, file: &File) -> Limits {
        let span = |said: Option<Span>, or| said.map_or(or, |Span(span)| span);
        Limits {
            connections: self
                .max_connections
                .or(file.max_connections)
                .unwrap_or(MAX_CONNECTIONS),
            header_bytes: self
                .max_header
                .or(file.max_header)
                .unwrap_or(MAX_HEADER_BYTES),
            idle_timeout: span(self.idle_timeout.or(file.idle_timeout), IDLE_TIMEOUT),
            body_timeout: span(self.body_timeout.or(file.body_timeout), BODY_TIMEOUT),
            held_bytes: self.max_held.or(file.max_held).unwrap_or(MAX_HELD_BYTES),
        }
    }
}

impl Limits {
    /// Whether they make sense beside bodies of this length.
    pub(super) fn sensible(&self, body_bytes: usize) -> Result<(), ConfigError> {
        let too_small = |key, least| Err(ConfigError::TooSmall { key, least });
        if self.header_bytes < MIN_HEADER_BYTES {
            return too_small("max-header", "1024");
        }
        if self.header_bytes > MOST_HEADER_BYTES {
            return Err(ConfigError::TooLarge {
                key: "max-header",
                most: MOST_HEADER_BYTES,
            });
        }
        if self.idle_timeout < MIN_TIMEOUT {
            return too_small("idle-timeout", "100ms");
        }
        if self.body_timeout < MIN_TIMEOUT {
            return too_small("body-timeout", "100ms");
        }
        if self.held_bytes < body_bytes {
            return too_small(
                "max-held",
                "`max-body`: no body of that length would be read",
            );
        }
        Ok(())
    }
}
