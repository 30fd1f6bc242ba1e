//! The real binary, or several of them, as child processes.

use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    str::FromStr,
    sync::mpsc::{Receiver, sync_channel},
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::{
    load::{Address, Callers, Question},
    process::Server,
};

/// A binary to measure, and what to call it.
#[derive(Clone, Debug)]
pub(crate) struct Product {
    pub(crate) name: String,
    binary: PathBuf,
}

/// A server that has answered its first question.
pub(crate) struct Started {
    pub(crate) server: Server,
    /// From the start of the process until then.
    pub(crate) took: Duration,
}

impl Product {
    /// The one that was built with this bench.
    pub(crate) fn this() -> Self {
        Self {
            name: "palisade".to_owned(),
            binary: env!("CARGO_BIN_EXE_palisade").into(),
        }
    }

    /// Starts it with its defaults, at addresses that the system chooses, and asks it this question;
    /// fails if there is no answer in time.
    pub(crate) fn start(
        &self,
        socket: &Path,
        arguments: &[String],
        first: &Question,
        patience: Duration,
    ) -> Result<Started, String> {
        let mut command = Command::new(&self.binary);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("PALISADE_") {
                command.env_remove(name);
            }
        }
        let started = Instant::now();
        let mut child = command
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .args(["serve", "--log-format=json", "--admin-listen=127.0.0.1:0"])
            .args(["--listen=127.0.0.1:0"])
            .arg(format!("--listen=unix:{}", socket.display()))
            .args(arguments)
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| format!("could not run `{}`: {error}", self.binary.display()))?;
        let lines = lines(&mut child);
        let mut server = Server {
            child,
            // Until it is known.
            tcp: Address::Unix(socket.to_owned()),
            unix: Address::Unix(socket.to_owned()),
        };
        server.tcp = loop {
            let left = patience.saturating_sub(started.elapsed());
            let line = lines.recv_timeout(left);
            let line = line.map_err(|_| format!("not ready after {} s", patience.as_secs()))?;
            let line: Value = serde_json::from_str(&line).map_err(|_| line)?;
            let address = line["address"].as_str().unwrap_or_default();
            if line["listener"] == "decisions"
                && let Ok(address) = address.parse()
            {
                break Address::Tcp(address);
            }
        };
        let answered = Callers::connect(&server.tcp, 1)
            .and_then(|mut callers| callers.ask(std::slice::from_ref(first), Duration::ZERO));
        answered.map_err(|error| error.to_string())?;
        Ok(Started {
            server,
            took: started.elapsed(),
        })
    }
}

impl FromStr for Product {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, binary) = text.split_once('=').ok_or("not NAME=BINARY")?;
        let binary = Path::new(binary);
        // The process starts elsewhere.
        let binary = binary.canonicalize();
        Ok(Self {
            name: name.to_owned(),
            binary: binary.map_err(|error| error.to_string())?,
        })
    }
}

/// The first lines of its log. All later ones are read, too, so that it can go on.
fn lines(child: &mut Child) -> Receiver<String> {
    let log = BufReader::new(child.stderr.take().unwrap());
    let (tell, told) = sync_channel(100);
    thread::spawn(move || {
        for line in log.lines().map_while(Result::ok) {
            // Nobody listens any more, or to so many.
            let _ = tell.try_send(line);
        }
    });
    told
}
