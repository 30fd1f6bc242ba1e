//! One walk over everything that is to be read: which files, how they look from outside, and
//! what is in the way. Opens nothing, so that nothing can block.

use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::SystemTime,
};

use crate::authz::{Finding, Kind};

use super::{SourceSpec, interest::Interest};

mod walk;

use walk::Walk;

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
    Canaries,
    Conditions,
    Entities,
    Invariants,
    Links,
    Policies,
    Schema,
    Spec,
    Tables,
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
    owner: u32,
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

impl Scan {
    /// Whether no file that was found has changed since.
    pub(super) fn is_older_than(&self, since: SystemTime) -> bool {
        let since = since.duration_since(SystemTime::UNIX_EPOCH);
        let since = since.ok().and_then(|it| i64::try_from(it.as_secs()).ok());
        let is_older = |found: &Found| since.is_some_and(|since| found.stamp.ctime.0 < since);
        self.files.iter().all(is_older)
    }
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

    /// The user that it belongs to.
    pub(super) fn owner(&self) -> u32 {
        self.stamp.owner
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
            Self::Canaries
            | Self::Conditions
            | Self::Invariants
            | Self::Links
            | Self::Policies
            | Self::Schema
            | Self::Spec
            | Self::Tables => MAX_FILE_BYTES,
        }
    }

    /// What a file is read as if it was found in, or named as, one of this role.
    fn of_file(self, path: &Path) -> Self {
        let is_links = path.file_name().is_some_and(|name| name == LINKS);
        let is_table = path.extension().is_some_and(|it| it == TABLE);
        if self == Self::Policies && is_links {
            Self::Links
        } else if self == Self::Canaries && is_table {
            Self::Tables
        } else {
            self
        }
    }

    /// Whether a file of this name in a folder is read.
    fn wants(self, name: &Path) -> bool {
        let extension = name.extension().unwrap_or_default();
        match self {
            Self::Canaries | Self::Tables => extension == "json" || extension == TABLE,
            Self::Entities => extension == "json",
            Self::Links | Self::Policies => extension == "cedar" || name.as_os_str() == LINKS,
            Self::Invariants => extension == "cedar",
            Self::Spec => ["cedar", "csv", "json", "toml"]
                .iter()
                .any(|it| extension == *it),
            Self::Conditions | Self::Schema => false,
        }
    }

    fn is_single_file(self) -> bool {
        matches!(self, Self::Conditions | Self::Schema)
    }
}

const LINKS: &str = "links.json";

/// What the name of a table ends in, among canaries.
const TABLE: &str = "csv";

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
            (Role::Invariants, &spec.invariants),
        ] {
            for path in paths {
                scan.named(role, &spec.root.join(path), path);
            }
        }
        for path in &spec.policies {
            scan.links_beside(&spec.root, path);
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

    /// Takes the `links.json` beside a policy file that is named by itself: without its links a
    /// template would silently permit and forbid nothing.
    fn links_beside(&mut self, root: &Path, policies: &Path) {
        let (path, written) = (root.join(policies), policies.with_file_name(LINKS));
        let beside = path.with_file_name(LINKS);
        let is_known = |real: PathBuf| self.files.iter().any(|file| file.path == real);
        if path.is_file() && beside.exists() && !beside.canonicalize().is_ok_and(is_known) {
            self.named(Role::Policies, &beside, &written);
        }
    }

    fn named(&mut self, role: Role, path: &Path, written: &Path) {
        self.interest.path(path);
        for result in Walk::below(self, role, path, written) {
            match result {
                Ok(file) => {
                    match role {
                        Role::Entities => self.entities_bytes += file.stamp.len,
                        Role::Canaries
                        | Role::Conditions
                        | Role::Invariants
                        | Role::Links
                        | Role::Policies
                        | Role::Schema
                        | Role::Spec
                        | Role::Tables => self.bytes += file.stamp.len,
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

impl Stamp {
    fn of(metadata: &fs::Metadata) -> Self {
        Self {
            len: metadata.len(),
            mtime: (metadata.mtime(), metadata.mtime_nsec()),
            ctime: (metadata.ctime(), metadata.ctime_nsec()),
            inode: (metadata.dev(), metadata.ino()),
            owner: metadata.uid(),
        }
    }
}

#[cfg(test)]
mod tests;
