//! Traces: which one a request belongs to, what is recorded of it, and how that leaves the house.
//!
//! A request is recorded if the trace it belongs to is, or by chance if it belongs to none. What is
//! recorded goes to a collector by OTLP, through a queue that nobody who answers waits for.

use std::{sync::Arc, time::Duration};

use opentelemetry::trace::{TraceFlags, TraceId, TraceState};
use opentelemetry_sdk::trace::{IdGenerator, RandomIdGenerator};
use tokio::{
    sync::{Notify, mpsc, watch},
    task::JoinHandle,
    time::{Instant, timeout},
};

use super::{Attempt, Metrics};

mod collector;
mod export;
mod parent;
mod recording;
mod reload;
mod span;

pub use collector::CollectorAddress;
pub use parent::{Parent, Trace};
pub use recording::{Head, Recording};

use collector::Collector;
use export::Exporter;
use recording::Origin;
use span::Queue;

/// Spans that wait for the exporter. One takes about 1.2 KB, so this is 5 MB at most; it is
/// what a hundred requests a second leave behind in the 40 seconds a collector takes to restart.
const WAITING: usize = 4096;

/// What the exporter may take longer than it should.
const SLACK: Duration = Duration::from_millis(500);

/// Bits of a trace id that are random, as W3C Trace Context has it: the last seven bytes.
const RANDOM_BITS: u32 = 56;

/// What is recorded, and where it goes.
#[derive(Clone, Debug, PartialEq)]
pub struct TraceRules {
    /// Where spans are sent.
    pub collector: CollectorAddress,
    /// Of the requests that belong to no trace, which part is recorded: from 0 to 1.
    pub sample: f64,
}

/// Says which requests are recorded, and records reloads.
#[derive(Clone, Debug)]
pub struct Tracer {
    ids: RandomIdGenerator,
    /// A request without a trace is recorded if the random bits of its trace id are below this.
    below: u64,
    queue: Arc<Queue>,
}

/// The exporter, at work. A failure if it ends before it is told to.
#[derive(Debug)]
pub struct Exporting {
    task: JoinHandle<()>,
    stop: watch::Sender<Option<Instant>>,
}

impl Tracer {
    /// A tracer, and the task that exports what it records. Must be called in a runtime.
    pub fn start(rules: TraceRules, metrics: Arc<Metrics>) -> (Self, Exporting) {
        let (waiting, spans) = mpsc::channel(WAITING);
        let wake = Arc::new(Notify::new());
        let (stop, stopped) = watch::channel(None);
        let collector = Collector::new(rules.collector);
        let exporter = Exporter::new(collector, Arc::clone(&metrics), Arc::clone(&wake));
        let tracer = Self {
            ids: RandomIdGenerator::default(),
            below: below(rules.sample),
            queue: Arc::new(Queue::new(waiting, wake, metrics)),
        };
        let task = tokio::spawn(exporter.run(spans, stopped));
        (tracer, Exporting { task, stop })
    }

    /// Records a request from now until the last one who knows of it lets go; if it is to be
    /// recorded.
    pub fn record(&self, parent: Option<Parent>, head: Head<'_>) -> Option<Arc<Recording>> {
        let origin = match parent {
            Some(parent) if !parent.flags.is_sampled() => return None,
            Some(parent) => Origin {
                trace_id: parent.trace.trace_id,
                parent: Some(parent.trace.span_id),
                flags: parent.flags,
                state: parent::state(head.headers),
            },
            None => Origin {
                trace_id: self.chosen()?,
                parent: None,
                flags: TraceFlags::SAMPLED,
                state: TraceState::default(),
            },
        };
        let span_id = self.ids.new_span_id();
        let queue = Arc::clone(&self.queue);
        let recording = Recording::start(origin, span_id, head, queue);
        Some(Arc::new(recording))
    }

    /// Records an attempt to bring other sources into force: they are few, and each is a trace of
    /// its own.
    pub fn attempted(&self, attempt: &Attempt) {
        for span in reload::spans(attempt, &self.ids) {
            self.queue.add(span);
        }
    }

    /// An id for a trace that begins here, if chance wants one.
    fn chosen(&self) -> Option<TraceId> {
        let id = self.ids.new_trace_id();
        let random = u128::from_be_bytes(id.to_bytes()) % (1 << RANDOM_BITS);
        (random < u128::from(self.below)).then_some(id)
    }
}

impl Exporting {
    /// Waits for the exporter to end, which it does only by a fault.
    pub async fn ended(&mut self) {
        // How it ended is in the log already if it was a panic.
        let _ = (&mut self.task).await;
    }

    /// Exports what waits, for so long at most, and ends.
    pub async fn finish(mut self) {
        self.stop.send_replace(Some(Instant::now() + export::FLUSH));
        if timeout(export::FLUSH + SLACK, &mut self.task)
            .await
            .is_err()
        {
            self.task.abort();
        }
    }
}

fn below(sample: f64) -> u64 {
    (sample.clamp(0.0, 1.0) * (1_u64 << RANDOM_BITS) as f64) as u64
}
