//! The walk below one path that the operator named.

use std::{
    fs, io,
    os::unix::{ffi::OsStrExt, fs::FileTypeExt},
    path::{Path, PathBuf},
};

use crate::authz::{Finding, Kind};

use super::{Found, MAX_DEPTH, MAX_NAMES, Role, Scan, Stamp};

/// Folders that stand beside policies and hold Cedar that must never be in force.
const BESIDE: [&str; 2] = ["invariants", "spec"];

/// The folder beside policies that holds canaries and tables, and nothing that is ever in force.
const TESTS: &str = "tests";

/// The walk below one named path.
pub(super) struct Walk<'a> {
    role: Role,
    /// The named folder, resolved; nothing outside of it is read.
    root: PathBuf,
    /// Resolved folders from the root to here: a link to one of them would never end.
    stack: Vec<PathBuf>,
    /// Keyed by the name as written, whose byte order is the reading order.
    found: Vec<(Vec<u8>, Result<Found, Finding>)>,
    scan: &'a mut Scan,
}

impl<'a> Walk<'a> {
    /// What a named path leads to, in reading order.
    pub(super) fn below(
        scan: &'a mut Scan,
        role: Role,
        path: &Path,
        written: &Path,
    ) -> impl Iterator<Item = Result<Found, Finding>> + use<> {
        let mut walk = Self {
            role,
            root: PathBuf::new(),
            stack: Vec::new(),
            found: Vec::new(),
            scan,
        };
        walk.named(path, written);
        let mut found = walk.found;
        found.sort_by(|(a, _), (b, _)| a.cmp(b));
        found.into_iter().map(|(_, result)| result)
    }

    fn named(&mut self, path: &Path, written: &Path) {
        let (real, metadata) = match resolve(path) {
            Ok(resolved) => resolved,
            Err(error) => return self.fail(written, format!("could not be read: {error}")),
        };
        if !metadata.is_dir() {
            return self.file(written, real, &metadata);
        }
        if self.role.is_single_file() {
            return self.fail(written, "is a folder where a file is expected");
        }
        self.root.clone_from(&real);
        self.folder(written, real);
    }

    fn folder(&mut self, written: &Path, real: PathBuf) {
        if self.stack.len() > MAX_DEPTH {
            let message = format!("folders are nested deeper than {MAX_DEPTH}");
            return self.fail(written, message);
        }
        self.scan.interest.folder(real.clone());
        let entries = match fs::read_dir(&real) {
            Ok(entries) => entries,
            Err(error) => return self.fail(written, format!("could not be read: {error}")),
        };
        self.stack.push(real);
        for entry in entries {
            self.scan.names_seen += 1;
            if self.scan.names_seen > MAX_NAMES {
                self.fail(written, format!("there are more than {MAX_NAMES} names"));
                break;
            }
            match entry {
                Ok(entry) => self.entry(written, &entry),
                Err(error) => self.fail(written, format!("could not be read: {error}")),
            }
        }
        self.stack.pop();
    }

    fn entry(&mut self, folder: &Path, entry: &fs::DirEntry) {
        let name = PathBuf::from(entry.file_name());
        if name.as_os_str().as_bytes().starts_with(b".") {
            return;
        }
        let (written, path) = (folder.join(&name), entry.path());
        let wanted = self.role.wants(&name);
        let is_link = entry.file_type().is_ok_and(|it| it.is_symlink());
        if is_link {
            self.scan.interest.path(&path);
        }
        let (real, metadata) = match resolve(&path) {
            Ok(resolved) => resolved,
            // A dead link without an extension may have been a folder full of `forbid`s.
            Err(error) if wanted || name.extension().is_none() => {
                return self.fail(&written, format!("could not be read: {error}"));
            }
            Err(_) => return,
        };
        if !metadata.is_dir() && !wanted {
            return;
        }
        if !real.starts_with(&self.root) {
            return self.fail(&written, "links to a place outside of the folder");
        }
        if !metadata.is_dir() {
            return self.file(&written, real, &metadata);
        }
        // Data that tests use may stand below them.
        if self.role == Role::Canaries {
            return;
        }
        let is_beside = self.role == Role::Policies && self.stack.len() == 1;
        if is_beside && BESIDE.iter().any(|it| name == Path::new(it)) {
            return;
        }
        if self.stack.contains(&real) {
            return self.fail(&written, "links to a folder that contains it");
        }
        if is_beside && name == Path::new(TESTS) {
            self.role = Role::Canaries;
            self.folder(&written, real);
            self.role = Role::Policies;
            return;
        }
        self.folder(&written, real);
    }

    fn file(&mut self, written: &Path, real: PathBuf, metadata: &fs::Metadata) {
        let role = self.role.of_file(written);
        if !metadata.is_file() {
            let message = format!("is {}, not a file", kind(metadata));
            return self.fail(written, message);
        }
        if metadata.len() > role.limit() {
            let message = format!("is larger than {} bytes", role.limit());
            return self.fail(written, message);
        }
        let found = Found {
            role,
            name: written.display().to_string(),
            path: real,
            stamp: Stamp::of(metadata),
        };
        self.found.push((key(written), Ok(found)));
    }

    fn fail(&mut self, written: &Path, message: impl Into<String>) {
        let finding = Finding::error(Kind::Io, written.display().to_string(), message);
        self.found.push((key(written), Err(finding)));
    }
}

fn key(written: &Path) -> Vec<u8> {
    written.as_os_str().as_bytes().to_vec()
}

fn resolve(path: &Path) -> io::Result<(PathBuf, fs::Metadata)> {
    let real = path.canonicalize()?;
    let metadata = fs::symlink_metadata(&real)?;
    Ok((real, metadata))
}

fn kind(metadata: &fs::Metadata) -> &'static str {
    let file_type = metadata.file_type();
    if file_type.is_fifo() {
        "a FIFO"
    } else if file_type.is_socket() {
        "a socket"
    } else {
        "a device"
    }
}
