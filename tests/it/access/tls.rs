//! TLS: certificates of both sides, and connections as without it.

use std::{
    io::{ErrorKind, Read, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

use palisade::server;
use tokio_rustls::rustls::version::{TLS12, TLS13};

use super::{ONE, metric, over, question};
use crate::{
    certs::{Authority, House},
    client::{Connection, JSON},
    harness::{PATIENCE, Server, Start, Tls, wait_for},
};

const SOON: Duration = Duration::from_millis(100);
const FAILURES: &str = "palisade_tls_handshake_failures_total";

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
fn sessions_are_gone_on_with_only_where_no_certificate_is_demanded() {
    let house = House::new();
    for version in [&TLS12, &TLS13] {
        let own = house.clients.client();
        let client = house.authority.client_of_version(&[version], Some(&own));
        for (tls, expected) in [(Tls::of(&house), true), (Tls::mutual(&house), false)] {
            let server = Server::start(&over(tls));
            let resumed = || {
                let mut connection = Connection::tls(&server.address, &client);
                let reply = connection.send("GET", "/openapi.json", &[], b"");
                assert_eq!(reply.status, 200);
                connection.is_resumed()
            };
            assert!(!resumed());
            assert_eq!(resumed(), expected, "{version:?}");
        }
    }
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
