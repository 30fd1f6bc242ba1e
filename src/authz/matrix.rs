//! The permission table, computed: each cell is named by the scope word that holds in exactly the
//! situations the policies permit.

use std::iter;

use cedar_policy::{Context, EntityUid, Request};

use super::{
    Finding, Kind, Rejection, Snapshot,
    engine::{self, Uid},
    index::Narrowed,
    spec::{Ask, Role, Row, Spec},
};

mod expected;
mod render;

pub use expected::Table;

/// How many situations an unnamed cell shows.
const MAX_EXAMPLES: usize = 3;

/// The cell in which nothing is permitted.
const NEVER: &str = "never";

/// The cell that no scope word describes.
const UNNAMED: &str = "?";

/// Rows of the table, with what the policies decide in each cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Matrix {
    /// The columns.
    pub roles: Vec<String>,
    /// The scope words that a cell can have.
    pub words: Vec<String>,
    /// One line for each row, letter of CRUD and role, in the table's order.
    pub lines: Vec<Line>,
}

/// One cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The row, as `T05`.
    pub row_id: String,
    /// The section it is printed in.
    pub section: String,
    /// The label it is printed with.
    pub row_label: String,
    /// The column.
    pub role: String,
    /// `C`, `R`, `U` or `D`, where the row is split.
    pub crud: String,
    /// The action that is asked.
    pub cedar_action: String,
    /// The widest type on which anything is permitted.
    pub resource_type: String,
    /// The scope word; `?` if none fits.
    pub scope: String,
    /// `@ruling` of the policies that permit, sorted.
    pub rulings: Vec<String>,
    /// For an unnamed cell: the nearest word and where it differs.
    pub note: Option<String>,
}

/// What computing a matrix comes to: all that is wrong with the spec, or nothing without one.
pub(super) type Computed = Result<Option<Matrix>, Rejection>;

impl Snapshot {
    /// The permission table, computed from the policies; `None` if the sources have no spec.
    /// Computed when first asked for, which can take a second.
    ///
    /// # Errors
    /// All that is wrong with the spec.
    pub fn matrix(&self) -> Result<Option<&Matrix>, &Rejection> {
        let compute = || Matrix::compute(self, || true).unwrap_or(Ok(None));
        let computed = self.matrix.get_or_init(compute);
        computed.as_ref().map(Option::as_ref)
    }

    /// The same, unless `go_on` says no before all cells are computed: `None` then.
    pub(super) fn matrix_while(
        &self,
        go_on: impl FnMut() -> bool,
    ) -> Option<Result<Option<&Matrix>, &Rejection>> {
        if self.matrix.get().is_none() {
            let computed = Matrix::compute(self, go_on)?;
            self.matrix.get_or_init(|| computed);
        }
        Some(self.matrix())
    }
}

impl Matrix {
    /// Computes the matrix of a snapshot, unless `go_on` says no before a cell.
    fn compute(snapshot: &Snapshot, mut go_on: impl FnMut() -> bool) -> Option<Computed> {
        if snapshot.spec.is_empty() {
            return Some(Ok(None));
        }
        let Some(schema) = snapshot.schema() else {
            let finding = Finding::error(Kind::Validate, String::new(), "a matrix needs a schema");
            return Some(Err(finding.into()));
        };
        let spec = match Spec::parse(&snapshot.spec, schema) {
            Ok(spec) => spec,
            Err(rejection) => return Some(Err(rejection)),
        };
        let lines = cells(snapshot, &spec).map(|cell| go_on().then(|| cell.line()));
        let lines: Vec<_> = lines.collect::<Option<_>>()?;
        let lines = match lines.into_iter().collect() {
            Ok(lines) => lines,
            Err(message) => {
                let finding = Finding::error(Kind::Validate, String::new(), message);
                return Some(Err(finding.into()));
            }
        };
        let words = spec.words.into_iter().map(|word| word.name);
        let words = words.filter(|word| word != NEVER);
        Some(Ok(Some(Self {
            roles: spec.roles.into_iter().map(|role| role.name).collect(),
            words: iter::once(NEVER.to_owned()).chain(words).collect(),
            lines,
        })))
    }
}

/// Every cell, in the table's order.
fn cells<'s>(snapshot: &'s Snapshot, spec: &'s Spec) -> impl Iterator<Item = Cell<'s>> {
    let asks = |row: &'s Row| row.asks.iter().map(move |ask| (row, ask));
    let cell = move |((row, ask), role)| Cell {
        snapshot,
        spec,
        row,
        ask,
        role,
    };
    let asks = spec.rows.iter().flat_map(asks);
    asks.flat_map(|asked| spec.roles.iter().map(move |role| (asked, role)))
        .map(cell)
}

/// One cell while it is computed.
struct Cell<'s> {
    snapshot: &'s Snapshot,
    spec: &'s Spec,
    row: &'s Row,
    ask: &'s Ask,
    role: &'s Role,
}

struct Found {
    resource_type: String,
    scope: String,
    rulings: Vec<String>,
    note: Option<String>,
}

/// One question of a cell, and what the policies decide.
struct Situation {
    request: Request,
    permitted: bool,
    /// Whether a guard forbids, so that no word holds; known once words are asked.
    guarded: bool,
}

