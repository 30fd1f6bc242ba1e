//! What gateways ask: may this request go on to the application? The request's method, path and
//! headers become principal, action and resource, as a file maps them.
//!
//! A gateway reads the code alone: 200 lets the request through, 401 and 403 are for whoever sent it,
//! and anything else is the gateway's or our own fault, of which it has to make a refusal.

use std::{borrow::Cow, collections::BTreeMap, time::Instant};

use arc_swap::ArcSwap;
use hyper::{
    Method, StatusCode,
    header::{CACHE_CONTROL, HeaderMap, HeaderValue, WWW_AUTHENTICATE},
};
use serde::Serialize;
use tracing::{Level, enabled, warn};

use crate::{
    authz::{Answer, Decision, Diagnostics, Json, Object, RawAction, RawEntity, RawQuery},
    pdp::Session,
    store::Reader,
    telemetry::{About, Throttle},
};

use super::reply::{self, Code, Refusal, Reply};

mod adapter;
mod mapping;
mod pattern;
mod query;
mod target;
mod template;

pub(super) use adapter::Adapter;
pub use mapping::{BadMapping, GatewayMapping};

use mapping::{Asks, Found};
use pattern::{Unsaid, Values};
use target::{Ambiguous, Target};

/// Requests that differ in headers alone have different answers, which a cache could not know.
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

/// The mapping in force, which may be replaced while it is asked.
#[derive(Debug)]
pub struct Gateway {
    mapping: ArcSwap<GatewayMapping>,
    reader: Reader,
    notices: Throttle,
}

/// A request that a gateway sent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked<'r> {
    pub(super) adapter: Adapter,
    pub(super) method: &'r Method,
    /// Path and query, without the tenant's.
    pub(super) target: &'r str,
    pub(super) headers: &'r HeaderMap,
}

impl Gateway {
    /// With a first mapping, of questions to what `reader` reads.
    pub fn new(mapping: GatewayMapping, reader: Reader) -> Self {
        Self {
            mapping: ArcSwap::from_pointee(mapping),
            reader,
            notices: Throttle::default(),
        }
    }

    /// Puts another mapping in force, for all requests from now on.
    pub fn replace(&self, mapping: GatewayMapping) {
        self.mapping.store(mapping.into());
    }

    /// What somebody should look at: routes in force that ask what the schema in force does not know.
    pub fn warnings(&self) -> Vec<String> {
        let in_force = self.reader.borrow();
        let Some(snapshot) = in_force.snapshot() else {
            return Vec::new();
        };
        let unknown = self.mapping.load().undeclared(snapshot).into_iter();
        unknown
            .map(|(line, why)| format!("line {line}: {why}"))
            .collect()
    }

    /// Whether the request that the gateway was asked may go on.
    pub(super) fn answer(
        &self,
        session: &Session<'_>,
        asked: &Asked<'_>,
        about: &About,
    ) -> Result<Reply, Refusal> {
        let decided = decide(&self.mapping.load(), session, asked);
        if let Err(refusal) = &decided
            && refusal.code == Code::GatewayMisconfigured
        {
            self.notice(&refusal.message, about);
        }
        // Not all of these are decisions, but all are answers.
        let revision = session.revision();
        match decided {
            Ok(mut reply) => {
                reply.headers_mut().insert(CACHE_CONTROL, NO_STORE);
                Ok(reply::of_revision(reply, revision))
            }
            Err(refusal) => {
                let refusal = refusal.of_revision(revision).with(CACHE_CONTROL, NO_STORE);
                Err(
                    if asked.adapter.reads_denials() || refusal.code == Code::GatewayMisconfigured {
                        refusal
                    } else {
                        refusal.bare()
                    },
                )
            }
        }
    }

    /// Says in the log what nobody sees behind a gateway that makes its own page of every error.
    fn notice(&self, reason: &str, about: &About) {
        if enabled!(Level::WARN)
            && let Some(suppressed) = self.notices.take(Instant::now())
        {
            about.say(|| warn!(reason, suppressed, "a gateway is not set up: {reason}"));
        }
    }
}

