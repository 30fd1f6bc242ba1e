//! What a line says, as JSON of our own.

use std::{collections::BTreeMap, fmt, process, time::SystemTime};

use opentelemetry::trace::{SpanId, TraceId};
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::{
    authz::{Finding, Kind},
    telemetry::Attempt,
};

use super::{
    Decision, LogRules, Overflow,
    question::{Text, shortened},
};

/// Most policies that a record names.
const MAX_POLICIES: usize = 100;

/// One line.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[expect(
    clippy::large_enum_variant,
    reason = "it is written where it was made, and moved nowhere"
)]
pub(super) enum Record<'a> {
    Decision(Decided<'a>),
    Lifecycle(Life<'a>),
    Reload(Reload<'a>),
}

/// A decision.
#[derive(Debug, Serialize)]
pub(super) struct Decided<'a> {
    pub(super) time: Time,
    pub(super) decision_id: Uuid,
    pub(super) request_id: Option<String>,
    pub(super) trace_id: Option<Id<TraceId>>,
    pub(super) span_id: Option<Id<SpanId>>,
    /// Who asked, by credentials, certificate or user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) caller: Option<String>,
    pub(super) revision: &'a str,
    pub(super) endpoint: &'static str,
    pub(super) principal: String,
    pub(super) action: String,
    pub(super) resource: String,
    pub(super) decision: &'static str,
    pub(super) outcome: &'static str,
    pub(super) policies: &'a [String],
    /// How many more policies decided.
    #[serde(skip_serializing_if = "is_zero")]
    pub(super) more_policies: usize,
    /// The policies that could not be evaluated. Cedar's messages quote values.
    pub(super) errors: Vec<&'a str>,
    pub(super) duration_us: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) context: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) entities: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) additional_entities: Option<Box<RawValue>>,
    /// What would have been too much.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) omitted: Vec<&'static str>,
}

/// An attempt to bring something else into force.
#[derive(Debug, Serialize)]
pub(super) struct Reload<'a> {
    pub(super) time: Time,
    pub(super) trigger: &'static str,
    /// Who wanted it, if an operator did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) by: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) from: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) to: Option<&'a str>,
    pub(super) result: &'static str,
    pub(super) reason: &'static str,
    pub(super) changes: Vec<ChangedFile<'a>>,
    #[serde(skip_serializing_if = "is_zero")]
    pub(super) more_changes: usize,
    pub(super) findings: Vec<Found<'a>>,
    pub(super) duration_ms: BTreeMap<&'static str, f64>,
}

/// A file that is another one now.
#[derive(Debug, Serialize)]
pub(super) struct ChangedFile<'a> {
    change: &'static str,
    file: &'a str,
    /// The user that the file belongs to: whoever saved it last, where editors make a new file.
    #[serde(skip_serializing_if = "Option::is_none")]
    owner: Option<u32>,
}

/// What is wrong somewhere. Messages about stored data quote attributes, and are not told.
#[derive(Debug, Serialize)]
pub(super) struct Found<'a> {
    kind: &'static str,
    severity: &'static str,
    file: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    column: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'a str>,
}

/// A turn of the service's life, or of the log's.
#[derive(Debug, Serialize)]
pub(super) struct Life<'a> {
    pub(super) time: Time,
    #[serde(flatten)]
    pub(super) event: Event<'a>,
}

#[derive(Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(super) enum Event<'a> {
    /// No decision is lost from here on: those in flight are answered.
    Draining,
    /// Here so many records are missing.
    Dropped { records: usize },
    /// The file is a new one.
    Reopened,
    /// What the log will hold.
    Started {
        version: &'static str,
        pid: u32,
        overflow: &'static str,
        allows: f64,
        context: &'a [String],
        entities: bool,
    },
    /// Nothing comes after it.
    Stopped,
}

/// A moment, to the microsecond, as RFC 3339 has it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Time(pub(super) SystemTime);

