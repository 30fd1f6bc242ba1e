//! Proves of every mutant of the shipped policies that it is wrong somewhere, or of those that no test
//! tells from the original that nobody could: they decide every question alike.
//!
//! Run by tests/e2e/mutants.sh. Needs cvc5, and some minutes.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a check that cannot go on fails, and says what it found"
)]

use std::{
    collections::{BTreeSet, HashSet},
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Instant,
};

use cedar_policy::{Policy, PolicySet};
use palisade::{
    authz::{Key, Parts, Snapshot, SourceFile, Sources, Verdict},
    prover::{Limits, Prover},
    source::Selection,
};

#[path = "../../policies/model.rs"]
#[expect(
    dead_code,
    reason = "of the model, mutants are made of its roles alone"
)]
mod model;
#[path = "../../policies/mutants.rs"]
mod mutants;

use mutants::{Mutant, mutants};

/// What is proved of a mutant.
const PARTS: Parts = Parts {
    cells: true,
    invariants: true,
    errors: false,
};

/// Symbolic compilation recurses.
const STACK_BYTES: usize = 256 << 20;

/// An edition, and what is proved of it as it ships.
struct Shipped {
    sources: Sources,
    policies: Vec<Policy>,
    known: HashSet<Key>,
}

/// What came of all mutants.
#[derive(Default)]
struct Tally {
    refuted: usize,
    /// Refused before anything is proved: no question could meet them.
    refused: usize,
    alike: BTreeSet<String>,
    unknown: Vec<String>,
}

fn main() -> ExitCode {
    let start = Instant::now();
    let prover = Prover::find(Limits {
        solvers: 1,
        ..Limits::default()
    });
    let prover = prover.unwrap_or_else(|error| panic!("{error}"));
    let tally = Mutex::new(Tally::default());
    let mut base = BTreeSet::new();
    for edition in ["enterprise", "enterprise-2023", "teams"] {
        let shipped = Shipped::read(edition, &prover);
        let is_new = |policy: &Policy| !base.contains(&policy.id().to_string());
        let own: Vec<Policy> = shipped
            .policies
            .iter()
            .filter(|it| is_new(it))
            .cloned()
            .collect();
        base.extend(own.iter().map(|it| it.id().to_string()));
        shipped.try_all(&own, &prover, &tally);
    }
    let tally = tally.into_inner().unwrap();
    let mut listed = listed();
    // Of policies that are in no edition, nothing was asked.
    listed.retain(|it| base.iter().any(|id| it.starts_with(&format!("{id} | "))));
    let total = tally.refuted + tally.refused + tally.alike.len() + tally.unknown.len();
    println!(
        "{total} mutants: {} refuted, {} refused, {} proved to decide alike, {} unknown, in {:.0} s",
        tally.refuted,
        tally.refused,
        tally.alike.len(),
        tally.unknown.len(),
        start.elapsed().as_secs_f64()
    );
    let mut wrong = tally.unknown;
    let alike = tally.alike.difference(&listed);
    wrong.extend(alike.map(|it| format!("decides alike, and is not listed: {it}")));
    let refuted = listed.difference(&tally.alike);
    wrong.extend(refuted.map(|it| format!("listed as alike, and is not: {it}")));
    for line in &wrong {
        println!("{line}");
    }
    if wrong.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

impl Shipped {
    fn read(edition: &str, prover: &Prover) -> Self {
        let selection = Selection {
            root: root(),
            edition: Some(edition.to_owned()),
            ..Selection::default()
        };
        let sources = selection.resolve().unwrap().read().unwrap();
        let mut policies = Vec::new();
        for file in &sources.policies {
            let text = String::from_utf8(file.bytes.clone()).unwrap();
            let set: PolicySet = text.parse().unwrap();
            let named = set.policies().map(|policy| {
                let id = policy.annotation("id").expect("every policy has an id");
                policy.new_id(cedar_policy::PolicyId::new(id))
            });
            policies.extend(named);
        }
        policies.sort_by_key(|it| it.id().to_string());
        let mut shipped = Self {
            sources: Sources {
                entities: Vec::new(),
                conditions: None,
                ..sources
            },
            policies,
            known: HashSet::new(),
        };
        let snapshot = Snapshot::compile(&shipped.with(None)).unwrap();
        let proofs = snapshot.proofs(PARTS).unwrap();
        let proved = prover.prove(&proofs, proofs.obligations(), &HashSet::new());
        assert!(
            !proved.report.is_refuted() && !proved.report.is_unknown(),
            "{edition}"
        );
        shipped.known = proved.keys.into_iter().collect();
        shipped
    }

    /// The sources with a mutant in the place of its original.
    fn with(&self, mutant: Option<&Policy>) -> Sources {
        let texts = self.policies.iter().map(|policy| {
            let of_it = mutant.filter(|mutant| mutant.id() == policy.id());
            of_it
                .unwrap_or(policy)
                .to_cedar()
                .expect("no links are shipped")
        });
        let texts: Vec<String> = texts.collect();
        Sources {
            policies: vec![SourceFile {
                name: "policies.cedar".to_owned(),
                bytes: texts.join("\n").into_bytes(),
            }],
            ..self.sources.clone()
        }
    }

    /// Tries the mutants of these policies, on as many threads as there are cores.
    fn try_all(&self, policies: &[Policy], prover: &Prover, tally: &Mutex<Tally>) {
        let all: Vec<Mutant> = policies.iter().flat_map(mutants).collect();
        let next = AtomicUsize::new(0);
        let work = || {
            while let Some(mutant) = all.get(next.fetch_add(1, Ordering::Relaxed)) {
                self.try_one(mutant, prover, tally);
            }
        };
        thread::scope(|scope| {
            for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
                let thread = thread::Builder::new().stack_size(STACK_BYTES);
                thread.spawn_scoped(scope, work).unwrap();
            }
        });
    }

    fn try_one(&self, mutant: &Mutant, prover: &Prover, tally: &Mutex<Tally>) {
        let name = format!("{} | {}", mutant.policy.id(), mutant.change);
        let Ok(snapshot) = Snapshot::compile(&self.with(Some(&mutant.policy))) else {
            tally.lock().unwrap().refused += 1;
            return;
        };
        let proofs = snapshot.proofs(PARTS).unwrap();
        let report = prover
            .prove(&proofs, proofs.obligations(), &self.known)
            .report;
        let mut tally = tally.lock().unwrap();
        if report.is_refuted() {
            tally.refuted += 1;
            return;
        }
        let unknown = report.results.into_iter().find_map(|it| match it.verdict {
            Verdict::Unknown(why) => Some(format!("unknown: {name}: {}: {why}", it.shape)),
            Verdict::Proved | Verdict::Refuted(_) => None,
        });
        match unknown {
            Some(unknown) => tally.unknown.push(unknown),
            None => {
                tally.alike.insert(name);
            }
        }
    }
}

/// The mutants that no test tells from the original.
fn listed() -> BTreeSet<String> {
    let path = root().join("tests/fixtures/mutation-survivors.txt");
    let text = fs::read_to_string(path).unwrap();
    let lines = text
        .lines()
        .filter(|it| !it.is_empty() && !it.starts_with('#'));
    lines
        .map(|line| line.rsplit_once(" | ").unwrap().0.to_owned())
        .collect()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}
