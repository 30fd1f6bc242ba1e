//! What becomes of an edit that no event tells of: cases 14, 16, 17 and 23 of the catalogue.

use std::{
    fs::{self, File},
    os::{fd::OwnedFd, unix::fs::symlink},
    path::Path,
    sync::{
        Arc, Barrier,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, SystemTime},
};

use rustix::fs::inotify;

use super::{
    files::{put, rename_over},
    plan::{BY_EVENTS, BY_POLLS, Plan, Watcher},
    stage::Stage,
    world::{Layout, Part, Set},
};

#[test]
fn without_inotify_it_polls_and_says_so() {
    let plan = Plan {
        watcher: Watcher::Down,
        ..Plan::of(14, &[]).alone()
    };
    let hoard = Hoard::new();
    let mut set = Set::of(0);
    let mut stage = Stage::of(plan, &set);
    let told = stage.told();
    let (_, message) = told.check("watcher");
    assert!(message.starts_with("polling only: "), "{message}");
    let events = told.sum("palisade_watch_events_total");
    stage.note(message.to_owned());
    for part in [Part::Beta, Part::Users] {
        set = set.with(part, 1);
        let path = stage.path(part.file());
        stage.applies(&format!("{part:?}"), &set, |_| {
            rename_over(&path, part.text(1));
        });
    }
    assert_eq!(stage.told().sum("palisade_watch_events_total"), events);
    drop(hoard);
    stage.end("no inotify instance left");
}

#[test]
fn file_times_that_lie_hide_no_edit() {
    file_times_lie(Stage::start(16, &BY_EVENTS, &Set::of(0)), |_| ());
}

#[test]
fn file_times_that_lie_hide_no_edit_from_polls() {
    // The next two polls after a change read everything, whatever files look like.
    file_times_lie(Stage::start(16, &BY_POLLS, &Set::of(0)), |stage| {
        let before = stage.told().reloads("unchanged", "none");
        stage.wait("it suspects nothing", |told| {
            told.reloads("unchanged", "none") >= before + 2.0
        });
    });
}

fn file_times_lie(mut stage: Stage, settles: fn(&mut Stage)) {
    let mut set = Set::of(0);
    let name = Part::Alpha.file();
    let path = stage.path(name);
    let century = Duration::from_secs(100 * 365 * 24 * 3600);
    for (colour, what, time) in [
        (1, "in 1970", SystemTime::UNIX_EPOCH),
        (2, "in a hundred years", SystemTime::now() + century),
        (0, "in 1970 again", SystemTime::UNIX_EPOCH),
    ] {
        set = set.with(Part::Alpha, colour);
        stage.applies(what, &set, |_| {
            rename_over(&path, Part::Alpha.text(colour));
            set_time(&path, time);
        });
    }
    settles(&mut stage);
    let before = fs::metadata(&path).unwrap();
    set = set.with(Part::Alpha, 1);
    stage.applies("same length, same time", &set, |_| {
        fs::write(&path, Part::Alpha.text(1)).unwrap();
        set_time(&path, before.modified().unwrap());
    });
    assert_eq!(fs::metadata(&path).unwrap().len(), before.len());
    stage.ignores("only the time", |_| set_time(&path, SystemTime::now()));
    stage.end("clock jumps, as files show them");
}

#[test]
fn polls_alone_find_every_kind_of_edit() {
    let plan = Plan {
        layout: Layout::tree("current"),
        place: |root, _, set| {
            put(root, &Layout::tree("one"), set);
            symlink("one", root.join("current")).unwrap();
        },
        ..Plan::of(17, &BY_POLLS)
    };
    let mut set = Set::of(0);
    let mut stage = Stage::of(plan, &set);
    let beta = stage.path(Part::Beta.file());
    set = set.with(Part::Beta, 1);
    stage.applies("renamed over", &set, |_| {
        rename_over(&beta, Part::Beta.text(1));
    });
    set = set.with(Part::Beta, 2);
    stage.applies("written in place", &set, |_| {
        fs::write(&beta, Part::Beta.text(2)).unwrap();
    });
    let guards = stage.path(Part::Guards.file());
    set = set.without(Part::Guards);
    stage.applies("deleted", &set, |_| fs::remove_file(guards).unwrap());
    let new = "policies/a/b/new.cedar";
    let path = stage.path(new);
    set = set.with_at(Part::Extra, 1, new);
    stage.applies("a new folder", &set, |_| {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, Part::Extra.text(1)).unwrap();
    });
    let named = "current/policies/a/b/new.cedar";
    stage.refuses("broken", "parse", &[named], |_| {
        fs::write(&path, "permit (").unwrap();
    });
    set = Set::of(1);
    stage.applies("another tree", &set, |root| {
        put(root, &Layout::tree("two"), &set);
        symlink("two", root.join("next")).unwrap();
        fs::rename(root.join("next"), root.join("current")).unwrap();
    });
    assert_eq!(stage.told().sum("palisade_watch_events_total"), 0.0);
    assert_eq!(stage.told().metric("palisade_watcher_enabled"), 0.0);
    stage.end("no events: polling");
}

/// A watcher whose thread is killed takes another program to kill it: `tests/e2e/` does it. Here
/// everything that is watched is moved away at once, higher up than anything is watched, so that
/// the watcher lives and hears nothing.
#[test]
fn a_watcher_that_hears_nothing_is_found_out_and_made_up_for_by_polls() {
    let plan = Plan {
        layout: Layout::tree("up/and/down"),
        ..Plan::of(23, &[])
    };
    let mut set = Set::of(0);
    let mut stage = Stage::of(plan, &set);
    stage.without_events();
    let deaf = stage.told().sum("palisade_watch_events_total");
    set = Set::of(1);
    stage.applies("another tree moved into place", &set, |root| {
        put(root, &Layout::tree("next/and/down"), &set);
        fs::rename(root.join("up"), root.join("gone")).unwrap();
        fs::rename(root.join("next"), root.join("up")).unwrap();
    });
    let told = stage.told();
    assert_eq!(told.sum("palisade_watch_events_total"), deaf);
    let (_, message) = told.check("watcher");
    assert_eq!(message, "polling only: a file changed without an event");
    set = set.with(Part::Gamma, 2);
    let gamma = stage.path(Part::Gamma.file());
    stage.applies("an edit in it, polling", &set, |_| {
        rename_over(&gamma, Part::Gamma.text(2));
    });
    stage.end("watcher without anything to hear");
}

fn set_time(path: &Path, time: SystemTime) {
    let file = File::options().append(true).open(path).unwrap();
    file.set_modified(time).unwrap();
}

/// Every inotify instance that this user may have, also those that others give back meanwhile.
struct Hoard {
    stop: Arc<AtomicBool>,
    taker: Option<JoinHandle<()>>,
}

impl Hoard {
    fn new() -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let full = Arc::new(Barrier::new(2));
        let filled = Arc::clone(&full);
        let taker = thread::spawn(move || {
            let mut taken = Vec::new();
            take_all(&mut taken);
            // That was the limit of instances, and not of open files.
            assert!(File::open("/dev/null").is_ok());
            filled.wait();
            while !stopped.load(Ordering::Acquire) {
                take_all(&mut taken);
                thread::park_timeout(Duration::from_millis(1));
            }
        });
        full.wait();
        Self {
            stop,
            taker: Some(taker),
        }
    }
}

fn take_all(taken: &mut Vec<OwnedFd>) {
    while let Ok(instance) = inotify::init(inotify::CreateFlags::CLOEXEC) {
        taken.push(instance);
    }
}

impl Drop for Hoard {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        let _ = self.taker.take().map(JoinHandle::join);
    }
}
