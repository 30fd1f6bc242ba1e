//! `GET /.well-known/authzen-configuration`: where the endpoints are.

use std::{fmt, str::FromStr};

use hyper::{
    Request, StatusCode, Uri,
    body::Bytes,
    header::{CACHE_CONTROL, HOST, HeaderValue},
    http::uri::Authority,
};
use serde::Serialize;

use crate::api::{
    Peer,
    reply::{self, Code, Refusal, Reply},
};

const WELL_KNOWN: &str = "/.well-known/authzen-configuration";
/// The document changes only with the command line; an hour keeps a moved PDP findable.
const CACHE: HeaderValue = HeaderValue::from_static("public, max-age=3600");
/// What depends on the caller's own `Host` is for nobody else.
const NO_CACHE: HeaderValue = HeaderValue::from_static("no-store");

/// The identifier of this PDP: an absolute URL without query and fragment, kept as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicUrl {
    text: String,
    /// Its path without the slash at the end; empty for the root.
    path: String,
}

/// Why a text is no public URL.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no public URL: {reason}")]
pub struct BadPublicUrl {
    text: String,
    reason: &'static str,
}

impl PublicUrl {
    /// Whether it is what the standard asks for.
    pub fn is_https(&self) -> bool {
        self.text.starts_with("https://")
    }

    /// The tenant's path: empty, or `/` and more.
    pub(in crate::api) fn path(&self) -> &str {
        &self.path
    }
}

impl fmt::Display for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for PublicUrl {
    type Err = BadPublicUrl;

    fn from_str(text: &str) -> Result<Self, BadPublicUrl> {
        let bad = |reason| BadPublicUrl {
            text: text.to_owned(),
            reason,
        };
        if text.contains(['?', '#']) {
            return Err(bad("it has a query or a fragment"));
        }
        if !text.starts_with("https://") && !text.starts_with("http://") {
            return Err(bad("it does not begin with `https://` or `http://`"));
        }
        let uri: Uri = text.parse().map_err(|_| bad("it is malformed"))?;
        match uri.authority() {
            Some(authority) if !authority.as_str().contains('@') => Ok(Self {
                text: text.to_owned(),
                path: uri.path().trim_end_matches('/').to_owned(),
            }),
            Some(_) => Err(bad("it names a user")),
            None => Err(bad("it names no host")),
        }
    }
}

/// The metadata endpoint.
#[derive(Clone, Debug)]
pub(in crate::api) struct Metadata {
    /// The path it is served at: the tenant's path comes last.
    path: String,
    /// The document, if it does not depend on the caller.
    body: Option<Bytes>,
}

impl Metadata {
    pub(in crate::api) fn new(public_url: Option<&PublicUrl>) -> Self {
        let tenant = public_url.map_or("", PublicUrl::path);
        Self {
            path: format!("{WELL_KNOWN}{tenant}"),
            body: public_url.and_then(|url| document(&url.text).ok()),
        }
    }

    pub(in crate::api) fn is_at(&self, path: &str) -> bool {
        path == self.path
    }

    pub(in crate::api) fn answer<B>(
        &self,
        request: &Request<B>,
        peer: &Peer,
    ) -> Result<Reply, Refusal> {
        let (body, cache) = match &self.body {
            Some(body) => (body.clone(), CACHE),
            None => (of_host(request, peer)?, NO_CACHE),
        };
        let mut reply = reply::json_text(StatusCode::OK, body);
        reply.headers_mut().insert(CACHE_CONTROL, cache);
        Ok(reply)
    }
}

/// The document of a PDP that was given no public URL: the host the caller used, in its way.
fn of_host<B>(request: &Request<B>, peer: &Peer) -> Result<Bytes, Refusal> {
    let scheme = match peer.encrypted {
        true => "https",
        false => "http",
    };
    let header = request.headers().get(HOST);
    let host = || header.and_then(|host| Authority::try_from(host.as_bytes()).ok());
    // The whole URL, where a caller sends it, counts before the header (RFC 9112, section 3.2.2).
    let authority = request
        .uri()
        .authority()
        .cloned()
        .or_else(host)
        .filter(|authority| !authority.as_str().contains('@'))
        .ok_or_else(|| Refusal::bad(Code::InvalidHost, "the Host header names no host"))?;
    document(&format!("{scheme}://{authority}")).map_err(|error| {
        tracing::error!(%error, "could not write the metadata: {error}");
        Refusal::internal()
    })
}

/// Absent endpoints are absent capabilities; a parameter without a value is left out.
#[derive(Serialize)]
struct Document<'a> {
    policy_decision_point: &'a str,
    access_evaluation_endpoint: String,
    access_evaluations_endpoint: String,
    search_action_endpoint: String,
    search_resource_endpoint: String,
    search_subject_endpoint: String,
}

fn document(identifier: &str) -> serde_json::Result<Bytes> {
    let base = identifier.trim_end_matches('/');
    serde_json::to_vec(&Document {
        policy_decision_point: identifier,
        access_evaluation_endpoint: format!("{base}/access/v1/evaluation"),
        access_evaluations_endpoint: format!("{base}/access/v1/evaluations"),
        search_action_endpoint: format!("{base}/access/v1/search/action"),
        search_resource_endpoint: format!("{base}/access/v1/search/resource"),
        search_subject_endpoint: format!("{base}/access/v1/search/subject"),
    })
    .map(Bytes::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Result<&str, &str>) {
        let parsed = text.parse::<PublicUrl>();
        let got = parsed
            .as_ref()
            .map(|url| url.path.as_str())
            .map_err(|error| error.reason);
        assert_eq!(got, expected, "{text}");
    }

    #[test]
    fn a_public_url_is_absolute_without_query_and_fragment() {
        check("https://pdp.example.com", Ok(""));
        check("https://pdp.example.com/", Ok(""));
        check("https://pdp.example.com/tenant1", Ok("/tenant1"));
        check("http://127.0.0.1:8180", Ok(""));
        check(
            "https://pdp.example.com?x",
            Err("it has a query or a fragment"),
        );
        check(
            "https://pdp.example.com#x",
            Err("it has a query or a fragment"),
        );
        check("https://me@pdp.example.com", Err("it names a user"));
        check("https://", Err("it is malformed"));
        let scheme = "it does not begin with `https://` or `http://`";
        check("pdp.example.com", Err(scheme));
        check("ftp://pdp.example.com", Err(scheme));
        check("", Err(scheme));
    }
}
