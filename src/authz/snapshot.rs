//! Schema, policies and entities, validated whole, immutable.

use std::sync::{Arc, OnceLock};

use hashbrown::HashMap;

use super::{
    Answer, BadQuery, CedarEntities, CedarQuery, Diagnostics, Finding, Json, OnPolicyError,
    Outcome, PolicyError, Query, RawQuery, RawSearch, Rehearsal, Rejection, Revision, Search,
    SourceFile, Sources, canary, compile,
    conditions::Conditions,
    expr::Scene,
    finding,
    index::{Index, Verdict},
    matrix::Computed,
    policies::{self, Policies, Valid},
    query::Asked,
    schema::{self, SchemaModel},
    stored::StoredEntities,
    symbols::{Symbols, Uid},
    world::{Given, World},
};

mod contents;

pub use contents::{Counts, PolicyInfo};

/// Schema, policies and entities as one unit. Compiled whole or not at all; never changes.
#[derive(Debug)]
pub struct Snapshot {
    pub(super) revision: Revision,
    pub(super) symbols: Symbols<'static>,
    pub(super) schema: Option<SchemaModel>,
    pub(super) policies: Policies,
    /// What was validated strictly against the schema; `None` if nothing was.
    pub(super) valid: Option<Arc<Valid>>,
    pub(super) index: Index,
    pub(super) stored: StoredEntities,
    pub(super) aliases: HashMap<Uid, Uid>,
    pub(super) action_labels: Vec<String>,
    pub(super) warnings: Vec<Finding>,
    /// What rows, columns and scope words mean: read when the matrix is asked for.
    pub(super) spec: Vec<SourceFile>,
    pub(super) matrix: OnceLock<Computed>,
    /// What must hold whatever the policies say: read when it is to be proved.
    pub(super) invariants: Vec<SourceFile>,
    /// Known queries with their answers: read when they are put to the policies.
    pub(super) canaries: Vec<SourceFile>,
    /// How many queries they are.
    pub(super) canary_cases: usize,
    /// What the cells of the matrix must be: read with them.
    pub(super) tables: Vec<SourceFile>,
    /// How many cells they say.
    pub(super) canary_cells: usize,
    /// What it was compiled from, if somebody keeps that.
    pub(super) sources: Option<Arc<Sources>>,
}

impl Snapshot {
    /// Compiles the sources. Takes milliseconds to seconds and much stack: not for a request thread.
    ///
    /// # Errors
    /// All findings at once, not the first.
    pub fn compile(sources: &Sources) -> Result<Self, Rejection> {
        compile::compile(sources, None)
    }

    /// As [`Snapshot::compile`], in less time where policies are known to be valid.
    ///
    /// # Errors
    /// As [`Snapshot::compile`]'s.
    pub fn compile_knowing(sources: &Sources, known: Option<&Valid>) -> Result<Self, Rejection> {
        compile::compile(sources, known)
    }

    /// What needs no validation in the next snapshot.
    pub fn valid(&self) -> Option<&Arc<Valid>> {
        self.valid.as_ref()
    }

    /// The digest of the sources.
    pub fn revision(&self) -> &Revision {
        &self.revision
    }

    /// How much is in it.
    pub fn counts(&self) -> Counts {
        Counts {
            policies: self.policies.infos.len(),
            entities: self.stored.len(),
            schema_actions: self.action_labels.len(),
            canaries: self.canary_cases + self.canary_cells,
            cells: self.canary_cells,
        }
    }

    /// What compiled, but should be looked at.
    pub fn warnings(&self) -> &[Finding] {
        &self.warnings
    }

    /// The same snapshot with more that should be looked at, before what was known; all within what
    /// is kept.
    #[must_use]
    pub fn with_warnings(mut self, mut warnings: Vec<Finding>) -> Self {
        warnings.append(&mut self.warnings);
        self.warnings = finding::kept(warnings);
        self
    }

