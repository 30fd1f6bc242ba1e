//! Every metric family with its name, help, labels and buckets, registered once.

use prometheus::{
    Gauge, GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge,
    Opts, Registry, core::Collector,
};

/// Decisions take microseconds; the tail is there to see a policy set gone wrong.
const EVALUATION_SECONDS: &[f64] = &[
    5e-6, 10e-6, 25e-6, 50e-6, 100e-6, 250e-6, 500e-6, 1e-3, 5e-3, 10e-3, 100e-3,
];

/// Replies on a local socket take tens of microseconds; large batches and searches up to seconds.
const HTTP_SECONDS: &[f64] = &[
    25e-6, 50e-6, 100e-6, 250e-6, 500e-6, 1e-3, 2.5e-3, 5e-3, 10e-3, 25e-3, 50e-3, 100e-3, 250e-3,
    1.0,
];

/// From a handful of files to a solver's work.
const RELOAD_SECONDS: &[f64] = &[
    1e-3, 5e-3, 10e-3, 25e-3, 50e-3, 100e-3, 250e-3, 500e-3, 1.0, 2.5, 5.0, 10.0, 30.0,
];

/// Up to the largest batch that is taken by default.
const BATCH_QUERIES: &[f64] = &[
    1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0, 2000.0, 5000.0,
];

/// Up to the largest body that is taken by default, in steps of four.
const BODY_BYTES: &[f64] = &[
    256.0,
    1024.0,
    4096.0,
    16384.0,
    65536.0,
    262_144.0,
    1_048_576.0,
];

/// All families. A field's documentation is its help text.
#[derive(Debug)]
pub(super) struct Families {
    /// Version of the service and of Cedar.
    pub(super) build_info: GaugeVec,
    /// The revision in force.
    pub(super) snapshot_info: GaugeVec,
    /// Decisions by action and outcome.
    pub(super) decisions: IntCounterVec,
    /// How often each policy decided.
    pub(super) determining_policy: IntCounterVec,
    /// How often each policy could not be evaluated.
    pub(super) policy_errors: IntCounterVec,
    /// Time to decide one query, once it is parsed.
    pub(super) evaluation_duration: Histogram,
    /// Time from when a request's head is taken up to its reply.
    pub(super) http_duration: HistogramVec,
    /// Requests that are being answered.
    pub(super) in_flight: IntGauge,
    /// Requests refused for a reason other than a decision, on either listener.
    pub(super) rejected: IntCounterVec,
    /// Connections that are served.
    pub(super) connections: GaugeVec,
    /// Most connections that are served at once; more wait.
    pub(super) connections_max: GaugeVec,
    /// Handshakes of TLS that failed.
    pub(super) handshake_failures: IntCounterVec,
    /// 1 while a listener's TLS, credentials or routes on disk are not what is in force.
    pub(super) access_stale: GaugeVec,
    /// When the certificate of a listener ends.
    pub(super) certificate_not_after: GaugeVec,
    /// Queries in a batch.
    pub(super) batch_size: Histogram,
    /// Size of request bodies.
    pub(super) body_bytes: Histogram,
    /// Attempts to bring other sources into force, and looks at the sources that found nothing new.
    pub(super) reloads: IntCounterVec,
    /// Time to read, to compile, to try and to prove the sources.
    pub(super) reload_duration: HistogramVec,
    /// When it was last seen whether the sources changed.
    pub(super) last_look: Gauge,
    /// When the sources were last read.
    pub(super) last_attempt: Gauge,
    /// When the sources were last found or put in force.
    pub(super) last_success: Gauge,
    /// 1 while what is on disk is not what is in force.
    pub(super) sources_stale: IntGauge,
    /// 1 while an operator holds a snapshot in force, whatever the files say.
    pub(super) snapshot_pinned: IntGauge,
    /// 1 while the file watcher lives.
    pub(super) watcher_up: IntGauge,
    /// 1 if a file watcher is wanted, which `--watch=poll` does without.
    pub(super) watcher_enabled: IntGauge,
    /// File events that made us look again.
    pub(super) watch_events: IntCounterVec,
    /// Records that were written to the decision log.
    pub(super) log_records: IntCounter,
    /// Records that are in no decision log.
    pub(super) log_dropped: IntCounterVec,
    /// Records that wait to be written.
    pub(super) log_queue: IntGauge,
    /// Writes to the decision log that failed, and seconds for which an answer waited for one.
    pub(super) log_errors: IntCounter,
    /// Policies in force.
    pub(super) policies: IntGauge,
    /// Stored entities in force.
    pub(super) entities: IntGauge,
    /// Actions the schema in force declares.
    pub(super) schema_actions: IntGauge,
    /// Spans that a collector took.
    pub(super) trace_spans_exported: IntCounter,
    /// Spans that no collector took.
    pub(super) trace_spans_dropped: IntCounterVec,
    /// Batches of spans that a collector could not be given, each try counted.
    pub(super) trace_export_errors: IntCounter,
}

