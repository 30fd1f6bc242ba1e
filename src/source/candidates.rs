//! Policy folders that could take the place of those in force, for whoever wants to see the difference.

use std::{collections::BTreeMap, path::PathBuf};

use crate::{
    authz::{Rejection, Snapshot},
    store::Candidates,
};

use super::SourceSpec;

/// Candidates by name; everything but the policies is read from where it is served from.
#[derive(Debug)]
pub struct CandidateFolders {
    served: SourceSpec,
    folders: BTreeMap<String, Vec<PathBuf>>,
}

impl CandidateFolders {
    /// Folders by name; those of one name are read in this order.
    pub fn new(served: SourceSpec, named: impl IntoIterator<Item = (String, PathBuf)>) -> Self {
        let mut folders: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
        for (name, folder) in named {
            folders.entry(name).or_default().push(folder);
        }
        Self { served, folders }
    }
}

impl Candidates for CandidateFolders {
    fn names(&self) -> Vec<String> {
        self.folders.keys().cloned().collect()
    }

    fn compile(&self, name: &str) -> Option<Result<Snapshot, Rejection>> {
        let policies = self.folders.get(name)?.clone();
        let spec = SourceSpec {
            policies,
            ..self.served.clone()
        };
        Some(spec.load())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_candidate_takes_the_place_of_the_policies_and_is_read_when_it_is_asked_for() {
        let root = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        let permit = |id: &str| format!("@id(\"{id}\") permit (principal, action, resource);");
        write("served/a.cedar", &permit("served"));
        write("next/a.cedar", &permit("next"));
        write("more/a.cedar", &permit("more"));
        let served = SourceSpec {
            root: root.path().to_owned(),
            policies: vec!["served".into()],
            ..SourceSpec::default()
        };
        let named = [("next", "next"), ("broken", "broken"), ("next", "more")];
        let named = named.map(|(name, folder)| (name.to_owned(), PathBuf::from(folder)));
        let candidates = CandidateFolders::new(served, named);
        assert_eq!(candidates.names(), ["broken", "next"]);
        let ids = || {
            let snapshot = candidates.compile("next").unwrap().unwrap();
            let ids = snapshot.policies().iter().map(|info| info.id.clone());
            ids.collect::<Vec<_>>()
        };
        assert_eq!(ids(), ["next", "more"]);
        write("more/a.cedar", &permit("other"));
        assert_eq!(ids(), ["next", "other"]);
        assert!(candidates.compile("broken").unwrap().is_err());
        assert!(candidates.compile("../next").is_none());
    }
}
