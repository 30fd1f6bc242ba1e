//! The manifest of editions, and what the command line says instead of it.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
};

use serde::Deserialize;

use super::SourceSpec;

/// The manifest, below the root.
const MANIFEST: &str = "policies/editions.toml";

/// Longest manifest: ten thousand editions. It is read before anything can be refused.
const MAX_MANIFEST_BYTES: u64 = 1 << 20;

/// The edition that is served when nobody says what to serve.
const DEFAULT_EDITION: &str = "enterprise";

/// What the operator asked for, before the manifest is read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// The folder that relative paths start from; empty is the current folder.
    pub root: PathBuf,
    /// The edition by name.
    pub edition: Option<String>,
    /// Policy files and folders instead of the edition's; empty leaves them.
    pub policies: Vec<PathBuf>,
    /// The schema instead of the edition's.
    pub schema: Option<PathBuf>,
    /// The data conditions instead of the edition's.
    pub conditions: Option<PathBuf>,
    /// Entity files and folders instead of the edition's; empty leaves them.
    pub entities: Vec<PathBuf>,
    /// Invariants, files and folders, instead of the edition's; empty leaves them.
    pub invariants: Vec<PathBuf>,
    /// Skip strict validation of the policies against the schema.
    pub skip_validation: bool,
}

/// Why a selection names no sources.
#[derive(Debug, thiserror::Error)]
pub enum EditionError {
    /// The manifest is not the TOML we take.
    #[error("`{}` is not a manifest of editions: {source}", path.display())]
    Malformed {
        /// The manifest.
        path: PathBuf,
        /// What is wrong and where.
        source: Box<toml::de::Error>,
    },
    /// The manifest has no such table.
    #[error("there is no edition `{name}`, only {known}")]
    Unknown {
        /// The name asked for.
        name: String,
        /// Those that exist, in backticks.
        known: String,
    },
    /// The manifest cannot be read.
    #[error("could not read `{}`: {source}", path.display())]
    Unreadable {
        /// The manifest.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// One table of the manifest.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Edition {
    policies: Vec<PathBuf>,
    schema: Option<PathBuf>,
    conditions: Option<PathBuf>,
    #[serde(default)]
    spec: Vec<PathBuf>,
    #[serde(default)]
    invariants: Vec<PathBuf>,
    #[serde(default)]
    entities: Vec<PathBuf>,
}

impl Selection {
    /// The sources this names. Reads the manifest if an edition is meant, and nothing else.
    ///
    /// # Errors
    /// A manifest that is missing or malformed, and an edition it does not have.
    pub fn resolve(self) -> Result<SourceSpec, EditionError> {
        let edition = match &self.edition {
            Some(name) => edition(&self.root, name)?,
            None if self.policies.is_empty() => edition(&self.root, DEFAULT_EDITION)?,
            // Policies on their own are somebody else's: our schema would not fit them.
            None => Edition::default(),
        };
        Ok(SourceSpec {
            root: self.root,
            policies: named_or(self.policies, edition.policies),
            schema: self.schema.or(edition.schema),
            conditions: self.conditions.or(edition.conditions),
            entities: named_or(self.entities, edition.entities),
            spec: edition.spec,
            invariants: named_or(self.invariants, edition.invariants),
            skip_validation: self.skip_validation,
        })
    }
}

fn named_or(named: Vec<PathBuf>, otherwise: Vec<PathBuf>) -> Vec<PathBuf> {
    if named.is_empty() { otherwise } else { named }
}

/// The names of the editions there are, below a root.
///
/// # Errors
/// A manifest that is missing or malformed.
pub fn editions(root: &Path) -> Result<Vec<String>, EditionError> {
    Ok(manifest(root)?.into_keys().collect())
}

fn edition(root: &Path, name: &str) -> Result<Edition, EditionError> {
    let mut editions = manifest(root)?;
    editions.remove(name).ok_or_else(|| EditionError::Unknown {
        name: name.to_owned(),
        known: known(editions.keys()),
    })
}

fn manifest(root: &Path) -> Result<BTreeMap<String, Edition>, EditionError> {
    let path = root.join(MANIFEST);
    let text = match read(&path) {
        Ok(text) => text,
        Err(source) => return Err(EditionError::Unreadable { path, source }),
    };
    match toml::from_str(&text) {
        Ok(editions) => Ok(editions),
        Err(source) => {
            let source = Box::new(source);
            Err(EditionError::Malformed { path, source })
        }
    }
}

fn read(path: &Path) -> io::Result<String> {
    // Opening a FIFO would wait for a writer.
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::other("it is not a file"));
    }
    let mut text = String::new();
    let mut limited = File::open(path)?.take(MAX_MANIFEST_BYTES + 1);
    if limited.read_to_string(&mut text)? as u64 > MAX_MANIFEST_BYTES {
        let message = format!("it is larger than {MAX_MANIFEST_BYTES} bytes");
        return Err(io::Error::other(message));
    }
    Ok(text)
}

