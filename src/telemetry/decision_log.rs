//! The decision log: one line for each decision, reload and turn of the service's life, for auditors.
//!
//! Whoever decides puts a line into a bounded queue and goes on; a thread writes them. What finds no
//! place is counted, and the log itself tells that there is a gap.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{self, Receiver},
    },
    thread,
    time::{Duration, Instant},
};

use tokio::sync::oneshot;
use tracing::{error, info, warn};
use uuid::Uuid;

use crate::authz::{self, Answer, Revision};

use super::{About, Attempt, Metrics, Status, Throttle};

mod ocsf;
mod question;
mod queue;
mod record;
mod rules;
mod sink;
mod writer;

use ocsf::AsEvent;
pub use question::Question;
use queue::{Queue, Unqueued};
use record::{Decided, Event, Record, Reload};
pub use rules::{Dropped, LogError, LogRules, LogTarget, Overflow, RecordFormat};
use sink::Sink;
use writer::Writer;

/// More than most lines have.
const LINE: usize = 1024;

/// A decision, with what is known of it.
#[derive(Clone, Copy, Debug)]
pub struct Decision<'a> {
    /// The request that it was asked in.
    pub about: &'a About,
    /// What was asked.
    pub question: &'a Question<'a>,
    /// Of the snapshot that decided.
    pub revision: &'a Revision,
    /// What it decided.
    pub answer: &'a Answer,
    /// How long that took.
    pub took: Duration,
}

/// Takes records, and has a thread write them until it is closed.
#[derive(Debug)]
pub struct DecisionLog {
    rules: LogRules,
    queue: Arc<Queue>,
    metrics: Arc<Metrics>,
    status: Arc<Status>,
    /// For lines about records that are dropped.
    notices: Throttle,
    /// Told when the writer has ended.
    written: Mutex<Receiver<()>>,
}

/// Ends with the thread that writes.
#[derive(Debug)]
pub struct LogEnd(oneshot::Receiver<()>);

impl LogEnd {
    /// Waits for the thread to end.
    pub async fn ended(&mut self) {
        // Nothing is ever sent: the sender is dropped when the thread ends.
        let _ = (&mut self.0).await;
    }
}

impl DecisionLog {
    /// Opens the log, and writes a first line, which proves that it can be written.
    ///
    /// # Errors
    /// It cannot be opened; or it cannot be written, and no answer may go without a record.
    pub fn open(
        rules: LogRules,
        metrics: Arc<Metrics>,
        status: Arc<Status>,
    ) -> Result<(Arc<Self>, LogEnd), LogError> {
        let target = rules.target.clone();
        let sink = Sink::open(&target).map_err(|source| LogError::Open {
            target: target.clone(),
            source,
        })?;
        let mut writer = Writer {
            sink,
            queue: Arc::new(Queue::new(rules.queue_bytes)),
            metrics: Arc::clone(&metrics),
            status: Arc::clone(&status),
            format: rules.format,
            overflow: rules.overflow,
            notices: Throttle::lasting(),
            is_astray: false,
        };
        let started = line(rules.format, &Event::started(&rules).record());
        if let Err(source) = writer.first(&started)
            && rules.overflow == Overflow::Block
        {
            return Err(LogError::Write { target, source });
        }
        info!(target = %target, "decisions are logged to {target}");
        let (end, ended) = oneshot::channel();
        let (done, written) = mpsc::channel();
        let log = Self {
            rules,
            queue: Arc::clone(&writer.queue),
            metrics,
            status,
            notices: Throttle::lasting(),
            written: Mutex::new(written),
        };
        thread::Builder::new()
            .name("decision-log".to_owned())
            .spawn(move || {
                // Dropped when the thread ends, also by a panic.
                let _ends = (end, done);
                writer.run();
            })
            .map_err(LogError::Thread)?;
        Ok((Arc::new(log), LogEnd(ended)))
    }

