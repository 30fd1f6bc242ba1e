//! Socket files: their mode, and the users who may connect.

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt},
};

use palisade::server::Listen;

use super::{ONE, metric, question};
use crate::{
    client::JSON,
    harness::{Server, Start, any_port},
};

fn on_a_socket(folder: &tempfile::TempDir, allow_uid: Vec<u32>) -> Server {
    Server::start(&Start {
        listen: vec![Listen::Unix(folder.path().join("pdp.sock")), any_port()],
        socket_mode: 0o600,
        allow_uid,
        ..Start::default()
    })
}

#[test]
fn the_mode_is_the_one_that_was_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let _server = on_a_socket(&folder, Vec::new());
    let file = fs::metadata(folder.path().join("pdp.sock")).unwrap();
    assert_eq!(file.permissions().mode() & 0o777, 0o600);
}

#[test]
fn users_on_the_list_may_ask() {
    let folder = tempfile::tempdir().unwrap();
    let we = fs::metadata(folder.path()).unwrap().uid();
    let server = on_a_socket(&folder, vec![we + 1, we]);
    assert_eq!(
        server.post(ONE, &question("alice")).body,
        r#"{"decision":true}"#
    );
}

#[test]
fn other_users_are_refused_whatever_they_ask() {
    let folder = tempfile::tempdir().unwrap();
    let we = fs::metadata(folder.path()).unwrap().uid();
    let server = on_a_socket(&folder, vec![we + 1]);
    let body = question("alice").to_string();
    for (method, path) in [("POST", ONE), ("GET", "/openapi.json"), ("PUT", "/nowhere")] {
        let mut connection = server.connect();
        let headers = [JSON, ("X-Request-ID", "r-1")];
        let reply = connection.send(method, path, &headers, body.as_bytes());
        assert_eq!(
            (reply.status, reply.code().as_str()),
            (403, "forbidden_peer")
        );
        assert_eq!(reply.header("connection"), Some("close"));
        assert_eq!(reply.header("x-request-id"), Some("r-1"));
        assert!(connection.is_closed());
    }
    let metrics = server.admin("/metrics");
    let rejected = "palisade_http_requests_rejected_total{reason=\"forbidden_peer\"}";
    assert_eq!(metric(&metrics, rejected), 3.0);
    let replies = "palisade_http_request_duration_seconds_count{code=\"403\",endpoint=\"openapi\"}";
    assert_eq!(metric(&metrics, replies), 1.0);
}

#[test]
fn the_list_is_for_socket_files_alone() {
    let folder = tempfile::tempdir().unwrap();
    let we = fs::metadata(folder.path()).unwrap().uid();
    let server = Server::start(&Start {
        allow_uid: vec![we + 1],
        ..Start::default()
    });
    assert_eq!(server.post(ONE, &question("alice")).status, 200);
}
