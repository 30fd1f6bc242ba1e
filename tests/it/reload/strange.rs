//! What is no file, or no file of ours: case 25 of the catalogue.

use std::{
    fs::{self, File},
    os::unix::{fs::symlink, net::UnixListener},
    path::Path,
};

use rustix::{
    fs::{CWD, FileType, Mode, makedev, mkfifoat, mknodat},
    io::Errno,
};

use super::{
    files::rename_over,
    plan::BY_EVENTS,
    stage::Stage,
    told,
    world::{Part, Set},
};

/// Puts something strange in a place.
type Put = fn(&Path);

/// What each is, how it is made, and what is said about it.
const STRANGE: [(&str, Put, &str); 8] = [
    (
        "a link out of the folder",
        link_out,
        "outside of the folder",
    ),
    ("a dangling link", dangling, "No such file"),
    ("a link to itself", loops, "symbolic links"),
    ("a link to /dev/zero", link_to_zero, "outside of the folder"),
    ("a FIFO", fifo, "is a FIFO"),
    ("a socket", socket, "is a socket"),
    (
        "a sparse file of 1 GB",
        sparse,
        "is larger than 16777216 bytes",
    ),
    ("17 MB of policies", huge, "is larger than 16777216 bytes"),
];

#[test]
fn what_is_no_file_of_ours_is_refused_and_never_waited_for() {
    let set = Set::of(0);
    let mut stage = Stage::start(25, &BY_EVENTS, &set);
    let name = "policies/teams/strange.cedar";
    let path = stage.path(name);
    let mut strange: Vec<(&str, Put, &str)> = STRANGE.into();
    if may_make_devices(stage.root()) {
        strange.push(("a device", device, "is a device"));
    } else {
        stage.note("a device: not tried, it takes a right that we lack".to_owned());
    }
    for (what, put, said) in strange {
        stage.refuses(what, "io", &[name], |_| put(&path));
        let attempt = stage.told().attempt().clone();
        let message = &told::errors(&attempt).next().unwrap()["message"];
        assert!(message.as_str().unwrap().contains(said), "{message}");
        stage.returns("gone", |_| fs::remove_file(&path).unwrap());
    }
    // In the place of a file that was in force.
    let beta = stage.path(Part::Beta.file());
    stage.refuses("a FIFO for a file", "io", &[Part::Beta.file()], |_| {
        fs::remove_file(&beta).unwrap();
        fifo(&beta);
    });
    let set = set.with(Part::Beta, 1);
    stage.applies("a file again", &set, |_| {
        rename_over(&beta, Part::Beta.text(1));
    });
    stage.end("links out, FIFO, device, socket, huge files");
}

fn link_out(path: &Path) {
    let outside = path.ancestors().nth(3).unwrap().join("outside.cedar");
    fs::write(&outside, Part::Extra.text(0)).unwrap();
    symlink(outside, path).unwrap();
}

fn dangling(path: &Path) {
    symlink("nowhere.cedar", path).unwrap();
}

fn loops(path: &Path) {
    symlink(path.file_name().unwrap(), path).unwrap();
}

fn link_to_zero(path: &Path) {
    symlink("/dev/zero", path).unwrap();
}

fn fifo(path: &Path) {
    mkfifoat(CWD, path, Mode::RUSR | Mode::WUSR).unwrap();
}

fn socket(path: &Path) {
    drop(UnixListener::bind(path).unwrap());
}

fn sparse(path: &Path) {
    File::create(path).unwrap().set_len(1 << 30).unwrap();
}

fn huge(path: &Path) {
    let comment = [b"//".as_slice(), &[b' '; 1021], b"\n"].concat();
    fs::write(path, comment.repeat(17 << 10)).unwrap();
}

/// A node that gives zeroes without end.
fn device(path: &Path) {
    make_device(path).unwrap();
}

fn make_device(path: &Path) -> Result<(), Errno> {
    let mode = Mode::RUSR | Mode::WUSR;
    mknodat(CWD, path, FileType::CharacterDevice, mode, makedev(1, 5))
}

fn may_make_devices(root: &Path) -> bool {
    let path = root.join("zero");
    make_device(&path).is_ok() && fs::remove_file(path).is_ok()
}
