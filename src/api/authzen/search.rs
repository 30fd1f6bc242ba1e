//! `POST /access/v1/search/{subject,resource,action}`: who may, on what, and which action.

use std::{
    borrow::Cow,
    time::{Duration, Instant},
};

use hyper::StatusCode;
use serde::Serialize;

use crate::{
    api::{
        Limits, body,
        deadline::Deadline,
        reply::{self, Refusal, Reply},
    },
    authz::{Found, Object, RawAction, RawEntity, RawSearch, RawTarget},
    pdp::Session,
};

use super::{Rules, object, question::Slots};

mod page;

use page::Page;

/// What is searched for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::api) enum Sought {
    Action,
    Resource,
    Subject,
}

impl Sought {
    /// The name in the path of the endpoint.
    fn as_str(self) -> &'static str {
        match self {
            Self::Action => "action",
            Self::Resource => "resource",
            Self::Subject => "subject",
        }
    }
}

/// `POST /access/v1/search/…`. `None` if there are more than `at_most` candidates; nothing is
/// decided then. A search that takes too long ends with a page from which it can go on.
pub(in crate::api) fn search(
    session: &Session<'_>,
    text: &[u8],
    sought: Sought,
    rules: Rules,
    limits: &Limits,
    at_most: usize,
    deadline: &Deadline,
) -> Result<Option<Reply>, Refusal> {
    let json = body::parse(text, limits)?;
    let top = object(&json)?;
    let slots = Slots::top(top);
    let question = SearchQuestion::parse(&slots, sought).map_err(Refusal::invalid)?;
    let page = Page::parse(top, sought, session.revision())?;
    let search = session.snapshot().search(&question.raw());
    if search.candidates() > at_most {
        return Ok(None);
    }
    let until = Until::new(limits.search_time, deadline);
    let found = session.page(
        &search,
        page.from(),
        page.limit(),
        limits.search_evaluations,
        || until.is_ahead(),
    );
    let context = (rules.decision_context || question.explain).then(|| Context {
        diagnostics: diagnostics(search.diagnostics(), &found),
    });
    let answer = Answer {
        page: page.told(&found),
        context,
        results: results(&question, &found.ids),
    };
    Ok(Some(reply::json(StatusCode::OK, &answer)))
}

/// A search of the right shape.
struct SearchQuestion<'a> {
    parts: Parts<'a>,
    context: Option<Cow<'a, Object<'a>>>,
    explain: bool,
}

enum Parts<'a> {
    Action(RawEntity<'a>, RawEntity<'a>),
    Resource(RawEntity<'a>, RawAction<'a>, RawTarget<'a>),
    Subject(RawTarget<'a>, RawAction<'a>, RawEntity<'a>),
}

impl<'a> SearchQuestion<'a> {
    fn parse(slots: &Slots<'a>, sought: Sought) -> Result<Self, String> {
        let parts = match sought {
            Sought::Action => Parts::Action(slots.subject()?, slots.resource()?),
            Sought::Resource => {
                Parts::Resource(slots.subject()?, slots.action()?, slots.resource_type()?)
            }
            Sought::Subject => {
                Parts::Subject(slots.subject_type()?, slots.action()?, slots.resource()?)
            }
        };
        let (context, explain) = slots.context()?;
        Ok(Self {
            parts,
            context,
            explain,
        })
    }

    fn raw(&self) -> RawSearch<'_> {
        let context = self.context.as_deref();
        match self.parts {
            Parts::Action(principal, resource) => RawSearch::Action {
                principal,
                resource,
                context,
            },
            Parts::Resource(principal, action, target) => RawSearch::Resource {
                principal,
                action,
                target,
                context,
            },
            Parts::Subject(target, action, resource) => RawSearch::Principal {
                target,
                action,
                resource,
                context,
            },
        }
    }
}

/// Until when a search may go on.
struct Until<'d> {
    at: Option<Instant>,
    deadline: &'d Deadline,
}

impl<'d> Until<'d> {
    fn new(time: Duration, deadline: &'d Deadline) -> Self {
        Self {
            at: Instant::now().checked_add(time),
            deadline,
        }
    }

    fn is_ahead(&self) -> bool {
        self.at.is_none_or(|at| Instant::now() < at) && self.deadline.check().is_ok()
    }
}

/// The answer. `page` comes first, as the standard recommends.
#[derive(Serialize)]
struct Answer<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    page: Option<page::Told>,
    #[serde(skip_serializing_if = "Option::is_none")]
    context: Option<Context>,
    results: Vec<Named<'a>>,
}

#[derive(Serialize)]
struct Context {
    diagnostics: Vec<String>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Named<'a> {
    Action {
        name: &'a str,
    },
    Entity {
        #[serde(rename = "type")]
        kind: &'a str,
        id: &'a str,
    },
}

fn results<'a>(question: &'a SearchQuestion<'_>, ids: &'a [String]) -> Vec<Named<'a>> {
    let named = |id: &'a String| match &question.parts {
        Parts::Action(..) => Named::Action { name: id },
        Parts::Resource(.., target) | Parts::Subject(target, ..) => Named::Entity {
            kind: target.type_name,
            id,
        },
    };
    ids.iter().map(named).collect()
}

/// What was odd about the query, and what failed in candidates, sorted.
fn diagnostics(query: &[String], found: &Found) -> Vec<String> {
    let errors = found.errors.iter().map(|error| &error.message);
    let mut lines: Vec<String> = query.iter().chain(errors).cloned().collect();
    lines.sort_unstable();
    lines
}
