//! Files of a git revision, as they were there, put into a folder. Only objects are read: the index
//! and the work tree are left alone.

use std::{
    ffi::OsStr,
    fs,
    io::{self, Read, Write},
    os::unix::ffi::OsStrExt,
    path::{Component, Path, PathBuf},
    process::{Command, Stdio},
    thread,
};

use super::Failure;

/// Longest listing: every name that a walk over folders looks at, with 600 bytes each.
const MAX_LISTING_BYTES: u64 = 64 << 20;

/// As many files as are read of folders.
const MAX_FILES: usize = 10_000;

/// As long as files of folders may be, all together.
const MAX_TOTAL_BYTES: u64 = 64 << 20;

/// Of what git complains, so much is told.
const MAX_COMPLAINT_BYTES: u64 = 4 << 10;

/// Variables that would make git look at another repository than the root's.
const MISLEADING: [&str; 4] = ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX"];

/// A revision of the repository that a folder is in.
pub(super) struct Revision<'r> {
    root: &'r Path,
    /// The name it was given, for messages.
    name: String,
    tree: String,
    /// Where the root is in the repository: empty, or with a slash at its end.
    prefix: Vec<u8>,
}

/// A file of a listing.
#[derive(Debug, PartialEq, Eq)]
struct Entry {
    object: String,
    size: u64,
    path: PathBuf,
}

impl<'r> Revision<'r> {
    /// The revision of that name.
    pub(super) fn find(root: &'r Path, name: &str) -> Result<Self, Failure> {
        let mut prefix = git(
            root,
            &["rev-parse", "--show-prefix"],
            &[],
            MAX_LISTING_BYTES,
        )
        .map_err(|error| {
            Failure::runtime(format!("`{name}` is no folder, and git says: {error}"))
        })?;
        if prefix.last() == Some(&b'\n') {
            prefix.pop();
        }
        let commit = format!("{name}^{{tree}}");
        let args = ["rev-parse", "--verify", "--end-of-options", &commit];
        let tree = git(root, &args, &[], MAX_LISTING_BYTES).map_err(|error| {
            Failure::usage(format!(
                "`{name}` is neither a folder nor a revision: git says: {error}"
            ))
        })?;
        let tree = String::from_utf8_lossy(&tree).trim().to_owned();
        let name = name.to_owned();
        Ok(Self {
            root,
            name,
            tree,
            prefix,
        })
    }

    /// Writes the files at and below these paths, relative to the root, into a folder that stands for
    /// it. Paths that the revision does not have are left out.
    pub(super) fn export(&self, paths: &[PathBuf], into: &Path) -> Result<(), Failure> {
        let refused = |why: String| Failure::usage(format!("`{}`: {why}", self.name));
        if paths.is_empty() {
            return Ok(());
        }
        let mut args = ["ls-tree", "-r", "-l", "-z", "--full-tree", &self.tree, "--"]
            .map(|it| OsStr::new(it).to_owned())
            .to_vec();
        for path in paths {
            let outside = || refused(format!("`{}` is outside of its root", path.display()));
            let mut whole = self.prefix.clone();
            whole.extend(plain(path).ok_or_else(outside)?.as_os_str().as_bytes());
            args.push(OsStr::from_bytes(&whole).to_owned());
        }
        let listed = git(self.root, &args, &[], MAX_LISTING_BYTES).map_err(Failure::runtime)?;
        let entries = entries(&listed, &self.prefix).map_err(refused)?;
        let ask: String = entries
            .iter()
            .map(|it| format!("{}\n", it.object))
            .collect();
        // Each has a line before it and an end of line behind.
        let room = MAX_TOTAL_BYTES + 200 * MAX_FILES as u64;
        let told = git(self.root, &["cat-file", "--batch"], ask.as_bytes(), room);
        let told = told.map_err(Failure::runtime)?;
        let mut rest = told.as_slice();
        for entry in entries {
            let broken =
                || Failure::runtime(format!("git did not tell `{}`", entry.path.display()));
            let (bytes, next) = blob(rest, &entry).ok_or_else(broken)?;
            rest = next;
            let path = into.join(&entry.path);
            let written = path.parent().map_or(Ok(()), fs::create_dir_all);
            written
                .and_then(|()| fs::write(&path, bytes))
                .map_err(|error| {
                    Failure::runtime(format!("could not write `{}`: {error}", path.display()))
                })?;
        }
        Ok(())
    }
}

/// The path without `.`; nothing if it leads elsewhere.
fn plain(path: &Path) -> Option<PathBuf> {
    let mut plain = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::Normal(name) => plain.push(name),
            Component::ParentDir | Component::Prefix(_) | Component::RootDir => return None,
        }
    }
    Some(plain)
}

