//! Files as they are put in place.

use std::{fs, path::Path};

use super::world::{Layout, Set};

/// Writes every file of a set where it is read from.
pub(super) fn put(root: &Path, layout: &Layout, set: &Set) {
    for (file, content) in set.files() {
        let path = root.join(layout.name(file));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
}

/// Puts a file in place of another in one step, as `mv` does it, and vim.
pub(super) fn rename_over(path: &Path, content: impl AsRef<[u8]>) {
    let name = path.file_name().unwrap().to_string_lossy();
    let next = path.with_file_name(format!(".{name}.next"));
    fs::write(&next, content).unwrap();
    fs::rename(next, path).unwrap();
}
