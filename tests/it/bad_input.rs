//! Everything a caller can get wrong, and the whole answer to it: `tests/golden/bad_input.md`.

use std::fmt::Write as _;

use serde_json::Value;

use crate::{
    client::Reply,
    harness::{Server, Start},
};

mod cases;

use cases::{BODIES, CEDAR_MANY, GOOD, HEADS, MANY, ONE};

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
    for (title, line, headers, body) in HEADS {
        let mut connection = server.connect();
        let (lines, length) = (headers.replace("; ", "\r\n"), body.len());
        let text = format!("{line} HTTP/1.1\r\n{lines}\r\nContent-Length: {length}\r\n\r\n{body}");
        connection.write(text.as_bytes());
        let reply = connection.read(line.starts_with("HEAD"));
        write(page, title, line, headers, &reply);
    }
    let mut short = server.connect();
    let line = format!("POST {ONE}");
    let headers = "Host: x\r\nContent-Type: application/json\r\nContent-Length: 9";
    short.write(format!("{line} HTTP/1.1\r\n{headers}\r\n\r\n{{").as_bytes());
    short.finish();
    let reply = short.read(false);
    write(page, "body that ends early", &line, "{", &reply);
}

fn post(server: &Server, path: &str, body: &[u8]) -> Reply {
    server
        .connect()
        .send("POST", path, &[crate::client::JSON], body)
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
