//! `palisade check`: would these sources be taken?

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use serde_json::json;

use crate::{
    api::GatewayMapping,
    authz::{Finding, Kind, Rejection, Snapshot},
    config::SourceArgs,
    server::read_small,
    source::rehearse,
};

use super::{Exit, Failure, complain, finding_json, load, print};

/// Parse and validate policies, schema, entities, spec and routes without serving them, and try the
/// canaries
///
/// Findings go to standard error, a summary to standard output. Exits with 3 if the sources would
/// be refused.
#[derive(Args, Debug)]
pub(super) struct Check {
    #[command(flatten)]
    sources: SourceArgs,
    /// How to tell the result; `json` goes to standard output, findings included
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Hold the routes that gateways ask, as `serve` takes them, against the schema
    #[arg(long, env = "PALISADE_GATEWAY", value_name = "FILE")]
    gateway: Option<PathBuf>,
    /// Refuse what has warnings, too
    #[arg(long)]
    deny_warnings: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    Json,
    Text,
}

impl Check {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        let gateway = self.gateway.as_deref();
        let checked = load(self.sources).and_then(with_spec).and_then(tried);
        let checked =
            checked.and_then(|(snapshot, canaries)| Ok((routed(snapshot, gateway)?, canaries)));
        match checked {
            Ok((snapshot, canaries)) => {
                let warned = self.deny_warnings && !snapshot.warnings().is_empty();
                let checked = Some((&snapshot, canaries));
                tell(self.format, checked, snapshot.warnings(), !warned)?;
                Ok(if warned { Exit::Rejected } else { Exit::Ok })
            }
            Err(Failure::Rejected(rejection)) => {
                tell(self.format, None, rejection.findings(), false)?;
                Ok(Exit::Rejected)
            }
            Err(failure @ (Failure::Usage(_) | Failure::Runtime(_))) => Err(failure),
        }
    }
}

/// The snapshot, if its spec holds too: serving does not need it until somebody wants the matrix.
fn with_spec(snapshot: Snapshot) -> Result<Snapshot, Failure> {
    match snapshot.matrix() {
        Ok(_) => Ok(snapshot),
        Err(rejection) => Err(rejection.clone().into()),
    }
}

/// The snapshot, if the canaries hold, with their number.
fn tried(snapshot: Snapshot) -> Result<(Snapshot, usize), Failure> {
    let rehearsal = rehearse(&snapshot);
    match Rejection::of(rehearsal.findings.clone()) {
        Some(rejection) => Err(rejection.into()),
        None => {
            let canaries = rehearsal.cases + rehearsal.cells;
            Ok((snapshot.with_warnings(rehearsal.findings), canaries))
        }
    }
}

/// The snapshot, if there are no routes or they are such; with a warning for each that asks what the
/// schema does not know.
fn routed(snapshot: Snapshot, gateway: Option<&Path>) -> Result<Snapshot, Failure> {
    let Some(path) = gateway else {
        return Ok(snapshot);
    };
    let name = path.display().to_string();
    let refused =
        |kind, why: String| Failure::from(Rejection::from(Finding::error(kind, &name, why)));
    let bytes = read_small(path).map_err(|error| refused(Kind::Io, error.to_string()))?;
    let mapping = GatewayMapping::parse(&bytes);
    let mapping = mapping.map_err(|error| refused(Kind::Parse, error.to_string()))?;
    let text = String::from_utf8_lossy(&bytes);
    let unknown = mapping.undeclared(&snapshot).into_iter();
    let warnings = unknown.map(|(line, why)| {
        let finding = Finding::error(Kind::Validate, &name, why).warning();
        finding.at_line(&text, line, 1)
    });
    Ok(snapshot.with_warnings(warnings.collect()))
}

/// Tells the findings, and what was checked with how many canaries if it was not refused.
fn tell(
    format: Format,
    checked: Option<(&Snapshot, usize)>,
    findings: &[Finding],
    accepted: bool,
) -> Result<(), Failure> {
    let (snapshot, canaries) = checked.unzip();
    let counts = snapshot.map(Snapshot::counts).unwrap_or_default();
    let revision = snapshot.map(|snapshot| snapshot.revision().as_str());
    match format {
        Format::Json => print(json!({
            "accepted": accepted,
            "revision": revision,
            "policies": counts.policies,
            "entities": counts.entities,
            "schema_actions": counts.schema_actions,
            "canaries": canaries.unwrap_or_default(),
            "findings": findings.iter().map(finding_json).collect::<Vec<_>>(),
        })),
        Format::Text => {
            complain(findings);
            let Some(revision) = revision else {
                complain([format!("refused: {} findings", findings.len())]);
                return Ok(());
            };
            print(format_args!(
                "{}: {} policies, {} entities, {} actions, {} canaries, {} warnings\nrevision {revision}",
                if accepted { "accepted" } else { "refused" },
                counts.policies,
                counts.entities,
                counts.schema_actions,
                canaries.unwrap_or_default(),
                findings.len(),
            ))
        }
    }
}
