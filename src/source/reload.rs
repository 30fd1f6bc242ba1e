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

use crate::{
    authz::{Kind, Rejection, Snapshot, Sources, Valid},
    store::{Override, Publisher},
    telemetry::{DecisionLog, Metrics, Phase, Status, Trigger},
};

use super::{
    SourceSpec, cells,
    changes::Owners,
    compile::compile,
    gates::{Gates, Unfit},
    proving::{self, Proving},
    publication::{Candidate, Look, Publications, Refused},
    read,
    scan::Scan,
    watch::Watcher,
};

mod judge;
mod running;

pub use running::Running;

/// A save is often several events; this much silence ends it.
const QUIET: Duration = Duration::from_millis(100);

/// However many events come, we look this often: the last state is in force in bounded time.
const PATIENCE: Duration = Duration::from_millis(500);

/// Polls after a change that read everything although nothing seems to have changed: two writes
/// within one tick of the file system's clock look like one.
const SUSPICIOUS_POLLS: u32 = 2;

/// While a snapshot that is no longer in force is still in use, we look this often whether it is
/// not: its memory is given back by us, and not by whoever decides last.
const SWEEP: Duration = Duration::from_secs(1);

/// How far the threads that answer go before this one and those that it makes to compile on, as
/// `nice` counts: beside as many of them as there are cores it still gets a quarter of one, which is
/// an edit of what ships in force in two seconds.
const NICE: i32 = 5;

/// How a reloader looks, and what it takes.
#[derive(Clone, Copy, Debug)]
pub struct ReloadRules {
    /// How often the sources are looked at without an event.
    pub poll_interval: Duration,
    /// Whether the file system is asked for events.
    pub watch: bool,
    /// What a valid candidate must pass.
    pub gates: Gates,
    /// How many snapshots that were in force are kept to go back to.
    pub rollback: usize,
}

/// Reads, compiles and publishes.
#[derive(Debug)]
pub struct Reloader {
    spec: SourceSpec,
    publications: Arc<Publications>,
    metrics: Arc<Metrics>,
    status: Arc<Status>,
    rules: ReloadRules,
    last_scan: Option<Scan>,
    suspicious_polls: u32,
    /// What must be proved, if anything.
    proving: Option<Arc<Proving>>,
    stop: Arc<AtomicBool>,
    compile: fn(Sources, Option<Arc<Valid>>) -> Result<Snapshot, Rejection>,
}

impl Reloader {
    /// A reloader that has not looked yet, and is the only one to publish.
    pub fn new(
        spec: SourceSpec,
        publisher: Publisher,
        metrics: Arc<Metrics>,
        status: Arc<Status>,
        rules: ReloadRules,
    ) -> Self {
        let publications = Publications::new(
            publisher,
            Arc::clone(&metrics),
            Arc::clone(&status),
            rules.rollback,
        );
        Self {
            spec,
            publications: Arc::new(publications),
            metrics,
            status,
            rules,
            last_scan: None,
            suspicious_polls: SUSPICIOUS_POLLS,
            proving: None,
            stop: Arc::default(),
            compile,
        }
    }

    /// Has candidates proved, and the cells of what is in force.
    #[must_use]
    pub fn proving(mut self, proving: Proving) -> Self {
        self.proving = Some(Arc::new(proving));
        self
    }

    /// Records each attempt in the decision log, too.
    #[must_use]
    pub fn logging(self, decision_log: Arc<DecisionLog>) -> Self {
        self.publications.logs(decision_log);
        self
    }

    /// Puts the first snapshot in force. Blocks until it is compiled.
    ///
    /// # Errors
    /// Why there is none; metrics and status tell it too.
    pub fn first_load(&mut self) -> Result<(), Rejection> {
        self.read_and_apply(Trigger::Start);
        self.metrics.looked_at(SystemTime::now());
        self.publications.why_none().map_or(Ok(()), Err)
    }

    /// What operators put in force by hand.
    pub fn by_hand(&self) -> Arc<dyn Override> {
        Arc::<Publications>::clone(&self.publications)
    }

    /// Keeps looking, on a thread of its own: nearly everything it does blocks.
    ///
    /// # Errors
    /// No thread can be made.
    pub fn start(self) -> io::Result<Running> {
        let (hints, heard) = mpsc::sync_channel(1);
        let stop = Arc::clone(&self.stop);
        let (end, ended) = oneshot::channel();
        let cells = self.proving.as_ref().map(|proving| {
            let (publications, status) = (Arc::clone(&self.publications), Arc::clone(&self.status));
            cells::start(Arc::clone(proving), publications, status, Arc::clone(&stop))
        });
        let running = Running {
            stop: Arc::clone(&stop),
            hints: hints.clone(),
            ended,
            cells: cells.transpose()?,
        };
        let thread = thread::Builder::new().name("reload".to_owned());
        thread.spawn(move || {
            // Dropped when the loop ends, also by a panic: `Running::ended` sees it.
            let _end = end;
            // That it may fail is no loss: it would be as important as the others.
            let _ = rustix::process::nice(NICE);
            self.run(hints, &heard, &stop);
        })?;
        Ok(running)
    }

