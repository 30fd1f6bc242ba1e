//! One request that is recorded: its span, from the head of the request to the reply.

use std::{
    mem,
    sync::{Arc, OnceLock},
    time::{Duration, Instant, SystemTime},
};

use hyper::{Method, header::HeaderMap};
use opentelemetry::{
    Array, KeyValue, StringValue, Value,
    trace::{SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState},
};
use opentelemetry_sdk::trace::SpanData;

use crate::authz::{Answer, Outcome};

use super::{
    Trace,
    span::{self, Queue},
};

/// Most policies that a span names: thousands of spans may wait.
const MAX_POLICIES: usize = 100;

/// As many attributes as a span has.
const ATTRIBUTES: usize = 9;

/// What is known of a request from its head.
#[derive(Clone, Copy, Debug)]
pub struct Head<'r> {
    /// Its method.
    pub method: &'r Method,
    /// Its headers.
    pub headers: &'r HeaderMap,
    /// The path of the endpoint, if it is for one; what a caller writes instead is its own affair.
    pub route: Option<&'static str>,
    /// Whether it came by TLS.
    pub encrypted: bool,
}

/// What is recorded of one request. The span ends when everybody who knows of it has let go, so
/// that it tells also of a request that its caller gave up.
#[derive(Debug)]
pub struct Recording {
    origin: Origin,
    span_id: SpanId,
    method: &'static str,
    route: Option<&'static str>,
    encrypted: bool,
    at: SystemTime,
    since: Instant,
    queries: OnceLock<usize>,
    decided: OnceLock<Decided>,
    replied: OnceLock<Replied>,
    queue: Arc<Queue>,
}

/// Which trace the span is of, and after which other span.
#[derive(Debug)]
pub(super) struct Origin {
    pub(super) trace_id: TraceId,
    pub(super) parent: Option<SpanId>,
    pub(super) flags: TraceFlags,
    pub(super) state: TraceState,
}

#[derive(Debug)]
struct Decided {
    outcome: Outcome,
    policies: Vec<String>,
}

#[derive(Debug)]
struct Replied {
    code: u16,
    revision: Option<String>,
    took: Duration,
}

impl Recording {
    pub(super) fn start(
        origin: Origin,
        span_id: SpanId,
        head: Head<'_>,
        queue: Arc<Queue>,
    ) -> Self {
        Self {
            origin,
            span_id,
            method: method(head.method),
            route: head.route,
            encrypted: head.encrypted,
            at: SystemTime::now(),
            since: Instant::now(),
            queries: OnceLock::new(),
            decided: OnceLock::new(),
            replied: OnceLock::new(),
            queue,
        }
    }

    /// The trace, and the span in it that is recorded.
    pub fn trace(&self) -> Trace {
        Trace {
            trace_id: self.origin.trace_id,
            span_id: self.span_id,
        }
    }

    /// The request is a batch of so many queries: what is decided of them is not told one by one.
    pub fn batch(&self, queries: usize) {
        // There is one batch in a request.
        let _ = self.queries.set(queries);
    }

    /// A query was decided.
    pub fn decided(&self, answer: &Answer) {
        if self.queries.get().is_none() {
            // There is one decision in a request that is no batch.
            let _ = self.decided.set(Decided {
                outcome: answer.outcome,
                policies: answer.policies.iter().take(MAX_POLICIES).cloned().collect(),
            });
        }
    }

    /// The reply is ready.
    pub fn replied(&self, code: u16, revision: Option<&str>) {
        // There is one reply.
        let _ = self.replied.set(Replied {
            code,
            revision: revision.map(ToOwned::to_owned),
            took: self.since.elapsed(),
        });
    }

    fn span(&mut self) -> SpanData {
        let replied = self.replied.take();
        let took = replied
            .as_ref()
            .map_or_else(|| self.since.elapsed(), |it| it.took);
        let is_fault = replied.as_ref().is_some_and(|it| it.code >= 500);
        let state = mem::take(&mut self.origin.state);
        let Trace { trace_id, span_id } = self.trace();
        let parent_span_id = self.origin.parent.unwrap_or(SpanId::INVALID);
        SpanData {
            parent_span_id,
            parent_span_is_remote: self.origin.parent.is_some(),
            span_kind: SpanKind::Server,
            end_time: self.at.checked_add(took).unwrap_or(self.at),
            attributes: self.attributes(replied),
            status: match is_fault {
                true => Status::error(""),
                false => Status::Unset,
            },
            ..span::new(
                SpanContext::new(trace_id, span_id, self.origin.flags, false, state),
                self.name(),
                self.at,
            )
        }
    }

