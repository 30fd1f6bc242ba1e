//! The loop that keeps what is in force equal to what is on disk: look again, read, compile,
//! publish by one swap. A candidate that fails any step changes nothing but what is told of it.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{self, Receiver, SyncSender},
    },
    thread,
    time::{Duration, Instant, SystemTime},
};

use tokio::sync::oneshot;
use tracing::info;

use crate::{
    authz::{Kind, Rejection, Revision, Snapshot, Sources},
    store::Publisher,
    telemetry::{Attempt, Check, InForce, Metrics, ReloadResult, Status},
};

use super::{
    SourceSpec,
    compile::compile,
    gates::{Gate, Gates, Verdict},
    read,
    scan::Scan,
    watch::Watcher,
};

mod log;

/// A save is often several events; this much silence ends it.
const QUIET: Duration = Duration::from_millis(100);

/// However many events come, we look this often: the last state is in force in bounded time.
const PATIENCE: Duration = Duration::from_millis(500);

/// Polls after a change that read everything although nothing seems to have changed: two writes
/// within one tick of the file system's clock look like one.
const SUSPICIOUS_POLLS: u32 = 2;

/// Reads, compiles and publishes. Owns the only writer.
#[derive(Debug)]
pub struct Reloader {
    spec: SourceSpec,
    publisher: Publisher,
    metrics: Arc<Metrics>,
    status: Arc<Status>,
    poll_interval: Duration,
    gates: Gates,
    last_scan: Option<Scan>,
    suspicious_polls: u32,
    refused: Option<Refused>,
    compile: fn(Sources) -> Result<Snapshot, Rejection>,
}

/// The candidate that was refused last, so that it is refused once and not at every look.
#[derive(Debug)]
struct Refused {
    /// `None` if not the candidate is to blame but what was in the way of reading or compiling
    /// it, which may go away without a trace on the files.
    revision: Option<Revision>,
    rejection: Rejection,
}

/// A loop that runs on a thread of its own until it is dropped.
#[derive(Debug)]
pub struct Running {
    stop: Arc<AtomicBool>,
    hints: SyncSender<()>,
    ended: oneshot::Receiver<()>,
}

impl Reloader {
    /// A reloader that has not looked yet.
    pub fn new(
        spec: SourceSpec,
        publisher: Publisher,
        metrics: Arc<Metrics>,
        status: Arc<Status>,
        poll_interval: Duration,
    ) -> Self {
        Self {
            spec,
            publisher,
            metrics,
            status,
            poll_interval,
            gates: Gates::default(),
            last_scan: None,
            suspicious_polls: SUSPICIOUS_POLLS,
            refused: None,
            compile,
        }
    }

    /// The same reloader with gates other than the default, which is to enforce all.
    #[must_use]
    pub fn with_gates(mut self, gates: Gates) -> Self {
        self.gates = gates;
        self
    }

    /// Puts the first snapshot in force. Blocks until it is compiled.
    ///
    /// # Errors
    /// Why there is none; metrics and status tell it too.
    pub fn first_load(&mut self) -> Result<(), Rejection> {
        self.read_and_apply();
        match self.refused.take() {
            Some(refused) => Err(refused.rejection),
            None => Ok(()),
        }
    }

    /// Keeps looking, on a thread of its own: nearly everything it does blocks.
    ///
    /// # Errors
    /// No thread can be made.
    pub fn start(self) -> io::Result<Running> {
        let (hints, heard) = mpsc::sync_channel(1);
        let stop = Arc::new(AtomicBool::new(false));
        let (end, ended) = oneshot::channel();
        let running = Running {
            stop: Arc::clone(&stop),
            hints: hints.clone(),
            ended,
        };
        let thread = thread::Builder::new().name("reload".to_owned());
        thread.spawn(move || {
            // Dropped when the loop ends, also by a panic: `Running::ended` sees it.
            let _end = end;
            self.run(hints, &heard, &stop);
        })?;
        Ok(running)
    }

    fn run(mut self, hints: SyncSender<()>, heard: &Receiver<()>, stop: &AtomicBool) {
        let (metrics, status) = (Arc::clone(&self.metrics), Arc::clone(&self.status));
        let mut watcher = Watcher::new(hints, metrics, status);
        // What changed between the first load and the first watch went unseen.
        let mut hinted = false;
        while !stop.load(Ordering::Acquire) {
            let grew = self.look(&mut watcher, hinted);
            hinted = !grew && wait(heard, self.poll_interval);
        }
    }

    /// Looks at the sources once, and reads them if there is reason to. Returns whether to look
    /// again at once.
    fn look(&mut self, watcher: &mut Watcher, hinted: bool) -> bool {
        watcher.bury();
        let scan = Scan::of(&self.spec);
        let grew = watcher.arm(&scan.interest);
        let changed = self.last_scan.as_ref() != Some(&scan);
        // What could not be read or compiled may have been mended without a trace on the files.
        let untried = self
            .refused
            .as_ref()
            .is_some_and(|it| it.revision.is_none());
        if changed || hinted {
            self.suspicious_polls = SUSPICIOUS_POLLS;
        } else if self.suspicious_polls > 0 {
            self.suspicious_polls -= 1;
        } else if !untried {
            return grew;
        }
        self.read_and_apply();
        grew
    }

