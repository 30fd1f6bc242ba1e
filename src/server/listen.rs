//! Addresses to listen on, and the sockets bound to them.

use std::{
    fmt,
    fs::{self, DirBuilder},
    io,
    net::{SocketAddr, TcpListener},
    os::unix::{
        fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt},
        net::{UnixListener, UnixStream},
    },
    path::{Path, PathBuf},
    str::FromStr,
};

/// Where to listen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listen {
    /// An address and port; port 0 lets the system choose.
    Tcp(SocketAddr),
    /// A socket file.
    Unix(PathBuf),
}

/// Why a text says nowhere to listen.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is neither `ADDRESS:PORT` nor `unix:/PATH`")]
pub struct BadListen {
    text: String,
}

impl FromStr for Listen {
    type Err = BadListen;

    fn from_str(text: &str) -> Result<Self, BadListen> {
        let bad = || BadListen {
            text: text.to_owned(),
        };
        match text.strip_prefix("unix:") {
            Some(path) if path.starts_with('/') => Ok(Self::Unix(PathBuf::from(path))),
            Some(_) => Err(bad()),
            None => text.parse().map(Self::Tcp).map_err(|_| bad()),
        }
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// A socket that is bound: callers that connect now are answered once the server runs.
#[derive(Debug)]
pub struct Bound {
    pub(super) socket: Socket,
    address: String,
}

#[derive(Debug)]
pub(super) enum Socket {
    Tcp(TcpListener),
    Unix(UnixListener, SocketFile),
}

impl Bound {
    /// The address with the port the system chose, as [`Listen`] writes it.
    pub fn address(&self) -> String {
        self.address.clone()
    }
}

/// Binds a socket; a socket file gets this mode.
///
/// # Errors
/// The system's, and `AddrInUse` if somebody listens on the socket file or it is no socket.
pub fn bind(listen: &Listen, socket_mode: u32) -> io::Result<Bound> {
    match listen {
        Listen::Tcp(address) => {
            let listener = TcpListener::bind(address)?;
            listener.set_nonblocking(true)?;
            Ok(Bound {
                address: Listen::Tcp(listener.local_addr()?).to_string(),
                socket: Socket::Tcp(listener),
            })
        }
        Listen::Unix(path) => {
            let (listener, file) = bind_unix(path, socket_mode)?;
            listener.set_nonblocking(true)?;
            Ok(Bound {
                address: listen.to_string(),
                socket: Socket::Unix(listener, file),
            })
        }
    }
}

/// Binds where nobody else may look and renames, so that nobody can connect before the mode is
/// set.
fn bind_unix(path: &Path, socket_mode: u32) -> io::Result<(UnixListener, SocketFile)> {
    remove_stale(path)?;
    let room = Room::beside(path)?;
    let inside = room.socket();
    let listener = UnixListener::bind(&inside)?;
    fs::set_permissions(&inside, fs::Permissions::from_mode(socket_mode))?;
    fs::rename(&inside, path)?;
    Ok((listener, SocketFile::at(path)?))
}

/// A folder of ours alone; gone with what is left in it when dropped.
struct Room(PathBuf);

impl Room {
    fn beside(path: &Path) -> io::Result<Self> {
        let mut folder = path.as_os_str().to_owned();
        folder.push(format!(".{}", std::process::id()));
        let room = Self(PathBuf::from(folder));
        // One that was left behind by a process with our id; what is not ours stays, and is an
        // error below.
        room.clear();
        DirBuilder::new().mode(0o700).create(&room.0)?;
        Ok(room)
    }

    fn socket(&self) -> PathBuf {
        self.0.join("s")
    }

    /// Removes what such a room holds, and nothing that a link leads to.
    fn clear(&self) {
        let is = |path: &Path, kind: fn(&fs::FileType) -> bool| {
            fs::symlink_metadata(path).is_ok_and(|file| kind(&file.file_type()))
        };
        let socket = self.socket();
        if is(&self.0, fs::FileType::is_dir) {
            if is(&socket, fs::FileType::is_socket) {
                let _ = fs::remove_file(socket);
            }
            let _ = fs::remove_dir(&self.0);
        }
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.clear();
    }
}

/// Removes a socket file on which nobody listens.
fn remove_stale(path: &Path) -> io::Result<()> {
    let in_use = |why: &str| {
        let message = format!("`{}` {why}", path.display());
        Err(io::Error::new(io::ErrorKind::AddrInUse, message))
    };
    match fs::symlink_metadata(path) {
        Ok(file) if !file.file_type().is_socket() => in_use("exists and is no socket"),
        Ok(_) => match UnixStream::connect(path) {
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path),
            Err(error) => Err(error),
            Ok(_) => in_use("has a listener already"),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// A socket file that is ours; removed when dropped, unless another has taken its place.
#[derive(Debug)]
pub(super) struct SocketFile {
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
mod tests {
    use super::*;

    #[test]
    fn an_address_is_tcp_or_an_absolute_socket_path() {
        let round = |text: &str| text.parse::<Listen>().map(|listen| listen.to_string());
        for text in ["127.0.0.1:8180", "[::1]:0", "unix:/run/palisade.sock"] {
            assert_eq!(round(text).as_deref(), Ok(text));
        }
        for text in [
            "",
            "localhost:8180",
            "8180",
            "unix:",
            "unix:relative",
            "/run/x.sock",
        ] {
            assert!(round(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_stale_socket_is_replaced_and_a_live_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pdp.sock");
        let listen = Listen::Unix(path.clone());
        drop(UnixListener::bind(&path).unwrap());
        assert!(path.exists(), "the standard library leaves the file behind");

        let bound = bind(&listen, 0o640).unwrap();
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o640);
        assert_eq!(
            bind(&listen, 0o640).unwrap_err().kind(),
            io::ErrorKind::AddrInUse
        );
        UnixStream::connect(&path).unwrap();
        drop(bound);
        assert!(!path.exists());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn what_was_left_behind_half_way_is_in_nobodys_way() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pdp.sock");
        let left = folder
            .path()
            .join(format!("pdp.sock.{}", std::process::id()));
        fs::create_dir(&left).unwrap();
        drop(UnixListener::bind(left.join("s")).unwrap());
        let bound = bind(&Listen::Unix(path.clone()), 0o600).unwrap();
        assert!(path.exists() && !left.exists());
        drop(bound);
        // What holds more than that is not ours.
        fs::create_dir(&left).unwrap();
        fs::write(left.join("precious"), "content").unwrap();
        bind(&Listen::Unix(path), 0o600).unwrap_err();
        assert!(left.join("precious").exists());
    }

    #[test]
    fn a_file_that_is_no_socket_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("precious");
        fs::write(&path, "content").unwrap();
        let error = bind(&Listen::Unix(path.clone()), 0o660).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
        assert_eq!(fs::read_to_string(&path).unwrap(), "content");
    }
}
