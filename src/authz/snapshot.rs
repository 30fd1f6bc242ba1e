//! Schema, policies and entities, validated whole, immutable.

use super::{
    Answer, BadQuery, CedarEntities, CedarQuery, Finding, Json, OnPolicyError, Outcome, Query,
    RawQuery, Rejection, Revision, Sources,
};

/// What a snapshot holds, for metrics and the status page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Policies in force: static ones and template links.
    pub policies: usize,
    /// Stored entities, without action entities.
    pub entities: usize,
    /// Actions the schema declares (groups included).
    pub schema_actions: usize,
}

/// One policy in force, for metrics and the admin pages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyInfo {
    /// `@id`, the link id, or `policyN`.
    pub id: String,
    /// `permit` or `forbid`.
    pub effect: &'static str,
    /// The file it stands in.
    pub file: String,
    /// The line it starts on, counted from 1.
    pub line: usize,
    /// Its annotations, sorted by key.
    pub annotations: Vec<(String, String)>,
}

/// Schema, policies and entities as one unit. Compiled whole or not at all; never changes.
#[derive(Debug)]
pub struct Snapshot {
    revision: Revision,
}

impl Snapshot {
    /// Compiles the sources. Takes milliseconds to seconds and much stack: not for a request thread.
    ///
    /// # Errors
    /// All findings at once, not the first.
    pub fn compile(sources: &Sources) -> Result<Self, Rejection> {
        Ok(Self {
            revision: sources.revision(),
        })
    }

    /// The digest of the sources.
    pub fn revision(&self) -> &Revision {
        &self.revision
    }

    /// How much is in it.
    pub fn counts(&self) -> Counts {
        Counts::default()
    }

    /// What compiled, but should be looked at.
    pub fn warnings(&self) -> &[Finding] {
        &[]
    }

    /// Every policy in force, in reading order.
    pub fn policies(&self) -> &[PolicyInfo] {
        &[]
    }

    /// Labels of the actions the schema declares, sorted: the id, or the whole uid in a namespace.
    pub fn action_labels(&self) -> &[String] {
        &[]
    }

    /// The schema in Cedar's JSON schema format, if there is one.
    pub fn schema_json(&self) -> Option<&str> {
        None
    }

    /// Parses a question that is always answered.
    pub fn query(&self, raw: &RawQuery<'_>) -> Query {
        let _ = raw;
        Query
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
    ) -> Result<CedarEntities, BadQuery> {
        let _ = (replace, add);
        Ok(CedarEntities)
    }

    /// Parses and checks a Cedar-shaped question.
    ///
    /// # Errors
    /// [`BadQuery::Request`] for what Cedar's own request validation refuses.
    pub fn cedar_query(
        &self,
        raw: &CedarQuery<'_>,
        entities: &CedarEntities,
    ) -> Result<Query, BadQuery> {
        let _ = (raw, entities);
        Ok(Query)
    }

    /// Decides. The query must have been parsed by this snapshot.
    pub fn decide(&self, query: &Query, on_error: OnPolicyError) -> Answer {
        let _ = (query, on_error);
        Answer {
            outcome: Outcome::NotPermitted,
            policies: Vec::new(),
            errors: Vec::new(),
            diagnostics: Vec::new(),
        }
    }
}
