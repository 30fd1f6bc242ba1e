//! The binary, with a house of sources that it serves.

use std::{
    fs,
    io::{BufRead, BufReader, Read},
    path::Path,
    process::{Child, Command, Output, Stdio},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use serde_json::Value;
use tempfile::TempDir;

use crate::client::{Connection, Reply};

/// Longest wait for anything: many times what the slowest row takes, so that a busy machine does not
/// reach it; only a broken service does.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Enough policies that one hostile file more or less is no collapse of the set.
const POLICIES: &str = r#"@id("ann") permit (principal == U::"ann", action, resource);
@id("cid") permit (principal == U::"cid", action, resource);
@id("dan") permit (principal == U::"dan", action, resource);
@id("eve") permit (principal == U::"eve", action, resource);
"#;

/// `ann` may, `bob` may not.
const SCHEMA: &str = "entity Team in [Team];
entity U in [Team] = {n?: Long};
entity D;
action view appliesTo {principal: U, resource: D};
";

const EDITIONS: &str = r#"[house]
policies = ["p"]
schema = "schema.cedarschema"
conditions = "conditions.toml"
spec = ["spec"]
entities = ["e"]
"#;

const TABLE: &str = r#"[[role]]
name = "Ann"
principals = ["U::\"ann\""]

[[row]]
id = "view"
section = "Docs"
label = "View"

[[row.ask]]
action = "view"
resources = ["D"]
"#;

/// A folder with everything that can be loaded, all of it good.
pub(crate) struct House(TempDir);

impl House {
    pub(crate) fn new() -> Self {
        let house = Self(tempfile::tempdir().unwrap());
        for folder in ["p", "p/tests", "e", "spec", "policies"] {
            fs::create_dir(house.0.path().join(folder)).unwrap();
        }
        for (name, text) in [
            ("policies/editions.toml", EDITIONS),
            ("p/a.cedar", POLICIES),
            ("schema.cedarschema", SCHEMA),
            ("conditions.toml", ""),
            ("e/a.json", "[]"),
            ("spec/table.toml", TABLE),
            (
                "spec/world.json",
                r#"[{"uid":{"type":"D","id":"d"},"attrs":{},"parents":[]}]"#,
            ),
            (
                "spec/words.cedar",
                "@scope(\"all\") permit (principal, action, resource);",
            ),
        ] {
            house.write(name, text);
        }
        house
    }

    /// Puts a file in place with one rename.
    pub(crate) fn write(&self, name: &str, text: &str) {
        let next = self.0.path().join(".next");
        fs::write(&next, text).unwrap();
        fs::rename(next, self.0.path().join(name)).unwrap();
    }

    /// Puts back what a good house has under this name.
    pub(crate) fn mend(&self, name: &str) {
        match name {
            "schema.cedarschema" => self.write(name, SCHEMA),
            "conditions.toml" => self.write(name, ""),
            "spec/table.toml" => self.write(name, TABLE),
            "policies/editions.toml" => self.write(name, EDITIONS),
            _ => fs::remove_file(self.0.path().join(name)).unwrap(),
        }
    }

    /// A command on this house, run to its end.
    pub(crate) fn run(&self, args: &[&str]) -> Output {
        let mut command = command(self.0.path(), args[0]);
        command.args(&args[1..]).output().unwrap()
    }

    /// [`Self::run`] with this much stack for the first thread.
    pub(crate) fn run_with_stack(&self, kibibytes: usize, args: &[&str]) -> Output {
        let binary = env!("CARGO_BIN_EXE_palisade");
        let script = format!("ulimit -s {kibibytes}; exec \"$@\"");
        let mut command = Command::new("sh");
        command.args(["-c", &script, "sh", binary, args[0]]);
        command.arg("--root").arg(self.0.path());
        command.args(["--edition", "house"]).args(&args[1..]);
        command.output().unwrap()
    }

    /// Serves a good house with these flags as well.
    pub(crate) fn serve_with(&self, flags: &[&str]) -> Served {
        Served::start(self.0.path(), flags).unwrap()
    }

    /// Serves the house, or ends with code and message.
    pub(crate) fn serve(&self) -> Result<Served, (i32, String)> {
        Served::start(self.0.path(), &[])
    }
}

fn command(root: &Path, subcommand: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_palisade"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("PALISADE_") {
            command.env_remove(name);
        }
    }
    command.arg(subcommand).arg("--root").arg(root);
    command.args(["--edition", "house"]);
    command
}

