//! Addresses to listen on, and the sockets bound to them.

use std::{
    fmt, io,
    net::{SocketAddr, TcpListener},
    os::unix::net::UnixListener,
    path::PathBuf,
    str::FromStr,
};

mod socket_file;

pub use socket_file::connect;

pub(super) use socket_file::SocketFile;

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
            let (listener, file) = socket_file::bind(path, socket_mode)?;
            listener.set_nonblocking(true)?;
            Ok(Bound {
                address: listen.to_string(),
                socket: Socket::Unix(listener, file),
            })
        }
    }
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
}