    /// The same snapshot with what it was compiled from, or as much of it as somebody wants later.
    #[must_use]
    pub fn with_sources(mut self, sources: Arc<Sources>) -> Self {
        self.sources = Some(sources);
        self
    }

    /// What [`Snapshot::with_sources`] was given.
    pub fn sources(&self) -> Option<&Arc<Sources>> {
        self.sources.as_ref()
    }

    /// Compares the matrix with the table that came with the sources, and puts the known queries to
    /// the policies. `go_on` is asked before each cell and query; once it says no, that is the end.
    pub fn rehearse(&self, go_on: impl FnMut() -> bool) -> Rehearsal {
        canary::rehearse(self, go_on)
    }

    /// Every policy in force, in reading order.
    pub fn policies(&self) -> &[PolicyInfo] {
        &self.policies.infos
    }

    /// Labels of the actions the schema declares, sorted: the id, or the whole uid in a namespace.
    pub fn action_labels(&self) -> &[String] {
        &self.action_labels
    }

    /// The schema in Cedar's JSON schema format, if there is one.
    pub fn schema_json(&self) -> Option<&str> {
        self.schema.as_ref().map(|schema| schema.json.as_str())
    }

    /// What of a question of this action about these types the schema does not know; `None` if it
    /// knows all of it, or there is none.
    pub fn undeclared(&self, principal: &str, action: &str, resource: &str) -> Option<String> {
        self.schema()?.knows(principal, action, resource).err()
    }

    /// Parses a question that is always answered.
    pub fn query(&self, raw: &RawQuery<'_>) -> Query<'_> {
        self.query_noting(raw, Diagnostics::Full)
    }

    /// [`Snapshot::query`], with so many diagnostics.
    pub fn query_noting(&self, raw: &RawQuery<'_>, diagnostics: Diagnostics) -> Query<'_> {
        Query::parse(self, raw, diagnostics)
    }

    /// Parses and checks the entities of a Cedar-shaped call. `replace` takes the store's place,
    /// `add` stands beside it; JSON `null` counts as absent.
    ///
    /// # Errors
    /// [`BadQuery::Entities`] for what Cedar or the schema refuses, for entries of types only the
    /// store speaks for, and for a stored uid with other content.
    pub fn cedar_entities(
        &self,
        replace: Option<&Json<'_>>,
        add: Option<&Json<'_>>,
    ) -> Result<CedarEntities<'_>, BadQuery> {
        CedarEntities::parse(self, replace, add)
    }

    /// Parses and checks a Cedar-shaped question.
    ///
    /// # Errors
    /// [`BadQuery::Request`] for what Cedar's own request validation refuses.
    pub fn cedar_query<'q>(
        &'q self,
        raw: &CedarQuery<'_>,
        entities: &'q CedarEntities<'_>,
    ) -> Result<Query<'q>, BadQuery> {
        raw.parse(self, entities)
    }

    /// Decides. The query must have been parsed by this snapshot.
    pub fn decide(&self, query: &Query<'_>, on_error: OnPolicyError) -> Answer {
        let diagnostics = query.diagnostics.clone();
        let Some(evaluation) = &query.evaluation else {
            return Answer::denied(diagnostics);
        };
        let given = evaluation.given.given();
        let world = World::new(&evaluation.symbols, &self.stored, self.schema(), given);
        let verdict = self.index.ask(&evaluation.asked.scene(&world));
        answer(verdict, on_error, diagnostics)
    }

    /// Parses a question that leaves one part open.
    pub fn search<'s>(&'s self, raw: &RawSearch<'s>) -> Search<'s> {
        Search::new(self, raw)
    }

    /// An entity that a question reaches, that only the store speaks for, and that is not stored.
    pub(super) fn missing(
        &self,
        asked: &Asked,
        given: &Given,
        symbols: &Symbols<'_>,
    ) -> Option<Uid> {
        let roots = asked.roots();
        if given.is_nothing() {
            return self.missing_of(&self.stored, &roots, symbols);
        }
        let world = World::new(symbols, &self.stored, self.schema(), given);
        let roots = roots.into_iter().chain([asked.action]);
        let sight = self.index.sight(asked.action);
        world.reach(roots, [], sight).missing
    }

    pub(super) fn schema(&self) -> Option<&SchemaModel> {
        self.schema.as_ref()
    }

    pub(super) fn stored(&self) -> &StoredEntities {
        &self.stored
    }

    /// The action a name stands for: the declared one, else `Action::"name"`.
    pub(super) fn action_named(&self, name: &str, symbols: &mut Symbols<'_>) -> Option<Uid> {
        let declared = self.schema.as_ref().and_then(|schema| schema.action(name));
        declared.or_else(|| symbols.read_uid("Action", name).ok())
    }

    /// The entity that is meant by a uid that may be an alias.
    pub(super) fn resolve_alias(&self, uid: Uid) -> Uid {
        if self.aliases.is_empty() {
            return uid;
        }
        self.aliases.get(&uid).copied().unwrap_or(uid)
    }

    /// Whether some entity of this type is but another name for one.
    pub(super) fn has_alias_of(&self, type_name: &str) -> bool {
        let kind = self.symbols.find_type(type_name);
        let mut aliases = self.aliases.keys();
        aliases.any(|alias| Some(self.symbols.kind(*alias)) == kind)
    }

    /// An entity that is reached from `roots`, that only the store speaks for, and that is not stored.
    pub(super) fn missing_of(
        &self,
        stored: &StoredEntities,
        roots: &[Uid],
        symbols: &Symbols<'_>,
    ) -> Option<Uid> {
        let is_held = |uid| schema::is_held(self.schema(), symbols.kind(uid));
        let missing = roots.iter().filter_map(|uid| {
            let absent = stored.get(*uid).is_none() && is_held(*uid);
            let behind = stored.missing_behind(*uid);
            behind.or(absent.then_some(*uid))
        });
        // Of several always the same is told.
        missing.max_by(|a, b| symbols.order(*a, *b))
    }
}

