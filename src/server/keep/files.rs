//! Files read whole, and told from what they were before.

use std::{
    fs::OpenOptions,
    io::{self, Read},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use sha2::{Digest, Sha256};

use super::BadFiles;

/// More than any chain, bundle of authorities, thousand credentials or thousand routes.
const MAX_BYTES: u64 = 1 << 20;
/// How often we wait for the files to hold still before we say that they do not.
const ATTEMPTS: u32 = 5;
/// Long enough for a writer to finish, so that half of a file is seldom told as an error.
const PAUSE: Duration = Duration::from_millis(30);

/// How a file is called in messages.
pub(super) fn name(file: &Path) -> String {
    file.display().to_string()
}

/// Reads until two reads in a row agree: a half-written file is not taken for a whole one.
pub(super) fn settled(files: &[PathBuf]) -> Result<Vec<Vec<u8>>, BadFiles> {
    let mut last = read(files);
    for _ in 0..ATTEMPTS {
        thread::sleep(PAUSE);
        let next = read(files);
        if next == last {
            return next;
        }
        last = next;
    }
    let names: Vec<String> = files.iter().map(|it| format!("`{}`", name(it))).collect();
    let names = names.join(", ");
    Err(BadFiles(format!("{names}: changes while it is read")))
}

pub(super) fn read(files: &[PathBuf]) -> Result<Vec<Vec<u8>>, BadFiles> {
    let one = |file: &PathBuf| {
        read_small(file).map_err(|error| {
            let file = name(file);
            BadFiles(format!("could not read `{file}`: {error}"))
        })
    };
    files.iter().map(one).collect()
}

/// Reads a file of a size that certificates and credentials have.
///
/// # Errors
/// The system's, and `InvalidInput` for what is no file or larger than 1 MiB.
pub fn read_small(path: &Path) -> io::Result<Vec<u8>> {
    // Opening a FIFO would wait for somebody to write into it.
    let mut options = OpenOptions::new();
    let file = options
        .read(true)
        .custom_flags(libc::O_NONBLOCK)
        .open(path)?;
    let bad = |what: &str| Err(io::Error::new(io::ErrorKind::InvalidInput, what));
    if !file.metadata()?.is_file() {
        return bad("it is no file");
    }
    let mut bytes = Vec::new();
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length <= MAX_BYTES) {
        Ok(bytes)
    } else {
        bad("it is larger than 1 MiB")
    }
}

/// Tells one reading from another without keeping a key in memory.
pub(super) fn digest(texts: &[Vec<u8>]) -> [u8; 32] {
    let mut all = Sha256::new();
    for text in texts {
        all.update(Sha256::digest(text));
    }
    all.finalize().into()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn only_files_of_a_sensible_size_are_read_and_the_bad_one_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let check = |file: PathBuf, expected: &str| {
            let named = format!("could not read `{}`: {expected}", file.display());
            let error = read(&[path("good"), file]).unwrap_err().to_string();
            assert!(error.starts_with(&named), "{error}");
        };
        fs::write(path("good"), "text").unwrap();
        assert_eq!(read(&[path("good")]).unwrap(), [b"text"]);
        fs::write(path("large"), vec![b' '; (1 << 20) + 1]).unwrap();
        check(path("large"), "it is larger than 1 MiB");
        check(folder.path().to_owned(), "it is no file");
        check(path("missing"), "No such file");
        let made = std::process::Command::new("mkfifo")
            .arg(path("fifo"))
            .status();
        assert!(made.unwrap().success());
        check(path("fifo"), "it is no file");
    }

    #[test]
    fn what_moves_from_one_file_to_the_next_is_another_content() {
        let of = |texts: [&str; 2]| digest(&texts.map(|text| text.as_bytes().to_vec()));
        assert_ne!(of(["ab", "c"]), of(["a", "bc"]));
        assert_eq!(of(["ab", "c"]), of(["ab", "c"]));
    }
}
