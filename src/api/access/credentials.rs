//! The secrets that callers may present, as a file has them: by digest, so that whoever reads the
//! file can present none. `docs/decisions/0007-who-may-ask.md` says why SHA-256 is enough.

use std::sync::Arc;

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
#[derive(Debug)]
pub struct Credentials(ArcSwap<CredentialSet>);

/// The credentials of one file. An empty set lets nobody in.
#[derive(Debug, Default)]
pub struct CredentialSet {
    bearer: Vec<Entry>,
    basic: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    /// The name of the caller; of an id and its secret, the id.
    name: Arc<str>,
    /// What the id is compared by.
    id: [u8; 32],
    secret: [u8; 32],
}

/// Why a file has no credentials that can be taken. Never quotes the file: what stands in the
/// wrong place may be a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadCredentials {
    /// A digest that is none.
    #[error("`sha256` of `{name}` is not 64 hexadecimal digits")]
    Digest {
        /// Whose.
        name: String,
    },
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
    #[error("a name has 1 to {MAX_NAME_CHARS} characters, and no control characters")]
    Name,
    /// Not UTF-8.
    #[error("it is not UTF-8")]
    NotText,
    /// More entries than are compared.
    #[error("it has more than {MAX_ENTRIES} credentials")]
    TooMany,
    /// The same secret again.
    #[error("the secret of `{name}` is there twice")]
    Twice {
        /// The second one that has it.
        name: String,
    },
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
            bearer: entries(bearer.map(|it| (it.name.as_str(), it.sha256.as_str())))?,
            basic: entries(basic.map(|it| (it.id.as_str(), it.sha256.as_str())))?,
        };
        Ok(set)
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
    raw: impl Iterator<Item = (&'a str, &'a str)>,
) -> Result<Vec<Entry>, BadCredentials> {
    let mut entries: Vec<Entry> = Vec::new();
    for (name, sha256) in raw {
        let length = name.chars().take(MAX_NAME_CHARS + 1).count();
        if length == 0 || length > MAX_NAME_CHARS || name.chars().any(char::is_control) {
            return Err(BadCredentials::Name);
        }
        let of = || name.to_owned();
        let secret = digest(sha256).ok_or_else(|| BadCredentials::Digest { name: of() })?;
        if entries.iter().any(|entry| entry.secret == secret) {
            return Err(BadCredentials::Twice { name: of() });
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
mod tests {
    use super::*;

    #[track_caller]
    fn check(file: &str, expected: &Result<usize, BadCredentials>) {
        let parsed = CredentialSet::parse(file.as_bytes());
        let count = parsed.map(|it| it.bearer.len() + it.basic.len());
        assert_eq!(&count, expected, "{file}");
    }

    fn entry(kind: &str, name: &str, byte: &str) -> String {
        let key = if kind == "basic" { "id" } else { "name" };
        let sha256 = byte.repeat(32);
        format!("[[{kind}]]\n{key} = \"{name}\"\nsha256 = \"{sha256}\"\n")
    }

    #[test]
    fn a_file_may_have_several_secrets_of_one_name_and_none_at_all() {
        let two = entry("bearer", "a", "0a") + &entry("bearer", "a", "0B");
        check(&two, &Ok(2));
        check(&(two + &entry("basic", "a", "0a")), &Ok(3));
        check("", &Ok(0));
        check("# nobody\n", &Ok(0));
    }

    #[test]
    fn what_is_wrong_is_said_without_a_word_of_the_file() {
        let malformed = |line| Err(BadCredentials::Malformed { line });
        check("secret = \"hunter2\"", &malformed(1));
        check(
            "\n[[bearer]]\nname = \"a\"\nsecret = \"hunter2\"",
            &malformed(4),
        );
        check("[[bearer]]\nname = \"a\"\n", &malformed(1));
        check("[[bearer]]\nname = hunter2\n", &malformed(2));
        check("hunter2", &malformed(1));
        let name = || "a".to_owned();
        check(
            "[[basic]]\nid = \"a\"\nsha256 = \"hunter2\"",
            &Err(BadCredentials::Digest { name: name() }),
        );
        let twice = entry("bearer", "b", "0a") + &entry("bearer", "a", "0A");
        check(&twice, &Err(BadCredentials::Twice { name: name() }));
        check(&entry("bearer", "", "00"), &Err(BadCredentials::Name));
        check(&entry("basic", "a\\n", "00"), &Err(BadCredentials::Name));
        let long = "x".repeat(65);
        check(&entry("basic", &long, "00"), &Err(BadCredentials::Name));
        let not_text = CredentialSet::parse(b"\xff").map(|_| ());
        assert_eq!(not_text, Err(BadCredentials::NotText));
        let many = entry("bearer", "a", "00").repeat(MAX_ENTRIES + 1);
        check(&many, &Err(BadCredentials::TooMany));
    }

    #[test]
    fn the_challenge_names_what_the_file_has() {
        let check = |file: &str, denied, expected: &[&str]| {
            let set = CredentialSet::parse(file.as_bytes()).unwrap();
            assert_eq!(set.challenges(denied), expected);
        };
        let plain = r#"Bearer realm="palisade""#;
        let wrong = r#"Bearer realm="palisade", error="invalid_token""#;
        let basic = r#"Basic realm="palisade", charset="UTF-8""#;
        let both = entry("bearer", "a", "00") + &entry("basic", "a", "00");
        check(&both, Denied::Missing, &[plain, basic]);
        check(&both, Denied::Token, &[wrong, basic]);
        check(&both, Denied::Wrong, &[plain, basic]);
        check(&entry("basic", "a", "00"), Denied::Token, &[basic]);
        check(&entry("bearer", "a", "00"), Denied::Missing, &[plain]);
        check("", Denied::Missing, &[plain]);
    }
}
