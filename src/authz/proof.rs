//! What is to be proved of a snapshot: questions for a solver, each about every request of one shape
//! and all data there could be; and what its answers mean.
//!
//! Everything is said in Cedar. Who stands in a column, what is assumed and what must never happen
//! are `forbid`s that leave questions out; what a scope word means are `permit`s. A claim compares two
//! sets of such statements, so that the solver's model of Cedar is all there is to believe.

use std::{collections::BTreeSet, fmt, slice};

use cedar_policy::{EntityUid, RequestEnv, Schema};
use sha2::{Digest, Sha256};

use super::{Finding, Kind, Rejection, Snapshot};

mod cells;
mod claim;
mod dead;
mod edit;
mod example;
mod obligations;
mod question;
mod report;
mod shrink;
mod statement;
mod statements;

pub use claim::{Asked, Claim, Key};
pub use dead::{Dead, Why};
pub use edit::{Difference, Direction, Edit, PolicyChange, PolicyText, Presence, ShapeChange};
pub use example::{Counterexample, Model};
pub use report::{CellResult, InvariantResult, Report, Result, Verdict};
pub use statements::{assumptions, invariant_names};

use cells::Cells;
use claim::{Test, shape};
use statement::Statement;
use statements::Statements;

/// A cell of the table: a row or an action without one, a column, and what is said of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Cell {
    /// The row, as `T05`; where there is none, the action and the type.
    pub row_id: String,
    /// `C`, `R`, `U` or `D`, where the row is split.
    pub crud: String,
    /// The column.
    pub role: String,
    /// The action.
    pub action: String,
    /// The type of the resource.
    pub resource_type: String,
    /// The scope word.
    pub scope: String,
}

/// What a claim is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Subject {
    /// Whatever the assumption leaves out is denied.
    Assumption(String),
    /// What is assumed of questions and data leaves questions of the column, so that its cells are not
    /// proved of nothing.
    Column(String),
    /// The policies decide what the table says of the cell.
    Cell(Cell),
    /// What is assumed of data leaves data, so that nothing is proved of nothing.
    Data,
    /// The policy never fails; so do statements of the spec and invariants.
    Errors(String),
    /// The invariants of these names hold.
    Invariants(Vec<String>),
    /// Nothing is denied that was allowed before.
    Narrower,
    /// Nothing is allowed that was not before.
    Wider,
}

/// Something to be proved.
#[derive(Clone, Debug)]
pub struct Obligation {
    /// What it is about.
    pub subject: Subject,
    /// What must be true.
    pub claim: Claim,
}

/// Which obligations there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Parts {
    /// The cells of the table, and that what they assume is necessary.
    pub cells: bool,
    /// Invariants.
    pub invariants: bool,
    /// That nothing fails.
    pub errors: bool,
}

/// Everything that can be proved of a snapshot.
#[derive(Debug)]
pub struct Proofs<'s> {
    snapshot: &'s Snapshot,
    schema: &'s Schema,
    /// Digest of the schema.
    digest: Key,
    parts: Parts,
    envs: Vec<RequestEnv>,
    statements: Statements,
    cells: Cells,
}

impl Snapshot {
    /// What can be proved of it.
    ///
    /// # Errors
    /// What is wrong with its spec or its invariants; a set without a schema, or whose policies were
    /// not validated.
    pub fn proofs(&self, parts: Parts) -> std::result::Result<Proofs<'_>, Rejection> {
        let refused = |message: &str, help: &str| {
            Rejection::from(Finding::error(Kind::Proof, "", message).help(help))
        };
        let schema = self.schema().ok_or_else(|| {
            let help = "name an edition or a schema with `--edition` or `--schema`";
            refused("nothing can be proved without a schema", help)
        })?;
        if self.valid.is_none() {
            let help = "take `--no-validate` away";
            return Err(refused(
                "nothing can be proved of policies that are not validated",
                help,
            ));
        }
        let mut envs: Vec<RequestEnv> = schema.cedar.request_envs().collect();
        envs.sort_by_key(shape);
        let mut findings = Vec::new();
        let statements = Statements::read(self, schema, &mut findings);
        let cells = match parts.cells {
            true => Cells::read(self, &envs, &statements, &mut findings),
            false => Cells::default(),
        };
        if let Some(rejection) = Rejection::of(findings) {
            return Err(rejection);
        }
        Ok(Proofs {
            snapshot: self,
            schema: &schema.cedar,
            digest: Sha256::digest(&schema.json).into(),
            parts,
            envs,
            statements,
            cells,
        })
    }
}

