//! What happens to folders that are edited by people, scripts and orchestrators.

use std::{
    fs,
    time::{Duration, Instant},
};

use crate::{
    disk::Disk,
    driver::Driver,
    sets::{CANARIES, ENTITIES, FIRST, LINKS, SCHEMA, Set},
};

mod broken;

use broken::{
    canaries_gone, canary_fails, droppings, half_written, ids_twice, invalid_then_valid, not_utf8,
    obstacles, schema_gone, shrunk,
};

/// A name, and what it does.
pub(crate) type Fault = (&'static str, fn(&mut Driver<'_>));

pub(crate) const FAULTS: [Fault; 27] = [
    ("renamed over", renamed_over),
    ("written in place", written_in_place),
    ("half written", half_written),
    ("ConfigMap swaps", config_map_swaps),
    ("git-sync flip", git_sync_flip),
    ("folder made again", folder_made_again),
    ("file deleted", file_deleted),
    ("new subfolder", new_subfolder),
    ("emptied", emptied),
    ("invalid, then valid", invalid_then_valid),
    ("out of order", out_of_order),
    ("ids twice", ids_twice),
    ("touched", touched),
    ("there and back", there_and_back),
    ("BOM and CRLF", bom_and_crlf),
    ("not UTF-8", not_utf8),
    ("droppings", droppings),
    ("edit storm", edit_storm),
    ("obstacles", obstacles),
    ("shrunk", shrunk),
    ("canary fails", canary_fails),
    ("canaries gone", canaries_gone),
    ("entities", entities),
    ("links", links),
    ("schema gone", schema_gone),
    ("server stopped", server_stopped),
    ("events overflow", events_overflow),
];

/// The next edit.
fn next(d: &mut Driver<'_>) -> Set {
    if d.draw.chance(30) {
        return d.sets.fresh();
    }
    d.sets.edited(&d.set)
}

fn other_policies(d: &mut Driver<'_>) -> String {
    let others = d.set.others();
    d.draw.pick(&others).clone()
}

fn renamed_over(d: &mut Driver<'_>) {
    let set = next(d);
    d.bring(set, Disk::put);
}

fn written_in_place(d: &mut Driver<'_>) {
    let set = next(d);
    d.bring(set, Disk::write);
}

fn config_map_swaps(d: &mut Driver<'_>) {
    let set = next(d);
    d.disk.flip_to_config_map(&set.files);
    d.set = set;
    d.settle();
    for _ in 0..3 {
        let set = next(d);
        d.disk.swap_config_map(&set.files);
        d.set = set;
        d.pause(150);
    }
}

fn git_sync_flip(d: &mut Driver<'_>) {
    let set = next(d);
    d.disk.flip(&set.files);
    d.set = set;
}

fn folder_made_again(d: &mut Driver<'_>) {
    let folder = d.disk.remove_policies();
    if d.draw.chance(50) {
        d.settle();
    }
    d.disk.tell(|| fs::create_dir(folder));
    let set = next(d);
    for (path, bytes) in &set.files {
        d.disk.put(path, bytes);
    }
    d.set = set;
}

fn file_deleted(d: &mut Driver<'_>) {
    let path = other_policies(d);
    let set = d.sets.changed(&d.set, &path, None);
    d.bring(set, Disk::put);
    d.settle();
    let set = d.sets.fresh();
    d.bring(set, Disk::put);
}

fn new_subfolder(d: &mut Driver<'_>) {
    let path = format!("policies/team-{}/deep/a.cedar", d.draw.below(1_000));
    let set = d.sets.with(&d.set, &path);
    let folder = d.disk.root().join("staging");
    let top = path.split('/').nth(1).unwrap().to_owned();
    fs::create_dir_all(folder.join("deep")).unwrap();
    fs::write(folder.join("deep/a.cedar"), &set.files[&path]).unwrap();
    d.disk
        .tell(|| fs::rename(folder, d.disk.at("policies").join(&top)));
    d.disk.put(CANARIES, &set.files[CANARIES]);
    d.set = set;
    d.settle();
    // Gone with its folder.
    d.disk
        .tell(|| fs::remove_dir_all(d.disk.at("policies").join(top)));
    d.set.files.remove(&path);
    let set = next(d);
    d.bring(set, Disk::put);
}

fn emptied(d: &mut Driver<'_>) {
    let path = other_policies(d);
    let set = d.sets.changed(&d.set, &path, Some(Vec::new()));
    d.bring(set, Disk::write);
}

/// New policies with the old schema, or the reverse: one unit.
fn out_of_order(d: &mut Driver<'_>) {
    let set = d.sets.fresh();
    let first = *d.draw.pick(&[SCHEMA, FIRST, ENTITIES]);
    d.disk.put(first, &set.files[first]);
    if d.draw.chance(50) {
        d.settle();
    }
    d.bring(set, Disk::put);
}

fn touched(d: &mut Driver<'_>) {
    d.disk.touch(FIRST);
}

fn there_and_back(d: &mut Driver<'_>) {
    let (here, there) = (d.set.clone(), next(d));
    for set in [there, here] {
        d.bring(set, Disk::put);
        d.pause(250);
    }
}

fn bom_and_crlf(d: &mut Driver<'_>) {
    let mut set = d.sets.fresh();
    for (path, bytes) in &mut set.files {
        if path.ends_with(".cedar") || path == SCHEMA {
            let text = String::from_utf8(bytes.clone()).unwrap();
            *bytes = format!("\u{feff}{}", text.replace('\n', "\r\n")).into_bytes();
        }
    }
    d.bring(set, Disk::put);
}

/// As many edits as can be told in a second or two.
fn edit_storm(d: &mut Driver<'_>) {
    let mut sets: Vec<Set> = vec![d.sets.edited(&d.set)];
    for _ in 0..3 {
        let next = d.sets.edited(&sets[sets.len() - 1]);
        sets.push(next);
    }
    let until = Instant::now() + Duration::from_millis(500 + d.draw.below(1_500) as u64);
    while Instant::now() < until {
        let set = d.draw.pick(&sets).clone();
        if d.draw.chance(20) {
            d.bring(set, Disk::write);
        } else {
            d.bring(set, Disk::put);
        }
    }
}

fn entities(d: &mut Driver<'_>) {
    let set = d.sets.with(&d.set, ENTITIES);
    d.bring(set, Disk::put);
}

fn links(d: &mut Driver<'_>) {
    let set = d.sets.with(&d.set, LINKS);
    d.bring(set, Disk::write);
}

/// Every thread of the server stands still for a moment, somewhere in the reload.
fn server_stopped(d: &mut Driver<'_>) {
    let set = next(d);
    d.bring(set, Disk::put);
    d.pause(300);
    d.stage.server.pause();
    if d.draw.chance(50) {
        let set = next(d);
        d.bring(set, Disk::put);
    }
    d.pause(700);
    d.stage.server.go_on();
    d.stage.offered.moved();
}

/// More events than the kernel keeps: the server is told that it missed some.
fn events_overflow(d: &mut Driver<'_>) {
    /// Each is three events; the kernel keeps 16,384.
    const DROPPINGS: usize = 7_000;
    d.stage.server.pause();
    let dropping = d.disk.at("policies/4913");
    let started = Instant::now();
    for _ in 0..DROPPINGS {
        fs::write(&dropping, b"").unwrap();
        fs::remove_file(&dropping).unwrap();
        // Whoever asks must not lose patience.
        if started.elapsed() > Duration::from_secs(5) {
            break;
        }
    }
    let set = next(d);
    d.bring(set, Disk::put);
    d.stage.server.go_on();
    d.stage.offered.moved();
}
