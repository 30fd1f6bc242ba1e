//! The `Authorization` header: `Bearer` as RFC 6750 has it, `Basic` as RFC 7617 and, for ids and
//! secrets that were form-urlencoded before, RFC 6749 §2.3.1 have it.

use std::sync::Arc;

use base64::{
    Engine as _,
    alphabet::STANDARD,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};

use super::{CredentialSet, Denied};

/// Shortest secret that is ever taken. 16 random bytes cannot be guessed; what is shorter is a
/// word that somebody thought of, and whoever reads the file of digests would find it out.
const MIN_SECRET_BYTES: usize = 16;

/// Some callers leave the padding out.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Whose credential a header value is.
pub(super) fn check(credentials: &CredentialSet, value: &[u8]) -> Result<Arc<str>, Denied> {
    let space = value.iter().position(|byte| *byte == b' ');
    let (scheme, rest) = value
        .split_at_checked(space.unwrap_or(value.len()))
        .unwrap_or_default();
    let presented = rest.trim_ascii();
    if scheme.eq_ignore_ascii_case(b"bearer") {
        bearer(credentials, presented)
    } else if scheme.eq_ignore_ascii_case(b"basic") {
        basic(credentials, presented)
    } else {
        Err(Denied::Scheme)
    }
}

fn bearer(credentials: &CredentialSet, token: &[u8]) -> Result<Arc<str>, Denied> {
    if token.is_empty() || token.contains(&b' ') {
        return Err(Denied::Malformed);
    }
    if token.len() < MIN_SECRET_BYTES {
        return Err(Denied::Short);
    }
    credentials.bearer(token).ok_or(Denied::Token)
}

/// Callers that know RFC 6749 encode what they send, and others do not: either reading will do,
/// as each has to have the right digest.
fn basic(credentials: &CredentialSet, encoded: &[u8]) -> Result<Arc<str>, Denied> {
    let text = BASE64.decode(encoded).map_err(|_| Denied::Malformed)?;
    let colon = text.iter().position(|byte| *byte == b':');
    let (id, secret) = colon
        .and_then(|at| Some((text.get(..at)?, text.get(at + 1..)?)))
        .ok_or(Denied::Malformed)?;
    let plain = Some((id.to_vec(), secret.to_vec()));
    let decoded = form_decoded(id).zip(form_decoded(secret));
    let readings = plain.into_iter().chain(decoded);
    let long = readings.filter(|(_, secret)| secret.len() >= MIN_SECRET_BYTES);
    let mut found = Err(Denied::Short);
    for (id, secret) in long {
        let one = credentials.basic(&id, &secret).ok_or(Denied::Wrong);
        if found.is_err() {
            found = one;
        }
    }
    found
}

/// `application/x-www-form-urlencoded` undone; `None` if that is not what it is.
fn form_decoded(text: &[u8]) -> Option<Vec<u8>> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.iter();
    while let Some(byte) = rest.next() {
        decoded.push(match byte {
            b'+' => b' ',
            b'%' => {
                let high = char::from(*rest.next()?).to_digit(16)?;
                let low = char::from(*rest.next()?).to_digit(16)?;
                u8::try_from(high * 16 + low).ok()?
            }
            plain => *plain,
        });
    }
    Some(decoded)
}

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    use super::*;

    const TOKEN: &str = "0123456789abcdef0123456789abcdef";
    const SECRET: &str = "a secret+with:%all&kinds";

    fn credentials() -> CredentialSet {
        let hex = |secret: &str| -> String {
            let digest = Sha256::digest(secret);
            digest.iter().map(|byte| format!("{byte:02X}")).collect()
        };
        let file = format!(
            "[[bearer]]\nname = \"one\"\nsha256 = \"{}\"\n\
             [[bearer]]\nname = \"weak\"\nsha256 = \"{}\"\n\
             [[basic]]\nid = \"app two\"\nsha256 = \"{}\"\n\
             [[basic]]\nid = \"app\"\nsha256 = \"{}\"\n",
            hex(TOKEN),
            hex("letmein"),
            hex(SECRET),
            hex("letmein"),
        );
        CredentialSet::parse(file.as_bytes()).unwrap()
    }

    #[track_caller]
    fn check(value: &str, expected: Result<&str, Denied>) {
        let got = super::check(&credentials(), value.as_bytes());
        assert_eq!(
            got.as_deref().map_err(|denied| *denied),
            expected,
            "{value}"
        );
    }

    fn basic(text: &str) -> String {
        format!("Basic {}", BASE64.encode(text))
    }

    #[test]
    fn a_token_is_taken_whole_or_not_at_all() {
        check(&format!("Bearer {TOKEN}"), Ok("one"));
        check(&format!("bEARER   {TOKEN}"), Ok("one"));
        check(&format!("Bearer {TOKEN}0"), Err(Denied::Token));
        check(&format!("Bearer {}", &TOKEN[..31]), Err(Denied::Token));
        check(&format!("Bearer {} x", TOKEN), Err(Denied::Malformed));
        check("Bearer", Err(Denied::Malformed));
        check("Bearer ", Err(Denied::Malformed));
        check(TOKEN, Err(Denied::Scheme));
        check(&format!("Digest {TOKEN}"), Err(Denied::Scheme));
        check(&format!("Bearer\t{TOKEN}"), Err(Denied::Scheme));
        check("", Err(Denied::Scheme));
    }

    #[test]
    fn a_weak_secret_is_not_taken_though_the_file_has_it() {
        check("Bearer letmein", Err(Denied::Short));
        check(&basic("app:letmein"), Err(Denied::Short));
        // Not by writing it longer, either.
        check(&basic("app:%6c%65%74%6d%65%69%6e"), Err(Denied::Wrong));
    }

    #[test]
    fn an_id_and_its_secret_are_taken_encoded_and_plain() {
        check(
            &basic("app+two:a+secret%2Bwith%3a%25all%26kinds"),
            Ok("app two"),
        );
        check(&basic(&format!("app two:{SECRET}")), Ok("app two"));
        let unpadded = basic(&format!("app two:{SECRET}"));
        check(unpadded.trim_end_matches('='), Ok("app two"));
        check(&basic(&format!("app:{SECRET}")), Err(Denied::Wrong));
        check(&basic(&format!("app two:{SECRET}x")), Err(Denied::Wrong));
        check(&basic(&format!(":{SECRET}")), Err(Denied::Wrong));
        // What comes after the first colon is the secret.
        check(&basic(SECRET), Err(Denied::Short));
        check(&basic("no colon"), Err(Denied::Malformed));
        check("Basic !", Err(Denied::Malformed));
        // A token is no secret of an id, and the other way round.
        check(&basic(&format!("one:{TOKEN}")), Err(Denied::Wrong));
    }

    #[test]
    fn what_is_not_form_urlencoded_has_one_reading() {
        assert_eq!(form_decoded(b"a+b%2b"), Some(b"a b+".to_vec()));
        for text in [b"%".as_slice(), b"%2", b"%zz", b"%+1"] {
            assert_eq!(form_decoded(text), None);
        }
    }
}
