//! What holds for every request and answer: `Host`, target and framing, ids, panics.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    task::Poll,
};

use hyper::{
    Method, Request, Version,
    body::Incoming,
    header::{HOST, HeaderMap, HeaderName, TRANSFER_ENCODING},
    http::uri::Authority,
};
use tracing::error;

use crate::telemetry::{About, Metrics};

use super::{
    access::{Access, Peer},
    reply::{Refusal, Reply},
};

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// What lines about the request say of it.
pub(super) fn about(request: &Request<Incoming>, peer: &Peer, endpoint: &'static str) -> About {
    let mut about = About::endpoint(endpoint);
    about.request_id = request.headers().get(X_REQUEST_ID).cloned();
    about.traceparent = request.headers().get(TRACEPARENT).cloned();
    about.certificate.clone_from(&peer.certificate);
    about.uid = peer.uid;
    about
}

/// Whether to answer the request: its caller has `access`, or `open` says that none is needed, and
/// it can be read in one way only. Comes before its body is read and before any path is told from
/// another.
pub(super) fn admit(
    request: &mut Request<Incoming>,
    peer: &Peer,
    (access, open): (&Access, bool),
    about: &mut About,
) -> Result<(), Refusal> {
    access.connection(peer, about)?;
    sound(request)?;
    access.caller(request.headers_mut(), open, about)
}

/// What comes of answering, a panic included.
pub(super) async fn caught<F>(answering: F, about: &About) -> Result<Reply, Refusal>
where
    F: Future<Output = Result<Reply, Refusal>>,
{
    unwound(answering).await.unwrap_or_else(|| {
        let (endpoint, request_id) = (about.endpoint, &about.request_id);
        error!(endpoint, ?request_id, "a handler of `{endpoint}` panicked");
        Err(Refusal::internal())
    })
}

/// The reply to the request.
pub(super) fn reply(answered: Result<Reply, Refusal>, about: About, metrics: &Metrics) -> Reply {
    let mut reply = answered.unwrap_or_else(|refusal| {
        metrics.refused(refusal.code.as_str());
        refusal.into_reply()
    });
    if let Some(id) = about.request_id {
        reply.headers_mut().insert(X_REQUEST_ID, id);
    }
    reply
}

/// `OPTIONS *`, which asks about no endpoint.
pub(super) fn is_for_the_whole_server(request: &Request<Incoming>) -> bool {
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

/// The future's output, or `None` if it panicked.
///
/// The future is not polled again after a panic, and what it shares with others (counters, the
/// current snapshot) is swapped or added to in one step, so nothing half-done is seen.
async fn unwound<F: Future>(future: F) -> Option<F::Output> {
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

    #[tokio::test]
    async fn a_panic_becomes_none() {
        assert_eq!(unwound(async { 1 }).await, Some(1));
        assert_eq!(unwound(async { panic!("on purpose") }).await, None::<()>);
    }
}
