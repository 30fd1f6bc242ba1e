//! What all our spans have in common, and the queue in which they wait.

use std::{sync::Arc, time::SystemTime};

use opentelemetry::{
    InstrumentationScope,
    trace::{SpanContext, SpanId, SpanKind, Status},
};
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};
use tokio::sync::{Notify, mpsc};

use crate::telemetry::Metrics;

/// A span of ours without a parent, in which nothing happened and which ends at once.
pub(super) fn new(span_context: SpanContext, name: String, at: SystemTime) -> SpanData {
    SpanData {
        span_context,
        parent_span_id: SpanId::INVALID,
        parent_span_is_remote: false,
        span_kind: SpanKind::Internal,
        name: name.into(),
        start_time: at,
        end_time: at,
        attributes: Vec::new(),
        dropped_attributes_count: 0,
        events: SpanEvents::default(),
        links: SpanLinks::default(),
        status: Status::Unset,
        instrumentation_scope: InstrumentationScope::builder(env!("CARGO_PKG_NAME"))
            .with_version(env!("CARGO_PKG_VERSION"))
            .build(),
    }
}

/// Where spans wait for the exporter. Whoever adds one does not wait: over the bound it is dropped,
/// and counted.
#[derive(Debug)]
pub(super) struct Queue {
    spans: mpsc::Sender<SpanData>,
    wake: Arc<Notify>,
    metrics: Arc<Metrics>,
}

impl Queue {
    pub(super) fn new(
        spans: mpsc::Sender<SpanData>,
        wake: Arc<Notify>,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self {
            spans,
            wake,
            metrics,
        }
    }

    pub(super) fn add(&self, span: SpanData) {
        match self.spans.try_send(span) {
            // The exporter looks by itself in a while. To wake it for each span would take longer
            // than to record one.
            Ok(()) if self.spans.capacity() > self.spans.max_capacity() / 2 => {}
            Ok(()) => self.wake.notify_one(),
            Err(mpsc::error::TrySendError::Full(_)) => self.metrics.spans_dropped("queue_full", 1),
            Err(mpsc::error::TrySendError::Closed(_)) => self.metrics.spans_dropped("shutdown", 1),
        }
    }
}
