//! What the reload loop says in the log: one line for each thing it did, with the first findings.

use tracing::warn;

use crate::authz::{Finding, Kind, Rejection, Revision, Severity};

/// Said in place of a message that may hold attributes.
const ELSEWHERE: &str = "see `/v1/status` or `palisade check`";

/// How many findings stand in a line: collectors cut long ones, and the status page has them all.
const MAX_SHOWN: usize = 10;

/// One line per refusal, without source lines.
pub(super) fn refused(revision: Option<&Revision>, rejection: &Rejection) {
    let reason = rejection.reason().as_str();
    let findings: Vec<&Finding> = errors(rejection).collect();
    let first = findings
        .first()
        .map_or_else(String::new, |first| line(first));
    warn!(
        revision = revision.map(Revision::as_str),
        reason,
        count = findings.len(),
        findings = joined(&findings),
        "refused the sources, the last good ones stay: {first}"
    );
}

pub(super) fn errors(rejection: &Rejection) -> impl Iterator<Item = &Finding> {
    let findings = rejection.findings().iter();
    findings.filter(|finding| finding.severity == Severity::Error)
}

/// One line for what the gates let through with a warning.
pub(super) fn warned(revision: &Revision, warnings: &[Finding]) {
    let findings: Vec<&Finding> = warnings.iter().collect();
    if let Some(first) = findings.first() {
        let first = line(first);
        warn!(
            %revision,
            count = findings.len(),
            findings = joined(&findings),
            "taking the sources in spite of {} warnings: {first}",
            findings.len()
        );
    }
}

/// The first findings, and how many more there are.
pub(super) fn joined(findings: &[&Finding]) -> String {
    let shown = findings.iter().take(MAX_SHOWN).map(|it| line(it));
    let more = findings.len().saturating_sub(MAX_SHOWN);
    let more = (more > 0).then(|| format!("{more} more on `/v1/status`"));
    shown.chain(more).collect::<Vec<_>>().join("; ")
}

/// Where it is and what is wrong. Messages about stored data quote attributes, which are not for
/// whoever reads the log: those are told where an operator asks for them.
pub(super) fn line(finding: &Finding) -> String {
    let (file, message) = match finding.kind {
        Kind::Entities if finding.file.is_empty() => ("stored entities", ELSEWHERE),
        Kind::Entities => (finding.file.as_str(), ELSEWHERE),
        Kind::Canary | Kind::Io | Kind::Parse | Kind::Shrink | Kind::Validate => {
            (finding.file.as_str(), finding.message.as_str())
        }
    };
    match &finding.place {
        Some(place) => format!("{file}:{}:{}: {message}", place.line, place.column),
        None if file.is_empty() => message.to_owned(),
        None => format!("{file}: {message}"),
    }
}