impl Asked {
    /// The question as policies see it, in a world.
    pub(super) fn scene<'q>(&'q self, world: &'q World<'q>) -> Scene<'q> {
        Scene {
            principal: self.principal,
            action: self.action,
            resource: self.resource,
            context: &self.context,
            world,
        }
    }
}

/// What a verdict comes to.
pub(super) fn answer(
    verdict: Verdict<'_>,
    on_error: OnPolicyError,
    diagnostics: Vec<String>,
) -> Answer {
    let reasons = verdict.reasons().iter();
    let mut policies: Vec<String> = reasons.map(|rule| policies::name(rule.id())).collect();
    policies.sort_unstable();
    let forbid_erred = verdict.errors.iter().any(|(rule, _)| rule.forbids());
    let outcome = match verdict.allows() {
        false if !policies.is_empty() => Outcome::Forbidden,
        // What is our own fault is an error under either rule.
        _ if forbid_erred && (on_error == OnPolicyError::Deny || verdict.is_untold()) => {
            Outcome::Error
        }
        true => Outcome::Permitted,
        false => Outcome::NotPermitted,
    };
    if outcome == Outcome::Error {
        policies.clear();
    }
    let errors = verdict
        .errors
        .into_iter()
        .map(|(rule, message)| PolicyError {
            policy: policies::name(rule.id()),
            message,
        });
    let mut errors: Vec<PolicyError> = errors.collect();
    errors.sort();
    Answer {
        outcome,
        policies,
        errors,
        diagnostics,
    }
}

/// The aliases that resolve in this data set.
pub(super) fn aliases(
    conditions: &Conditions,
    stored: &StoredEntities,
    symbols: &Symbols<'_>,
) -> HashMap<Uid, Uid> {
    let resolve = |alias: &Uid| match stored.of_type(symbols.kind(*alias)) {
        [only] => Some((*alias, *only)),
        _ => None,
    };
    conditions.aliases.iter().filter_map(resolve).collect()
}