    /// Records a decision, unless it is an allow that is left out.
    pub fn decided(&self, decision: &Decision<'_>) {
        let id = Uuid::now_v7();
        let allowed = decision.answer.decision() == authz::Decision::Allow;
        if allowed && !self.is_sampled(id) {
            return;
        }
        let decided = Record::Decision(Decided::new(id, decision, &self.rules));
        let line = line(self.rules.format, &decided);
        self.queued(match self.rules.overflow {
            Overflow::Block => self.queue.wait_push(&line, || self.stalled()),
            Overflow::Drop => self.queue.push(&line),
        });
    }

    /// Records an attempt to bring something else into force.
    pub fn reloaded(&self, attempt: &Attempt) {
        self.record(&Record::Reload(Reload::from(attempt)));
    }

    /// The service stops: from now on no decision waits longer for a place than until what is in
    /// flight has had its time.
    pub fn draining(&self, grace: Duration) {
        self.queue.waits_until(Instant::now() + grace);
        self.record(&Event::Draining.record());
    }

    /// Opens the file anew, which somebody has moved away.
    pub fn reopen(&self) {
        self.queue.reopen();
    }

    /// Writes what waits, and ends. Blocks for as long at most, or a little more.
    pub fn close(&self, within: Duration) {
        self.record(&Event::Stopped.record());
        self.queue.close(Instant::now() + within);
        let written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        // The writer may be in the middle of a write that never ends.
        if written.recv_timeout(within + within / 5) == Err(mpsc::RecvTimeoutError::Timeout) {
            let left = self.queue.records();
            self.metrics.log_dropped(Dropped::Shutdown, left);
            error!(
                left,
                "the decision log takes no more: {left} records are lost"
            );
        }
    }

    /// Records what is no decision, for which nobody waits.
    fn record(&self, record: &Record<'_>) {
        self.queued(self.queue.push_over(&line(self.rules.format, record)));
    }

    fn queued(&self, queued: Result<usize, Unqueued>) {
        match queued {
            Ok(waiting) => self.metrics.log_waits(waiting),
            Err(Unqueued::Full { first }) => self.lost(first),
            Err(Unqueued::Over) => self.metrics.log_dropped(Dropped::Shutdown, 1),
        }
    }

    fn lost(&self, first: bool) {
        self.metrics.log_dropped(Dropped::QueueFull, 1);
        if first {
            let why = "records are dropped: they come faster than they are written";
            let why = why.to_owned();
            self.status.set_decision_log(self.rules.overflow.check(why));
        }
        if let Some(suppressed) = self.notices.take(Instant::now()) {
            warn!(
                suppressed,
                "records of decisions are dropped: they come faster than they are written"
            );
        }
    }

    /// An answer has waited for a second for its line.
    fn stalled(&self) {
        self.metrics.log_failed();
        let why = "answers wait: records come faster than they are written".to_owned();
        self.status.set_decision_log(self.rules.overflow.check(why));
        if let Some(suppressed) = self.notices.take(Instant::now()) {
            warn!(
                suppressed,
                "answers wait for the decision log, which nobody writes or reads on"
            );
        }
    }

    /// By the random part of its id.
    fn is_sampled(&self, id: Uuid) -> bool {
        // The bits before the last 32 count within a millisecond.
        let drawn = (id.as_u128() as u32) as f64 / 2f64.powi(32);
        self.rules.allows >= 1.0 || drawn < self.rules.allows
    }
}

/// A record as it is written, its line feed included.
fn line(format: RecordFormat, record: &Record<'_>) -> Vec<u8> {
    let mut line = Vec::with_capacity(LINE);
    let written = match format {
        RecordFormat::Json => serde_json::to_writer(&mut line, record),
        RecordFormat::Ocsf => serde_json::to_writer(&mut line, &AsEvent(record)),
    };
    // Memory takes all of it, and every record has a JSON text.
    if let Err(error) = written {
        error!(%error, "a record could not be made: {error}");
        line.clear();
    }
    line.push(b'\n');
    line
}
