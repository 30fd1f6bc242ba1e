//! What is behind each cell: the policies, what its word means, the documents' own words, and a
//! question of either answer. Nobody waits for it but those who ask: a reload needs none of it.

use std::collections::BTreeMap;

use crate::authz::{
    PolicyInfo, Rejection, Snapshot,
    index::Index,
    policies,
    query::Asked,
    rule::{Rule, Scope},
    spec::{self, Spec},
    symbols::{Symbols, TypeId, Uid},
};

use super::{Cell, Line, Matrix, NEVER, Printed, Table, cells, rulings};

/// What is behind each cell of a matrix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Details {
    /// The scope words that are defined, in the order of precedence.
    pub words: Vec<Word>,
    /// What the rulings say, by id.
    pub rulings: BTreeMap<String, String>,
    /// One for each line of the matrix, in its order.
    pub cells: Vec<Detail>,
}

/// A scope word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// The word.
    pub name: String,
    /// What it means, for people: `@says` of its first policy that has one.
    pub says: Option<String>,
}

/// What is behind one cell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Detail {
    /// Ids of the permits that decided where something is permitted, sorted.
    pub permits: Vec<String>,
    /// Ids of the forbids that can matter for such questions, in reading order.
    pub forbids: Vec<String>,
    /// Ids of the rulings that permits or the table name, sorted.
    pub rulings: Vec<String>,
    /// What the scope word means for this action and type.
    pub definitions: Vec<Definition>,
    /// What every word presupposes for this action and type: names of the spec's guards, sorted.
    pub guards: Vec<String>,
    /// What the documents print.
    pub printed: Option<Printed>,
    /// Whether the table says of it what the policies say; `None` if it says nothing.
    pub as_printed: Option<bool>,
    /// The first situation that is permitted.
    pub permitted: Option<Example>,
    /// The first that is denied; if there is one, where no forbid is what denies it.
    pub denied: Option<Example>,
}

/// A policy of the spec.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Definition {
    /// The file it stands in.
    pub file: String,
    /// The line it starts on, counted from 1.
    pub line: usize,
    /// The policy itself.
    pub text: String,
}

/// A question about the spec's world.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Example {
    /// Type and id of who asks.
    pub principal: (String, String),
    /// The action's name.
    pub action: String,
    /// Type and id of what it is about.
    pub resource: (String, String),
    /// A JSON object.
    pub context: String,
}

impl Snapshot {
    /// What is behind each cell of the matrix, unless `go_on` says no before all cells are done; `None`
    /// then, and without a spec. Takes as long as the matrix does, and is computed each time.
    ///
    /// # Errors
    /// All that is wrong with the spec.
    pub fn matrix_details(
        &self,
        mut go_on: impl FnMut() -> bool,
    ) -> Result<Option<Details>, Rejection> {
        let matrix = match self.matrix_while(&mut go_on) {
            Some(Ok(Some(matrix))) => matrix,
            Some(Err(rejection)) => return Err(rejection.clone()),
            Some(Ok(None)) | None => return Ok(None),
        };
        let Some(schema) = self.schema() else {
            return Ok(None);
        };
        let spec = Spec::parse(self, schema)?;
        // What is wrong with the tables is for the gate to say.
        let table = Table::read(&self.tables, None).unwrap_or_default();
        let of_policies = rulings(self);
        let cells = cells(self, &spec, &of_policies).zip(&matrix.lines);
        let cells = cells.map(|(cell, line)| {
            let printed = table.of(matrix, line);
            go_on().then(|| cell.detail(line, printed))
        });
        let Some(cells) = cells.collect() else {
            return Ok(None);
        };
        let words = spec.words.iter().map(|word| Word {
            name: word.name.clone(),
            says: says(word),
        });
        Ok(Some(Details {
            words: words.collect(),
            cells,
            rulings: spec.rulings,
        }))
    }

    /// The text of a policy in force.
    pub fn policy_text(&self, id: &str) -> Option<String> {
        let id = cedar_policy::PolicyId::new(id);
        self.policies.set.policy(&id).map(ToString::to_string)
    }
}

impl Matrix {
    /// The cells whose words differ in another matrix of the same rows, as places in this one and lines
    /// of the other.
    pub fn changes<'m>(&self, other: &'m Self) -> Vec<(usize, &'m Line)> {
        let key = |line: &Line| [&line.row_id, &line.crud, &line.role].map(String::clone);
        let others: BTreeMap<_, _> = other.lines.iter().map(|line| (key(line), line)).collect();
        let lines = self.lines.iter().enumerate();
        let changed = lines.filter_map(|(place, line)| {
            let other = *others.get(&key(line))?;
            let said = |line: &Line| [&line.scope, &line.resource_type].map(String::clone);
            // Two cells that no word describes are not the same.
            let differs = said(line) != said(other) || line.note != other.note;
            differs.then_some((place, other))
        });
        changed.collect()
    }
}

