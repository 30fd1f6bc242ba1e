//! Known queries put to a snapshot: what counts as answered, and what is said of the others.

use std::{fs, path::Path, thread};

use palisade::authz::{Finding, Kind, Sources};
use serde_json::{Value, json};

use crate::sources::{compiled, file, sources};

const SCHEMA: &str = r#"@held("stored") entity User = { level: Long };
    entity Doc;
    action read, write appliesTo { principal: User, resource: Doc };"#;

const POLICIES: &str = r#"
    @id("read") permit (principal, action == Action::"read", resource);
    @id("senior") permit (principal, action, resource) when { principal.level > 5 };
    @id("broken") permit (principal, action == Action::"write", resource)
        when { principal.level + 9223372036854775807 > 0 };"#;

const STORED: &str =
    r#"[{"uid": {"type": "User", "id": "ann"}, "attrs": {"level": 1}, "parents": []}]"#;

fn found(canaries: &str) -> Vec<Finding> {
    let snapshot = compiled(&Sources {
        canaries: vec![file("tests/a.json", canaries)],
        ..sources(POLICIES, SCHEMA, STORED)
    });
    snapshot.rehearse(|| true).findings
}

fn case(action: &str, rest: &str) -> String {
    let request = format!(
        r#"{{"principal": "User::\"ann\"", "action": "Action::\"{action}\"", "resource": "Doc::\"d\"", "context": {{}}}}"#
    );
    format!("[\n{{\"name\": \"one\", \"request\": {request},\n{rest}}}\n]")
}

#[track_caller]
fn fits(canaries: &str) {
    assert_eq!(found(canaries), []);
}

#[track_caller]
fn fails(canaries: &str, kind: Kind, expected: &str) {
    let findings = found(canaries);
    assert_eq!(findings.len(), 1, "{findings:?}");
    let said = findings[0].to_string();
    assert_eq!(findings[0].kind, kind, "{said}");
    assert!(said.contains(expected), "expected\n{expected}\nin\n{said}");
}

