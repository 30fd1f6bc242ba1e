//! A reloader on a folder of its own, and what is seen of it from outside.

use std::fs;

use tempfile::TempDir;

use crate::store::{self, Reader};

use super::super::*;

/// What each house begins with.
pub(super) const POLICY: &str = "permit (principal, action, resource);";

/// Everything as by default, but for how often to look.
pub(super) fn rules(poll_interval: Duration) -> ReloadRules {
    ReloadRules {
        poll_interval,
        watch: true,
        gates: Gates::default(),
        rollback: 0,
    }
}

/// A reloader on a real folder.
pub(super) struct House {
    pub(super) folder: TempDir,
    pub(super) reader: Reader,
    pub(super) metrics: Arc<Metrics>,
    pub(super) status: Arc<Status>,
}

impl House {
    pub(super) fn new(poll_interval: Duration) -> (Self, Reloader) {
        let (house, reloader) = Self::beside(SourceSpec::default(), poll_interval);
        house.write("a.cedar", POLICY);
        (house, reloader)
    }

    /// A reloader on an empty folder of policies, with what stands elsewhere.
    pub(super) fn beside(elsewhere: SourceSpec, poll_interval: Duration) -> (Self, Reloader) {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("policies")).unwrap();
        let (publisher, reader) = store::store();
        let (metrics, status) = (Metrics::new().unwrap(), Arc::new(Status::new()));
        let spec = SourceSpec {
            root: folder.path().to_owned(),
            policies: vec!["policies".into()],
            ..elsewhere
        };
        let reloader = Reloader::new(
            spec,
            publisher,
            Arc::clone(&metrics),
            Arc::clone(&status),
            rules(poll_interval),
        );
        let house = Self {
            folder,
            reader,
            metrics,
            status,
        };
        (house, reloader)
    }

    /// Loaded and looking.
    pub(super) fn running(poll_interval: Duration) -> (Self, Running) {
        let (house, mut reloader) = Self::new(poll_interval);
        reloader.first_load().unwrap();
        let running = reloader.start().unwrap();
        (house, running)
    }

    pub(super) fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join("policies").join(name)
    }

    pub(super) fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub(super) fn files(&self) -> Vec<String> {
        let in_force = self.status.read().in_force.unwrap();
        in_force
            .files
            .iter()
            .map(|(name, _)| name.clone())
            .collect()
    }

    pub(super) fn metric(&self, line: &str) -> bool {
        let text = self.metrics.render().unwrap();
        text.lines().any(|it| it == line)
    }

    pub(super) fn revision(&self) -> String {
        self.reader.current().unwrap().revision().to_string()
    }
}

/// Looks until it is so; the deadline is far beyond what a busy machine needs.
pub(super) fn eventually(what: &str, is_so: impl Fn() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < Duration::from_secs(30), "never: {what}");
        thread::park_timeout(Duration::from_millis(5));
    }
}

/// A file with one canary: what somebody may do.
pub(super) fn canary(name: &str, decision: &str) -> String {
    format!(
        r#"[{{"name": "{name}", "request": {{"principal": "U::\"{name}\"", "action": "Action::\"do\"",
            "resource": "U::\"it\"", "context": {{}}}}, "decision": "{decision}", "reason": [], "num_errors": 0}}]"#
    )
}
