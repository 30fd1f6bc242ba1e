//! `palisade prove`: the table, the invariants and that nothing fails, proved for all data there
//! could be.

use std::{
    collections::HashSet,
    fmt::Write as _,
    time::{Duration, Instant},
};

use clap::{Args, ValueEnum};

use crate::{
    authz::{Dead, Parts, ProofResult, Proofs, Report, Snapshot, Subject, Verdict},
    config::{SourceArgs, SourceChoice, Span},
    prover::{Limits, NoSolver, Prover},
    source::editions,
};

use super::{Exit, Failure, complain, print, spec};

mod json;

/// How many findings are written for people; what is wrong with one policy is often wrong in many
/// cells.
const MAX_TOLD: usize = 10;

/// The edition whose specification a candidate is held against when none is named.
const DEFAULT_EDITION: &str = "enterprise";

/// Prove the table cell by cell, the invariants, and that no policy fails or decides nothing
///
/// Without `--edition` all editions are proved. `--policies` puts a candidate in the place of the
/// edition's own folders (of `enterprise` if none is named); with `--schema` besides, they are proved
/// by themselves. Needs cvc5, which `CVC5` may name. Exits with 0 only if everything is
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
        let (mut exit, mut told) = (Exit::Ok, Vec::new());
        for edition in meant(&choice)? {
            choice.edition = edition;
            let snapshot = spec(choice.clone())?.load()?;
            let done = prove(choice.edition.clone(), &snapshot, &prover)?;
            exit = exit.worse(done.exit());
            match self.format {
                Format::Json => told.push(json::edition(&done)),
                Format::Text => {
                    print(done.text())?;
                    let findings = done.proofs.findings(&done.report);
                    complain(findings.iter().take(MAX_TOLD));
                    let more = findings.len().saturating_sub(MAX_TOLD);
                    if more > 0 {
                        complain([format!("and {more} more: `--format json` has them all")]);
                    }
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

/// Which editions are meant; none stands for sources that bring their own schema.
fn meant(choice: &SourceChoice) -> Result<Vec<Option<String>>, Failure> {
    let (policies, schema) = (!choice.policies.is_empty(), choice.schema.is_some());
    Ok(match &choice.edition {
        Some(name) => vec![Some(name.clone())],
        None if policies && schema => vec![None],
        None if policies => vec![Some(DEFAULT_EDITION.to_owned())],
        None => editions(&choice.root)?.into_iter().map(Some).collect(),
    })
}

fn prove<'s>(
    edition: Option<String>,
    snapshot: &'s Snapshot,
    prover: &Prover,
) -> Result<Done<'s>, Failure> {
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
        name: edition.unwrap_or_else(|| "policies".to_owned()),
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
            (
                "leaves questions",
                of(|it| matches!(it, Subject::Column(_) | Subject::Data)),
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
        let invariants = self.proofs.invariants(&self.report);
        let width = invariants.iter().map(|it| it.name.len()).max().unwrap_or(0);
        for invariant in invariants {
            let state = match invariant.open.first() {
                None => "proved",
                Some((_, verdict)) => verdict.as_str(),
            };
            let (name, says) = (invariant.name, invariant.says);
            let _ = writeln!(text, "    {state:<9}{name:<width$}  {says}");
        }
        if self.report.dead.is_empty() && self.undecided.is_empty() {
            return text;
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
    let weight = if dead.meant { "meant" } else { "dead" };
    format!(
        "{weight}: `{}` ({}:{}): {}",
        dead.policy, dead.file, dead.line, dead.why
    )
}
