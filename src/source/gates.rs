//! The gates between compiled and published: what is valid may still be a mistake.

use crate::authz::{Counts, Finding, Kind, Rejection, Snapshot};

use super::compile;

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

    /// Puts the canaries to the candidate, off this thread.
    ///
    /// # Errors
    /// What no gate lets through: no thread, or a panic.
    pub(super) fn canary(
        &mut self,
        gate: Gate,
        candidate: Snapshot,
    ) -> Result<Snapshot, Rejection> {
        let work = move || {
            let rehearsal = candidate.rehearse();
            Ok((candidate, rehearsal))
        };
        let (candidate, rehearsal) = compile::with_room("the canaries", work)?;
        let findings = rehearsal.findings.into_iter();
        self.findings.extend(findings.map(|it| gate.weigh(it)));
        Ok(candidate)
    }

    /// The candidate with the warnings it got, or why it is refused.
    pub(super) fn pass(self, candidate: Snapshot) -> Result<(Snapshot, Vec<Finding>), Rejection> {
        let warnings = self.findings;
        match Rejection::of(warnings.clone()) {
            Some(rejection) => Err(rejection),
            None => Ok((candidate.with_warnings(warnings.clone()), warnings)),
        }
    }
}

fn shrunk(before: usize, after: usize) -> Finding {
    let message = format!("{} of {before} policies would be gone", before - after);
    Finding::error(Kind::Shrink, "", message).help(
        "put policies back, or take them away in steps that leave half; \
         `--shrink=off` takes any number, and so does a restart",
    )
}
