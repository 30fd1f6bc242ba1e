use std::{fs, os::unix::fs::symlink, path::Path, process::Command};

use crate::{
    store,
    telemetry::{Check, ReloadResult},
};

use super::*;

mod compiling;
mod gates;
mod house;
mod table;

use house::{House, POLICY, eventually, rules};

const OFTEN: Duration = Duration::from_millis(50);
const NEVER: Duration = Duration::from_secs(3600);

#[test]
fn the_first_load_is_counted_and_shown() {
    let (house, mut reloader) = House::new(NEVER);
    reloader.first_load().unwrap();
    assert_eq!(house.files(), ["policies/a.cedar"]);
    assert!(house.metric("palisade_reloads_total{reason=\"none\",result=\"applied\"} 1"));
    assert!(house.metric("palisade_sources_stale 0"));
    assert_eq!(house.status.health().snapshot, Check::Ok);
    assert_eq!(house.status.read().attempts.len(), 1);
}

#[test]
fn a_first_load_that_fails_says_why_and_publishes_nothing() {
    let (house, mut reloader) = House::new(NEVER);
    fs::remove_dir_all(house.folder.path().join("policies")).unwrap();
    let rejection = reloader.first_load().unwrap_err();
    assert_eq!(rejection.findings().first().unwrap().file, "policies");
    assert!(house.reader.current().is_none());
    assert!(house.metric("palisade_reloads_total{reason=\"io\",result=\"rejected\"} 1"));
}

#[test]
fn an_edit_is_in_force_by_its_event_alone() {
    let (house, _running) = House::running(NEVER);
    let up = || house.metric("palisade_watcher_up 1");
    eventually("the watcher is up", up);
    house.write("b.cedar", POLICY);
    eventually("the new file is in force", || house.files().len() == 2);
    fs::remove_file(house.path("a.cedar")).unwrap();
    eventually("the removed file is gone", || {
        house.files() == ["policies/b.cedar"]
    });
}

#[test]
fn a_new_folder_and_a_remade_one_are_followed() {
    let (house, _running) = House::running(NEVER);
    eventually("the watcher is up", || {
        house.metric("palisade_watcher_up 1")
    });
    house.write("sub/b.cedar", POLICY);
    eventually("the file in the new folder is in force", || {
        house.files().len() == 2
    });
    house.write("sub/c.cedar", POLICY);
    eventually("the new folder is watched", || house.files().len() == 3);
    fs::remove_dir_all(house.path("")).unwrap();
    eventually("the loss is noticed", || {
        house.metric("palisade_sources_stale 1")
    });
    assert_eq!(house.files().len(), 3);
    house.write("d.cedar", POLICY);
    house.write("e.cedar", POLICY);
    // One of three would have been too few.
    eventually("the remade folder is in force", || {
        house.files() == ["policies/d.cedar", "policies/e.cedar"]
    });
}

#[test]
fn polling_alone_sees_every_edit() {
    let (house, mut reloader) = House::new(OFTEN);
    reloader.first_load().unwrap();
    let (hints, _unheard) = mpsc::sync_channel(1);
    let (metrics, status) = (Arc::clone(&house.metrics), Arc::clone(&house.status));
    let mut watcher = Watcher::new(hints, metrics, status);
    for text in ["// one\n", "// two\n", "// six\n"] {
        house.write("b.cedar", &format!("{text}{POLICY}"));
        let before = house.revision();
        reloader.look(&mut watcher, Trigger::Poll);
        assert_ne!(before, house.revision());
    }
}

#[test]
fn a_touch_reads_but_applies_nothing() {
    let (house, _running) = House::running(OFTEN);
    let before = house.revision();
    let attempts = house.status.read().attempts.len();
    house.write("a.cedar", POLICY);
    let unchanged =
        || !house.metric("palisade_reloads_total{reason=\"none\",result=\"unchanged\"} 0");
    eventually("the touch is looked at", unchanged);
    assert_eq!(before, house.revision());
    assert_eq!(attempts, house.status.read().attempts.len());
    assert!(house.metric("palisade_reloads_total{reason=\"none\",result=\"applied\"} 1"));
}

#[test]
fn what_cannot_be_read_changes_nothing_and_is_refused_once() {
    let (house, _running) = House::running(OFTEN);
    let before = house.revision();
    let fifo = house.path("pipe.cedar");
    assert!(
        Command::new("mkfifo")
            .arg(&fifo)
            .status()
            .unwrap()
            .success()
    );
    let rejected = "palisade_reloads_total{reason=\"io\",result=\"rejected\"} 1";
    eventually("the edit is refused", || house.metric(rejected));
    assert!(house.metric("palisade_sources_stale 1"));
    let sources = house.status.health().sources;
    assert!(matches!(sources, Check::Degraded(_)), "{sources:?}");
    house.write("b.cedar", POLICY);
    assert_eq!(before, house.revision());
    fs::remove_file(fifo).unwrap();
    eventually("what is mended is in force", || house.files().len() == 2);
    assert!(house.metric("palisade_sources_stale 0"));
    assert!(house.metric(rejected));
    assert_eq!(house.status.health().sources, Check::Ok);
}

