//! `palisade diff`: what an edit of policies allows and denies that was not so before.

use std::{
    collections::{BTreeMap, HashSet},
    time::{Duration, Instant},
};

use clap::{Args, ValueEnum};

use crate::{
    authz::{
        CellChange, Direction, Edit, Parts, PolicyChange, Proofs, Rejection, ShapeChange, Snapshot,
    },
    config::{SourceArgs, Span},
    prover::{Limits, Prover},
};

use super::{Exit, Failure, complain, print};

mod git;
mod json;
mod md;
mod said;
mod sides;
mod text;

use sides::Side;

/// Tell what an edit allows or denies that was not so before, with a question for each change
///
/// For each action and type of resource: unchanged, wider, narrower or both, for all data there could
/// be; and the cells of the table that are others. OLD and NEW are each a folder with policies, which
/// takes the place of the edition's own; a folder with `policies/editions.toml`, which is a root; or a
/// revision of the git repository that the root is in. What is both is taken for the folder: `./x` is
/// never a revision. Folders are relative to the root. Entities are not read.
///
/// Needs cvc5, which `CVC5` may name, unless nothing changed. Exits with 0 if no decision changed,
/// with 1 if one did, with 2 if that is not known, with 3 if a side is refused, with 4 without a solver
/// or if git fails.
#[derive(Args, Debug)]
pub(super) struct Diff {
    /// What was: a folder or a revision
    #[arg(value_name = "OLD")]
    old: String,
    /// What is: a folder or a revision
    #[arg(value_name = "NEW")]
    new: String,
    #[command(flatten)]
    sources: SourceArgs,
    /// How to write what changed; `md` is for a comment on a pull request
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Which changes make the command exit with 1
    #[arg(long, value_enum, default_value_t = FailOn::Change, value_name = "WHAT")]
    fail_on: FailOn,
    /// How long the solver may think about one claim
    #[arg(long, value_name = "TIME", default_value = "10s")]
    claim_time: Span,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    Json,
    Md,
    Text,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum FailOn {
    /// Anything that is decided otherwise
    Change,
    /// Only what is allowed and was not
    Wider,
}

/// Everything that is told.
#[derive(Debug)]
struct Told {
    edition: String,
    old: String,
    new: String,
    one_schema: bool,
    shapes: Vec<ShapeChange>,
    cells: Vec<CellChange>,
    policies: Vec<PolicyChange>,
    /// Those that decide nothing, by id, and why.
    dead: BTreeMap<String, String>,
    /// Where policies stand, by id: before and after.
    places: [Places; 2],
    claims: usize,
    took: Duration,
}

type Places = BTreeMap<String, String>;

impl Diff {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        let start = Instant::now();
        let choice = self.sources.resolve()?;
        let [old, new] = [&self.old, &self.new].map(|name| Side::find(name, &choice));
        let (old, new) = (old?, new?);
        let Some([before, after]) = both(&old, &new)? else {
            return Ok(Exit::Rejected);
        };
        let limits = Limits {
            claim_time: self.claim_time.0,
            ..Limits::default()
        };
        let mut told = compare([&before, &after], limits)?;
        (told.old, told.new) = (self.old, self.new);
        told.edition = old.edition().to_owned();
        told.took = start.elapsed();
        print(match self.format {
            Format::Json => {
                serde_json::to_string_pretty(&json::told(&told)).map_err(Failure::runtime)?
            }
            Format::Md => md::told(&told),
            Format::Text => text::told(&told),
        })?;
        Ok(told.exit(self.fail_on))
    }
}

/// Both snapshots, or nothing once it is said what is wrong with one.
fn both(old: &Side, new: &Side) -> Result<Option<[Snapshot; 2]>, Failure> {
    let mut taken = Vec::new();
    for (side, which) in [(old, "OLD"), (new, "NEW")] {
        match side.spec.load().and_then(checked) {
            Ok(snapshot) => taken.push(snapshot),
            Err(rejection) => {
                complain([format!("{which} is refused: `{}`", side.name)]);
                complain(rejection.findings());
            }
        }
    }
    Ok(<[Snapshot; 2]>::try_from(taken).ok())
}

/// The snapshot, if the matrix can be computed and claims can be made of it.
fn checked(snapshot: Snapshot) -> Result<Snapshot, Rejection> {
    snapshot.matrix().map_err(Clone::clone)?;
    snapshot.proofs(Parts::default())?;
    Ok(snapshot)
}

fn compare(sides: [&Snapshot; 2], limits: Limits) -> Result<Told, Failure> {
    let [before, after] = sides;
    let parts = Parts::default();
    let (old, new) = (before.proofs(parts)?, after.proofs(parts)?);
    let edit = Edit::new(&old, &new).map_err(Failure::Runtime)?;
    let (obligations, removed) = (edit.obligations(), edit.removed_obligations());
    // Without any, nothing that decides was edited, and no solver is needed.
    let prover = match obligations.is_empty() && removed.is_empty() {
        true => None,
        false => Some(Prover::find(limits)?),
    };
    let prove = |proofs: &Proofs<'_>, obligations| {
        let proved = prover.as_ref();
        let proved = proved.map(|it| it.prove(proofs, obligations, &HashSet::new()));
        proved.map_or_else(Default::default, |it| (it.report.results, it.asked))
    };
    let ((proved, asked), (removed, more)) = (prove(&new, obligations), prove(&old, removed));
    let policies = edit.policies();
    let dead = prover
        .map(|it| dead(&new, &policies, &it))
        .unwrap_or_default();
    let cells = match (before.matrix(), after.matrix()) {
        (Ok(Some(before)), Ok(Some(after))) => after.cell_changes(before),
        _ => Vec::new(),
    };
    Ok(Told {
        edition: String::new(),
        old: String::new(),
        new: String::new(),
        one_schema: edit.has_one_schema(),
        shapes: edit.told(&proved, &removed),
        cells,
        policies,
        dead,
        places: sides.map(places),
        claims: asked + more,
        took: Duration::ZERO,
    })
}

/// The edited policies that decide nothing, and why; but for those that are meant to.
fn dead(
    proofs: &Proofs<'_>,
    policies: &[PolicyChange],
    prover: &Prover,
) -> BTreeMap<String, String> {
    let edited = policies.iter().filter(|it| it.after.is_some());
    let places = proofs.places(&edited.map(PolicyChange::id).collect());
    let (dead, _) = prover.dead_among(proofs, &places);
    let dead = dead.into_iter().filter(|it| !it.meant);
    dead.map(|it| (it.policy, it.why.to_string())).collect()
}

fn places(snapshot: &Snapshot) -> Places {
    let policies = snapshot.policies().iter();
    let place = |info: &crate::authz::PolicyInfo| format!("{}:{}", info.file, info.line);
    policies
        .map(|info| (info.id.clone(), place(info)))
        .collect()
}

impl Told {
    fn exit(&self, fail_on: FailOn) -> Exit {
        let fails = |it: &ShapeChange| {
            it.is(Direction::Wider) || fail_on == FailOn::Change && it.is(Direction::Narrower)
        };
        if self.shapes.iter().any(fails) {
            Exit::Difference
        } else if self.shapes.iter().any(|it| !it.unknown.is_empty()) {
            // The command line made sense: here it says that nobody knows.
            Exit::Usage
        } else {
            Exit::Ok
        }
    }

    /// How many shapes are in each state.
    fn count(&self, state: &str) -> usize {
        self.shapes.iter().filter(|it| it.state() == state).count()
    }
}

#[cfg(test)]
mod tests;
