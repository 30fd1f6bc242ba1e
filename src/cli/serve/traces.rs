//! What is recorded of requests, and the task that exports it, as the configuration says.

use std::{future::pending, sync::Arc};

use tracing::info;

use crate::{
    config,
    telemetry::{CollectorAddress, Exporting, Metrics, Status, TraceRules, Tracer},
};

/// The export of traces, if there is one.
pub(super) struct Traces(Option<Exporting>);

impl Traces {
    /// Starts to record reloads and to export, and gives what records requests. Must be called in a
    /// runtime.
    pub(super) fn start(
        config: Option<&config::Tracing>,
        metrics: &Arc<Metrics>,
        status: &Status,
    ) -> (Option<Tracer>, Self) {
        let Some(config) = config else {
            return (None, Self(None));
        };
        let endpoint = config.endpoint.clone();
        let collector = CollectorAddress {
            host: endpoint.host,
            port: endpoint.port,
            path: endpoint.path,
        };
        let sample = config.sample;
        info!(%collector, sample, "exporting traces to `{collector}`");
        let rules = TraceRules { collector, sample };
        let (tracer, exporting) = Tracer::start(rules, Arc::clone(metrics));
        status.traced(tracer.clone());
        (Some(tracer), Self(Some(exporting)))
    }

    /// Waits for the export to end, which it does only by a fault.
    pub(super) async fn ended(&mut self) {
        match &mut self.0 {
            Some(exporting) => exporting.ended().await,
            None => pending().await,
        }
    }

    /// Exports what waits, and ends.
    pub(super) async fn finish(self) {
        if let Some(exporting) = self.0 {
            exporting.finish().await;
        }
    }
}
