//! The service as a child process, and what it and others take of the machine.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::{house::House, text_of};

/// Of the clock that `/proc/PID/stat` counts in, on every Linux.
const TICK: Duration = Duration::from_millis(10);
const PATIENCE: Duration = Duration::from_secs(20);

/// Killed when dropped.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: String,
    /// Where the good caller asks, if what attackers see speaks TLS.
    pub(crate) socket: Option<std::path::PathBuf>,
}

impl Server {
    pub(crate) fn start(binary: &Path, house: &House, tls: bool) -> Self {
        let mut command = Command::new(binary);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("PALISADE_") {
                command.env_remove(name);
            }
        }
        command.arg("serve").args(house.flags());
        command.args(["--listen", "127.0.0.1:0"]);
        let socket = tls.then(|| house.path("pdp.sock"));
        if let Some(socket) = &socket {
            command.arg(format!("unix:{}", socket.display()));
            command.arg("--tls-cert").arg(house.path("cert.pem"));
            command.arg("--tls-key").arg(house.path("key.pem"));
        }
        let spawned = command.stderr(Stdio::piped()).spawn();
        let mut child =
            spawned.unwrap_or_else(|error| panic!("could not run `{}`: {error}", binary.display()));
        let mut log = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut address = None;
        loop {
            let line = log.next().expect("it listens").unwrap();
            let told: Value = serde_json::from_str(&line).unwrap_or_default();
            if told["message"] != "listening" {
                continue;
            }
            match told["listener"].as_str() {
                Some("admin") => break,
                Some(_) if !told["address"].as_str().unwrap().starts_with("unix:") => {
                    address = told["address"].as_str().map(ToOwned::to_owned);
                }
                Some(_) | None => {}
            }
        }
        // Nobody waits for a reader of the log.
        thread::spawn(move || while let Some(Ok(_)) = log.next() {});
        Self {
            child,
            address: address.expect("decisions come first"),
            socket,
        }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits until it has nothing to do any more.
    pub(crate) fn rest(&self) {
        let started = Instant::now();
        loop {
            let before = cpu(self.pid());
            thread::sleep(10 * TICK);
            if cpu(self.pid()) - before <= TICK {
                return;
            }
            assert!(started.elapsed() < PATIENCE, "the service does not rest");
        }
    }

    /// Asks it to end, which it does in good order.
    pub(crate) fn end(mut self) {
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
        let ended = self.child.wait().unwrap();
        assert!(ended.success(), "the service ended with {ended}");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a process took of a core so far.
pub(crate) fn cpu(pid: u32) -> Duration {
    let stat = text_of(format!("/proc/{pid}/stat"));
    // The name of the program, in parentheses, may have spaces; the third field follows it.
    let (_, fields) = stat.rsplit_once(") ").unwrap();
    let times = fields.split(' ').skip(11).take(2);
    TICK * times.map(|it| it.parse::<u32>().unwrap()).sum::<u32>()
}

/// What runs on the machine beside this process and those it knows.
pub(crate) struct Others {
    known: Vec<u32>,
    began: Instant,
    all: Duration,
    ours: Duration,
}

impl Others {
    pub(crate) fn begin(known: &[u32]) -> Self {
        let known = [known, &[std::process::id()]].concat();
        Self {
            began: Instant::now(),
            all: busy(),
            ours: known.iter().map(|pid| cpu(*pid)).sum(),
            known,
        }
    }

    /// How much of a core it took since then.
    pub(crate) fn end(&self) -> f64 {
        let ours: Duration = self.known.iter().map(|pid| cpu(*pid)).sum();
        let others = (busy() - self.all).saturating_sub(ours - self.ours);
        others.as_secs_f64() / self.began.elapsed().as_secs_f64()
    }
}

/// How long the cores were not idle.
fn busy() -> Duration {
    let stat = text_of("/proc/stat");
    let mut fields = stat.lines().next().unwrap().split_whitespace().skip(1);
    // User, nice, system; idle and waiting; interrupts, and what other machines took.
    let mut next = || fields.next().unwrap().parse::<u32>().unwrap();
    let worked = next() + next() + next();
    let _ = (next(), next());
    TICK * (worked + next() + next() + next())
}