    fn name(&self) -> String {
        let method = match self.method {
            OTHER => "HTTP",
            known => known,
        };
        match self.route {
            Some(route) => format!("{method} {route}"),
            None => method.to_owned(),
        }
    }

    /// By the semantic conventions of OpenTelemetry for HTTP, and our own. Never who asks about
    /// what, a context or an attribute: whoever reads traces may not read those.
    fn attributes(&mut self, replied: Option<Replied>) -> Vec<KeyValue> {
        let mut all = Vec::with_capacity(ATTRIBUTES);
        all.push(KeyValue::new("http.request.method", self.method));
        let scheme = if self.encrypted { "https" } else { "http" };
        all.push(KeyValue::new("url.scheme", scheme));
        if let Some(route) = self.route {
            all.push(KeyValue::new("http.route", route));
        }
        if let Some(replied) = replied {
            let code = replied.code;
            all.push(KeyValue::new("http.response.status_code", i64::from(code)));
            if code >= 500 {
                all.push(KeyValue::new("error.type", code.to_string()));
            }
            let revision = replied.revision;
            all.extend(revision.map(|it| KeyValue::new("palisade.revision", it)));
        }
        if let Some(queries) = self.queries.take() {
            let queries = i64::try_from(queries).unwrap_or(i64::MAX);
            all.push(KeyValue::new("palisade.batch_size", queries));
        }
        if let Some(Decided { outcome, policies }) = self.decided.take() {
            let decision = outcome.decision().as_str();
            all.push(KeyValue::new("palisade.decision", decision));
            all.push(KeyValue::new("palisade.outcome", outcome.as_str()));
            let policies = policies.into_iter().map(StringValue::from).collect();
            let policies = Value::Array(Array::String(policies));
            all.push(KeyValue::new("palisade.determining_policies", policies));
        }
        all
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        let span = self.span();
        self.queue.add(span);
    }
}

/// What the conventions call methods that are none of HTTP's own.
const OTHER: &str = "_OTHER";

fn method(method: &Method) -> &'static str {
    match *method {
        Method::CONNECT => "CONNECT",
        Method::DELETE => "DELETE",
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        Method::PATCH => "PATCH",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::TRACE => "TRACE",
        _ => OTHER,
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry::trace::TraceId;
    use opentelemetry_sdk::trace::IdGenerator;
    use tokio::sync::mpsc;

    use super::*;
    use crate::telemetry::Metrics;

    /// Records a request, and gives its span and how many were dropped.
    fn recorded(places: usize, reply: impl Fn(&Recording)) -> (Vec<SpanData>, String) {
        let (waiting, mut spans) = mpsc::channel(places);
        let metrics = Metrics::new().unwrap();
        let queue = Arc::new(Queue::new(waiting, Arc::default(), Arc::clone(&metrics)));
        let ids = opentelemetry_sdk::trace::RandomIdGenerator::default();
        for _ in 0..2 {
            let origin = Origin {
                trace_id: TraceId::from(1),
                parent: None,
                flags: TraceFlags::SAMPLED,
                state: TraceState::default(),
            };
            let head = Head {
                method: &Method::POST,
                headers: &HeaderMap::new(),
                route: Some("/there"),
                encrypted: true,
            };
            let span_id = ids.new_span_id();
            reply(&Recording::start(origin, span_id, head, Arc::clone(&queue)));
        }
        let spans = std::iter::from_fn(|| spans.try_recv().ok()).collect();
        (spans, metrics.render().unwrap())
    }

    fn has(span: &SpanData, name: &str, value: impl Into<Value>) -> bool {
        span.attributes
            .contains(&KeyValue::new(name.to_owned(), value))
    }

    #[test]
    fn our_own_faults_are_errors() {
        let (spans, _) = recorded(2, |it| it.replied(503, None));
        for span in spans {
            assert_eq!(span.status, Status::error(""));
            assert!(has(&span, "error.type", "503"));
            assert!(has(&span, "url.scheme", "https"));
            assert_eq!(span.name, "POST /there");
        }
    }

    #[test]
    fn a_request_that_its_caller_gave_up_has_a_span_without_a_code() {
        let (spans, _) = recorded(2, |_| {});
        assert_eq!(spans.len(), 2);
        for span in spans {
            let mut names = span.attributes.iter().map(|it| it.key.as_str());
            assert!(names.all(|it| it != "http.response.status_code"));
            assert_eq!(span.status, Status::Unset);
        }
    }

    #[test]
    fn what_does_not_fit_into_the_queue_is_counted() {
        let (spans, metrics) = recorded(1, |it| it.replied(200, None));
        assert_eq!(spans.len(), 1);
        let line = "palisade_trace_spans_dropped_total{reason=\"queue_full\"} 1\n";
        assert!(metrics.contains(line), "{metrics}");
    }
}