/// Registers families as they are made.
struct Register<'a>(&'a Registry);

impl Families {
    pub(super) fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let new = Register(registry);
        Ok(Self {
            build_info: new.gauges(
                "palisade_build_info",
                "Version of the service and of Cedar.",
                &["version", "cedar_version"],
            )?,
            snapshot_info: new.gauges(
                "palisade_snapshot_info",
                "The revision in force.",
                &["revision"],
            )?,
            decisions: new.counters(
                "palisade_decisions_total",
                "Decisions by action and outcome.",
                &["action", "decision", "outcome"],
            )?,
            determining_policy: new.counters(
                "palisade_determining_policy_total",
                "How often each policy decided.",
                &["policy", "effect"],
            )?,
            policy_errors: new.counters(
                "palisade_policy_errors_total",
                "How often each policy could not be evaluated.",
                &["policy"],
            )?,
            evaluation_duration: new.histogram(
                "palisade_evaluation_duration_seconds",
                "Time to decide one query, once it is parsed.",
                EVALUATION_SECONDS,
            )?,
            http_duration: new.histograms(
                "palisade_http_request_duration_seconds",
                "Time from when a request's head is taken up to its reply.",
                &["endpoint", "code"],
                HTTP_SECONDS,
            )?,
            in_flight: new.gauge(
                "palisade_http_requests_in_flight",
                "Requests that are being answered.",
            )?,
            rejected: new.counters(
                "palisade_http_requests_rejected_total",
                "Requests refused for a reason other than a decision, on either listener.",
                &["reason"],
            )?,
            connections: new.gauges(
                "palisade_http_connections",
                "Connections that are served.",
                &["listener"],
            )?,
            connections_max: new.gauges(
                "palisade_http_connections_max",
                "Most connections that are served at once; more wait.",
                &["listener"],
            )?,
            handshake_failures: new.counters(
                "palisade_tls_handshake_failures_total",
                "Handshakes of TLS that failed.",
                &["listener", "reason"],
            )?,
            access_stale: new.gauges(
                "palisade_access_stale",
                "1 while a listener's TLS, credentials or routes on disk are not what is in force.",
                &["listener", "kind"],
            )?,
            certificate_not_after: new.gauges(
                "palisade_tls_certificate_not_after_timestamp_seconds",
                "When the certificate of a listener ends.",
                &["listener"],
            )?,
            batch_size: new.histogram(
                "palisade_batch_size",
                "Queries in a batch.",
                BATCH_QUERIES,
            )?,
            body_bytes: new.histogram(
                "palisade_http_request_body_bytes",
                "Size of request bodies.",
                BODY_BYTES,
            )?,
            reloads: new.counters(
                "palisade_reloads_total",
                "Attempts to bring other sources into force, and looks at the sources that found nothing new.",
                &["result", "reason"],
            )?,
            reload_duration: new.histograms(
                "palisade_reload_duration_seconds",
                "Time to read, to compile, to try and to prove the sources.",
                &["phase"],
                RELOAD_SECONDS,
            )?,
            last_look: new.time(
                "palisade_last_look_timestamp_seconds",
                "When it was last seen whether the sources changed.",
            )?,
            last_attempt: new.time(
                "palisade_last_reload_attempt_timestamp_seconds",
                "When the sources were last read.",
            )?,
            last_success: new.time(
                "palisade_last_reload_success_timestamp_seconds",
                "When the sources were last found or put in force.",
            )?,
            sources_stale: new.gauge(
                "palisade_sources_stale",
                "1 while what is on disk is not what is in force.",
            )?,
            snapshot_pinned: new.gauge(
                "palisade_snapshot_pinned",
                "1 while an operator holds a snapshot in force, whatever the files say.",
            )?,
            watcher_up: new.gauge("palisade_watcher_up", "1 while the file watcher lives.")?,
            watcher_enabled: new.gauge(
                "palisade_watcher_enabled",
                "1 if a file watcher is wanted, which `--watch=poll` does without.",
            )?,
            watch_events: new.counters(
                "palisade_watch_events_total",
                "File events that made us look again.",
                &["kind"],
            )?,
            log_records: new.counter(
                "palisade_decision_log_records_total",
                "Records that were written to the decision log.",
            )?,
            log_dropped: new.counters(
                "palisade_decision_log_dropped_total",
                "Records that are in no decision log.",
                &["reason"],
            )?,
            log_queue: new.gauge(
                "palisade_decision_log_queue_length",
                "Records that wait to be written.",
            )?,
            log_errors: new.counter(
                "palisade_decision_log_errors_total",
                "Writes to the decision log that failed, and seconds for which an answer waited for one.",
            )?,
            policies: new.gauge("palisade_policies", "Policies in force.")?,
            entities: new.gauge("palisade_entities", "Stored entities in force.")?,
            schema_actions: new.gauge(
                "palisade_schema_actions",
                "Actions the schema in force declares.",
            )?,
            trace_spans_exported: new.counter(
                "palisade_trace_spans_exported_total",
                "Spans that a collector took.",
            )?,
            trace_spans_dropped: new.counters(
                "palisade_trace_spans_dropped_total",
                "Spans that no collector took.",
                &["reason"],
            )?,
            trace_export_errors: new.counter(
                "palisade_trace_export_errors_total",
                "Batches of spans that a collector could not be given, each try counted.",
            )?,
        })
    }
}

