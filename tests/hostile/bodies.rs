//! Bodies that are deep, many, long or say two things: on a house without a schema, where all of it
//! counts.

use std::time::Instant;

use crate::{
    client::Connection,
    palisade::{House, row, say},
};

const ONE: &str = "/access/v1/evaluation";
const MANY: &str = "/access/v1/evaluations";
const CEDAR: &str = "/v1/is_authorized";
const CEDAR_MANY: &str = "/v1/batch_is_authorized";

/// (name, path, body, status, what the answer says)
type Row = (&'static str, &'static str, String, u16, &'static str);

const ALLOW: &str = r#"{"decision":true"#;
const CEDAR_ALLOW: &str = r#"{"decision":"Allow""#;

fn authzen(properties: &str, context: &str) -> String {
    format!(
        r#"{{"subject":{{"type":"U","id":"ann","properties":{properties}}},"action":{{"name":"view"}},"resource":{{"type":"D","id":"d"}},"context":{context}}}"#
    )
}

/// A context with this beside the wish to be told what was left out.
fn explained(value: &str) -> String {
    authzen(
        "{}",
        &format!(r#"{{"palisade":{{"explain":true}},"n":{value}}}"#),
    )
}

fn named(id: &str) -> String {
    authzen("{}", "{}").replace("\"ann\"", &format!("\"{id}\""))
}

/// A Cedar-shaped question with more keys.
fn cedar(more: &str) -> String {
    format!(
        r#"{{"principal":"U::\"ann\"","action":"Action::\"view\"","resource":"D::\"d\""{more}}}"#
    )
}

fn context(value: &str) -> String {
    cedar(&format!(r#","context":{{"n":{value}}}"#))
}

fn entity(id: &str, attributes: &str, parents: &str) -> String {
    format!(
        r#"{{"uid":{{"type":"T","id":"{id}"}},"attrs":{{"n":{attributes}}},"parents":[{parents}]}}"#
    )
}

fn entities(list: &[String]) -> String {
    cedar(&format!(",\"entities\":[{}]", list.join(",")))
}

fn around(open: &str, inner: &str, close: &str, times: usize) -> String {
    format!("{}{inner}{}", open.repeat(times), close.repeat(times))
}

fn list(count: usize, item: impl Fn(usize) -> String) -> String {
    (0..count).map(item).collect::<Vec<_>>().join(",")
}

#[rustfmt::skip]
fn texts() -> Vec<Row> {
    const DUPLICATE: &str = "duplicate key";
    let twice = |key: &str| entity("x", &format!(r#"{{"a":1,"{key}":2}}"#), "");
    vec![
        ("good", ONE, named("ann"), 200, ALLOW),
        ("good, cedar", CEDAR, cedar(""), 200, CEDAR_ALLOW),
        ("duplicate key: subject", ONE, named("ann").replacen('{', r#"{"subject":{},"#, 1), 400, DUPLICATE),
        ("duplicate key: in properties", ONE, authzen(r#"{"a":{"b":[{"c":1,"c":1}]}}"#, "{}"), 400, DUPLICATE),
        ("duplicate key: escaped", ONE, authzen(r#"{"a":1,"\u0061":2}"#, "{}"), 400, DUPLICATE),
        ("duplicate key: in an entity", CEDAR, entities(&[twice("a")]), 400, DUPLICATE),
        ("duplicate key: of an entity", CEDAR, entities(&[entity("x", "1", "").replacen('{', r#"{"parents":[],"#, 1)]), 400, DUPLICATE),
        ("duplicate key: in a batch", MANY, r#"{"evaluations":[{"action":{},"action":{}}]}"#.to_owned(), 400, DUPLICATE),
        ("lone high surrogate", ONE, named(r"\ud800"), 400, "invalid_json"),
        ("lone low surrogate", ONE, named(r"\udc00"), 400, "invalid_json"),
        ("surrogates in the wrong order", ONE, named(r"\udc00\ud800"), 400, "invalid_json"),
        ("lone surrogate in a key", ONE, authzen(r#"{"\ud800":1}"#, "{}"), 400, "invalid_json"),
        ("lone surrogate in an entity", CEDAR, entities(&[entity(r"\ud800", "1", "")]), 400, "invalid_json"),
        ("a pair of surrogates", ONE, named(r"\ud83d\ude00"), 200, r#"{"decision":false"#),
        ("byte order mark", ONE, format!("\u{feff}{}", named("ann")), 400, "invalid_json"),
        ("NUL in an id", ONE, named(r"ann\u0000"), 200, r#"{"decision":false"#),
        ("a raw NUL", ONE, named("ann\0"), 400, "invalid_json"),
    ]
}

#[rustfmt::skip]
fn numbers() -> Vec<Row> {
    const LEFT_OUT: &str = "`context.n` is a number that Cedar cannot hold: left out";
    const NOT_64_BITS: &str = "must be whole and fit into 64 bits";
    const TOO_LARGE: &str = "9223372036854775808";
    let batch = format!(r#"{{"requests":[{}]}}"#, context(TOO_LARGE));
    let added =
        entities(&[entity("x", TOO_LARGE, "")]).replace("\"entities\"", "\"additional_entities\"");
    vec![
        ("2^63", ONE, explained(TOO_LARGE), 200, LEFT_OUT),
        ("-2^63", ONE, explained("-9223372036854775808"), 200, r#""diagnostics":[]"#),
        ("-2^63-1", ONE, explained("-9223372036854775809"), 200, LEFT_OUT),
        ("1e30", ONE, explained("1e30"), 200, LEFT_OUT),
        ("-0", ONE, explained("-0"), 200, LEFT_OUT),
        ("1.0", ONE, explained("1.0"), 200, LEFT_OUT),
        ("1e-999999999", ONE, explained("1e-999999999"), 200, LEFT_OUT),
        ("a fraction of 1 MB", ONE, explained(&format!("0.{}", "1".repeat(1_000_000))), 200, LEFT_OUT),
        // No double holds these: they are not what I-JSON calls a number.
        ("1e400", ONE, explained("1e400"), 400, "number out of range"),
        ("1e99999999999999999999", ONE, explained("1e99999999999999999999"), 400, "number out of range"),
        ("a number of 1 MB", ONE, explained(&"1".repeat(1_000_000)), 400, "number out of range"),
        ("01", ONE, explained("01"), 400, "invalid number"),
        ("NaN", ONE, explained("NaN"), 400, "invalid_json"),
        ("cedar: -2^63", CEDAR, context("-9223372036854775808"), 200, CEDAR_ALLOW),
        ("cedar: 2^63", CEDAR, context(TOO_LARGE), 400, NOT_64_BITS),
        ("cedar: -2^63-1", CEDAR, context("-9223372036854775809"), 400, NOT_64_BITS),
        ("cedar: 1.5 in a set", CEDAR, context("[{\"a\":[1.5]}]"), 400, NOT_64_BITS),
        ("cedar: -0", CEDAR, context("-0"), 400, NOT_64_BITS),
        ("cedar: 2^63 in a batch", CEDAR_MANY, batch, 400, NOT_64_BITS),
        ("cedar: 2^63 in entities", CEDAR, entities(&[entity("x", TOO_LARGE, "")]), 400, NOT_64_BITS),
        ("cedar: 2^63 added", CEDAR, added, 400, NOT_64_BITS),
    ]
}

#[rustfmt::skip]
fn depths() -> Vec<Row> {
    const DEEP: &str = "nested deeper than 64 levels";
    let nested = |times| {
        around(
            r#"{"a":{"type":"U","id":"x","properties":"#,
            "{}",
            "}}",
            times,
        )
    };
    let text = |open: &str, times| {
        cedar("").replace(r#""U::\"ann\"""#, &format!("\"{}\"", open.repeat(times)))
    };
    vec![
        ("62 deep", ONE, authzen("{}", &around("{\"a\":", "1", "}", 62)), 200, ALLOW),
        ("66 deep", ONE, authzen("{}", &around("{\"a\":", "1", "}", 66)), 400, DEEP),
        ("100,000 deep", ONE, authzen("{}", &"[".repeat(100_000)), 400, DEEP),
        ("properties in properties", ONE, authzen(&nested(30), "{}"), 200, ALLOW),
        ("cedar: 60 deep", CEDAR, context(&around("[", "1", "]", 60)), 200, CEDAR_ALLOW),
        ("cedar: 100,000 deep", CEDAR, context(&"{\"a\":".repeat(100_000)), 400, DEEP),
        ("cedar: an entity 58 deep", CEDAR, entities(&[entity("x", &around("[", "1", "]", 58), "")]), 200, CEDAR_ALLOW),
        ("cedar: a uid of brackets", CEDAR, text("(", 500_000), 400, "not an entity uid"),
        ("cedar: a uid of records", CEDAR, text("U::{a:", 150_000), 400, "not an entity uid"),
        ("cedar: a name of 300,000 parts", CEDAR, cedar("").replace("U::", &"a::".repeat(300_000)), 200, "Deny"),
        ("a name of 300,000 parts", ONE, named("ann").replace("\"U\"", &format!("\"{}U\"", "a::".repeat(300_000))), 200, "false"),
        ("cedar: an expression", CEDAR, context(&format!(r#"{{"__expr":"{}"}}"#, "(".repeat(900_000))), 400, "no longer supported"),
        ("cedar: an extension", CEDAR, context(&format!(r#"{{"__extn":{{"fn":"{}","arg":"1"}}}}"#, "(a".repeat(400_000) )), 400, "__extn"),
        ("cedar: an address", CEDAR, context(&format!(r#"{{"__extn":{{"fn":"ip","arg":"{}"}}}}"#, "1".repeat(900_000) )), 400, "parsing IP"),
    ]
}

#[rustfmt::skip]
fn many() -> Vec<Row> {
    const VALUES: &str = "the body has more than 150000 values";
    let thousand = format!(
        "{{{}}}",
        list(999, |n| format!(
            r#""p{n}":{{"type":"U","id":"{n}","properties":{{"a":1}}}}"#
        ))
    );
    let sets = |item: &str, count| context(&format!("[{}]", list(count, |_| item.to_owned())));
    let items = list(5_000, |_| {
        r#"{"resource":{"type":"D","id":"d"}}"#.to_owned()
    });
    let batch = |context: &str| {
        format!(
            r#"{{"subject":{{"type":"U","id":"ann"}},"action":{{"name":"view"}},"context":{context},"evaluations":[{items}]}}"#
        )
    };
    let deep = list(900, |n| {
        entity(&n.to_string(), &around("[", "1", "]", 58), "")
    });
    vec![
        ("1,000 entities in properties", ONE, authzen(&thousand, "{}"), 200, ALLOW),
        ("a set of 100,000", ONE, authzen("{}", &format!(r#"{{"n":[{}]}}"#, list(100_000, |n| n.to_string()))), 200, ALLOW),
        ("80,000 keys", ONE, authzen("{}", &format!("{{{}}}", list(80_000, |n| format!("\"k{n}\":1")))), 200, ALLOW),
        ("340,000 empty sets", ONE, authzen("{}", &format!(r#"{{"n":[{}]}}"#, list(340_000, |_| "[]".to_owned()))), 400, VALUES),
        ("cedar: a set of 100,000", CEDAR, context(&format!("[{}]", list(100_000, |n| n.to_string()))), 200, CEDAR_ALLOW),
        ("cedar: 340,000 records", CEDAR, sets("{}", 340_000), 400, VALUES),
        ("cedar: 8,000 sets 58 deep", CEDAR, sets(&around("[", "1", "]", 58), 8_000), 400, VALUES),
        ("cedar: 2,500 sets 58 deep", CEDAR, sets(&around("[", "1", "]", 58), 2_500), 200, CEDAR_ALLOW),
        ("cedar: 900 entities 58 deep", CEDAR, cedar(&format!(",\"entities\":[{deep}]")), 200, CEDAR_ALLOW),
        ("a batch of 5,000, each 60 deep", MANY, batch(&format!("{{\"n\":{}}}", around("[", "1", "]", 60))), 200, "evaluations"),
        ("an id of 1 MB", ONE, named(&"a".repeat(1_000_000)), 200, "false"),
        ("more than 1 MB", ONE, named(&"a".repeat(1 << 20)), 413, "body_too_large"),
    ]
}

/// Entities that come along: chains, cycles, and many below many.
#[rustfmt::skip]
fn chains() -> Vec<Row> {
    const LEVELS: &str = "64 levels deep";
    const COUNT: &str = "more than 1000 entities";
    let file = |length: usize| {
        let root = env!("CARGO_MANIFEST_DIR");
        let path = format!("{root}/tests/fixtures/crash/entities/team-chain-{length}.json");
        std::fs::read_to_string(path).unwrap()
    };
    let given = |key: &str, length| cedar(&format!(",\"{key}\":{}", file(length)));
    let batch =
        |key: &str, length| format!(r#"{{"{key}":{},"requests":[{}]}}"#, file(length), cedar(""));
    let parent = |n: usize| format!(r#"{{"type":"T","id":"p{n}"}}"#);
    let top = entity("top", "1", &list(20_000, parent));
    let below = list(998, |n| {
        entity(&n.to_string(), "1", r#"{"type":"T","id":"top"}"#)
    });
    let cycle = list(1_000, |n| {
        entity(
            &n.to_string(),
            "1",
            &format!(r#"{{"type":"T","id":"{}"}}"#, (n + 1) % 1_000),
        )
    });
    let (now, beside) = ("entities", "additional_entities");
    vec![
        ("500 in a chain", CEDAR, given(now, 500), 400, LEVELS),
        ("500 in a chain, added", CEDAR, given(beside, 500), 400, LEVELS),
        ("1,000 in a chain", CEDAR, given(now, 1000), 400, LEVELS),
        ("1,000 in a chain, added", CEDAR, given(beside, 1000), 400, LEVELS),
        ("2,000 in a chain", CEDAR, given(now, 2000), 400, COUNT),
        ("2,000 in a chain, added", CEDAR, given(beside, 2000), 400, COUNT),
        ("3,000 in a chain", CEDAR, given(now, 3000), 400, COUNT),
        ("3,000 in a chain, added", CEDAR, given(beside, 3000), 400, COUNT),
        ("batch: 500 in a chain", CEDAR_MANY, batch(now, 500), 400, LEVELS),
        ("batch: 1,000 in a chain, added", CEDAR_MANY, batch(beside, 1000), 400, LEVELS),
        ("batch: 3,000 in a chain", CEDAR_MANY, batch(now, 3000), 400, COUNT),
        ("batch: 3,000 in a chain, added", CEDAR_MANY, batch(beside, 3000), 400, COUNT),
        ("a cycle of 1,000", CEDAR, cedar(&format!(",\"entities\":[{cycle}]")), 400, "its own ancestor"),
        ("998 below one with 20,000 parents", CEDAR, cedar(&format!(",\"entities\":[{top},{below}]")), 400, "more than 100000 ancestors"),
    ]
}

#[test]
fn hostile_bodies_are_answered_or_refused() {
    let house = House::new();
    house.write("policies/editions.toml", "[house]\npolicies = [\"p\"]\n");
    let mut served = house.serve().unwrap();
    for (name, path, body, status, says) in
        [texts(), numbers(), depths(), chains(), many()].concat()
    {
        let started = Instant::now();
        let reply = served.connect().post(path, &body);
        row(name, &status.to_string(), started);
        let shown: String = reply.body.chars().take(300).collect();
        assert_eq!(reply.status, status, "{name}: {shown}");
        assert!(reply.body.contains(says), "{name}: {shown}");
        assert!(
            status == 200 || reply.body.len() < 2_000,
            "{name}: a long refusal"
        );
        served.answers(name);
    }
    for (name, body) in [
        (
            "invalid UTF-8",
            named("ann")
                .replace("ann", "\u{1}")
                .into_bytes()
                .iter()
                .map(|b| if *b == 1 { 0xff } else { *b })
                .collect(),
        ),
        (
            "UTF-16",
            named("ann")
                .encode_utf16()
                .flat_map(u16::to_le_bytes)
                .collect::<Vec<u8>>(),
        ),
    ] {
        let reply = served.connect().post_bytes(ONE, &body);
        assert_eq!(reply.status, 400, "{name}");
        served.answers(name);
    }
    let explain = |body: &str| {
        Connection::to(&served.admin)
            .post("/v1/explain", body)
            .status
    };
    assert_eq!(explain(&explained("9223372036854775808")), 200);
    assert_eq!(explain(&authzen("{}", &"[".repeat(100_000))), 400);
    let peak = served.peak_mib();
    say(&format!("peak of {peak} MiB"));
    assert!(peak < 600, "{peak} MiB");
    served.answers("everything");
}
