//! One case: a served folder, callers that never stop asking, and what must hold after each change.

use std::{
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use tempfile::TempDir;

use super::{
    line::Line,
    load::Load,
    plan::{Plan, Watcher},
    told::{self, Told, named},
    turn::Turn,
    world::{Layout, Set},
};
use crate::{client::Connection, harness::PATIENCE, process::Process};

/// The promise: an edit is in force this long after its last event.
const PROMISE: Duration = Duration::from_secs(2);

/// The default of `--poll-interval`.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// Between two looks at the admin listener.
const PAUSE: Duration = Duration::from_millis(5);

/// A case that has begun.
pub(super) struct Stage {
    layout: Layout,
    /// Before the process: it asks until the end.
    load: Load,
    pub(super) process: Process,
    admin: Connection,
    root: TempDir,
    watcher: Watcher,
    promise: Duration,
    in_force: Set,
    line: Line,
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
        let flags = sources
            .iter()
            .map(String::as_str)
            .chain(plan.flags.iter().copied());
        let process = (plan.serve)(root.path(), &flags.collect::<Vec<_>>());
        let expected = set.expected(&plan.layout);
        let mut stage = Self {
            admin: process.connect_admin(),
            load: Load::start(&process.address, expected, plan.think),
            watcher: plan.watcher,
            promise: match plan.watcher {
                Watcher::Down | Watcher::Off => PROMISE + POLL_INTERVAL,
                Watcher::Up => PROMISE,
            },
            in_force: set.clone(),
            line: Line::of(plan.case),
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

    /// The next changes raise no event, and the watcher is found out.
    pub(super) fn without_events(&mut self) {
        self.watcher = Watcher::Down;
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
    pub(super) fn note(&mut self, text: String) {
        self.line.note(text);
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
        assert_eq!(
            self.told().reloads("applied", "none"),
            before + 1.0,
            "{what}"
        );
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
        self.line.took(format!("{what}: in force"), took);
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
        self.line
            .took(format!("{what}: refused ({reason}: {message})"), took);
    }

    /// A change after which the sources are again what was in force all the time.
    #[track_caller]
    pub(super) fn returns(&mut self, what: &str, change: impl FnOnce(&Path)) {
        let before = self.told().reloads("applied", "none");
        change(self.root.path());
        let took = self.wait(what, |told| told.metric("palisade_sources_stale") == 0.0);
        self.told_fresh();
        assert_eq!(self.told().reloads("applied", "none"), before, "{what}");
        self.line.took(format!("{what}: mended"), took);
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
        assert_eq!(
            before.status["attempts"], after.status["attempts"],
            "{what}"
        );
        self.line
            .took(format!("{what}: looked at, nothing new"), took);
    }

    /// Ends the case: the callers got nothing but right answers.
    pub(super) fn end(self, title: &str) {
        let replies = self.load.finish();
        eprintln!("{}", self.line.told(title, replies));
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
        let (up, state) = match self.watcher {
            Watcher::Down => (0.0, "degraded"),
            Watcher::Off => (0.0, "off"),
            Watcher::Up => (1.0, "ok"),
        };
        self.wait("the watcher is as it should be", |told| {
            told.metric("palisade_watcher_up") == up && told.check("watcher").0 == state
        });
        let told = self.told();
        let sources = self.in_force.sources(&self.layout);
        assert_eq!(told.revision(), sources.revision().as_str());
        let files = sources.files().map(|it| (it.name.clone(), it.digest()));
        assert_eq!(told.files(), files.collect());
        let policies = self.in_force.policies() as f64;
        assert_eq!(told.metric("palisade_policies"), policies);
        assert_eq!((told.ready_code, &told.ready["ready"]), (200, &true.into()));
        told
    }
}
