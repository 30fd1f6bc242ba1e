//! A server in this process.

use std::{
    net::SocketAddr,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use palisade::{
    api::{self, Admin, AuthzenOptions, Decisions},
    authz::{OnPolicyError, Snapshot, SourceFile, Sources},
    pdp::Pdp,
    server::{self, Bound, Door, Keeper, Keeping, Listen, ServerError, Threads, TlsFiles},
    store::{Publisher, store},
    telemetry::{Check, InForce, Metrics, Status, Turn},
};
use serde_json::Value;
use tokio::{runtime::Runtime, sync::watch, task::JoinHandle};
use tokio_rustls::rustls::ClientConfig;

use crate::{
    certs::House,
    client::{Connection, JSON, Reply},
};

/// Longest wait for anything; only a broken server takes it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// How often files of TLS and credentials are looked at.
const POLL_INTERVAL: Duration = Duration::from_millis(10);

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
    pub(crate) socket_mode: u32,
    pub(crate) allow_uid: Vec<u32>,
    /// Both listeners speak this TLS.
    pub(crate) tls: Option<Tls>,
    /// Files of credentials.
    pub(crate) credentials: Option<PathBuf>,
    pub(crate) admin_credentials: Option<PathBuf>,
    /// The file of what gateways ask.
    pub(crate) gateway: Option<PathBuf>,
}

/// TLS of a server, and a client that gets on with it.
pub(crate) struct Tls {
    pub(crate) files: TlsFiles,
    pub(crate) client: Arc<ClientConfig>,
}

impl Tls {
    /// Whatever certificate the caller has, or none.
    pub(crate) fn of(house: &House) -> Self {
        Self {
            files: TlsFiles {
                cert: house.path("cert.pem"),
                key: house.path("key.pem"),
                client_ca: None,
            },
            client: house.authority.trusted_by_client(None),
        }
    }

    /// Only callers for whom the house's authority of clients vouches.
    pub(crate) fn mutual(house: &House) -> Self {
        let own = house.clients.client();
        let of = Self::of(house);
        Self {
            files: TlsFiles {
                client_ca: Some(house.path("clients.pem")),
                ..of.files
            },
            client: house.authority.trusted_by_client(Some(&own)),
        }
    }
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
            socket_mode: 0o660,
            allow_uid: Vec::new(),
            tls: None,
            credentials: None,
            admin_credentials: None,
            gateway: None,
        }
    }
}

impl Start {
    /// Of the decisions listener, and of the admin listener.
    fn doors(&self, keeper: &mut Keeper) -> [Door; 2] {
        let mut tls = |listener| {
            let tls = self.tls.as_ref();
            tls.map(|tls| keeper.tls(listener, &tls.files).unwrap())
        };
        let decisions = Door {
            tls: tls("decisions"),
            allow_uid: self.allow_uid.as_slice().into(),
            ..Door::default()
        };
        let admin = Door {
            tls: tls("admin"),
            ..Door::default()
        };
        [decisions, admin]
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
    client: Option<Arc<ClientConfig>>,
    _publisher: Publisher,
    _keeping: Keeping,
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
            let in_force = InForce {
                snapshot,
                files,
                loaded_at: SystemTime::UNIX_EPOCH,
            };
            status.turned(Turn {
                sources: Check::Ok,
                in_force: Some(in_force),
                rollback: None,
                attempt: None,
            });
        }
        status.set_listener(Check::Ok);
        let in_force = reader.clone();
        let pdp = Pdp::new(reader, Arc::clone(&metrics), start.on_error);
        let mut decisions = Decisions::new(pdp.clone(), &start.authzen, start.limits);
        let mut admin = Admin::new(pdp, Arc::clone(&metrics), Arc::clone(&status));
        let mut keeper = Keeper::new(metrics, Arc::clone(&status));
        if let Some(file) = &start.credentials {
            decisions = decisions.demanding(keeper.credentials("decisions", file).unwrap());
        }
        if let Some(file) = &start.admin_credentials {
            admin = admin.demanding(keeper.credentials("admin", file).unwrap());
        }
        if let Some(file) = &start.gateway {
            decisions = decisions.mapping(keeper.gateway("decisions", file, in_force).unwrap());
        }
        let [door, admin_door] = start.doors(&mut keeper);
        let (stop, stopped) = watch::channel(false);
        let listen = start.listen.iter();
        let bound = listen.map(|it| server::bind(it, start.socket_mode));
        let bound: Vec<Bound> = bound.collect::<Result<_, _>>().unwrap();
        let admin_bound = server::bind(&any_port(), 0).unwrap();
        let (address, admin_address) = (bound[0].address(), admin_bound.address());
        let limits = start.server_limits;
        let running = vec![
            run(&runtime, bound, door, decisions, limits, stopped.clone()),
            run(
                &runtime,
                vec![admin_bound],
                admin_door,
                admin,
                limits,
                stopped,
            ),
        ];
        Self {
            address,
            admin: admin_address,
            revision,
            status,
            stop,
            running,
            runtime,
            client: start.tls.as_ref().map(|tls| Arc::clone(&tls.client)),
            _publisher: publisher,
            _keeping: keeper.start(POLL_INTERVAL).unwrap(),
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
        self.connection(&self.address)
    }

    pub(crate) fn connect_admin(&self) -> Connection {
        self.connection(&self.admin)
    }

    /// In the way the server was started with.
    fn connection(&self, address: &str) -> Connection {
        match &self.client {
            Some(client) if !address.starts_with("unix:") => Connection::tls(address, client),
            _ => Connection::to(address),
        }
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
    door: Door,
    handler: H,
    limits: server::Limits,
    stopped: watch::Receiver<bool>,
) -> JoinHandle<Result<(), ServerError>> {
    runtime.spawn(async move {
        let handler = Arc::new(handler);
        server::run(bound, &door, handler, limits, &Threads::here(), stopped).await
    })
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
