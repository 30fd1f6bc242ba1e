//! `/v1/pin`, `/v1/unpin`, `/v1/accept`: what an operator puts in force by hand.

use std::sync::Arc;

use hyper::{HeaderMap, StatusCode, header::ORIGIN};
use serde::{Deserialize, Serialize};

use crate::{
    api::{
        Limits, body,
        reply::{self, Refusal, Reply},
    },
    store::{Override, OverrideError},
    telemetry::Status,
};

/// How long a revision is: SHA-256 in hexadecimal.
const DIGITS: usize = 64;

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
    let digits = named.revision.bytes().all(|it| it.is_ascii_hexdigit());
    if named.revision.len() != DIGITS || !digits {
        let message = format!("a `revision` has {DIGITS} hexadecimal digits");
        return Err(Refusal::invalid(message));
    }
    Ok(named.revision)
}

/// Refuses what a web page makes an operator's browser send, of whatever origin: a page knows how to
/// have any name stand for this address.
pub(super) fn no_page(headers: &HeaderMap) -> Result<(), Refusal> {
    if headers.contains_key(ORIGIN) {
        return Err(Refusal::forbidden_origin());
    }
    Ok(())
}

impl Wish {
    /// Does it for somebody, and tells what is in force then. Blocks for the time of a swap.
    pub(super) fn fulfil(
        self,
        by_hand: &Arc<dyn Override>,
        by: Option<String>,
        status: &Status,
    ) -> Result<Reply, Refusal> {
        match self {
            Self::Accept(revision) => by_hand.accept(&revision, by),
            Self::Pin(revision) => by_hand.pin(&revision, by),
            Self::Unpin => by_hand.unpin(by),
        }
        .map_err(|error| match error {
            OverrideError::Invalid { .. }
            | OverrideError::NotKept { .. }
            | OverrideError::NotRefused { .. } => Refusal::unknown_revision(error.to_string()),
            OverrideError::Refused { .. } => Refusal::sources_refused(error.to_string()),
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
