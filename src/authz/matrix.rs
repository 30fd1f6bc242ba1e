//! The permission table, computed: each cell is named by the scope word that holds in exactly the
//! situations the policies permit.

use std::{collections::HashMap, iter};

use super::{
    Finding, Kind, Rejection, Snapshot,
    query::Asked,
    spec::{Ask, Role, Row, Spec},
    symbols::TypeId,
    world::World,
};

mod changes;
mod details;
mod expected;
mod render;

pub use changes::{CellChange, CellWord};
pub use details::{Definition, Detail, Details, Example, Word};
pub use expected::{Printed, Table};

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
    pub fn matrix_while(
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
        let spec = match Spec::parse(snapshot, schema) {
            Ok(spec) => spec,
            Err(rejection) => return Some(Err(rejection)),
        };
        let rulings = rulings(snapshot);
        let lines = cells(snapshot, &spec, &rulings).map(|cell| go_on().then(|| cell.line()));
        let lines: Vec<Line> = lines.collect::<Option<_>>()?;
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
fn cells<'s>(
    snapshot: &'s Snapshot,
    spec: &'s Spec<'s>,
    rulings: &'s Rulings<'s>,
) -> impl Iterator<Item = Cell<'s>> {
    let asks = |row: &'s Row| row.asks.iter().map(move |ask| (row, ask));
    let cell = move |((row, ask), role)| Cell {
        snapshot,
        spec,
        world: World::stored(&spec.symbols, &spec.world, snapshot.schema()),
        rulings,
        row,
        ask,
        role,
    };
    let asks = spec.rows.iter().flat_map(asks);
    asks.flat_map(|asked| spec.roles.iter().map(move |role| (asked, role)))
        .map(cell)
}

/// The `@ruling` of policies, by id.
type Rulings<'s> = HashMap<&'s str, &'s str>;

fn rulings(snapshot: &Snapshot) -> Rulings<'_> {
    let infos = snapshot.policies.infos.iter();
    let rulings = infos.filter_map(|info| Some((info.id.as_str(), info.annotation("ruling")?)));
    rulings.collect()
}

/// One cell while it is computed.
struct Cell<'s> {
    snapshot: &'s Snapshot,
    spec: &'s Spec<'s>,
    world: World<'s>,
    rulings: &'s Rulings<'s>,
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
    asked: Asked,
    permitted: bool,
    /// Whether a guard forbids, so that no word holds; known once words are asked.
    guarded: bool,
}

impl Cell<'_> {
    fn line(&self) -> Line {
        let found = self.find();
        Line {
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
        }
    }

    /// The widest type with a permit, and the word for it there.
    fn find(&self) -> Found {
        for resource_type in &self.ask.resources {
            let mut rulings = Vec::new();
            let mut situations = self.situations(*resource_type, &mut rulings);
            if situations.iter().any(|situation| situation.permitted) {
                for situation in &mut situations {
                    let scene = situation.asked.scene(&self.world);
                    situation.guarded = self.spec.guards.forbids(&scene);
                }
                rulings.sort();
                rulings.dedup();
                let (scope, note) = self.name(&situations);
                return Found {
                    resource_type: self.text(*resource_type),
                    scope,
                    rulings,
                    note,
                };
            }
        }
        let mut untested = self.ask.untested.iter();
        let untested = untested.find(|(name, _)| *name == self.role.name);
        let named = untested.map(|(_, resource_type)| resource_type.clone());
        let widest = self.ask.resources.first().map(|kind| self.text(*kind));
        Found {
            resource_type: named.or(widest).unwrap_or_default(),
            scope: NEVER.to_owned(),
            rulings: Vec::new(),
            note: None,
        }
    }

    fn text(&self, kind: TypeId) -> String {
        self.spec.symbols.type_text(kind).to_owned()
    }

    fn situations(&self, resource_type: TypeId, rulings: &mut Vec<String>) -> Vec<Situation> {
        let mut situations = Vec::new();
        for principal in &self.role.principals {
            for resource in self.spec.world.of_type(resource_type) {
                for (context, _) in &self.ask.contexts {
                    let asked = Asked {
                        principal: *principal,
                        action: self.ask.action,
                        resource: *resource,
                        context: context.clone(),
                    };
                    let permitted = self.permits(&asked, rulings);
                    situations.push(Situation {
                        asked,
                        permitted,
                        guarded: false,
                    });
                }
            }
        }
        situations
    }

    fn permits(&self, asked: &Asked, rulings: &mut Vec<String>) -> bool {
        let verdict = self.snapshot.index.ask(&asked.scene(&self.world));
        if !verdict.allows() {
            return false;
        }
        for rule in &verdict.permits {
            let ruling = self.rulings.get(AsRef::<str>::as_ref(rule.id()));
            let words = ruling.into_iter().flat_map(|it| it.split_whitespace());
            rulings.extend(words.map(str::to_owned));
        }
        true
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
        !situation.guarded && word.index.ask(&situation.asked.scene(&self.world)).allows()
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
            let shown = |uid| self.spec.symbols.show(uid);
            let (principal, resource) = (situation.asked.principal, situation.asked.resource);
            format!("{verb}: {} on {}", shown(principal), shown(resource))
        };
        let examples: Vec<String> = differing.iter().take(MAX_EXAMPLES).map(example).collect();
        format!(
            "nearest is `{name}`, but for {} situations, as {}",
            differing.len(),
            examples.join("; ")
        )
    }
}
