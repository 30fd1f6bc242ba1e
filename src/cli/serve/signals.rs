//! What others send the process.

use std::sync::Arc;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::info;

use crate::{cli::Failure, telemetry::DecisionLog};

/// What an orchestrator or a person at a terminal sends to stop us, and what a rotation of logs does.
pub(super) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hang_up: Signal,
    log: Option<Arc<DecisionLog>>,
}

/// From now on SIGHUP ends nothing. Must be called in a runtime.
pub(super) fn hang_up() -> Result<Signal, Failure> {
    signal(SignalKind::hangup()).map_err(Failure::runtime)
}

impl Signals {
    pub(super) fn new(hang_up: Signal, log: Option<&Arc<DecisionLog>>) -> Result<Self, Failure> {
        let of = |kind| signal(kind).map_err(Failure::runtime);
        Ok(Self {
            interrupt: of(SignalKind::interrupt())?,
            terminate: of(SignalKind::terminate())?,
            hang_up,
            log: log.cloned(),
        })
    }

    /// Waits for one that ends the service; the decision log is opened anew meanwhile, as often as
    /// somebody asks for it.
    pub(super) async fn next(&mut self) {
        loop {
            tokio::select! {
                _ = self.interrupt.recv() => return,
                _ = self.terminate.recv() => return,
                _ = self.hang_up.recv() => match &self.log {
                    Some(log) => log.reopen(),
                    None => info!("SIGHUP opens the decision log anew, and there is none"),
                },
            }
        }
    }
}
