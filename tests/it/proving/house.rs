//! A folder that is served with proofs, and a solver that says what it is told to.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    client::{Connection, JSON},
    harness::wait_for,
    process::Process,
};

const SCHEMA: &str = "entity U; entity R { n: Long };
action a, b appliesTo { principal: U, resource: R, context: { a: Bool } };
";

/// What is proved of them takes a solver: neither the invariant nor that the sum is none too large
/// can be seen at once. Both are wrong, which is for the solver to say.
pub(super) const POLICIES: &str = r#"@id("a") permit (principal, action == Action::"a", resource) when { resource.n - 1 < 9 };
@id("b") permit (principal, action == Action::"b", resource) when { resource.n + 1 > 0 };
"#;

const INVARIANT: &str = r#"@invariant("nobody-b") @says("Nobody does b.")
forbid (principal, action == Action::"b", resource);
"#;

/// What it is asked is counted, and what it says is read each time from the file beside it.
const SOLVER: &str = r#"#!/bin/sh
here=$(dirname "$0")
[ "$1" = --version ] && { echo "This is cvc5 version 1.0.3"; exit; }
case $(cat "$here/mode") in
deaf) exec sleep 1000 ;;
garbage) echo "(nonsense"; echo ")" ;;
exit) exit 1 ;;
greedy) x=xxxxxxxxxxxxxxxx; while :; do x=$x$x; done ;;
esac
while read -r line; do
  [ "$line" = "(check-sat)" ] || continue
  echo >>"$here/asked"
  mode=$(cat "$here/mode")
  case $mode in
  hang) sleep 1000 ;;
  spin) while :; do :; done ;;
  *) echo "$mode" ;;
  esac
done
"#;

/// Policies in which `b` is permitted under another condition.
pub(super) fn policies(condition: &str) -> String {
    POLICIES.replace(
        "when { resource.n + 1 > 0 }",
        &format!("when {{ {condition} }}"),
    )
}

pub(super) struct House {
    folder: TempDir,
    served: Option<(Process, Connection)>,
}

