//! What the gates say of a candidate.

use crate::{
    authz::{Finding, Kind, Snapshot},
    source::{
        gates::{Gate, Unfit, Verdict},
        proving,
        publication::Look,
    },
    telemetry::Phase,
};

use super::Reloader;

impl Reloader {
    /// Lets the gates look at a candidate that is valid.
    pub(super) fn judge(&self, candidate: Snapshot, look: &mut Look) -> Result<Snapshot, Unfit> {
        let mut verdict = Verdict::default();
        let latest = self.publications.latest_counts();
        let gates = self.rules.gates;
        verdict.shrink(gates.shrink, candidate.counts(), latest);
        let proving = self.proving.as_deref();
        let to_prove = proving.zip(candidate.sources().cloned());
        let canary = |look: &mut Look, verdict: &mut Verdict| match gates.canary {
            Gate::Off => Ok(candidate),
            gate @ (Gate::Enforce | Gate::Warn) => self.timed(look, Phase::Canary, || {
                verdict.canary(gate, candidate, latest)
            }),
        };
        let Some((proving, sources)) = to_prove else {
            let candidate = canary(look, &mut verdict)?;
            return verdict.pass(candidate);
        };
        // Both are asked, whatever the other says: what an operator takes all the same has every
        // warning that there is. The solver's work is another process's.
        let mut beside = Look::by(look.trigger);
        let prove = || {
            let before = self.publications.latest_sources();
            self.timed(&mut beside, Phase::Prove, || {
                proving.findings(&sources, before.as_deref(), &self.stop)
            })
        };
        let (findings, candidate) = proving::beside(prove, || canary(look, &mut verdict));
        look.took.append(&mut beside.took);
        let failed = |why| vec![Finding::error(Kind::Proof, "", why)];
        // What is in force already, because an operator took it, is no worse with other entities.
        let in_force = self.publications.in_force();
        let in_force = in_force.as_ref().and_then(|it| it.sources());
        let gate = match in_force == Some(&sources) {
            true => Gate::Warn,
            false => proving.gate,
        };
        verdict.proof(gate, findings.unwrap_or_else(failed));
        verdict.pass(candidate?)
    }
}
