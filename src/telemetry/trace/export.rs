//! The task that takes spans out of the queue and sends them in batches.

use std::{sync::Arc, time::Duration};

use hyper::body::Bytes;
use opentelemetry_proto::{
    tonic::collector::trace::v1::ExportTraceServiceRequest,
    transform::{
        common::tonic::ResourceAttributesWithSchema,
        trace::tonic::group_spans_by_resource_and_scope,
    },
};
use opentelemetry_sdk::{Resource, trace::SpanData};
use prost::Message;
use tokio::{
    sync::{Notify, mpsc::Receiver, watch},
    time::{Instant, sleep, sleep_until, timeout},
};
use tracing::{info, warn};

use crate::telemetry::{Metrics, Throttle};

use super::collector::{Collector, ExportError, TIMEOUT};

/// How long a span waits for others at most: whoever looks for a trace has just asked.
const DELAY: Duration = Duration::from_secs(1);

/// Most spans in one request, as OpenTelemetry has it: about 200 KiB.
const BATCH: usize = 512;

/// Between the first failure and the next try; doubled for each further one.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// The longest pause: a batch is given up after four tries in seven seconds, since newer spans wait
/// meanwhile, and say more.
const LONGEST_PAUSE: Duration = Duration::from_secs(4);

/// How long what waits may take at the end.
pub(super) const FLUSH: Duration = Duration::from_secs(2);

/// When the exporter has to be through, once somebody says so.
pub(super) type Stop = watch::Receiver<Option<Instant>>;

#[derive(Debug)]
pub(super) struct Exporter {
    collector: Collector,
    resource: ResourceAttributesWithSchema,
    metrics: Arc<Metrics>,
    wake: Arc<Notify>,
    notices: Throttle,
    /// Whether the last batch was not taken.
    failing: bool,
    /// Spans that were not taken before the end.
    lost: usize,
}

impl Exporter {
    pub(super) fn new(collector: Collector, metrics: Arc<Metrics>, wake: Arc<Notify>) -> Self {
        Self {
            collector,
            resource: (&resource()).into(),
            metrics,
            wake,
            notices: Throttle::lasting(),
            failing: false,
            lost: 0,
        }
    }

    /// Exports until told to stop, and then what is left.
    pub(super) async fn run(mut self, mut spans: Receiver<SpanData>, mut stop: Stop) {
        loop {
            let told = tokio::select! {
                () = sleep(DELAY) => false,
                () = self.wake.notified() => false,
                () = told(&mut stop) => true,
            };
            if told {
                spans.close();
            }
            while let Some(batch) = batch(&mut spans) {
                self.deliver(batch, &mut stop).await;
            }
            if told {
                break;
            }
        }
        let lost = self.lost;
        if lost > 0 {
            warn!(lost, "{lost} spans were not exported before the end");
        }
    }

    async fn deliver(&mut self, batch: Vec<SpanData>, stop: &mut Stop) {
        let count = batch.len();
        let body = self.encoded(batch);
        let mut pause = FIRST_PAUSE;
        loop {
            let answered = tokio::select! {
                answered = timeout(TIMEOUT, self.collector.post(body.clone())) => {
                    answered.unwrap_or(Err(ExportError::TimedOut))
                }
                () = over(stop) => Err(ExportError::Stopped),
            };
            let error = match answered {
                Ok(rejected) => return self.taken(count, rejected.min(count)),
                Err(error) => error,
            };
            self.metrics.trace_export_failed();
            self.tell(&error);
            if is_told(stop) {
                self.lost += count;
                return self.metrics.spans_dropped("shutdown", count);
            }
            if !error.is_passing() || pause > LONGEST_PAUSE {
                return self.metrics.spans_dropped("failed", count);
            }
            tokio::select! {
                () = sleep(pause) => {}
                () = told(stop) => {}
            }
            pause *= 2;
        }
    }

    fn encoded(&self, batch: Vec<SpanData>) -> Bytes {
        let request = ExportTraceServiceRequest {
            resource_spans: group_spans_by_resource_and_scope(batch, &self.resource),
        };
        request.encode_to_vec().into()
    }

    fn taken(&mut self, count: usize, rejected: usize) {
        self.metrics.spans_exported(count - rejected);
        let collector = &self.collector.address;
        if std::mem::take(&mut self.failing) {
            info!(%collector, "traces are exported to `{collector}` again");
        }
        if rejected > 0 {
            self.metrics.spans_dropped("rejected", rejected);
            if let Some(suppressed) = self.notices.take(std::time::Instant::now()) {
                warn!(
                    %collector, rejected, suppressed,
                    "`{collector}` did not take {rejected} of {count} spans"
                );
            }
        }
    }

    fn tell(&mut self, error: &ExportError) {
        self.failing = true;
        if let Some(suppressed) = self.notices.take(std::time::Instant::now()) {
            let collector = &self.collector.address;
            warn!(
                %collector, %error, suppressed,
                "could not export traces to `{collector}`: {error}"
            );
        }
    }
}

/// What waits, up to the size of a batch.
fn batch(spans: &mut Receiver<SpanData>) -> Option<Vec<SpanData>> {
    let next = std::iter::from_fn(|| spans.try_recv().ok());
    let batch: Vec<_> = next.take(BATCH).collect();
    (!batch.is_empty()).then_some(batch)
}

/// Who we are: what `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES` say, which is how a pod tells
/// its name, over the name of the service.
fn resource() -> Resource {
    const NAME: &str = "service.name";
    let said = Resource::builder().build();
    let name = said.iter().find(|(key, _)| key.as_str() == NAME);
    let name = name.map(|(_, value)| value.to_string());
    let name = name.filter(|it| !it.starts_with("unknown_service"));
    let version = opentelemetry::KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
    let name = name.unwrap_or_else(|| env!("CARGO_PKG_NAME").to_owned());
    let builder = Resource::builder().with_attribute(version);
    builder.with_service_name(name).build()
}

fn is_told(stop: &Stop) -> bool {
    stop.borrow().is_some() || stop.has_changed().is_err()
}

/// Ends when somebody says that it is time to stop, or when nobody can say so any more.
async fn told(stop: &mut Stop) {
    let _ = stop.wait_for(Option::is_some).await;
}

/// Ends when the time to stop in is over.
async fn over(stop: &mut Stop) {
    let until = match stop.wait_for(Option::is_some).await {
        Ok(until) => *until,
        Err(_) => None,
    };
    if let Some(until) = until {
        sleep_until(until).await;
    }
}
