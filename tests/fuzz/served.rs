//! A server in this process, and a caller that sends bytes as they are.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use palisade::{
    api::{self, AuthzenOptions, CredentialSet, Credentials, Decisions},
    authz::{EVALUATION_STACK_BYTES, OnPolicyError, Snapshot, SourceFile, Sources},
    pdp::Pdp,
    server::{self, Door, Listen, Threads},
    store::{Publisher, store},
    telemetry::Metrics,
};
use serde_json::Value;
use tokio::{runtime::Runtime, sync::watch};

use crate::reference;

/// Longest wait for an answer: a server that takes it hangs.
const PATIENCE: Duration = Duration::from_secs(30);

/// What is served; [`reference::may`] says what it decides.
pub(crate) struct Server {
    pub(crate) address: String,
    kept: Mutex<Option<Connection>>,
    _stop: watch::Sender<bool>,
    _runtime: Runtime,
    _publisher: Publisher,
}

/// One answer.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) body: String,
    /// The connection ends with it.
    closes: bool,
}

pub(crate) struct Connection(BufReader<TcpStream>);

impl Server {
    pub(crate) fn start(credentials: Option<&str>) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_stack_size(EVALUATION_STACK_BYTES)
            .enable_all()
            .build()
            .unwrap();
        let _entered = runtime.enter();
        let (mut publisher, reader) = store();
        let metrics = Metrics::new().unwrap();
        let snapshot = Snapshot::compile(&sources()).unwrap_or_else(|it| panic!("{it}"));
        publisher.publish(Arc::new(snapshot));
        let pdp = Pdp::new(reader, metrics, OnPolicyError::Deny);
        let options = AuthzenOptions::default();
        let mut decisions = Decisions::new(pdp, &options, api::Limits::default());
        if let Some(file) = credentials {
            let set = CredentialSet::parse(file.as_bytes()).unwrap();
            decisions = decisions.demanding(Arc::new(Credentials::new(set)));
        }
        let any = Listen::Tcp(SocketAddr::from(([127, 0, 0, 1], 0)));
        let bound = server::bind(&any, 0).unwrap();
        let address = bound.address();
        let (stop, stopped) = watch::channel(false);
        runtime.spawn(async move {
            let (door, limits) = (Door::default(), server::Limits::default());
            let handler = Arc::new(decisions);
            let threads = Threads::here();
            server::run(vec![bound], &door, handler, limits, &threads, stopped).await
        });
        drop(_entered);
        Self {
            address,
            kept: Mutex::new(None),
            _stop: stop,
            _runtime: runtime,
            _publisher: publisher,
        }
    }

    pub(crate) fn connect(&self) -> Connection {
        Connection::to(&self.address)
    }

    /// Posts JSON, on a connection that is kept as long as the service keeps it.
    #[track_caller]
    pub(crate) fn post(&self, path: &str, body: &[u8]) -> Reply {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let mut connection = kept.take().unwrap_or_else(|| self.connect());
        connection.write(&post(path, "", body));
        let reply = connection.read().expect("an answer");
        if !reply.closes {
            *kept = Some(connection);
        }
        reply
    }

    /// The service still answers, and rightly.
    #[track_caller]
    pub(crate) fn answers(&self) {
        for (who, decision) in [("ann", true), ("bob", false)] {
            let reply = self.post(reference::ONE, reference::question(who).as_bytes());
            assert_eq!(reply.json()["decision"], decision, "{who}");
        }
    }
}

impl Reply {
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

impl Connection {
    fn to(address: &str) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self(BufReader::new(stream))
    }

    /// Writes bytes; a service that has closed is found out by reading.
    pub(crate) fn write(&mut self, bytes: &[u8]) {
        let _ = self.0.get_mut().write_all(bytes);
    }

    pub(crate) fn finish(&mut self) {
        let _ = self.0.get_mut().shutdown(std::net::Shutdown::Write);
    }

    /// The next answer; `None` if the service has closed.
    #[track_caller]
    pub(crate) fn read(&mut self) -> Option<Reply> {
        let first = self.line()?;
        let status = first.strip_prefix("HTTP/1.").expect("a status line");
        let status = status.split(' ').nth(1).unwrap().parse().unwrap();
        let (mut length, mut closes) = (0, first.starts_with("HTTP/1.0"));
        while let Some(line) = self.line().filter(|line| !line.is_empty()) {
            let (name, value) = line.split_once(": ").expect("a header");
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = value.parse().unwrap(),
                "connection" => closes |= value == "close",
                _ => {}
            }
        }
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).ok()?;
        let body = String::from_utf8(body).unwrap();
        Some(Reply {
            status,
            body,
            closes,
        })
    }

    fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        match self.0.read_line(&mut line) {
            Ok(1..) => Some(line.trim_end().to_owned()),
            Ok(_) => None,
            Err(error) => {
                let hangs = [std::io::ErrorKind::WouldBlock, std::io::ErrorKind::TimedOut];
                assert!(!hangs.contains(&error.kind()), "no answer and no end");
                None
            }
        }
    }
}

/// A `POST` of JSON with more lines in its head.
pub(crate) fn post(path: &str, lines: &str, body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: x\r\n{lines}Content-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

fn sources() -> Sources {
    let file = |name: &str, text: &str| SourceFile {
        name: name.to_owned(),
        bytes: text.as_bytes().to_vec(),
    };
    Sources {
        policies: vec![file("p.cedar", reference::POLICIES)],
        entities: vec![file("e.json", reference::ENTITIES)],
        ..Sources::default()
    }
}
