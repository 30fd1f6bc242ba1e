//! Every mutant of every policy must make some cell fail; what survives is listed with a reason.

use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use cedar_policy::{Decision, Policy, PolicyId, PolicySet};

use crate::{
    bench::{Baseline, Bench, is_about, policies},
    editions::{Edition, fixture},
    mutants::{Mutant, mutants},
};

/// What became of the mutants.
#[derive(Default)]
struct Tally {
    total: usize,
    survivors: BTreeSet<(String, String)>,
}

#[test]
fn every_mutated_policy_makes_some_cell_fail() {
    let bench = Bench::shared();
    let mut tally = Tally::default();
    let base: BTreeSet<PolicyId> = policies(Edition::Enterprise)
        .iter()
        .map(|p| p.id().clone())
        .collect();
    for edition in Edition::ALL {
        let baseline = bench.baseline(edition);
        let is_own =
            |policy: &&Policy| edition == Edition::Enterprise || !base.contains(policy.id());
        let own: Vec<&Policy> = baseline.policies.iter().filter(is_own).collect();
        bench.tally(baseline, &own, &mut tally);
    }
    let killed = tally.total - tally.survivors.len();
    let survivors = tally.survivors.len();
    eprintln!(
        "mutation score: {killed}/{}; {survivors} survive",
        tally.total
    );
    let listed = listed_survivors();
    let lines = |of: Vec<&(String, String)>| {
        let lines: Vec<String> = of
            .iter()
            .map(|(id, change)| format!("{id} | {change} | "))
            .collect();
        lines.join("\n")
    };
    let unlisted = lines(tally.survivors.difference(&listed).collect());
    assert!(unlisted.is_empty(), "no cell fails for:\n{unlisted}");
    let caught = lines(listed.difference(&tally.survivors).collect());
    assert!(
        caught.is_empty(),
        "listed as survivors, but some cell fails for:\n{caught}"
    );
}

/// Survivors with a reason: policy, change, reason.
fn listed_survivors() -> BTreeSet<(String, String)> {
    let mut listed = BTreeSet::new();
    let text = fixture("mutation-survivors.txt");
    for line in text
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
    {
        let [id, change, reason] = line.split(" | ").collect::<Vec<_>>()[..] else {
            panic!("not `policy | mutation | reason`: {line}");
        };
        assert!(!reason.trim().is_empty(), "without a reason: {line}");
        assert!(
            listed.insert((id.to_owned(), change.to_owned())),
            "listed twice: {line}"
        );
    }
    listed
}

impl Bench {
    /// Tries the mutants of these policies on two threads.
    fn tally(&self, baseline: &Baseline, policies: &[&Policy], tally: &mut Tally) {
        let next = AtomicUsize::new(0);
        let work = || {
            let mut tally = Tally::default();
            while let Some(policy) = policies.get(next.fetch_add(1, Ordering::Relaxed)) {
                for mutant in mutants(policy) {
                    tally.total += 1;
                    if !self.is_caught(baseline, policy, &mutant) {
                        tally
                            .survivors
                            .insert((policy.id().to_string(), mutant.change));
                    }
                }
            }
            tally
        };
        thread::scope(|scope| {
            let threads = [scope.spawn(work), scope.spawn(work)];
            for thread in threads {
                let part = thread.join().unwrap();
                tally.total += part.total;
                tally.survivors.extend(part.survivors);
            }
        });
    }

    /// Whether a cell fails: another decision than expected, or an error.
    fn is_caught(&self, baseline: &Baseline, original: &Policy, mutant: &Mutant) -> bool {
        let alone = PolicySet::from_policies([mutant.policy.clone()]).unwrap();
        let about = self
            .by_action
            .iter()
            .filter(|(action, _)| is_about(original, action));
        let mut indexes = about.flat_map(|(_, indexes)| indexes);
        indexes.any(|index| {
            let response = self.ask(*index, &alone);
            if response.diagnostics().errors().next().is_some() {
                return true;
            }
            let holds = response.diagnostics().reason().next().is_some();
            let effect = holds.then(|| mutant.policy.effect());
            let allowed = baseline.allowed(*index, Some((original.id(), effect)));
            let caught = allowed != baseline.expected[*index];
            if caught {
                self.confirm(*index, baseline, mutant);
            }
            caught
        })
    }

    /// The whole set with the mutant in it decides wrongly indeed.
    fn confirm(&self, index: usize, baseline: &Baseline, mutant: &Mutant) {
        let others = baseline
            .policies
            .iter()
            .filter(|policy| policy.id() != mutant.policy.id());
        let all = others.cloned().chain([mutant.policy.clone()]);
        let response = self.ask(index, &PolicySet::from_policies(all).unwrap());
        let allowed = response.decision() == Decision::Allow;
        assert_ne!(
            allowed,
            baseline.expected[index],
            "{}: {}",
            mutant.policy.id(),
            mutant.change
        );
    }
}
