//! What the process that proves reads, as one line of JSON. Both ends are the same binary.

use std::{collections::HashSet, path::PathBuf, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};

use crate::authz::{Key, Parts, SourceFile, Sources};

use super::told::key;

/// Everything that is needed to prove a candidate.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Job {
    pub(super) candidate: Texts,
    /// What was in order before.
    pub(super) before: Option<Texts>,
    /// Whether it must not be narrower than the candidate.
    pub(super) no_wider: bool,
    pub(super) cells: bool,
    pub(super) invariants: bool,
    pub(super) errors: bool,
    /// In hexadecimal.
    pub(super) known: Vec<String>,
    pub(super) solver: PathBuf,
    pub(super) solvers: usize,
    pub(super) time_ms: u64,
    pub(super) claim_time_ms: u64,
    pub(super) solver_bytes: u64,
}

/// The sources that proofs are about: no entities, nor anything else that says nothing of them.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Texts {
    schema: Option<Text>,
    policies: Vec<Text>,
    links: Vec<Text>,
    spec: Vec<Text>,
    invariants: Vec<Text>,
    tables: Vec<Text>,
    skip_validation: bool,
}

#[derive(Debug, Serialize, Deserialize)]
struct Text {
    name: String,
    base64: String,
}

impl Job {
    pub(super) fn parts(&self) -> Parts {
        Parts {
            cells: self.cells,
            invariants: self.invariants,
            errors: self.errors,
        }
    }

    pub(super) fn time(&self) -> Duration {
        Duration::from_millis(self.time_ms)
    }

    pub(super) fn known(&self) -> HashSet<Key> {
        self.known.iter().filter_map(|it| key(it)).collect()
    }
}

impl Texts {
    pub(super) fn of(sources: &Sources) -> Self {
        let texts = |files: &[SourceFile]| files.iter().map(Text::of).collect();
        Self {
            schema: sources.schema.as_ref().map(Text::of),
            policies: texts(&sources.policies),
            links: texts(&sources.links),
            spec: texts(&sources.spec),
            invariants: texts(&sources.invariants),
            tables: texts(&sources.tables),
            skip_validation: sources.skip_validation,
        }
    }

    /// Without what no comparison with another set needs.
    pub(super) fn compared(sources: &Sources) -> Self {
        Self {
            tables: Vec::new(),
            ..Self::of(sources)
        }
    }

    pub(super) fn sources(&self) -> Result<Sources, base64::DecodeError> {
        let files = |texts: &[Text]| texts.iter().map(Text::file).collect::<Result<Vec<_>, _>>();
        Ok(Sources {
            schema: self.schema.as_ref().map(Text::file).transpose()?,
            policies: files(&self.policies)?,
            links: files(&self.links)?,
            spec: files(&self.spec)?,
            invariants: files(&self.invariants)?,
            tables: files(&self.tables)?,
            skip_validation: self.skip_validation,
            ..Sources::default()
        })
    }
}

impl Text {
    fn of(file: &SourceFile) -> Self {
        Self {
            name: file.name.clone(),
            base64: STANDARD.encode(&file.bytes),
        }
    }

    fn file(&self) -> Result<SourceFile, base64::DecodeError> {
        Ok(SourceFile {
            name: self.name.clone(),
            bytes: STANDARD.decode(&self.base64)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_arrive_without_what_proofs_do_not_need() {
        let file = |bytes: &[u8]| SourceFile {
            name: "a".to_owned(),
            bytes: bytes.to_vec(),
        };
        let sources = Sources {
            policies: vec![file(b"permit(principal, action, resource);")],
            tables: vec![file(&[0xff, 0, b'\n'])],
            entities: vec![file(b"[]")],
            ..Sources::default()
        };
        let got = Texts::of(&sources).sources().unwrap();
        assert_eq!(
            (&got.policies, &got.tables),
            (&sources.policies, &sources.tables)
        );
        assert_eq!(got.entities, []);
        assert_eq!(Texts::compared(&sources).sources().unwrap().tables, []);
    }
}
