//! The binary as operators run it: exit codes, what goes to which stream, and a life from load to
//! drain.

#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot go on fails"
)]

use std::{
    fs,
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Output, Stdio},
    sync::mpsc::{self, Receiver},
    thread,
    time::Duration,
};

use tempfile::TempDir;

mod cli {
    #[cfg(test)]
    mod access;
    #[cfg(test)]
    #[path = "../it/certs.rs"]
    mod certs;
    #[cfg(test)]
    mod decide;
    #[cfg(test)]
    mod diff;
    #[cfg(test)]
    mod secrets;
}

/// Longest wait for a line of log.
const PATIENCE: Duration = Duration::from_secs(30);

const POLICY: &str = "permit (principal == U::\"ann\", action, resource);\n";

fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("p")).unwrap();
    fs::write(folder.path().join("p/a.cedar"), POLICY).unwrap();
    folder
}

fn palisade(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_palisade"));
    command.current_dir(folder).args(args);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("PALISADE_") {
            command.env_remove(name);
        }
    }
    command
}

fn run(folder: &TempDir, args: &[&str]) -> (i32, String, String) {
    told(&palisade(folder.path(), args).output().unwrap())
}

fn told(output: &Output) -> (i32, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let code = output.status.code().unwrap();
    (code, text(&output.stdout), text(&output.stderr))
}

#[test]
fn check_accepts_refuses_and_says_where() {
    let folder = folder();
    let (code, out, err) = run(&folder, &["check", "--policies", "p"]);
    assert_eq!((code, err.as_str()), (0, ""));
    assert!(out.starts_with("accepted: 1 policies, 0 entities"), "{out}");

    fs::write(folder.path().join("p/b.cedar"), "permit (\n").unwrap();
    let (code, out, err) = run(&folder, &["check", "--policies", "p"]);
    assert_eq!((code, out.as_str()), (3, ""));
    assert!(err.contains("--> p/b.cedar:"), "{err}");

    let (code, out, _) = run(&folder, &["check", "--policies", "p", "--format", "json"]);
    let told: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &told["accepted"]), (3, &false.into()));
    assert_eq!(told["findings"][0]["file"], "p/b.cedar");
}

#[test]
fn check_holds_routes_against_the_schema() {
    let folder = folder();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    let schema = "entity U, D; action view appliesTo {principal: U, resource: D};";
    write("s.cedarschema", schema);
    write("all.cedar", "permit (principal, action, resource);");
    let route = |action: &str, kind: &str| {
        format!(
            "[headers]\nuser = \"X-User\"\n[principal]\ntype = \"U\"\nid = \"{{user}}\"\n[[route]]\n\
             methods = [\"GET\"]\npath = \"/{{id}}\"\naction = \"{action}\"\n\
             resource = {{type = \"{kind}\", id = \"{{id}}\"}}\n"
        )
    };
    let sources = [
        "check",
        "--policies",
        "all.cedar",
        "--schema",
        "s.cedarschema",
    ];
    let check = |more: &[&str]| {
        let routes = ["--gateway", "routes.toml"];
        run(&folder, &[&sources[..], &routes, more].concat())
    };
    let (code, _, err) = check(&[]);
    assert_eq!(code, 3);
    assert!(err.contains("routes.toml"), "{err}");
    write("routes.toml", &route("view", "D"));
    let (code, _, err) = check(&["--deny-warnings"]);
    assert_eq!((code, err.as_str()), (0, ""));
    for (action, kind, said) in [
        ("vieww", "D", "the schema has no action `vieww`"),
        ("view", "E", "the schema has no type `E`"),
        ("view", "U", "`view` does not apply to a `U` and a `U`"),
    ] {
        write("routes.toml", &route(action, kind));
        let (code, out, err) = check(&[]);
        assert_eq!(code, 0);
        assert!(out.contains("1 warnings"), "{out}");
        assert!(err.contains(said), "{err}");
        assert!(err.contains("--> routes.toml:8:"), "{err}");
        assert_eq!(check(&["--deny-warnings"]).0, 3);
    }
    write("routes.toml", "[principal]\n");
    let (code, _, err) = check(&[]);
    assert_eq!(code, 3);
    assert!(err.contains("line 1:"), "{err}");
}

