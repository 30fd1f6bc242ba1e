//! What nobody is ever told: secrets that callers present, right or wrong, and private keys.

use std::{fs, time::Instant};

use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::{
    access::{exchange, sha256},
    certs::House,
};
use crate::{Served, folder};

const TOKEN: &str = "tok-0123456789abcdef0123456789abcdef";
const WRONG: &str = "wrong-0123456789abcdef0123456789ab";
const SECRET: &str = "sec:ret-0123456789abcdef+/%41";
const OPERATOR: &str = "operator-0123456789abcdef01234567";
const IN_THE_FILE: &str = "put-here-by-mistake-0123456789abc";

#[test]
fn secrets_are_in_no_log_metric_page_or_answer() {
    let folder = folder();
    let house = House::new();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let good = format!(
        "[[bearer]]\nname = \"pep\"\nsha256 = \"{}\"\n[[basic]]\nid = \"app\"\nsha256 = \"{}\"\n",
        sha256(TOKEN),
        sha256(SECRET)
    );
    let credentials = file("decisions.toml", &good);
    let admin_credentials = file(
        "admin.toml",
        &format!(
            "[[bearer]]\nname = \"op\"\nsha256 = \"{}\"\n",
            sha256(OPERATOR)
        ),
    );
    let (cert, key) = (house.path("cert.pem"), house.path("key.pem"));
    let mut served = Served::start(
        &folder,
        &[
            "--log-filter",
            "trace",
            "--credentials",
            &credentials,
            "--admin-credentials",
            &admin_credentials,
            "--admin-tls-cert",
            cert.to_str().unwrap(),
            "--admin-tls-key",
            key.to_str().unwrap(),
            "--poll-interval",
            "20ms",
            "--shutdown-grace",
            "10ms",
        ],
    );
    let decisions = served.listening("decisions");
    let admin = served.listening("admin");
    served.logged("watching the sources");
    let client = house.authority.trusted_by_client(None);
    let mut answers = String::new();

    let basic = |id: &str, secret: &str| STANDARD.encode(format!("{id}:{secret}"));
    let (right, wrong) = (basic("app", SECRET), basic("app", WRONG));
    let mut ask = |status: u16, presented: &[String]| {
        let mut request = "GET /v1/status HTTP/1.1".to_owned();
        for value in presented {
            request.push_str(&format!("\r\nAuthorization: {value}"));
        }
        let answer = exchange(&decisions, None, &request).unwrap();
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status}")),
            "{presented:?}: {answer}"
        );
        answers.push_str(&answer);
    };
    ask(404, &[format!("Bearer {TOKEN}")]);
    ask(404, &[format!("Basic {right}")]);
    for wrong in [
        format!("Bearer {WRONG}"),
        format!("Basic {wrong}"),
        format!("Digest {WRONG}"),
        format!("Basic {WRONG}"),
        format!("Bearer {TOKEN} {SECRET}"),
        TOKEN.to_owned(),
    ] {
        ask(401, &[wrong]);
    }
    ask(401, &[format!("Bearer {TOKEN}"), format!("Bearer {WRONG}")]);

    // Break and mend every file; what stands in the wrong place may be a secret as well.
    let operator = |page: &str| {
        let request = format!("GET {page} HTTP/1.1\r\nAuthorization: bearer {OPERATOR}");
        let answer = exchange(&admin, Some(&client), &request).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        answer
    };
    let mut pages = String::new();
    let mut wait_for = |listener: &str, expected: Option<&str>| {
        let started = Instant::now();
        loop {
            let page = operator("/v1/status");
            pages.push_str(&page);
            let (_, body) = page.split_once("\r\n\r\n").unwrap();
            let body: serde_json::Value = serde_json::from_str(body).unwrap();
            let kind = ["credentials", "tls"][usize::from(listener == "admin")];
            let mut lines = body["access"].as_array().unwrap().iter();
            let line = lines.find(|it| it["listener"] == listener && it["kind"] == kind);
            let error = line.unwrap()["error"]["message"].as_str();
            let holds = match (error, expected) {
                (Some(error), Some(expected)) => error.contains(expected),
                (error, expected) => error == expected,
            };
            if holds {
                return;
            }
            assert!(
                started.elapsed().as_secs() < 20,
                "{expected:?} in vain, {error:?}"
            );
        }
    };
    for (bad, expected) in [
        (format!("secret = \"{IN_THE_FILE}\"\n"), "line 1 is not"),
        (
            format!("[[bearer]]\nname = {IN_THE_FILE}\n"),
            "line 2 is not",
        ),
        (
            format!("[[bearer]]\nname = \"pep\"\nsha256 = \"{IN_THE_FILE}\"\n"),
            "64 hexadecimal digits",
        ),
        (format!("{IN_THE_FILE}\n"), "line 1 is not"),
    ] {
        file("decisions.toml", &bad);
        wait_for("decisions", Some(expected));
        file("decisions.toml", &good);
        wait_for("decisions", None);
    }
    let first = fs::read_to_string(&key).unwrap();
    let pair = house.authority.server();
    let half: String = pair.key.chars().take(100).collect();
    let unmarked = pair
        .key
        .replace("-----BEGIN PRIVATE KEY-----\n", "-----BEGIN ");
    for (bad, expected) in [
        (&half, "has no private key"),
        (&unmarked, "has no private key"),
        (&pair.key, "cannot be used together"),
    ] {
        house.write("key.pem", bad);
        wait_for("admin", Some(expected));
        house.write("key.pem", &first);
        wait_for("admin", None);
    }
    house.write("cert.pem", &unmarked);
    wait_for("admin", Some("has no certificate"));
    house.move_in(&pair);
    wait_for("admin", None);
    pages.push_str(&operator("/metrics"));

    served.signal("-TERM");
    served.logged("stopped");
    let log = served.told.join("\n");
    assert!(
        log.contains("refused a caller") && log.contains("TRACE"),
        "no trace"
    );
    let keys = pair.key.lines().chain(first.lines());
    let material: Vec<&str> = keys.filter(|line| !line.starts_with('-')).collect();
    let encoded = [TOKEN, WRONG, SECRET, OPERATOR].map(|it| STANDARD.encode(it));
    let digests = [TOKEN, SECRET, OPERATOR].map(sha256);
    let secret = [TOKEN, WRONG, SECRET, OPERATOR, IN_THE_FILE, &right, &wrong];
    let secret = secret.into_iter().chain(encoded.iter().map(String::as_str));
    let secret = secret.chain(digests.iter().map(String::as_str));
    for secret in secret.chain(material) {
        assert!(secret.len() > 10, "{secret} is no secret");
        for (name, text) in [("log", &log), ("pages", &pages), ("answers", &answers)] {
            assert!(!text.contains(secret), "`{secret}` is in the {name}");
        }
    }
}