fn decide(
    mapping: &GatewayMapping,
    session: &Session<'_>,
    asked: &Asked<'_>,
) -> Result<Reply, Refusal> {
    let adapter = asked.adapter;
    let original = adapter.original(asked.method, asked.target, asked.headers);
    let original = original.map_err(|why| misconfigured(why.to_string()))?;
    let target = Target::parse(original.target).map_err(ambiguous)?;
    let found = mapping.find(original.method, &target).map_err(ambiguous)?;
    let (asks, found) = match found {
        Some(Found::Asks(asks, values)) => (asks, values),
        Some(Found::Public) => return Ok(allowed()),
        None => return Err(no_route()),
    };
    let mut values = Values {
        headers: asked.headers,
        found: &found,
        principal: "",
    };
    let principal = match mapping.principal.id.text(&values) {
        Err(Unsaid::Missing(_)) => return Err(no_principal(mapping)),
        said => said.map_err(unsaid)?,
    };
    values.principal = &principal;
    let resource = asks.resource.id.text(&values).map_err(unsaid)?;
    let context = context(asks, &values)?;
    let entity = |type_name, id| RawEntity {
        type_name,
        id,
        properties: None,
    };
    let query = RawQuery {
        principal: entity(&mapping.principal.type_name, &principal),
        action: RawAction {
            name: &asks.action,
            properties: None,
        },
        resource: entity(&asks.resource.type_name, &resource),
        context: Some(&context),
    };
    let diagnostics = if mapping.reasons {
        Diagnostics::Full
    } else {
        Diagnostics::Denials
    };
    let answer = session.ask(&query, diagnostics);
    Ok(match answer.decision() {
        Decision::Allow => allowed(),
        Decision::Deny if mapping.reasons || adapter.reads_denials() => {
            denied(answer, mapping.reasons)
        }
        Decision::Deny => reply::empty(StatusCode::FORBIDDEN, None),
    })
}

/// What the route says of the circumstances; a key whose header is missing is missing, too.
fn context<'a>(asks: &'a Asks, values: &Values<'_>) -> Result<Object<'a>, Refusal> {
    let mut said = BTreeMap::new();
    for (key, pattern) in &asks.context {
        match pattern.text(values) {
            Ok(text) => {
                said.insert(Cow::from(key), Json::String(text.into()));
            }
            Err(Unsaid::Missing(_)) => {}
            Err(other) => return Err(unsaid(other)),
        }
    }
    Ok(said.into())
}

fn allowed() -> Reply {
    reply::empty(StatusCode::OK, None)
}

/// Short, and without a reason unless the file says so: many gateways hand it on to whoever asked.
fn denied(answer: Answer, reasons: bool) -> Reply {
    let context = reasons.then(|| {
        let errors = answer.errors.into_iter().map(|error| error.message);
        let mut diagnostics: Vec<_> = answer.diagnostics.into_iter().chain(errors).collect();
        diagnostics.sort_unstable();
        Reasons {
            outcome: answer.outcome.as_str(),
            policies: answer.policies,
            diagnostics,
        }
    });
    let decision = false;
    reply::json(StatusCode::FORBIDDEN, &Denied { decision, context })
}

#[derive(Serialize)]
struct Denied {
    decision: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    context: Option<Reasons>,
}

/// Why a decision came out as it did.
#[derive(Serialize)]
struct Reasons {
    outcome: &'static str,
    policies: Vec<String>,
    diagnostics: Vec<String>,
}

fn unsaid(why: Unsaid<'_>) -> Refusal {
    match why {
        Unsaid::Ambiguous(why) => ambiguous(why),
        Unsaid::Missing(header) => misconfigured(format!("the header `{header}` is missing")),
        Unsaid::Repeated(header) => misconfigured(format!(
            "the header `{header}` came more than once: the gateway has to set it, not to add to it"
        )),
        Unsaid::Unreadable(header) => misconfigured(format!(
            "the header `{header}` is not UTF-8 without control characters"
        )),
    }
}

/// 403: the application could take it for another request than the one that would be decided.
fn ambiguous(why: Ambiguous) -> Refusal {
    let message = format!("not decided, as it can be read in more than one way: {why}");
    Refusal::new(StatusCode::FORBIDDEN, Code::AmbiguousPath, message)
}

/// 400: whoever set up the gateway has to do something.
fn misconfigured(why: String) -> Refusal {
    Refusal::bad(Code::GatewayMisconfigured, why)
}

/// 403: what nobody mapped, nobody may do.
fn no_route() -> Refusal {
    let message = "no route names this method and path";
    Refusal::new(StatusCode::FORBIDDEN, Code::NoRoute, message)
}

/// 401: the gateway knows nobody who asks.
fn no_principal(mapping: &GatewayMapping) -> Refusal {
    let message = "the gateway says of nobody that they ask";
    Refusal::new(StatusCode::UNAUTHORIZED, Code::NoPrincipal, message)
        .with(WWW_AUTHENTICATE, mapping.challenge.clone())
}
