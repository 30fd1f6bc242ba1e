//! Tokens, ids and secrets.

use std::path::PathBuf;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use super::{ONE, error_of, metric, question, status_of};
use crate::{
    certs::House,
    client::{Connection, JSON, Reply},
    harness::{Server, Start, Tls, wait_for},
};

const TOKEN: &str = "6d2f0c1be9a84d7f9f3f0a5f6c1e2b3a";
const OTHER: &str = "f00dfacef00dfacef00dfacef00dface";
const SECRET: &str = "p+w/of=a:client %";
const BEARER: &str = r#"Bearer realm="palisade""#;
const BEARER_WRONG: &str = r#"Bearer realm="palisade", error="invalid_token""#;
const BASIC: &str = r#"Basic realm="palisade", charset="UTF-8""#;

/// Files of credentials for both listeners.
struct Files(TempDir);

impl Files {
    fn new() -> Self {
        let files = Self(tempfile::tempdir().unwrap());
        files.write(
            "decisions.toml",
            &(bearer("pep", TOKEN) + &basic("app", SECRET)),
        );
        files.write("admin.toml", &bearer("operator", OTHER));
        files
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    fn start(&self) -> Start {
        Start {
            credentials: Some(self.0.path().join("decisions.toml")),
            admin_credentials: Some(self.0.path().join("admin.toml")),
            ..Start::default()
        }
    }
}

fn hex(secret: &str) -> String {
    let digest = Sha256::digest(secret);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn bearer(name: &str, secret: &str) -> String {
    format!(
        "[[bearer]]\nname = \"{name}\"\nsha256 = \"{}\"\n",
        hex(secret)
    )
}

fn basic(id: &str, secret: &str) -> String {
    format!("[[basic]]\nid = \"{id}\"\nsha256 = \"{}\"\n", hex(secret))
}

fn with_basic(text: &str) -> String {
    format!("Basic {}", STANDARD.encode(text))
}

fn ask(server: &Server, authorization: &[&str]) -> Reply {
    let mut headers = vec![JSON, ("X-Request-ID", "r-7")];
    headers.extend(authorization.iter().map(|value| ("Authorization", *value)));
    let body = question("alice").to_string();
    let reply = server
        .connect()
        .send("POST", ONE, &headers, body.as_bytes());
    assert_eq!(reply.header("x-request-id"), Some("r-7"));
    reply
}

fn get(connection: &mut Connection, path: &str, token: Option<&str>) -> u16 {
    let value = format!("Bearer {}", token.unwrap_or_default());
    let header = [("Authorization", value.as_str())];
    let headers = if token.is_some() { &header[..] } else { &[] };
    connection.send("GET", path, headers, b"").status
}

#[test]
fn whoever_presents_a_credential_is_answered_and_nobody_else() {
    let files = Files::new();
    let server = Server::start(&files.start());
    let token = format!("Bearer {TOKEN}");
    let lower = format!("bearer {TOKEN}");
    let plain = with_basic(&format!("app:{SECRET}"));
    let encoded = with_basic("app:p%2Bw%2Fof%3Da%3aclient+%25").replace("Basic", "BASIC");
    for good in [&token, &lower, &plain, &encoded] {
        let reply = ask(&server, &[good]);
        assert_eq!(reply.body, r#"{"decision":true}"#, "{good}");
    }
    let wrong = format!("Bearer {OTHER}");
    let of_the_other_kind = format!("Bearer {SECRET}");
    let check = |presented: &[&str], challenges: [&str; 2]| {
        let reply = ask(&server, presented);
        let code = reply.code();
        assert_eq!(
            (reply.status, code.as_str()),
            (401, "unauthorized"),
            "{presented:?}"
        );
        assert_eq!(reply.all("www-authenticate"), challenges, "{presented:?}");
        assert!(!reply.body.contains(OTHER) && !reply.body.contains(TOKEN));
    };
    check(&[], [BEARER, BASIC]);
    check(&[&wrong], [BEARER_WRONG, BASIC]);
    check(&["Bearer hunter2"], [BEARER_WRONG, BASIC]);
    check(&[&of_the_other_kind], [BEARER, BASIC]);
    check(&[&with_basic(&format!("app:{TOKEN}"))], [BEARER, BASIC]);
    check(&[&with_basic(&format!("pep:{SECRET}"))], [BEARER, BASIC]);
    check(&["Basic ???"], [BEARER, BASIC]);
    check(&["Digest x"], [BEARER, BASIC]);
    check(&[""], [BEARER, BASIC]);
    // A proxy in between and we might read different ones.
    check(&[&token, &token], [BEARER, BASIC]);
    check(&[&token, &wrong], [BEARER, BASIC]);
    let metrics = server
        .connect_admin()
        .send("GET", "/metrics", &[("Authorization", &wrong)], b"");
    let rejected = "palisade_http_requests_rejected_total{reason=\"unauthorized\"}";
    assert_eq!(metric(&metrics, rejected), 11.0);
    let replies =
        "palisade_http_request_duration_seconds_count{code=\"401\",endpoint=\"evaluation\"}";
    assert_eq!(metric(&metrics, replies), 11.0);
}

#[test]
fn nothing_is_told_or_read_before_the_credential() {
    let files = Files::new();
    let server = Server::start(&files.start());
    for (method, path) in [("GET", "/nowhere"), ("PUT", ONE), ("POST", "/metrics")] {
        let mut connection = server.connect();
        assert_eq!(
            connection.send(method, path, &[], b"").status,
            401,
            "{path}"
        );
        let right = [("Authorization", &*format!("Bearer {TOKEN}"))];
        let status = connection.send(method, path, &right, b"").status;
        assert!([404, 405].contains(&status), "{path}: {status}");
    }
    // No byte of the body is ever sent, and none is asked for.
    let mut connection = server.connect();
    let head = format!(
        "POST {ONE} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\
         Expect: 100-continue\r\nContent-Length: 100\r\n\r\n"
    );
    connection.write(head.as_bytes());
    assert_eq!(connection.read(false).status, 401);
}

#[test]
fn what_tells_how_to_ask_is_open_and_so_are_the_probes() {
    let files = Files::new();
    let server = Server::start(&files.start());
    let mut connection = server.connect();
    for path in ["/.well-known/authzen-configuration", "/openapi.json"] {
        assert_eq!(get(&mut connection, path, None), 200, "{path}");
        assert_eq!(get(&mut connection, path, Some("wrong")), 200, "{path}");
    }
    let mut admin = server.connect_admin();
    for path in ["/livez", "/readyz"] {
        assert_eq!(get(&mut admin, path, None), 200, "{path}");
    }
    let closed = [
        "/metrics",
        "/v1/status",
        "/v1/policies",
        "/v1/schema",
        "/v1/matrix",
    ];
    for path in closed.into_iter().chain(["/v1/explain", "/", "/nowhere"]) {
        assert_eq!(get(&mut admin, path, None), 401, "{path}");
    }
}

#[test]
fn each_listener_has_credentials_of_its_own() {
    let files = Files::new();
    let server = Server::start(&files.start());
    let mut admin = server.connect_admin();
    assert_eq!(get(&mut admin, "/v1/status", Some(OTHER)), 200);
    assert_eq!(get(&mut admin, "/v1/status", Some(TOKEN)), 401);
    let mut decisions = server.connect();
    assert_eq!(get(&mut decisions, "/nowhere", Some(TOKEN)), 404);
    assert_eq!(get(&mut decisions, "/nowhere", Some(OTHER)), 401);
}

#[test]
fn credentials_change_with_their_file_on_connections_that_stay() {
    let files = Files::new();
    let server = Server::start(&files.start());
    let mut connection = server.connect();
    let mut status = |token| get(&mut connection, "/nowhere", Some(token));
    assert_eq!((status(TOKEN), status(OTHER)), (404, 401));

    // For a while, both are valid.
    files.write(
        "decisions.toml",
        &(bearer("pep", TOKEN) + &bearer("pep", OTHER)),
    );
    wait_for("the new one is taken", || status(OTHER) == 404);
    assert_eq!(status(TOKEN), 404);
    files.write("decisions.toml", &bearer("pep", OTHER));
    wait_for("the old one is not taken any more", || status(TOKEN) == 401);
    assert_eq!(status(OTHER), 404);

    // What cannot be taken changes nothing.
    let error = || error_of(&server, "decisions", "credentials");
    files.write(
        "decisions.toml",
        "[[bearer]]\nname = \"pep\"\nsecret = \"hunter2\"\n",
    );
    wait_for("the bad file is told", || error().is_some());
    assert!(
        !error().unwrap().contains("hunter2"),
        "{error:?}",
        error = error()
    );
    assert_eq!((status(OTHER), status(TOKEN)), (404, 401));
    std::fs::remove_file(files.0.path().join("decisions.toml")).unwrap();
    wait_for("the lost file is told", || {
        error().unwrap().contains("could not read")
    });
    assert_eq!((status(OTHER), status(TOKEN)), (404, 401));

    // Somebody is writing it.
    files.write("decisions.toml", "");
    wait_for("the empty file is told", || {
        error().is_some_and(|why| why.contains("it is empty"))
    });
    assert_eq!((status(OTHER), status(TOKEN)), (404, 401));
    let stale = "palisade_access_stale{kind=\"credentials\",listener=\"decisions\"}";
    let header = format!("Bearer {OTHER}");
    let metrics = || {
        let headers = [("Authorization", header.as_str())];
        server
            .connect_admin()
            .send("GET", "/metrics", &headers, b"")
    };
    assert_eq!(metric(&metrics(), stale), 1.0);

    // A file of nobody is meant.
    files.write("decisions.toml", "# nobody\n");
    wait_for("nobody may ask", || status(OTHER) == 401);
    wait_for("that is told", || error().is_none());
    assert_eq!(metric(&metrics(), stale), 0.0);
    assert_eq!(ask(&server, &[]).all("www-authenticate"), [BEARER]);
    files.write("decisions.toml", &basic("app", SECRET));
    wait_for("it is basic alone now", || {
        ask(&server, &[]).all("www-authenticate") == [BASIC]
    });
}

#[test]
fn status_has_names_and_no_digests() {
    let files = Files::new();
    let server = Server::start(&files.start());
    let header = format!("Bearer {OTHER}");
    let mut admin = server.connect_admin();
    let page = admin.send("GET", "/v1/status", &[("Authorization", &header)], b"");
    let line = status_of(&page, "decisions", "credentials");
    let names = serde_json::json!({"basic": ["app"], "bearer": ["pep"]});
    assert_eq!((&line["in_force"], &line["error"]), (&names, &().into()));
    assert!(!page.body.contains(&hex(TOKEN)) && !page.body.contains(&hex(SECRET)));
}

#[test]
fn a_certificate_and_a_credential_are_both_demanded() {
    let house = House::new();
    let files = Files::new();
    let tls = Tls::mutual(&house);
    let without = house.authority.trusted_by_client(None);
    let server = Server::start(&Start {
        tls: Some(tls),
        ..files.start()
    });
    let token = format!("Bearer {TOKEN}");
    assert_eq!(ask(&server, &[&token]).status, 200);
    assert_eq!(ask(&server, &[]).status, 401);
    let mut uncertified = Connection::tls(&server.address, &without);
    let request =
        format!("GET /openapi.json HTTP/1.1\r\nHost: x\r\nAuthorization: {token}\r\n\r\n");
    uncertified.write(request.as_bytes());
    assert!(uncertified.is_refused());
}
