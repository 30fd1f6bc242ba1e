//! More than anybody can follow: cases 15, 18 and 22 of the catalogue.

use std::{
    fs,
    os::unix::fs::symlink,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use rustix::process::Signal;

use super::{
    files::{put, rename_over},
    plan::{BY_EVENTS, Plan},
    stage::Stage,
    told::Told,
    world::{Layout, Part, Set},
};

#[test]
fn events_that_were_lost_hide_no_edit() {
    let set = Set::of(0);
    let mut stage = Stage::start(15, &BY_EVENTS, &set);
    let limit = fs::read_to_string("/proc/sys/fs/inotify/max_queued_events").unwrap();
    let limit: usize = limit.trim().parse().unwrap();
    let rescans = |told: &Told| told.metric("palisade_watch_events_total{kind=\"rescan\"}");
    assert_eq!(rescans(&stage.told()), 0.0);
    let set = set.with(Part::Beta, 1);
    let path = stage.path(Part::Beta.file());
    let [here, there] = ["here.txt", "there.txt"].map(|name| path.with_file_name(name));
    stage.expect(&set);
    fs::write(&here, "").unwrap();
    stage.process.signal(Signal::STOP);
    // Each rename is two events, and no event is like the one before it.
    for _ in 0..limit / 2 {
        fs::rename(&here, &there).unwrap();
        fs::rename(&there, &here).unwrap();
    }
    rename_over(&path, Part::Beta.text(1));
    stage.process.signal(Signal::CONT);
    stage.in_force(&format!("an edit behind more than {limit} events"), &set);
    assert!(rescans(&stage.told()) >= 1.0);
    stage.end("event queue overflown, while the server was stopped");
}

#[test]
fn a_thousand_edits_a_second_are_bounded_work_and_the_last_one_wins() {
    const EDITS: usize = 3000;
    const EVERY: Duration = Duration::from_millis(1);
    let first = Set::of(0);
    // Beside others there is no time for that many.
    let mut stage = Stage::of(Plan::of(18, &BY_EVENTS).alone(), &first);
    let name = Part::Beta.file();
    let path = stage.path(name);
    let edit = |number: usize| {
        let colour = number % 3;
        let text = format!("// {number}\n{}", Part::Beta.text(colour));
        first.clone().with(Part::Beta, colour).with_file(name, text)
    };
    let edits: Vec<Set> = (1..=EDITS).map(edit).collect();
    for set in &edits {
        stage.expect(set);
    }
    let before = stage.told();
    let started = Instant::now();
    for (set, number) in edits.iter().zip(1..) {
        rename_over(&path, set.content(name));
        thread::park_timeout((EVERY * number).saturating_sub(started.elapsed()));
    }
    let took = started.elapsed();
    stage.in_force("the last one", edits.last().unwrap());
    let after = stage.told();
    let rose = |of: &dyn Fn(&Told) -> f64| of(&after) - of(&before);
    let attempts = rose(&|told| told.sum("palisade_reloads_total"));
    let compiled = "palisade_reload_duration_seconds_count{phase=\"compile\"}";
    let compiled = rose(&|told| told.metric(compiled));
    // It looks every half second at most, also while there is no silence, and once more after it.
    let (least, most) = (took.as_secs_f64() / 2.0, 2.0 * took.as_secs_f64() + 3.0);
    assert!((least..=most).contains(&attempts), "{attempts} in {took:?}");
    assert!((1.0..=most).contains(&compiled), "{compiled} in {took:?}");
    stage.note(format!(
        "{EDITS} edits in {} ms: {attempts} attempts, {compiled} compiled",
        took.as_millis()
    ));
    stage.end("a thousand edits a second");
}

#[test]
fn under_full_load_every_reply_is_of_one_revision() {
    const FLIPS: usize = 16;
    let trees = ["a", "b"];
    let plan = Plan {
        layout: Layout::tree("current"),
        think: Duration::ZERO,
        place: |root, _, set| {
            put(root, &Layout::tree("a"), set);
            put(root, &Layout::tree("b"), &Set::of(1));
            symlink("a", root.join("current")).unwrap();
        },
        ..Plan::of(22, &BY_EVENTS)
    };
    let sets = [0, 1].map(Set::of);
    let mut stage = Stage::of(plan, &sets[0]);
    let flip = |root: &Path, number: usize| {
        symlink(trees[number % 2], root.join("next")).unwrap();
        fs::rename(root.join("next"), root.join("current")).unwrap();
    };
    for number in 1..=FLIPS {
        stage.applies("a flip", &sets[number % 2], |root| {
            flip(root, number);
        });
    }
    // Faster than it looks: one of them may be seen, or none but the last.
    for number in FLIPS + 1..=3 * FLIPS + 1 {
        stage.expect(&sets[number % 2]);
        flip(stage.root(), number);
        thread::park_timeout(Duration::from_millis(20));
    }
    stage.in_force("33 more, 20 ms apart", &sets[1]);
    stage.end("flips under full load");
}
