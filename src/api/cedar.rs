//! Cedar's own shape: entity uids, contexts and entities as Cedar writes them.
//!
//! Body and answer are those of the Cedar agents in use. Nothing is dropped and nothing is
//! coerced: what Cedar refuses is a 400.

use hyper::StatusCode;
use serde::Serialize;

use crate::{
    authz::{Answer, BadQuery, CedarEntities, CedarQuery, Decision, Json, Object},
    pdp::Session,
    telemetry::Question,
};

use super::{
    Limits, body,
    deadline::Deadline,
    reply::{self, Code, Refusal, Reply},
};

/// `POST /v1/is_authorized`.
pub(super) fn is_authorized(
    session: &Session<'_>,
    text: &[u8],
    limits: &Limits,
) -> Result<Reply, Refusal> {
    let json = body::parse(text, limits)?;
    let body = object(&json, "the body")?;
    let entities = entities(session, body)?;
    let answer = decide(session, (body, None), body, &entities)?;
    Ok(reply::json(StatusCode::OK, &Authorized::from(answer)))
}

/// `POST /v1/batch_is_authorized`. `None` if there are more than `at_most` requests; nothing is
/// decided then. If one of them is refused or the deadline passes, what was decided before has been
/// counted but is not told.
pub(super) fn batch_is_authorized(
    session: &Session<'_>,
    text: &[u8],
    limits: &Limits,
    at_most: usize,
    deadline: &Deadline,
) -> Result<Option<Reply>, Refusal> {
    let json = body::parse(text, limits)?;
    let body = object(&json, "the body")?;
    let requests = body
        .non_null("requests")
        .ok_or_else(|| Refusal::invalid("`requests` is missing"))?;
    let kind = requests.kind();
    let requests = requests
        .as_array()
        .ok_or_else(|| Refusal::invalid(format!("`requests` must be an array, not {kind}")))?;
    if requests.len() > limits.batch {
        return Err(Refusal::batch_too_large("requests", requests.len(), limits));
    }
    if requests.len() > at_most {
        return Ok(None);
    }
    let entities = entities(session, body)?;
    session.batch(requests.len());
    // One after the other: a query may see a thousand entities, and thousands of them at once
    // would be more than one caller should hold.
    let decide = |(index, request): (usize, &Json<'_>)| {
        deadline.check()?;
        let request = object(request, &format!("`requests[{index}]`"))?;
        let answer = decide(session, (body, Some(index)), request, &entities)?;
        Ok(Authorized::from(answer))
    };
    let responses = requests.iter().enumerate().map(decide);
    let responses = responses.collect::<Result<_, Refusal>>()?;
    Ok(Some(reply::json(StatusCode::OK, &Batch { responses })))
}

fn object<'a>(json: &'a Json<'a>, name: &str) -> Result<&'a Object<'a>, Refusal> {
    json.as_object()
        .ok_or_else(|| Refusal::invalid(format!("{name} must be an object, not {}", json.kind())))
}

/// The entities that came with the call.
fn entities<'s>(session: &'s Session<'_>, body: &Object<'_>) -> Result<CedarEntities<'s>, Refusal> {
    let list = |name| match body.non_null(name) {
        Some(json) if json.as_array().is_none() => {
            let kind = json.kind();
            let message = format!("`{name}` must be an array, not {kind}");
            Err(Refusal::bad(Code::InvalidEntities, message))
        }
        other => Ok(other),
    };
    session
        .snapshot()
        .cedar_entities(list("entities")?, list("additional_entities")?)
        .map_err(|bad| refuse(&bad, ""))
}

/// Answers one question of a body, which of it if it asks several.
fn decide(
    session: &Session<'_>,
    (body, index): (&Object<'_>, Option<usize>),
    request: &Object<'_>,
    entities: &CedarEntities<'_>,
) -> Result<Answer, Refusal> {
    let at = index.map_or_else(String::new, |index| format!("requests[{index}]."));
    let need = |name| {
        request
            .non_null(name)
            .ok_or_else(|| Refusal::invalid(format!("`{at}{name}` is missing")))
    };
    let context = request.non_null("context");
    if let Some(context) = context {
        object(context, &format!("`{at}context`"))?;
    }
    let raw = CedarQuery {
        principal: need("principal")?,
        action: need("action")?,
        resource: need("resource")?,
        context,
    };
    let query = session
        .snapshot()
        .cedar_query(&raw, entities)
        .map_err(|bad| refuse(&bad, &at))?;
    let question = Question::Cedar {
        query: &raw,
        entities: body.non_null("entities"),
        additional: body.non_null("additional_entities"),
        recorded: index.is_some_and(|index| index > 0),
    };
    Ok(session.decide(&query, &question))
}

/// Says what Cedar or the schema does not take, and of which question of a batch.
fn refuse(bad: &BadQuery, at: &str) -> Refusal {
    let code = match bad {
        BadQuery::Entities(_) => Code::InvalidEntities,
        BadQuery::Request(_) => Code::InvalidRequest,
    };
    match at.strip_suffix('.') {
        Some(request) => Refusal::bad(code, format!("`{request}`: {bad}")),
        None => Refusal::bad(code, bad.to_string()),
    }
}

#[derive(Serialize)]
struct Batch {
    responses: Vec<Authorized>,
}

#[derive(Serialize)]
struct Authorized {
    decision: &'static str,
    diagnostics: Diagnostics,
}

#[derive(Serialize)]
struct Diagnostics {
    reason: Vec<String>,
    errors: Vec<String>,
    /// Not Cedar's: what was odd about the question.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    notes: Vec<String>,
}

impl From<Answer> for Authorized {
    fn from(answer: Answer) -> Self {
        let decision = match answer.decision() {
            Decision::Allow => "Allow",
            Decision::Deny => "Deny",
        };
        let mut errors: Vec<_> = answer
            .errors
            .into_iter()
            .map(|error| error.message)
            .collect();
        errors.sort_unstable();
        let mut notes = answer.diagnostics;
        notes.sort_unstable();
        Self {
            decision,
            diagnostics: Diagnostics {
                reason: answer.policies,
                errors,
                notes,
            },
        }
    }
}
