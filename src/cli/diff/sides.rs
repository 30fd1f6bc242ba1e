//! What OLD and NEW stand for: a folder of policies, a root, or a revision.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::{config::SourceChoice, source::SourceSpec};

use super::{super::spec, Failure, git::Revision};

/// The manifest of a root.
const MANIFEST: &str = "policies/editions.toml";

/// What is read of a revision whatever its manifest names.
const FOLDERS: [&str; 2] = ["policies", "schema"];

/// The edition whose specification both sides are held against when none is named.
const DEFAULT_EDITION: &str = "enterprise";

/// One of the two sides.
#[derive(Debug)]
pub(super) struct Side {
    /// As the operator wrote it.
    pub(super) name: String,
    /// Where its sources are.
    pub(super) spec: SourceSpec,
    edition: String,
    /// The files of a revision, for as long as they are read.
    _exported: Option<TempDir>,
}

impl Side {
    /// What a name stands for.
    pub(super) fn find(name: &str, choice: &SourceChoice) -> Result<Self, Failure> {
        if !choice.policies.is_empty() {
            let message = "OLD and NEW say which policies are meant: take `--policies` away";
            return Err(Failure::usage(message));
        }
        let edition = choice
            .edition
            .clone()
            .unwrap_or_else(|| DEFAULT_EDITION.to_owned());
        let choice = SourceChoice {
            edition: Some(edition.clone()),
            ..choice.clone()
        };
        let path = choice.root.join(name);
        let (choice, exported) = if !path.is_dir() {
            if is_path(name) {
                return Err(Failure::usage(format!(
                    "there is no folder `{}`",
                    path.display()
                )));
            }
            let exported = exported(name, &choice)?;
            (rooted(&choice, exported.path()), Some(exported))
        } else if path.join(MANIFEST).is_file() {
            (rooted(&choice, &path), None)
        } else {
            let policies = vec![PathBuf::from(name)];
            (SourceChoice { policies, ..choice }, None)
        };
        let mut spec = spec(choice)?;
        // What is compared holds for all data there could be.
        spec.entities = Vec::new();
        Ok(Self {
            name: name.to_owned(),
            spec,
            edition,
            _exported: exported,
        })
    }

    /// The edition it is taken for.
    pub(super) fn edition(&self) -> &str {
        &self.edition
    }
}

/// Whether a name can only be meant as a path.
fn is_path(name: &str) -> bool {
    let starts = ["/", "./", "../"]
        .iter()
        .any(|start| name.starts_with(start));
    starts || [".", ".."].contains(&name)
}

fn rooted(choice: &SourceChoice, root: &Path) -> SourceChoice {
    SourceChoice {
        root: root.to_owned(),
        ..choice.clone()
    }
}

/// The files of a revision that the edition names.
fn exported(name: &str, choice: &SourceChoice) -> Result<TempDir, Failure> {
    let revision = Revision::find(&choice.root, name)?;
    let folder = tempfile::tempdir()
        .map_err(|error| Failure::runtime(format!("there is no room for `{name}`: {error}")))?;
    revision.export(&FOLDERS.map(PathBuf::from), folder.path())?;
    if !folder.path().join(MANIFEST).is_file() {
        return Err(Failure::usage(format!("`{name}` has no `{MANIFEST}`")));
    }
    let spec = spec(rooted(choice, folder.path()))?;
    let named = spec
        .policies
        .into_iter()
        .chain(spec.schema)
        .chain(spec.conditions);
    let named = named.chain(spec.spec).chain(spec.invariants);
    let others = named.filter(|path| {
        let is_absolute = path.is_absolute();
        !is_absolute && !FOLDERS.iter().any(|folder| path.starts_with(folder))
    });
    revision.export(&others.collect::<Vec<_>>(), folder.path())?;
    Ok(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_starts_like_a_path_is_no_revision() {
        for path in [".", "..", "./main", "../policies", "/etc"] {
            assert!(is_path(path), "{path}");
        }
        for name in ["main", "HEAD~1", "origin/main", ".hidden", "main..x"] {
            assert!(!is_path(name), "{name}");
        }
    }
}
