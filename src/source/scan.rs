//! One walk over everything that is to be read: which files, how they look from outside, and
//! what is in the way. Opens nothing, so that nothing can block.

use std::{
    fs, io,
    os::unix::{ffi::OsStrExt, fs::FileTypeExt, fs::MetadataExt},
    path::{Path, PathBuf},
};

use crate::authz::{Finding, Kind};

use super::{SourceSpec, interest::Interest};

/// Longest single file, entities aside. The largest policy file that ships is under 100 KiB.
const MAX_FILE_BYTES: u64 = 16 << 20;

/// All files together, entities aside.
const MAX_TOTAL_BYTES: u64 = 64 << 20;

/// Longest entity file: a million entities of 250 bytes.
const MAX_ENTITIES_BYTES: u64 = 256 << 20;

/// All entity files together: four times the million that the largest one holds. What is read
/// is held in memory twice while it is compared.
const MAX_ENTITIES_TOTAL_BYTES: u64 = 1 << 30;

/// Most files that are read.
const MAX_FILES: usize = 10_000;

/// Most names that are looked at, read or not: bounds the walk itself, also through folders that
/// links make appear many times.
const MAX_NAMES: usize = 100_000;

/// Deepest folder below a named one.
const MAX_DEPTH: usize = 32;

/// What a file is read as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Conditions,
    Entities,
    Links,
    Policies,
    Schema,
    Spec,
}

/// A file that is to be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) role: Role,
    /// As the operator would write it.
    pub(super) name: String,
    /// Resolved: no component is a link.
    pub(super) path: PathBuf,
    stamp: Stamp,
}

/// What changes when a file does. The change time sees what a kept modification time hides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    len: u64,
    mtime: (i64, i64),
    ctime: (i64, i64),
    inode: (u64, u64),
}

/// The result of a walk. Two equal scans are, but for races, two equal sets of files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Scan {
    pub(super) files: Vec<Found>,
    pub(super) findings: Vec<Finding>,
    pub(super) interest: Interest,
    names_seen: usize,
    bytes: u64,
    entities_bytes: u64,
}

impl Found {
    /// Longest content we take.
    pub(super) fn limit(&self) -> u64 {
        self.role.limit()
    }

    /// How long it was when it was looked at.
    pub(super) fn size_bytes(&self) -> u64 {
        self.stamp.len
    }

    /// A finding about this file.
    pub(super) fn finding(&self, message: impl Into<String>) -> Finding {
        Finding::error(Kind::Io, self.name.as_str(), message)
    }
}

impl Role {
    fn limit(self) -> u64 {
        match self {
            Self::Entities => MAX_ENTITIES_BYTES,
            Self::Conditions | Self::Links | Self::Policies | Self::Schema | Self::Spec => {
                MAX_FILE_BYTES
            }
        }
    }

    /// What a file is read as if it was found in, or named as, one of this role.
    fn of_file(self, path: &Path) -> Self {
        let is_links = self == Self::Policies && path.file_name().is_some_and(|n| n == LINKS);
        if is_links { Self::Links } else { self }
    }

    /// Whether a file of this name in a folder is read.
    fn wants(self, name: &Path) -> bool {
        let extension = name.extension().unwrap_or_default();
        match self {
            Self::Entities => extension == "json",
            Self::Links | Self::Policies => extension == "cedar" || name.as_os_str() == LINKS,
            Self::Spec => ["cedar", "json", "toml"].iter().any(|it| extension == *it),
            Self::Conditions | Self::Schema => false,
        }
    }

    fn is_single_file(self) -> bool {
        matches!(self, Self::Conditions | Self::Schema)
    }
}

const LINKS: &str = "links.json";

/// Folders that stand beside policies and hold Cedar that must never be in force.
const BESIDE: [&str; 3] = ["invariants", "spec", "tests"];

impl Scan {
    /// Looks at everything a specification names.
    pub(super) fn of(spec: &SourceSpec) -> Self {
        let mut scan = Self::default();
        for (role, paths) in [
            (Role::Schema, spec.schema.as_slice()),
            (Role::Conditions, spec.conditions.as_slice()),
            (Role::Policies, &spec.policies),
            (Role::Entities, &spec.entities),
            (Role::Spec, &spec.spec),
        ] {
            for path in paths {
                scan.named(role, &spec.root.join(path), path);
            }
        }
        for (what, bytes, limit) in [
            ("policies, schema and the like", scan.bytes, MAX_TOTAL_BYTES),
            ("entities", scan.entities_bytes, MAX_ENTITIES_TOTAL_BYTES),
        ] {
            if bytes > limit {
                let message = format!("{what} exceed {limit} bytes");
                scan.findings.push(Finding::error(Kind::Io, "", message));
                // Nothing is read of what is too much to hold.
                scan.files.clear();
            }
        }
        scan
    }

    fn named(&mut self, role: Role, path: &Path, written: &Path) {
        self.interest.path(path);
        let mut walk = Walk {
            role,
            root: PathBuf::new(),
            stack: Vec::new(),
            found: Vec::new(),
            scan: self,
        };
        walk.named(path, written);
        let mut found = walk.found;
        found.sort_by(|(a, _), (b, _)| a.cmp(b));
        for (_, result) in found {
            match result {
                Ok(file) => {
                    match role {
                        Role::Entities => self.entities_bytes += file.stamp.len,
                        Role::Conditions
                        | Role::Links
                        | Role::Policies
                        | Role::Schema
                        | Role::Spec => self.bytes += file.stamp.len,
                    }
                    self.files.push(file);
                }
                Err(finding) => self.findings.push(finding),
            }
        }
        if self.files.len() > MAX_FILES {
            self.files.truncate(MAX_FILES);
            let message = format!("there are more than {MAX_FILES} files to read");
            self.findings.push(Finding::error(
                Kind::Io,
                written.display().to_string(),
                message,
            ));
        }
    }
}

/// The walk below one named path.
struct Walk<'a> {
    role: Role,
    /// The named folder, resolved; nothing outside of it is read.
    root: PathBuf,
    /// Resolved folders from the root to here: a link to one of them would never end.
    stack: Vec<PathBuf>,
    /// Keyed by the name as written, whose byte order is the reading order.
    found: Vec<(Vec<u8>, Result<Found, Finding>)>,
    scan: &'a mut Scan,
}

impl Walk<'_> {
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
        let below_root = self.stack.len() == 1;
        if self.role == Role::Policies
            && below_root
            && BESIDE.iter().any(|it| name == Path::new(it))
        {
            return;
        }
        if self.stack.contains(&real) {
            return self.fail(&written, "links to a folder that contains it");
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

impl Stamp {
    fn of(metadata: &fs::Metadata) -> Self {
        Self {
            len: metadata.len(),
            mtime: (metadata.mtime(), metadata.mtime_nsec()),
            ctime: (metadata.ctime(), metadata.ctime_nsec()),
            inode: (metadata.dev(), metadata.ino()),
        }
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

#[cfg(test)]
mod tests;
