//! Which events concern us: the folders we read, and the names and links on the way to them.

use std::{
    collections::BTreeSet,
    fs,
    path::{Component, Path, PathBuf},
};

/// Linux gives up after this many links in one path, and so do we.
const MAX_LINKS: usize = 40;

/// What has to be watched so that no change to the sources goes unseen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Interest {
    /// Folders that are read: whatever happens in them concerns us.
    folders: BTreeSet<PathBuf>,
    /// Single names: files, and links that other paths lead through. In their folders nothing
    /// else concerns us; it may be as busy as `/tmp`.
    names: BTreeSet<PathBuf>,
}

impl Interest {
    /// Everything in this folder, which must be a resolved path.
    pub(super) fn folder(&mut self, path: PathBuf) {
        self.folders.insert(path);
    }

    /// This path, and every link it leads through. A path that does not exist (yet) is of
    /// interest at the first component that is missing.
    pub(super) fn path(&mut self, path: &Path) {
        let Ok(path) = std::path::absolute(path) else {
            return;
        };
        let mut ahead: Vec<PathBuf> = parts(&path);
        let mut here = PathBuf::new();
        let mut links = 0;
        while let Some(part) = ahead.pop() {
            if part.as_os_str() == ".." {
                here.pop();
                continue;
            }
            let next = here.join(&part);
            let Ok(target) = fs::read_link(&next) else {
                if ahead.is_empty() || !next.exists() {
                    self.names.insert(next);
                    return;
                }
                here = next;
                continue;
            };
            self.names.insert(next);
            links += 1;
            if links > MAX_LINKS {
                return;
            }
            ahead.extend(parts(&target));
        }
    }

    /// The folders to watch, each for itself.
    pub(super) fn watched(&self) -> BTreeSet<PathBuf> {
        let parents = self.names.iter().filter_map(|name| name.parent());
        parents
            .map(Path::to_owned)
            .chain(self.folders.iter().cloned())
            .collect()
    }

    /// Whether something happened to a path that may change what we read.
    pub(super) fn concerns(&self, path: &Path) -> bool {
        let in_folder = path.parent().is_some_and(|it| self.folders.contains(it));
        in_folder
            || self.folders.contains(path)
            || self.names.contains(path)
            // A watched folder itself was moved or removed.
            || self.names.iter().any(|name| name.parent() == Some(path))
    }
}

/// The components in reverse, ready to be popped. An absolute one starts over by [`Path::join`].
fn parts(path: &Path) -> Vec<PathBuf> {
    path.components()
        .filter(|part| !matches!(part, Component::CurDir))
        .map(|part| PathBuf::from(part.as_os_str()))
        .rev()
        .collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn every_link_on_the_way_is_watched_where_it_stands() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        fs::create_dir_all(root.join("trees/one/policies")).unwrap();
        fs::create_dir(root.join("git")).unwrap();
        symlink("../trees/one", root.join("git/current")).unwrap();
        let mut interest = Interest::default();
        interest.path(&root.join("git/current/policies"));
        let watched = interest.watched();
        assert!(watched.contains(&root.join("git")), "{watched:?}");
        assert!(watched.contains(&root.join("trees/one")), "{watched:?}");
        assert!(interest.concerns(&root.join("git/current")));
        assert!(interest.concerns(&root.join("trees/one/policies")));
        assert!(!interest.concerns(&root.join("git/HEAD")));
    }

    #[test]
    fn a_missing_path_is_awaited_where_it_would_appear() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        let mut interest = Interest::default();
        interest.path(&root.join("a/b/c.cedar"));
        assert_eq!(interest.watched(), BTreeSet::from([root.clone()]));
        assert!(interest.concerns(&root.join("a")));
        assert!(!interest.concerns(&root.join("z")));
    }
}
