//! The folder that is served. After each single thing done to it, what lies there now is told.

use std::{
    fs, io,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    time::SystemTime,
};

use tempfile::TempDir;

use crate::{
    offered::Offered,
    sets::{CANARIES, ENTITIES, Files, SCHEMA},
};

pub(crate) struct Disk<'o> {
    root: TempDir,
    offered: &'o Offered,
    trees: u64,
}

/// What a walk over the policies finds.
struct Walk {
    files: Files,
    readable: bool,
}

impl<'o> Disk<'o> {
    /// A folder with a first set.
    pub(crate) fn new(files: &Files, offered: &'o Offered) -> Self {
        let mut disk = Self {
            root: tempfile::tempdir().unwrap(),
            offered,
            trees: 0,
        };
        disk.flip(files);
        disk
    }

    pub(crate) fn root(&self) -> &Path {
        self.root.path()
    }

    /// Where a path of a set leads.
    pub(crate) fn at(&self, path: &str) -> PathBuf {
        self.root().join("current").join(path)
    }

    /// Renames a new file over an old one, as `mv` and most editors do.
    pub(crate) fn put(&self, path: &str, bytes: &[u8]) {
        let target = self.at(path);
        let new = target.with_file_name(".new");
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        fs::write(&new, bytes).unwrap();
        self.tell(|| fs::rename(new, target));
    }

    /// Truncates a file and writes it in two parts, as `>` does.
    pub(crate) fn write(&self, path: &str, bytes: &[u8]) {
        let half = bytes.len() / 2;
        fs::create_dir_all(self.at(path).parent().unwrap()).unwrap();
        self.tell(|| fs::write(self.at(path), b""));
        self.tell(|| fs::write(self.at(path), &bytes[..half]));
        self.tell(|| fs::write(self.at(path), bytes));
    }

    /// Removes a file.
    pub(crate) fn remove(&self, path: &str) {
        self.tell(|| fs::remove_file(self.at(path)));
    }

    /// Removes the folder of the policies, one name after the other, and the folder last. Returns
    /// where it was, behind any links.
    pub(crate) fn remove_policies(&self) -> PathBuf {
        let folder = self.at("policies").canonicalize().unwrap();
        self.remove_all(&folder);
        folder
    }

    fn remove_all(&self, folder: &Path) {
        for entry in fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_dir() {
                self.remove_all(&entry.path());
            } else {
                self.tell(|| fs::remove_file(entry.path()));
            }
        }
        self.tell(|| fs::remove_dir(folder));
    }

    /// Changes when a file was changed, and nothing else.
    pub(crate) fn touch(&self, path: &str) {
        let file = fs::File::options().write(true).open(self.at(path)).unwrap();
        self.tell(|| file.set_modified(SystemTime::now()));
    }

    /// Writes another tree and lets the link point to it, as git-sync does.
    pub(crate) fn flip(&mut self, files: &Files) {
        let tree = self.next("tree");
        lay(&tree, files);
        self.relink(&tree, "current");
    }

    /// As [`Self::flip`], to a tree that is laid out as Kubernetes does with a ConfigMap: every
    /// name in it is a link through `..data`.
    pub(crate) fn flip_to_config_map(&mut self, files: &Files) {
        let tree = self.next("mount");
        fs::create_dir(&tree).unwrap();
        let data = self.next("..data");
        let name = data.file_name().unwrap();
        lay(&tree.join(name), files);
        symlink(name, tree.join("..data")).unwrap();
        for name in ["policies", SCHEMA, ENTITIES] {
            symlink(Path::new("..data").join(name), tree.join(name)).unwrap();
        }
        self.relink(&tree, "current");
    }

    /// Replaces what is in a ConfigMap in one step.
    pub(crate) fn swap_config_map(&mut self, files: &Files) {
        let mount = self.root().join("current").canonicalize().unwrap();
        let data = self.next("..data");
        let data = mount.join(data.file_name().unwrap());
        lay(&data, files);
        let link = mount
            .strip_prefix(self.root().canonicalize().unwrap())
            .unwrap()
            .join("..data");
        self.relink(&data, link.to_str().unwrap());
    }

    /// Does one thing to the disk, and tells what lies there then.
    pub(crate) fn tell(&self, act: impl FnOnce() -> io::Result<()>) {
        act().unwrap();
        let mut walk = Walk {
            files: Files::new(),
            readable: true,
        };
        walk.folder(&self.at("policies"), "policies");
        for path in [SCHEMA, ENTITIES] {
            walk.file(&self.at(path), path);
        }
        self.offered.put(walk.files, walk.readable);
    }

    /// Lets a link point somewhere else in one step, and removes where it pointed to.
    fn relink(&self, target: &Path, link: &str) {
        let link = self.root().join(link);
        let next = self.root().join("next");
        let old = link.canonicalize();
        let name = target.file_name().unwrap();
        symlink(name, &next).unwrap();
        self.tell(|| fs::rename(next, link));
        if let Ok(old) = old {
            fs::remove_dir_all(old).unwrap();
        }
    }

    fn next(&mut self, what: &str) -> PathBuf {
        self.trees += 1;
        self.root().join(format!("{what}-{}", self.trees))
    }
}

/// Writes all files below a new folder.
fn lay(folder: &Path, files: &Files) {
    for (path, bytes) in files {
        let path = folder.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
}

impl Walk {
    fn folder(&mut self, folder: &Path, name: &str) {
        let Ok(entries) = fs::read_dir(folder) else {
            self.readable = false;
            return;
        };
        for entry in entries {
            let entry = entry.unwrap();
            let file_name = entry.file_name().into_string().unwrap();
            let (path, name) = (entry.path(), format!("{name}/{file_name}"));
            let is_link = entry.file_type().unwrap().is_symlink();
            let is_read = if name.starts_with("policies/tests/") {
                name == CANARIES
            } else {
                file_name.ends_with(".cedar") || file_name == "links.json"
            };
            if file_name.starts_with('.') {
                continue;
            } else if path.is_dir() {
                self.folder(&path, &name);
            } else if is_read && is_link {
                // Links that we lay lead out of the folder.
                self.readable = false;
            } else if is_read {
                self.file(&path, &name);
            }
        }
    }

    fn file(&mut self, path: &Path, name: &str) {
        /// More than any set that we draw has.
        const MAX_BYTES: u64 = 1 << 24;
        match fs::metadata(path) {
            Ok(metadata) if metadata.is_file() && metadata.len() < MAX_BYTES => {
                self.files.insert(name.to_owned(), fs::read(path).unwrap());
            }
            Ok(_) | Err(_) => self.readable = false,
        }
    }
}
