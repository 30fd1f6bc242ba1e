//! The decision log from its configuration.

use std::sync::Arc;

use crate::{
    cli::Failure,
    config::{self, LogPlace, OverflowRule},
    telemetry::{
        DecisionLog, LogEnd, LogError, LogRules, LogTarget, Metrics, Overflow, RecordFormat, Status,
    },
};

/// The log, if decisions are recorded at all.
#[derive(Debug, Default)]
pub(super) struct Recording(Option<(Arc<DecisionLog>, LogEnd)>);

impl Recording {
    /// Opens it, and proves that it can be written.
    pub(super) fn start(
        config: Option<&config::DecisionLog>,
        metrics: &Arc<Metrics>,
        status: &Arc<Status>,
    ) -> Result<Self, Failure> {
        let Some(config) = config else {
            return Ok(Self::default());
        };
        let opened = DecisionLog::open(rules(config), Arc::clone(metrics), Arc::clone(status));
        let opened = opened.map_err(|error| match error {
            LogError::Open { .. } | LogError::Write { .. } => Failure::usage(error),
            LogError::Thread(_) => Failure::runtime(error),
        })?;
        Ok(Self(Some(opened)))
    }

    pub(super) fn log(&self) -> Option<&Arc<DecisionLog>> {
        self.0.as_ref().map(|(log, _)| log)
    }

    /// Waits for its thread to end, which it does only by a fault; for ever if there is none.
    pub(super) async fn ended(&mut self) {
        match &mut self.0 {
            Some((_, end)) => end.ended().await,
            None => std::future::pending().await,
        }
    }
}

fn rules(config: &config::DecisionLog) -> LogRules {
    LogRules {
        target: match &config.place {
            LogPlace::File(path) => LogTarget::File(path.clone()),
            LogPlace::Stdout => LogTarget::Stdout,
        },
        format: match config.format {
            config::RecordFormat::Json => RecordFormat::Json,
            config::RecordFormat::Ocsf => RecordFormat::Ocsf,
        },
        overflow: match config.overflow {
            OverflowRule::Block => Overflow::Block,
            OverflowRule::Drop => Overflow::Drop,
        },
        queue_bytes: config.queue_bytes,
        allows: config.allows.as_f64(),
        context: config.context.clone(),
        entities: config.entities,
    }
}
