//! One case: a served folder, callers that never stop asking, and what must hold after each change.

use std::{
    fs,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use tempfile::TempDir;

use super::{
    load::Load,
    told::{self, Told, named},
    turn::Turn,
    world::{Layout, Set},
};
use crate::{client::Connection, harness::PATIENCE, process::Process};

/// No poll comes to the rescue: what is in force came there by an event.
pub(super) const BY_EVENTS: [&str; 1] = ["--poll-interval=1h"];

/// No event comes to the rescue.
pub(super) const BY_POLLS: [&str; 1] = ["--watch=poll"];

/// The promise: an edit is in force this long after its last event.
const PROMISE: Duration = Duration::from_secs(2);

/// The default of `--poll-interval`.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// Between two looks at the admin listener.
const PAUSE: Duration = Duration::from_millis(5);

/// Between two questions of a caller.
const THINK: Duration = Duration::from_millis(4);

/// How to begin a case.
pub(super) struct Plan<'a> {
    pub(super) case: u8,
    pub(super) layout: Layout,
    pub(super) flags: &'a [&'a str],
    pub(super) think: Duration,
    /// Puts the first set where it is served from.
    pub(super) place: fn(&Path, &Layout, &Set),
    pub(super) serve: fn(&Path, &[&str]) -> Process,
    /// What the server makes of events.
    pub(super) watcher: Watcher,
    pub(super) turn: Turn,
}

/// What a server makes of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Watcher {
    /// Nothing: it could not get any.
    Down,
    /// Nothing: nobody wants them.
    Off,
    /// It listens.
    Up,
}

impl Plan<'_> {
    /// Of a case that begins with plain files and as few flags as this.
    pub(super) fn of(case: u8, flags: &'static [&'static str]) -> Self {
        Self {
            case,
            layout: Layout::tree(""),
            flags,
            think: THINK,
            place: |root, layout, set| put(root, layout, set),
            serve: Process::serve,
            watcher: match flags.contains(&BY_POLLS[0]) {
                true => Watcher::Off,
                false => Watcher::Up,
            },
            turn: Turn::beside_another(),
        }
    }

    /// The same, of a case that no other runs beside: what it does to the machine, all would feel.
    pub(super) fn alone(self) -> Self {
        drop(self.turn);
        Self {
            turn: Turn::alone(),
            ..self
        }
    }
}

/// A case that has begun.
pub(super) struct Stage {
    case: u8,
    layout: Layout,
    /// Before the process: it asks until the end.
    load: Load,
    pub(super) process: Process,
    admin: Connection,
    root: TempDir,
    watcher: Watcher,
    promise: Duration,
    in_force: Set,
    steps: Vec<String>,
    _turn: Turn,
}