/// A running `serve`; killed by its handle when dropped.
pub(crate) struct Served {
    child: Child,
    pub(crate) decisions: String,
    pub(crate) admin: String,
    /// Bytes of log, so that nobody waits for a reader.
    logged: Arc<AtomicUsize>,
    kept: Connection,
}

impl Served {
    fn start(root: &Path, flags: &[&str]) -> Result<Self, (i32, String)> {
        let mut command = command(root, "serve");
        command.args(["--log-format", "json", "--listen", "127.0.0.1:0"]);
        command.args(["--admin-listen", "127.0.0.1:0"]).args(flags);
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let (mut told, mut addresses) = (String::new(), Vec::new());
        while addresses.len() < 2 {
            let mut line = String::new();
            if log.read_line(&mut line).unwrap() == 0 {
                let status = child.wait().unwrap();
                return Err((status.code().unwrap_or(-1), told));
            }
            let parsed: Value = serde_json::from_str(&line).unwrap_or_default();
            if parsed["message"] == "listening" {
                addresses.push(parsed["address"].as_str().unwrap().to_owned());
            }
            told.push_str(&line);
        }
        let mut kept = Connection::to(&addresses[0]);
        // Whoever has asked once is waited for longer.
        assert_eq!(kept.get("/openapi.json").status, 200);
        let logged = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&logged);
        std::thread::spawn(move || {
            let mut space = [0; 4096];
            while let Ok(read @ 1..) = log.read(&mut space) {
                count.fetch_add(read, Ordering::Relaxed);
            }
        });
        Ok(Self {
            child,
            kept,
            decisions: addresses[0].clone(),
            admin: addresses[1].clone(),
            logged,
        })
    }

    pub(crate) fn connect(&self) -> Connection {
        Connection::to(&self.decisions)
    }

    /// Asks whether somebody may view, on a new connection.
    pub(crate) fn may(&self, who: &str) -> bool {
        decision(&self.connect().post("/access/v1/evaluation", &question(who)))
    }

    /// Still the same process, and it answers: on a new connection and on one kept since the start.
    #[track_caller]
    pub(crate) fn answers(&mut self, after: &str) {
        assert!(self.may("ann") && !self.may("bob"), "after {after}");
        let kept = self.kept.post("/access/v1/evaluation", &question("ann"));
        assert!(decision(&kept), "kept, after {after}");
        let ended = self.child.try_wait().unwrap();
        assert!(ended.is_none(), "after {after}: {ended:?}");
    }

    pub(crate) fn admin(&self, path: &str) -> Reply {
        Connection::to(&self.admin).get(path)
    }

    /// The value of a series.
    pub(crate) fn metric(&self, series: &str) -> f64 {
        let text = self.admin("/metrics").body;
        let lines = text.lines();
        let values = lines.filter_map(|line| line.strip_prefix(series)?.trim().parse::<f64>().ok());
        values.sum()
    }

    /// Most memory it ever had, in MiB.
    pub(crate) fn peak_mib(&self) -> usize {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status
            .lines()
            .find(|line| line.starts_with("VmHWM:"))
            .unwrap();
        let kib: usize = line.split_whitespace().nth(1).unwrap().parse().unwrap();
        kib >> 10
    }

    pub(crate) fn logged_bytes(&self) -> usize {
        self.logged.load(Ordering::Relaxed)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whether somebody may view, as an AuthZEN body.
pub(crate) fn question(who: &str) -> String {
    format!(
        r#"{{"subject":{{"type":"U","id":"{who}"}},"action":{{"name":"view"}},"resource":{{"type":"D","id":"d"}}}}"#
    )
}

#[track_caller]
pub(crate) fn decision(reply: &Reply) -> bool {
    assert_eq!(reply.status, 200, "{}", reply.body);
    let told: Value = serde_json::from_str(&reply.body).unwrap();
    told["decision"].as_bool().unwrap()
}

/// Waits until something is there.
#[track_caller]
pub(crate) fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(started.elapsed() < PATIENCE, "in vain: {what}");
        std::thread::yield_now();
    }
}

/// Prints a row of a table, and holds that it did not take for ever.
#[track_caller]
pub(crate) fn row(name: &str, outcome: &str, started: Instant) {
    let took = started.elapsed();
    say(&format!(
        "{name:<44} {outcome:<48} {:>6} ms",
        took.as_millis()
    ));
    assert!(took < PATIENCE, "{name} took {took:?}");
}

/// Writes a line for whoever reads the tables.
#[expect(clippy::print_stdout, reason = "`--nocapture` shows it")]
pub(crate) fn say(line: &str) {
    println!("{line}");
}