impl Proofs<'_> {
    /// The schema that everything is about.
    pub fn schema(&self) -> &Schema {
        self.schema
    }

    /// What the truth of a claim depends on.
    pub fn key(&self, claim: &Claim) -> Key {
        claim.key(&self.digest)
    }

    /// What there is to prove, in the order it is told.
    pub fn obligations(&self) -> Vec<Obligation> {
        let parts = self.parts;
        let mut obligations = Vec::new();
        if parts.cells {
            obligations.extend(self.cell_obligations());
            obligations.extend(self.assumption_obligations());
            obligations.extend(self.column_obligations());
        }
        if parts.invariants {
            obligations.extend(self.invariant_obligations());
            obligations.extend(self.data_obligations());
        }
        if parts.errors {
            obligations.extend(self.error_obligations());
        }
        obligations
    }

    /// That nothing is allowed which an earlier snapshot did not allow. Of a shape that it did not
    /// know, nothing was.
    ///
    /// # Errors
    /// As [`Snapshot::proofs`], of the earlier one.
    pub fn no_wider(&self, before: &Self) -> Vec<Obligation> {
        let claims = self.envs.iter().map(|env| {
            // What only the candidate assumes of data may be what hides that it is wider.
            let data = self.statements.data(env);
            let data = edit::shared(data, &before.statements.data(env));
            let policies = [self.statements.policies(env), data.clone()].concat();
            if !before.envs.contains(env) {
                return self.claim(env, Test::Implies, policies, Vec::new());
            }
            let test = match before.groups_of(env) == self.groups_of(env) {
                true => Test::Implies,
                false => Test::NotComparable,
            };
            let before = [before.statements.policies(env), data].concat();
            self.claim(env, test, policies, before)
        });
        let obligation = |claim| Obligation {
            subject: Subject::Wider,
            claim,
        };
        claims.map(obligation).collect()
    }

    /// The groups that the action of a shape is in.
    fn groups_of(&self, env: &RequestEnv) -> Option<&hashbrown::HashSet<EntityUid>> {
        self.statements.groups.get(env.action())
    }

    /// The obligation without what is known not to be so; nothing if that is all of it.
    pub fn without(
        &self,
        obligation: &Obligation,
        refuted: &BTreeSet<Subject>,
    ) -> Option<Obligation> {
        let Subject::Invariants(names) = &obligation.subject else {
            return (!refuted.contains(&obligation.subject)).then(|| obligation.clone());
        };
        let is_open =
            |name: &&String| !refuted.contains(&Subject::Invariants(vec![(*name).clone()]));
        let open: Vec<String> = names.iter().filter(is_open).cloned().collect();
        match open.len() {
            0 => None,
            some if some == names.len() => Some(obligation.clone()),
            _ => Some(self.never(&obligation.claim.env, &open)),
        }
    }

    /// The invariants of a claim one by one, where it is about several.
    pub fn apart(&self, obligation: &Obligation) -> Vec<Obligation> {
        let Subject::Invariants(names) = &obligation.subject else {
            return Vec::new();
        };
        let env = &obligation.claim.env;
        let names = names.iter().filter(|_| names.len() > 1);
        names
            .map(|name| self.never(env, slice::from_ref(name)))
            .collect()
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            row_id, crud, role, ..
        } = self;
        let crud = if crud.is_empty() {
            String::new()
        } else {
            format!(" {crud}")
        };
        write!(f, "{row_id}{crud} {role}")
    }
}