impl Cell<'_> {
    fn line(&self) -> Result<Line, String> {
        let found = self.find()?;
        Ok(Line {
            row_id: self.row.id.clone(),
            section: self.row.section.clone(),
            row_label: self.row.label.clone(),
            role: self.role.name.clone(),
            crud: self.ask.crud.clone(),
            cedar_action: self.ask.action_name.clone(),
            resource_type: found.resource_type,
            scope: found.scope,
            rulings: found.rulings,
            note: found.note,
        })
    }

    /// The widest type with a permit, and the word for it there.
    fn find(&self) -> Result<Found, String> {
        for resource_type in &self.ask.resources {
            let mut rulings = Vec::new();
            let mut situations = self.situations(resource_type, &mut rulings)?;
            if situations.iter().any(|situation| situation.permitted) {
                let guards = self.spec.guards.narrowed(&self.ask.action, resource_type)?;
                for situation in &mut situations {
                    let world = self.spec.world.view();
                    situation.guarded = guards.forbids(&situation.request, world);
                }
                rulings.sort();
                rulings.dedup();
                let (scope, note) = self.name(&situations);
                return Ok(Found {
                    resource_type: resource_type.clone(),
                    scope,
                    rulings,
                    note,
                });
            }
        }
        let mut untested = self.ask.untested.iter();
        let untested = untested.find(|(name, _)| *name == self.role.name);
        let named = untested.map(|(_, resource_type)| resource_type.clone());
        Ok(Found {
            resource_type: named
                .or_else(|| self.ask.resources.first().cloned())
                .unwrap_or_default(),
            scope: NEVER.to_owned(),
            rulings: Vec::new(),
            note: None,
        })
    }

    fn situations(
        &self,
        resource_type: &str,
        rulings: &mut Vec<String>,
    ) -> Result<Vec<Situation>, String> {
        let policies = &self.snapshot.index;
        let policies = policies.narrowed(&self.ask.action, resource_type)?;
        let mut situations = Vec::new();
        for principal in &self.role.principals {
            for resource in self.spec.world.of_type(resource_type) {
                for context in &self.ask.contexts {
                    let Some(request) = self.request(principal, resource.uid(), context) else {
                        continue;
                    };
                    let permitted = self.permits(&policies, &request, rulings);
                    situations.push(Situation {
                        request,
                        permitted,
                        guarded: false,
                    });
                }
            }
        }
        Ok(situations)
    }

    fn request(&self, principal: &EntityUid, resource: &Uid, context: &Context) -> Option<Request> {
        let resource = engine::public_uid(resource);
        let action = self.ask.action.clone();
        Request::new(principal.clone(), action, resource, context.clone(), None).ok()
    }

    fn permits(&self, policies: &Narrowed, request: &Request, rulings: &mut Vec<String>) -> bool {
        let permits = policies.permits(request, self.spec.world.view());
        for id in permits.iter().flatten() {
            let policy = self.snapshot.policies.set.policy(id);
            let ruling = policy.and_then(|policy| policy.annotation("ruling"));
            let words = ruling.into_iter().flat_map(str::split_whitespace);
            rulings.extend(words.map(str::to_owned));
        }
        permits.is_some()
    }

    /// The first word that holds in exactly the permitted situations.
    fn name(&self, situations: &[Situation]) -> (String, Option<String>) {
        let fits = |word: usize| {
            situations
                .iter()
                .all(|situation| self.holds(word, situation) == situation.permitted)
        };
        let words = &self.spec.words;
        match (0..words.len())
            .find(|word| fits(*word))
            .and_then(|word| words.get(word))
        {
            Some(word) => (word.name.clone(), None),
            None => (UNNAMED.to_owned(), Some(self.nearest(situations))),
        }
    }

    fn holds(&self, word: usize, situation: &Situation) -> bool {
        let Some(word) = self.spec.words.get(word) else {
            return false;
        };
        let world = self.spec.world.view();
        !situation.guarded && word.index.authorize(&situation.request, world).allows
    }

    /// The word that differs in the fewest situations, and some of them.
    fn nearest(&self, situations: &[Situation]) -> String {
        let differing = |word: usize| -> Vec<&Situation> {
            let differs = |s: &&Situation| self.holds(word, s) != s.permitted;
            situations.iter().filter(differs).collect()
        };
        let candidates = (0..self.spec.words.len()).map(|word| (word, differing(word)));
        let Some((word, differing)) = candidates.min_by_key(|(_, differing)| differing.len())
        else {
            return "there are no scope words".to_owned();
        };
        let name = self
            .spec
            .words
            .get(word)
            .map_or("", |word| word.name.as_str());
        let example = |situation: &&Situation| {
            let verb = if situation.permitted {
                "permitted"
            } else {
                "denied"
            };
            let uid = |uid: Option<&EntityUid>| uid.map(ToString::to_string).unwrap_or_default();
            let (principal, resource) =
                (situation.request.principal(), situation.request.resource());
            format!("{verb}: {} on {}", uid(principal), uid(resource))
        };
        let examples: Vec<String> = differing.iter().take(MAX_EXAMPLES).map(example).collect();
        format!(
            "nearest is `{name}`, but for {} situations, as {}",
            differing.len(),
            examples.join("; ")
        )
    }
}
