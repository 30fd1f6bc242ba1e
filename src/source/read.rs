//! The files of a scan, read whole, twice, so that a half-written set is not taken for a whole one.

use std::{
    fs::OpenOptions,
    io::{self, Read},
    os::unix::fs::OpenOptionsExt,
    thread,
    time::{Duration, SystemTime},
};

use crate::authz::{Finding, Kind, Rejection, Revision, SourceFile, Sources};

use super::{
    SourceSpec,
    scan::{Found, Role, Scan},
};

/// How often we wait for the sources to hold still before we say that they do not.
const ATTEMPTS: u32 = 5;

/// Between two reads. Long enough that a writer who does not pause is seen to write, and that one
/// of a small file is done; short against the two seconds an edit may take.
const PAUSE: Duration = Duration::from_millis(30);

/// One read of everything.
struct Reading {
    scan: Scan,
    result: Result<(Revision, Sources), Rejection>,
}

/// Files that nobody has changed for so long are not being written.
const REST: Duration = Duration::from_secs(1);

/// Reads until two reads in a row agree, and gives the last with the scan it was made from.
pub(super) fn settled(spec: &SourceSpec) -> (Scan, Result<Sources, Rejection>) {
    settle(spec, |_| false)
}

/// [`settled`], without a pause if all files have been at rest for a while, as the clock says. For
/// those who have nothing that half of a set could take the place of.
pub(super) fn settled_soon(spec: &SourceSpec) -> (Scan, Result<Sources, Rejection>) {
    settle(spec, |scan| {
        let before = SystemTime::now().checked_sub(REST);
        before.is_some_and(|before| scan.is_older_than(before))
    })
}

fn settle(
    spec: &SourceSpec,
    is_at_rest: impl Fn(&Scan) -> bool,
) -> (Scan, Result<Sources, Rejection>) {
    let mut last = Reading::of(spec);
    for _ in 0..ATTEMPTS {
        if !is_at_rest(&last.scan) {
            thread::sleep(PAUSE);
        }
        let next = Reading::of(spec);
        if next.agrees(&last) {
            let result = next.result.map(|(_, sources)| sources);
            return (next.scan, result);
        }
        last = next;
    }
    let finding = Finding::error(Kind::Io, "", "the sources change while they are read")
        .help("replace files by renaming over them, or wait: they are read again");
    (last.scan, Err(finding.into()))
}

impl Reading {
    fn of(spec: &SourceSpec) -> Self {
        let scan = Scan::of(spec);
        let mut sources = Sources {
            skip_validation: spec.skip_validation,
            ..Sources::default()
        };
        let mut findings = scan.findings.clone();
        for found in &scan.files {
            match read(found) {
                Ok(file) => put(&mut sources, found.role, file),
                Err(message) => findings.push(found.finding(message)),
            }
        }
        let result = match Rejection::of(findings) {
            Some(rejection) => Err(rejection),
            None => Ok((sources.revision(), sources)),
        };
        Self { scan, result }
    }

    fn agrees(&self, other: &Self) -> bool {
        match (&self.result, &other.result) {
            (Ok((mine, _)), Ok((theirs, _))) => mine == theirs,
            (Err(mine), Err(theirs)) => mine == theirs,
            (Ok(_), Err(_)) | (Err(_), Ok(_)) => false,
        }
    }
}

fn put(sources: &mut Sources, role: Role, file: SourceFile) {
    match role {
        Role::Canaries => sources.canaries.push(file),
        Role::Conditions => sources.conditions = Some(file),
        Role::Entities => sources.entities.push(file),
        Role::Invariants => sources.invariants.push(file),
        Role::Links => sources.links.push(file),
        Role::Policies => sources.policies.push(file),
        Role::Schema => sources.schema = Some(file),
        Role::Spec => sources.spec.push(file),
        Role::Tables => sources.tables.push(file),
    }
}

fn read(found: &Found) -> Result<SourceFile, String> {
    match bytes(found) {
        Ok(Some(bytes)) => Ok(SourceFile {
            name: found.name.clone(),
            bytes,
        }),
        Ok(None) => Err("grew too large, or is no longer a file, since it was found".to_owned()),
        Err(error) => Err(format!("could not be read: {error}")),
    }
}

fn bytes(found: &Found) -> io::Result<Option<Vec<u8>>> {
    // The scan saw a plain file, but that was then: neither wait for the writer of a FIFO that
    // took its place, nor follow a link out of the folder.
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK | libc::O_NOFOLLOW)
        .open(&found.path)?;
    if !file.metadata()?.is_file() {
        return Ok(None);
    }
    let mut bytes = Vec::with_capacity(usize::try_from(found.size_bytes()).unwrap_or_default());
    file.take(found.limit() + 1).read_to_end(&mut bytes)?;
    Ok((bytes.len() as u64 <= found.limit()).then_some(bytes))
}
