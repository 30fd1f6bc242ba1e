//! From sources to a snapshot: everything is parsed, everything is checked, all findings at once.

use std::sync::{Arc, OnceLock};

use super::{
    Finding, Rejection, Snapshot, Sources, canary,
    conditions::Conditions,
    finding,
    index::Index,
    policies::{Policies, Valid},
    schema::SchemaModel,
    snapshot,
    stored::StoredEntities,
    symbols::Symbols,
};

/// What is stored, and the conditions that it meets.
struct Data {
    stored: StoredEntities,
    conditions: Conditions,
}

/// Compiles the sources whole, or says all that is wrong with them. What is `known` to be valid is
/// not validated again.
pub(super) fn compile(sources: &Sources, known: Option<&Valid>) -> Result<Snapshot, Rejection> {
    let mut findings = Vec::new();
    // Types of the schema come first: their tables are lists by number.
    let mut symbols = Symbols::default();
    let parsed = sources.schema.as_ref();
    let schema = match parsed.map(|file| SchemaModel::parse(file, &mut symbols)) {
        Some(Err(found)) => {
            findings.extend(found);
            None
        }
        Some(Ok(schema)) => Some(schema),
        None => None,
    };
    // Without the schema that was asked for, whatever else is said would only confuse.
    let judged = schema.is_some() || sources.schema.is_none();
    let policies = Policies::parse(sources, &mut findings);
    let enough = finding::is_enough(&findings);
    if let Some(rejection) = enough.then(|| Rejection::of(findings.clone())).flatten() {
        // The policies are not whole.
        return Err(rejection);
    }
    let schema_to_meet = schema.as_ref().filter(|_| !sources.skip_validation);
    let valid = schema_to_meet
        .map(|schema| Arc::new(policies.validate(sources, schema, known, &mut findings)));
    let data = if judged {
        Data::parse(sources, schema.as_ref(), &mut symbols, &mut findings)
    } else {
        Data {
            stored: StoredEntities::none(None, &mut symbols),
            conditions: Conditions::default(),
        }
    };
    let index = Index::new(policies.set.policies(), schema.as_ref(), &mut symbols);
    if let Some(rejection) = Rejection::of(findings.clone()) {
        return Err(rejection);
    }
    symbols.shrink();
    Ok(Snapshot {
        revision: sources.revision(),
        aliases: snapshot::aliases(&data.conditions, &data.stored, &symbols),
        action_labels: schema.as_ref().map(SchemaModel::labels).unwrap_or_default(),
        symbols,
        schema,
        policies,
        valid,
        index,
        stored: data.stored,
        warnings: finding::kept(findings),
        spec: sources.spec.clone(),
        invariants: sources.invariants.clone(),
        canary_cases: canary::count_cases(&sources.canaries),
        canary_cells: canary::count_cells(sources),
        canaries: sources.canaries.clone(),
        tables: sources.tables.clone(),
        matrix: OnceLock::new(),
        sources: None,
    })
}

impl Data {
    fn parse(
        sources: &Sources,
        schema: Option<&SchemaModel>,
        symbols: &mut Symbols<'_>,
        findings: &mut Vec<Finding>,
    ) -> Self {
        let (stored, places) = StoredEntities::parse(&sources.entities, schema, symbols, findings);
        let mut conditions = Conditions::default();
        if let Some(file) = &sources.conditions {
            match Conditions::parse(file, schema, symbols) {
                Ok(parsed) => {
                    parsed.check(&stored, &places, symbols, schema, findings);
                    conditions = parsed;
                }
                Err(found) => findings.extend(found),
            }
        }
        Self { stored, conditions }
    }
}
