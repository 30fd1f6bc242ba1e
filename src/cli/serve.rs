//! `palisade serve`: load, listen, look for changes, and stop in good order.

use std::{num::NonZeroUsize, sync::Arc, thread::available_parallelism, time::Duration};

use clap::Args;
use tokio::{
    runtime::{Builder, Runtime},
    signal::unix::Signal,
    sync::watch,
};
use tracing::info;

use crate::{
    api::{Admin, Decisions},
    authz::EVALUATION_STACK_BYTES,
    config::{self, ListenerName, ServeArgs},
    pdp::Pdp,
    server::{Keeper, Limits, Places, Threads},
    source::{Reloader, SourceSpec},
    store::{self, Reader},
    telemetry::{self, Check, LogFormat, Metrics, Status},
};

use super::{Exit, Failure, spec};

mod decision_log;
mod listener;
mod options;
mod parts;
mod reload;
mod signals;
mod traces;

use decision_log::Recording;
use listener::Open;
use parts::{Parts, fault, told};
use reload::{proving, rules};
use signals::Signals;
use traces::Traces;

/// Threads for everything but decisions: a long admin page keeps nobody from being accepted.
const THREADS: usize = 2;

/// How long what waits for the decision log may take to be written once all is answered: part of the
/// half minute that `deploy/` allows after the grace, before it kills.
const FLUSH: Duration = Duration::from_secs(3);

/// The same after a fault, or a second signal: enough for a log that can be written.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// Most threads for blocking work, as tokio has it.
const BLOCKING_THREADS: usize = 512;

/// Answer questions over local HTTP, with policies that stay in force as their files change
///
/// Every flag can be given as the variable beside it, or as a key of the file that `--config`
/// names. A flag wins over a variable, and a variable over the file. SIGTERM and SIGINT drain:
/// `/readyz` says so for the grace period, then the listeners close and what is in flight ends.
/// A second signal ends at once.
#[derive(Args, Debug)]
pub(super) struct Serve {
    #[command(flatten)]
    args: ServeArgs,
}

impl Serve {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        let config = self.args.resolve()?;
        let format = match config.log_format {
            config::LogFormat::Json => LogFormat::Json,
            config::LogFormat::Text => LogFormat::Text,
        };
        telemetry::init_tracing(format, &config.log_filter).map_err(Failure::usage)?;
        let threads = config.runtime_threads.unwrap_or_else(cores);
        let places = Places::claim(threads, config.limits.connections);
        let runtime = runtime(threads)?;
        let metrics = Metrics::new().map_err(Failure::runtime)?;
        let status = Arc::new(Status::new());
        let entered = runtime.enter();
        // Whoever rotates logs does not know that we are starting.
        let hang_up = signals::hang_up()?;
        let recording = Recording::start(config.decision_log.as_ref(), &metrics, &status)?;
        let log = recording.log().cloned();
        let loaded = Service::load(&config, recording, hang_up, (metrics, status));
        drop(entered);
        let ended = loaded.and_then(|it| runtime.block_on(it.run(places, threads, &config)));
        if let Some(log) = log {
            log.close(if ended.is_ok() { FLUSH } else { LAST_WORDS });
        }
        // Whatever still runs has had its grace, or was told to end at once.
        runtime.shutdown_background();
        ended
    }
}

fn cores() -> NonZeroUsize {
    available_parallelism().unwrap_or(NonZeroUsize::MIN)
}

/// The runtime of everything but decisions: accepting, the admin pages, signals, looking for
/// changes. So many threads answer besides, each with a runtime of its own.
fn runtime(answering: NonZeroUsize) -> Result<Runtime, Failure> {
    Builder::new_multi_thread()
        .worker_threads(THREADS)
        .max_blocking_threads(BLOCKING_THREADS.saturating_add(answering.get()))
        .enable_all()
        .thread_name("palisade")
        .thread_stack_size(EVALUATION_STACK_BYTES)
        .build()
        .map_err(Failure::runtime)
}

/// Loaded and bound: callers that connect now are answered as soon as it runs.
struct Service {
    decisions: (Open, Arc<Decisions>),
    admin: (Open, Arc<Admin>),
    parts: Parts,
    signals: Signals,
    status: Arc<Status>,
}

