//! The two listeners: where each is, who may reach it, and what it demands of whoever asks.

use std::{
    fmt,
    path::{Path, PathBuf},
    str::FromStr,
};

use serde::Deserialize;

use super::{Address, ConfigError, ListenerName};

/// The owner and the group may connect; both need to write for that.
const SOCKET_MODE: SocketMode = SocketMode(0o660);

/// How long a name without a folder and an extension is that may be a secret: 128 bits in
/// hexadecimal.
const SECRET_CHARS: usize = 32;

/// A listener, and whom it lets in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// Where it is; at least one.
    pub addresses: Vec<Address>,
    /// The mode of its socket files.
    pub socket_mode: SocketMode,
    /// Who may connect to its socket files; empty is anybody whom the mode lets in.
    pub allow_uid: Vec<u32>,
    /// The files of TLS on its TCP addresses; `None` is plain HTTP.
    pub tls: Option<Tls>,
    /// The file of credentials, one of which a caller must present; `None` is no such demand.
    pub credentials: Option<PathBuf>,
}

/// The files that TLS is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// Our certificate, and those between it and the root.
    pub cert: PathBuf,
    /// The certificate's private key.
    pub key: PathBuf,
    /// The authorities of callers' certificates; `None` asks for none.
    pub client_ca: Option<PathBuf>,
}

/// The mode of a socket file, written in octal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct SocketMode(u32);

/// Why a text is no mode.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no mode in octal, like `0660`")]
pub struct BadSocketMode {
    text: String,
}

/// What was said about a listener, by flag or variable or in the file; the flags that it fills
/// begin with `admin-` for the admin listener.
#[derive(Clone, Debug, Default)]
pub(super) struct Said {
    pub(super) addresses: Vec<Address>,
    pub(super) socket_mode: Option<SocketMode>,
    pub(super) allow_uid: Vec<u32>,
    pub(super) tls_cert: Option<PathBuf>,
    pub(super) tls_key: Option<PathBuf>,
    pub(super) tls_client_ca: Option<PathBuf>,
    pub(super) credentials: Option<PathBuf>,
}

impl SocketMode {
    /// The bits.
    pub fn bits(self) -> u32 {
        self.0
    }
}

impl FromStr for SocketMode {
    type Err = BadSocketMode;

    fn from_str(text: &str) -> Result<Self, BadSocketMode> {
        let bad = || BadSocketMode {
            text: text.to_owned(),
        };
        let is_octal = text.bytes().all(|byte| matches!(byte, b'0'..=b'7'));
        let bits = u32::from_str_radix(text, 8).ok();
        bits.filter(|bits| is_octal && *bits <= 0o777)
            .map(Self)
            .ok_or_else(bad)
    }
}

impl TryFrom<String> for SocketMode {
    type Error = BadSocketMode;

    fn try_from(text: String) -> Result<Self, BadSocketMode> {
        text.parse()
    }
}

impl fmt::Display for SocketMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04o}", self.0)
    }
}

impl Said {
    /// What is said here, and where nothing is, what is said in the file.
    pub(super) fn over(self, file: Self) -> Self {
        let list = |said: Vec<Address>, file| if said.is_empty() { file } else { said };
        Self {
            addresses: list(self.addresses, file.addresses),
            socket_mode: self.socket_mode.or(file.socket_mode),
            allow_uid: if self.allow_uid.is_empty() {
                file.allow_uid
            } else {
                self.allow_uid
            },
            tls_cert: self.tls_cert.or(file.tls_cert),
            tls_key: self.tls_key.or(file.tls_key),
            tls_client_ca: self.tls_client_ca.or(file.tls_client_ca),
            credentials: self.credentials.or(file.credentials),
        }
    }

