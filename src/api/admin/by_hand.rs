//! `/v1/pin`, `/v1/unpin`, `/v1/accept`: what an operator puts in force by hand.

use std::sync::Arc;

use hyper::{
    HeaderMap, StatusCode,
    header::{HOST, ORIGIN},
    http::uri::Authority,
};
use serde::{Deserialize, Serialize};

use crate::{
    api::{
        Limits, body,
        reply::{self, Code, Refusal, Reply},
    },
    store::{Override, OverrideError},
    telemetry::Status,
};

/// What is wished for.
#[derive(Debug)]
pub(super) enum Wish {
    Accept(String),
    Pin(String),
    Unpin,
}

#[derive(Deserialize)]
struct Named {
    revision: String,
}

/// What came of it.
#[derive(Serialize)]
struct Done<'a> {
    /// What is in force now.
    revision: &'a str,
    pinned: Option<&'a str>,
}

/// The revision that a body names.
pub(super) fn revision(text: &[u8], limits: &Limits) -> Result<String, Refusal> {
    body::parse(text, limits)?;
    let named: Named = serde_json::from_slice(text)
        .map_err(|error| Refusal::invalid(format!("the body must name a `revision`: {error}")))?;
    Ok(named.revision)
}

/// Refuses what a page of another origin makes an operator's browser send: `/v1/unpin` needs no
/// body, so a form could ask for it.
pub(super) fn same_origin(headers: &HeaderMap) -> Result<(), Refusal> {
    let Some(origin) = headers.get(ORIGIN) else {
        return Ok(());
    };
    let host = headers.get(HOST).and_then(|it| it.to_str().ok());
    let origin = origin.to_str().ok().and_then(|it| it.split_once("://"));
    let authority = |text: &str| text.parse::<Authority>().ok();
    let ours = host.and_then(authority);
    let theirs = origin.and_then(|(_, it)| authority(it));
    if ours.is_some() && ours == theirs {
        return Ok(());
    }
    Err(Refusal::forbidden_origin())
}

impl Wish {
    /// Does it, and tells what is in force then. Blocks for the time of a swap.
    pub(super) fn fulfil(
        self,
        by_hand: &Arc<dyn Override>,
        status: &Status,
    ) -> Result<Reply, Refusal> {
        match self {
            Self::Accept(revision) => by_hand.accept(&revision),
            Self::Pin(revision) => by_hand.pin(&revision),
            Self::Unpin => {
                by_hand.unpin();
                Ok(())
            }
        }
        .map_err(|error| match error {
            OverrideError::Invalid { .. }
            | OverrideError::NotKept { .. }
            | OverrideError::NotRefused { .. } => {
                Refusal::missing(Code::UnknownRevision, error.to_string())
            }
        })?;
        let reading = status.read();
        let in_force = reading.in_force.ok_or_else(Refusal::no_snapshot)?;
        let revision = in_force.snapshot.revision();
        let pinned = reading.rollback.and_then(|it| it.pinned);
        let done = Done {
            revision: revision.as_str(),
            pinned: pinned.as_deref(),
        };
        let reply = reply::json(StatusCode::OK, &done);
        Ok(reply::of_revision(reply, revision))
    }
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    #[track_caller]
    fn check(host: &'static str, origin: Option<&'static str>, taken: bool) {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, HeaderValue::from_static(host));
        if let Some(origin) = origin {
            headers.insert(ORIGIN, HeaderValue::from_static(origin));
        }
        assert_eq!(same_origin(&headers).is_ok(), taken, "{host} {origin:?}");
    }

    #[test]
    fn pages_of_other_origins_are_refused() {
        check("127.0.0.1:9180", None, true);
        check("127.0.0.1:9180", Some("http://127.0.0.1:9180"), true);
        check("LocalHost:9180", Some("http://localhost:9180"), true);
        check("127.0.0.1:9180", Some("http://127.0.0.1:8000"), false);
        check("127.0.0.1:9180", Some("https://evil.example"), false);
        check("127.0.0.1:9180", Some("null"), false);
        check("", Some("http://"), false);
    }
}
