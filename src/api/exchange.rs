//! What holds for every request and answer: `Host`, target and framing, request ids, trace ids, panics.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    task::Poll,
};

use hyper::{
    Method, Request, Version,
    body::Incoming,
    header::{HOST, HeaderMap, HeaderName, HeaderValue, TRANSFER_ENCODING},
    http::uri::Authority,
};
use tracing::{Instrument, Span, error, info_span};

use crate::telemetry::Metrics;

use super::{
    access::Access,
    reply::{self, Refusal, Reply},
};

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// Answers one request by `answer`, if its caller has `access` or `open` says that none is
/// needed, and sees to the rest.
pub(super) async fn run<F, Answering>(
    mut request: Request<Incoming>,
    endpoint: &'static str,
    metrics: &Metrics,
    (access, open): (&Access, bool),
    answer: F,
) -> Reply
where
    F: FnOnce(Request<Incoming>) -> Answering,
    Answering: Future<Output = Result<Reply, Refusal>>,
{
    let id = request.headers().get(X_REQUEST_ID).cloned();
    let span = span(request.headers(), endpoint, id.as_ref());
    // Before the body is read and before any path is told from another.
    let admitted = access
        .connection(&request, &span)
        .and_then(|()| sound(&request))
        .and_then(|()| access.caller(request.headers_mut(), open, &span));
    let answered = match admitted {
        Ok(()) if is_for_the_whole_server(&request) => Ok(reply::whole_server()),
        Ok(()) => match caught(answer(request)).instrument(span).await {
            Some(answered) => answered,
            None => {
                error!(endpoint, request_id = ?id, "a handler of `{endpoint}` panicked");
                Err(Refusal::internal())
            }
        },
        Err(refusal) => Err(refusal),
    };
    let mut reply = answered.unwrap_or_else(|refusal| {
        metrics.refused(refusal.code.as_str());
        refusal.into_reply()
    });
    if let Some(id) = id {
        reply.headers_mut().insert(X_REQUEST_ID, id);
    }
    reply
}

/// `OPTIONS *`, which asks about no endpoint.
fn is_for_the_whole_server(request: &Request<Incoming>) -> bool {
    request.method() == Method::OPTIONS && request.uri().path() == "*"
}

/// Refuses what another reader of the same bytes may take for another request: for these, nothing
/// more is read from the connection.
fn sound(request: &Request<Incoming>) -> Result<(), Refusal> {
    sound_host(request)?;
    sound_framing(request.headers())?;
    let uri = request.uri();
    // Hyper writes the authority form (`CONNECT host:80`) as an authority without a scheme.
    let is_authority = uri.authority().is_some() && uri.scheme().is_none();
    if is_authority || request.method() == Method::CONNECT {
        return Err(Refusal::target("this is no proxy"));
    }
    if uri.path() == "*" && !is_for_the_whole_server(request) {
        return Err(Refusal::target("the target `*` is for OPTIONS"));
    }
    Ok(())
}

/// HTTP/1.1 wants exactly one `Host`, as a host and maybe a port; HTTP/1.0 may go without. An
/// empty one is what callers through a unix socket may send.
fn sound_host(request: &Request<Incoming>) -> Result<(), Refusal> {
    let mut hosts = request.headers().get_all(HOST).iter();
    match (hosts.next(), hosts.next()) {
        (None, _) if request.version() >= Version::HTTP_11 => {
            Err(Refusal::host("the Host header is missing"))
        }
        (None, _) => Ok(()),
        (Some(_), Some(_)) => Err(Refusal::host("there is more than one Host header")),
        (Some(host), None) if is_host(host.as_bytes()) => Ok(()),
        (Some(_), None) => Err(Refusal::host("the Host header names no host")),
    }
}

fn is_host(host: &[u8]) -> bool {
    let is_user = host.contains(&b'@');
    host.is_empty() || !is_user && Authority::try_from(host).is_ok()
}

/// Transfer codings other than one `chunked` are none that we undo. Hyper takes any list that ends
/// in `chunked`, which others read differently. If there is a `Content-Length` besides, it has
/// been dropped, and hyper closes the connection after the answer, whichever came first.
fn sound_framing(headers: &HeaderMap) -> Result<(), Refusal> {
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    match (codings.next(), codings.next()) {
        (None, _) => Ok(()),
        (Some(only), None) if only.as_bytes().eq_ignore_ascii_case(b"chunked") => Ok(()),
        (Some(_), _) => Err(Refusal::framing("the transfer coding must be `chunked`")),
    }
}

/// `GET`, and `HEAD`, whose answer's body the server leaves out.
pub(super) fn only_get(method: &Method) -> Result<(), Refusal> {
    if method == Method::GET || method == Method::HEAD {
        return Ok(());
    }
    Err(Refusal::method("GET, HEAD"))
}

/// `POST`.
pub(super) fn only_post(method: &Method) -> Result<(), Refusal> {
    if method == Method::POST {
        return Ok(());
    }
    Err(Refusal::method("POST"))
}

/// The span that log lines about this request stand in, at the level that is on by default: a
/// line that cannot be told from which request it comes is worth little.
fn span(headers: &HeaderMap, endpoint: &'static str, id: Option<&HeaderValue>) -> Span {
    let span = info_span!(
        "request",
        endpoint,
        request_id = tracing::field::Empty,
        caller = tracing::field::Empty,
        certificate = tracing::field::Empty,
        uid = tracing::field::Empty,
        trace_id = tracing::field::Empty,
        span_id = tracing::field::Empty,
    );
    if span.is_disabled() {
        return span;
    }
    if let Some(id) = id {
        span.record(
            "request_id",
            String::from_utf8_lossy(id.as_bytes()).as_ref(),
        );
    }
    if let Some((trace_id, span_id)) = headers.get(TRACEPARENT).and_then(trace) {
        span.record("trace_id", trace_id);
        span.record("span_id", span_id);
    }
    span
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

/// The future's output, or `None` if it panicked.
///
/// The future is not polled again after a panic, and what it shares with others (counters, the
/// current snapshot) is swapped or added to in one step, so nothing half-done is seen.
async fn caught<F: Future>(future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    std::future::poll_fn(
        |cx| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
            Ok(Poll::Ready(output)) => Poll::Ready(Some(output)),
            Ok(Poll::Pending) => Poll::Pending,
            Err(_) => Poll::Ready(None),
        },
    )
    .await
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

    #[tokio::test]
    async fn a_panic_becomes_none() {
        assert_eq!(caught(async { 1 }).await, Some(1));
        assert_eq!(caught(async { panic!("on purpose") }).await, None::<()>);
    }
}
