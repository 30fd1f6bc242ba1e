//! OpenID AuthZEN Authorization API 1.0: evaluations, searches, metadata.
//!
//! What an unknown type, id or property means is up to policy: here only the shape of a request
//! can be wrong. Reasons are told only to those who ask.

use hyper::StatusCode;
use serde::Serialize;

use crate::{
    authz::{Answer, Decision, Diagnostics, Json, Object},
    pdp::Session,
};

use super::{
    Limits, body,
    reply::{self, Refusal, Reply},
};

mod batch;
mod metadata;
mod question;
mod search;

pub(super) use batch::evaluations;
pub(super) use metadata::Metadata;
pub use metadata::{BadPublicUrl, PublicUrl};
pub(super) use search::{Sought, search};

use question::{Question, Slots};

/// How the AuthZEN endpoints behave where the standard leaves a choice.
#[derive(Clone, Debug, Default)]
pub struct AuthzenOptions {
    /// What a batch's top-level objects mean for its items.
    pub batch_defaults: BatchDefaults,
    /// Tell reasons in every answer, not only to those who ask.
    pub decision_context: bool,
    /// The identifier of this PDP in its metadata; without one, what the caller's `Host` says.
    pub public_url: Option<PublicUrl>,
}

/// What a batch's top-level objects mean for its items.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BatchDefaults {
    /// As `Strict`, and a `type`, `id` or `name` that an item's object lacks is taken from the
    /// top-level object.
    FillIdentifiers,
    /// An item's object replaces the top-level one whole.
    #[default]
    Strict,
}

impl std::str::FromStr for BatchDefaults {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "fill-identifiers" => Ok(Self::FillIdentifiers),
            "strict" => Ok(Self::Strict),
            _ => Err(format!(
                "`{text}` is neither `strict` nor `fill-identifiers`"
            )),
        }
    }
}

/// What of the options a single decision needs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    batch_defaults: BatchDefaults,
    decision_context: bool,
}

impl Rules {
    /// How much an answer says of the question.
    fn tells(self, question: &Question<'_>) -> Diagnostics {
        if self.decision_context || question.explain {
            Diagnostics::Full
        } else {
            Diagnostics::Denials
        }
    }
}

impl AuthzenOptions {
    pub(super) fn rules(&self) -> Rules {
        Rules {
            batch_defaults: self.batch_defaults,
            decision_context: self.decision_context,
        }
    }
}

/// `POST /access/v1/evaluation`.
pub(super) fn evaluation(
    session: &Session<'_>,
    text: &[u8],
    rules: Rules,
    limits: &Limits,
) -> Result<Reply, Refusal> {
    let json = body::parse(text, limits)?;
    single(session, object(&json)?, rules)
}

/// `POST /v1/explain` of the admin listener: an evaluation that is always explained and counts
/// as no traffic.
pub(super) fn explain(
    session: &Session<'_>,
    text: &[u8],
    limits: &Limits,
) -> Result<Reply, Refusal> {
    let json = body::parse(text, limits)?;
    let question = Slots::top(object(&json)?)
        .question()
        .map_err(Refusal::invalid)?;
    let answer = session.explain(&question.raw());
    Ok(reply::json(StatusCode::OK, &Decided::explained(answer)))
}

/// Answers a body that asks one question.
fn single(session: &Session<'_>, object: &Object<'_>, rules: Rules) -> Result<Reply, Refusal> {
    let question = Slots::top(object).question().map_err(Refusal::invalid)?;
    let told = rules.tells(&question);
    let answer = session.ask(&question.raw(), told);
    if told == Diagnostics::Full {
        return Ok(reply::json(StatusCode::OK, &Decided::explained(answer)));
    }
    let text: &'static [u8] = match answer.decision() {
        Decision::Allow => br#"{"decision":true}"#,
        Decision::Deny => br#"{"decision":false}"#,
    };
    Ok(reply::json_text(StatusCode::OK, text))
}

/// The object that a parsed body is.
fn object<'a>(json: &'a Json<'a>) -> Result<&'a Object<'a>, Refusal> {
    json.as_object()
        .ok_or_else(|| Refusal::invalid("the body must be an object"))
}

/// One decision, as AuthZEN writes it.
#[derive(Serialize)]
struct Decided {
    decision: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    context: Option<Context>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Context {
    Explained(Reasons),
    Failed { error: ItemError },
}

/// Why a decision came out as it did.
#[derive(Serialize)]
struct Reasons {
    outcome: &'static str,
    policies: Vec<String>,
    diagnostics: Vec<String>,
}

/// Why an item of a batch could not be asked.
#[derive(Serialize)]
struct ItemError {
    status: u16,
    message: String,
}

impl Decided {
    fn plain(answer: &Answer) -> Self {
        Self {
            decision: answer.decision() == Decision::Allow,
            context: None,
        }
    }

    fn explained(answer: Answer) -> Self {
        let plain = Self::plain(&answer);
        let errors = answer.errors.into_iter().map(|error| error.message);
        let mut diagnostics: Vec<_> = answer.diagnostics.into_iter().chain(errors).collect();
        diagnostics.sort_unstable();
        let reasons = Reasons {
            outcome: answer.outcome.as_str(),
            policies: answer.policies,
            diagnostics,
        };
        Self {
            context: Some(Context::Explained(reasons)),
            ..plain
        }
    }

    fn failed(message: String) -> Self {
        let status = StatusCode::BAD_REQUEST.as_u16();
        Self {
            decision: false,
            context: Some(Context::Failed {
                error: ItemError { status, message },
            }),
        }
    }
}
