//! Everything a caller can get wrong, and the whole answer to it: `tests/golden/bad_input.md`.

use std::fmt::Write as _;

use serde_json::Value;

use crate::harness::{Reply, Server, Start};

const ONE: &str = "/access/v1/evaluation";
const MANY: &str = "/access/v1/evaluations";
const CEDAR: &str = "/v1/is_authorized";
const CEDAR_MANY: &str = "/v1/batch_is_authorized";

const GOOD: &str = r#"{"subject":{"type":"user","id":"alice"},"action":{"name":"read"},"resource":{"type":"record","id":"record-1"}}"#;
const CEDAR_GOOD: &str = r#"{"principal":"user::\"alice\"","action":"Action::\"read\"","resource":"record::\"record-1\""}"#;

/// A title, a path and a body to post as JSON.
const BODIES: &[(&str, &str, &str)] = &[
    ("empty body", ONE, ""),
    ("only white space", ONE, " \n"),
    ("malformed", ONE, r#"{"subject":"#),
    ("text after the end", ONE, "{} {}"),
    ("trailing comma", ONE, r#"{"subject":{},}"#),
    ("single quotes", ONE, "{'subject':1}"),
    ("no number", ONE, r#"{"subject":NaN}"#),
    ("number out of range", ONE, r#"{"context":{"n":1e999}}"#),
    ("lone surrogate", ONE, r#"{"subject":"\ud800"}"#),
    ("raw control character", ONE, "{\"subject\":\"a\u{1}b\"}"),
    ("byte order mark", ONE, "\u{feff}{}"),
    (
        "duplicate key",
        ONE,
        r#"{"action":{"name":"read"},"action":{"name":"write"}}"#,
    ),
    (
        "duplicate key, escaped",
        ONE,
        r#"{"action":{"name":"read","n\u0061me":"write"}}"#,
    ),
    ("top-level array", ONE, "[]"),
    ("top-level string", ONE, r#""subject""#),
    ("top-level null", ONE, "null"),
    ("empty object", ONE, "{}"),
    (
        "missing action",
        ONE,
        r#"{"subject":{"type":"user","id":"a"},"resource":{"type":"record","id":"r"}}"#,
    ),
    (
        "missing resource",
        ONE,
        r#"{"subject":{"type":"user","id":"a"},"action":{"name":"read"}}"#,
    ),
    (
        "null subject",
        ONE,
        r#"{"subject":null,"action":{"name":"read"},"resource":{"type":"record","id":"r"}}"#,
    ),
    ("subject is a string", ONE, r#"{"subject":"alice"}"#),
    ("subject without type", ONE, r#"{"subject":{"id":"alice"}}"#),
    ("subject without id", ONE, r#"{"subject":{"type":"user"}}"#),
    ("null id", ONE, r#"{"subject":{"type":"user","id":null}}"#),
    (
        "id is a number",
        ONE,
        r#"{"subject":{"type":"user","id":7}}"#,
    ),
    (
        "properties are an array",
        ONE,
        r#"{"subject":{"type":"user","id":"a","properties":[]}}"#,
    ),
    (
        "action without name",
        ONE,
        r#"{"subject":{"type":"user","id":"a"},"action":{}}"#,
    ),
    (
        "action name is a number",
        ONE,
        r#"{"subject":{"type":"user","id":"a"},"action":{"name":123}}"#,
    ),
    (
        "context is a string",
        ONE,
        r#"{"subject":{"type":"user","id":"alice"},"action":{"name":"read"},"resource":{"type":"record","id":"record-1"},"context":"now"}"#,
    ),
    (
        "unknown fields are ignored",
        ONE,
        r#"{"subject":{"type":"user","id":"alice","x":1},"action":{"name":"read","x":1},"resource":{"type":"record","id":"record-1","x":1},"x":{"y":[]}}"#,
    ),
    (
        "unknown entity type",
        ONE,
        r#"{"subject":{"type":"http:route","id":"/"},"action":{"name":"read"},"resource":{"type":"","id":""}}"#,
    ),
    (
        "unknown action",
        ONE,
        r#"{"subject":{"type":"user","id":"alice"},"action":{"name":""},"resource":{"type":"record","id":"record-1"}}"#,
    ),
    (
        "property of the wrong type",
        ONE,
        r#"{"subject":{"type":"user","id":"alice"},"action":{"name":"write"},"resource":{"type":"record","id":"record-1","properties":{"status":5}}}"#,
    ),
    (
        "batch: evaluations is an object",
        MANY,
        r#"{"evaluations":{}}"#,
    ),
    (
        "batch: options is an array",
        MANY,
        r#"{"options":[],"evaluations":[{}]}"#,
    ),
    (
        "batch: semantic is a number",
        MANY,
        r#"{"options":{"evaluations_semantic":1},"evaluations":[{}]}"#,
    ),
    (
        "batch: unknown semantic",
        MANY,
        r#"{"options":{"evaluations_semantic":"any"},"evaluations":[{}]}"#,
    ),
    (
        "batch: default is a string",
        MANY,
        r#"{"subject":"alice","evaluations":[{}]}"#,
    ),
    (
        "batch: default context is an array",
        MANY,
        r#"{"context":[],"evaluations":[{}]}"#,
    ),
    (
        "batch: no items and no question",
        MANY,
        r#"{"evaluations":[]}"#,
    ),
    (
        "batch: bad items",
        MANY,
        r#"{"action":{"name":"read"},"resource":{"type":"record"},"evaluations":[null,[],{},{"subject":{"type":"user","id":"alice"}},{"subject":"alice"},{"subject":{"type":"user","id":1}},{"subject":{"type":"user","id":"alice"},"resource":{"type":"record","id":"record-1"},"context":1}]}"#,
    ),
    ("cedar: empty object", CEDAR, "{}"),
    (
        "cedar: missing resource",
        CEDAR,
        r#"{"principal":"user::\"a\"","action":"Action::\"read\""}"#,
    ),
    (
        "cedar: principal is a number",
        CEDAR,
        r#"{"principal":5,"action":"Action::\"read\"","resource":"record::\"r\""}"#,
    ),
    (
        "cedar: principal is no uid",
        CEDAR,
        r#"{"principal":"alice","action":"Action::\"read\"","resource":"record::\"r\""}"#,
    ),
    (
        "cedar: unknown type",
        CEDAR,
        r#"{"principal":"ghost::\"a\"","action":"Action::\"read\"","resource":"record::\"r\""}"#,
    ),
    (
        "cedar: unknown action",
        CEDAR,
        r#"{"principal":"user::\"a\"","action":"Action::\"fly\"","resource":"record::\"r\""}"#,
    ),
    (
        "cedar: context is a string",
        CEDAR,
        r#"{"principal":"user::\"a\"","action":"Action::\"read\"","resource":"record::\"r\"","context":"x"}"#,
    ),
    (
        "cedar: undeclared context key",
        CEDAR,
        r#"{"principal":"user::\"a\"","action":"Action::\"read\"","resource":"record::\"r\"","context":{"x":1}}"#,
    ),
    (
        "cedar: entities is an object",
        CEDAR,
        r#"{"principal":"user::\"a\"","action":"Action::\"read\"","resource":"record::\"r\"","entities":{}}"#,
    ),
    (
        "cedar: entity without uid",
        CEDAR,
        r#"{"principal":"user::\"a\"","action":"Action::\"read\"","resource":"record::\"r\"","entities":[{}]}"#,
    ),
    (
        "cedar: undeclared attribute",
        CEDAR,
        r#"{"principal":"user::\"a\"","action":"Action::\"read\"","resource":"record::\"r\"","additional_entities":[{"uid":{"type":"user","id":"a"},"attrs":{"x":1},"parents":[]}]}"#,
    ),
    (
        "cedar: stored uid with other content",
        CEDAR,
        r#"{"principal":"user::\"a\"","action":"Action::\"read\"","resource":"record::\"r\"","additional_entities":[{"uid":{"type":"user","id":"bob"},"attrs":{},"parents":[]}]}"#,
    ),
    ("cedar batch: missing requests", CEDAR_MANY, "{}"),
    (
        "cedar batch: requests is an object",
        CEDAR_MANY,
        r#"{"requests":{}}"#,
    ),
    (
        "cedar batch: a request is null",
        CEDAR_MANY,
        r#"{"requests":[null]}"#,
    ),
    (
        "cedar batch: a request is incomplete",
        CEDAR_MANY,
        r#"{"requests":[{"principal":"user::\"a\""}]}"#,
    ),
];

#[test]
fn bad_input_is_answered_as_written_down() {
    let server = Server::start(&Start::default());
    let mut page = String::from("# Bad input and what is answered\n");
    for (title, path, body) in BODIES {
        let reply = post(&server, path, body.as_bytes());
        write(&mut page, title, &format!("POST {path}"), body, &reply);
    }
    generated(&server, &mut page);
    requests(&server, &mut page);
    compare("bad_input.md", &page);
}

#[test]
fn every_code_of_the_page_is_in_the_contract() {
    let server = Server::start(&Start::default());
    let contract = server.get("/openapi.json").json();
    let codes = &contract["components"]["schemas"]["Error"];
    let codes = &codes["properties"]["error"]["properties"]["code"]["enum"];
    let page = std::fs::read_to_string(path("bad_input.md")).unwrap();
    let mut count = 0;
    for line in page.lines().filter(|line| line.starts_with(r#"{"error""#)) {
        let error: Value = serde_json::from_str(line).unwrap();
        let code = &error["error"]["code"];
        assert!(codes.as_array().unwrap().contains(code), "{code}");
        count += 1;
    }
    assert!(count > 50, "{count}");
}

/// Bodies that are too long to write down.
fn generated(server: &Server, page: &mut String) {
    let nested = |depth: usize| {
        let (open, close) = ("[".repeat(depth), "]".repeat(depth));
        GOOD.replacen('{', &format!(r#"{{"x":{open}{close},"#), 1)
    };
    let objects = r#"{"x":"#.repeat(100_000);
    let items = format!(r#"{{"evaluations":[{}]}}"#, vec!["{}"; 5001].join(","));
    let requests = format!(r#"{{"requests":[{}]}}"#, vec!["{}"; 5001].join(","));
    let long = " ".repeat((1 << 20) + 1);
    let cases = [
        ("nested 64 deep", ONE, nested(63)),
        ("nested 65 deep", ONE, nested(64)),
        ("nested 100,000 deep", ONE, objects),
        ("batch: 5,001 items", MANY, items),
        ("cedar batch: 5,001 requests", CEDAR_MANY, requests),
        ("a byte over 1 MiB", ONE, long),
    ];
    for (title, path, body) in cases {
        let reply = post(server, path, body.as_bytes());
        write(page, title, &format!("POST {path}"), "(generated)", &reply);
    }
    let reply = post(server, ONE, b"{\"subject\":\"\xff\"}");
    write(
        page,
        "invalid UTF-8",
        &format!("POST {ONE}"),
        "(generated)",
        &reply,
    );
}

/// Requests that are wrong before their body is looked at.
fn requests(server: &Server, page: &mut String) {
    let length = GOOD.len();
    let json = "Content-Type: application/json\r\n";
    let cases = [
        (
            "no content type",
            format!("POST {ONE}"),
            "Host: x\r\n".to_owned(),
            GOOD,
        ),
        (
            "text",
            format!("POST {ONE}"),
            "Host: x\r\nContent-Type: text/plain\r\n".to_owned(),
            GOOD,
        ),
        (
            "JSON of another kind",
            format!("POST {ONE}"),
            "Host: x\r\nContent-Type: application/jsonp\r\n".to_owned(),
            GOOD,
        ),
        (
            "form",
            format!("POST {CEDAR}"),
            "Host: x\r\nContent-Type: application/x-www-form-urlencoded\r\n".to_owned(),
            CEDAR_GOOD,
        ),
        (
            "GET where POST is wanted",
            format!("GET {ONE}"),
            format!("Host: x\r\n{json}"),
            GOOD,
        ),
        (
            "PUT where POST is wanted",
            format!("PUT {MANY}"),
            format!("Host: x\r\n{json}"),
            GOOD,
        ),
        (
            "HEAD where POST is wanted",
            format!("HEAD {CEDAR}"),
            "Host: x\r\n".to_owned(),
            "",
        ),
        (
            "OPTIONS where POST is wanted",
            format!("OPTIONS {CEDAR_MANY}"),
            "Host: x\r\n".to_owned(),
            "",
        ),
        (
            "POST where GET is wanted",
            "POST /openapi.json".to_owned(),
            format!("Host: x\r\n{json}"),
            "{}",
        ),
        (
            "unknown method",
            format!("BREW {ONE}"),
            "Host: x\r\n".to_owned(),
            "",
        ),
        (
            "unknown path",
            "POST /access/v2/evaluation".to_owned(),
            format!("Host: x\r\n{json}"),
            GOOD,
        ),
        (
            "slash at the end",
            format!("POST {ONE}/"),
            format!("Host: x\r\n{json}"),
            GOOD,
        ),
        (
            "other case",
            "POST /Access/v1/evaluation".to_owned(),
            format!("Host: x\r\n{json}"),
            GOOD,
        ),
        ("star", "OPTIONS *".to_owned(), "Host: x\r\n".to_owned(), ""),
        ("no Host", format!("POST {ONE}"), json.to_owned(), GOOD),
        (
            "two Hosts",
            format!("POST {ONE}"),
            format!("Host: x\r\nHost: x\r\n{json}"),
            GOOD,
        ),
        (
            "Host that is no host",
            "GET /.well-known/authzen-configuration".to_owned(),
            "Host: a b\r\n".to_owned(),
            "",
        ),
        (
            "tenant that is not ours",
            "GET /.well-known/authzen-configuration/other".to_owned(),
            "Host: x\r\n".to_owned(),
            "",
        ),
        (
            "query strings are ignored",
            format!("POST {ONE}?x=y"),
            format!("Host: x\r\n{json}"),
            GOOD,
        ),
    ];
    for (title, line, headers, body) in cases {
        let mut connection = server.connect();
        let length = if body.is_empty() { 0 } else { body.len() };
        let text = format!("{line} HTTP/1.1\r\n{headers}Content-Length: {length}\r\n\r\n{body}");
        connection.write(text.as_bytes());
        let reply = connection.read(line.starts_with("HEAD"));
        let shown = headers.replace("\r\n", "; ");
        write(page, title, &line, shown.trim_end_matches("; "), &reply);
    }
    let mut short = server.connect();
    let head =
        format!("POST {ONE} HTTP/1.1\r\nHost: x\r\n{json}Content-Length: {length}\r\n\r\n{{");
    short.write(head.as_bytes());
    short.finish();
    write(
        page,
        "body that ends early",
        &format!("POST {ONE}"),
        "{",
        &short.read(false),
    );
}

fn post(server: &Server, path: &str, body: &[u8]) -> Reply {
    server
        .connect()
        .send("POST", path, &[crate::harness::JSON], body)
}

fn write(page: &mut String, title: &str, line: &str, sent: &str, reply: &Reply) {
    let mut headers = String::new();
    for name in ["allow", "connection", "retry-after"] {
        if let Some(value) = reply.header(name) {
            write!(headers, "; {name}: {value}").unwrap();
        }
    }
    let Reply { status, body, .. } = reply;
    let mut shown = String::new();
    for char in sent.chars() {
        // What an editor would hide or break the line at.
        match char {
            '\u{feff}' | '\0'..='\x1f' => write!(shown, "{}", char.escape_unicode()).unwrap(),
            char => shown.push(char),
        }
    }
    write!(
        page,
        "\n## {title}\n\n```\n{line}\n{shown}\n```\n{status}{headers}\n```\n{body}\n```\n"
    )
    .unwrap();
}

fn path(name: &str) -> String {
    format!("{}/tests/golden/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// Compares with the golden file; with `UPDATE` set, rewrites it.
#[track_caller]
fn compare(name: &str, got: &str) {
    let path = path(name);
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, got).unwrap();
        return;
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    for (got, expected) in got.split("\n## ").zip(expected.split("\n## ")) {
        assert_eq!(got, expected, "UPDATE=1 rewrites {name}");
    }
    assert_eq!(got.len(), expected.len(), "UPDATE=1 rewrites {name}");
}