#[test]
fn a_case_is_asked_of_what_is_stored_or_of_its_own_entities() {
    fits(&case(
        "read",
        r#""decision": "allow", "reason": ["read"], "num_errors": 0"#,
    ));
    // A type that only the store speaks for is the case's to state: its entities are its store.
    let own = r#""entities": [{"uid": {"type": "User", "id": "ann"}, "attrs": {"level": 9}, "parents": []}],"#;
    let senior =
        format!(r#"{own} "decision": "allow", "reason": ["read", "senior"], "num_errors": 0"#);
    fits(&case("read", &senior));
    let nobody = r#""entities": [], "decision": "deny", "reason": [], "num_errors": 0"#;
    fits(&case("read", nobody));
}

#[test]
fn the_policies_named_are_among_those_that_decide_and_errors_are_counted() {
    let own = r#""entities": [{"uid": {"type": "User", "id": "ann"}, "attrs": {"level": 9}, "parents": []}],"#;
    fits(&case(
        "read",
        &format!(r#"{own} "decision": "allow", "reason": [], "num_errors": 0"#),
    ));
    fits(&case(
        "write",
        r#""decision": "deny", "reason": [], "num_errors": 1"#,
    ));
    fails(
        &case(
            "write",
            r#""decision": "deny", "reason": [], "num_errors": 0"#,
        ),
        Kind::Canary,
        "canary `one`: expected deny, got deny; expected 0 errors, got 1 by `broken`",
    );
    fails(
        &case(
            "read",
            r#""decision": "allow", "reason": ["senior"], "num_errors": 0"#,
        ),
        Kind::Canary,
        "expected allow by `senior`, got allow by `read`",
    );
}

#[test]
fn another_decision_is_shown_where_the_expected_one_stands() {
    fails(
        &case(
            "read",
            r#""decision": "deny", "reason": [], "num_errors": 0"#,
        ),
        Kind::Canary,
        r#"error: canary `one`: expected deny, got allow by `read`
 --> tests/a.json:3:13
  |
3 | "decision": "deny", "reason": [], "num_errors": 0}
  |             ^^^^^^
  |
  = help: if the new answer is meant, change the canary in the same edit"#,
    );
}

#[test]
fn what_is_no_case_is_said_with_its_place() {
    let place = |line: u32, column: u32| format!("--> tests/a.json:{line}:{column}");
    for (canaries, kind, said, at) in [
        ("[", Kind::Parse, "EOF while parsing", place(1, 1)),
        ("{}", Kind::Parse, "expected a sequence", place(1, 1)),
        (
            "[\n5]",
            Kind::Parse,
            "a canary must be an object",
            place(2, 1),
        ),
        (r#"[{"a": 1}]"#, Kind::Parse, "unknown key `a`", place(1, 8)),
        (
            r#"[{"name": "x", "name": "y"}]"#,
            Kind::Parse,
            "duplicate",
            place(1, 2),
        ),
        (
            r#"[{"decision": "Allow"}]"#,
            Kind::Parse,
            "`allow` or `deny`",
            place(1, 15),
        ),
    ] {
        fails(canaries, kind, said);
        fails(canaries, kind, &at);
    }
    let expected = r#""decision": "deny", "reason": [], "num_errors": 0"#;
    for (action, rest, kind, said) in [
        (
            "read",
            r#""decision": "deny", "num_errors": 0"#,
            Kind::Parse,
            "`reason` must be",
        ),
        (
            "read",
            r#""decision": "deny", "reason": [], "num_errors": -1"#,
            Kind::Parse,
            "`num_errors` must be",
        ),
        ("fly", expected, Kind::Canary, "canary `one`: "),
    ] {
        fails(&case(action, rest), kind, said);
    }
    let broken = format!(
        r#""entities": [{{"uid": {{"type": "User", "id": "ann"}}, "attrs": {{}}, "parents": []}}], {expected}"#
    );
    fails(&case("read", &broken), Kind::Entities, "tests/a.json:3:13");
}

#[test]
fn a_case_without_a_name_goes_by_its_number() {
    let unnamed = case(
        "read",
        r#""decision": "deny", "reason": [], "num_errors": 0"#,
    );
    fails(
        &unnamed.replace("\"name\": \"one\", ", ""),
        Kind::Canary,
        "canary 1: expected deny",
    );
}

#[test]
fn canaries_are_part_of_the_revision_and_refuse_nothing_by_themselves() {
    let plain = sources(POLICIES, SCHEMA, STORED);
    let with = Sources {
        canaries: vec![file("tests/a.json", "no JSON")],
        ..plain.clone()
    };
    assert_ne!(plain.revision(), with.revision());
    assert_eq!(compiled(&plain).rehearse(|| true).cases, 0);
    assert_eq!(compiled(&with).rehearse(|| true).findings.len(), 1);
}

/// A set of Cedar's integration tests, its requests as canaries.
fn as_canaries(folder: &Path) -> Sources {
    let text = |name: &str| fs::read_to_string(folder.join(name)).unwrap();
    let json = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    let entities = json(&text("entities.json"));
    let case = |line: &str| {
        let request = json(line);
        json!({
            "name": request["id"],
            "request": {
                "principal": request["principal"],
                "action": request["action"],
                "resource": request["resource"],
                "context": request["context"],
            },
            "entities": entities,
            "decision": request["decision"],
            "reason": request["reason"],
            "num_errors": request["errors"].as_array().unwrap().len(),
        })
    };
    let requests = text("requests.jsonl");
    let cases: Value = requests.lines().map(case).collect();
    Sources {
        canaries: vec![file("tests/a.json", &cases.to_string())],
        skip_validation: true,
        ..sources(&text("policies.cedar"), &text("schema.cedarschema"), "")
    }
}

#[test]
fn every_answer_of_cedars_integration_tests_holds_as_a_canary() {
    let corpora = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/cedar");
    let work = move || {
        let mut cases = 0;
        for corpus in ["hand", "cases"] {
            for folder in fs::read_dir(corpora.join(corpus)).unwrap() {
                let folder = folder.unwrap().path();
                let rehearsal = compiled(&as_canaries(&folder)).rehearse(|| true);
                assert_eq!(rehearsal.findings, [], "{folder:?}");
                cases += rehearsal.cases;
            }
        }
        cases
    };
    // As much room as compiling has in the service.
    let thread = thread::Builder::new().stack_size(256 << 20).spawn(work);
    assert_eq!(thread.unwrap().join().unwrap(), 1_240);
}

/// Files of canaries put to policies that answer none of them as it says.
fn rehearsed(files: &[String]) -> palisade::authz::Rehearsal {
    let canaries = files.iter().map(|text| file("tests/a.json", text));
    let snapshot = compiled(&Sources {
        canaries: canaries.collect(),
        ..sources(POLICIES, SCHEMA, STORED)
    });
    snapshot.rehearse(|| true)
}

#[test]
fn once_a_hundred_have_failed_the_others_are_not_asked() {
    let many = |cases: usize| format!("[{}]", vec!["{}"; cases].join(",\n"));
    for files in [
        vec![many(9_999)],
        vec![many(5); 50],
        vec!["no JSON".to_owned(); 5_000],
    ] {
        let findings = rehearsed(&files).findings;
        assert_eq!(findings.len(), 101);
        let last = findings.last().unwrap();
        assert_eq!(
            last.message,
            "so many canaries fail that the others were not asked"
        );
    }
    assert_eq!(rehearsed(&[many(100)]).findings.len(), 100);
    let findings = rehearsed(&[many(3)]).findings;
    let lines = findings.iter().map(|it| it.place.as_ref().unwrap().line);
    assert_eq!(lines.collect::<Vec<_>>(), [1, 2, 3]);
}

#[test]
fn ten_thousand_in_all_are_asked_and_a_file_with_more_is_refused() {
    let one = case(
        "read",
        r#""decision": "allow", "reason": [], "num_errors": 0"#,
    );
    let one = one.trim_matches(['[', ']']);
    let many = |cases: usize| format!("[{}]", vec![one; cases].join(","));
    let rehearsal = rehearsed(&[many(5_000), many(5_000)]);
    assert_eq!((rehearsal.cases, rehearsal.findings), (10_000, vec![]));
    let rehearsal = rehearsed(&[many(5_000), many(5_001), many(1)]);
    let [finding] = rehearsal.findings.as_slice() else {
        panic!("{:?}", rehearsal.findings)
    };
    let said = "with this file there are more than 10000 canaries";
    assert_eq!(finding.message, said);
    assert_eq!(rehearsal.cases, 5_001);
}

#[test]
fn whoever_asks_can_stop() {
    let one = case(
        "read",
        r#""decision": "allow", "reason": [], "num_errors": 0"#,
    );
    let snapshot = compiled(&Sources {
        canaries: vec![file("tests/a.json", &one); 5],
        ..sources(POLICIES, SCHEMA, STORED)
    });
    assert_eq!(snapshot.counts().canaries, 5);
    let mut left = 3;
    let rehearsal = snapshot.rehearse(|| {
        left -= 1;
        left >= 0
    });
    assert!(rehearsal.cut && rehearsal.findings.is_empty());
    assert_eq!(rehearsal.cases, 3);
}
