//! From sources to a snapshot: everything is parsed, everything is checked, all findings at once.

use std::sync::OnceLock;

use super::{
    Finding, Kind, Rejection, Snapshot, Sources, conditions::Conditions, index::Index,
    policies::Policies, query, schema::SchemaModel, snapshot, stored::StoredEntities,
};

/// Compiles the sources whole, or says all that is wrong with them.
pub(super) fn compile(sources: &Sources) -> Result<Snapshot, Rejection> {
    let mut findings = Vec::new();
    let schema = match sources.schema.as_ref().map(SchemaModel::parse) {
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
    let validated = schema.is_some() && !sources.skip_validation;
    if let Some(schema) = schema.as_ref().filter(|_| validated) {
        policies.validate(sources, schema, &mut findings);
    }
    let mut stored = StoredEntities::default();
    let mut conditions = Conditions::default();
    if judged {
        let (parsed, places) =
            StoredEntities::parse(&sources.entities, schema.as_ref(), &mut findings);
        stored = parsed;
        if let Some(file) = &sources.conditions {
            match Conditions::parse(file, schema.as_ref()) {
                Ok(parsed) => {
                    parsed.check(&stored, &places, &mut findings);
                    conditions = parsed;
                }
                Err(found) => findings.extend(found),
            }
        }
    }
    let index = Index::new(&policies.set, schema.as_ref()).unwrap_or_else(|message| {
        findings.push(Finding::error(Kind::Validate, String::new(), message));
        Index::default()
    });
    if let Some(rejection) = Rejection::of(findings.clone()) {
        return Err(rejection);
    }
    let mut action_labels: Vec<String> = schema
        .iter()
        .flat_map(|schema| schema.cedar.actions())
        .map(query::action_label)
        .collect();
    action_labels.sort();
    Ok(Snapshot {
        revision: sources.revision(),
        aliases: snapshot::aliases(&conditions, &stored),
        schema,
        policies,
        validated,
        index,
        stored,
        action_labels,
        warnings: findings,
        spec: sources.spec.clone(),
        canaries: sources.canaries.clone(),
        matrix: OnceLock::new(),
    })
}