#[test]
fn decide_exits_with_the_decision() {
    let folder = folder();
    let decide = |who: &str, more: &[&str]| {
        let mut args = vec!["decide", "--policies", "p", "--principal", who];
        args.extend(["--action", "view", "--resource", "U::\"doc\""]);
        args.extend(more);
        run(&folder, &args)
    };
    let (code, out, _) = decide("U::\"ann\"", &[]);
    let told: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &told["outcome"]), (0, &"permitted".into()));
    assert_eq!(told["policies"], serde_json::json!(["policy0"]));
    let (code, out, _) = decide("U::\"bob\"", &["--quiet"]);
    assert_eq!((code, out.as_str()), (1, ""));
    let (code, _, err) = decide("bob", &[]);
    assert_eq!(code, 2);
    assert!(err.contains("`bob` is not of the form"), "{err}");

    let query = r#"{"subject":{"type":"U","id":"ann"},"action":{"name":"view"},
        "resource":{"type":"U","id":"x"}}"#;
    fs::write(folder.path().join("q.json"), query).unwrap();
    let (code, ..) = run(&folder, &["decide", "q.json", "--policies", "p"]);
    assert_eq!(code, 0);
}

#[test]
fn what_makes_no_sense_is_a_usage_error() {
    let folder = folder();
    for args in [
        &["serve", "--policies", "p", "--listen", "0.0.0.0:0"][..],
        &["serve", "--policies", "p", "--listen", "8180"],
        &["serve", "--policies", "p", "--public-url", "x"],
        &["serve", "--policies", "p", "--tls-cert", "c"],
        &["serve", "--policies", "p", "--admin-tls-client-ca", "c"],
        &["serve", "--policies", "p", "--credentials", "missing.toml"],
        &["serve", "--policies", "p", "--socket-mode", "rw"],
        &["serve", "--policies", "p", "--allow-uid", "root"],
        &["serve", "--policies", "p", "--allow-uid", "1000"],
        &["serve", "--policies", "p", "--admin-socket-mode", "0600"],
        &["serve", "--policies", "p", "--log-filter", "a=b=c"],
        &["serve", "--config", "missing.toml"],
        &["serve", "--no-such-flag"],
        &["check"],
        &["nothing"],
    ] {
        let (code, out, err) = run(&folder, args);
        assert_eq!((code, out.as_str()), (2, ""), "{args:?}: {err}");
        assert!(!err.is_empty(), "{args:?}");
    }
    let (code, out, _) = run(&folder, &["--help"]);
    assert_eq!(code, 0);
    assert!(out.contains("Exit codes:"), "{out}");
}

#[test]
fn a_flag_wins_over_a_variable_and_a_variable_over_the_file() {
    let folder = folder();
    let config = "policies = [\"from-file\"]\n";
    fs::write(folder.path().join("c.toml"), config).unwrap();
    let check = |variable: Option<&str>, flags: &[&str], expected: &str| {
        let mut command = palisade(folder.path(), &["check", "--config", "c.toml"]);
        command.args(flags);
        if let Some(value) = variable {
            command.env("PALISADE_POLICIES", value);
        }
        let (_, out, err) = told(&command.output().unwrap());
        assert!(
            err.contains(expected) || out.contains(expected),
            "{err}{out}"
        );
    };
    check(None, &[], "--> from-file");
    check(Some("from-variable"), &[], "--> from-variable");
    check(Some("from-variable"), &["--policies", "p"], "accepted");
    check(Some("p,from-variable"), &[], "--> from-variable");
}

#[test]
fn sources_that_are_refused_are_not_served() {
    let folder = folder();
    fs::write(folder.path().join("p/b.cedar"), "permit (\n").unwrap();
    let args = ["serve", "--policies", "p", "--listen", "127.0.0.1:0"];
    let (code, _, err) = run(
        &folder,
        &[&args[..], &["--admin-listen", "127.0.0.1:0"]].concat(),
    );
    assert_eq!(code, 3, "{err}");
    assert!(err.contains("--> p/b.cedar:"), "{err}");
    assert!(!err.contains("listening"), "{err}");
}

