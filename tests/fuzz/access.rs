//! Who may ask: files of credentials, and what callers present.

use base64::{Engine, engine::general_purpose::STANDARD};
use palisade::api::CredentialSet;

use crate::{
    reference::{ONE, question},
    runs::fuzz,
    served::{Server, post},
};

const TOKEN: &str = "correct-horse-battery";
/// The digest of the token, for a bearer and for a user `app` with that password.
const FILE: &str = include_str!("corpus/credentials/both.toml");

#[test]
fn a_file_of_credentials_is_taken_or_refused() {
    fuzz("credentials", |bytes| match CredentialSet::parse(bytes) {
        Ok(set) => assert!(set.bearers().count() + set.basics().count() <= bytes.len()),
        Err(error) => assert!(!error.to_string().is_empty()),
    });
}

/// Whether a header says what the file asks for. The scheme's case counts for nothing, nor does the
/// space around the value.
fn is_right(value: &[u8]) -> bool {
    let value = value.trim_ascii();
    let Some(at) = value.iter().position(|it| *it == b' ') else {
        return false;
    };
    let (scheme, rest) = (&value[..at], value[at..].trim_ascii());
    if scheme.eq_ignore_ascii_case(b"bearer") {
        return rest == TOKEN.as_bytes();
    }
    let pair = format!("app:{TOKEN}");
    scheme.eq_ignore_ascii_case(b"basic")
        && STANDARD.decode(rest).is_ok_and(|it| it == pair.as_bytes())
}

#[test]
fn only_the_right_credentials_are_let_in() {
    let server = Server::start(Some(FILE));
    let let_in = std::cell::Cell::new(0);
    fuzz("authorization", |value| {
        // One line: what follows it is for the target `headers`.
        let value: Vec<u8> = value
            .iter()
            .copied()
            .filter(|it| !b"\r\n".contains(it))
            .collect();
        let mut head = post(ONE, "Authorization: VALUE\r\n", question("ann"));
        let at = head.windows(5).position(|it| it == b"VALUE").unwrap();
        head.splice(at..at + 5, value.iter().copied());
        let mut connection = server.connect();
        connection.write(&head);
        let reply = connection.read().expect("an answer");
        if is_right(&value) {
            assert_eq!(reply.status, 200, "{reply:?}");
            let_in.set(let_in.get() + 1);
        } else {
            assert!([400, 401, 431].contains(&reply.status), "{reply:?}");
        }
    });
    assert!(let_in.get() > 0, "nobody was let in");
}