/// Reads what `git ls-tree -r -l -z` lists: `mode type object size<tab>path<nul>`.
fn entries(listed: &[u8], prefix: &[u8]) -> Result<Vec<Entry>, String> {
    let mut entries = Vec::new();
    let mut total = 0;
    let lines = listed
        .split(|byte| *byte == 0)
        .filter(|line| !line.is_empty());
    for line in lines {
        let odd = || {
            format!(
                "git lists what nobody understands: {}",
                String::from_utf8_lossy(line)
            )
        };
        let tab = line
            .iter()
            .position(|byte| *byte == b'\t')
            .ok_or_else(odd)?;
        let (said, path) = (line.get(..tab).ok_or_else(odd)?, line.get(tab + 1..));
        let whole = path.ok_or_else(odd)?;
        let path = whole.strip_prefix(prefix).ok_or_else(odd)?;
        let path = Path::new(OsStr::from_bytes(path));
        let shown = path.display();
        let said = String::from_utf8_lossy(said);
        let mut words = said.split_whitespace();
        let mut word = || words.next().ok_or_else(odd);
        let (mode, kind, object, size) = (word()?, word()?, word()?, word()?);
        match (mode, kind) {
            ("120000", _) => return Err(format!("`{shown}` is a symlink, which is not followed")),
            (_, "blob") => {}
            ("160000", _) => return Err(format!("`{shown}` is a submodule, which is not read")),
            _ => return Err(odd()),
        }
        if plain(path).as_deref() != Some(path) {
            return Err(format!("`{shown}` is no path below the root"));
        }
        let size: u64 = size.parse().map_err(|_| odd())?;
        total += size;
        if total > MAX_TOTAL_BYTES {
            return Err(format!("its files exceed {MAX_TOTAL_BYTES} bytes"));
        }
        entries.push(Entry {
            object: object.to_owned(),
            size,
            path: path.to_owned(),
        });
        if entries.len() > MAX_FILES {
            return Err(format!("there are more than {MAX_FILES} files to read"));
        }
    }
    Ok(entries)
}

/// The content of an entry, which `git cat-file --batch` told next, and what it told after it.
fn blob<'t>(told: &'t [u8], entry: &Entry) -> Option<(&'t [u8], &'t [u8])> {
    let head = format!("{} blob {}\n", entry.object, entry.size);
    let rest = told.strip_prefix(head.as_bytes())?;
    let (bytes, rest) = rest.split_at_checked(usize::try_from(entry.size).ok()?)?;
    Some((bytes, rest.strip_prefix(b"\n")?))
}

/// What a command of git writes, or what it complains of.
fn git(
    root: &Path,
    args: &[impl AsRef<OsStr>],
    input: &[u8],
    limit: u64,
) -> Result<Vec<u8>, String> {
    let ran = run(root, args, input, limit);
    let (ok, told, complaint) = ran.map_err(|error| format!("`git` could not be run: {error}"))?;
    if told.len() as u64 > limit {
        return Err(format!("it has more than {limit} bytes to say"));
    }
    match ok {
        true => Ok(told),
        false => Err(complaint.lines().next().unwrap_or("nothing").to_owned()),
    }
}

fn run(
    root: &Path,
    args: &[impl AsRef<OsStr>],
    input: &[u8],
    limit: u64,
) -> io::Result<(bool, Vec<u8>, String)> {
    // An empty root is the current folder.
    let root = if root.as_os_str().is_empty() {
        Path::new(".")
    } else {
        root
    };
    let mut command = Command::new("git");
    command.arg("-C").arg(root).args(args);
    MISLEADING.iter().for_each(|name| {
        command.env_remove(name);
    });
    // Nothing is fetched, and nobody is asked.
    command
        .env("GIT_NO_LAZY_FETCH", "1")
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("LC_ALL", "C");
    let piped = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = piped.spawn()?;
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let (told, complaint) = thread::scope(|scope| {
        // Whoever writes and reads by turns waits for ever once both pipes are full.
        scope.spawn(move || stdin.map(|mut stdin| stdin.write_all(input)));
        let complaint = scope.spawn(move || {
            let mut text = Vec::new();
            if let Some(mut stderr) = stderr {
                let _ = stderr
                    .by_ref()
                    .take(MAX_COMPLAINT_BYTES)
                    .read_to_end(&mut text);
                let _ = io::copy(&mut stderr, &mut io::sink());
            }
            String::from_utf8_lossy(&text).into_owned()
        });
        let mut told = Vec::new();
        let read = match stdout {
            Some(stdout) => stdout.take(limit + 1).read_to_end(&mut told),
            None => Ok(0),
        };
        let read = read.map(|_| told);
        (read, complaint.join().unwrap_or_default())
    });
    let status = child.wait()?;
    Ok((status.success(), told?, complaint))
}

#[cfg(test)]
mod tests;
