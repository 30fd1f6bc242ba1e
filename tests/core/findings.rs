//! What the security team reads when sources are wrong: file, line, column, source line, help.

use palisade::authz::{Kind, SourceFile, Sources};

use crate::sources::{compiled, file, rejected, sources};

const SCHEMA: &str = "entity User = { level: Long };\nentity Doc;\naction read appliesTo { principal: [User], resource: [Doc] };\n";

fn check(sources: &Sources, kind: Kind, expected: &str) {
    let rejection = rejected(sources);
    assert_eq!(rejection.reason(), kind, "{rejection}");
    let said = rejection.to_string();
    assert!(
        said.contains(expected.trim()),
        "expected\n{expected}\nin\n{said}"
    );
}

#[test]
fn a_syntax_error_shows_its_line() {
    check(
        &sources(
            "permit (principal, action, resource)\nwhen { principal.level > };\n",
            "",
            "",
        ),
        Kind::Parse,
        "
 --> policies.cedar:2:26
  |
2 | when { principal.level > };
  |                          ^",
    );
}

#[test]
fn a_misspelt_attribute_shows_its_policy() {
    let policies =
        "permit (principal, action == Action::\"read\", resource)\nwhen { principal.lvl > 1 };";
    check(
        &sources(policies, SCHEMA, ""),
        Kind::Validate,
        "--> policies.cedar:2:8",
    );
}

#[test]
fn all_findings_come_at_once() {
    let sources = Sources {
        policies: vec![
            file(
                "a.cedar",
                "permit (principal, action, resource) when { nonsense };",
            ),
            file("b.cedar", "permit (principal, action);"),
            file(
                "c.cedar",
                "@id(\"x\") permit (principal, action, resource);",
            ),
            file(
                "d.cedar",
                "@id(\"x\") permit (principal, action, resource);",
            ),
        ],
        entities: vec![file("e.json", "[{]")],
        ..Sources::default()
    };
    let rejection = rejected(&sources);
    let files: Vec<&str> = rejection
        .findings()
        .iter()
        .map(|f| f.file.as_str())
        .collect();
    assert_eq!(
        files,
        ["a.cedar", "b.cedar", "d.cedar", "e.json"],
        "{rejection}"
    );
    assert!(
        rejection
            .to_string()
            .contains("the policy id `x` is taken already, in `c.cedar`")
    );
}

#[test]
fn bytes_that_are_not_utf8_are_a_finding() {
    let bytes = b"// a\n// \xff\n".to_vec();
    let broken = SourceFile {
        name: "p.cedar".to_owned(),
        bytes,
    };
    let sources = Sources {
        policies: vec![broken],
        ..Sources::default()
    };
    check(
        &sources,
        Kind::Parse,
        "
error: not UTF-8: an invalid byte
 --> p.cedar:2:4",
    );
}

#[test]
fn a_mark_covers_whole_characters() {
    for text in [
        "permit (é, action, resource);",
        "→",
        "permit (principal, action, resource) when { \"→\" < é };",
    ] {
        let said = rejected(&sources(text, "", "")).to_string();
        assert!(said.contains("--> policies.cedar:1:"), "{said}");
    }
}

#[test]
fn a_byte_order_mark_and_carriage_returns_do_no_harm() {
    let text = "\u{feff}permit (principal,\r\n  action, resource);\r\n";
    assert_eq!(compiled(&sources(text, "", "")).counts().policies, 1);
}

#[test]
fn deep_nesting_is_refused_before_it_is_parsed() {
    let nested = |open: &str, close: &str, depth: usize| {
        format!(
            "permit (principal, action, resource) when {{ {}true{} }};",
            open.repeat(depth),
            close.repeat(depth)
        )
    };
    let deep = "nested deeper than 64 levels";
    check(
        &sources(&nested("(", ")", 100_000), "", ""),
        Kind::Parse,
        deep,
    );
    check(&sources(&nested("[", "]", 64), "", ""), Kind::Parse, deep);
    check(
        &sources(&nested("if true then ", " else true", 64), "", ""),
        Kind::Parse,
        deep,
    );
    let commented = format!("// {}\n{}", "(".repeat(100), nested("(", ")", 60));
    compiled(&sources(&commented, "", ""));
    let quoted =
        nested("(", ")", 60).replace("true", &format!("\"{}\\\"(\" == \"\"", "(".repeat(100)));
    compiled(&sources(&quoted, "", ""));
    let comparisons = vec!["1 < 2"; 100].join(" && ");
    compiled(&sources(
        &format!("permit (principal, action, resource) when {{ {comparisons} }};"),
        "",
        "",
    ));
    let schema = format!(
        "entity E = {{ a: {}String{} }};",
        "Set<".repeat(500),
        ">".repeat(500)
    );
    check(
        &sources("", &schema, ""),
        Kind::Parse,
        "nested deeper than 128 levels",
    );
}

