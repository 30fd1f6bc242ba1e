//! A server in this process.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use palisade::{
    api::{self, Admin, AuthzenOptions, Decisions},
    authz::{OnPolicyError, Snapshot, SourceFile, Sources},
    pdp::Pdp,
    server::{self, Bound, Listen, ServerError},
    store::{Publisher, store},
    telemetry::{Check, InForce, Metrics, Status},
};
use serde_json::Value;
use tokio::{runtime::Runtime, sync::watch, task::JoinHandle};

use crate::client::{Connection, JSON, Reply};

/// Longest wait for anything; only a broken server takes it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// How to start a server; the default is the certification fixture and every default.
pub(crate) struct Start {
    pub(crate) sources: Sources,
    /// Put the sources in force before the first request.
    pub(crate) publish: bool,
    pub(crate) authzen: AuthzenOptions,
    pub(crate) limits: api::Limits,
    pub(crate) server_limits: server::Limits,
    pub(crate) on_error: OnPolicyError,
    pub(crate) listen: Vec<Listen>,
}

impl Default for Start {
    fn default() -> Self {
        Self {
            sources: fixture(),
            publish: true,
            authzen: AuthzenOptions::default(),
            limits: api::Limits::default(),
            server_limits: server::Limits::default(),
            on_error: OnPolicyError::Deny,
            listen: vec![any_port()],
        }
    }
}

/// A running server; stopped and joined when dropped.
pub(crate) struct Server {
    pub(crate) address: String,
    pub(crate) admin: String,
    pub(crate) revision: String,
    pub(crate) status: Arc<Status>,
    stop: watch::Sender<bool>,
    running: Vec<JoinHandle<Result<(), ServerError>>>,
    runtime: Runtime,
    _publisher: Publisher,
}

impl Server {
    pub(crate) fn start(start: &Start) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let (mut publisher, reader) = store();
        let metrics = Metrics::new().unwrap();
        let status = Arc::new(Status::new());
        let revision = start.sources.revision().to_string();
        if start.publish {
            let snapshot = Arc::new(compile(&start.sources));
            metrics.published(&snapshot);
            let files = start
                .sources
                .files()
                .map(|file| (file.name.clone(), file.digest()))
                .collect();
            publisher.publish(Arc::clone(&snapshot));
            status.published(InForce {
                snapshot,
                files,
                loaded_at: SystemTime::UNIX_EPOCH,
            });
        }
        status.set_listener(Check::Ok);
        let pdp = Pdp::new(reader, Arc::clone(&metrics), start.on_error);
        let decisions = Decisions::new(pdp.clone(), &start.authzen, start.limits);
        let admin = Admin::new(pdp, metrics, Arc::clone(&status));
        let (stop, stopped) = watch::channel(false);
        let bound = start.listen.iter().map(server::bind);
        let bound: Vec<Bound> = bound.collect::<Result<_, _>>().unwrap();
        let admin_bound = server::bind(&any_port()).unwrap();
        let (address, admin_address) = (bound[0].address(), admin_bound.address());
        let limits = start.server_limits;
        let running = vec![
            run(&runtime, bound, decisions, limits, stopped.clone()),
            run(&runtime, vec![admin_bound], admin, limits, stopped),
        ];
        Self {
            address,
            admin: admin_address,
            revision,
            status,
            stop,
            running,
            runtime,
            _publisher: publisher,
        }
    }

    /// Tells the server to stop, without waiting.
    pub(crate) fn stop(&self) {
        self.stop.send_replace(true);
    }

    /// Waits for both listeners to end.
    pub(crate) fn join(&mut self) {
        for running in self.running.drain(..) {
            let ended = async { tokio::time::timeout(PATIENCE, running).await };
            let ended = self.runtime.block_on(ended);
            ended.expect("the server stops in time").unwrap().unwrap();
        }
    }

    pub(crate) fn connect(&self) -> Connection {
        Connection::to(&self.address)
    }

    pub(crate) fn connect_admin(&self) -> Connection {
        Connection::to(&self.admin)
    }

    /// Posts JSON to the decisions listener.
    pub(crate) fn post(&self, path: &str, body: &Value) -> Reply {
        self.connect()
            .send("POST", path, &[JSON], body.to_string().as_bytes())
    }

    pub(crate) fn get(&self, path: &str) -> Reply {
        self.connect().send("GET", path, &[], b"")
    }

    pub(crate) fn admin(&self, path: &str) -> Reply {
        self.connect_admin().send("GET", path, &[], b"")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
        if !std::thread::panicking() {
            self.join();
        }
    }
}

fn run<H: api::Handler>(
    runtime: &Runtime,
    bound: Vec<Bound>,
    handler: H,
    limits: server::Limits,
    stopped: watch::Receiver<bool>,
) -> JoinHandle<Result<(), ServerError>> {
    runtime.spawn(server::run(bound, Arc::new(handler), limits, stopped))
}

pub(crate) fn any_port() -> Listen {
    Listen::Tcp(SocketAddr::from(([127, 0, 0, 1], 0)))
}

/// Compiles with room: the stack of a test's thread is small.
fn compile(sources: &Sources) -> Snapshot {
    std::thread::scope(|scope| {
        std::thread::Builder::new()
            .stack_size(64 << 20)
            .spawn_scoped(scope, || match Snapshot::compile(sources) {
                Ok(snapshot) => snapshot,
                Err(rejection) => panic!("{rejection}"),
            })
            .unwrap()
            .join()
            .unwrap()
    })
}

/// The policies, schema and entities that the certification scenario requires.
pub(crate) fn fixture() -> Sources {
    Sources {
        policies: vec![file("policies.cedar")],
        schema: Some(file("schema.cedarschema")),
        entities: vec![file("entities.json")],
        ..Sources::default()
    }
}

fn file(name: &str) -> SourceFile {
    SourceFile {
        name: name.to_owned(),
        bytes: read_fixture(name).into_bytes(),
    }
}

pub(crate) fn read_fixture(name: &str) -> String {
    let path = format!(
        "{}/tests/fixtures/authzen/{name}",
        env!("CARGO_MANIFEST_DIR")
    );
    std::fs::read_to_string(path).unwrap()
}

/// Waits until something holds.
#[track_caller]
pub(crate) fn wait_for(what: &str, mut holds: impl FnMut() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < PATIENCE, "in vain: {what}");
        std::thread::yield_now();
    }
}
