//! The gates between compiled and published: what is valid may still be a mistake.

use std::time::{Duration, Instant};

use crate::authz::{Counts, Finding, Kind, Rehearsal, Rejection, Severity, Snapshot};

use super::compile;

/// How long the canaries may take, the matrix included: twenty times what those that ship do on
/// a busy machine. The next edit waits.
const CANARY_TIME: Duration = Duration::from_secs(10);

/// What a gate does with a candidate that it does not like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Gate {
    /// Refuses it.
    #[default]
    Enforce,
    /// Does not look at it.
    Off,
    /// Lets it through, and warns.
    Warn,
}

/// Every gate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Gates {
    /// Not much fewer policies than are in force.
    pub shrink: Gate,
    /// Known queries are answered, and the cells of the table are, as they must be.
    pub canary: Gate,
}

/// What the gates found.
#[derive(Debug, Default)]
pub(super) struct Verdict {
    findings: Vec<Finding>,
}

/// A candidate that is not published.
#[derive(Debug)]
pub(super) struct Unfit {
    pub(super) rejection: Rejection,
    /// If only a gate refused it: the candidate, with warnings for what the gate found.
    pub(super) acceptable: Option<Box<Snapshot>>,
}

impl From<Rejection> for Unfit {
    fn from(rejection: Rejection) -> Self {
        Self {
            rejection,
            acceptable: None,
        }
    }
}

impl Gate {
    /// The finding with the weight this gate gives it; of one that stops the candidate, also how to
    /// take it all the same.
    fn weigh(self, finding: Finding, flag: &str) -> Finding {
        if self != Self::Enforce || finding.severity == Severity::Warning {
            return finding.warning();
        }
        let all_the_same = format!(
            "`{flag}=warn` takes it all the same, and with `--rollback` so does `POST /v1/accept`"
        );
        let help = match &finding.help {
            Some(help) => format!("{help}; {all_the_same}"),
            None => all_the_same,
        };
        finding.help(help)
    }
}

impl Verdict {
    /// Compares how many policies there are with how many there were when the files were last in
    /// order, which is what is in force but for a pin. The first set is compared with nothing.
    pub(super) fn shrink(&mut self, gate: Gate, candidate: Counts, latest: Option<Counts>) {
        let before = latest.map_or(0, |counts| counts.policies);
        let after = candidate.policies;
        let emptied = after == 0 && before > 0;
        // That nothing is left is never taken in silence.
        let looks = gate != Gate::Off || emptied;
        if looks && after.saturating_mul(2) < before {
            let finding = gate.weigh(shrunk(before, after), "--shrink");
            self.findings.push(finding);
        }
    }

    /// Holds the canaries against the candidate, off this thread. That none of a kind are left where
    /// there were some is a finding; the first set is compared with nothing.
    ///
    /// # Errors
    /// What no gate lets through: no thread, or a panic.
    pub(super) fn canary(
        &mut self,
        gate: Gate,
        candidate: Snapshot,
        latest: Option<Counts>,
    ) -> Result<Snapshot, Rejection> {
        let work = move || {
            let rehearsal = rehearse(&candidate);
            Ok((candidate, rehearsal))
        };
        let (candidate, rehearsal) = compile::with_room("the canaries", work)?;
        let gone = gone(latest.unwrap_or_default(), &rehearsal);
        let findings = rehearsal.findings.into_iter().chain(gone);
        self.findings
            .extend(findings.map(|it| gate.weigh(it, "--canary")));
        Ok(candidate)
    }

    /// What is not proved of the candidate.
    pub(super) fn proof(&mut self, gate: Gate, findings: Vec<Finding>) {
        let findings = findings.into_iter();
        self.findings
            .extend(findings.map(|it| gate.weigh(it, "--prove")));
    }

    /// The candidate with the warnings it got, or why it is refused.
    pub(super) fn pass(self, candidate: Snapshot) -> Result<Snapshot, Unfit> {
        let rejection = Rejection::of(self.findings.clone());
        let warnings = self.findings.into_iter().map(Finding::warning).collect();
        let candidate = candidate.with_warnings(warnings);
        match rejection {
            Some(rejection) => Err(Unfit {
                rejection,
                acceptable: Some(Box::new(candidate)),
            }),
            None => Ok(candidate),
        }
    }
}

/// Holds the canaries against a snapshot, in bounded time. Blocks.
pub fn rehearse(snapshot: &Snapshot) -> Rehearsal {
    rehearse_for(CANARY_TIME, snapshot)
}

fn rehearse_for(time: Duration, snapshot: &Snapshot) -> Rehearsal {
    let started = Instant::now();
    let mut rehearsal = snapshot.rehearse(|| started.elapsed() < time);
    if rehearsal.cut {
        let message = format!(
            "the canaries take more than {} s: {} of {} were asked",
            time.as_secs(),
            rehearsal.cases + rehearsal.cells,
            snapshot.counts().canaries
        );
        let finding = Finding::error(Kind::Canary, "", message);
        let help = "take some away, or give them, or the world of the spec, fewer entities";
        let finding = finding.help(help);
        rehearsal.findings.push(finding);
    }
    rehearsal
}

/// A finding for each kind of canary of which none are left.
fn gone(before: Counts, rehearsal: &Rehearsal) -> Vec<Finding> {
    // What cannot be read, or not be asked in time, is a finding already.
    let findings = rehearsal.findings.iter();
    if findings
        .into_iter()
        .any(|it| it.severity == Severity::Error)
    {
        return Vec::new();
    }
    let cases = before.canaries - before.cells;
    [
        ("canaries in `tests/*.json`", cases, rehearsal.cases),
        ("cells in `tests/*.csv`", before.cells, rehearsal.cells),
    ]
    .into_iter()
    .filter(|(_, before, after)| *before > 0 && *after == 0)
    .map(|(what, before, _)| all_gone(before, what))
    .collect()
}

fn all_gone(before: usize, what: &str) -> Finding {
    let message = format!("{before} of {before} {what} would be gone");
    Finding::error(Kind::Canary, "", message).help("put `tests` back beside the policies")
}

fn shrunk(before: usize, after: usize) -> Finding {
    let message = format!("{} of {before} policies would be gone", before - after);
    Finding::error(Kind::Shrink, "", message)
        .help("put policies back, or take them away in steps that leave half")
}

#[cfg(test)]
mod tests {
    use crate::authz::{SourceFile, Sources};

    use super::*;

    #[test]
    fn canaries_for_which_there_is_no_time_are_a_finding() {
        let snapshot = Snapshot::compile(&Sources {
            canaries: vec![SourceFile {
                name: "tests/a.json".to_owned(),
                bytes: b"[{}]".to_vec(),
            }],
            ..Sources::default()
        });
        let findings = rehearse_for(Duration::ZERO, &snapshot.unwrap()).findings;
        let said = "the canaries take more than 0 s: 0 of 1 were asked";
        assert_eq!(findings.first().unwrap().message, said);
    }
}
