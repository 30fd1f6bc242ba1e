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
    let bearer = |ordinal| CredentialPlace {
        kind: Kind::Bearer,
        ordinal,
    };
    let basic = |ordinal| CredentialPlace {
        kind: Kind::Basic,
        ordinal,
    };
    check(
        "[[basic]]\nid = \"a\"\nsha256 = \"hunter2\"",
        &Err(BadCredentials::Digest(basic(1))),
    );
    let twice = entry("bearer", "b", "0a") + &entry("bearer", "a", "0A");
    check(&twice, &Err(BadCredentials::Twice(bearer(2))));
    let name = |place| Err(BadCredentials::Name(place));
    check(&entry("bearer", "", "00"), &name(bearer(1)));
    check(&entry("basic", "a\\n", "00"), &name(basic(1)));
    check(&entry("basic", &"x".repeat(65), "00"), &name(basic(1)));
    let not_text = CredentialSet::parse(b"\xff").map(|_| ());
    assert_eq!(not_text, Err(BadCredentials::NotText));
    let many = entry("bearer", "a", "00").repeat(MAX_ENTRIES + 1);
    check(&many, &Err(BadCredentials::TooMany));
}

#[test]
fn what_stands_in_the_place_of_a_name_is_never_shown() {
    let check = |file: &str, expected: &str| {
        let error = CredentialSet::parse(file.as_bytes()).unwrap_err();
        assert_eq!(error.to_string(), expected);
        assert!(!format!("{error:?}").contains("hunter"), "{error:?}");
    };
    let token = "hunter2-0123456789abcdef";
    let swapped = format!("[[bearer]]\nname = \"{token}\"\nsha256 = \"app\"\n");
    let second = entry("bearer", "a", "00") + &swapped;
    let expected = "`sha256` of the 2nd `[[bearer]]` is not 64 hexadecimal digits";
    check(&second, expected);
    let sha256 = Sha256::digest(token);
    let sha256: String = sha256.iter().map(|byte| format!("{byte:02x}")).collect();
    let shown = |place: &str| {
        format!(
            "{place} is a secret or a digest, and would be shown in logs: give the caller's name"
        )
    };
    // By its shape.
    let named = |name: &str| format!("[[basic]]\nid = \"{name}\"\nsha256 = \"{sha256}\"\n");
    check(
        &named(&"0aF9".repeat(16)),
        &shown("`id` of the 1st `[[basic]]`"),
    );
    // By its digest, wherever that stands.
    check(&named(token), &shown("`id` of the 1st `[[basic]]`"));
    let other = named("app") + &entry("bearer", "a", "00") + &entry("bearer", token, "01");
    check(&other, &shown("`name` of the 2nd `[[bearer]]`"));
}

#[test]
fn ordinals_are_those_of_english() {
    for (ordinal, expected) in [(1, "1st"), (3, "3rd"), (11, "11th"), (12, "12th")] {
        let kind = Kind::Basic;
        let place = CredentialPlace { kind, ordinal }.to_string();
        assert_eq!(place, format!("{expected} `[[basic]]`"));
    }
}

#[test]
fn debug_has_names_and_no_digest() {
    let file = entry("bearer", "pep", "0a") + &entry("basic", "app", "0b");
    let set = CredentialSet::parse(file.as_bytes()).unwrap();
    let shown = format!("{:?}", Credentials::new(set));
    let expected = r#"Credentials(CredentialSet { bearer: ["pep"], basic: ["app"] })"#;
    assert_eq!(shown, expected);
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