    fn read_and_apply(&mut self) {
        let start = Instant::now();
        let (scan, result) = read::settled(&self.spec);
        self.metrics.read_took(start.elapsed());
        self.last_scan = Some(scan);
        match result {
            Ok(sources) => self.consider(sources),
            Err(rejection) => self.refuse(None, rejection),
        }
    }

    fn consider(&mut self, sources: Sources) {
        let revision = sources.revision();
        let in_force = self.publisher.current();
        if in_force.is_some_and(|snapshot| *snapshot.revision() == revision) {
            if self.refused.take().is_some() {
                info!(%revision, "the sources are what is in force again: {revision}");
            }
            self.confirm(ReloadResult::Unchanged);
            return self.status.set_sources(Check::Ok);
        }
        let refused = self.refused.as_ref().and_then(|it| it.revision.as_ref());
        if refused == Some(&revision) {
            return self.count(ReloadResult::Unchanged);
        }
        let files: Vec<(String, String)> = sources
            .files()
            .map(|file| (file.name.clone(), file.digest()))
            .collect();
        let start = Instant::now();
        let compiled = (self.compile)(sources);
        self.metrics.compile_took(start.elapsed());
        match compiled.and_then(|candidate| self.judge(candidate)) {
            Ok(snapshot) => self.publish(snapshot, files),
            // No thread to compile on: the revision is as good as unread.
            Err(rejection) if rejection.reason() == Kind::Io => self.refuse(None, rejection),
            Err(rejection) => self.refuse(Some(revision), rejection),
        }
    }

    /// Lets the gates look at a candidate that is valid.
    fn judge(&self, candidate: Snapshot) -> Result<Snapshot, Rejection> {
        let mut verdict = Verdict::default();
        let in_force = self.publisher.current().map(|it| it.counts());
        verdict.shrink(self.gates.shrink, candidate.counts(), in_force);
        let candidate = if self.gates.canary == Gate::Off {
            candidate
        } else {
            let start = Instant::now();
            let tried = verdict.canary(self.gates.canary, candidate, in_force);
            self.metrics.canary_took(start.elapsed());
            tried?
        };
        let (candidate, warnings) = verdict.pass(candidate)?;
        log::warned(candidate.revision(), &warnings);
        Ok(candidate)
    }

    fn publish(&mut self, snapshot: Snapshot, files: Vec<(String, String)>) {
        let now = SystemTime::now();
        let snapshot = Arc::new(snapshot);
        let (revision, counts) = (snapshot.revision(), snapshot.counts());
        // Metrics first: whoever sees the new revision in a reply finds its series.
        self.metrics.published(&snapshot);
        self.publisher.publish(Arc::clone(&snapshot));
        self.confirm(ReloadResult::Applied);
        // Status last: what it tells is in force and counted by then.
        self.status.published(InForce {
            snapshot: Arc::clone(&snapshot),
            files: files.into(),
            loaded_at: now,
        });
        self.refused = None;
        info!(
            %revision,
            policies = counts.policies,
            entities = counts.entities,
            warnings = snapshot.warnings().len(),
            "published revision {revision}"
        );
    }

    fn refuse(&mut self, revision: Option<Revision>, rejection: Rejection) {
        let again = |it: &Refused| it.revision == revision && it.rejection == rejection;
        if self.refused.as_ref().is_some_and(again) {
            return self.count(ReloadResult::Unchanged);
        }
        let reason = rejection.reason();
        // With nothing in force, whoever asked for the first load tells why there is none.
        if self.publisher.current().is_some() {
            log::refused(revision.as_ref(), &rejection);
        }
        let count = log::errors(&rejection).count();
        self.metrics.stale(true);
        self.count(ReloadResult::Rejected(reason));
        self.status.set_sources(Check::Degraded(format!(
            "the last edit was refused ({}): {count} findings",
            reason.as_str()
        )));
        self.status.attempted(Attempt {
            at: SystemTime::now(),
            revision: revision.as_ref().map(ToString::to_string),
            result: ReloadResult::Rejected(reason),
            findings: rejection.findings().to_vec(),
        });
        self.refused = Some(Refused {
            revision,
            rejection,
        });
    }

    /// What is on disk is in force.
    fn confirm(&self, result: ReloadResult) {
        self.metrics.stale(false);
        self.metrics.confirmed_at(SystemTime::now());
        self.count(result);
    }

    fn count(&self, result: ReloadResult) {
        self.metrics.attempted_at(SystemTime::now());
        self.metrics.reloaded(result);
    }
}

impl Running {
    /// Waits for the loop to end, which it does only by a fault.
    pub async fn ended(&mut self) {
        // Nothing is ever sent: the sender is dropped when the thread ends.
        let _ = (&mut self.ended).await;
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        // Full wakes it as well.
        let _ = self.hints.try_send(());
    }
}

/// Waits for a hint and for the silence after it, or for the next poll. Returns whether there
/// was a hint.
fn wait(heard: &Receiver<()>, poll_interval: Duration) -> bool {
    if heard.recv_timeout(poll_interval).is_err() {
        return false;
    }
    let start = Instant::now();
    loop {
        let left = PATIENCE.saturating_sub(start.elapsed());
        if left.is_zero() || heard.recv_timeout(QUIET.min(left)).is_err() {
            return true;
        }
    }
}

#[cfg(test)]
mod tests;
