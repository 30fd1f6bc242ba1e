//! What nobody is ever told: secrets that callers present, right or wrong, and private keys.

use std::{cell::RefCell, fs, sync::Arc, time::Instant};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::Value;
use tempfile::TempDir;
use tokio_rustls::rustls::ClientConfig;

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

/// A service at trace level, with credentials on both listeners and TLS on the second.
struct Scene {
    served: Served,
    folder: TempDir,
    house: House,
    decisions: String,
    admin: String,
    client: Arc<ClientConfig>,
    /// Everything it has answered.
    answers: RefCell<String>,
}

impl Scene {
    fn new() -> Self {
        let folder = folder();
        let house = House::new();
        let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        let operator = format!(
            "[[bearer]]\nname = \"op\"\nsha256 = \"{}\"\n",
            sha256(OPERATOR)
        );
        fs::write(path("decisions.toml"), good()).unwrap();
        fs::write(path("admin.toml"), operator).unwrap();
        let (cert, key) = (house.path("cert.pem"), house.path("key.pem"));
        let files = [
            ["--credentials", &path("decisions.toml")],
            ["--admin-credentials", &path("admin.toml")],
            ["--admin-tls-cert", cert.to_str().unwrap()],
            ["--admin-tls-key", key.to_str().unwrap()],
        ];
        let operation = [
            ["--log-filter", "trace"],
            ["--poll-interval", "20ms"],
            ["--shutdown-grace", "10ms"],
        ];
        let flags = [files.as_flattened(), operation.as_flattened()].concat();
        let mut served = Served::start(&folder, &flags);
        let (decisions, admin) = (served.listening("decisions"), served.listening("admin"));
        served.logged("watching the sources");
        Self {
            client: house.authority.trusted_by_client(None),
            answers: RefCell::default(),
            served,
            folder,
            house,
            decisions,
            admin,
        }
    }

    fn ask(&self, expected: u16, presented: &[String]) {
        let mut request = "GET /v1/status HTTP/1.1".to_owned();
        for value in presented {
            request.push_str(&format!("\r\nAuthorization: {value}"));
        }
        let answer = exchange(&self.decisions, None, &request).unwrap();
        let status = format!("HTTP/1.1 {expected}");
        assert!(answer.starts_with(&status), "{presented:?}: {answer}");
        self.answers.borrow_mut().push_str(&answer);
    }

    fn page(&self, path: &str) -> String {
        let request = format!("GET {path} HTTP/1.1\r\nAuthorization: bearer {OPERATOR}");
        let answer = exchange(&self.admin, Some(&self.client), &request).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        self.answers.borrow_mut().push_str(&answer);
        answer.split_once("\r\n\r\n").unwrap().1.to_owned()
    }

    /// Waits until the status page shows this error, or none.
    fn wait_for(&self, listener: &str, kind: &str, expected: Option<&str>) {
        let started = Instant::now();
        loop {
            let page: Value = serde_json::from_str(&self.page("/v1/status")).unwrap();
            let mut lines = page["access"].as_array().unwrap().iter();
            let line = lines.find(|it| it["listener"] == listener && it["kind"] == kind);
            let error = line.unwrap()["error"]["message"].as_str();
            let holds = match (error, expected) {
                (Some(error), Some(expected)) => error.contains(expected),
                (error, expected) => error == expected,
            };
            if holds {
                return;
            }
            let waited = started.elapsed().as_secs();
            assert!(waited < 20, "{expected:?} in vain, {error:?}");
        }
    }