impl Stage {
    /// Begins a case with plain files.
    pub(super) fn start(case: u8, flags: &'static [&'static str], set: &Set) -> Self {
        Self::of(Plan::of(case, flags), set)
    }

    /// Begins a case.
    pub(super) fn of(plan: Plan<'_>, set: &Set) -> Self {
        let root = tempfile::tempdir().unwrap();
        (plan.place)(root.path(), &plan.layout, set);
        let sources = plan.layout.flags();
        let flags = sources.iter().map(String::as_str).chain(plan.flags.iter().copied());
        let process = (plan.serve)(root.path(), &flags.collect::<Vec<_>>());
        let expected = set.expected(&plan.layout);
        let mut stage = Self {
            case: plan.case,
            admin: process.connect_admin(),
            load: Load::start(&process.address, expected, plan.think),
            watcher: plan.watcher,
            promise: match plan.watcher {
                Watcher::Down | Watcher::Off => PROMISE + POLL_INTERVAL,
                Watcher::Up => PROMISE,
            },
            in_force: set.clone(),
            steps: Vec::new(),
            layout: plan.layout,
            process,
            root,
            _turn: plan.turn,
        };
        // It looks twice more when it begins to watch, or polls twice at least; after that, only
        // an event or a change makes it look.
        stage.wait("it has looked at the first set", |told| {
            told.reloads("unchanged", "none") >= 2.0
        });
        stage.told_fresh();
        stage
    }

    /// The next changes raise no event.
    pub(super) fn without_events(&mut self) {
        self.promise = PROMISE + POLL_INTERVAL;
    }

    pub(super) fn root(&self) -> &Path {
        self.root.path()
    }

    /// Where a file of a set is found.
    pub(super) fn path(&self, file: &str) -> PathBuf {
        self.root.path().join(self.layout.name(file))
    }

    pub(super) fn layout(&self) -> &Layout {
        &self.layout
    }

    /// What the admin listener tells now.
    pub(super) fn told(&mut self) -> Told {
        Told::by(&mut self.admin)
    }

    /// Adds to the line of the case.
    pub(super) fn note(&mut self, step: String) {
        self.steps.push(step);
    }

    /// This set may be in force from now on.
    pub(super) fn expect(&self, set: &Set) {
        self.load.expect(set.expected(&self.layout));
    }

    /// A change after which a set is in force, whole, in time.
    #[track_caller]
    pub(super) fn applies(&mut self, what: &str, set: &Set, change: impl FnOnce(&Path)) {
        self.expect(set);
        let before = self.told().reloads("applied", "none");
        change(self.root.path());
        self.in_force(what, set);
        assert_eq!(self.told().reloads("applied", "none"), before + 1.0, "{what}");
    }

    /// Waits until a set is in force, which was expected before and changed to just now.
    #[track_caller]
    pub(super) fn in_force(&mut self, what: &str, set: &Set) {
        let revision = set.expected(&self.layout).revision;
        let took = self.wait(what, |told| {
            told.revision() == revision && told.metric("palisade_sources_stale") == 0.0
        });
        self.in_force = set.clone();
        self.told_fresh();
        let told = self.told();
        assert_eq!(told.attempt()["result"], "applied", "{what}");
        assert_eq!(told.attempt()["revision"], revision.as_str(), "{what}");
        self.note(format!("{what}: in force after {} ms", took.as_millis()));
    }

    /// A change that is refused: the findings are of this reason and about these files, and what
    /// was in force stays.
    #[track_caller]
    pub(super) fn refuses(
        &mut self,
        what: &str,
        reason: &str,
        files: &[&str],
        change: impl FnOnce(&Path),
    ) {
        let before = self.told().reloads("rejected", reason);
        change(self.root.path());
        let took = self.wait(what, |told| {
            let attempt = told.attempt();
            told.reloads("rejected", reason) > before
                && attempt["result"] == "rejected"
                && attempt["reason"] == reason
                && named(attempt) == files.iter().copied().collect()
        });
        self.told_stale();
        let told = self.told();
        let first = told::errors(told.attempt()).next().unwrap();
        let message = &first["message"];
        self.note(format!(
            "{what}: refused after {} ms ({reason}): {message}",
            took.as_millis()
        ));
    }

    /// A change after which the sources are again what was in force all the time.
    #[track_caller]
    pub(super) fn returns(&mut self, what: &str, change: impl FnOnce(&Path)) {
        let before = self.told().reloads("applied", "none");
        change(self.root.path());
        let took = self.wait(what, |told| told.metric("palisade_sources_stale") == 0.0);
        self.told_fresh();
        assert_eq!(self.told().reloads("applied", "none"), before, "{what}");
        self.note(format!("{what}: mended after {} ms", took.as_millis()));
    }

    /// A change that is looked at, and that changes nothing.
    #[track_caller]
    pub(super) fn ignores(&mut self, what: &str, change: impl FnOnce(&Path)) {
        let before = self.told();
        change(self.root.path());
        let took = self.wait(what, |told| {
            told.reloads("unchanged", "none") > before.reloads("unchanged", "none")
        });
        self.told_fresh();
        let after = self.told();
        for result in ["applied", "rejected"] {
            let count = |told: &Told| {
                let labels = told.labels("palisade_reloads_total");
                let mine = labels.iter().filter(|it| it.contains(result));
                mine.map(|it| told.metric(&format!("palisade_reloads_total{{{it}}}")))
                    .sum::<f64>()
            };
            assert_eq!(count(&before), count(&after), "{what}: {result}");
        }
        assert_eq!(before.status["attempts"], after.status["attempts"], "{what}");
        self.note(format!("{what}: nothing new, looked after {} ms", took.as_millis()));
    }

    /// Ends the case: the callers got nothing but right answers.
    pub(super) fn end(self, title: &str) {
        let replies = self.load.finish();
        let steps = self.steps.join("; ");
        println!("{:2} {title} | {steps} | {replies} right replies", self.case);
    }

    /// Waits until something is told, and not longer than was promised. For how long the machine
    /// does not let us run, it does not let the server run either: that is not held against it.
    #[track_caller]
    pub(super) fn wait(&mut self, what: &str, holds: impl Fn(&Told) -> bool) -> Duration {
        let started = Instant::now();
        let mut stalled = Duration::ZERO;
        loop {
            let told = self.told();
            if holds(&told) {
                let took = started.elapsed();
                let promise = self.promise + stalled;
                assert!(took <= promise, "{what}: {took:?}, not {promise:?}");
                return took;
            }
            assert!(
                started.elapsed() < PATIENCE,
                "in vain: {what}: {}, {}",
                told.ready,
                told.attempt()
            );
            let slept = Instant::now();
            thread::park_timeout(PAUSE);
            stalled += slept.elapsed().saturating_sub(2 * PAUSE);
        }
    }

    /// What is on disk is in force, and everything says so.
    #[track_caller]
    fn told_fresh(&mut self) {
        let told = self.told_without_contradiction();
        assert_eq!(told.metric("palisade_sources_stale"), 0.0);
        assert_eq!(told.check("sources"), ("ok", ""));
    }

    /// What is on disk is not in force, what was stays, and everything says so.
    #[track_caller]
    fn told_stale(&mut self) {
        let told = self.told_without_contradiction();
        assert_eq!(told.metric("palisade_sources_stale"), 1.0);
        let (state, message) = told.check("sources");
        assert_eq!(state, "degraded");
        let reason = told.attempt()["reason"].as_str().unwrap();
        assert!(message.contains(reason), "{message}, but {reason}");
    }

    #[track_caller]
    fn told_without_contradiction(&mut self) -> Told {
        self.wait("all pages agree", |told| told.contradiction().is_none());
        let told = self.told();
        let sources = self.in_force.sources(&self.layout);
        assert_eq!(told.revision(), sources.revision().as_str());
        let files = sources.files().map(|it| (it.name.clone(), it.digest()));
        assert_eq!(told.files(), files.collect());
        let policies = self.in_force.policies() as f64;
        assert_eq!(told.metric("palisade_policies"), policies);
        assert_eq!((told.ready_code, &told.ready["ready"]), (200, &true.into()));
        let (up, state) = match self.watcher {
            Watcher::Down => (0.0, "degraded"),
            Watcher::Off => (0.0, "off"),
            Watcher::Up => (1.0, "ok"),
        };
        assert_eq!(told.metric("palisade_watcher_up"), up);
        assert_eq!(told.check("watcher").0, state);
        told
    }
}

/// Writes every file of a set where it is read from.
pub(super) fn put(root: &Path, layout: &Layout, set: &Set) {
    for (file, content) in set.files() {
        let path = root.join(layout.name(file));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
}

/// Puts a file in place of another in one step, as `mv` does it, and vim.
pub(super) fn rename_over(path: &Path, content: impl AsRef<[u8]>) {
    let name = path.file_name().unwrap().to_string_lossy();
    let next = path.with_file_name(format!(".{name}.next"));
    fs::write(&next, content).unwrap();
    fs::rename(next, path).unwrap();
}
