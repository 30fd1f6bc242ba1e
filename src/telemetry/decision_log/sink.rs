//! Where lines end up: a file, or standard output.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::{
        fd::AsFd,
        unix::fs::{FileExt, FileTypeExt, MetadataExt, OpenOptionsExt},
    },
};

use super::LogTarget;

/// Who may read a log that we make: it says who asked for what.
const MODE: u32 = 0o640;

/// An open log.
#[derive(Debug)]
pub(super) struct Sink {
    target: LogTarget,
    file: File,
    /// What was written last does not end in a line feed: a line of an earlier process, or the half
    /// of one.
    torn: bool,
}

impl Sink {
    /// Opens it.
    pub(super) fn open(target: &LogTarget) -> io::Result<Self> {
        if let LogTarget::File(path) = target
            && fs::metadata(path).is_ok_and(|it| it.file_type().is_fifo())
        {
            // Whether anybody reads it could not be told.
            let why = "it is a FIFO; write to `stdout`, and let that be the pipe";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
        }
        let file = match target {
            LogTarget::Stdout => File::from(io::stdout().as_fd().try_clone_to_owned()?),
            // To read, too: for its last byte.
            LogTarget::File(path) => OpenOptions::new()
                .read(true)
                .append(true)
                .create(true)
                .mode(MODE)
                .open(path)?,
        };
        Ok(Self {
            torn: is_torn(&file),
            target: target.clone(),
            file,
        })
    }

    /// Opens it anew. What cannot be opened leaves it as it is.
    pub(super) fn reopen(&mut self) -> io::Result<()> {
        *self = Self::open(&self.target)?;
        Ok(())
    }

    /// Whether the file was deleted: what is written to it is lost.
    pub(super) fn is_gone(&self) -> bool {
        let metadata = self.file.metadata();
        metadata.is_ok_and(|it| it.is_file() && it.nlink() == 0)
    }

    /// Writes all bytes; `from` counts those that are written, so that they are not written twice
    /// when it is tried again.
    pub(super) fn write(&mut self, bytes: &[u8], from: &mut usize) -> io::Result<()> {
        if self.torn {
            self.file.write_all(b"\n")?;
            self.torn = false;
        }
        while let Some(left) = bytes.get(*from..)
            && !left.is_empty()
        {
            match self.file.write(left) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => *from += written,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// Whether a plain file ends in the middle of a line.
fn is_torn(file: &File) -> bool {
    let Ok(metadata) = file.metadata() else {
        return false;
    };
    let mut last = [b'\n'];
    let read = match metadata.len().checked_sub(1) {
        Some(end) if metadata.is_file() => file.read_at(&mut last, end),
        _ => Ok(0),
    };
    read.is_ok() && last != [b'\n']
}