fn known<'a>(names: impl Iterator<Item = &'a String>) -> String {
    let names: Vec<String> = names.map(|name| format!("`{name}`")).collect();
    if names.is_empty() {
        return "an empty manifest".to_owned();
    }
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST_TEXT: &str = r#"
        [enterprise]
        policies = ["policies/enterprise"]
        schema = "schema/ls.cedarschema"
        conditions = "schema/conditions.toml"
        spec = ["policies/spec"]
        entities = ["deploy/example"]

        [starter]
        policies = ["policies/enterprise", "policies/overlays/starter"]
    "#;

    fn resolve(manifest: &str, selection: Selection) -> Result<SourceSpec, EditionError> {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("policies")).unwrap();
        fs::write(folder.path().join(MANIFEST), manifest).unwrap();
        Selection {
            root: folder.path().to_owned(),
            ..selection
        }
        .resolve()
    }

    fn paths(names: &[&str]) -> Vec<PathBuf> {
        names.iter().map(PathBuf::from).collect()
    }

    #[test]
    fn nothing_named_is_the_enterprise_edition_whole() {
        let spec = resolve(MANIFEST_TEXT, Selection::default()).unwrap();
        assert_eq!(spec.policies, paths(&["policies/enterprise"]));
        assert_eq!(spec.schema, Some("schema/ls.cedarschema".into()));
        assert_eq!(spec.conditions, Some("schema/conditions.toml".into()));
        assert_eq!(spec.spec, paths(&["policies/spec"]));
        assert_eq!(spec.entities, paths(&["deploy/example"]));
    }

    #[test]
    fn policies_alone_bring_no_schema_and_no_entities() {
        let selection = Selection {
            policies: paths(&["mine"]),
            ..Selection::default()
        };
        let spec = resolve("not even TOML", selection).unwrap();
        assert_eq!(spec.policies, paths(&["mine"]));
        assert_eq!((spec.schema, spec.conditions), (None, None));
        assert_eq!((spec.entities, spec.spec), (paths(&[]), paths(&[])));
    }

    #[test]
    fn what_is_named_beside_an_edition_replaces_one_key() {
        let selection = Selection {
            edition: Some("enterprise".into()),
            policies: paths(&["mine"]),
            entities: paths(&["data.json"]),
            ..Selection::default()
        };
        let spec = resolve(MANIFEST_TEXT, selection).unwrap();
        assert_eq!(spec.policies, paths(&["mine"]));
        assert_eq!(spec.entities, paths(&["data.json"]));
        assert_eq!(spec.schema, Some("schema/ls.cedarschema".into()));
    }

    #[test]
    fn an_unknown_edition_names_those_that_exist() {
        let selection = Selection {
            edition: Some("gold".into()),
            ..Selection::default()
        };
        let error = resolve(MANIFEST_TEXT, selection).unwrap_err().to_string();
        assert_eq!(
            error,
            "there is no edition `gold`, only `enterprise`, `starter`"
        );
    }

    #[test]
    fn an_unknown_key_is_an_error() {
        let manifest = "[enterprise]\npolicies = []\nschemas = \"x\"\n";
        let error = resolve(manifest, Selection::default())
            .unwrap_err()
            .to_string();
        assert!(error.contains("unknown field `schemas`"), "{error}");
    }
}
