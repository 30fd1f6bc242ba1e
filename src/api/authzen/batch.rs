//! `POST /access/v1/evaluations`: many questions, one snapshot.

use hyper::StatusCode;
use serde::Serialize;

use crate::{
    api::{
        Limits, body,
        deadline::Deadline,
        reply::{self, Refusal, Reply},
    },
    authz::{Diagnostics, Json, Object},
    pdp::Session,
};

use super::{Decided, Rules, Slots, object, single};

/// When to stop before the end of the batch.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Semantic {
    DenyOnFirstDeny,
    ExecuteAll,
    PermitOnFirstPermit,
}

impl Semantic {
    /// Whether a decision ends the batch. A failure counts as a denial.
    fn ends_at(self, decision: bool) -> bool {
        match self {
            Self::DenyOnFirstDeny => !decision,
            Self::ExecuteAll => false,
            Self::PermitOnFirstPermit => decision,
        }
    }
}

#[derive(Serialize)]
struct Evaluations {
    evaluations: Vec<Decided>,
}

/// `POST /access/v1/evaluations`. `None` if the batch has more than `at_most` items; nothing is
/// decided then. Over the deadline, what was decided has been counted but is not told.
pub(in crate::api) fn evaluations(
    session: &Session<'_>,
    text: &[u8],
    rules: Rules,
    limits: &Limits,
    at_most: usize,
    deadline: &Deadline,
) -> Result<Option<Reply>, Refusal> {
    let json = body::parse(text, limits)?;
    let top = object(&json)?;
    let semantic = semantic(top).map_err(Refusal::invalid)?;
    let items = items(top).map_err(Refusal::invalid)?;
    if items.is_empty() {
        return single(session, top, rules).map(Some);
    }
    if items.len() > limits.batch {
        return Err(Refusal::batch_too_large("evaluations", items.len(), limits));
    }
    let defaults = Slots::top(top);
    defaults.all_objects().map_err(Refusal::invalid)?;
    if items.len() > at_most {
        return Ok(None);
    }
    session.batch(items.len());
    let mut evaluations = Vec::with_capacity(items.len());
    for (index, item) in items.iter().enumerate() {
        deadline.check()?;
        let decided = one(session, item, index, defaults, rules).unwrap_or_else(Decided::failed);
        let ends = semantic.ends_at(decided.decision);
        evaluations.push(decided);
        if ends {
            break;
        }
    }
    Ok(Some(reply::json(
        StatusCode::OK,
        &Evaluations { evaluations },
    )))
}

/// Answers one item, or says why it cannot be asked.
fn one<'a>(
    session: &Session<'_>,
    item: &'a Json<'a>,
    index: usize,
    defaults: Slots<'a>,
    rules: Rules,
) -> Result<Decided, String> {
    let item = item.as_object().ok_or_else(|| {
        let kind = item.kind();
        format!("`evaluations[{index}]` must be an object, not {kind}")
    })?;
    let question = Slots::item(item, index, defaults, rules.batch_defaults).question()?;
    let told = rules.tells(&question);
    let answer = session.ask(&question.raw(), told);
    Ok(match told {
        Diagnostics::Denials => Decided::plain(&answer),
        Diagnostics::Full => Decided::explained(answer),
    })
}

/// The items; none means that the body asks a single question.
fn items<'a>(top: &'a Object<'a>) -> Result<&'a [Json<'a>], String> {
    let Some(json) = top.non_null("evaluations") else {
        return Ok(&[]);
    };
    json.as_array()
        .ok_or_else(|| format!("`evaluations` must be an array, not {}", json.kind()))
}

fn semantic(top: &Object<'_>) -> Result<Semantic, String> {
    const NAME: &str = "options.evaluations_semantic";
    let Some(options) = top.non_null("options") else {
        return Ok(Semantic::ExecuteAll);
    };
    let options = options
        .as_object()
        .ok_or_else(|| format!("`options` must be an object, not {}", options.kind()))?;
    let Some(json) = options.non_null("evaluations_semantic") else {
        return Ok(Semantic::ExecuteAll);
    };
    match json.as_str() {
        Some("deny_on_first_deny") => Ok(Semantic::DenyOnFirstDeny),
        Some("execute_all") => Ok(Semantic::ExecuteAll),
        Some("permit_on_first_permit") => Ok(Semantic::PermitOnFirstPermit),
        Some(other) => Err(format!(
            "`{NAME}` must be `execute_all`, `deny_on_first_deny` or `permit_on_first_permit`, \
             not `{other}`"
        )),
        None => Err(format!("`{NAME}` must be a string, not {}", json.kind())),
    }
}