#[test]
fn a_swapped_link_brings_the_other_tree_into_force() {
    let (house, _) = House::new(NEVER);
    let root = house.folder.path();
    let tree = |name: &str, file: &str| {
        fs::create_dir_all(root.join(name)).unwrap();
        fs::write(root.join(name).join(file), POLICY).unwrap();
    };
    tree("one", "x.cedar");
    tree("two", "y.cedar");
    symlink("one", root.join("current")).unwrap();
    let (publisher, _reader) = store::store();
    let spec = SourceSpec {
        root: root.to_owned(),
        policies: vec!["current".into()],
        ..SourceSpec::default()
    };
    let (metrics, status) = (Arc::clone(&house.metrics), Arc::clone(&house.status));
    let mut reloader = Reloader::new(spec, publisher, metrics, status, rules(NEVER));
    reloader.first_load().unwrap();
    let _running = reloader.start().unwrap();
    eventually("the watcher is up", || {
        house.metric("palisade_watcher_up 1")
    });
    for (target, file) in [("two", "current/y.cedar"), ("one", "current/x.cedar")] {
        swap(root, target);
        eventually("the swap is in force", || house.files() == [file]);
    }
}

/// As git-sync does it: a new link, renamed over the old one.
fn swap(root: &Path, target: &str) {
    symlink(target, root.join("next")).unwrap();
    fs::rename(root.join("next"), root.join("current")).unwrap();
}

#[test]
fn edits_without_end_are_looked_at_in_bounded_time() {
    let (hints, heard) = mpsc::sync_channel(1);
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    let noise = thread::spawn(move || {
        while !stopped.load(Ordering::Acquire) {
            let _ = hints.try_send(());
            thread::yield_now();
        }
    });
    let start = Instant::now();
    assert!(wait(&heard, NEVER));
    assert!(start.elapsed() >= PATIENCE);
    assert!(start.elapsed() < PATIENCE * 10);
    stop.store(true, Ordering::Release);
    noise.join().unwrap();
}

#[test]
fn what_is_still_in_use_is_swept_without_a_look_at_the_files() {
    let (house, mut reloader) = House::new(SWEEP * 5 / 2);
    reloader.first_load().unwrap();
    let used = Arc::downgrade(&house.reader.current().unwrap());
    let in_use = used.upgrade().unwrap();
    house.write("b.cedar", POLICY);
    reloader.read_and_apply(Trigger::Event);
    let (_hints, heard) = mpsc::sync_channel(1);
    let resting = thread::spawn(move || {
        let start = Instant::now();
        assert!(!reloader.rest(&heard), "nobody hinted");
        start.elapsed()
    });
    drop(in_use);
    assert!(
        resting.join().unwrap() >= SWEEP * 5 / 2,
        "it ends with the next poll"
    );
    assert_eq!(used.strong_count(), 0);
}

#[test]
fn a_file_that_never_holds_still_is_not_taken() {
    let (house, _) = House::new(NEVER);
    let path = house.path("a.cedar");
    let stop = AtomicBool::new(false);
    let spec = SourceSpec {
        root: house.folder.path().to_owned(),
        policies: vec!["policies".into()],
        ..SourceSpec::default()
    };
    let result = thread::scope(|scope| {
        scope.spawn(|| {
            for number in 0_u64.. {
                if stop.load(Ordering::Acquire) {
                    return;
                }
                let next = path.with_extension("next");
                fs::write(&next, format!("// {number}\n{POLICY}")).unwrap();
                fs::rename(next, &path).unwrap();
            }
        });
        let mut results = Vec::new();
        for _ in 0..5 {
            results.push(spec.read());
        }
        stop.store(true, Ordering::Release);
        results
    });
    // Whether two reads fall between two edits is luck; a mixture or a panic would not be.
    for result in result {
        match result {
            Ok(sources) => assert_eq!(sources.policies.len(), 1),
            Err(rejection) => {
                let message = &rejection.findings().first().unwrap().message;
                assert_eq!(message, "the sources change while they are read");
            }
        }
    }
    let settled = spec.read().unwrap();
    assert_eq!(settled.revision(), spec.read().unwrap().revision());
}

#[test]
fn config_map_swaps_in_quick_succession_end_in_the_last() {
    let (house, mut reloader) = House::new(NEVER);
    fs::remove_file(house.path("a.cedar")).unwrap();
    let version = |number: u32| {
        let data = format!("..2024_{number}");
        house.write(
            &format!("{data}/a.cedar"),
            &format!("// {number}\n{POLICY}"),
        );
        symlink(&data, house.path("..next")).unwrap();
        fs::rename(house.path("..next"), house.path("..data")).unwrap();
        if number > 0 {
            fs::remove_dir_all(house.path(&format!("..2024_{}", number - 1))).unwrap();
        }
    };
    version(0);
    symlink("..data/a.cedar", house.path("a.cedar")).unwrap();
    reloader.first_load().unwrap();
    let digest = || house.status.read().in_force.unwrap().files[0].1.clone();
    let _running = reloader.start().unwrap();
    eventually("the watcher is up", || {
        house.metric("palisade_watcher_up 1")
    });
    (1..=3).for_each(version);
    let last = crate::authz::SourceFile {
        name: String::new(),
        bytes: format!("// 3\n{POLICY}").into_bytes(),
    };
    eventually("the last swap is in force", || digest() == last.digest());
    assert!(house.metric("palisade_reloads_total{reason=\"io\",result=\"rejected\"} 0"));
}
