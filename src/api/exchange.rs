//! What holds for every request and answer: `Host`, target and framing, ids, panics.

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
use tracing::error;

use crate::telemetry::{About, Head, Metrics, Parent, Tracer};

use super::{
    access::{Access, Demand, Peer},
    reply::{self, Refusal, Reply},
};

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// The endpoint that a request is for: its label, and its path if it is recorded in traces.
pub(super) struct Addressee<'t> {
    pub(super) label: &'static str,
    pub(super) traced: Option<(&'t Tracer, Option<&'static str>)>,
}

/// Whether to answer the request, and what lines about it say of it: its caller has the `access`
/// that is demanded, and it can be read in one way only. Comes before its body is
/// read and before any path is told from another.
pub(super) fn admit(
    request: &mut Request<Incoming>,
    peer: &Peer,
    addressee: &Addressee<'_>,
    (access, demand): (&Access, Demand),
) -> (About, Result<(), Refusal>) {
    let mut about = About::endpoint(addressee.label);
    about.certificate.clone_from(&peer.certificate);
    about.uid = peer.uid;
    let marks = Marks::of(request.headers());
    about.request_id = marks.request_id.cloned();
    about.traceparent = marks.traceparent.only().cloned();
    if let Some((tracer, route)) = addressee.traced {
        let head = Head {
            method: request.method(),
            headers: request.headers(),
            route,
            encrypted: peer.encrypted,
        };
        let parent = about.traceparent.as_ref().and_then(Parent::of);
        about.recording = tracer.record(parent, head);
    }
    let admitted = access
        .connection(peer, &about)
        .and_then(|()| sound(request, &marks))
        .and_then(|()| access.caller(request.headers_mut(), demand, &mut about));
    (about, admitted)
}

/// The headers that count here. A look at each header of a usual request costs less than one
/// look-up by name.
#[derive(Default)]
struct Marks<'r> {
    host: Values<'r>,
    transfer_coding: Values<'r>,
    request_id: Option<&'r HeaderValue>,
    traceparent: Values<'r>,
}

/// The values of one header.
#[derive(Clone, Copy, Default)]
enum Values<'r> {
    #[default]
    None,
    One(&'r HeaderValue),
    Several,
}

impl<'r> Marks<'r> {
    fn of(headers: &'r HeaderMap) -> Self {
        let mut marks = Self::default();
        for (name, value) in headers {
            if name == HOST {
                marks.host.add(value);
            } else if name == TRANSFER_ENCODING {
                marks.transfer_coding.add(value);
            } else if name == X_REQUEST_ID {
                marks.request_id.get_or_insert(value);
            } else if name == TRACEPARENT {
                marks.traceparent.add(value);
            }
        }
        marks
    }
}

impl<'r> Values<'r> {
    fn add(&mut self, value: &'r HeaderValue) {
        *self = match self {
            Self::None => Self::One(value),
            Self::One(_) | Self::Several => Self::Several,
        };
    }

    /// The value, if there is exactly one.
    fn only(self) -> Option<&'r HeaderValue> {
        match self {
            Self::One(value) => Some(value),
            Self::None | Self::Several => None,
        }
    }
}

/// What comes of answering, a panic included.
pub(super) async fn caught<F>(answering: F, about: &About) -> Result<Reply, Refusal>
where
    F: Future<Output = Result<Reply, Refusal>>,
{
    unwound(answering).await.unwrap_or_else(|| {
        let endpoint = about.endpoint;
        about.say(|| error!(endpoint, "a handler of `{endpoint}` panicked"));
        Err(Refusal::internal())
    })
}

/// The reply to the request.
pub(super) fn reply(answered: Result<Reply, Refusal>, about: About, metrics: &Metrics) -> Reply {
    let mut reply = answered.unwrap_or_else(|refusal| {
        metrics.refused(refusal.code.as_str());
        refusal.into_reply()
    });
    if let Some(recording) = &about.recording {
        recording.replied(reply.status().as_u16(), reply::revision(&reply));
    }
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
fn sound(request: &Request<Incoming>, marks: &Marks<'_>) -> Result<(), Refusal> {
    sound_host(request.version(), marks.host)?;
    sound_framing(marks.transfer_coding)?;
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
fn sound_host(version: Version, host: Values<'_>) -> Result<(), Refusal> {
    match host {
        Values::None if version >= Version::HTTP_11 => {
            Err(Refusal::host("the Host header is missing"))
        }
        Values::None => Ok(()),
        Values::One(host) if is_host(host.as_bytes()) => Ok(()),
        Values::One(_) => Err(Refusal::host("the Host header names no host")),
        Values::Several => Err(Refusal::host("there is more than one Host header")),
    }
}

fn is_host(host: &[u8]) -> bool {
    host.is_empty() || is_plain_host(host) || {
        let is_user = host.contains(&b'@');
        !is_user && Authority::try_from(host).is_ok()
    }
}

/// Whether it is a name or an IPv4 address with or without a port, which most are: all of these
/// are authorities, and to be read as one a host is copied.
fn is_plain_host(host: &[u8]) -> bool {
    let mut parts = host.splitn(2, |byte| *byte == b':');
    let name = parts.next().unwrap_or_default();
    let port = parts.next().unwrap_or(b"0");
    let is_of_name = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
    !name.is_empty()
        && name.iter().all(is_of_name)
        && (1..=5).contains(&port.len())
        && port.iter().all(u8::is_ascii_digit)
}

/// Transfer codings other than one `chunked` are none that we undo. Hyper takes any list that ends
/// in `chunked`, which others read differently. If there is a `Content-Length` besides, it has
/// been dropped, and hyper closes the connection after the answer, whichever came first.
fn sound_framing(coding: Values<'_>) -> Result<(), Refusal> {
    match coding {
        Values::None => Ok(()),
        Values::One(only) if only.as_bytes().eq_ignore_ascii_case(b"chunked") => Ok(()),
        Values::One(_) | Values::Several => {
            Err(Refusal::framing("the transfer coding must be `chunked`"))
        }
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

    #[test]
    fn what_counts_as_a_plain_host_is_an_authority() {
        for plain in [
            "localhost",
            "127.0.0.1:8180",
            "pdp-1.ns.svc.cluster.local:80",
        ] {
            assert!(is_plain_host(plain.as_bytes()), "{plain}");
            assert!(Authority::try_from(plain).is_ok(), "{plain}");
        }
        for other in [
            "", ":80", "a:", "a:b", "a:1:2", "a@b", "[::1]:80", "a b", "a_b", "a/",
        ] {
            assert!(!is_plain_host(other.as_bytes()), "{other}");
        }
    }

    #[tokio::test]
    async fn a_panic_becomes_none() {
        assert_eq!(unwound(async { 1 }).await, Some(1));
        assert_eq!(unwound(async { panic!("on purpose") }).await, None::<()>);
    }
}
