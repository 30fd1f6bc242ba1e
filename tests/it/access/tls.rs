//! TLS: certificates of both sides, files that change, and connections as without it.

use std::{
    io::{ErrorKind, Read, Write},
    net::TcpStream,
    sync::Arc,
    time::{Duration, Instant},
};

use palisade::server;
use tokio_rustls::rustls::version::{TLS12, TLS13};

use super::{ONE, error_of, metric, question, status_of};
use crate::{
    certs::{Authority, House},
    client::{Connection, JSON},
    harness::{PATIENCE, Server, Start, Tls, wait_for},
};

const SOON: Duration = Duration::from_millis(100);
const FAILURES: &str = "palisade_tls_handshake_failures_total";

fn over(tls: Tls) -> Start {
    Start {
        tls: Some(tls),
        ..Start::default()
    }
}

/// Waits until as many handshakes of the decisions listener have failed for this reason.
fn wait_for_failures(server: &Server, reason: &str, count: f64) {
    let series = format!("{FAILURES}{{listener=\"decisions\",reason=\"{reason}\"}}");
    wait_for(&series, || {
        metric(&server.admin("/metrics"), &series) >= count
    });
}

#[test]
fn questions_are_answered_and_connections_kept() {
    let house = House::new();
    let server = Server::start(&over(Tls::of(&house)));
    assert_eq!(
        server.post(ONE, &question("alice")).body,
        r#"{"decision":true}"#
    );
    assert_eq!(
        server.post(ONE, &question("carol")).body,
        r#"{"decision":false}"#
    );
    let mut connection = server.connect();
    for _ in 0..3 {
        let body = question("bob").to_string();
        let reply = connection.send("POST", ONE, &[JSON], body.as_bytes());
        assert_eq!((reply.status, reply.header("connection")), (200, None));
    }
    // Without a public URL, the document says what the caller did.
    let metadata = server.get("/.well-known/authzen-configuration").json();
    assert_eq!(metadata["policy_decision_point"], "https://pdp.test");
    assert_eq!(server.admin("/readyz").status, 200);
}

#[test]
fn both_versions_of_tls_are_spoken() {
    let house = House::new();
    let server = Server::start(&over(Tls::of(&house)));
    for version in [&TLS12, &TLS13] {
        let client = house.authority.client_of_version(&[version], None);
        let mut connection = Connection::tls(&server.address, &client);
        assert_eq!(
            connection.send("GET", "/openapi.json", &[], b"").status,
            200
        );
    }
}

#[test]
fn callers_show_a_certificate_of_the_right_authority_or_are_not_let_in() {
    let house = House::new();
    let server = Server::start(&over(Tls::mutual(&house)));
    assert_eq!(server.post(ONE, &question("alice")).status, 200);

    let nobody = house.authority.trusted_by_client(None);
    let refusal = Connection::tls(&server.address, &nobody).refusal();
    assert!(refusal.contains("CertificateRequired"), "{refusal}");
    wait_for_failures(&server, "no_certificate", 1.0);

    // Of the same name, but not the same; and one of a server's.
    let forged = Authority::new("clients").client();
    let of_a_server = house.clients.server();
    for own in [&forged, &of_a_server] {
        let client = house.authority.trusted_by_client(Some(own));
        let refusal = Connection::tls(&server.address, &client).refusal();
        assert!(refusal.contains("alert"), "{refusal}");
    }
    wait_for_failures(&server, "bad_certificate", 2.0);
    assert_eq!(server.post(ONE, &question("alice")).status, 200);
}

