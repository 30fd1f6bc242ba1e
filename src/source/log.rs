//! What is said in the log about each attempt to bring other sources into force: one line, which
//! is the record that `/v1/status` shows, with the first findings.

use tracing::{info, warn};

use crate::{
    authz::{Counts, Finding, Kind, Severity},
    telemetry::{Attempt, Changes, Phase, ReloadResult, Trigger},
};

/// Said in place of a message that may hold attributes.
const ELSEWHERE: &str = "see `/v1/status` or `palisade check`";

/// How many findings or files stand in a line: collectors cut long ones, and the status page has more.
const MAX_SHOWN: usize = 10;

/// Writes the record of an attempt. Fields that say nothing are left out.
macro_rules! record {
    ($level:ident, $attempt:expr, $($more:tt)*) => {{
        let attempt: &Attempt = $attempt;
        let [result, reason] = attempt.result.labels();
        $level!(
            trigger = attempt.trigger.as_str(),
            from = attempt.from.as_deref(),
            revision = attempt.revision.as_deref(),
            result,
            reason,
            changes = changes(&attempt.changes),
            count = attempt.findings.len(),
            findings = joined(&attempt.findings),
            read_ms = ms(attempt, Phase::Read),
            compile_ms = ms(attempt, Phase::Compile),
            canary_ms = ms(attempt, Phase::Canary),
            prove_ms = ms(attempt, Phase::Prove),
            $($more)*
        );
    }};
}

/// A candidate was taken, at once or for later, or an operator turned to another snapshot.
pub(super) fn taken(attempt: &Attempt, counts: Counts) {
    let revision = attempt.revision.as_deref().unwrap_or_default();
    let (policies, entities) = (counts.policies, counts.entities);
    let done = match (attempt.trigger, attempt.result) {
        (_, ReloadResult::Held) => "compiled, and holding for the end of the pin,",
        (Trigger::Pin, _) => "pinned",
        (Trigger::Unpin, _) => "unpinned, and published",
        _ => "published",
    };
    match attempt.findings.first() {
        None => record!(
            info,
            attempt,
            policies,
            entities,
            "{done} revision {revision}"
        ),
        Some(first) => record!(
            warn,
            attempt,
            policies,
            entities,
            "{done} revision {revision} in spite of {} warnings: {}",
            attempt.findings.len(),
            line(first)
        ),
    }
}

/// A candidate was refused.
pub(super) fn refused(attempt: &Attempt) {
    let first = errors(&attempt.findings).next();
    let help = first.and_then(|it| it.help.as_deref());
    let first = first.map(line).unwrap_or_default();
    record!(
        warn,
        attempt,
        help,
        "refused the sources, the last good ones stay: {first}"
    );
}

/// What was refused is gone.
pub(super) fn restored(attempt: &Attempt) {
    let revision = attempt.revision.as_deref().unwrap_or_default();
    record!(
        info,
        attempt,
        "the sources are again those of revision {revision}"
    );
}

/// The findings that stop a candidate.
pub(super) fn errors(findings: &[Finding]) -> impl Iterator<Item = &Finding> {
    let findings = findings.iter();
    findings.filter(|finding| finding.severity == Severity::Error)
}

fn ms(attempt: &Attempt, phase: Phase) -> Option<f64> {
    let mut durations = attempt.durations_ms();
    durations.find_map(|(it, ms)| (it == phase).then_some(ms))
}

/// The files that changed, and how many more there are.
fn changes(changes: &Changes) -> Option<String> {
    let shown = changes.files.iter().take(MAX_SHOWN);
    let shown = shown.map(|it| format!("{} {}", it.change.as_str(), it.name));
    let hidden = changes.files.len().saturating_sub(MAX_SHOWN) + changes.more;
    list(shown, hidden, ", ")
}

/// The first findings, and how many more there are.
fn joined(findings: &[Finding]) -> Option<String> {
    let shown = findings.iter().take(MAX_SHOWN).map(line);
    list(shown, findings.len().saturating_sub(MAX_SHOWN), "; ")
}

fn list(shown: impl Iterator<Item = String>, hidden: usize, between: &str) -> Option<String> {
    let more = (hidden > 0).then(|| format!("{hidden} more"));
    let all: Vec<String> = shown.chain(more).collect();
    (!all.is_empty()).then(|| all.join(between))
}

/// Where it is and what is wrong. Messages about stored data quote attributes, which are not for
/// whoever reads the log: those are told where an operator asks for them.
fn line(finding: &Finding) -> String {
    let (file, message) = match finding.kind {
        Kind::Entities if finding.file.is_empty() => ("stored entities", ELSEWHERE),
        Kind::Entities => (finding.file.as_str(), ELSEWHERE),
        Kind::Canary | Kind::Io | Kind::Parse | Kind::Proof | Kind::Shrink | Kind::Validate => {
            (finding.file.as_str(), finding.message.as_str())
        }
    };
    match &finding.place {
        Some(place) => format!("{file}:{}:{}: {message}", place.line, place.column),
        None if file.is_empty() => message.to_owned(),
        None => format!("{file}: {message}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_line_about_entities_says_where_and_not_what() {
        let text = r#"[{"uid": {"type": "T", "id": "1"}, "attrs": {"card": "s3cret"}}]"#;
        let finding = |kind| {
            Finding::error(kind, "e.json", "`card` is not a long: `\"s3cret\"`").at(text, 43, 6)
        };
        assert_eq!(
            line(&finding(Kind::Entities)),
            "e.json:1:44: see `/v1/status` or `palisade check`"
        );
        assert_eq!(
            line(&Finding::error(Kind::Entities, "", "`s3cret`")),
            "stored entities: see `/v1/status` or `palisade check`"
        );
        assert_eq!(
            line(&finding(Kind::Parse)),
            "e.json:1:44: `card` is not a long: `\"s3cret\"`"
        );
    }
}
