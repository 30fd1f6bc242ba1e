use proptest::prelude::*;

use super::*;

#[track_caller]
fn check(target: &str, expected: &[&str]) {
    let parsed = Target::parse(target).unwrap_or_else(|why| panic!("{target}: {why}"));
    assert_eq!(parsed.segments, expected, "{target}");
}

#[track_caller]
fn refused(target: &str, why: Ambiguous) {
    assert_eq!(Target::parse(target), Err(why), "{target}");
}

#[test]
fn a_path_with_one_reading_is_taken_apart() {
    check("/", &[]);
    check("/?a=b", &[]);
    check("/api/projects/7", &["api", "projects", "7"]);
    check("/api/projects/7/", &["api", "projects", "7"]);
    check("/%61pi/a%20b/%C3%A9", &["api", "a b", "é"]);
    check(
        "/a:b@c/$&'()*+,=!-._~/...",
        &["a:b@c", "$&'()*+,=!-._~", "..."],
    );
    check("/api?next=/../x//%2f;y", &["api"]);
    let long = format!("/{}", "x".repeat(MAX_PATH_BYTES - 1));
    check(&long, &[&long[1..]]);
    let query = Target::parse("/a?b=c?d&e").unwrap().query;
    assert_eq!(query, Some("b=c?d&e"));
}

#[test]
fn a_target_with_two_readings_is_refused() {
    for target in ["", "*", "api", "http://host/api", "//host", "?a", "host:80"] {
        let why = Target::parse(target).unwrap_err();
        let expected = [Ambiguous::NoPath, Ambiguous::EmptySegment];
        assert!(expected.contains(&why), "{target}: {why}");
    }
    for target in ["//", "/a//b", "/a//", "//a", "///"] {
        refused(target, Ambiguous::EmptySegment);
    }
    for target in [
        "/.",
        "/..",
        "/a/./b",
        "/a/../b",
        "/a/..",
        "/a/../",
        "/%2e",
        "/%2E%2e/b",
        "/a/.%2e/b",
        "/a/%2e./",
    ] {
        refused(target, Ambiguous::DotSegment);
    }
    for escape in [
        "%2f",
        "%2F",
        "%5c",
        "%5C",
        "%00",
        "%0a",
        "%0d",
        "%1f",
        "%7f",
        "%c2%85",
        "%3b",
        "%3B",
        "%3f",
        "%23",
        "%25",
        "%252e%252e",
        "%25%32%65",
    ] {
        refused(&format!("/a/b{escape}c/d"), Ambiguous::Escaped);
        refused(&format!("/{escape}"), Ambiguous::Escaped);
    }
    for target in ["/a;b", "/a/;", "/a/..;/b", "/a;x=1/b"] {
        refused(target, Ambiguous::Parameter);
    }
    for target in [
        "/a\\b", "/a b", "/a\tb", "/a\0b", "/é", "/<", "/a|b", "/{a}", "/a\"", "/^",
    ] {
        refused(target, Ambiguous::Character);
    }
    for target in ["/%", "/%2", "/a%zz", "/%+1", "/%u0041", "/a%2/b"] {
        refused(target, Ambiguous::MalformedEscape);
    }
    // Overlong, a surrogate, half of a character, above all planes.
    for target in [
        "/%c0%ae%c0%ae",
        "/%ed%a0%80",
        "/%c3",
        "/%ff",
        "/%f5%80%80%80",
    ] {
        refused(target, Ambiguous::NotText);
    }
    for target in ["/a#b", "/a?b#c", "#", "/#/../x"] {
        refused(target, Ambiguous::Fragment);
    }
    for target in [
        "/a?b c",
        "/a?b\tc",
        "/a?\r\nx",
        "/a?\0",
        "/a?é",
        "/a?\u{7f}",
    ] {
        refused(target, Ambiguous::QueryCharacter);
    }
    refused(
        &format!("/{}", "x".repeat(MAX_PATH_BYTES)),
        Ambiguous::TooLong,
    );
}

/// What makes a path ambiguous wherever it stands, before a `z`.
const SHAPES: [&str; 35] = [
    "//",
    "///",
    "/./",
    "/../",
    "/%2e/",
    "/%2E%2e/",
    "/.%2e/",
    "/%2e./",
    "%2f",
    "%2F",
    "%5c",
    "\\",
    "%00",
    "%0d%0a",
    "%1f",
    "%7f",
    "%c2%80",
    "%",
    "%2",
    "%zz",
    ";",
    ";v=1",
    "/..;/",
    "%3b",
    "%3f",
    "%23",
    "#",
    "%25",
    "%252e",
    "%c0%af",
    "%ff",
    "%ed%a0%80",
    " ",
    "é",
    "|",
];

proptest! {
    #[test]
    fn an_ambiguous_shape_is_refused_wherever_it_stands(
        before in "(/[a-y0-9._~-]{0,3}[a-y]){0,3}",
        after in "[a-y0-9]{0,3}(/[a-y]{1,3}){0,2}/?",
        query in "(\\?[a-y=&/.%;0-9]{0,9})?",
        shape in proptest::sample::select(&SHAPES[..]),
    ) {
        let target = format!("/a{before}{shape}z{after}{query}");
        prop_assert!(Target::parse(&target).is_err(), "{target}");
    }

    #[test]
    fn no_segment_separates_or_climbs(target in "/[ -~é/.%2eEfF5c;?#0]{0,24}") {
        if let Ok(target) = Target::parse(&target) {
            for segment in target.segments {
                prop_assert!(!segment.is_empty() && segment != "." && segment != "..");
                prop_assert!(!segment.contains(SEPARATORS));
                prop_assert!(!segment.contains(char::is_control));
            }
        }
    }
}