    /// The listener that is meant, if nobody from the network can ask it without TLS or a
    /// credential, or that is allowed.
    pub(super) fn resolve(
        self,
        name: ListenerName,
        default: &str,
        allowed: &[ListenerName],
    ) -> Result<Listener, ConfigError> {
        let flags = self.flags();
        self.are_paths(name)?;
        let mut listener = Listener {
            tls: tls(name, self.tls_cert, self.tls_key, self.tls_client_ca)?,
            addresses: self.addresses,
            socket_mode: self.socket_mode.unwrap_or(SOCKET_MODE),
            allow_uid: self.allow_uid,
            credentials: self.credentials,
        };
        if listener.addresses.is_empty() {
            listener.addresses.push(Address::loopback(default));
        }
        listener.can(name, &flags)?;
        let closed = listener.tls.is_some() || listener.credentials.is_some();
        let exposed = listener.addresses.iter().find(|it| !it.is_local());
        match exposed {
            Some(address) if !closed && !allowed.contains(&name) => Err(ConfigError::Exposed {
                listener: name,
                address: address.clone(),
            }),
            _ => Ok(listener),
        }
    }

    /// Whether what names files can be paths. A key or a token in their place would be shown in
    /// the error that it is no file.
    fn are_paths(&self, listener: ListenerName) -> Result<(), ConfigError> {
        let files = [
            ("tls-cert", &self.tls_cert),
            ("tls-key", &self.tls_key),
            ("tls-client-ca", &self.tls_client_ca),
            ("credentials", &self.credentials),
        ];
        let mut contents = files
            .into_iter()
            .filter(|(_, file)| file.as_deref().is_some_and(is_content));
        match contents.next() {
            Some((given, _)) => Err(ConfigError::NotAPath { listener, given }),
            None => Ok(()),
        }
    }

    /// The demands that are for one kind of address alone, and whether that is a socket file.
    fn flags(&self) -> Vec<(&'static str, bool)> {
        let all = [
            ("allow-uid", true, !self.allow_uid.is_empty()),
            ("socket-mode", true, self.socket_mode.is_some()),
            ("tls-cert", false, self.tls_cert.is_some()),
        ];
        let said = all.into_iter().filter(|(_, _, said)| *said);
        said.map(|(flag, of_sockets, _)| (flag, of_sockets))
            .collect()
    }
}

impl Listener {
    /// Whether each of these has an address that it is for.
    fn can(
        &self,
        listener: ListenerName,
        flags: &[(&'static str, bool)],
    ) -> Result<(), ConfigError> {
        let is_socket = |it: &Address| matches!(it, Address::Unix(_));
        for &(given, of_sockets) in flags {
            if !self.addresses.iter().any(|it| is_socket(it) == of_sockets) {
                let of = if of_sockets {
                    "socket files"
                } else {
                    "TCP addresses"
                };
                return Err(ConfigError::NoUse {
                    listener,
                    given,
                    of,
                });
            }
        }
        Ok(())
    }

    /// A TCP address that takes whoever reaches it, though socket files are for some users alone.
    pub fn way_round(&self) -> Option<&Address> {
        let demands = |tls: &Tls| tls.client_ca.is_some();
        let is_open = self.credentials.is_none() && !self.tls.as_ref().is_some_and(demands);
        let mut addresses = self.addresses.iter();
        let tcp = addresses.find(|it| matches!(it, Address::Tcp(_)));
        tcp.filter(|_| is_open && !self.allow_uid.is_empty())
    }
}

/// Several lines, PEM or another flag, or a name as long as a secret and made of what secrets are made of.
fn is_content(path: &Path) -> bool {
    let text = path.to_string_lossy();
    let is_of_secret = |it: char| it.is_ascii_alphanumeric() || matches!(it, '+' | '=' | '_' | '-');
    text.contains(char::is_control)
        || text.starts_with('-')
        || text.len() >= SECRET_CHARS && text.chars().all(is_of_secret)
}

fn tls(
    listener: ListenerName,
    cert: Option<PathBuf>,
    key: Option<PathBuf>,
    client_ca: Option<PathBuf>,
) -> Result<Option<Tls>, ConfigError> {
    let lacks = |given, missing| {
        Err(ConfigError::Incomplete {
            listener,
            given,
            missing,
        })
    };
    match (cert, key, client_ca) {
        (Some(cert), Some(key), client_ca) => Ok(Some(Tls {
            cert,
            key,
            client_ca,
        })),
        (Some(_), None, _) => lacks("tls-cert", "tls-key"),
        (None, Some(_), _) => lacks("tls-key", "tls-cert"),
        (None, None, Some(_)) => lacks("tls-client-ca", "tls-cert"),
        (None, None, None) => Ok(None),
    }
}