impl Register<'_> {
    fn counter(&self, name: &str, help: &str) -> Result<IntCounter, prometheus::Error> {
        self.registered(IntCounter::new(name, help)?)
    }

    fn counters(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
    ) -> Result<IntCounterVec, prometheus::Error> {
        self.registered(IntCounterVec::new(Opts::new(name, help), labels)?)
    }

    fn gauge(&self, name: &str, help: &str) -> Result<IntGauge, prometheus::Error> {
        self.registered(IntGauge::new(name, help)?)
    }

    fn gauges(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
    ) -> Result<GaugeVec, prometheus::Error> {
        self.registered(GaugeVec::new(Opts::new(name, help), labels)?)
    }

    fn time(&self, name: &str, help: &str) -> Result<Gauge, prometheus::Error> {
        self.registered(Gauge::new(name, help)?)
    }

    fn histogram(
        &self,
        name: &str,
        help: &str,
        buckets: &[f64],
    ) -> Result<Histogram, prometheus::Error> {
        let options = HistogramOpts::new(name, help).buckets(buckets.to_vec());
        self.registered(Histogram::with_opts(options)?)
    }

    fn histograms(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
        buckets: &[f64],
    ) -> Result<HistogramVec, prometheus::Error> {
        let options = HistogramOpts::new(name, help).buckets(buckets.to_vec());
        self.registered(HistogramVec::new(options, labels)?)
    }

    fn registered<C: Collector + Clone + 'static>(&self, it: C) -> Result<C, prometheus::Error> {
        self.0.register(Box::new(it.clone()))?;
        Ok(it)
    }
}
