//! What a snapshot holds, for those who only want to know.

/// What a snapshot holds, for metrics and the status page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Policies in force: static ones and template links.
    pub policies: usize,
    /// Stored entities, without action entities.
    pub entities: usize,
    /// Actions the schema declares (groups included).
    pub schema_actions: usize,
    /// Canaries that can be asked: queries, and cells of the table.
    pub canaries: usize,
    /// How many of them are cells.
    pub cells: usize,
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

impl PolicyInfo {
    /// The value of an annotation. Cedar's own look-up runs its parser on the key.
    pub(in crate::authz) fn annotation(&self, key: &str) -> Option<&str> {
        let mut annotations = self.annotations.iter();
        let found = annotations.find(|(name, _)| name == key);
        found.map(|(_, value)| value.as_str())
    }
}
