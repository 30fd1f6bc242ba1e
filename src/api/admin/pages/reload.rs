//! The part of `/v1/status` about reloads: each attempt, and what can be brought back.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::{
    authz::Finding,
    telemetry::{Attempt, Rollback},
};

use super::rfc3339;

/// One attempt to bring something else into force.
#[derive(Serialize)]
pub(super) struct AttemptLine<'a> {
    at: String,
    trigger: &'static str,
    /// Who wanted it, if an operator did and is known.
    by: Option<&'a str>,
    /// What was in force.
    from: Option<&'a str>,
    /// The candidate's.
    revision: Option<&'a str>,
    result: &'static str,
    reason: &'static str,
    changes: Vec<ChangeLine<'a>>,
    /// How many more files changed.
    more_changes: usize,
    findings: Vec<FindingLine<'a>>,
    /// By phase.
    duration_ms: BTreeMap<&'static str, f64>,
}

#[derive(Serialize)]
struct ChangeLine<'a> {
    change: &'static str,
    file: &'a str,
    /// The user that the file belongs to, if it is still there.
    owner: Option<u32>,
}

/// What can be brought back.
#[derive(Serialize)]
pub(super) struct RollbackLine<'a> {
    pinned: Option<&'a str>,
    acceptable: Option<&'a str>,
    /// Newest last.
    revisions: Vec<RevisionLine<'a>>,
}

#[derive(Serialize)]
struct RevisionLine<'a> {
    revision: &'a str,
    loaded_at: String,
}

impl<'a> AttemptLine<'a> {
    pub(super) fn of(attempt: &'a Attempt) -> Self {
        let [result, reason] = attempt.result.labels();
        let changes = attempt.changes.files.iter();
        let changes = changes.map(|it| ChangeLine {
            change: it.change.as_str(),
            file: &it.name,
            owner: it.owner,
        });
        let took = attempt.durations_ms();
        Self {
            at: rfc3339(attempt.at),
            trigger: attempt.trigger.as_str(),
            by: attempt.by.as_deref(),
            from: attempt.from.as_deref(),
            revision: attempt.revision.as_deref(),
            result,
            reason,
            changes: changes.collect(),
            more_changes: attempt.changes.more,
            findings: attempt.findings.iter().map(FindingLine::of).collect(),
            duration_ms: took.map(|(phase, ms)| (phase.as_str(), ms)).collect(),
        }
    }
}

impl<'a> RollbackLine<'a> {
    pub(super) fn of(rollback: &'a Rollback) -> Self {
        let revisions = rollback.revisions.iter();
        let revisions = revisions.map(|(revision, loaded_at)| RevisionLine {
            revision,
            loaded_at: rfc3339(*loaded_at),
        });
        Self {
            pinned: rollback.pinned.as_deref(),
            acceptable: rollback.acceptable.as_deref(),
            revisions: revisions.collect(),
        }
    }
}

/// What is wrong somewhere.
#[derive(Serialize)]
pub(in crate::api::admin) struct FindingLine<'a> {
    kind: &'static str,
    severity: &'static str,
    file: &'a str,
    line: Option<usize>,
    column: Option<usize>,
    source_line: Option<&'a str>,
    message: &'a str,
    label: Option<&'a str>,
    help: Option<&'a str>,
}

impl<'a> FindingLine<'a> {
    pub(in crate::api::admin) fn of(finding: &'a Finding) -> Self {
        let place = finding.place.as_ref();
        Self {
            kind: finding.kind.as_str(),
            severity: finding.severity.as_str(),
            file: &finding.file,
            line: place.map(|place| place.line),
            column: place.map(|place| place.column),
            source_line: place.map(|place| place.source_line.as_str()),
            message: &finding.message,
            label: finding.label.as_deref(),
            help: finding.help.as_deref(),
        }
    }
}
