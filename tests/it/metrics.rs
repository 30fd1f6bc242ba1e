//! The first scrape of a server that has everything: every family, every series, and whatever
//! alerts and panels ask for.

mod exposition;
mod queries;

use std::path::Path;

use exposition::Exposition;

use crate::{certs::House, harness::wait_for, process::Process};

const FIXTURE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/authzen");

/// What the server says before anybody has asked it anything.
fn first_scrape() -> String {
    let house = House::new();
    let none = "# nobody\n";
    house.write("credentials.toml", none);
    let path = |name| house.path(name).display().to_string();
    let (cert, key, credentials) = (path("cert.pem"), path("key.pem"), path("credentials.toml"));
    let flags = [
        ["--policies", "policies.cedar"],
        ["--schema", "schema.cedarschema"],
        ["--entities", "entities.json"],
        ["--tls-cert", &cert],
        ["--tls-key", &key],
        ["--credentials", &credentials],
    ];
    let process = Process::serve(Path::new(FIXTURE), flags.as_flattened());
    let reply = process.connect_admin().send("GET", "/metrics", &[], b"");
    assert_eq!(reply.status, 200);
    reply.body
}

#[test]
fn the_first_scrape_has_every_family_and_series() {
    let got = Exposition::of(&first_scrape()).page();
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/metrics.txt");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(path, got).unwrap();
        return;
    }
    let expected = std::fs::read_to_string(path).unwrap_or_default();
    for (got, expected) in got.lines().zip(expected.lines()) {
        assert_eq!(got, expected, "UPDATE=1 rewrites metrics.txt");
    }
    assert_eq!(got.len(), expected.len(), "UPDATE=1 rewrites metrics.txt");
}

#[test]
fn a_look_is_told_also_when_nothing_changed() {
    let flags = ["--policies=policies.cedar", "--poll-interval=10ms"];
    let process = Process::serve(Path::new(FIXTURE), &flags);
    let mut admin = process.connect_admin();
    let mut told = || {
        let page = admin.send("GET", "/metrics", &[], b"").body;
        ["look", "reload_attempt"].map(|what| -> f64 {
            let name = format!("palisade_last_{what}_timestamp_seconds ");
            let value = page.lines().find_map(|line| line.strip_prefix(&name));
            value.unwrap().parse().unwrap()
        })
    };
    let mut before = told();
    wait_for("a look after which nothing was read", || {
        let [earlier, read] = std::mem::replace(&mut before, told());
        before[0] > earlier && before[1] == read
    });
}
