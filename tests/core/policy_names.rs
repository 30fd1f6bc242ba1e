//! What policies are called, and what links make of templates.

use palisade::authz::{OnPolicyError, Outcome, RawAction, RawEntity, RawQuery, Snapshot, Sources};

use crate::sources::{compiled, file, rejected, snapshot};

/// The determining policies of `User::"a"` doing `Action::"read"` on `Doc::"d"`.
fn reasons(snapshot: &Snapshot) -> Vec<String> {
    let entity = |type_name, id| RawEntity {
        type_name,
        id,
        properties: None,
    };
    let raw = RawQuery {
        principal: entity("User", "a"),
        action: RawAction {
            name: "read",
            properties: None,
        },
        resource: entity("Doc", "d"),
        context: None,
    };
    let answer = snapshot.decide(&snapshot.query(&raw), OnPolicyError::Deny);
    assert_eq!(answer.outcome, Outcome::Permitted, "{answer:?}");
    answer.policies
}

#[test]
fn a_policy_without_an_id_is_called_by_its_position_in_the_whole_set() {
    let template = "permit (principal == ?principal, action, resource);";
    let sources = Sources {
        policies: vec![
            file(
                "a.cedar",
                &format!("@id(\"named\") permit (principal, action, resource);\n{template}"),
            ),
            file(
                "b.cedar",
                "permit (principal, action, resource); permit (principal, action, resource);",
            ),
        ],
        ..Sources::default()
    };
    assert_eq!(
        reasons(&compiled(&sources)),
        ["named", "policy2", "policy3"]
    );
}

#[test]
fn ten_policies_keep_the_order_of_the_text() {
    let text = "permit (principal, action, resource);\n".repeat(12);
    let snapshot = snapshot(&text, "", "");
    let lines: Vec<(String, usize)> = snapshot
        .policies()
        .iter()
        .map(|policy| (policy.id.clone(), policy.line))
        .collect();
    let expected: Vec<(String, usize)> = (0..12)
        .map(|index| (format!("policy{index}"), index + 1))
        .collect();
    assert_eq!(lines, expected);
}

#[test]
fn a_link_permits_by_its_own_name() {
    let sources = Sources {
        policies: vec![file(
            "t.cedar",
            "@id(\"reader\") permit (principal == ?principal, action, resource in ?resource);",
        )],
        links: vec![file(
            "links.json",
            r#"[{"template_id":"reader","link_id":"a-reads-d","args":{"?principal":"User::\"a\"","?resource":"Doc::\"d\""}}]"#,
        )],
        ..Sources::default()
    };
    assert_eq!(reasons(&compiled(&sources)), ["a-reads-d"]);
}

#[test]
fn a_template_alone_permits_nothing() {
    let snapshot = snapshot(
        "permit (principal == ?principal, action, resource);",
        "",
        "",
    );
    assert_eq!(snapshot.counts().policies, 0);
}

/// Checks what is said of a broken `links.json`.
fn check_link(links: &str, expected: &str) {
    let sources = Sources {
        policies: vec![file(
            "t.cedar",
            "@id(\"t\") permit (principal == ?principal, action, resource);",
        )],
        links: vec![file("links.json", links)],
        ..Sources::default()
    };
    let rejection = rejected(&sources);
    let said = rejection.to_string();
    assert!(said.contains(expected), "`{expected}` is not in:\n{said}");
    assert!(
        rejection
            .findings()
            .iter()
            .all(|finding| finding.file == "links.json")
    );
}

#[test]
fn broken_links_are_findings() {
    let args = r#""args":{"?principal":"User::\"a\""}"#;
    check_link("{}", "expected a sequence");
    check_link("[1]", "not an object");
    check_link(
        &format!(r#"[{{"link_id":"l",{args}}}]"#),
        "`template_id` must be a string",
    );
    check_link(
        &format!(r#"[{{"template_id":"x","link_id":"l",{args}}}]"#),
        "--> links.json:1:2",
    );
    check_link(
        r#"[{"template_id":"t","link_id":"l","args":{}}]"#,
        "--> links.json:1:2",
    );
    check_link(
        r#"[{"template_id":"t","link_id":"l","args":{"?who":"User::\"a\""}}]"#,
        "unknown slot `?who`",
    );
    check_link(
        r#"[{"template_id":"t","link_id":"l","args":{"?principal":"a"}}]"#,
        "`a` is not an entity uid",
    );
    check_link(
        &format!(r#"[{{"template_id":"t","link_id":"l",{args},"note":1}}]"#),
        "unknown key `note`",
    );
    let twice = format!(r#"{{"template_id":"t","link_id":"l",{args}}}"#);
    check_link(
        &format!("[{twice},{twice}]"),
        "conflicts with an existing policy id",
    );
}

#[test]
fn json_uids_work_in_links() {
    let links =
        r#"[{"template_id":"t","link_id":"l","args":{"?principal":{"type":"User","id":"a"}}}]"#;
    let sources = Sources {
        policies: vec![file(
            "t.cedar",
            "@id(\"t\") permit (principal == ?principal, action, resource);",
        )],
        links: vec![file("links.json", links)],
        ..Sources::default()
    };
    assert_eq!(reasons(&compiled(&sources)), ["l"]);
}
