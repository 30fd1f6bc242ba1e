//! What log lines about one request say of it.

use std::sync::{Arc, OnceLock};

use hyper::header::HeaderValue;
use tracing::{Span, info_span, level_filters::LevelFilter};

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
    /// The W3C trace that it belongs to.
    pub traceparent: Option<HeaderValue>,
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

    /// The trace it belongs to, and the caller's span in that, as W3C writes them.
    pub fn trace(&self) -> Option<(&str, &str)> {
        self.traceparent.as_ref().and_then(trace)
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
                trace_id = trace.map(|(trace_id, _)| trace_id),
                span_id = trace.map(|(_, span_id)| span_id),
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

/// Trace id and parent span id of a W3C `traceparent`; one that is malformed counts as absent.
fn trace(value: &HeaderValue) -> Option<(&str, &str)> {
    let hex = |part: &str, length: usize| {
        part.len() == length
            && part
                .bytes()
                .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
            && part.bytes().any(|byte| byte != b'0')
    };
    let mut parts = value.to_str().ok()?.split('-');
    let (version, trace_id, span_id) = (parts.next()?, parts.next()?, parts.next()?);
    (version.len() == 2 && version != "ff" && hex(trace_id, 32) && hex(span_id, 16))
        .then_some((trace_id, span_id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(input: &'static str, expected: Option<(&str, &str)>) {
        assert_eq!(trace(&HeaderValue::from_static(input)), expected, "{input}");
    }

    #[test]
    fn a_malformed_traceparent_counts_as_absent() {
        let trace_id = "4bf92f3577b34da6a3ce929d0e0e4736";
        let span_id = "00f067aa0ba902b7";
        check(
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            Some((trace_id, span_id)),
        );
        check(
            "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            Some((trace_id, span_id)),
        );
        check(
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            None,
        );
        check(
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            None,
        );
        check(
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            None,
        );
        check(
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            None,
        );
        check("00-4bf92f35", None);
        check("", None);
    }
}
