//! The secrets that callers may present, as a file has them: by digest, so that whoever reads the
//! file can present none. `docs/decisions/0007-who-may-ask.md` says why SHA-256 is enough.

use std::{fmt, sync::Arc};

use arc_swap::ArcSwap;
use hyper::header::HeaderValue;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};

use super::Denied;

/// Most entries. A sidecar has a few callers with two secrets each while they change; every
/// request is compared with all of them.
const MAX_ENTRIES: usize = 1000;
/// Longest name: it stands in log lines.
const MAX_NAME_CHARS: usize = 64;

const BEARER: HeaderValue = HeaderValue::from_static(r#"Bearer realm="palisade""#);
const BEARER_WRONG: HeaderValue =
    HeaderValue::from_static(r#"Bearer realm="palisade", error="invalid_token""#);
const BASIC: HeaderValue = HeaderValue::from_static(r#"Basic realm="palisade", charset="UTF-8""#);

/// The credentials in force, which may be replaced while they are asked.
pub struct Credentials(ArcSwap<CredentialSet>);

/// The credentials of one file. An empty set lets nobody in.
#[derive(Default)]
pub struct CredentialSet {
    bearer: Vec<Entry>,
    basic: Vec<Entry>,
}

struct Entry {
    /// The name of the caller; of an id and its secret, the id. Stands in logs and on the status
    /// page.
    name: Arc<str>,
    /// What the id is compared by.
    id: [u8; 32],
    secret: [u8; 32],
}

/// Why a file has no credentials that can be taken. Never quotes the file: what stands in the
/// wrong place may be a secret, a name included.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadCredentials {
    /// A digest that is none.
    #[error("`sha256` of the {0} is not 64 hexadecimal digits")]
    Digest(CredentialPlace),
    /// Not the TOML that we take.
    #[error(
        "line {line} is not what a file of credentials has: tables `[[bearer]]` with `name` and \
         `sha256`, and `[[basic]]` with `id` and `sha256`"
    )]
    Malformed {
        /// Counted from 1.
        line: usize,
    },
    /// A name that log lines cannot have.
    #[error(
        "`{key}` of the {0} must have 1 to {MAX_NAME_CHARS} characters, and no control characters",
        key = .0.kind.key()
    )]
    Name(CredentialPlace),
    /// Not UTF-8.
    #[error("it is not UTF-8")]
    NotText,
    /// A secret or a digest where everybody would see it.
    #[error(
        "`{key}` of the {0} is a secret or a digest, and would be shown in logs: give the caller's \
         name",
        key = .0.kind.key()
    )]
    Shown(CredentialPlace),
    /// More entries than are compared.
    #[error("it has more than {MAX_ENTRIES} credentials")]
    TooMany,
    /// The same secret again.
    #[error("the {0} has a secret that is there already")]
    Twice(CredentialPlace),
}

/// An entry of the file, named without a word of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CredentialPlace {
    kind: Kind,
    /// Among those of its kind, from 1.
    ordinal: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Basic,
    Bearer,
}

impl Kind {
    /// The key of what names the caller.
    fn key(self) -> &'static str {
        match self {
            Self::Basic => "id",
            Self::Bearer => "name",
        }
    }
}

impl fmt::Display for CredentialPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ending = match (self.ordinal % 100, self.ordinal % 10) {
            (11..=13, _) => "th",
            (_, 1) => "st",
            (_, 2) => "nd",
            (_, 3) => "rd",
            _ => "th",
        };
        let kind = match self.kind {
            Kind::Basic => "basic",
            Kind::Bearer => "bearer",
        };
        write!(f, "{}{ending} `[[{kind}]]`", self.ordinal)
    }
}

/// Who it lets in: a digest in a log would be no secret, but nobody should have to know that.
impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Credentials").field(&self.current()).finish()
    }
}

impl fmt::Debug for CredentialSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CredentialSet")
            .field("bearer", &self.bearers().collect::<Vec<_>>())
            .field("basic", &self.basics().collect::<Vec<_>>())
            .finish()
    }
}

impl Credentials {
    /// With a first set.
    pub fn new(set: CredentialSet) -> Self {
        Self(ArcSwap::from_pointee(set))
    }

    /// Puts another set in force, for all requests from now on.
    pub fn replace(&self, set: CredentialSet) {
        self.0.store(Arc::new(set));
    }

    pub(super) fn current(&self) -> Arc<CredentialSet> {
        self.0.load_full()
    }
}

impl CredentialSet {
    /// Parses a file.
    ///
    /// # Errors
    /// The first thing that is wrong with it.
    pub fn parse(bytes: &[u8]) -> Result<Self, BadCredentials> {
        let text = str::from_utf8(bytes).map_err(|_| BadCredentials::NotText)?;
        let file: File = toml::from_str(text).map_err(|error| BadCredentials::Malformed {
            line: line(text, error.span().map_or(0, |span| span.start)),
        })?;
        if file.bearer.len() + file.basic.len() > MAX_ENTRIES {
            return Err(BadCredentials::TooMany);
        }
        let bearer = file.bearer.iter();
        let basic = file.basic.iter();
        let set = Self {
            bearer: entries(Kind::Bearer, bearer.map(|it| (&*it.name, &*it.sha256)))?,
            basic: entries(Kind::Basic, basic.map(|it| (&*it.id, &*it.sha256)))?,
        };
        set.shows_no_secret()?;
        Ok(set)
    }

