//! `palisade prove`: the table, the invariants and that nothing fails, proved for all data there
//! could be.

use std::{
    collections::HashSet,
    fmt::Write as _,
    time::{Duration, Instant},
};

use clap::{Args, ValueEnum};

use crate::{
    authz::{Dead, Parts, ProofResult, Proofs, Report, Snapshot, Subject, Verdict, Why},
    config::{SourceArgs, Span},
    prover::{Limits, NoSolver, Prover},
    source::editions,
};

use super::{Exit, Failure, complain, print, spec};

mod json;

/// The edition whose specification a candidate is held against when none is named.
const DEFAULT_EDITION: &str = "enterprise";

/// Prove the table cell by cell, the invariants, and that no policy fails or decides nothing
///
/// Without `--edition` all editions are proved. `--policies` puts a candidate in the place of the
/// edition's own folders. Needs cvc5, which `CVC5` may name. Exits with 0 only if everything is
/// proved, with 1 if something is refuted, with 2 if something is not known, with 4 without a solver.
#[derive(Args, Debug)]
pub(super) struct Prove {
    #[command(flatten)]
    sources: SourceArgs,
    /// How to write what came of it
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// How long the solver may think about one claim
    #[arg(long, value_name = "TIME", default_value = "10s")]
    claim_time: Span,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    Json,
    Text,
}

/// What came of one edition.
struct Done<'s> {
    name: String,
    proofs: Proofs<'s>,
    report: Report,
    /// Why it is not known of some policies whether they decide anything.
    undecided: Vec<String>,
    claims: usize,
    policies: usize,
    took: Duration,
}

impl Prove {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        let limits = Limits {
            claim_time: self.claim_time.0,
            ..Limits::default()
        };
        let prover = Prover::find(limits)?;
        let mut choice = self.sources.resolve()?;
        let names = match (&choice.edition, choice.policies.is_empty()) {
            (Some(name), _) => vec![name.clone()],
            (None, false) => vec![DEFAULT_EDITION.to_owned()],
            (None, true) => editions(&choice.root)?,
        };
        let (mut exit, mut told) = (Exit::Ok, Vec::new());
        for name in names {
            choice.edition = Some(name.clone());
            let snapshot = spec(choice.clone())?.load()?;
            let done = prove(name, &snapshot, &prover)?;
            exit = exit.worse(done.exit());
            match self.format {
                Format::Json => told.push(json::edition(&done)),
                Format::Text => {
                    print(done.text())?;
                    complain(done.proofs.findings(&done.report));
                }
            }
        }
        if self.format == Format::Json {
            let told = serde_json::json!({"solver": prover.version(), "editions": told});
            print(serde_json::to_string_pretty(&told).map_err(Failure::runtime)?)?;
        }
        Ok(exit)
    }
}

impl From<NoSolver> for Failure {
    fn from(error: NoSolver) -> Self {
        Self::runtime(error)
    }
}

impl Exit {
    /// Refuted is worse than unknown, and unknown is worse than proved.
    fn worse(self, other: Self) -> Self {
        match (self, other) {
            (Self::Difference, _) | (_, Self::Difference) => Self::Difference,
            (Self::Usage, _) | (_, Self::Usage) => Self::Usage,
            _ => self,
        }
    }
}

fn prove<'s>(name: String, snapshot: &'s Snapshot, prover: &Prover) -> Result<Done<'s>, Failure> {
    let start = Instant::now();
    let proofs = snapshot.proofs(Parts {
        cells: true,
        invariants: true,
        errors: true,
    })?;
    let proved = prover.prove(&proofs, proofs.obligations(), &HashSet::new());
    let (dead, undecided) = prover.dead(&proofs);
    let mut report = proved.report;
    report.dead = dead;
    Ok(Done {
        name,
        proofs,
        report,
        undecided,
        claims: proved.asked,
        policies: snapshot.counts().policies,
        took: start.elapsed(),
    })
}

impl Done<'_> {
    fn exit(&self) -> Exit {
        if self.report.is_refuted() {
            Exit::Difference
        } else if self.report.is_unknown() || !self.undecided.is_empty() {
            // The command line made sense: here it says that nobody knows.
            Exit::Usage
        } else {
            Exit::Ok
        }
    }

    fn text(&self) -> String {
        let mut text = String::new();
        let of = |is: fn(&Subject) -> bool| {
            let results = self.report.results.iter();
            tally(results.filter(|it| is(&it.subject)))
        };
        // Writing to a string does not fail.
        let _ = writeln!(
            text,
            "{}: {} policies, {} claims, {:.1} s",
            self.name,
            self.policies,
            self.claims,
            self.took.as_secs_f64()
        );
        for (what, counts) in [
            ("cells", of(|it| matches!(it, Subject::Cell(_)))),
            (
                "what cells assume",
                of(|it| matches!(it, Subject::Assumption(_))),
            ),
            ("never fails", of(|it| matches!(it, Subject::Errors(_)))),
        ] {
            let _ = writeln!(text, "  {what:<20}{counts}");
        }
        let _ = writeln!(text, "  assumed of questions and data");
        for (_, says) in self.proofs.assumptions() {
            let _ = writeln!(text, "    {says}");
        }
        let _ = writeln!(text, "  invariants");
        for invariant in self.proofs.invariants(&self.report) {
            let state = match invariant.open.first() {
                None => "proved",
                Some((_, verdict)) => verdict.as_str(),
            };
            let _ = writeln!(
                text,
                "    {state:<9}{:<40}{}",
                invariant.name, invariant.says
            );
        }
        let _ = writeln!(text, "  policies that decide nothing");
        for dead in &self.report.dead {
            let _ = writeln!(text, "    {}", said(dead));
        }
        for why in &self.undecided {
            let _ = writeln!(text, "    unknown: {why}");
        }
        text
    }
}

/// How many are proved, refuted, and not known.
fn tally<'r>(results: impl Iterator<Item = &'r ProofResult>) -> String {
    let (mut proved, mut refuted, mut unknown) = (0, 0, 0);
    for result in results {
        match result.verdict {
            Verdict::Proved => proved += 1,
            Verdict::Refuted(_) => refuted += 1,
            Verdict::Unknown(_) => unknown += 1,
        }
    }
    format!("{proved} proved, {refuted} refuted, {unknown} unknown")
}

/// What is said of a policy that decides nothing.
fn said(dead: &Dead) -> String {
    let list = |ids: &[String]| format!("`{}`", ids.join("`, `"));
    let why = match &dead.why {
        Why::Contradicted(by) => format!("forbidden by {}", list(by)),
        Why::Implied(by) => format!("{} say as much", list(by)),
        Why::NeverMatches => "no question meets it".to_owned(),
        Why::NothingToForbid => "nothing permits what it forbids".to_owned(),
    };
    let weight = if dead.guard { "guard" } else { "dead" };
    format!(
        "{weight}: `{}` ({}:{}): {why}",
        dead.policy, dead.file, dead.line
    )
}
