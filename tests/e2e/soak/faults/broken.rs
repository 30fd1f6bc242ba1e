//! What must not come into force, and must not keep the next edit from it.

use std::{
    fs, io,
    os::unix::{fs::symlink, net::UnixListener},
};

use rustix::fs::{CWD, FileType, Mode, mknodat};
use serde_json::Value;

use crate::{
    disk::Disk,
    driver::Driver,
    sets::{CANARIES, ENTITIES, FIRST, LINKS, SCHEMA},
};

use super::{git_sync_flip, next, other_policies};

pub(super) fn half_written(d: &mut Driver<'_>) {
    let path = d
        .draw
        .pick(&[FIRST, SCHEMA, ENTITIES, LINKS, CANARIES])
        .to_string();
    let bytes = d.set.files[&path].clone();
    let cut = d.draw.below(bytes.len());
    d.disk.tell(|| fs::write(d.disk.at(&path), &bytes[..cut]));
    d.settle();
    d.disk.tell(|| fs::write(d.disk.at(&path), &bytes));
    let set = next(d);
    d.bring(set, Disk::write);
}

pub(super) fn invalid_then_valid(d: &mut Driver<'_>) {
    let broken: [(&str, &[u8]); 6] = [
        (FIRST, b"permit(principal, action"),
        (
            FIRST,
            b"@id(\"x\")\npermit(principal, action, resource) when { principal.nonsense };",
        ),
        (SCHEMA, b"entity User in [Nowhere];"),
        (
            ENTITIES,
            b"[{\"uid\": {\"type\": \"Doc\", \"id\": \"d0\"}, \"attrs\": {}, \"parents\": []}]",
        ),
        (
            LINKS,
            b"[{\"template_id\": \"none\", \"link_id\": \"x\", \"args\": {}}]",
        ),
        (CANARIES, b"[{"),
    ];
    let (path, bytes) = *d.draw.pick(&broken);
    d.disk.put(path, bytes);
    d.settle();
    d.look();
    let before = d.set.files[path].clone();
    if d.draw.chance(50) {
        d.disk.put(path, &before);
    } else {
        let set = d.sets.fresh();
        d.bring(set, Disk::put);
    }
}

pub(super) fn ids_twice(d: &mut Driver<'_>) {
    let path = other_policies(d);
    d.disk.put("policies/z-twice.cedar", &d.set.files[&path]);
    d.settle();
    d.look();
    d.disk.remove("policies/z-twice.cedar");
}

pub(super) fn not_utf8(d: &mut Driver<'_>) {
    let path = *d.draw.pick(&[FIRST, SCHEMA, ENTITIES, LINKS, CANARIES]);
    let mut bytes = d.set.files[path].clone();
    bytes.push(0xff);
    d.disk.write(path, &bytes);
    d.settle();
    d.look();
    let set = next(d);
    d.disk.put(path, &d.set.files[path]);
    d.bring(set, Disk::put);
}

pub(super) fn droppings(d: &mut Driver<'_>) {
    let names = [
        ".a.cedar.swp",
        "4913",
        "a.cedar~",
        "#a.cedar#",
        "a.cedar.tmp",
    ];
    let link = d.disk.at("policies/.#a.cedar");
    d.disk.tell(|| symlink("somebody@somewhere.1234", &link));
    for name in names {
        let path = d.disk.at("policies").join(name);
        d.disk.tell(|| fs::write(path, b"permit(principal, action"));
    }
    if d.draw.chance(50) {
        let set = next(d);
        d.bring(set, Disk::put);
    }
    d.settle();
    for name in names {
        d.disk
            .tell(|| fs::remove_file(d.disk.at("policies").join(name)));
    }
    d.disk.tell(|| fs::remove_file(link));
}

/// What cannot be read as a file, under the name of one.
pub(super) fn obstacles(d: &mut Driver<'_>) {
    let path = d.disk.at("policies/y-obstacle.cedar");
    let node = |kind, device| Ok(mknodat(CWD, &path, kind, Mode::RUSR, device)?);
    let kind = d.draw.below(6);
    d.disk.tell(|| match kind {
        0 => node(FileType::Fifo, 0),
        1 => symlink("/etc/passwd", &path),
        2 => symlink("/dev/zero", &path),
        3 => UnixListener::bind(&path).map(drop),
        4 => fs::File::create(&path)?.set_len(1 << 30),
        // `/dev/null`; whoever may not make one gets a link that leads nowhere.
        _ => node(FileType::CharacterDevice, rustix::fs::makedev(1, 3))
            .or_else(|_: io::Error| symlink("nowhere", &path)),
    });
    d.settle();
    d.look();
    if d.draw.chance(50) {
        let set = next(d);
        d.bring(set, Disk::put);
    }
    d.disk.tell(|| fs::remove_file(&path));
}

pub(super) fn shrunk(d: &mut Driver<'_>) {
    let set = d.sets.shrunk();
    d.disk.flip(&set.files);
    d.settle();
    d.look();
    git_sync_flip(d);
}

pub(super) fn canary_fails(d: &mut Driver<'_>) {
    let mut set = d.sets.edited(&d.set);
    let mut cases: Value = serde_json::from_slice(&set.files[CANARIES]).unwrap();
    cases[0]["decision"] = "deny".into();
    let known = set
        .files
        .insert(CANARIES.to_owned(), cases.to_string().into_bytes());
    d.bring(set, Disk::put);
    d.settle();
    d.look();
    let known = known.unwrap();
    d.disk.put(CANARIES, &known);
    d.set.files.insert(CANARIES.to_owned(), known);
}

pub(super) fn canaries_gone(d: &mut Driver<'_>) {
    d.disk.remove(CANARIES);
    d.settle();
    d.look();
    d.disk.put(CANARIES, &d.set.files[CANARIES]);
}

pub(super) fn schema_gone(d: &mut Driver<'_>) {
    let away = d.disk.at("away");
    let schema = d.disk.at(SCHEMA);
    d.disk.tell(|| fs::rename(&schema, &away));
    d.settle();
    d.disk.tell(|| fs::rename(away, schema));
    let set = next(d);
    d.bring(set, Disk::put);
}
