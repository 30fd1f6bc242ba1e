//! What is said in the log about decisions, and what never is.

use std::{
    io,
    sync::{Mutex, Once, PoisonError},
};

use palisade::authz::{SourceFile, Sources};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tracing_subscriber::fmt::MakeWriter;

use crate::{
    client::{JSON, Reply},
    harness::{Server, Start},
};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const SPAN: &str = "00f067aa0ba902b7";

static LINES: Mutex<Vec<u8>> = Mutex::new(Vec::new());

/// Writes to `LINES`.
struct Log;

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut lines = LINES.lock().unwrap_or_else(PoisonError::into_inner);
        lines.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        Self
    }
}

/// Listens at the level that is on by default.
fn listen() {
    static LISTENING: Once = Once::new();
    LISTENING.call_once(|| {
        tracing_subscriber::fmt()
            .json()
            .with_max_level(tracing::Level::INFO)
            .with_writer(Log)
            .init();
    });
}

/// The lines about a request, by the id it was sent with.
fn lines(request_id: &str) -> Vec<Value> {
    let lines = LINES.lock().unwrap_or_else(PoisonError::into_inner);
    let text = String::from_utf8_lossy(&lines);
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .filter(|line: &Value| line["span"]["request_id"] == request_id)
        .collect()
}

fn served(policies: &str, schema: Option<&str>) -> Server {
    listen();
    let file = |name: &str, text: &str| SourceFile {
        name: name.to_owned(),
        bytes: text.as_bytes().to_vec(),
    };
    Server::start(&Start {
        sources: Sources {
            policies: vec![file("p.cedar", policies)],
            schema: schema.map(|text| file("s.cedarschema", text)),
            ..Sources::default()
        },
        ..Start::default()
    })
}

fn post(server: &Server, path: &str, request_id: &str, body: &Value) -> Reply {
    let traceparent = format!("00-{TRACE}-{SPAN}-01");
    let headers = [
        JSON,
        ("X-Request-ID", request_id),
        ("traceparent", traceparent.as_str()),
    ];
    let body = body.to_string();
    server
        .connect()
        .send("POST", path, &headers, body.as_bytes())
}

fn question() -> Value {
    json!({
        "subject": {"type": "user", "id": "alice", "properties": {"card": "s3cret-attribute"}},
        "action": {"name": "read"},
        "resource": {"type": "record", "id": "1"},
        "context": {"note": "s3cret-context"},
    })
}

#[test]
fn policies_that_cannot_be_evaluated_are_named_and_values_are_not() {
    let server = served(
        r#"@id("broken") forbid (principal, action, resource) when { principal.card + 1 == 2 };
           @id("odd") permit (principal, action, resource) when { context.note > 1 };"#,
        None,
    );
    let reply = post(&server, "/access/v1/evaluation", "erring", &question());
    assert_eq!(reply.body, r#"{"decision":false}"#);
    let lines = lines("erring");
    assert_eq!(lines.len(), 1, "{lines:?}");
    let line = &lines[0];
    assert_eq!(line["level"], "WARN");
    assert_eq!(line["fields"]["policies"], r#"["broken", "odd"]"#);
    assert_eq!(line["fields"]["outcome"], "error");
    assert_eq!(line["fields"]["suppressed"], 0);
    assert_eq!(line["span"]["trace_id"], TRACE);
    assert_eq!(line["span"]["span_id"], SPAN);
    assert!(!line.to_string().contains("s3cret"), "{line}");
}

#[test]
fn a_question_about_what_is_not_stored_is_told_with_the_reason() {
    let schema = r#"@held("stored") entity user; entity record;
        action read appliesTo { principal: user, resource: record };"#;
    let server = served("permit (principal, action, resource);", Some(schema));
    post(&server, "/access/v1/evaluation", "unstored", &question());
    let lines = lines("unstored");
    assert_eq!(lines.len(), 1, "{lines:?}");
    let fields = &lines[0]["fields"];
    assert_eq!(lines[0]["level"], "INFO");
    assert_eq!(
        fields["reason"],
        "`user::\"alice\"` is not stored, and only the store speaks for its type: denied"
    );
    assert!(!lines[0].to_string().contains("s3cret"), "{}", lines[0]);
}

#[test]
fn a_reason_stays_on_its_line_whatever_the_caller_sends() {
    let server = served("permit (principal, action, resource);", None);
    let mut body = question();
    body["subject"]["type"] = format!("x\n2026 WARN forged {}", "x".repeat(9000)).into();
    post(&server, "/access/v1/evaluation", "forged", &body);
    let lines = lines("forged");
    let reason = lines[0]["fields"]["reason"].as_str().unwrap();
    assert!(reason.starts_with("`subject`: `x 2026 WARN"), "{reason}");
    assert!(reason.len() <= 300, "{reason}");
}

#[test]
fn a_caller_that_is_turned_away_is_told_and_what_it_presents_is_not() {
    listen();
    let token = "s3cret-0123456789abcdef";
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("c.toml");
    let digest = Sha256::digest(token);
    let sha256: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    let entry = format!("[[bearer]]\nname = \"pep\"\nsha256 = \"{sha256}\"\n");
    std::fs::write(&file, entry).unwrap();
    let server = Server::start(&Start {
        credentials: Some(file),
        ..Start::default()
    });
    let ask = |id: &str, token: &str| {
        let token = format!("Bearer {token}");
        let headers = [JSON, ("X-Request-ID", id), ("Authorization", &token)];
        let body = json!({"subject": {"type": "x\ny", "id": ""}, "action": {"name": ""},
            "resource": {"type": "", "id": ""}});
        let body = body.to_string();
        let path = "/access/v1/evaluation";
        server
            .connect()
            .send("POST", path, &headers, body.as_bytes())
            .status
    };
    assert_eq!(ask("turned-away", &format!("{token}-wrong")), 401);
    let line = &lines("turned-away")[0];
    assert_eq!(line["level"], "WARN");
    assert_eq!(line["fields"]["reason"], "the credentials are not valid");
    assert_eq!(line["span"]["caller"], Value::Null);
    assert!(!line.to_string().contains("s3cret"), "{line}");
    // Whoever is let in is named in the lines about its request.
    assert_eq!(ask("let-in", token), 200);
    let line = &lines("let-in")[0];
    assert_eq!(line["span"]["caller"], "pep");
    assert!(!line.to_string().contains("s3cret"), "{line}");
}

#[test]
fn a_flood_is_not_written_out() {
    let server = served(
        "forbid (principal, action, resource) when { principal.card + 1 == 2 };",
        None,
    );
    let body = json!({"evaluations": vec![question(); 3000]});
    let reply = post(&server, "/access/v1/evaluations", "flood", &body);
    assert_eq!(reply.status, 200);
    let count = lines("flood").len();
    assert!((10..1000).contains(&count), "{count} lines");
}