#[test]
fn plain_http_gets_no_answer_and_hurts_nobody() {
    let house = House::new();
    let server = Server::start(&over(Tls::of(&house)));
    let mut kept = server.connect();
    assert_eq!(kept.send("GET", "/openapi.json", &[], b"").status, 200);

    let mut plain = TcpStream::connect(&server.address).unwrap();
    plain.set_read_timeout(Some(PATIENCE)).unwrap();
    plain
        .write_all(b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n")
        .unwrap();
    let mut answer = Vec::new();
    // An alert of TLS, or nothing.
    let _ = plain.read_to_end(&mut answer);
    assert!(answer.len() < 16, "{answer:?}");
    wait_for_failures(&server, "protocol", 1.0);

    assert_eq!(kept.send("GET", "/openapi.json", &[], b"").status, 200);
    assert_eq!(server.get("/openapi.json").status, 200);
}

#[test]
fn a_new_certificate_is_for_new_connections() {
    let house = House::new();
    let server = Server::start(&over(Tls::of(&house)));
    let mut old = server.connect();
    assert_eq!(old.send("GET", "/openapi.json", &[], b"").status, 200);
    let first = old.certificate();
    let shown = || {
        let page = server.admin("/v1/status");
        status_of(&page, "decisions", "tls")["in_force"]["certificates"].clone()
    };
    let before = shown();
    assert_eq!(before[0].as_str().unwrap().len(), 64);

    house.move_in(&house.authority.server());
    let mut new = None;
    wait_for("the new certificate", || {
        let mut connection = server.connect();
        assert_eq!(
            connection.send("GET", "/openapi.json", &[], b"").status,
            200
        );
        new = connection.certificate();
        new != first
    });
    wait_for("the page shows it", || shown() != before);
    assert_eq!(error_of(&server, "decisions", "tls"), None);
    assert_eq!(old.send("GET", "/openapi.json", &[], b"").status, 200);
    assert_eq!(old.certificate(), first);
    // The admin listener has a keeper of its own for the same files.
    wait_for("the admin listener", || {
        let mut admin = server.connect_admin();
        admin.send("GET", "/livez", &[], b"");
        admin.certificate() == new
    });
}

#[test]
fn files_that_do_not_fit_change_nothing_and_are_told() {
    let house = House::new();
    let server = Server::start(&over(Tls::mutual(&house)));
    let certificate = || {
        let mut connection = server.connect();
        connection.send("GET", "/openapi.json", &[], b"");
        connection.certificate().unwrap()
    };
    let first = certificate();
    let stale = || {
        let series = "palisade_access_stale{kind=\"tls\",listener=\"decisions\"}";
        metric(&server.admin("/metrics"), series)
    };
    assert_eq!(stale(), 0.0);
    let next = house.authority.server();
    let told = |what: &str| {
        wait_for(what, || {
            error_of(&server, "decisions", "tls").is_some_and(|why| why.contains(what))
        });
        assert_eq!(stale(), 1.0);
        assert_eq!(certificate(), first);
        let page = server.admin("/v1/status");
        let line = status_of(&page, "decisions", "tls");
        assert!(
            line["error"]["message"].as_str().unwrap().contains(what),
            "{line}"
        );
    };
    house.write("cert.pem", &next.cert);
    told("cannot be used together");
    house.write("key.pem", "nonsense");
    told("has no private key");
    house.write("cert.pem", "");
    told("has no certificate");
    std::fs::remove_file(house.path("cert.pem")).unwrap();
    told("could not read");
    house.move_in(&next);
    house.write(
        "clients.pem",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    );
    told("authority");

    house.write("clients.pem", &house.clients.pem());
    wait_for("what fits is taken", || certificate() != first);
    assert_eq!(
        (stale(), error_of(&server, "decisions", "tls")),
        (0.0, None)
    );
}

#[test]
fn an_authority_that_is_gone_vouches_for_nobody_new() {
    let house = House::new();
    let tls = Tls::mutual(&house);
    let before = Arc::clone(&tls.client);
    let server = Server::start(&over(tls));
    let mut old = server.connect();
    assert_eq!(old.send("GET", "/openapi.json", &[], b"").status, 200);
    house.write("clients.pem", &Authority::new("others").pem());
    wait_for("nobody new", || {
        // Also not by going on with a session of before.
        let mut stream = Connection::tls(&server.address, &before);
        stream.write(b"GET /openapi.json HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        stream.is_refused()
    });
    assert_eq!(old.send("GET", "/openapi.json", &[], b"").status, 200);
}

#[test]
fn a_handshake_that_stalls_is_ended_and_holds_up_nobody() {
    let house = House::new();
    let server = Server::start(&Start {
        server_limits: server::Limits {
            // Long enough for whoever does not stall, also on a busy machine.
            handshake_timeout: Duration::from_secs(2),
            ..server::Limits::default()
        },
        ..over(Tls::of(&house))
    });
    let mut silent = Connection::to(&server.address);
    let mut half = Connection::to(&server.address);
    half.write(&[22, 3, 1, 2, 0, 1]);
    assert_eq!(server.get("/openapi.json").status, 200);
    assert!(silent.is_closed() && half.is_closed());
    wait_for_failures(&server, "timeout", 2.0);
    // A probe that only sees whether the port is open.
    drop(TcpStream::connect(&server.address).unwrap());
    wait_for_failures(&server, "hung_up", 1.0);
}

#[test]
fn a_handshake_keeps_a_place() {
    let house = House::new();
    let server = Server::start(&Start {
        server_limits: server::Limits {
            connections: 1,
            ..server::Limits::default()
        },
        ..over(Tls::of(&house))
    });
    let silent = TcpStream::connect(&server.address).unwrap();
    // The second one waits for the place of the first.
    let mut plain = Connection::to(&server.address);
    plain.write(b"GET / HTTP/1.1\r\n\r\n");
    assert!(plain.is_silent_for(SOON));
    drop(silent);
    wait_for_failures(&server, "protocol", 1.0);
}

#[test]
fn what_is_in_flight_is_finished_and_the_end_is_told() {
    let house = House::new();
    let mut server = Server::start(&over(Tls::of(&house)));
    let mut idle = server.connect();
    assert_eq!(idle.send("GET", "/openapi.json", &[], b"").status, 200);
    let mut shaking = Connection::to(&server.address);
    let mut busy = server.connect();
    let body = question("alice").to_string();
    let head = format!(
        "POST {ONE} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\
         Expect: 100-continue\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    busy.write(head.as_bytes());
    assert_eq!(busy.read(false).status, 100);

    server.stop();
    assert!(idle.is_closed() && shaking.is_closed());
    busy.write(body.as_bytes());
    let reply = busy.read(false);
    assert_eq!(reply.body, r#"{"decision":true}"#);
    assert_eq!(reply.header("connection"), Some("close"));
    assert!(busy.is_closed());
    drop(idle);
    server.join();
}

#[test]
fn the_refusal_of_a_large_body_arrives_though_all_of_it_is_sent() {
    let house = House::new();
    let server = Server::start(&over(Tls::of(&house)));
    let large = vec![b' '; 8 << 20];
    assert_eq!(
        server.connect().send("POST", ONE, &[JSON], &large).status,
        413
    );
}

#[test]
fn a_caller_that_reads_no_answer_is_not_waited_for() {
    let house = House::new();
    let server = Server::start(&Start {
        server_limits: server::Limits {
            write_timeout: SOON,
            ..server::Limits::default()
        },
        ..over(Tls::of(&house))
    });
    let mut connection = server.connect();
    // Requests without end, so that answers fill every buffer on the way.
    let requests = b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n".repeat(100);
    connection.write_timeout(SOON);
    let started = Instant::now();
    let ended = loop {
        assert!(started.elapsed() < PATIENCE, "the connection goes on");
        match connection.try_write(&requests) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => break error.kind(),
        }
    };
    let gone = [ErrorKind::BrokenPipe, ErrorKind::ConnectionReset];
    assert!(gone.contains(&ended), "{ended}");
}
