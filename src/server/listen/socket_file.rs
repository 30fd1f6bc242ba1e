//! Socket files: bound where nobody else may look, and put in their place when they are ready.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    hash::{BuildHasher, Hasher, RandomState},
    io,
    os::{
        fd::AsRawFd,
        unix::{
            fs::{DirBuilderExt, FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt},
            net::{SocketAddr, UnixListener, UnixStream},
        },
    },
    path::{Path, PathBuf},
};

use rustix::net::{self, AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

/// Names of a room that are tried: a random one is hardly ever there.
const TRIES: u32 = 16;

/// Binds in a room of our own and links from there, so that nobody can connect before the mode is
/// set, and nobody else's socket is replaced.
pub(super) fn bind(path: &Path, socket_mode: u32) -> io::Result<(UnixListener, SocketFile)> {
    // Whether callers can say this path to the system: it is not bound by this name.
    SocketAddr::from_pathname(path)?;
    let room = Room::beside(path)?;
    remove_stale(path, &room)?;
    let inside = room.at("s");
    let listener = UnixListener::bind(room.reachable("s")?.path())?;
    fs::set_permissions(&inside, fs::Permissions::from_mode(socket_mode))?;
    put(&inside, path)?;
    Ok((listener, SocketFile::at(path)?))
}

/// Puts a socket where nothing is.
fn put(inside: &Path, path: &Path) -> io::Result<()> {
    match fs::hard_link(inside, path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            Err(in_use(path, "was taken by another at this moment"))
        }
        // Some file systems have no hard links.
        Err(_) => put_over_claim(inside, path),
        Ok(()) => Ok(()),
    }
}

/// As [`put`], by a file that only one can create, and that the socket then replaces. Who ends in
/// between leaves it behind: the name stays taken.
fn put_over_claim(inside: &Path, path: &Path) -> io::Result<()> {
    let mut claim = OpenOptions::new();
    match claim.write(true).create_new(true).mode(0o600).open(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            Err(in_use(path, "was taken by another at this moment"))
        }
        Err(error) => Err(error),
        Ok(_) => fs::rename(inside, path).inspect_err(|_| {
            let _ = fs::remove_file(path);
        }),
    }
}

/// A folder of ours alone, beside the file; gone with what we left in it when dropped. The name is
/// random: of two services that share a folder, each may be process 1 of its container.
struct Room(PathBuf);

/// A name in a room that is short enough for a socket.
struct Reachable {
    path: PathBuf,
    /// What the path goes through.
    _folder: Option<File>,
}

impl Room {
    fn beside(path: &Path) -> io::Result<Self> {
        let folder = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
        let mut tried = 0;
        loop {
            let random = RandomState::new().build_hasher().finish() & 0xff_ffff;
            let room = folder.join(format!(".{random:06x}"));
            match DirBuilder::new().mode(0o700).create(&room) {
                Ok(()) => return Ok(Self(room)),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists && tried < TRIES => {
                    tried += 1;
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Where a file of short name has a long path in here, the way is through our open folder.
    fn reachable(&self, name: &str) -> io::Result<Reachable> {
        let path = self.at(name);
        if SocketAddr::from_pathname(&path).is_ok() {
            let _folder = None;
            return Ok(Reachable { path, _folder });
        }
        let folder = File::open(&self.0)?;
        Ok(Reachable {
            path: format!("/proc/self/fd/{}/{name}", folder.as_raw_fd()).into(),
            _folder: Some(folder),
        })
    }
}

impl Reachable {
    fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        for name in ["s", "old"] {
            let _ = fs::remove_file(self.at(name));
        }
        let _ = fs::remove_dir(&self.0);
    }
}

/// Removes a socket file on which nobody listens. It is taken away first and then asked again:
/// another service may have put its own there since, which then goes back.
fn remove_stale(path: &Path, room: &Room) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(file) if !file.file_type().is_socket() => {
            return Err(in_use(path, "exists and is no socket"));
        }
        Ok(_) if is_live(path)? => return Err(in_use(path, "has a listener already")),
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    }
    take_stale(path, room)
}

fn take_stale(path: &Path, room: &Room) -> io::Result<()> {
    let old = room.at("old");
    match fs::rename(path, &old) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        taken => taken?,
    }
    let live = room.reachable("old").and_then(|old| is_live(old.path()));
    if !matches!(live, Ok(false)) {
        put(&old, path)?;
    }
    match live {
        Ok(true) => Err(in_use(path, "has a listener already")),
        answer => answer.map(|_| ()),
    }
}

/// Connects at once or not at all: the queue of a listener that accepts nothing is full at some
/// time, and would be waited for without end.
///
/// # Errors
/// The system's; `WouldBlock` if the queue is full.
pub fn connect(path: &Path) -> io::Result<UnixStream> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    net::connect(&socket, &SocketAddrUnix::new(path)?)?;
    let stream = UnixStream::from(socket);
    stream.set_nonblocking(false)?;
    Ok(stream)
}

/// Whether somebody listens; a file that is gone is nobody.
fn is_live(path: &Path) -> io::Result<bool> {
    match connect(path) {
        Ok(_) => Ok(true),
        // Somebody listens, though nothing is accepted at this moment.
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Ok(false),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

fn in_use(path: &Path, why: &str) -> io::Error {
    let message = format!("`{}` {why}", path.display());
    io::Error::new(io::ErrorKind::AddrInUse, message)
}

/// A socket file that is ours; removed when dropped, unless another has taken its place.
#[derive(Debug)]
pub(in crate::server) struct SocketFile {
    path: PathBuf,
    identity: (u64, u64),
}

impl SocketFile {
    fn at(path: &Path) -> io::Result<Self> {
        Ok(Self {
            identity: identity(path)?,
            path: path.to_owned(),
        })
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if identity(&self.path).is_ok_and(|identity| identity == self.identity)
            && let Err(error) = fs::remove_file(&self.path)
        {
            let path = self.path.display();
            tracing::warn!(%error, "could not remove `{path}`: {error}");
        }
    }
}

/// Device and inode.
fn identity(path: &Path) -> io::Result<(u64, u64)> {
    fs::symlink_metadata(path).map(|file| (file.dev(), file.ino()))
}

#[cfg(test)]
mod tests;
