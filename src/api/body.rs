//! Request bodies: JSON by its content type, within the cap, in time.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    task::Poll,
};

use http_body_util::BodyExt;
use hyper::{
    Request,
    body::{Body, Bytes, Incoming},
    header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap},
};

use crate::authz::Json;

use super::{
    Limits,
    reply::{Code, Refusal},
    room::{Held, Kept, Room},
};

/// Reads a JSON body whole, as far as there is room for it.
pub(super) async fn read(
    request: Request<Incoming>,
    limits: &Limits,
    room: &Room,
) -> Result<Kept, Refusal> {
    if !is_json(request.headers()) {
        return Err(Refusal::bad(
            Code::InvalidContentType,
            "the content type must be application/json",
        ));
    }
    if is_coded(request.headers()) {
        return Err(Refusal::bad(
            Code::InvalidContentType,
            "the content must not be encoded",
        ));
    }
    let body = request.into_body();
    within_cap(&body, limits)?;
    let mut whole = pin!(whole(body, limits.body_bytes, room));
    // Most bodies come with their head, and need no timer.
    if let Poll::Ready(read) = poll_fn(|cx| Poll::Ready(whole.as_mut().poll(cx))).await {
        return read;
    }
    let in_time = tokio::time::timeout(limits.body_timeout, whole).await;
    in_time.unwrap_or_else(|_| Err(Refusal::body_timeout()))
}

/// Refuses a body of a declared length before a byte of it is read, or asked for by `100 Continue`.
pub(super) fn within_cap(body: &Incoming, limits: &Limits) -> Result<(), Refusal> {
    let limit = limits.body_bytes;
    if usize::try_from(body.size_hint().lower()).map_or(true, |declared| declared > limit) {
        return Err(Refusal::body_too_large(limit));
    }
    Ok(())
}

/// All of a body, without a copy if it comes in one piece.
async fn whole(mut body: Incoming, limit: usize, room: &Room) -> Result<Kept, Refusal> {
    let mut held = Held::default();
    let mut first = Bytes::new();
    let mut all = Vec::new();
    while !body.is_end_stream()
        && let Some(frame) = body.frame().await
    {
        let frame = frame.map_err(|error| {
            tracing::debug!(%error, "a body ended early: {error}");
            Refusal::bad(Code::IncompleteBody, "the body is incomplete")
        })?;
        // Trailers say nothing that we ask for.
        let Ok(data) = frame.into_data() else {
            continue;
        };
        let length = first.len() + all.len() + data.len();
        if length > limit {
            return Err(Refusal::body_too_large(limit));
        }
        held.grow(length, room)?;
        if first.is_empty() && all.is_empty() {
            first = data;
            continue;
        }
        all.extend_from_slice(&std::mem::take(&mut first));
        all.extend_from_slice(&data);
    }
    Ok(held.keep(if all.is_empty() { first } else { all.into() }))
}

/// Parses a body that must hold one JSON object.
pub(super) fn parse<'a>(body: &'a [u8], limits: &Limits) -> Result<Json<'a>, Refusal> {
    if body.is_empty() {
        return Err(Refusal::bad(Code::EmptyBody, "the body is empty"));
    }
    let json = Json::parse(body, limits.json_depth)
        .map_err(|error| Refusal::bad(Code::InvalidJson, error.to_string()))?;
    let most = limits.json_values;
    // A value takes two bytes at least, so that most bodies need not be counted.
    if body.len() / 2 > most && json.values() > most {
        let message = format!("the body has more than {most} values");
        return Err(Refusal::invalid(message));
    }
    match json {
        Json::Object(_) => Ok(json),
        Json::Array(_)
        | Json::Bool(_)
        | Json::Float(_)
        | Json::Int(_)
        | Json::Null
        | Json::String(_) => Err(Refusal::invalid(format!(
            "the body must be an object, not {}",
            json.kind()
        ))),
    }
}

/// Whether the body stands for other bytes than its own (`gzip`): whoever undoes that on the way
/// reads another question than we would.
fn is_coded(headers: &HeaderMap) -> bool {
    let codings = headers.get_all(CONTENT_ENCODING);
    codings.iter().any(|it| it != "identity")
}

/// Whether the one content type is `application/json`, with or without parameters.
fn is_json(headers: &HeaderMap) -> bool {
    let mut kinds = headers.get_all(CONTENT_TYPE).iter();
    let (Some(only), None) = (kinds.next(), kinds.next()) else {
        return false;
    };
    // As nearly everybody writes it.
    if only == "application/json" {
        return true;
    }
    let kind = only.to_str().ok().and_then(|it| it.split(';').next());
    kind.is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
}
