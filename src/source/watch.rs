//! The watcher that says "look again". Its events are hints and nothing more: whoever hears one
//! reads everything again, so that a lost or doubled event costs at most a poll interval.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc::SyncSender,
    },
    thread,
    time::{Duration, Instant},
};

use arc_swap::ArcSwap;
use notify::{Config, Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use tracing::{info, warn};

use crate::telemetry::{Check, Metrics, Status};

use super::interest::Interest;

mod hearing;

use hearing::Hearing;

/// How long we poll before we try to watch again: soon enough to recover unattended, rare enough
/// that a machine out of inotify watches is not asked all the time.
const RETRY: Duration = Duration::from_secs(30);

/// How long a watcher waits that goes on failing although it was told to end: it reads again at
/// once, for ever, and would take a core and all our hints.
const RESPITE: Duration = Duration::from_millis(100);

/// Watches what the last scan was interested in, or says that it cannot.
#[derive(Debug)]
pub(super) struct Watcher {
    hints: SyncSender<()>,
    metrics: Arc<Metrics>,
    status: Arc<Status>,
    interest: Arc<ArcSwap<Interest>>,
    live: Option<Live>,
    /// When a watcher that is down is tried again; at once if it was never up.
    retry_at: Option<Instant>,
    /// What was told last, so that it is told once.
    told_up: Option<bool>,
    /// Nobody wants events.
    off: bool,
    hearing: Hearing,
    /// A folder was added: what happened in it before went unseen.
    grew: bool,
}

#[derive(Debug)]
struct Live {
    notify: RecommendedWatcher,
    dead: Arc<AtomicBool>,
    armed: BTreeSet<PathBuf>,
}

impl Watcher {
    /// A watcher that hints into `hints`; it is down until it is armed.
    pub(super) fn new(hints: SyncSender<()>, metrics: Arc<Metrics>, status: Arc<Status>) -> Self {
        metrics.watcher_enabled(true);
        Self {
            hints,
            metrics,
            status,
            interest: Arc::default(),
            live: None,
            retry_at: None,
            told_up: None,
            off: false,
            hearing: Hearing::default(),
            grew: false,
        }
    }

    /// Never watches: whoever asked for it polls.
    pub(super) fn never(&mut self) {
        self.off = true;
        self.metrics.watcher_enabled(false);
        self.metrics.watcher_up(false);
        let state = "polling only, as `--watch=poll` says";
        self.status.set_watcher(Check::Off(state.to_owned()));
    }

    /// Watches what is of interest now. Returns whether a folder was added: what happened in it
    /// before went unseen.
    pub(super) fn arm(&mut self, interest: &Interest) -> bool {
        self.grew = !self.off && self.armed(interest);
        self.grew
    }

    /// A poll found that files have changed, or not. To be told before the folders are armed anew.
    pub(super) fn polled(&mut self, changed: bool) {
        let announced = self.live.is_none() || self.grew;
        if self.hearing.look(changed && !announced, Instant::now()) {
            self.down("a file changed without an event");
        }
    }

    fn armed(&mut self, interest: &Interest) -> bool {
        self.bury();
        if self.live.is_none() {
            let now = Instant::now();
            if self.retry_at.is_some_and(|at| now < at) {
                return false;
            }
            self.start();
        }
        if **self.interest.load() != *interest {
            self.interest.store(Arc::new(interest.clone()));
        }
        let Some(live) = &mut self.live else {
            return false;
        };
        match live.arm(interest.watched()) {
            Ok(added) => {
                if !self.hearing.is_deaf() {
                    self.up();
                }
                added
            }
            Err(error) => {
                self.down(&error.to_string());
                false
            }
        }
    }

    /// Notices a watcher that died since we last looked.
    pub(super) fn bury(&mut self) {
        let died = |live: &Live| live.dead.load(Ordering::Acquire);
        if self.live.as_ref().is_some_and(died) {
            self.down("the watcher ended");
        }
    }

    fn start(&mut self) {
        let dead = Arc::new(AtomicBool::new(false));
        let handler = Handler {
            hints: self.hints.clone(),
            metrics: Arc::clone(&self.metrics),
            interest: Arc::clone(&self.interest),
            heard: self.hearing.ear(),
            dead: Arc::clone(&dead),
        };
        let started = RecommendedWatcher::new(
            move |event: notify::Result<Event>| handler.handle(event),
            Config::default().with_follow_symlinks(false),
        );
        match started {
            Ok(notify) => {
                self.live = Some(Live {
                    notify,
                    dead,
                    armed: BTreeSet::new(),
                });
            }
            Err(error) => self.down(&error.to_string()),
        }
    }

    fn up(&mut self) {
        self.retry_at = None;
        if self.told_up.replace(true) != Some(true) {
            self.metrics.watcher_up(true);
            self.status.set_watcher(Check::Ok);
            info!("watching the sources");
        }
    }

    fn down(&mut self, why: &str) {
        self.live = None;
        self.retry_at = Instant::now().checked_add(RETRY);
        self.metrics.watcher_up(false);
        let state = format!("polling only: {why}");
        self.status.set_watcher(Check::Degraded(state));
        if self.told_up.replace(false) != Some(false) {
            warn!(
                error = why,
                "could not watch the sources, polling only: {why}"
            );
        }
    }
}

impl Live {
    /// Watches exactly these folders, each for itself. A folder that is watched already is asked
    /// for again: it may have been deleted and made anew under the same name.
    fn arm(&mut self, wanted: BTreeSet<PathBuf>) -> notify::Result<bool> {
        for gone in self.armed.difference(&wanted) {
            // It is gone or of no interest; that it cannot be unwatched is no loss.
            let _ = self.notify.unwatch(gone);
        }
        let mut added = false;
        let mut armed = BTreeSet::new();
        for folder in wanted {
            if self.watch(&folder)? {
                added |= !self.armed.contains(&folder);
                armed.insert(folder);
            }
        }
        self.armed = armed;
        Ok(added)
    }

    fn watch(&mut self, folder: &Path) -> notify::Result<bool> {
        match self.notify.watch(folder, RecursiveMode::NonRecursive) {
            Ok(()) => Ok(true),
            // Removed since the scan: its parent is watched too. Unreadable: a finding says so.
            Err(_) if std::fs::read_dir(folder).is_err() => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// Runs on the watcher's thread. Its end is the watcher's end.
struct Handler {
    hints: SyncSender<()>,
    metrics: Arc<Metrics>,
    interest: Arc<ArcSwap<Interest>>,
    heard: Arc<AtomicU64>,
    dead: Arc<AtomicBool>,
}

impl Handler {
    fn handle(&self, event: notify::Result<Event>) {
        match event {
            Ok(event) => {
                let Some(kind) = kind(&event) else {
                    return;
                };
                let interest = self.interest.load();
                let concerns = |path: &PathBuf| interest.concerns(path);
                if event.paths.is_empty() || event.paths.iter().any(concerns) {
                    self.metrics.watch_event(kind);
                    self.heard.fetch_add(1, Ordering::Release);
                    self.hint();
                }
            }
            Err(_) => {
                if self.dead.swap(true, Ordering::AcqRel) {
                    return thread::sleep(RESPITE);
                }
                self.metrics.watch_event("error");
                self.hint();
            }
        }
    }

    /// Full means that somebody is about to look anyway.
    fn hint(&self) {
        let _ = self.hints.try_send(());
    }
}

impl Drop for Handler {
    fn drop(&mut self) {
        self.dead.store(true, Ordering::Release);
        self.hint();
    }
}

/// The label of an event, or nothing for one that changes no content: our own reads raise
/// `Access` events, and a loop that listened to them would never rest.
fn kind(event: &Event) -> Option<&'static str> {
    if event.need_rescan() {
        return Some("rescan");
    }
    match event.kind {
        EventKind::Access(_) => None,
        EventKind::Create(_) => Some("create"),
        EventKind::Modify(_) => Some("modify"),
        EventKind::Remove(_) => Some("remove"),
        EventKind::Any | EventKind::Other => Some("other"),
    }
}

#[cfg(test)]
mod tests;