/// An id of a trace or of a span in it, as W3C writes it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Id<T>(T);

impl<T: fmt::Display> Serialize for Id<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&humantime::format_rfc3339_micros(self.0))
    }
}

impl<'a> Decided<'a> {
    pub(super) fn new(id: Uuid, decision: &Decision<'a>, rules: &'a LogRules) -> Self {
        let Decision {
            about,
            question,
            revision,
            answer,
            took,
        } = *decision;
        let trace = about.trace();
        let request_id = about.request_id.as_ref().map(|id| id.as_bytes());
        let [principal, action, resource] = question.uids();
        let policies = answer.policies.get(..MAX_POLICIES);
        let policies = policies.unwrap_or(&answer.policies);
        let mut omitted = Vec::new();
        let mut kept = |name, text: Option<Text>| {
            let text = text?.inspect_err(|_| omitted.push(name));
            text.ok()
        };
        let context = kept("context", question.context(&rules.context));
        let [entities, additional] = match rules.entities {
            true => question.entities(),
            false => [None, None],
        };
        let entities = kept("entities", entities);
        let additional_entities = kept("additional_entities", additional);
        Self {
            time: Time(SystemTime::now()),
            decision_id: id,
            request_id: request_id.map(|id| shortened(&String::from_utf8_lossy(id))),
            trace_id: trace.map(|it| Id(it.trace_id)),
            span_id: trace.map(|it| Id(it.span_id)),
            caller: about.who(),
            revision: revision.as_str(),
            endpoint: about.endpoint,
            principal,
            action,
            resource,
            decision: answer.decision().as_str(),
            outcome: answer.outcome.as_str(),
            policies,
            more_policies: answer.policies.len() - policies.len(),
            errors: answer.errors.iter().map(|it| it.policy.as_str()).collect(),
            duration_us: took.as_nanos() as f64 / 1e3,
            context,
            entities,
            additional_entities,
            omitted,
        }
    }
}

impl<'a> From<&'a Attempt> for Reload<'a> {
    fn from(attempt: &'a Attempt) -> Self {
        let [result, reason] = attempt.result.labels();
        let changes = attempt.changes.files.iter();
        let took = attempt.durations_ms();
        Self {
            time: Time(attempt.at),
            trigger: attempt.trigger.as_str(),
            by: attempt.by.as_deref(),
            from: attempt.from.as_deref(),
            to: attempt.revision.as_deref(),
            result,
            reason,
            changes: changes
                .map(|it| ChangedFile {
                    change: it.change.as_str(),
                    file: &it.name,
                    owner: it.owner,
                })
                .collect(),
            more_changes: attempt.changes.more,
            findings: attempt.findings.iter().map(Found::from).collect(),
            duration_ms: took.map(|(phase, ms)| (phase.as_str(), ms)).collect(),
        }
    }
}

impl<'a> From<&'a Finding> for Found<'a> {
    fn from(finding: &'a Finding) -> Self {
        let place = finding.place.as_ref();
        Self {
            kind: finding.kind.as_str(),
            severity: finding.severity.as_str(),
            file: &finding.file,
            line: place.map(|it| it.line),
            column: place.map(|it| it.column),
            message: (finding.kind != Kind::Entities).then_some(finding.message.as_str()),
        }
    }
}

impl<'a> Event<'a> {
    pub(super) fn started(rules: &'a LogRules) -> Self {
        Self::Started {
            version: env!("CARGO_PKG_VERSION"),
            pid: process::id(),
            overflow: match rules.overflow {
                Overflow::Block => "block",
                Overflow::Drop => "drop",
            },
            allows: rules.allows,
            context: &rules.context,
            entities: rules.entities,
        }
    }

    /// The record of it, now.
    pub(super) fn record(self) -> Record<'a> {
        Record::Lifecycle(Life {
            time: Time(SystemTime::now()),
            event: self,
        })
    }
}

fn is_zero(count: &usize) -> bool {
    *count == 0
}