    /// Whether no name is itself one of the secrets.
    fn shows_no_secret(&self) -> Result<(), BadCredentials> {
        let all = || self.bearer.iter().chain(&self.basic);
        let shown = |kind, entries: &[Entry]| {
            let is_secret = |entry: &Entry| all().any(|other| other.secret == entry.id);
            let at = entries.iter().position(is_secret);
            at.map_or(Ok(()), |at| {
                let ordinal = at + 1;
                Err(BadCredentials::Shown(CredentialPlace { kind, ordinal }))
            })
        };
        shown(Kind::Bearer, &self.bearer)?;
        shown(Kind::Basic, &self.basic)
    }

    /// Names of those who present a token.
    pub fn bearers(&self) -> impl Iterator<Item = &str> {
        self.bearer.iter().map(|entry| entry.name.as_ref())
    }

    /// Ids of those who present an id and a secret.
    pub fn basics(&self) -> impl Iterator<Item = &str> {
        self.basic.iter().map(|entry| entry.name.as_ref())
    }

    pub(super) fn bearer(&self, token: &[u8]) -> Option<Arc<str>> {
        let secret: [u8; 32] = Sha256::digest(token).into();
        find(&self.bearer, |entry| entry.secret.ct_eq(&secret))
    }

    pub(super) fn basic(&self, id: &[u8], secret: &[u8]) -> Option<Arc<str>> {
        let id: [u8; 32] = Sha256::digest(id).into();
        let secret: [u8; 32] = Sha256::digest(secret).into();
        find(&self.basic, |entry| {
            entry.id.ct_eq(&id) & entry.secret.ct_eq(&secret)
        })
    }

    /// How to authenticate here, for `WWW-Authenticate`.
    pub(super) fn challenges(&self, denied: Denied) -> Vec<HeaderValue> {
        let bearer = match denied {
            Denied::Short | Denied::Token => BEARER_WRONG,
            Denied::Malformed
            | Denied::Missing
            | Denied::Scheme
            | Denied::Several
            | Denied::Wrong => BEARER,
        };
        match (self.bearer.is_empty(), self.basic.is_empty()) {
            (false, false) => vec![bearer, BASIC],
            // A 401 has to name a way, also where no one can go it.
            (false, true) | (true, true) => vec![bearer],
            (true, false) => vec![BASIC],
        }
    }
}

/// The entry that matches, in a time that does not tell which one or how nearly.
fn find(entries: &[Entry], matches: impl Fn(&Entry) -> Choice) -> Option<Arc<str>> {
    let mut found = u32::MAX;
    for (index, entry) in (0..u32::MAX).zip(entries) {
        found.conditional_assign(&index, matches(entry));
    }
    let entry = entries.get(usize::try_from(found).ok()?)?;
    Some(Arc::clone(&entry.name))
}

fn entries<'a>(
    kind: Kind,
    raw: impl Iterator<Item = (&'a str, &'a str)>,
) -> Result<Vec<Entry>, BadCredentials> {
    let mut entries: Vec<Entry> = Vec::new();
    for (ordinal, (name, sha256)) in (1..).zip(raw) {
        let place = CredentialPlace { kind, ordinal };
        let length = name.chars().take(MAX_NAME_CHARS + 1).count();
        if length == 0 || length > MAX_NAME_CHARS || name.chars().any(char::is_control) {
            return Err(BadCredentials::Name(place));
        }
        if digest(name).is_some() {
            return Err(BadCredentials::Shown(place));
        }
        let secret = digest(sha256).ok_or(BadCredentials::Digest(place))?;
        if entries.iter().any(|entry| entry.secret == secret) {
            return Err(BadCredentials::Twice(place));
        }
        entries.push(Entry {
            name: name.into(),
            id: Sha256::digest(name).into(),
            secret,
        });
    }
    Ok(entries)
}

/// 64 hexadecimal digits.
fn digest(hex: &str) -> Option<[u8; 32]> {
    if hex.len() != 64 || !hex.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let mut digest = [0; 32];
    for (byte, at) in digest.iter_mut().zip((0..).step_by(2)) {
        *byte = u8::from_str_radix(hex.get(at..at + 2)?, 16).ok()?;
    }
    Some(digest)
}

fn line(text: &str, offset: usize) -> usize {
    let before = text.as_bytes().iter().take(offset);
    before.filter(|byte| **byte == b'\n').count() + 1
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct File {
    bearer: Vec<Bearer>,
    basic: Vec<Basic>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Bearer {
    name: String,
    sha256: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Basic {
    id: String,
    sha256: String,
}

#[cfg(test)]
mod tests;