    fn run(mut self, hints: SyncSender<()>, heard: &Receiver<()>, stop: &AtomicBool) {
        let (metrics, status) = (Arc::clone(&self.metrics), Arc::clone(&self.status));
        let mut watcher = Watcher::new(hints, metrics, status);
        if !self.rules.watch {
            watcher.never();
        }
        // What changed between the first load and the first watch went unseen.
        let mut trigger = Trigger::Poll;
        while !stop.load(Ordering::Acquire) {
            let grew = self.look(&mut watcher, trigger);
            self.metrics.looked_at(SystemTime::now());
            let hinted = !grew && self.rest(heard);
            trigger = if hinted {
                Trigger::Event
            } else {
                Trigger::Poll
            };
        }
    }

    /// Waits for a hint or for the next poll, and gives back the memory of what is no longer used
    /// meanwhile. Returns whether there was a hint.
    fn rest(&self, heard: &Receiver<()>) -> bool {
        let start = Instant::now();
        loop {
            let left = self.rules.poll_interval.saturating_sub(start.elapsed());
            let in_use = self.publications.sweep();
            let pause = if in_use { left.min(SWEEP) } else { left };
            if wait(heard, pause) {
                return true;
            }
            if pause == left {
                return false;
            }
        }
    }

    /// Looks at the sources once, and reads them if there is reason to. Returns whether to look
    /// again at once.
    fn look(&mut self, watcher: &mut Watcher, trigger: Trigger) -> bool {
        watcher.bury();
        let scan = Scan::of(&self.spec);
        let last = self.last_scan.as_ref();
        if trigger == Trigger::Poll {
            watcher.polled(last.is_some_and(|last| last.files != scan.files));
        }
        let grew = watcher.arm(&scan.interest);
        let changed = last != Some(&scan);
        if changed || trigger == Trigger::Event {
            self.suspicious_polls = SUSPICIOUS_POLLS;
        } else if self.suspicious_polls > 0 {
            self.suspicious_polls -= 1;
        } else if !self.publications.is_untried() {
            return grew;
        }
        self.read_and_apply(trigger);
        grew
    }

    fn read_and_apply(&mut self, trigger: Trigger) {
        let mut look = Look::by(trigger);
        let read = match trigger == Trigger::Start {
            true => read::settled_soon,
            false => read::settled,
        };
        let (scan, result) = self.timed(&mut look, Phase::Read, || read(&self.spec));
        self.last_scan = Some(scan);
        match result {
            Ok(sources) => self.consider(sources, look),
            // What could not be read may be mended without a trace on the files.
            Err(rejection) => self.publications.refuse(Refused::unread(rejection), &look),
        }
    }

    fn consider(&self, sources: Sources, mut look: Look) {
        let revision = sources.revision();
        if self.publications.settles(&revision, &look) {
            return;
        }
        look.owners = self.owners();
        let files = sources.files();
        let files = files
            .map(|file| (file.name.clone(), file.digest()))
            .collect();
        let known = self.publications.valid();
        let kept = self
            .proving
            .as_ref()
            .map(|_| Arc::new(proving::needed(&sources)));
        let compiled = self.timed(&mut look, Phase::Compile, || (self.compile)(sources, known));
        let compiled = compiled.map(|candidate| match kept {
            Some(sources) => candidate.with_sources(sources),
            None => candidate,
        });
        let judged = compiled.map_err(Unfit::from);
        match judged.and_then(|candidate| self.judge(candidate, &mut look)) {
            Ok(snapshot) => {
                let snapshot = Arc::new(snapshot);
                self.publications
                    .offer(&Candidate { snapshot, files }, &look);
            }
            // No thread to compile on: the revision is as good as unread.
            Err(unfit) if unfit.rejection.reason() == Kind::Io => {
                let refused = Refused::unread(unfit.rejection);
                self.publications.refuse(refused, &look);
            }
            Err(unfit) => {
                let refused = Refused {
                    revision: Some(revision),
                    rejection: unfit.rejection,
                    files: Some(files),
                    acceptable: unfit.acceptable,
                };
                self.publications.refuse(refused, &look);
            }
        }
    }

    /// Whose the files are that were read last.
    fn owners(&self) -> Owners {
        let files = self.last_scan.iter().flat_map(|scan| &scan.files);
        files.map(|it| (it.name.clone(), it.owner())).collect()
    }

    fn timed<T>(&self, look: &mut Look, phase: Phase, step: impl FnOnce() -> T) -> T {
        let start = Instant::now();
        let result = step();
        let took = start.elapsed();
        self.metrics.phase_took(phase, took);
        look.took.push((phase, took));
        result
    }
}

/// Waits for a hint and for the silence after it, or for so long. Returns whether there was a
/// hint.
fn wait(heard: &Receiver<()>, pause: Duration) -> bool {
    if heard.recv_timeout(pause).is_err() {
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
