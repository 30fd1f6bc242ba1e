//! The connections of a listener, counted.

use std::sync::Arc;

use prometheus::Gauge;

use super::Metrics;

/// What is counted of the connections of one listener.
#[derive(Clone, Debug)]
pub struct Connections {
    pub(super) metrics: Arc<Metrics>,
    pub(super) open: Gauge,
    pub(super) most: Gauge,
}

/// A connection that is open, until this is dropped.
#[derive(Debug)]
pub struct OpenConnection(Gauge);

/// Why the head of a request is refused before it is a request at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadHead {
    /// No HTTP/1.1.
    Malformed,
    /// More bytes or headers than there may be.
    TooLarge,
}

impl Connections {
    /// So many are served at once; more wait.
    pub fn at_most(&self, count: usize) {
        self.most.set(count as f64);
    }

    /// One more is served.
    pub fn open(&self) -> OpenConnection {
        self.open.inc();
        OpenConnection(self.open.clone())
    }

    /// A head was refused.
    pub fn refused(&self, head: BadHead) {
        self.metrics.refused(head.as_str());
    }
}

impl BadHead {
    pub(super) const ALL: [Self; 2] = [Self::Malformed, Self::TooLarge];

    /// The `reason` of `palisade_http_requests_rejected_total`.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Malformed => "malformed_head",
            Self::TooLarge => "head_too_large",
        }
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.dec();
    }
}