#[test]
fn what_fails_its_canaries_is_refused_by_check_and_not_served() {
    let folder = folder();
    let canaries = |decision: &str| {
        let text = format!(
            r#"[{{"request": {{"principal": "U::\"bob\"", "action": "Action::\"view\"", "resource": "U::\"doc\"",
                "context": {{}}}}, "decision": "{decision}", "reason": [], "num_errors": 0}}]"#
        );
        fs::create_dir_all(folder.path().join("p/tests")).unwrap();
        fs::write(folder.path().join("p/tests/a.json"), text).unwrap();
    };
    canaries("deny");
    let check = |more: &[&str]| run(&folder, &[&["check", "--policies", "p"], more].concat());
    let (code, out, err) = check(&[]);
    assert_eq!((code, err.as_str()), (0, ""));
    assert!(out.contains("1 canaries"), "{out}");
    canaries("allow");
    let (code, out, err) = check(&[]);
    assert_eq!((code, out.as_str()), (3, ""));
    assert!(err.contains("canary 1: expected allow, got deny"), "{err}");
    assert!(err.contains("--> p/tests/a.json:2:"), "{err}");
    let (_, out, _) = check(&["--format", "json"]);
    let told: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(told["findings"][0]["kind"], "canary");

    let (code, _, err) = run(&folder, &["serve", "--policies", "p"]);
    assert_eq!(code, 3, "{err}");
    assert!(err.contains("canary 1: expected allow"), "{err}");
    assert!(!err.contains("listening"), "{err}");
    let mut served = Served::start(&folder, &["--canary=warn"]);
    let line = served.logged("published revision");
    assert_eq!(line["level"], "WARN");
    let said = "in spite of 1 warnings: p/tests/a.json:2:";
    assert!(line["message"].as_str().unwrap().contains(said), "{line}");
    served.listening("admin");
}

/// A running `serve` that is killed if a test fails.
struct Served {
    child: Child,
    lines: Receiver<String>,
    /// Every line that was read so far.
    told: Vec<String>,
}

impl Served {
    /// At ports that the system chooses.
    fn start(folder: &TempDir, args: &[&str]) -> Self {
        let listen = ["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"];
        Self::start_at(folder, &[&listen[..], args].concat())
    }

    fn start_at(folder: &TempDir, args: &[&str]) -> Self {
        let mut command = palisade(folder.path(), &["serve", "--policies", "p"]);
        command.args(["--log-format", "json"]).args(args);
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let (send, lines) = mpsc::channel();
        // Somebody has to read all the time, or the service waits to be read.
        thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                let _ = send.send(line);
            }
        });
        Self {
            child,
            lines,
            told: Vec::new(),
        }
    }

    /// Reads log lines until one has this message.
    fn logged(&mut self, message: &str) -> serde_json::Value {
        while let Ok(text) = self.lines.recv_timeout(PATIENCE) {
            let line: serde_json::Value = serde_json::from_str(&text).unwrap();
            self.told.push(text);
            if line["message"].as_str().unwrap().starts_with(message) {
                return line;
            }
        }
        panic!("never logged: {message}");
    }

    fn listening(&mut self, listener: &str) -> String {
        loop {
            let line = self.logged("listening");
            if line["listener"] == listener {
                return line["address"].as_str().unwrap().to_owned();
            }
        }
    }

    fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args([signal, &pid]).status();
        assert!(sent.unwrap().success());
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_life_from_load_to_drain() {
    let folder = folder();
    let mut served = Served::start(&folder, &["--shutdown-grace", "2s"]);
    let admin = served.listening("admin");
    let health = || run(&folder, &["health", "--admin-listen", &admin]);
    served.logged("watching the sources");
    let (code, out, err) = health();
    assert_eq!(code, 0, "{out}{err}");

    fs::write(folder.path().join("p/b.cedar"), "permit (").unwrap();
    let line = served.logged("refused the sources");
    assert_eq!(line["reason"], "parse");
    let (code, out, _) = health();
    assert_eq!(code, 0, "degraded is ready");
    assert!(out.contains("degraded"), "{out}");
    fs::write(folder.path().join("p/b.cedar"), POLICY).unwrap();
    let revision = served.logged("published revision")["revision"].clone();
    let revision = revision.as_str().unwrap();
    let asks = ["health", "--admin-listen", &admin, "--revision"];
    assert_eq!(run(&folder, &[&asks[..], &[revision]].concat()).0, 0);
    assert_eq!(run(&folder, &[&asks[..], &["0000"]].concat()).0, 5);

    served.signal("-TERM");
    served.logged("draining");
    let (code, out, _) = health();
    assert_eq!(code, 5);
    assert!(out.contains("draining"), "{out}");
    let live = ["health", "--admin-listen", &admin, "--live"];
    assert_eq!(run(&folder, &live).0, 0, "who drains is alive");
    served.logged("stopped");
    assert_eq!(served.child.wait().unwrap().code(), Some(0));
    let (code, _, err) = health();
    assert_eq!(code, 5);
    assert!(err.contains("does not answer"), "{err}");
    assert_eq!(run(&folder, &live).0, 5);
}

#[test]
fn a_second_signal_ends_at_once() {
    let folder = folder();
    let mut served = Served::start(&folder, &["--shutdown-grace", "1h"]);
    served.listening("admin");
    served.logged("watching the sources");
    served.signal("-INT");
    served.logged("draining");
    served.signal("-INT");
    assert_eq!(served.child.wait().unwrap().code(), Some(4));
}
