//! What may be counted, as methods: no other module names a metric.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use arc_swap::ArcSwap;
use prometheus::{
    Gauge, Histogram, IntGauge, Registry, TextEncoder, process_collector::ProcessCollector,
};

use crate::authz::{self, Answer, Kind, PolicyError, Snapshot};

use super::{Dropped, Phase, ReloadResult, families::Families, series::Series};

mod listeners;

pub use listeners::{BadHead, Connections, OpenConnection};

/// The kinds of file events that are counted.
const WATCH_EVENTS: [&str; 6] = ["create", "error", "modify", "other", "remove", "rescan"];

/// Why spans can be dropped: a batch could not be delivered in several tries, the queue was full, the
/// collector would not have them, the service ended before.
const DROPPED_SPANS: [&str; 4] = ["failed", "queue_full", "rejected", "shutdown"];

/// Every way a reload can end.
const RELOADS: [ReloadResult; 10] = [
    ReloadResult::Applied,
    ReloadResult::Held,
    ReloadResult::Rejected(Kind::Canary),
    ReloadResult::Rejected(Kind::Entities),
    ReloadResult::Rejected(Kind::Io),
    ReloadResult::Rejected(Kind::Parse),
    ReloadResult::Rejected(Kind::Proof),
    ReloadResult::Rejected(Kind::Shrink),
    ReloadResult::Rejected(Kind::Validate),
    ReloadResult::Unchanged,
];

/// All series, in a registry of their own.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    families: Families,
    series: ArcSwap<Series>,
    /// Held while a snapshot's series change and while all are written out, so that no scrape
    /// sees none or two revisions.
    whole: Mutex<()>,
}

/// The series of one endpoint's replies.
#[derive(Clone, Debug)]
pub struct Replies {
    endpoint: &'static str,
    /// Durations by code. A dozen at most: a list is searched as fast as a map.
    known: Vec<(u16, Histogram)>,
}

impl Metrics {
    /// Registers everything and initialises what needs no snapshot.
    ///
    /// # Errors
    /// A name registered twice, which a test would have shown.
    pub fn new() -> Result<Arc<Self>, prometheus::Error> {
        let registry = Registry::new();
        registry.register(Box::new(ProcessCollector::for_self()))?;
        let families = Families::register(&registry)?;
        let version = [env!("CARGO_PKG_VERSION"), &authz::cedar_version()];
        families.build_info.with_label_values(&version).set(1.0);
        for result in RELOADS {
            let _ = families.reloads.with_label_values(&result.labels());
        }
        for phase in Phase::ALL {
            let _ = families
                .reload_duration
                .with_label_values(&[phase.as_str()]);
        }
        for kind in WATCH_EVENTS {
            let _ = families.watch_events.with_label_values(&[kind]);
        }
        for why in Dropped::ALL {
            let _ = families.log_dropped.with_label_values(&[why.as_str()]);
        }
        for head in BadHead::ALL {
            let _ = families.rejected.with_label_values(&[head.as_str()]);
        }
        for reason in DROPPED_SPANS {
            let _ = families.trace_spans_dropped.with_label_values(&[reason]);
        }
        Ok(Arc::new(Self {
            series: ArcSwap::from_pointee(Series::start(&families)),
            whole: Mutex::new(()),
            registry,
            families,
        }))
    }

    /// Initialises the series of an endpoint, with the codes it answers with.
    pub fn serves(&self, endpoint: &'static str, codes: &[u16]) -> Replies {
        let known = codes
            .iter()
            .map(|code| (*code, self.reply(endpoint, *code)));
        Replies {
            endpoint,
            known: known.collect(),
        }
    }

