//! The decision point: takes one snapshot, asks it, counts and records. Knows no HTTP.

use std::{sync::Arc, time::Instant};

use tracing::debug;

use crate::{
    authz::{Answer, OnPolicyError, Query, RawQuery, Revision, Snapshot},
    store::Reader,
    telemetry::Metrics,
};

/// Hands out sessions on the snapshot in force.
#[derive(Clone, Debug)]
pub struct Pdp {
    /// Where the snapshot in force is read.
    pub reader: Reader,
    /// Where decisions are counted.
    pub metrics: Arc<Metrics>,
    /// What an erring `forbid` policy means.
    pub on_error: OnPolicyError,
}

impl Pdp {
    /// One snapshot for one query or one whole batch; `None` before the first is in force.
    pub fn session(&self) -> Option<Session> {
        Some(Session {
            snapshot: self.reader.current()?,
            metrics: Arc::clone(&self.metrics),
            on_error: self.on_error,
        })
    }
}

/// One snapshot and what is needed to ask it.
///
/// INVARIANT: everything asked of one session sees the same snapshot.
#[derive(Clone, Debug)]
pub struct Session {
    snapshot: Arc<Snapshot>,
    metrics: Arc<Metrics>,
    on_error: OnPolicyError,
}

impl Session {
    /// The snapshot, to parse queries against.
    pub fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// The revision every answer of this session comes from.
    pub fn revision(&self) -> &Revision {
        self.snapshot.revision()
    }

    /// Parses a question that is always answered, and decides it.
    pub fn ask(&self, raw: &RawQuery<'_>) -> Answer {
        self.decide(&self.snapshot.query(raw))
    }

    /// Decides a query that this session's snapshot parsed, counts it and says so in the log.
    pub fn decide(&self, query: &Query) -> Answer {
        let started = Instant::now();
        let answer = self.snapshot.decide(query, self.on_error);
        self.metrics
            .decided(query.action_label(), &answer, started.elapsed());
        // Never the context, attributes or ids: whoever reads the log may not read those.
        debug!(
            decision = answer.decision().as_str(),
            outcome = answer.outcome.as_str(),
            policies = ?answer.policies,
            errors = answer.errors.len(),
            revision = %self.revision(),
            "decided: {}",
            answer.outcome
        );
        answer
    }

    /// Counts a batch, of which every query is asked of this session.
    pub fn batch(&self, queries: usize) {
        self.metrics.batch(queries);
    }

    /// Decides as [`Session::ask`] does but counts nothing: an operator's question is not traffic.
    pub fn explain(&self, raw: &RawQuery<'_>) -> Answer {
        self.snapshot
            .decide(&self.snapshot.query(raw), self.on_error)
    }
}
