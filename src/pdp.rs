//! The decision point: takes one snapshot, asks it, counts and records. Knows no HTTP.

use std::{sync::Arc, time::Instant};

use tracing::{Level, debug, enabled, info, warn};

use crate::{
    authz::{
        Answer, Diagnostics, Found, Narrowing, OnPolicyError, Outcome, PolicyError, Query,
        RawQuery, Revision, Search, Snapshot, Wanted,
    },
    store::Reader,
    telemetry::{About, Decision, DecisionLog, Metrics, Question, Throttle},
};

/// Longest reason in a log line: a caller chooses the ids in it.
const REASON_CHARS: usize = 300;

/// From how many candidates on a search is narrowed by partial evaluation, which takes about as
/// long as deciding this many.
const RESIDUALS_PAY: usize = 512;

/// Asks snapshots, counts and records.
#[derive(Clone, Debug)]
pub struct Pdp {
    /// Where the snapshot in force is read.
    pub reader: Reader,
    /// Where decisions are counted.
    pub metrics: Arc<Metrics>,
    /// What an erring `forbid` policy means.
    pub on_error: OnPolicyError,
    decision_log: Option<Arc<DecisionLog>>,
    notices: Arc<Notices>,
}

/// Lines about decisions that somebody should look at.
#[derive(Debug, Default)]
struct Notices {
    /// A policy could not be evaluated.
    errors: Throttle,
    /// A query did not get as far as the policies.
    unasked: Throttle,
}

impl Pdp {
    /// A decision point that asks what `reader` reads and counts in `metrics`.
    pub fn new(reader: Reader, metrics: Arc<Metrics>, on_error: OnPolicyError) -> Self {
        Self {
            reader,
            metrics,
            on_error,
            decision_log: None,
            notices: Arc::default(),
        }
    }

    /// Records every decision there.
    #[must_use]
    pub fn logging(mut self, decision_log: Arc<DecisionLog>) -> Self {
        self.decision_log = Some(decision_log);
        self
    }

    /// One snapshot for one query or one whole batch of a request.
    pub fn session<'a>(&'a self, snapshot: &'a Snapshot, about: &'a About) -> Session<'a> {
        Session {
            snapshot,
            about,
            pdp: self,
        }
    }
}

/// One snapshot and what is needed to ask it.
///
/// INVARIANT: everything asked of one session sees the same snapshot.
#[derive(Clone, Copy, Debug)]
pub struct Session<'a> {
    snapshot: &'a Snapshot,
    about: &'a About,
    pdp: &'a Pdp,
}

impl<'a> Session<'a> {
    /// The snapshot, to parse queries against.
    pub fn snapshot(&self) -> &'a Snapshot {
        self.snapshot
    }

    /// The revision every answer of this session comes from.
    pub fn revision(&self) -> &'a Revision {
        self.snapshot.revision()
    }

    /// Parses a question that is always answered, and decides it.
    pub fn ask(&self, raw: &RawQuery<'_>, diagnostics: Diagnostics) -> Answer {
        let query = self.snapshot.query_noting(raw, diagnostics);
        self.decide(&query, &Question::AuthZen(raw))
    }

    /// Decides a query that this session's snapshot parsed of a question, counts it and records it.
    pub fn decide(&self, query: &Query<'_>, question: &Question<'_>) -> Answer {
        let started = Instant::now();
        let answer = self.snapshot.decide(query, self.pdp.on_error);
        let metrics = &self.pdp.metrics;
        let took = started.elapsed();
        metrics.decided(query.action_label(), &answer, took);
        if let Some(recording) = &self.about.recording {
            recording.decided(&answer);
        }
        if let Some(log) = &self.pdp.decision_log {
            log.decided(&Decision {
                about: self.about,
                question,
                revision: self.revision(),
                answer: &answer,
                took,
            });
        }
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
        self.notice(&answer);
        answer
    }

    /// Says in the log what whoever keeps the policies or the data should look at.
    fn notice(&self, answer: &Answer) {
        self.notice_errors(&answer.errors, answer.outcome.as_str());
        if let Some(reason) = unasked(answer)
            && enabled!(Level::INFO)
            && let Some(suppressed) = self.pdp.notices.unasked.take(Instant::now())
        {
            let reason = printable(reason);
            self.about.say(|| {
                info!(
                    reason,
                    revision = %self.revision(),
                    suppressed,
                    "denied before evaluation: {reason}"
                );
            });
        }
    }

    fn notice_errors(&self, errors: &[PolicyError], outcome: &str) {
        if !errors.is_empty()
            && enabled!(Level::WARN)
            && let Some(suppressed) = self.pdp.notices.errors.take(Instant::now())
        {
            // Cedar's messages quote values: whoever may read those finds them in the answer.
            let policies: Vec<_> = errors.iter().map(|error| &error.policy).collect();
            self.about.say(|| {
                warn!(
                    ?policies,
                    outcome,
                    revision = %self.revision(),
                    suppressed,
                    "policies could not be evaluated: {policies:?}"
                );
            });
        }
    }

    /// Finds one page of a search, counts the policies that erred in it and says so in the log.
    ///
    /// What is found is no decision, and is counted as none: whoever acts on it asks again.
    pub fn page(
        &self,
        search: &Search<'_>,
        from: usize,
        limit: Option<usize>,
        evaluations: usize,
        go_on: impl FnMut() -> bool,
    ) -> Found {
        let wanted = Wanted {
            from,
            limit,
            evaluations,
            narrowing: if search.candidates().saturating_sub(from) < RESIDUALS_PAY {
                Narrowing::Scopes
            } else {
                Narrowing::Residuals
            },
        };
        let found = search.page(&wanted, self.pdp.on_error, go_on);
        self.pdp.metrics.erred(&found.errors);
        self.notice_errors(&found.errors, "search");
        found
    }

    /// Counts a batch, of which every query is asked of this session.
    pub fn batch(&self, queries: usize) {
        self.pdp.metrics.batch(queries);
        if let Some(recording) = &self.about.recording {
            recording.batch(queries);
        }
    }

    /// Decides as [`Session::ask`] does but counts nothing: an operator's question is not traffic.
    pub fn explain(&self, raw: &RawQuery<'_>) -> Answer {
        self.snapshot
            .decide(&self.snapshot.query(raw), self.pdp.on_error)
    }
}

/// Why the policies were not asked: the diagnostics line that ends in "denied" names an entity,
/// a type or a declared key of the context, and no value.
fn unasked(answer: &Answer) -> Option<&str> {
    if answer.outcome != Outcome::NotPermitted {
        return None;
    }
    let mut lines = answer.diagnostics.iter();
    lines
        .rfind(|line| line.ends_with(": denied"))
        .map(String::as_str)
}

/// The text on one line of bounded length.
fn printable(text: &str) -> String {
    let visible = |it: char| if it.is_control() { ' ' } else { it };
    text.chars().take(REASON_CHARS).map(visible).collect()
}
