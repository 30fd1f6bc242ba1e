//! The server as a child process: started at ports the system chooses, stopped by its handle.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, ChildStderr, Command, ExitStatus, Stdio},
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::clock::{Micros, now};

/// How long it may take to start, and to end.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Server {
    child: Mutex<Child>,
    pid: Pid,
    pub(crate) address: String,
    pub(crate) admin: String,
    /// Odd while the process is stopped.
    pauses: AtomicU64,
    resumed_at: AtomicU64,
}

/// What the process has of things that must not grow.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Vitals {
    pub(crate) rss_kib: u64,
    pub(crate) fds: u64,
    pub(crate) threads: u64,
    pub(crate) watches: u64,
}

impl Server {
    /// Serves the folder `current` below the root. Returns the log, from the first line on.
    pub(crate) fn start(
        binary: &Path,
        root: &Path,
    ) -> (Self, impl Iterator<Item = Value> + Send + use<>) {
        let mut command = Command::new(binary);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("PALISADE_") {
                command.env_remove(name);
            }
        }
        let mut child = command
            .current_dir(root)
            .args(["serve", "--log-format=json", "--shutdown-grace=0s"])
            // A search that is stopped half way would be a page, and so no less right.
            .arg("--max-search-time=30s")
            .args(["--listen=127.0.0.1:0", "--admin-listen=127.0.0.1:0"])
            .args([
                "--policies=current/policies",
                "--schema=current/schema.cedarschema",
            ])
            .arg("--entities=current/entities.json")
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("could not run `{}`: {error}", binary.display()));
        let mut log = lines(child.stderr.take().unwrap());
        let (mut address, mut admin, mut first) = (None, None, Vec::new());
        while address.is_none() || admin.is_none() {
            let line = log.next().expect("it listens");
            let told = || line["address"].as_str().map(ToOwned::to_owned);
            match line["listener"].as_str() {
                Some("admin") => admin = told(),
                Some(_) => address = told(),
                None => {}
            }
            first.push(line);
        }
        let server = Self {
            pid: Pid::from_child(&child),
            child: Mutex::new(child),
            address: address.unwrap(),
            admin: admin.unwrap(),
            pauses: AtomicU64::new(0),
            resumed_at: AtomicU64::new(0),
        };
        (server, first.into_iter().chain(log))
    }

    /// Stops every thread until [`Self::go_on`].
    pub(crate) fn pause(&self) {
        self.pauses.fetch_add(1, Ordering::SeqCst);
        kill_process(self.pid, Signal::STOP).unwrap();
    }

    pub(crate) fn go_on(&self) {
        kill_process(self.pid, Signal::CONT).unwrap();
        self.resumed_at.store(now(), Ordering::SeqCst);
        self.pauses.fetch_add(1, Ordering::SeqCst);
    }

    /// When it last went on after a stop.
    pub(crate) fn resumed_at(&self) -> Micros {
        self.resumed_at.load(Ordering::SeqCst)
    }

    /// How often it was stopped or went on: what took long between two equal and even counts did
    /// so by itself.
    pub(crate) fn pauses(&self) -> u64 {
        self.pauses.load(Ordering::SeqCst)
    }

    /// Asks it to end, and waits until it does; `None` if it does not.
    pub(crate) fn end(&self) -> Option<ExitStatus> {
        let started = Instant::now();
        let mut child = self.child.lock().unwrap();
        if child.try_wait().unwrap().is_none() {
            kill_process(self.pid, Signal::CONT).unwrap();
            kill_process(self.pid, Signal::TERM).unwrap();
        }
        while started.elapsed() < PATIENCE {
            if let Some(status) = child.try_wait().unwrap() {
                return Some(status);
            }
            std::thread::park_timeout(Duration::from_millis(20));
        }
        None
    }

    /// `None` if the process is gone.
    pub(crate) fn vitals(&self) -> Option<Vitals> {
        let proc = Path::new("/proc").join(self.pid.as_raw_nonzero().to_string());
        let status = fs::read_to_string(proc.join("status")).ok()?;
        let field = |name: &str| -> Option<u64> {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.split_whitespace().next()?.parse().ok()
        };
        let (mut fds, mut watches) = (0, 0);
        for fd in fs::read_dir(proc.join("fdinfo")).ok()?.flatten() {
            fds += 1;
            // It may have been closed since it was listed.
            let info = fs::read_to_string(fd.path()).unwrap_or_default();
            watches += info
                .lines()
                .filter(|line| line.starts_with("inotify "))
                .count() as u64;
        }
        Some(Vitals {
            rss_kib: field("VmRSS:")?,
            threads: field("Threads:")?,
            fds,
            watches,
        })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let mut child = self.child.lock().unwrap();
        let _ = child.kill();
        let _ = child.wait();
    }
}

/// The lines of the log; one that is not JSON is a string.
fn lines(stderr: ChildStderr) -> impl Iterator<Item = Value> + Send {
    let lines = BufReader::new(stderr).lines().map_while(Result::ok);
    lines.map(|line| serde_json::from_str(&line).unwrap_or(Value::String(line)))
}