impl Service {
    /// Puts the first snapshot in force, and only then binds. Must be called in a runtime.
    fn load(
        config: &config::Serve,
        recording: Recording,
        hang_up: Signal,
        (metrics, status): (Arc<Metrics>, Arc<Status>),
    ) -> Result<Self, Failure> {
        let options = options::authzen(config)?;
        let spec = spec(config.sources.clone())?;
        let (tracer, traces) = Traces::start(config.tracing.as_ref(), &metrics, &status);
        let candidates = options::candidates(config, &spec);
        let (reloader, reader) = first_load(config, spec, &recording, (&metrics, &status))?;
        // From here on a signal drains; a load that takes too long is simply ended by one.
        let signals = Signals::new(hang_up, recording.log())?;
        let in_force = reader.clone();
        let mut pdp = Pdp::new(reader, Arc::clone(&metrics), options::on_error(config));
        if let Some(log) = recording.log() {
            pdp = pdp.logging(Arc::clone(log));
        }
        let mut decisions = Decisions::new(pdp.clone(), &options, options::limits(config));
        let mut admin = Admin::new(pdp, Arc::clone(&metrics), Arc::clone(&status));
        admin = admin.comparing(candidates);
        if config.reload.rollback > 0 {
            listener::warn_of_overrides(&config.admin);
            admin = admin.overriding(reloader.by_hand());
        }
        if let Some(tracer) = tracer {
            decisions = decisions.traced(tracer);
        }
        let mut keeper = Keeper::new(Arc::clone(&metrics), Arc::clone(&status));
        let mut prepare = |name, listener| listener::prepare(name, listener, &mut keeper, &metrics);
        let to_decisions = prepare(ListenerName::Decisions, &config.decisions)?;
        let to_admin = prepare(ListenerName::Admin, &config.admin)?;
        if let Some(credentials) = &to_decisions.credentials {
            decisions = decisions.demanding(Arc::clone(credentials));
        }
        if let Some(file) = &config.gateway {
            let name = ListenerName::Decisions.as_str();
            let gateway = keeper
                .gateway(name, file, in_force)
                .map_err(Failure::usage)?;
            decisions = decisions.mapping(gateway);
        }
        if let Some(credentials) = &to_admin.credentials {
            admin = admin.demanding(Arc::clone(credentials));
        }
        Ok(Self {
            decisions: (to_decisions.open()?, Arc::new(decisions)),
            admin: (to_admin.open()?, Arc::new(admin)),
            parts: Parts {
                keeping: keeper
                    .start(config.reload.poll_interval)
                    .map_err(Failure::runtime)?,
                reloading: reloader.start().map_err(Failure::runtime)?,
                recording,
                traces,
            },
            signals,
            status,
        })
    }

    /// Serves until a signal, then drains. Any part that ends by itself is a failure.
    async fn run(
        mut self,
        places: Places,
        threads: NonZeroUsize,
        config: &config::Serve,
    ) -> Result<Exit, Failure> {
        let limits = |connections| Limits {
            connections,
            ..listener::limits(&config.limits)
        };
        let (stop_threads, stopped) = watch::channel(false);
        let started = Threads::start(threads, EVALUATION_STACK_BYTES, &stopped);
        let (threads, answering) = started.map_err(Failure::runtime)?;
        let (stop_decisions, stopped) = watch::channel(false);
        let (open, handler) = self.decisions;
        let limit = limits(places.decisions);
        let mut decisions =
            tokio::spawn(async move { open.run(handler, limit, &threads, stopped).await });
        let (stop_admin, stopped) = watch::channel(false);
        let (open, handler) = self.admin;
        let limit = limits(places.admin);
        let mut admin =
            tokio::spawn(async move { open.run(handler, limit, &Threads::here(), stopped).await });
        self.status.set_listener(Check::Ok);

        let mut parts = (self.parts, answering);
        tokio::select! {
            failure = fault(&mut decisions, &mut admin, &mut parts) => return Err(failure),
            () = self.signals.next() => {}
        }
        self.status
            .set_listener(Check::Failed("draining".to_owned()));
        info!("draining");
        if let Some(log) = parts.0.recording.log() {
            log.draining(config.shutdown_grace + limits(0).grace);
        }
        tokio::select! {
            failure = fault(&mut decisions, &mut admin, &mut parts) => return Err(failure),
            () = self.signals.next() => return Err(cut_off()),
            () = tokio::time::sleep(config.shutdown_grace) => {}
        }
        // Probes and scrapes see us until the last decision is out.
        for (stop, server) in [(stop_decisions, decisions), (stop_admin, admin)] {
            // A server that is gone needs not be told; how it went is seen when it is joined.
            let _ = stop.send(true);
            tokio::select! {
                ended = server => told(ended)?,
                () = self.signals.next() => return Err(cut_off()),
            }
        }
        drop(stop_threads);
        let (parts, mut answering) = parts;
        while answering.join_next().await.is_some() {}
        parts.traces.finish().await;
        info!("stopped");
        Ok(Exit::Ok)
    }
}

/// Puts the first snapshot in force.
fn first_load(
    config: &config::Serve,
    spec: SourceSpec,
    recording: &Recording,
    (metrics, status): (&Arc<Metrics>, &Arc<Status>),
) -> Result<(Reloader, Reader), Failure> {
    let (publisher, reader) = store::store();
    let mut reloader = Reloader::new(
        spec,
        publisher,
        Arc::clone(metrics),
        Arc::clone(status),
        rules(&config.reload),
    );
    if let Some(proving) = proving(&config.reload)? {
        reloader = reloader.proving(proving);
    }
    if let Some(log) = recording.log() {
        reloader = reloader.logging(Arc::clone(log));
    }
    reloader.first_load()?;
    Ok((reloader, reader))
}

fn cut_off() -> Failure {
    Failure::runtime("ended at once by a second signal")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api;

    #[test]
    fn the_configurations_defaults_are_those_of_what_it_configures() {
        let config = ServeArgs::default().resolve().unwrap();
        let limits = api::Limits::default();
        assert_eq!(config.max_body_bytes, limits.body_bytes);
        assert_eq!(config.max_batch, limits.batch);
        assert_eq!(config.max_search, limits.search_evaluations);
        assert_eq!(config.max_search_time, limits.search_time);
        assert_eq!(config.limits.body_timeout, limits.body_timeout);
        assert_eq!(config.limits.held_bytes, limits.held_bytes);
        let most = config.limits.connections.get();
        assert_eq!(most, Limits::default().connections);
        assert_eq!(listener::limits(&config.limits), Limits::default());
        for listener in [config.decisions, config.admin] {
            for address in listener.addresses {
                let text = address.to_string();
                assert_eq!(
                    text.parse::<crate::server::Listen>().unwrap().to_string(),
                    text
                );
            }
        }
    }
}
