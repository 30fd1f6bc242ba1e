//! Everything that lay on the disk, and when: what may come into force, and what may not.

use std::{
    collections::HashMap,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use palisade::authz::{SourceFile, Sources};

use crate::{
    clock::{Micros, SECOND, now},
    oracle::{self, Compiled, Reason},
    sets::{CANARIES, ENTITIES, Files, LINKS, SCHEMA},
};

/// How long a reply may come before whoever edits has told what was edited.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long what is gone from the disk is remembered, if it was never in force.
const MEMORY: Micros = 20 * SECOND;

/// What lay on the disk at some time.
pub(crate) struct State {
    /// `None` if something lies in the way of reading it.
    pub(crate) revision: Option<String>,
    files: Files,
    compiled: OnceLock<Result<Compiled, Reason>>,
    /// When it was last replaced; still there if that is far in the future.
    gone_at: AtomicU64,
}

impl State {
    fn new(files: Files, readable: bool) -> Self {
        Self {
            revision: readable.then(|| revision(&files)),
            files,
            compiled: OnceLock::new(),
            gone_at: AtomicU64::new(Micros::MAX),
        }
    }

    /// The set as Cedar takes it, or why it is refused whatever is in force.
    pub(crate) fn compiled(&self) -> Result<&Compiled, Reason> {
        let compile = || match self.revision {
            Some(_) => oracle::compile(&self.files),
            None => Err(Reason::Io),
        };
        self.compiled
            .get_or_init(compile)
            .as_ref()
            .map_err(|it| *it)
    }

    pub(crate) fn gone_at(&self) -> Micros {
        self.gone_at.load(Ordering::SeqCst)
    }
}

/// The name that palisade must give to the files.
fn revision(files: &Files) -> String {
    let file = |path: &str| SourceFile {
        name: format!("current/{path}"),
        bytes: files[path].clone(),
    };
    let all = |wanted: &dyn Fn(&str) -> bool| {
        let paths = files.keys().filter(|path| wanted(path));
        paths.map(|path| file(path)).collect::<Vec<_>>()
    };
    let sources = Sources {
        policies: all(&|path| path.ends_with(".cedar")),
        links: all(&|path| path == LINKS),
        schema: Some(file(SCHEMA)),
        entities: vec![file(ENTITIES)],
        canaries: all(&|path| path == CANARIES),
        ..Sources::default()
    };
    sources.revision().to_string()
}

/// The states of the disk.
pub(crate) struct Offered {
    inner: Mutex<Inner>,
    changed: Condvar,
}

struct Inner {
    by_revision: HashMap<String, Arc<State>>,
    now: Arc<State>,
    /// When anything was last done to the disk.
    moved_at: Micros,
    /// When something last lay in the way of reading.
    blocked_until: Micros,
}

impl Offered {
    /// Nothing is there yet.
    pub(crate) fn new() -> Self {
        Self {
            inner: Mutex::new(Inner {
                by_revision: HashMap::new(),
                now: Arc::new(State::new(Files::new(), false)),
                moved_at: now(),
                blocked_until: 0,
            }),
            changed: Condvar::new(),
        }
    }

    /// What lies on the disk from now on.
    pub(crate) fn put(&self, files: Files, readable: bool) {
        let state = State::new(files, readable);
        let mut inner = self.inner();
        let at = now();
        inner.moved_at = at;
        if inner.now.revision.is_none() {
            inner.blocked_until = at;
        }
        inner.now.gone_at.store(at, Ordering::SeqCst);
        inner.now = match &state.revision {
            Some(revision) => {
                let known = inner.by_revision.entry(revision.clone());
                let known = known.or_insert_with(|| Arc::new(state));
                known.gone_at.store(Micros::MAX, Ordering::SeqCst);
                Arc::clone(known)
            }
            None => Arc::new(state),
        };
        drop(inner);
        self.changed.notify_all();
    }

    /// The server was held up until now: what it owes is counted from here.
    pub(crate) fn moved(&self) {
        self.inner().moved_at = now();
    }

    pub(crate) fn now(&self) -> Arc<State> {
        Arc::clone(&self.inner().now)
    }

    pub(crate) fn moved_at(&self) -> Micros {
        self.inner().moved_at
    }

    /// Whether a reader may have been disturbed since a moment.
    pub(crate) fn disturbed_since(&self, since: Micros) -> bool {
        let inner = self.inner();
        inner.now.revision.is_none() || inner.blocked_until >= since || inner.moved_at >= since
    }

    /// The state of a revision, if it ever lay on the disk.
    pub(crate) fn known(&self, revision: &str) -> Option<Arc<State>> {
        self.inner().by_revision.get(revision).cloned()
    }

    /// The state of a revision; awaited if it is not known yet.
    pub(crate) fn find(&self, revision: &str) -> Option<Arc<State>> {
        let unknown = |inner: &mut Inner| !inner.by_revision.contains_key(revision);
        let waited = self
            .changed
            .wait_timeout_while(self.inner(), PATIENCE, unknown);
        waited.unwrap().0.by_revision.get(revision).cloned()
    }

    /// Forgets what left the disk long ago and is not among the revisions to keep.
    pub(crate) fn forget(&self, keep: impl Fn(&str) -> bool) {
        let long_ago = now() - MEMORY;
        let mut inner = self.inner();
        inner
            .by_revision
            .retain(|revision, state| state.gone_at() > long_ago || keep(revision));
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap()
    }
}