    fn break_and_mend_credentials(&self) {
        let path = self.folder.path().join("decisions.toml");
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
            (
                good() + &format!("[[bearer]]\nname = \"{IN_THE_FILE}\"\nsha256 = \"app\"\n"),
                "`sha256` of the 2nd `[[bearer]]` is not",
            ),
            (
                good() + &named(&sha256(IN_THE_FILE), "app"),
                "`name` of the 2nd `[[bearer]]` is a secret",
            ),
            (
                good() + &named(IN_THE_FILE, IN_THE_FILE),
                "`name` of the 2nd `[[bearer]]` is a secret",
            ),
            (format!("{IN_THE_FILE}\n"), "line 1 is not"),
        ] {
            fs::write(&path, bad).unwrap();
            self.wait_for("decisions", "credentials", Some(expected));
            fs::write(&path, good()).unwrap();
            self.wait_for("decisions", "credentials", None);
        }
    }

    /// Returns every line of the keys that there were.
    fn break_and_mend_keys(&self) -> Vec<String> {
        let house = &self.house;
        let first = fs::read_to_string(house.path("key.pem")).unwrap();
        let next = house.authority.server();
        let half: String = next.key.chars().take(100).collect();
        let begin = "-----BEGIN PRIVATE KEY-----\n";
        let unmarked = next.key.replace(begin, "-----BEGIN ");
        for (bad, expected) in [
            (&half, "has no private key"),
            (&unmarked, "has no private key"),
            (&next.key, "cannot be used together"),
        ] {
            house.write("key.pem", bad);
            self.wait_for("admin", "tls", Some(expected));
            house.write("key.pem", &first);
            self.wait_for("admin", "tls", None);
        }
        house.write("cert.pem", &unmarked);
        self.wait_for("admin", "tls", Some("has no certificate"));
        house.move_in(&next);
        self.wait_for("admin", "tls", None);
        let lines = first.lines().chain(next.key.lines());
        let secret = lines.filter(|line| !line.starts_with('-'));
        secret.map(ToOwned::to_owned).collect()
    }
}

fn good() -> String {
    let (token, secret) = (sha256(TOKEN), sha256(SECRET));
    format!(
        "[[bearer]]\nname = \"pep\"\nsha256 = \"{token}\"\n\
         [[basic]]\nid = \"app\"\nsha256 = \"{secret}\"\n"
    )
}

fn named(name: &str, secret: &str) -> String {
    let sha256 = sha256(secret);
    format!("[[bearer]]\nname = \"{name}\"\nsha256 = \"{sha256}\"\n")
}

#[test]
fn secrets_are_in_no_log_metric_page_or_answer() {
    let mut scene = Scene::new();
    let basic = |secret: &str| STANDARD.encode(format!("app:{secret}"));
    let (right, wrong) = (basic(SECRET), basic(WRONG));
    scene.ask(404, &[format!("Bearer {TOKEN}")]);
    scene.ask(404, &[format!("Basic {right}")]);
    for wrong in [
        format!("Bearer {WRONG}"),
        format!("Basic {wrong}"),
        format!("Digest {WRONG}"),
        format!("Basic {WRONG}"),
        format!("Bearer {TOKEN} {SECRET}"),
        TOKEN.to_owned(),
    ] {
        scene.ask(401, &[wrong]);
    }
    let twice = [TOKEN, WRONG].map(|it| format!("Bearer {it}"));
    scene.ask(401, &twice);
    scene.break_and_mend_credentials();
    let mut secrets = scene.break_and_mend_keys();
    scene.page("/metrics");
    scene.served.signal("-TERM");
    scene.served.logged("stopped");

    secrets.extend([right, wrong]);
    for secret in [TOKEN, WRONG, SECRET, OPERATOR, IN_THE_FILE] {
        secrets.extend([secret.to_owned(), STANDARD.encode(secret), sha256(secret)]);
    }
    let log = scene.served.told.join("\n");
    let answers = scene.answers.into_inner();
    for shown in ["refused a caller", "refused the tls", "TRACE"] {
        assert!(log.contains(shown), "no `{shown}` in the log");
    }
    for secret in secrets {
        assert!(secret.len() > 10, "`{secret}` is no secret");
        assert!(!log.contains(&secret), "`{secret}` is in the log");
        assert!(!answers.contains(&secret), "`{secret}` is in an answer");
    }
}