impl Cell<'_> {
    fn detail(&self, line: &Line, printed: Option<(&Printed, bool)>) -> Detail {
        let mut detail = Detail {
            rulings: line.rulings.clone(),
            printed: printed.map(|(printed, _)| printed.clone()),
            as_printed: printed.map(|(_, as_printed)| as_printed),
            ..Detail::default()
        };
        let named = printed.map_or(&[][..], |(printed, _)| &printed.rulings);
        detail.rulings.extend(named.iter().cloned());
        detail.rulings.sort();
        detail.rulings.dedup();
        let asked_of = self.spec.symbols.find_type(&line.resource_type);
        let asked_of = asked_of.filter(|kind| self.ask.resources.contains(kind));
        let Some(kind) = asked_of.or(self.ask.resources.first().copied()) else {
            return detail;
        };
        self.try_situations(kind, &mut detail);
        let forbids = self.rules(&self.snapshot.index, kind);
        let forbids = forbids.filter(|rule| rule.forbids());
        detail.forbids = forbids.map(|rule| policies::name(rule.id())).collect();
        detail.guards = self.guards(kind);
        if line.scope != NEVER {
            detail.definitions = self.definitions(&line.scope, kind);
        }
        detail
    }

    /// Puts every situation of a type to the policies.
    fn try_situations(&self, kind: TypeId, detail: &mut Detail) {
        let mut forbidden = None;
        for principal in &self.role.principals {
            for resource in self.spec.world.of_type(kind) {
                for (context, text) in &self.ask.contexts {
                    let asked = Asked {
                        principal: *principal,
                        action: self.ask.action,
                        resource: *resource,
                        context: context.clone(),
                    };
                    let verdict = self.snapshot.index.ask(&asked.scene(&self.world));
                    let example = || Some(self.example(&asked, text));
                    if verdict.allows() {
                        let permits = verdict.permits.iter();
                        let ids = permits.map(|rule| policies::name(rule.id()));
                        detail.permits.extend(ids);
                        detail.permitted = detail.permitted.take().or_else(example);
                    } else if verdict.forbids.is_empty() {
                        detail.denied = detail.denied.take().or_else(example);
                    } else {
                        forbidden = forbidden.or_else(example);
                    }
                }
            }
            detail.permits.sort();
            detail.permits.dedup();
        }
        detail.denied = detail.denied.take().or(forbidden);
    }

    fn example(&self, asked: &Asked, context: &str) -> Example {
        let symbols = &self.spec.symbols;
        let uid = |uid: Uid| {
            let kind = symbols.type_text(symbols.kind(uid));
            (kind.to_owned(), symbols.id(uid).to_owned())
        };
        Example {
            principal: uid(asked.principal),
            action: self.ask.action_name.clone(),
            resource: uid(asked.resource),
            context: context.to_owned(),
        }
    }

    /// The policies that can matter for the action on such a resource.
    fn rules<'i>(&'i self, index: &'i Index, kind: TypeId) -> impl Iterator<Item = &'i Rule> {
        let rules = index.rules(self.ask.action);
        rules.filter(move |rule| may_be(rule.resource, kind, &self.spec.symbols))
    }

    fn guards(&self, kind: TypeId) -> Vec<String> {
        let rules = self.rules(&self.spec.guards, kind);
        let name = |rule: &Rule| rule.policy().annotation("guard").map(str::to_owned);
        let mut names: Vec<String> = rules.filter_map(name).collect();
        names.sort();
        names.dedup();
        names
    }

    fn definitions(&self, word: &str, kind: TypeId) -> Vec<Definition> {
        let words = self.spec.words.iter();
        let Some(word) = words.into_iter().find(|it| it.name == word) else {
            return Vec::new();
        };
        let define = |rule: &Rule| {
            let id = policies::name(rule.id());
            let info: Option<&PolicyInfo> = word.infos.iter().find(|info| info.id == id);
            Definition {
                file: info.map_or_else(String::new, |info| info.file.clone()),
                line: info.map_or(1, |info| info.line),
                text: rule.policy().to_string(),
            }
        };
        self.rules(&word.index, kind).map(define).collect()
    }
}

fn says(word: &spec::Word) -> Option<String> {
    let says = word.infos.iter().find_map(|info| info.annotation("says"));
    says.map(str::to_owned)
}

/// Whether a scope can let in an entity of this type.
fn may_be(scope: Scope, kind: TypeId, symbols: &Symbols<'_>) -> bool {
    match scope {
        Scope::Any | Scope::In(_) => true,
        Scope::Equal(uid) => symbols.kind(uid) == kind,
        Scope::Is(only) | Scope::IsIn(only, _) => only == kind,
    }
}
