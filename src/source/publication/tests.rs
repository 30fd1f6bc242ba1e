use crate::{
    authz::{Finding, Kind, Snapshot, SourceFile, Sources},
    store::{self, Override, OverrideError, Reader},
    telemetry::{Check, ReloadResult, Status},
};

use super::*;

/// Publications that keep two snapshots, and what others see of them.
struct Office {
    publications: Publications,
    reader: Reader,
    status: Arc<Status>,
}

impl Office {
    fn new() -> Self {
        let (publisher, reader) = store::store();
        let status = Arc::new(Status::new());
        let metrics = Metrics::new().unwrap();
        Self {
            publications: Publications::new(publisher, metrics, Arc::clone(&status), 2),
            reader,
            status,
        }
    }

    /// What the reload loop does with files that say this.
    fn files_say(&self, name: &str) {
        let candidate = candidate(name);
        let revision = candidate.snapshot.revision().clone();
        if !self.publications.settles(&revision, &look()) {
            self.publications.offer(&candidate, &look());
        }
    }

    /// Files that say this, and that a gate refuses, or that are not valid.
    fn files_say_refused(&self, name: &str, kind: Kind) {
        let Candidate { snapshot, files } = candidate(name);
        let refused = Refused {
            revision: Some(snapshot.revision().clone()),
            rejection: Finding::error(kind, "", "no").into(),
            files: Some(files),
            acceptable: (kind == Kind::Shrink).then(|| Box::new(compiled(name))),
        };
        self.publications.refuse(refused, &look());
    }

    #[track_caller]
    fn check(&self, in_force: &str, sources: &str, attempts: usize) {
        let reading = self.status.read();
        let expected = revision(in_force);
        assert_eq!(self.reader.current().unwrap().revision().as_str(), expected);
        assert_eq!(
            reading.in_force.unwrap().snapshot.revision().as_str(),
            expected
        );
        let message = match reading.health.sources {
            Check::Degraded(message) => message,
            other @ (Check::Failed(_) | Check::Off(_) | Check::Ok) => format!("{other:?}"),
        };
        assert_eq!(message, sources);
        assert_eq!(reading.attempts.len(), attempts);
        let pinned = reading.rollback.unwrap().pinned;
        assert_eq!(pinned.is_some(), message.contains("pinned"));
    }

    fn last(&self) -> ReloadResult {
        self.status.read().attempts.back().unwrap().result
    }
}

fn look() -> Look {
    Look::by(Trigger::Poll)
}

fn compiled(name: &str) -> Snapshot {
    let file = SourceFile {
        name: "a.cedar".to_owned(),
        bytes: format!("// {name}\n").into_bytes(),
    };
    let sources = Sources {
        policies: vec![file],
        ..Sources::default()
    };
    Snapshot::compile(&sources).unwrap()
}

fn candidate(name: &str) -> Candidate {
    Candidate {
        snapshot: Arc::new(compiled(name)),
        files: vec![("a.cedar".to_owned(), name.to_owned())].into(),
    }
}

fn revision(name: &str) -> String {
    compiled(name).revision().to_string()
}

const PINNED: &str = "pinned by an operator";
const WAITS: &str = "pinned by an operator: a good edit waits";

#[test]
fn files_that_go_back_to_what_is_pinned_say_what_is_in_force() {
    let office = Office::new();
    office.files_say("good");
    office.files_say("bad");
    office.publications.pin(&revision("good"), None).unwrap();
    office.check("good", WAITS, 3);
    // No gate is asked, and nothing waits that the files do not say any more.
    office.files_say("good");
    office.check("good", PINNED, 4);
    assert_eq!(office.last(), ReloadResult::Unchanged);
    office.publications.unpin(None).unwrap();
    office.check("good", "Ok", 5);
}

#[test]
fn a_pin_does_not_end_in_what_the_files_said_before_they_were_broken() {
    let office = Office::new();
    office.files_say("good");
    office.files_say("bad");
    office.publications.pin(&revision("good"), None).unwrap();
    office.files_say_refused("worse", Kind::Parse);
    let refused = "the last edit was refused (parse): 1 findings; ";
    office.check("good", &format!("{refused}{WAITS}"), 4);
    let error = office.publications.unpin(None).unwrap_err();
    let expected = OverrideError::Refused {
        reason: "parse",
        latest: revision("bad"),
    };
    assert_eq!(error, expected);
    office.check("good", &format!("{refused}{WAITS}"), 4);
    // Mended, it ends in what the files say; or whoever means it says so.
    office.files_say("mended");
    office.publications.unpin(None).unwrap();
    office.check("mended", "Ok", 6);
    office.publications.pin(&revision("mended"), None).unwrap();
    office.files_say_refused("worse", Kind::Parse);
    office.publications.unpin(None).unwrap();
    office.check("mended", refused.trim_end_matches("; "), 9);
}

#[test]
fn what_is_accepted_under_a_pin_waits_for_its_end() {
    let office = Office::new();
    office.files_say("good");
    office.publications.pin(&revision("good"), None).unwrap();
    office.files_say_refused("small", Kind::Shrink);
    let acceptable = || office.status.read().rollback.unwrap().acceptable;
    assert_eq!(acceptable(), Some(revision("small")));
    office
        .publications
        .accept(&revision("small"), None)
        .unwrap();
    assert_eq!((office.last(), acceptable()), (ReloadResult::Held, None));
    office.check("good", WAITS, 4);
    office.publications.unpin(None).unwrap();
    office.check("small", "Ok", 5);
    // The loop looks again, and finds nothing new.
    office.files_say("small");
    office.check("small", "Ok", 5);
}

#[test]
fn what_was_decided_meanwhile_is_not_taken_for_what_the_files_say() {
    let office = Office::new();
    office.files_say("good");
    office.files_say_refused("small", Kind::Shrink);
    office
        .publications
        .accept(&revision("small"), None)
        .unwrap();
    // The loop had read the good ones before that: they are no longer what was said last.
    office.files_say("good");
    office.check("good", "Ok", 4);
}

#[test]
fn whoever_pins_again_and_again_fills_no_page_with_it() {
    let office = Office::new();
    office.files_say("good");
    for _ in 0..30 {
        office.publications.pin(&revision("good"), None).unwrap();
    }
    office.check("good", PINNED, 2);
}

#[test]
fn what_is_retired_goes_when_nobody_uses_it() {
    let office = Office::new();
    for name in ["1", "2", "3"] {
        office.files_say(name);
    }
    let used = office.reader.current().unwrap();
    let weak = Arc::downgrade(&used);
    for name in ["4", "5", "6"] {
        office.files_say(name);
    }
    assert!(office.publications.sweep(), "one is in use");
    drop(used);
    assert!(!office.publications.sweep());
    assert_eq!(weak.strong_count(), 0);
    let kept = office.status.read().rollback.unwrap().revisions;
    let kept: Vec<_> = kept.into_iter().map(|it| it.0).collect();
    assert_eq!(kept, ["4", "5", "6"].map(revision));
}

#[test]
fn a_revision_that_is_compiled_anew_is_kept_once() {
    let office = Office::new();
    for name in ["1", "2", "1", "2", "1"] {
        office.files_say(name);
    }
    assert!(!office.publications.sweep());
    let kept = office.status.read().rollback.unwrap().revisions;
    let kept: Vec<_> = kept.into_iter().map(|it| it.0).collect();
    assert_eq!(kept, ["2", "1"].map(revision));
}