impl House {
    pub(super) fn new(mode: &str) -> Self {
        let house = Self {
            folder: tempfile::tempdir().unwrap(),
            served: None,
        };
        for folder in ["policies", "invariants"] {
            fs::create_dir(house.path(folder)).unwrap();
        }
        fs::write(house.path("s.cedarschema"), SCHEMA).unwrap();
        fs::write(house.path("invariants/i.cedar"), INVARIANT).unwrap();
        fs::write(house.path("asked"), "").unwrap();
        fs::write(house.solver(), SOLVER).unwrap();
        fs::set_permissions(house.solver(), fs::Permissions::from_mode(0o755)).unwrap();
        house.solver_says(mode);
        house.save(POLICIES);
        house
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(super) fn solver(&self) -> PathBuf {
        self.path("solver")
    }

    fn flags<'f>(flags: &[&'f str]) -> Vec<&'f str> {
        let sources = [
            "--policies=policies",
            "--schema=s.cedarschema",
            "--invariants=invariants",
        ];
        [&sources, flags].concat()
    }

    pub(super) fn start(&mut self, flags: &[&str]) {
        let first = format!("export CVC5={}", self.solver().display());
        let process = Process::serve_under(&first, self.folder.path(), &Self::flags(flags));
        let admin = process.connect_admin();
        self.served = Some((process, admin));
        // It looks again when it begins to watch.
        wait_for("it has looked", || {
            self.metric("palisade_reloads_total{reason=\"none\",result=\"unchanged\"}") >= 1.0
        });
    }

    /// Exit code and log of a service that does not come up.
    pub(super) fn fails(&self, flags: &[&str]) -> (i32, String) {
        let output = Command::new(env!("CARGO_BIN_EXE_palisade"))
            .env("CVC5", self.solver())
            .current_dir(self.folder.path())
            .args([
                "serve",
                "--log-format=json",
                "--listen=127.0.0.1:0",
                "--admin-listen=127.0.0.1:0",
            ])
            .args(Self::flags(flags))
            .stdout(Stdio::null())
            .output()
            .unwrap();
        (
            output.status.code().unwrap(),
            String::from_utf8(output.stderr).unwrap(),
        )
    }

    pub(super) fn solver_says(&self, mode: &str) {
        fs::write(self.path("mode"), mode).unwrap();
    }

    /// How often the solver was asked.
    pub(super) fn asked(&self) -> usize {
        fs::read_to_string(self.path("asked"))
            .unwrap()
            .lines()
            .count()
    }

    pub(super) fn save(&self, text: &str) {
        fs::write(self.path("new"), text).unwrap();
        fs::rename(self.path("new"), self.path("policies/a.cedar")).unwrap();
    }

    /// Saves, and waits for what becomes of it.
    #[track_caller]
    pub(super) fn edit(&mut self, text: &str) -> Value {
        let before = self.attempts().len();
        self.save(text);
        let mut attempts = Vec::new();
        wait_for("the edit is judged", || {
            std::thread::sleep(Duration::from_millis(5));
            attempts = self.attempts();
            attempts.len() > before
        });
        attempts.pop().unwrap()
    }

    fn attempts(&mut self) -> Vec<Value> {
        self.status()["attempts"].as_array().unwrap().clone()
    }

    pub(super) fn last(&mut self) -> Value {
        self.attempts().pop().unwrap()
    }

    pub(super) fn status(&mut self) -> Value {
        self.admin().send("GET", "/v1/status", &[], b"").json()
    }

    fn admin(&mut self) -> &mut Connection {
        &mut self.served.as_mut().unwrap().1
    }

    pub(super) fn process(&self) -> &Process {
        &self.served.as_ref().unwrap().0
    }

    pub(super) fn accept(&mut self, revision: &str) -> u16 {
        let body = json!({ "revision": revision }).to_string();
        self.admin()
            .send("POST", "/v1/accept", &[JSON], body.as_bytes())
            .status
    }

    fn metric(&mut self, series: &str) -> f64 {
        let page = self.admin().send("GET", "/metrics", &[], b"").body;
        let value = page
            .lines()
            .find_map(|line| line.strip_prefix(series)?.trim().parse().ok());
        value.unwrap_or_else(|| panic!("no {series} in\n{page}"))
    }

    #[track_caller]
    pub(super) fn has_metric(&mut self, line: &str) {
        let page = self.admin().send("GET", "/metrics", &[], b"").body;
        assert!(page.lines().any(|it| it == line), "{line} in\n{page}");
    }

    /// Waits until a solver is at work.
    pub(super) fn until_proving(&self) {
        wait_for("a solver is at work", || !self.solvers().is_empty());
    }

    /// The numbers of the processes that are solvers of ours.
    pub(super) fn solvers(&self) -> Vec<u32> {
        let solver = self.solver();
        processes(|command| command.contains(solver.to_str().unwrap()))
    }

    /// The numbers of the service's children, dead ones included.
    pub(super) fn children(&self) -> Vec<u32> {
        let pid = self.process().id();
        let tasks = fs::read_dir(format!("/proc/{pid}/task")).unwrap();
        let children =
            tasks.filter_map(|task| fs::read_to_string(task.ok()?.path().join("children")).ok());
        let children: Vec<String> = children.collect();
        let children = children.iter().flat_map(|it| it.split_whitespace());
        children.map(|it| it.parse().unwrap()).collect()
    }

    pub(super) fn end_by(&mut self, signal: &str) {
        let (mut process, _) = self.served.take().unwrap();
        process.signal(match signal {
            "KILL" => Signal::KILL,
            _ => Signal::TERM,
        });
        process.wait();
    }

    /// No process is left of all proofs, nor a dead one that nobody took note of.
    #[track_caller]
    pub(super) fn leaves_nothing(&self) {
        let children = || {
            self.served
                .as_ref()
                .map_or_else(Vec::new, |_| self.children())
        };
        wait_for("no process is left", || {
            std::thread::sleep(Duration::from_millis(5));
            self.solvers().is_empty() && children().is_empty()
        });
    }

    /// How long the slowest of some questions takes until something holds, and how many there were.
    pub(super) fn ask_until(
        &mut self,
        mut holds: impl FnMut(&mut Self) -> bool,
    ) -> (Duration, usize) {
        let mut caller = self.process().connect();
        let question = json!({
            "subject": {"type": "U", "id": "u"}, "action": {"name": "a"},
            "resource": {"type": "R", "id": "r", "properties": {"n": 1}}, "context": {"a": true},
        });
        let question = question.to_string();
        let (mut slowest, mut asked) = (Duration::ZERO, 0);
        loop {
            for _ in 0..20 {
                let start = Instant::now();
                let reply = caller.send(
                    "POST",
                    "/access/v1/evaluation",
                    &[JSON],
                    question.as_bytes(),
                );
                slowest = slowest.max(start.elapsed());
                asked += 1;
                assert_eq!(
                    (reply.status, reply.json()["decision"].as_bool()),
                    (200, Some(true))
                );
            }
            if holds(self) {
                return (slowest, asked);
            }
        }
    }

    /// The most memory that the service itself ever had, in MiB.
    pub(super) fn peak_mib(&self) -> usize {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process().id())).unwrap();
        let peak = status
            .lines()
            .find_map(|line| line.strip_prefix("VmHWM:"))
            .unwrap();
        peak.trim()
            .trim_end_matches(" kB")
            .parse::<usize>()
            .unwrap()
            / 1024
    }
}

/// The processes whose command line is like this, those aside that have ended.
fn processes(is: impl Fn(&str) -> bool) -> Vec<u32> {
    let all = fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    let of = |path: &Path| {
        let pid = path.file_name()?.to_str()?.parse().ok()?;
        let command = fs::read_to_string(path.join("cmdline")).ok()?;
        is(&command.replace('\0', " ")).then_some(pid)
    };
    all.filter_map(|entry| of(&entry.path())).collect()
}

/// What the findings of an attempt say.
pub(super) fn messages(attempt: &Value) -> Vec<String> {
    let findings = attempt["findings"].as_array().unwrap().iter();
    findings
        .map(|it| it["message"].as_str().unwrap().to_owned())
        .collect()
}
