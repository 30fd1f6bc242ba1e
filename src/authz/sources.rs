//! The texts a snapshot is compiled from, and their digest.

use std::fmt;

use sha2::{Digest, Sha256};

/// One file as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceFile {
    /// The name findings and the status page show: the path as the operator would write it.
    pub name: String,
    /// The content, byte for byte.
    pub bytes: Vec<u8>,
}

impl SourceFile {
    /// SHA-256 of the content, in lower-case hex.
    pub fn digest(&self) -> String {
        hex(&Sha256::digest(&self.bytes))
    }
}

/// Everything a snapshot is made of, read whole before anything is compiled.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sources {
    /// Policy files (`*.cedar`), in reading order: it gives policies without `@id` their names.
    pub policies: Vec<SourceFile>,
    /// Template links (`links.json`), each list in reading order.
    pub links: Vec<SourceFile>,
    /// The schema, in Cedar syntax or, if its name ends in `.json`, Cedar's JSON schema format.
    pub schema: Option<SourceFile>,
    /// What stored data must meet (`conditions.toml`).
    pub conditions: Option<SourceFile>,
    /// Stored entities, in Cedar's JSON format; the lists of all files make one data set.
    pub entities: Vec<SourceFile>,
    /// What rows, columns, roles and scope words mean for the matrix.
    pub spec: Vec<SourceFile>,
    /// What must hold of the policies whatever they say, to be proved (`*.cedar`).
    pub invariants: Vec<SourceFile>,
    /// Known queries with their answers (`tests/*.json` beside the policies).
    pub canaries: Vec<SourceFile>,
    /// What the cells of the matrix must be (`tests/*.csv` beside the policies), in reading order: a
    /// later file counts.
    pub tables: Vec<SourceFile>,
    /// Skip strict validation of the policies against the schema.
    pub skip_validation: bool,
}

impl Sources {
    /// The digest of everything above: equal revisions are equal snapshots.
    pub fn revision(&self) -> Revision {
        let mut digest = Sha256::new();
        let one = |file: &Option<SourceFile>| file.iter().cloned().collect::<Vec<_>>();
        let (schema, conditions) = (one(&self.schema), one(&self.conditions));
        for files in [
            &self.policies,
            &self.links,
            &schema,
            &conditions,
            &self.entities,
            &self.spec,
            &self.invariants,
            &self.canaries,
            &self.tables,
        ] {
            digest.update((files.len() as u64).to_be_bytes());
            for file in files {
                for part in [file.name.as_bytes(), &file.bytes] {
                    digest.update((part.len() as u64).to_be_bytes());
                    digest.update(part);
                }
            }
        }
        digest.update([u8::from(self.skip_validation)]);
        Revision(hex(&digest.finalize()))
    }

    /// Every file, for the status page.
    pub fn files(&self) -> impl Iterator<Item = &SourceFile> {
        self.schema
            .iter()
            .chain(&self.conditions)
            .chain(&self.policies)
            .chain(&self.links)
            .chain(&self.entities)
            .chain(&self.spec)
            .chain(&self.invariants)
            .chain(&self.canaries)
            .chain(&self.tables)
    }
}

/// The content digest of a snapshot: SHA-256 in lower-case hex.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Revision(String);

impl Revision {
    /// The digest as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
