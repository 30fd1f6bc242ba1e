//! Connections: bounds, deadlines, keep-alive, drain.

use std::{
    io::{ErrorKind, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

use palisade::{api, server};
use serde_json::json;

use crate::{
    client::{Connection, JSON},
    harness::{PATIENCE, Server, Start, any_port, wait_for},
};

const ONE: &str = "/access/v1/evaluation";
const SOON: Duration = Duration::from_millis(100);

fn body() -> String {
    json!({
        "subject": {"type": "user", "id": "alice"},
        "action": {"name": "read"},
        "resource": {"type": "record", "id": "record-1"},
    })
    .to_string()
}

/// A request head for `body`, with `more` header lines.
fn head(more: &str, length: usize) -> String {
    format!(
        "POST {ONE} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n{more}\
         Content-Length: {length}\r\n\r\n"
    )
}

#[test]
fn a_connection_serves_many_requests() {
    let server = Server::start(&Start::default());
    let mut connection = server.connect();
    for _ in 0..3 {
        let reply = connection.send("POST", ONE, &[JSON], body().as_bytes());
        assert_eq!((reply.status, reply.header("connection")), (200, None));
    }
    // Refusals leave it usable, too, as long as the body has been read.
    assert_eq!(connection.send("POST", ONE, &[JSON], b"{").status, 400);
    assert_eq!(connection.send("GET", "/nowhere", &[], b"").status, 404);
    assert_eq!(
        connection.send("GET", "/openapi.json", &[], b"").status,
        200
    );
}

#[test]
fn many_requests_at_once_are_all_answered_in_order() {
    let server = Server::start(&Start::default());
    let with_length = |more: &str, body: &str| format!("{}{body}", head(more, body.len()));
    let chunked = |body: &str| {
        let head = head("", 0).replace("Content-Length: 0", "Transfer-Encoding: chunked");
        format!("{head}{:x}\r\n{body}\r\n0\r\n\r\n", body.len())
    };
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n");
    let (good, bad) = (body(), "{");
    for (kind, [first, second], expected) in [
        (
            "with a length",
            [good.as_str(), bad].map(|it| with_length("", it)),
            [200, 400],
        ),
        ("chunked", [good.as_str(), bad].map(chunked), [200, 400]),
        (
            "expecting to be asked on",
            [good.as_str(), bad].map(|it| with_length("Expect: 100-continue\r\n", it)),
            [200, 400],
        ),
        (
            "without a body",
            ["/openapi.json", "/nowhere"].map(get),
            [200, 404],
        ),
    ] {
        let mut connection = server.connect();
        connection.write([first, second].concat().repeat(10).as_bytes());
        let replies = std::iter::repeat_with(|| connection.read(false).status);
        let statuses: Vec<u16> = replies.filter(|it| *it != 100).take(20).collect();
        assert_eq!(statuses, expected.repeat(10), "{kind}");
        let next = connection.send("POST", ONE, &[JSON], body().as_bytes());
        assert_eq!(next.status, 200, "{kind}");
    }
}

#[test]
fn absolute_targets_are_served() {
    let server = Server::start(&Start::default());
    let reply = server.connect().send(
        "POST",
        "http://pdp.test/access/v1/evaluation",
        &[JSON],
        body().as_bytes(),
    );
    assert_eq!(
        (reply.status, reply.body.as_str()),
        (200, r#"{"decision":true}"#)
    );
}

#[test]
fn http_1_0_needs_no_host() {
    let server = Server::start(&Start::default());
    let mut connection = server.connect();
    connection.write(b"GET /openapi.json HTTP/1.0\r\n\r\n");
    assert_eq!(connection.read(false).status, 200);
    assert!(connection.is_closed());
}

#[test]
fn head_has_the_headers_of_get_and_no_body() {
    let server = Server::start(&Start::default());
    for path in ["/openapi.json", "/.well-known/authzen-configuration"] {
        let mut connection = server.connect();
        let get = connection.send("GET", path, &[], b"");
        let head = connection.send("HEAD", path, &[], b"");
        for header in ["content-type", "content-length", "cache-control"] {
            assert_eq!(head.header(header), get.header(header), "{path}");
        }
        // What follows on the connection is the next answer, not a stray body.
        assert_eq!(connection.send("GET", path, &[], b"").body, get.body);
    }
}

#[test]
fn the_contract_names_every_endpoint() {
    let server = Server::start(&Start {
        gateway: Some(crate::proxy::mapping()),
        ..Start::default()
    });
    let contract = server.get("/openapi.json").json();
    assert_eq!(contract["openapi"], "3.1.0");
    let paths = contract["paths"].as_object().unwrap().iter();
    // Those of the admin listener name it.
    let ours = paths.filter(|(_, item)| item.get("servers").is_none());
    let ours: Vec<_> = ours.collect();
    assert_eq!(ours.len(), 12);
    for (path, methods) in ours {
        for method in methods.as_object().unwrap().keys() {
            let method = method.to_uppercase();
            let reply = server.connect().send(&method, path, &[], b"");
            assert!(![404, 405].contains(&reply.status), "{method} {path}");
            if path.starts_with("/proxy/") {
                // Gateways ask with whatever method they were asked with.
                continue;
            }
            let reply = server.connect().send("PATCH", path, &[], b"");
            assert_eq!(reply.status, 405, "PATCH {path}");
            assert!(
                reply.header("allow").unwrap().starts_with(&method),
                "{path}"
            );
        }
    }
}

#[test]
fn without_a_snapshot_callers_are_told_to_come_again() {
    let server = Server::start(&Start {
        publish: false,
        ..Start::default()
    });
    let reply = server.post(ONE, &json!({}));
    assert_eq!((reply.status, reply.code().as_str()), (503, "no_snapshot"));
    assert_eq!(reply.header("retry-after"), Some("1"));
    assert_eq!(server.get("/openapi.json").status, 200);
}

#[test]
fn a_declared_length_over_the_cap_is_refused_unread() {
    let server = Server::start(&Start::default());
    let mut connection = server.connect();
    // No byte of the body is ever sent.
    connection.write(head("Expect: 100-continue\r\n", (1 << 20) + 1).as_bytes());
    let reply = connection.read(false);
    assert_eq!(
        (reply.status, reply.code().as_str()),
        (413, "body_too_large")
    );
    assert_eq!(reply.header("connection"), Some("close"));
}

#[test]
fn the_refusal_of_a_large_body_arrives_though_all_of_it_is_sent() {
    let server = Server::start(&Start::default());
    let large = vec![b' '; 8 << 20];
    let reply = server.connect().send("POST", ONE, &[JSON], &large);
    assert_eq!(reply.status, 413);

    let mut chunked = server.connect();
    let chunk = [b"10000\r\n".as_slice(), &[b' '; 0x10000], b"\r\n"].concat();
    let head = head("", 0).replace("Content-Length: 0", "Transfer-Encoding: chunked");
    chunked.write(head.as_bytes());
    for _ in 0..64 {
        chunked.write(&chunk);
    }
    chunked.write(b"0\r\n\r\n");
    assert_eq!(chunked.read(false).status, 413);
}

#[test]
fn a_body_of_exactly_the_cap_is_read() {
    let server = Server::start(&Start::default());
    let mut text = body().into_bytes();
    text.resize(1 << 20, b' ');
    assert_eq!(
        server.connect().send("POST", ONE, &[JSON], &text).status,
        200
    );
    text.push(b' ');
    assert_eq!(
        server.connect().send("POST", ONE, &[JSON], &text).status,
        413
    );
}

#[test]
fn a_chunked_body_is_read() {
    let server = Server::start(&Start::default());
    let mut connection = server.connect();
    let head = head("", 0).replace("Content-Length: 0", "Transfer-Encoding: chunked");
    let (first, second) = (&body()[..10], &body()[10..]);
    let text = format!(
        "{head}{:x}\r\n{first}\r\n{:x}\r\n{second}\r\n0\r\n\r\n",
        first.len(),
        second.len()
    );
    connection.write(text.as_bytes());
    assert_eq!(connection.read(false).body, r#"{"decision":true}"#);
}

#[test]
fn a_body_that_does_not_come_is_a_408() {
    let server = Server::start(&Start {
        limits: api::Limits {
            body_timeout: SOON,
            ..api::Limits::default()
        },
        ..Start::default()
    });
    let mut connection = server.connect();
    connection.write(format!("{}{{", head("", 100)).as_bytes());
    let reply = connection.read(false);
    assert_eq!((reply.status, reply.code().as_str()), (408, "body_timeout"));
    assert_eq!(reply.header("connection"), Some("close"));
}

#[test]
fn a_head_that_does_not_come_ends_the_connection() {
    let server = Server::start(&Start {
        server_limits: server::Limits {
            header_timeout: SOON,
            ..server::Limits::default()
        },
        ..Start::default()
    });
    let mut connection = server.connect();
    connection.write(b"GET /openapi.json HTTP/1.1\r\nHost: ");
    assert!(connection.is_closed());
}

#[test]
fn the_wait_for_a_head_begins_anew_with_each_answer() {
    let longest = Duration::from_secs(1);
    let server = Server::start(&Start {
        server_limits: server::Limits {
            header_timeout: longest,
            ..server::Limits::default()
        },
        ..Start::default()
    });
    let mut connection = server.connect();
    for _ in 0..4 {
        let reply = connection.send("GET", "/openapi.json", &[], b"");
        assert_eq!(reply.status, 200);
        assert!(connection.is_silent_for(longest / 3));
    }
    assert!(connection.is_closed());
    // Not by what comes of a head.
    let mut slow = server.connect();
    let started = Instant::now();
    slow.write(b"GET /openapi.json HTTP/1.1\r\nHost: ");
    assert!(slow.is_silent_for(longest / 2));
    slow.write(b"x");
    assert!(slow.is_closed());
    assert!(started.elapsed() < 3 * longest / 2);
}

#[test]
fn a_head_that_is_too_long_is_a_431() {
    let server = Server::start(&Start::default());
    let mut connection = server.connect();
    let more = format!("X-Long: {}\r\n", "x".repeat(20 << 10));
    connection.write(head(&more, 0).as_bytes());
    assert_eq!(connection.read(false).status, 431);
}

#[test]
fn over_the_cap_connections_wait_their_turn() {
    let server = Server::start(&Start {
        server_limits: server::Limits {
            connections: 1,
            ..server::Limits::default()
        },
        ..Start::default()
    });
    let mut first = server.connect();
    assert_eq!(first.send("GET", "/openapi.json", &[], b"").status, 200);
    let mut second = server.connect();
    second.write(b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_eq!(first.send("GET", "/openapi.json", &[], b"").status, 200);
    drop(first);
    assert_eq!(second.read(false).status, 200);
}

#[test]
fn the_cap_holds_over_all_sockets_and_an_idle_one_keeps_no_place() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("palisade.sock");
    let server = Server::start(&Start {
        server_limits: server::Limits {
            connections: 1,
            ..server::Limits::default()
        },
        listen: vec![any_port(), server::Listen::Unix(path.clone())],
        ..Start::default()
    });
    let mut first = server.connect();
    assert_eq!(first.send("GET", "/openapi.json", &[], b"").status, 200);
    let mut second = Connection::to(&format!("unix:{}", path.display()));
    second.write(b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n");
    assert!(second.is_silent_for(SOON));
    assert_eq!(first.send("GET", "/openapi.json", &[], b"").status, 200);
    drop(first);
    assert_eq!(second.read(false).status, 200);
}

#[test]
fn a_caller_that_reads_no_answer_is_not_waited_for() {
    let server = Server::start(&Start {
        server_limits: server::Limits {
            write_timeout: SOON,
            ..server::Limits::default()
        },
        ..Start::default()
    });
    let mut stream = TcpStream::connect(&server.address).unwrap();
    stream.set_write_timeout(Some(SOON)).unwrap();
    // Requests without end, so that answers fill every buffer on the way.
    let requests = b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n".repeat(100);
    let started = Instant::now();
    let mut rest = &requests[..];
    let ended = loop {
        assert!(started.elapsed() < PATIENCE, "the connection goes on");
        match stream.write(rest) {
            Ok(written) => rest = &rest[written..],
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => break error.kind(),
        }
        if rest.is_empty() {
            rest = &requests;
        }
    };
    let gone = [ErrorKind::BrokenPipe, ErrorKind::ConnectionReset];
    assert!(gone.contains(&ended), "{ended}");
}

#[test]
fn what_is_in_flight_is_finished_and_idle_connections_end() {
    let mut server = Server::start(&Start::default());
    let address = server.address.clone();
    let mut idle = server.connect();
    assert_eq!(idle.send("GET", "/openapi.json", &[], b"").status, 200);
    let mut fresh = server.connect();
    let mut busy = server.connect();
    let (begin, end) = (&body()[..5], &body()[5..]);
    let expecting = head("Expect: 100-continue\r\n", body().len());
    busy.write(expecting.as_bytes());
    // Asking for the body shows that the request is in flight.
    assert_eq!(busy.read(false).status, 100);
    busy.write(begin.as_bytes());

    server.stop();
    assert!(idle.is_closed());
    wait_for("the port is closed", || {
        TcpStream::connect(&address).is_err()
    });
    busy.write(end.as_bytes());
    let reply = busy.read(false);
    assert_eq!(
        (reply.status, reply.body.as_str()),
        (200, r#"{"decision":true}"#)
    );
    assert_eq!(reply.header("connection"), Some("close"));
    assert!(busy.is_closed());
    drop((fresh.is_closed(), fresh));
    server.join();
}

#[test]
fn what_does_not_finish_within_the_grace_is_ended() {
    let mut server = Server::start(&Start {
        server_limits: server::Limits {
            grace: SOON,
            ..server::Limits::default()
        },
        ..Start::default()
    });
    let mut busy = server.connect();
    busy.write(head("Expect: 100-continue\r\n", 100).as_bytes());
    assert_eq!(busy.read(false).status, 100);
    server.stop();
    server.join();
    assert!(busy.is_closed());
}

#[test]
fn a_unix_socket_serves_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("palisade.sock");
    let server = Server::start(&Start {
        listen: vec![server::Listen::Unix(path.clone())],
        ..Start::default()
    });
    assert_eq!(server.address, format!("unix:{}", path.display()));
    let mut connection = Connection::to(&server.address);
    for _ in 0..2 {
        let reply = connection.send("POST", ONE, &[JSON], body().as_bytes());
        assert_eq!(reply.body, r#"{"decision":true}"#);
    }
    drop(server);
    assert!(!path.exists());
}
