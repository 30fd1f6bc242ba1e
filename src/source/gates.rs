//! The gates between compiled and published: what is valid may still be a mistake.

use std::time::{Duration, Instant};

use crate::authz::{Counts, Finding, Kind, Rehearsal, Rejection, Snapshot};

use super::compile;

/// How long the canaries may take: a hundred times what those that ship do. The next edit waits.
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
    /// Known queries are answered as they must be.
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
    /// The finding with the weight this gate gives it.
    fn weigh(self, finding: Finding) -> Finding {
        match self {
            Self::Enforce => finding,
            Self::Off | Self::Warn => finding.warning(),
        }
    }
}

impl Verdict {
    /// Compares how many policies there are with how many are in force. The first set is
    /// compared with nothing.
    pub(super) fn shrink(&mut self, gate: Gate, candidate: Counts, in_force: Option<Counts>) {
        let before = in_force.map_or(0, |counts| counts.policies);
        let after = candidate.policies;
        let emptied = after == 0 && before > 0;
        // That nothing is left is never taken in silence.
        let looks = gate != Gate::Off || emptied;
        if looks && after.saturating_mul(2) < before {
            self.findings.push(gate.weigh(shrunk(before, after)));
        }
    }

    /// Puts the canaries to the candidate, off this thread. That none are left where there were some
    /// is a finding; the first set is compared with nothing.
    ///
    /// # Errors
    /// What no gate lets through: no thread, or a panic.
    pub(super) fn canary(
        &mut self,
        gate: Gate,
        candidate: Snapshot,
        in_force: Option<Counts>,
    ) -> Result<Snapshot, Rejection> {
        let work = move || {
            let rehearsal = rehearse(&candidate);
            Ok((candidate, rehearsal))
        };
        let (candidate, rehearsal) = compile::with_room("the canaries", work)?;
        let before = in_force.map_or(0, |counts| counts.canaries);
        // A file that cannot be read as canaries is a finding already.
        let none_left = before > 0 && rehearsal.cases == 0 && rehearsal.findings.is_empty();
        let gone = none_left.then(|| all_gone(before));
        let findings = rehearsal.findings.into_iter().chain(gone);
        self.findings.extend(findings.map(|it| gate.weigh(it)));
        Ok(candidate)
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

/// Puts the canaries to a snapshot, in bounded time. Blocks.
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
            rehearsal.cases,
            snapshot.counts().canaries
        );
        let finding = Finding::error(Kind::Canary, "", message);
        let finding = finding.help("take some away, or give them fewer entities");
        rehearsal.findings.push(finding);
    }
    rehearsal
}

fn all_gone(before: usize) -> Finding {
    let message = format!("{before} of {before} canaries would be gone");
    Finding::error(Kind::Canary, "", message).help(
        "put `tests` back beside the policies; `--canary=off` does without, and so does a restart",
    )
}

fn shrunk(before: usize, after: usize) -> Finding {
    let message = format!("{} of {before} policies would be gone", before - after);
    Finding::error(Kind::Shrink, "", message).help(
        "put policies back, or take them away in steps that leave half; \
         `--shrink=off` takes any number, and so does a restart",
    )
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
