//! The editions: their policy folders, and the files of the repository.

use std::{fs, path::Path};

use palisade::authz::{Snapshot, SourceFile, Sources};

/// A policy set that the tables say something about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Edition {
    /// Not an edition of its own: the base with the overlay that follows the sentence (C01).
    ByProse,
    Enterprise,
    Enterprise2023,
    Teams,
}

impl Edition {
    pub(crate) const ALL: [Self; 4] = [
        Self::Enterprise,
        Self::Enterprise2023,
        Self::Teams,
        Self::ByProse,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::ByProse => "organization-page-by-prose",
            Self::Enterprise => "enterprise",
            Self::Enterprise2023 => "enterprise-2023",
            Self::Teams => "teams",
        }
    }

    /// The edition of the table it is checked against.
    pub(crate) fn table(self) -> &'static str {
        match self {
            Self::ByProse => "enterprise",
            Self::Enterprise | Self::Enterprise2023 | Self::Teams => self.name(),
        }
    }

    /// Whether its cells for an action may differ from those of the edition it is checked against.
    pub(crate) fn is_walked(self, action: &str) -> bool {
        self != Self::ByProse || action == "org.page.view"
    }

    /// Its policy files, in reading order.
    pub(crate) fn policies(self) -> Vec<SourceFile> {
        let folders = self.folders();
        let files = folders.iter().flat_map(|folder| files(folder, ".cedar"));
        files.collect()
    }

    /// The tables beside its policies, in reading order.
    pub(crate) fn tables(self) -> Vec<SourceFile> {
        let folders = self.folders();
        let tests = folders.iter().map(|folder| format!("{folder}/tests"));
        tests.flat_map(|folder| files(&folder, ".csv")).collect()
    }

    fn folders(self) -> Vec<String> {
        let mut folders = strings(&self.manifest()["policies"]);
        if self == Self::ByProse {
            folders.push("policies/overlays/organization-page-by-prose".to_owned());
        }
        folders
    }

    /// Schema and policies, without data.
    pub(crate) fn sources(self) -> Sources {
        Sources {
            policies: self.policies(),
            schema: Some(source(self.manifest()["schema"].as_str().unwrap())),
            ..Sources::default()
        }
    }

    /// The same with the data, conditions, spec and tables the edition ships with.
    pub(crate) fn shipped(self) -> Sources {
        let manifest = self.manifest();
        let listed = |key: &str| -> Vec<SourceFile> {
            let names = strings(&manifest[key]);
            names.iter().map(|name| source(name)).collect()
        };
        Sources {
            conditions: Some(source(manifest["conditions"].as_str().unwrap())),
            entities: listed("entities"),
            spec: listed("spec"),
            tables: self.tables(),
            ..self.sources()
        }
    }

    fn manifest(self) -> toml::Table {
        let editions: toml::Table = text("policies/editions.toml").parse().unwrap();
        editions[self.table()].as_table().unwrap().clone()
    }
}

/// Compiles, or says what is wrong.
pub(crate) fn compile(sources: &Sources) -> Snapshot {
    Snapshot::compile(sources).unwrap_or_else(|rejection| panic!("{rejection}"))
}

/// A file of the repository as a source.
pub(crate) fn source(name: &str) -> SourceFile {
    SourceFile {
        name: name.to_owned(),
        bytes: text(name).into_bytes(),
    }
}

/// A file of the repository.
pub(crate) fn text(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap_or_else(|error| panic!("`{name}`: {error}"))
}

/// A file of `tests/fixtures`.
pub(crate) fn fixture(name: &str) -> String {
    text(&format!("tests/fixtures/{name}"))
}

/// Compares with a file of `tests/golden`, or rewrites it if `UPDATE` is set.
pub(crate) fn golden(name: &str, actual: &str) {
    let path = root().join("tests/golden").join(name);
    if std::env::var_os("UPDATE").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, actual).unwrap();
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    let differs = expected
        .lines()
        .zip(actual.lines())
        .find(|(old, new)| old != new);
    assert!(
        expected == actual,
        "tests/golden/{name} is not up to date (UPDATE=1 rewrites it); first difference: {differs:?}"
    );
}

/// The files of a folder whose names end so, in reading order.
pub(crate) fn files(folder: &str, ending: &str) -> Vec<SourceFile> {
    let entries = fs::read_dir(root().join(folder)).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(ending))
        .collect();
    names.sort();
    names
        .iter()
        .map(|name| source(&format!("{folder}/{name}")))
        .collect()
}

fn strings(value: &toml::Value) -> Vec<String> {
    let items = value.as_array().unwrap().iter();
    items
        .map(|item| item.as_str().unwrap().to_owned())
        .collect()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
