//! Callers who connect and say nothing: what they take, and for how long.

use std::{
    fs,
    net::TcpStream,
    time::{Duration, Instant},
};

use palisade::server;
use tempfile::TempDir;

use crate::{
    certs::House,
    client::{Connection, Reply},
    harness::{Server, Start, Tls, wait_for},
    process::Process,
};

const SOON: Duration = Duration::from_millis(100);
const PERMIT: &str = "permit (principal, action, resource);\n";

fn get(connection: &mut Connection, path: &str) -> Reply {
    connection.send("GET", path, &[], b"")
}

/// Those who have asked nothing end soon.
fn impatient(connections: usize) -> Start {
    Start {
        server_limits: server::Limits {
            connections,
            first_request_timeout: SOON,
            ..server::Limits::default()
        },
        ..Start::default()
    }
}

fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("p")).unwrap();
    fs::write(folder.path().join("p/a.cedar"), PERMIT).unwrap();
    folder
}

#[test]
fn whoever_asks_nothing_keeps_no_place() {
    let server = Server::start(&impatient(1));
    let mut silent = server.connect();
    let mut half = server.connect();
    half.write(b"GET /openapi.json HTTP/1.1\r\nHost: ");
    let mut good = server.connect();
    assert_eq!(get(&mut good, "/openapi.json").status, 200);
    assert!(silent.is_closed() && half.is_closed());
}

#[test]
fn whoever_has_asked_once_may_be_silent_for_longer() {
    let server = Server::start(&impatient(10));
    let mut pooled = server.connect();
    assert_eq!(get(&mut pooled, "/openapi.json").status, 200);
    assert!(pooled.is_silent_for(3 * SOON));
    assert_eq!(get(&mut pooled, "/openapi.json").status, 200);
}

#[test]
fn silence_behind_tls_ends_as_well() {
    let house = House::new();
    let server = Server::start(&Start {
        tls: Some(Tls::of(&house)),
        ..impatient(10)
    });
    let mut silent = server.connect();
    // Shakes hands, and sends no byte of a head.
    silent.write(b"");
    assert!(!silent.is_silent_for(Duration::from_secs(5)));
}

#[test]
fn more_strangers_than_descriptors_stop_neither_admin_nor_reloads() {
    let folder = folder();
    let house = House::new();
    let (cert, key) = (house.path("cert.pem"), house.path("key.pem"));
    let flags = [
        ["--policies", "p"],
        ["--poll-interval", "50ms"],
        ["--admin-tls-cert", cert.to_str().unwrap()],
        ["--admin-tls-key", key.to_str().unwrap()],
    ];
    let process = Process::serve_under("ulimit -n 128", folder.path(), flags.as_flattened());
    let client = house.authority.trusted_by_client(None);
    let admin = |path: &str| get(&mut Connection::tls(&process.admin, &client), path);
    // The system's queue takes those that are over the cap.
    let strangers: Vec<_> = (0..160)
        .map(|_| TcpStream::connect(&process.address).unwrap())
        .collect();
    let mut good = process.connect();
    good.write(b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n");
    assert!(good.is_silent_for(SOON));

    let started = Instant::now();
    assert_eq!(admin("/livez").status, 200);
    // Long before the strangers have to go.
    assert!(started.elapsed() < Duration::from_secs(5));
    let revision = || admin("/v1/status").json()["revision"].clone();
    let before = revision();
    fs::write(folder.path().join("p/b.cedar"), PERMIT).unwrap();
    wait_for("the new policies", || revision() != before);
    let certificates = || admin("/v1/status").json()["access"][0]["in_force"].clone();
    let before = certificates();
    house.move_in(&house.authority.server());
    wait_for("the new certificate", || certificates() != before);

    let metrics = admin("/metrics").body;
    let has = |line: &str| {
        let found = metrics.lines().any(|it| it == line);
        assert!(found, "no `{line}` in {metrics}");
    };
    has("palisade_sources_stale 0");
    has("palisade_access_stale{kind=\"tls\",listener=\"admin\"} 0");
    has("palisade_http_requests_in_flight 0");
    has("palisade_policies 2");
    has("process_max_fds 128");
    // Three quarters of what is left of 128, and one that waits.
    let open = metrics
        .lines()
        .find_map(|it| it.strip_prefix("process_open_fds "));
    let open: u32 = open.unwrap().parse().unwrap();
    assert!((49..100).contains(&open), "{open}");

    drop(strangers);
    assert_eq!(good.read(false).status, 200);
}

#[test]
fn the_limit_of_open_files_is_raised_as_far_as_it_goes() {
    let folder = folder();
    // The soft limit alone is lowered.
    let process = Process::serve_under("ulimit -S -n 64", folder.path(), &["--policies", "p"]);
    let metrics = get(&mut process.connect_admin(), "/metrics").body;
    let most = metrics
        .lines()
        .find_map(|it| it.strip_prefix("process_max_fds "));
    let most: f64 = most.unwrap().parse().unwrap();
    assert!(most > 64.0, "{most}");
}
