//! `/v1/status`, `/v1/policies`, `/v1/schema`: what is in force and how it came to be.

use std::{collections::BTreeMap, sync::Arc, time::SystemTime};

use hyper::StatusCode;
use serde::Serialize;

use crate::{
    api::reply::{self, Refusal, Reply},
    authz::{PolicyInfo, Revision, Snapshot},
    telemetry::{InForce, Kept, KeptKind, Reading},
};

mod reload;

pub(super) use reload::FindingLine;
use reload::{AttemptLine, RollbackLine};

/// `/v1/status`.
pub(super) fn status(reading: &Reading) -> Reply {
    let in_force = reading.in_force.as_ref();
    let files = in_force.map_or(&[][..], |it| &it.files);
    let warnings = in_force.map_or(&[][..], |it| it.snapshot.warnings());
    let revision = in_force.map(|it| it.snapshot.revision());
    let body = StatusPage {
        revision: revision.map(Revision::as_str),
        loaded_at: in_force.map(|it| rfc3339(it.loaded_at)),
        files: files
            .iter()
            .map(|(name, sha256)| FileLine { name, sha256 })
            .collect(),
        counts: in_force.map(CountsLine::of),
        warnings: warnings.iter().map(FindingLine::of).collect(),
        attempts: reading
            .attempts
            .iter()
            .map(Arc::as_ref)
            .map(AttemptLine::of)
            .collect(),
        rollback: reading.rollback.as_ref().map(RollbackLine::of),
        access: reading.access.iter().map(AccessLine::of).collect(),
    };
    let reply = reply::json(StatusCode::OK, &body);
    match revision {
        Some(revision) => reply::of_revision(reply, revision),
        None => reply,
    }
}

/// `/v1/policies`: every policy in force, in reading order.
pub(super) fn policies(snapshot: &Snapshot) -> Reply {
    let body = PoliciesPage {
        revision: snapshot.revision().as_str(),
        policies: snapshot.policies().iter().map(PolicyLine::of).collect(),
    };
    reply::json(StatusCode::OK, &body)
}

/// `/v1/schema`: the schema in Cedar's JSON format.
pub(super) fn schema(snapshot: &Snapshot) -> Result<Reply, Refusal> {
    let text = snapshot
        .schema_json()
        .ok_or_else(|| Refusal::absent("no schema is in force"))?;
    Ok(reply::json_text(StatusCode::OK, text.to_owned()))
}

/// Seconds are enough to find the line in the log.
fn rfc3339(at: SystemTime) -> String {
    humantime::format_rfc3339_seconds(at).to_string()
}

#[derive(Serialize)]
struct StatusPage<'a> {
    revision: Option<&'a str>,
    loaded_at: Option<String>,
    files: Vec<FileLine<'a>>,
    counts: Option<CountsLine>,
    warnings: Vec<FindingLine<'a>>,
    /// Newest last.
    attempts: Vec<AttemptLine<'a>>,
    /// `null` if nobody may bring anything back.
    rollback: Option<RollbackLine<'a>>,
    access: Vec<AccessLine<'a>>,
}

#[derive(Serialize)]
struct FileLine<'a> {
    name: &'a str,
    sha256: &'a str,
}

#[derive(Serialize)]
struct CountsLine {
    policies: usize,
    entities: usize,
    schema_actions: usize,
    canaries: usize,
}

impl CountsLine {
    fn of(in_force: &InForce) -> Self {
        let counts = in_force.snapshot.counts();
        Self {
            policies: counts.policies,
            entities: counts.entities,
            schema_actions: counts.schema_actions,
            canaries: counts.canaries,
        }
    }
}

/// What a listener demands of its callers; digests of certificates and names, and no secret.
#[derive(Serialize)]
struct AccessLine<'a> {
    listener: &'a str,
    kind: &'a str,
    files: &'a [String],
    in_force: BTreeMap<&'a str, &'a [String]>,
    loaded_at: String,
    /// When our certificate ends; of credentials, never.
    not_after: Option<String>,
    warnings: &'a [String],
    error: Option<AccessError<'a>>,
}

#[derive(Serialize)]
struct AccessError<'a> {
    at: String,
    message: &'a str,
}

impl<'a> AccessLine<'a> {
    fn of(kept: &'a Kept) -> Self {
        let (in_force, not_after): (Vec<(&str, &[String])>, _) = match &kept.kind {
            KeptKind::Credentials { bearer, basic } => {
                (vec![("bearer", bearer), ("basic", basic)], None)
            }
            KeptKind::Routes { routes } => (vec![("routes", routes)], None),
            KeptKind::Tls {
                certificates,
                client_cas,
                not_after,
            } => (
                vec![("certificates", certificates), ("client_cas", client_cas)],
                Some(*not_after),
            ),
        };
        Self {
            listener: kept.listener,
            kind: kept.kind.as_str(),
            files: &kept.files,
            in_force: in_force.into_iter().collect(),
            loaded_at: rfc3339(kept.loaded_at),
            not_after: not_after.map(rfc3339),
            warnings: &kept.warnings,
            error: kept.error.as_ref().map(|(at, message)| AccessError {
                at: rfc3339(*at),
                message,
            }),
        }
    }
}

#[derive(Serialize)]
struct PoliciesPage<'a> {
    revision: &'a str,
    policies: Vec<PolicyLine<'a>>,
}

#[derive(Serialize)]
struct PolicyLine<'a> {
    id: &'a str,
    effect: &'static str,
    file: &'a str,
    line: usize,
    annotations: BTreeMap<&'a str, &'a str>,
}

impl<'a> PolicyLine<'a> {
    fn of(policy: &'a PolicyInfo) -> Self {
        Self {
            id: &policy.id,
            effect: policy.effect,
            file: &policy.file,
            line: policy.line,
            annotations: policy
                .annotations
                .iter()
                .map(|(key, value)| (key.as_str(), value.as_str()))
                .collect(),
        }
    }
}
