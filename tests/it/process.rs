//! The binary itself, serving at ports the system chooses.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, ChildStderr, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex},
    thread::{self, JoinHandle},
};

use rustix::{
    process::{Pid, Signal, geteuid, kill_process},
    thread::{CapabilitySet, remove_capability_from_bounding_set},
};
use serde_json::Value;

use crate::client::Connection;

/// A running `palisade serve`; killed when dropped.
pub(crate) struct Process {
    child: Child,
    pub(crate) address: String,
    pub(crate) admin: String,
    log: Arc<Mutex<Vec<Value>>>,
    /// Reads the log to its end.
    reader: Option<JoinHandle<()>>,
}

impl Process {
    /// Serves, and waits until both listeners accept.
    pub(crate) fn serve(root: &Path, flags: &[&str]) -> Self {
        Self::run(Command::new(env!("CARGO_BIN_EXE_palisade")), root, flags)
    }

    /// Serves after a command of the shell, like `ulimit -n 128`.
    pub(crate) fn serve_under(first: &str, root: &Path, flags: &[&str]) -> Self {
        let mut command = Command::new("sh");
        command
            .args(["-c", &format!("{first} && exec \"$0\" \"$@\"")])
            .arg(env!("CARGO_BIN_EXE_palisade"));
        Self::run(command, root, flags)
    }

    /// Serves with no right to pass over the modes of files, whoever runs the tests.
    pub(crate) fn serve_bound_by_modes(root: &Path, flags: &[&str]) -> Self {
        // What a thread gives up, its children do not have. Only root has it in the first place.
        let serve = || {
            for capability in [CapabilitySet::DAC_OVERRIDE, CapabilitySet::DAC_READ_SEARCH] {
                if geteuid().is_root() {
                    remove_capability_from_bounding_set(capability).unwrap();
                }
            }
            Self::serve(root, flags)
        };
        thread::scope(|scope| scope.spawn(serve).join().unwrap())
    }

    fn run(mut command: Command, root: &Path, flags: &[&str]) -> Self {
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("PALISADE_") {
                command.env_remove(name);
            }
        }
        command
            .current_dir(root)
            .args(["serve", "--log-format", "json"])
            .args(["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"])
            .args(flags)
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let (mut address, mut admin) = (None, None);
        while address.is_none() || admin.is_none() {
            let line = line(&mut log);
            let listener = match line["listener"].as_str() {
                _ if line["message"] != "listening" => continue,
                Some("admin") => &mut admin,
                _ => &mut address,
            };
            *listener = line["address"].as_str().map(ToOwned::to_owned);
        }
        let lines = Arc::<Mutex<Vec<Value>>>::default();
        let kept = Arc::clone(&lines);
        let reader = thread::spawn(move || {
            for line in log.lines().map_while(Result::ok) {
                // What is no line of ours is a panic's, which the exit tells.
                let line = serde_json::from_str(&line).unwrap_or_default();
                kept.lock().unwrap().push(line);
            }
        });
        Self {
            child,
            address: address.unwrap(),
            admin: admin.unwrap(),
            log: lines,
            reader: Some(reader),
        }
    }

    /// Sends a signal, such as [`Signal::STOP`].
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// The process.
    pub(crate) fn pid(&self) -> Option<Pid> {
        Some(Pid::from_child(&self.child))
    }

    /// The number of the process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits for its end.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        let status = self.child.wait().unwrap();
        if let Some(reader) = self.reader.take() {
            reader.join().unwrap();
        }
        status
    }

    /// What it has written to its log since both listeners accept.
    pub(crate) fn lines(&self) -> Vec<Value> {
        self.log.lock().unwrap().clone()
    }

    pub(crate) fn connect(&self) -> Connection {
        Connection::to(&self.address)
    }

    pub(crate) fn connect_admin(&self) -> Connection {
        Connection::to(&self.admin)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[track_caller]
fn line(log: &mut BufReader<ChildStderr>) -> Value {
    let mut line = String::new();
    log.read_line(&mut line).unwrap();
    serde_json::from_str(&line).unwrap_or_else(|_| panic!("not listening: {line}"))
}
