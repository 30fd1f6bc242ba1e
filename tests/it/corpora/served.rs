//! One server on a folder behind a link, and the link.

use std::{fs, os::unix::fs::symlink, thread, time::Duration};

use palisade::source::SourceSpec;
use serde_json::Value;
use tempfile::TempDir;

use super::sets::Set;
use crate::{client::Connection, harness::wait_for, process::Process};

/// Between two looks at the admin listener: the server has better things to do than to say
/// "not yet".
const PAUSE: Duration = Duration::from_millis(5);

pub(super) struct Served {
    root: TempDir,
    pub(super) process: Process,
    admin: Connection,
    in_force: String,
    rejected: u64,
    skip_validation: bool,
}

impl Served {
    /// Serves a set, with flags.
    pub(super) fn start(set: &Set, flags: &[&str]) -> Self {
        let root = tempfile::tempdir().unwrap();
        symlink(&set.folder, root.path().join("current")).unwrap();
        let sources = [
            "--policies=current",
            "--schema=current/schema.cedarschema",
            "--entities=current/entities.json",
        ];
        let process = Process::serve(root.path(), &[&sources, flags].concat());
        let mut served = Self {
            admin: process.connect_admin(),
            in_force: String::new(),
            rejected: 0,
            skip_validation: flags.contains(&"--no-validate"),
            process,
            root,
        };
        served.in_force = served.status()["revision"].as_str().unwrap().to_owned();
        served
    }

    /// Puts a set in force, and waits until it is.
    pub(super) fn publish(&mut self, set: &Set) {
        let revision = self.swap(set);
        let path = format!("/readyz?revision={revision}");
        wait_for(&set.name, || {
            let reply = self.admin.send("GET", &path, &[], b"");
            reply.status == 200 || self.pause()
        });
        assert_eq!(self.metric("palisade_sources_stale"), 0, "{}", set.name);
        self.in_force.clone_from(&revision);
    }

    /// Offers a set, and waits until it is refused.
    pub(super) fn refuse(&mut self, set: &Set) {
        let revision = self.swap(set);
        let mut last = Value::Null;
        wait_for(&set.name, || {
            last = self.status()["attempts"]
                .as_array_mut()
                .unwrap()
                .pop()
                .unwrap();
            last["revision"] == revision.as_str() || self.pause()
        });
        assert_eq!(last["result"], "rejected", "{}: {last}", set.name);
        assert_eq!(last["reason"], "validate", "{}: {last}", set.name);
        assert_ne!(
            last["findings"].as_array().unwrap().len(),
            0,
            "{}",
            set.name
        );
        assert_eq!(
            self.status()["revision"],
            self.in_force.as_str(),
            "{}",
            set.name
        );
        self.rejected += 1;
        let counter = r#"palisade_reloads_total{reason="validate",result="rejected"}"#;
        assert_eq!(self.metric(counter), self.rejected, "{}", set.name);
        assert_eq!(self.metric("palisade_sources_stale"), 1, "{}", set.name);
    }

    /// Lets the link point to a set, in one step. Returns the revision that follows.
    fn swap(&self, set: &Set) -> String {
        let (next, current) = (
            self.root.path().join("next"),
            self.root.path().join("current"),
        );
        symlink(&set.folder, &next).unwrap();
        fs::rename(next, current).unwrap();
        let spec = SourceSpec {
            root: self.root.path().to_owned(),
            policies: vec!["current".into()],
            schema: Some("current/schema.cedarschema".into()),
            entities: vec!["current/entities.json".into()],
            skip_validation: self.skip_validation,
            ..SourceSpec::default()
        };
        let revision = spec.read().unwrap().revision().to_string();
        set.revision.get_or_init(|| revision).clone()
    }

    fn status(&mut self) -> Value {
        self.admin.send("GET", "/v1/status", &[], b"").json()
    }

    fn metric(&mut self, series: &str) -> u64 {
        let page = self.admin.send("GET", "/metrics", &[], b"").body;
        let value = page.lines().find_map(|line| line.strip_prefix(series));
        value
            .unwrap_or_else(|| panic!("no `{series}`"))
            .trim()
            .parse()
            .unwrap()
    }

    fn pause(&self) -> bool {
        thread::park_timeout(PAUSE);
        false
    }
}
