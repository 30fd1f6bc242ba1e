//! `/livez` and `/readyz`.

use hyper::StatusCode;
use serde::Serialize;

use crate::{
    api::reply::{self, Refusal, Reply},
    telemetry::{Check, Health, Reading},
};

/// The process runs, or nobody would say so.
pub(super) fn live() -> Reply {
    reply::json_text(StatusCode::OK, r#"{"status":"ok"}"#)
}

/// Whether queries are answered well; with `?revision=R`, also whether by R.
pub(super) fn ready(reading: &Reading, query: Option<&str>) -> Result<Reply, Refusal> {
    let expected = expected(query)?;
    let in_force = reading.in_force.as_ref();
    let revision = in_force.map(|it| it.snapshot.revision().as_str());
    let ready =
        reading.health.is_ready() && expected.is_none_or(|expected| revision == Some(expected));
    let body = Ready {
        ready,
        revision,
        expected_revision: expected,
        pinned: reading.rollback.as_ref().map(|it| it.pinned.is_some()),
        checks: Checks::of(&reading.health),
    };
    let code = if ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    Ok(reply::json(code, &body))
}

/// The revision that is asked for. Digests are plain hex, so nothing needs decoding.
fn expected(query: Option<&str>) -> Result<Option<&str>, Refusal> {
    let mut revisions = query
        .unwrap_or_default()
        .split('&')
        .filter_map(|pair| pair.strip_prefix("revision="));
    let first = revisions.next();
    if revisions.next().is_some() {
        return Err(Refusal::invalid("`revision` is asked for more than once"));
    }
    Ok(first)
}

#[derive(Serialize)]
struct Ready<'a> {
    ready: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    revision: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expected_revision: Option<&'a str>,
    /// Whether an operator holds the revision in force; absent if nobody may.
    #[serde(skip_serializing_if = "Option::is_none")]
    pinned: Option<bool>,
    checks: Checks<'a>,
}

#[derive(Serialize)]
struct Checks<'a> {
    snapshot: State<'a>,
    watcher: State<'a>,
    sources: State<'a>,
    decision_log: State<'a>,
    listener: State<'a>,
}

#[derive(Serialize)]
struct State<'a> {
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'a str>,
}

impl<'a> Checks<'a> {
    fn of(health: &'a Health) -> Self {
        Self {
            snapshot: State::of(&health.snapshot),
            watcher: State::of(&health.watcher),
            sources: State::of(&health.sources),
            decision_log: State::of(&health.decision_log),
            listener: State::of(&health.listener),
        }
    }
}

impl<'a> State<'a> {
    fn of(check: &'a Check) -> Self {
        let (state, message) = match check {
            Check::Degraded(message) => ("degraded", Some(message.as_str())),
            Check::Failed(message) => ("failed", Some(message.as_str())),
            Check::Off(message) => ("off", Some(message.as_str())),
            Check::Ok => ("ok", None),
        };
        Self { state, message }
    }
}