#[test]
fn a_chain_that_could_outgrow_the_stack_is_refused() {
    let policy = |condition: &str| {
        let text = format!("permit (principal, action, resource) when {{ {condition} }};");
        sources(&text, "", "")
    };
    let long = "an expression of more than 1000 terms in a chain";
    for (term, operator) in [
        ("1", " + "),
        ("1", " - "),
        ("true", " && "),
        ("true", " || "),
        ("principal.a", ".a"),
        ("1 == 1", " && "),
    ] {
        check(
            &policy(&vec![term; 200_000].join(operator)),
            Kind::Parse,
            long,
        );
    }
    let clauses = "when { true }".repeat(2_000);
    let text = format!("permit (principal, action, resource) {clauses};");
    check(&sources(&text, "", ""), Kind::Parse, long);
    compiled(&policy(&vec!["true"; 900].join(" && ")));
    let listed = vec!["User::\"a\".b"; 5_000].join(", ");
    compiled(&policy(&format!("[{listed}].contains(principal)")));
}

#[test]
fn a_broken_schema_hides_nothing_else_that_is_certain() {
    let broken = sources(
        "permit (principal, action, resource) when { };",
        "entity ;",
        "[]",
    );
    let rejection = rejected(&broken);
    let files: Vec<&str> = rejection
        .findings()
        .iter()
        .map(|f| f.file.as_str())
        .collect();
    assert_eq!(
        files,
        ["schema.cedarschema", "policies.cedar"],
        "{rejection}"
    );
}

#[test]
fn annotations_that_mean_something_are_checked() {
    let schema = |annotation: &str| format!("{annotation} entity User = {{ name: String }};");
    check(
        &sources("", &schema("@held(\"caller\")"), ""),
        Kind::Validate,
        "`@held(\"caller\")` on `User` is not known",
    );
    check(
        &sources("", &schema("@parent(\"team\")"), ""),
        Kind::Validate,
        "`User` has no attribute `team`",
    );
    check(
        &sources("", &schema("@parent(\"name\")"), ""),
        Kind::Validate,
        "attribute `name` of `User` is not an entity",
    );
}

#[test]
fn a_json_schema_is_read_as_one() {
    let json = r#"{"":{"entityTypes":{"User":{"shape":{"type":"Record","attributes":{}}},"Doc":{}},
        "actions":{"read":{"appliesTo":{"principalTypes":["User"],"resourceTypes":["Doc"]}}}}}"#;
    let sources = Sources {
        policies: vec![file(
            "p.cedar",
            "permit (principal, action == Action::\"read\", resource);",
        )],
        schema: Some(file("schema.json", json)),
        ..Sources::default()
    };
    assert_eq!(compiled(&sources).action_labels(), ["read"]);
}

#[test]
fn warnings_do_not_stop_a_snapshot() {
    let policies = "permit (principal, action == Action::\"read\", resource) when { false };";
    let snapshot = compiled(&sources(policies, SCHEMA, ""));
    assert_eq!(snapshot.warnings().len(), 1);
}

#[test]
fn equal_sources_are_equal_revisions() {
    let revision = |sources: &Sources| sources.revision().to_string();
    let first = sources("permit (principal, action, resource);", "", "");
    assert_eq!(revision(&first), revision(&first.clone()));
    let moved = Sources {
        policies: vec![file("other.cedar", "permit (principal, action, resource);")],
        ..Sources::default()
    };
    assert_ne!(revision(&first), revision(&moved));
    assert_ne!(
        revision(&first),
        revision(&Sources {
            skip_validation: true,
            ..first.clone()
        })
    );
}
