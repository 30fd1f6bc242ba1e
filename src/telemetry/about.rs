//! What log lines about one request say of it.

use std::sync::{Arc, OnceLock};

use hyper::header::HeaderValue;
use tracing::{Span, info_span, level_filters::LevelFilter};

use super::{Parent, Recording, Trace};

/// One request, for the log: the span that lines about it stand in.
///
/// A line that cannot be told from which request it comes is worth little, so the span is at the
/// level that is on by default. But most requests have no line, and to make a span takes about as
/// long as to decide: it is made for the first line.
#[derive(Clone, Debug, Default)]
pub struct About {
    /// The endpoint that was asked.
    pub endpoint: &'static str,
    /// What the caller calls the request.
    pub request_id: Option<HeaderValue>,
    /// The W3C trace that it belongs to, as its caller says.
    pub traceparent: Option<HeaderValue>,
    /// What is recorded of it as a span of a trace, if it is.
    pub recording: Option<Arc<Recording>>,
    /// The caller, by its credentials.
    pub caller: Option<Arc<str>>,
    /// The digest of the certificate that the caller showed.
    pub certificate: Option<Arc<str>>,
    /// The user that the caller runs as.
    pub uid: Option<u32>,
    span: OnceLock<Span>,
}

impl About {
    /// Some request to this endpoint.
    pub fn endpoint(endpoint: &'static str) -> Self {
        Self {
            endpoint,
            ..Self::default()
        }
    }

    /// The trace that it belongs to, and our span in it if one is recorded; the caller's if not.
    pub fn trace(&self) -> Option<Trace> {
        match &self.recording {
            Some(recording) => Some(recording.trace()),
            None => Some(Parent::of(self.traceparent.as_ref()?)?.trace),
        }
    }

    /// Who asks, as far as that is known: by its credentials, its certificate or its user.
    pub fn who(&self) -> Option<String> {
        let certificate = self.certificate.as_deref();
        let certificate = certificate.map(|it| format!("certificate {it}"));
        let caller = self.caller.as_deref().map(str::to_owned);
        let by_name = caller.or(certificate);
        by_name.or_else(|| self.uid.map(|uid| format!("user {uid}")))
    }

    /// The span. What becomes known after it was asked for first is not in it.
    pub fn span(&self) -> &Span {
        self.span.get_or_init(|| {
            let trace = self.trace();
            let request_id = self.request_id.as_ref();
            let request_id = request_id.map(|id| String::from_utf8_lossy(id.as_bytes()));
            info_span!(
                "request",
                endpoint = self.endpoint,
                request_id = request_id.as_deref(),
                caller = self.caller.as_deref(),
                certificate = self.certificate.as_deref(),
                uid = self.uid,
                trace_id = trace.map(|it| display(it.trace_id)),
                span_id = trace.map(|it| display(it.span_id)),
            )
        })
    }

    /// The span to answer in: none, as long as only lines that somebody says through
    /// [`About::say`] are written. Whoever asks for more than the default gets all lines in it.
    pub fn entered(&self) -> Span {
        if LevelFilter::current() > LevelFilter::INFO {
            return self.span().clone();
        }
        Span::none()
    }

    /// Writes lines about the request. Ask first whether they are written at all: this makes the
    /// span.
    pub fn say<T>(&self, lines: impl FnOnce() -> T) -> T {
        self.span().in_scope(lines)
    }
}
