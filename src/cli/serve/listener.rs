//! A listener from its configuration: files first, sockets last.

use std::sync::Arc;

use tokio::sync::watch;
use tracing::{info, warn};

use crate::{
    api::{Credentials, Handler},
    cli::Failure,
    config::{self, Address, Listener, ListenerName},
    server::{self, Bound, Door, Keeper, Limits, Listen, ServerError, Threads, TlsFiles},
    telemetry::Metrics,
};

/// A listener whose files were read, and that is not bound yet.
pub(super) struct Prepared<'a> {
    name: ListenerName,
    config: &'a Listener,
    door: Door,
    /// What its handler has to demand.
    pub(super) credentials: Option<Arc<Credentials>>,
}

/// A listener that is bound.
pub(super) struct Open {
    bound: Vec<Bound>,
    door: Door,
}

/// What one listener lets callers take.
pub(super) fn limits(config: &config::Limits) -> Limits {
    let usual = Limits::default();
    Limits {
        header_bytes: config.header_bytes,
        header_timeout: config.idle_timeout,
        first_request_timeout: config.idle_timeout.min(usual.first_request_timeout),
        ..usual
    }
}

/// Reads the files of a listener, which the keeper looks at from now on.
pub(super) fn prepare<'a>(
    name: ListenerName,
    config: &'a Listener,
    keeper: &mut Keeper,
    metrics: &Arc<Metrics>,
) -> Result<Prepared<'a>, Failure> {
    let tls = config.tls.as_ref().map(|tls| TlsFiles {
        cert: tls.cert.clone(),
        key: tls.key.clone(),
        client_ca: tls.client_ca.clone(),
    });
    let tls = tls.map(|files| keeper.tls(name.as_str(), &files));
    let credentials = config.credentials.as_ref();
    let credentials = credentials.map(|file| keeper.credentials(name.as_str(), file));
    Ok(Prepared {
        name,
        config,
        door: Door {
            tls: tls.transpose().map_err(Failure::usage)?,
            allow_uid: config.allow_uid.as_slice().into(),
            connections: Some(metrics.connections(name.as_str())),
        },
        credentials: credentials.transpose().map_err(Failure::usage)?,
    })
}

/// Says who may change what is in force, if that is everybody on this machine.
pub(super) fn warn_of_overrides(admin: &Listener) {
    let knows_callers = admin.credentials.is_some()
        || admin
            .tls
            .as_ref()
            .is_some_and(|tls| tls.client_ca.is_some());
    let mut addresses = admin.addresses.iter();
    if let Some(address) = addresses.find(|it| !knows_callers && matches!(it, Address::Tcp(_))) {
        warn!(
            listener = ListenerName::Admin.as_str(),
            %address,
            "whoever reaches `{address}` may change what is in force: give the admin listener \
             credentials, or a socket file"
        );
    }
}

impl Prepared<'_> {
    /// Binds it. Callers that connect now are answered once it runs.
    pub(super) fn open(self) -> Result<Open, Failure> {
        let listener = self.name.as_str();
        let plain = self.credentials.is_some() && self.door.tls.is_none();
        let mut addresses = self.config.addresses.iter();
        if plain && let Some(address) = addresses.find(|it| !it.is_local()) {
            warn!(
                listener,
                %address,
                "secrets cross the network in the clear on the {listener} listener: give it TLS"
            );
        }
        if let Some(address) = self.config.way_round() {
            warn!(
                listener,
                %address,
                "whoever reaches `{address}` may ask, every user of this machine included: the \
                 list of users of the {listener} listener is for its socket files"
            );
        }
        let bound = self.config.addresses.iter().map(|it| self.bind(it));
        Ok(Open {
            bound: bound.collect::<Result<_, _>>()?,
            door: self.door,
        })
    }

    fn bind(&self, address: &Address) -> Result<Bound, Failure> {
        let listen = match address {
            Address::Tcp(address) => Listen::Tcp(*address),
            Address::Unix(path) => Listen::Unix(path.clone()),
        };
        let bound = server::bind(&listen, self.config.socket_mode.bits());
        let bound = bound.map_err(|error| {
            Failure::runtime(format_args!("could not listen on `{address}`: {error}"))
        })?;
        let tls = self.door.tls.is_some() && matches!(listen, Listen::Tcp(_));
        info!(
            listener = self.name.as_str(),
            address = bound.address(),
            tls,
            credentials = self.credentials.is_some(),
            "listening"
        );
        Ok(bound)
    }
}

impl Open {
    /// Serves until told to stop.
    pub(super) async fn run<H: Handler>(
        self,
        handler: Arc<H>,
        limits: Limits,
        threads: &Threads,
        stopped: watch::Receiver<bool>,
    ) -> Result<(), ServerError> {
        server::run(self.bound, &self.door, handler, limits, threads, stopped).await
    }
}
