//! The thread that writes: takes all lines there are, and tries again what fails.

use std::{
    io,
    sync::Arc,
    time::{Duration, Instant},
};

use tracing::{error, info, warn};

use crate::telemetry::{Check, Metrics, Status, Throttle};

use super::{
    Dropped, Overflow, RecordFormat, line,
    queue::{Queue, Work},
    record::Event,
    sink::Sink,
};

/// Before what failed is tried again: a disk has room again when somebody has made some.
const PAUSE: Duration = Duration::from_secs(1);

/// Writes what the queue has.
pub(super) struct Writer {
    pub(super) sink: Sink,
    pub(super) queue: Arc<Queue>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) status: Arc<Status>,
    pub(super) format: RecordFormat,
    pub(super) overflow: Overflow,
    pub(super) notices: Throttle,
    /// The file is not the one that it should be: opening that has failed, and is tried again.
    pub(super) is_astray: bool,
}

impl Writer {
    /// Writes a first line, to see whether that can be done. If not, it is the first that is tried
    /// again.
    pub(super) fn first(&mut self, line: &[u8]) -> io::Result<()> {
        let mut from = 0;
        let written = self.sink.write(line, &mut from);
        match &written {
            Ok(()) => {
                self.metrics.log_written(1);
                self.status.set_decision_log(Check::Ok);
            }
            Err(error) => {
                self.failed(error);
                // The queue is empty, so that there is room.
                let _ = self.queue.push(line.get(from..).unwrap_or_default());
            }
        }
        written
    }

    /// Writes until the queue is closed and empty, or the time for that is over.
    pub(super) fn run(mut self) {
        loop {
            let mut work = self.queue.take(PAUSE);
            // A file that was moved away is told by SIGHUP; one that was deleted tells itself.
            if work.reopen || self.is_astray || self.sink.is_gone() {
                self.reopen(&mut work, 0);
            }
            if work.lost > 0 {
                let gap = Event::Dropped { records: work.lost };
                work.lines.extend(line(self.format, &gap.record()));
                work.count += 1;
            }
            let closed = work.closed.is_some();
            let written = self.write(work);
            let (waiting, lost) = self.queue.done();
            self.metrics.log_waits(waiting);
            if written && lost == 0 && !self.is_astray {
                self.status.set_decision_log(Check::Ok);
            }
            if closed {
                return;
            }
        }
    }

    /// Writes it all, however often it has to be tried, but for the end. Returns whether it did.
    fn write(&mut self, mut work: Work) -> bool {
        let mut from = 0;
        let mut has_failed = false;
        while let Err(error) = self.sink.write(&work.lines, &mut from) {
            has_failed = true;
            self.failed(&error);
            let left = work.closed.map_or(PAUSE, |until| until - Instant::now());
            let (reopen, closed) = self.queue.pause(PAUSE.min(left));
            if reopen {
                let start = start_of_line(&work.lines, from);
                from = if self.reopen(&mut work, start) {
                    start
                } else {
                    from
                };
            }
            work.closed = closed;
            if closed.is_some_and(|until| Instant::now() >= until) {
                let lost = lines(work.lines.get(from..).unwrap_or_default());
                self.metrics.log_written(work.count.saturating_sub(lost));
                self.metrics.log_dropped(Dropped::Shutdown, lost);
                error!(
                    lost,
                    "the decision log cannot be written: {lost} records are lost"
                );
                return false;
            }
        }
        self.metrics.log_written(work.count);
        if has_failed {
            info!("the decision log is written again");
        }
        true
    }

    fn failed(&self, error: &io::Error) {
        self.metrics.log_failed();
        let why = format!("records cannot be written: {error}");
        self.status.set_decision_log(self.overflow.check(why));
        if let Some(suppressed) = self.notices.take(Instant::now()) {
            warn!(%error, suppressed, "the decision log cannot be written: {error}");
        }
    }

    /// Opens the file anew, and has what is left from here on begin with a line that says so. Returns
    /// whether it is another file now.
    fn reopen(&mut self, work: &mut Work, from: usize) -> bool {
        if let Err(error) = self.sink.reopen() {
            self.is_astray = true;
            self.metrics.log_failed();
            let why = format!("the file cannot be opened anew, and the old one goes on: {error}");
            self.status.set_decision_log(Check::Degraded(why));
            if let Some(suppressed) = self.notices.take(Instant::now()) {
                warn!(
                    %error, suppressed,
                    "the decision log cannot be opened anew, and goes on in the old file: {error}"
                );
            }
            return false;
        }
        self.is_astray = false;
        info!("the decision log is opened anew");
        let reopened = line(self.format, &Event::Reopened.record());
        work.lines.splice(from..from, reopened);
        work.count += 1;
        true
    }
}

/// Where the line begins that a byte is in.
fn start_of_line(lines: &[u8], byte: usize) -> usize {
    let before = lines.get(..byte).unwrap_or_default();
    let end = before.iter().rposition(|it| *it == b'\n');
    end.map_or(0, |end| end + 1)
}

fn lines(bytes: &[u8]) -> usize {
    bytes.iter().filter(|it| **it == b'\n').count()
}