    /// Initialises the series of reasons for refusal.
    pub fn refuses(&self, reasons: &[&'static str]) {
        for reason in reasons {
            let _ = self.families.rejected.with_label_values(&[*reason]);
        }
    }

    /// A snapshot is in force: gauges, info, and the series of its actions and policies.
    pub fn published(&self, snapshot: &Snapshot) {
        let _whole = self.whole();
        let families = &self.families;
        let next = Arc::new(Series::of(families, snapshot));
        let last = self.series.swap(Arc::clone(&next));
        last.retire(families, &next);
        families.snapshot_info.reset();
        let revision = [snapshot.revision().as_str()];
        families.snapshot_info.with_label_values(&revision).set(1.0);
        let counts = snapshot.counts();
        let gauges = [
            (&families.policies, counts.policies),
            (&families.entities, counts.entities),
            (&families.schema_actions, counts.schema_actions),
        ];
        for (gauge, count) in gauges {
            gauge.set(i64::try_from(count).unwrap_or(i64::MAX));
        }
    }

    /// A reload attempt ended.
    pub fn reloaded(&self, result: ReloadResult) {
        let reloads = &self.families.reloads;
        reloads.with_label_values(&result.labels()).inc();
    }

    /// A step of a reload ended, with or without success, after this time.
    pub fn phase_took(&self, phase: Phase, elapsed: Duration) {
        let durations = &self.families.reload_duration;
        durations
            .with_label_values(&[phase.as_str()])
            .observe(elapsed.as_secs_f64());
    }

    /// It was last seen at this time whether the sources changed. A loop that hangs stops telling.
    pub fn looked_at(&self, at: SystemTime) {
        set_time(&self.families.last_look, at);
    }

    /// The sources were last read at this time.
    pub fn attempted_at(&self, at: SystemTime) {
        set_time(&self.families.last_attempt, at);
    }

    /// At this time what is on disk was, or became, what is in force.
    pub fn confirmed_at(&self, at: SystemTime) {
        set_time(&self.families.last_success, at);
    }

    /// Whether what is on disk is not what is in force.
    pub fn stale(&self, stale: bool) {
        self.families.sources_stale.set(i64::from(stale));
    }

    /// Whether an operator holds a snapshot in force.
    pub fn pinned(&self, pinned: bool) {
        self.families.snapshot_pinned.set(i64::from(pinned));
    }

    /// Whether the file watcher lives.
    pub fn watcher_up(&self, up: bool) {
        self.families.watcher_up.set(i64::from(up));
    }

    /// Whether a file watcher is wanted: one that is down is a fault only then.
    pub fn watcher_enabled(&self, enabled: bool) {
        self.families.watcher_enabled.set(i64::from(enabled));
    }

    /// A file event made us look again.
    pub fn watch_event(&self, kind: &'static str) {
        self.families.watch_events.with_label_values(&[kind]).inc();
    }

    /// One decision. `action` is a label of [`Snapshot::action_labels`]; `None` counts as `other`.
    pub fn decided(&self, action: Option<&str>, answer: &Answer, elapsed: Duration) {
        self.series.load().decided(action, answer);
        let duration = &self.families.evaluation_duration;
        duration.observe(elapsed.as_secs_f64());
    }

    /// Policies erred in a search; each counts once, for however many candidates.
    pub fn erred(&self, errors: &[PolicyError]) {
        self.series.load().erred(errors);
    }

    /// A request begins; the value returned counts it as in flight until it is dropped.
    pub fn in_flight(&self) -> InFlight<'_> {
        self.families.in_flight.inc();
        InFlight(&self.families.in_flight)
    }

    /// A request was answered.
    pub fn answered(&self, replies: &Replies, code: u16, elapsed: Duration) {
        let known = replies.known.iter().find(|(known, _)| *known == code);
        let seconds = elapsed.as_secs_f64();
        match known {
            Some((_, duration)) => duration.observe(seconds),
            None => self.reply(replies.endpoint, code).observe(seconds),
        }
    }

    /// A request was refused for a reason other than a decision.
    pub fn refused(&self, reason: &'static str) {
        self.families.rejected.with_label_values(&[reason]).inc();
    }

    /// So many records were written to the decision log.
    pub fn log_written(&self, records: usize) {
        self.families.log_records.inc_by(records as u64);
    }

    /// So many records will never be in the decision log.
    pub fn log_dropped(&self, why: Dropped, records: usize) {
        let dropped = &self.families.log_dropped;
        let dropped = dropped.with_label_values(&[why.as_str()]);
        dropped.inc_by(records as u64);
    }

    /// So many records wait to be written to the decision log.
    pub fn log_waits(&self, records: usize) {
        let queue = &self.families.log_queue;
        queue.set(i64::try_from(records).unwrap_or(i64::MAX));
    }

    /// A write to the decision log failed, or an answer waited for one for a second.
    pub fn log_failed(&self) {
        self.families.log_errors.inc();
    }

    /// Size of a request body, in bytes.
    pub fn body(&self, size_bytes: usize) {
        self.families.body_bytes.observe(size_bytes as f64);
    }

    /// Queries in one batch.
    pub fn batch(&self, queries: usize) {
        self.families.batch_size.observe(queries as f64);
    }

    /// A collector took so many spans.
    pub fn spans_exported(&self, spans: usize) {
        self.families.trace_spans_exported.inc_by(spans as u64);
    }

    /// So many spans are lost.
    pub fn spans_dropped(&self, reason: &'static str, spans: usize) {
        let dropped = &self.families.trace_spans_dropped;
        let dropped = dropped.with_label_values(&[reason]);
        dropped.inc_by(spans as u64);
    }

    /// A collector could not be given a batch of spans.
    pub fn trace_export_failed(&self) {
        self.families.trace_export_errors.inc();
    }

    /// Everything in Prometheus' text format.
    ///
    /// # Errors
    /// The encoder's, which writes to memory.
    pub fn render(&self) -> Result<String, prometheus::Error> {
        let _whole = self.whole();
        TextEncoder::new().encode_to_string(&self.registry.gather())
    }

    fn reply(&self, endpoint: &str, code: u16) -> Histogram {
        let labels = [endpoint, &code.to_string()];
        self.families.http_duration.with_label_values(&labels)
    }

    fn whole(&self) -> MutexGuard<'_, ()> {
        self.whole.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Replies {
    /// Of which endpoint.
    pub fn endpoint(&self) -> &'static str {
        self.endpoint
    }
}

fn set_time(gauge: &Gauge, at: SystemTime) {
    // A clock before 1970 has worse problems than this gauge.
    let since = at.duration_since(SystemTime::UNIX_EPOCH);
    gauge.set(since.unwrap_or_default().as_secs_f64());
}

/// A request that is being answered.
#[derive(Debug)]
pub struct InFlight<'a>(&'a IntGauge);

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.dec();
    }
}

#[cfg(test)]
mod tests;
