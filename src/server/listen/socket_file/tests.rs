use std::{sync::Barrier, thread};

use super::*;

fn kind<T>(result: io::Result<T>) -> Option<io::ErrorKind> {
    result.err().map(|error| error.kind())
}

fn stale(path: &Path) {
    drop(UnixListener::bind(path).unwrap());
    assert!(path.exists(), "the standard library leaves the file behind");
}

#[track_caller]
fn is_empty(folder: &Path) {
    assert_eq!(fs::read_dir(folder).unwrap().count(), 0);
}

#[test]
fn a_stale_socket_is_replaced_and_a_live_one_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pdp.sock");
    stale(&path);
    let bound = bind(&path, 0o640).unwrap();
    let mode = fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o640);
    assert_eq!(kind(bind(&path, 0o640)), Some(io::ErrorKind::AddrInUse));
    UnixStream::connect(&path).unwrap();
    drop(bound);
    is_empty(folder.path());
}

#[test]
fn a_file_that_is_no_socket_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("precious");
    fs::write(&path, "content").unwrap();
    assert_eq!(kind(bind(&path, 0o660)), Some(io::ErrorKind::AddrInUse));
    assert_eq!(fs::read_to_string(&path).unwrap(), "content");
}

#[test]
fn a_listener_that_came_since_we_looked_stays() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pdp.sock");
    let live = UnixListener::bind(&path).unwrap();
    let room = Room::beside(&path).unwrap();
    let _ours = UnixListener::bind(room.at("s")).unwrap();
    let before = identity(&path).unwrap();
    for result in [
        put(&room.at("s"), &path),
        put_over_claim(&room.at("s"), &path),
        take_stale(&path, &room),
    ] {
        assert_eq!(kind(result), Some(io::ErrorKind::AddrInUse));
        assert_eq!(identity(&path).unwrap(), before);
    }
    drop(room);
    UnixStream::connect(&path).unwrap();
    drop(live);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn of_two_that_start_together_one_is_served() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pdp.sock");
    for round in 0..200 {
        if round % 2 == 0 {
            stale(&path);
        }
        let start = Barrier::new(2);
        let one = || {
            start.wait();
            bind(&path, 0o600)
        };
        let both = thread::scope(|scope| {
            let both = [scope.spawn(one), scope.spawn(one)];
            both.map(|it| it.join().unwrap())
        });
        let errors: Vec<_> = both.iter().filter_map(|it| it.as_ref().err()).collect();
        let kinds: Vec<_> = errors.iter().map(|it| it.kind()).collect();
        assert_eq!(kinds, [io::ErrorKind::AddrInUse], "{errors:?}");
        UnixStream::connect(&path).unwrap();
        drop(both);
        is_empty(folder.path());
    }
}

#[test]
fn without_hard_links_a_name_is_claimed_first() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pdp.sock");
    let room = Room::beside(&path).unwrap();
    let _ours = UnixListener::bind(room.at("s")).unwrap();
    put_over_claim(&room.at("s"), &path).unwrap();
    UnixStream::connect(&path).unwrap();
    // A claim that comes to nothing is given up.
    let other = folder.path().join("other.sock");
    put_over_claim(&room.at("s"), &other).unwrap_err();
    assert!(!other.exists());
}

#[test]
fn a_listener_that_accepts_nothing_is_not_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("full.sock");
    let _listener = UnixListener::bind(&path).unwrap();
    let mut waiting = Vec::new();
    let full = loop {
        match connect(&path) {
            Ok(stream) => waiting.push(stream),
            Err(error) => break error,
        }
    };
    assert_eq!(full.kind(), io::ErrorKind::WouldBlock);
    let error = bind(&path, 0o660).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
}

#[test]
fn a_path_that_fits_is_bound_however_short_its_name_is() {
    let folder = tempfile::tempdir().unwrap();
    let length = folder.path().as_os_str().len() + "/".len();
    let deep = folder.path().join("d".repeat(105 - length));
    fs::create_dir(&deep).unwrap();
    let path = deep.join("s");
    assert_eq!(path.as_os_str().len(), 107);
    stale(&path);
    let bound = bind(&path, 0o600).unwrap();
    UnixStream::connect(&path).unwrap();
    drop(bound);
    is_empty(&deep);
    // One byte more, and no caller could say it.
    let long = deep.join("ss");
    assert_eq!(kind(bind(&long, 0o600)), Some(io::ErrorKind::InvalidInput));
    is_empty(&deep);
}
