//! Attempts to be lifted by what comes with a question: into a group, out of a ban, past a forbid.

use palisade::authz::{
    Answer, CedarQuery, Json, OnPolicyError, Outcome, RawAction, RawEntity, RawQuery, Snapshot,
};

use crate::sources::{rejected, snapshot, sources};

/// Asks the Cedar-shaped way, with these entities beside the store.
fn ask(snapshot: &Snapshot, uids: [&str; 3], additional: &str) -> Result<Answer, String> {
    let given = Json::parse(additional.as_bytes(), 64).expect("valid JSON");
    let entities = snapshot
        .cedar_entities(None, Some(&given))
        .map_err(|e| e.to_string())?;
    let [principal, action, resource] = uids.map(|uid| Json::String(uid.into()));
    let raw = CedarQuery {
        principal: &principal,
        action: &action,
        resource: &resource,
        context: None,
    };
    let query = snapshot
        .cedar_query(&raw, &entities)
        .map_err(|e| e.to_string())?;
    Ok(snapshot.decide(&query, OnPolicyError::Cedar))
}

fn node(entity_type: &str, id: &str, parents: &[(&str, &str)]) -> String {
    let parents: Vec<String> = parents
        .iter()
        .map(|(kind, id)| format!(r#"{{"type":"{kind}","id":"{id}"}}"#))
        .collect();
    let parents = parents.join(",");
    format!(
        r#"{{"uid":{{"type":"{entity_type}","id":"{id}"}},"attrs":{{}},"parents":[{parents}]}}"#
    )
}

#[test]
fn what_is_above_a_given_parent_counts_whatever_is_stored_beside_it() {
    let schema = r#"entity Team in [Team];
        @held("stored") entity Member in [Team];
        entity User; entity Doc in [Member, Team];
        action a appliesTo { principal: [User], resource: [Doc] };"#;
    let policies = "permit (principal, action, resource);
        forbid (principal, action, resource in Team::\"x\");";
    let member = node("Member", "m", &[("Team", "t")]);
    let other = node("Doc", "other", &[("Team", "t")]);
    let given = format!(
        "[{},{},{}]",
        node("Team", "t", &[("Team", "x")]),
        node("Doc", "d", &[("Member", "m"), ("Team", "t")]),
        node("User", "u", &[])
    );
    for stored in [
        format!("[{member}]"),
        format!("[{member},{other}]"),
        format!("[{other},{member}]"),
    ] {
        let snapshot = snapshot(policies, schema, &stored);
        let answer = ask(&snapshot, USER_ACTS, &given).unwrap();
        assert_eq!(answer.outcome, Outcome::Forbidden, "{stored}");
    }
}

const USER_ACTS: [&str; 3] = ["User::\"u\"", "Action::\"a\"", "Doc::\"d\""];

#[test]
fn a_chain_above_a_banned_user_does_not_lift_the_ban() {
    let policies = "permit (principal, action, resource);
        forbid (principal in G::\"banned\", action, resource);";
    let stored = format!("[{}]", node("User", "u", &[("G", "banned"), ("P", "0")]));
    let snapshot = snapshot(policies, "", &stored);
    for length in [1, 62, 63, 64, 65] {
        let id = |n: usize| n.to_string();
        let chain: Vec<String> = (0..length)
            .map(|n| node("P", &id(n), &[("P", &id(n + 1))]))
            .collect();
        let given = format!("[{}]", chain.join(","));
        match ask(&snapshot, USER_ACTS, &given) {
            Ok(answer) => assert_eq!(answer.outcome, Outcome::Forbidden, "{length}"),
            Err(refused) => assert!(refused.contains("64 levels deep"), "{length}: {refused}"),
        }
    }
}

#[test]
fn the_absence_of_a_held_entity_with_tags_or_parents_denies() {
    let schema = r#"
        @held("stored") entity User = { team: Team };
        @held("stored") entity Team in [Org] tags String;
        @held("stored") entity Org;
        entity Doc;
        action a appliesTo { principal: [User], resource: [Doc] };"#;
    let policies = "permit (principal, action, resource);
        forbid (principal, action, resource) when { principal.team in Org::\"banned\" };
        forbid (principal, action, resource) when { principal.team.hasTag(\"banned\") };";
    let user = r#"[{"uid":{"type":"User","id":"u"},"attrs":{"team":{"type":"Team","id":"gone"}},"parents":[]}]"#;
    let snapshot = snapshot(policies, schema, user);
    let answer = ask(&snapshot, USER_ACTS, "[]").expect("a valid question");
    assert_eq!(answer.outcome, Outcome::NotPermitted, "{answer:?}");
    assert!(
        answer.diagnostics[0].contains("Team::\"gone\""),
        "{answer:?}"
    );
}

#[test]
fn a_caller_cannot_put_a_held_entity_into_a_group() {
    let schema = r#"
        @held("stored") entity User in [Group];
        entity Group in [Group];
        entity Doc;
        action a appliesTo { principal: [User], resource: [Doc] };"#;
    let policies = "permit (principal in Group::\"admins\", action, resource);";
    let stored = format!("[{}]", node("User", "u", &[("Group", "g")]));
    let snapshot = snapshot(policies, schema, &stored);
    let lifted = format!("[{}]", node("Group", "g", &[("Group", "admins")]));
    let answer = ask(&snapshot, USER_ACTS, &lifted).expect("a valid question");
    assert_eq!(answer.outcome, Outcome::NotPermitted);
}

const FOLDERS: &str = r#"
    entity User;
    @parent("up") entity Folder in [Folder] = { up?: Folder };
    @parent("folder") entity Doc in [Folder] = { folder: Folder, about?: Doc };
    @parent("doc.folder") entity Note in [Folder] = { doc: Doc };
    action a appliesTo { principal: [User], resource: [Doc, Note], context: { at?: Folder } };"#;

#[test]
fn a_stored_entity_follows_what_the_question_says_of_those_above_it() {
    let policies = "permit (principal, action, resource);
        forbid (principal, action, resource in Folder::\"banned\");";
    let stored = r#"[
        {"uid":{"type":"Doc","id":"d"},"attrs":{"folder":{"type":"Folder","id":"f"}},"parents":[]},
        {"uid":{"type":"Folder","id":"f"},"attrs":{},"parents":[]},
        {"uid":{"type":"Note","id":"n"},"attrs":{"doc":{"type":"Doc","id":"e"}},"parents":[]}
    ]"#;
    let snapshot = snapshot(policies, FOLDERS, stored);
    let context = r#"{"at":{"type":"Folder","id":"f","properties":{"up":"banned"}}}"#;
    let context = Json::parse(context.as_bytes(), 64).expect("valid JSON");
    let raw = RawQuery {
        principal: RawEntity {
            type_name: "User",
            id: "u",
            properties: None,
        },
        action: RawAction {
            name: "a",
            properties: None,
        },
        resource: RawEntity {
            type_name: "Doc",
            id: "d",
            properties: None,
        },
        context: context.as_object(),
    };
    let answer = snapshot.decide(&snapshot.query(&raw), OnPolicyError::Deny);
    assert_eq!(answer.outcome, Outcome::Forbidden, "{answer:?}");

    let doc = r#"[{"uid":{"type":"Doc","id":"e"},"attrs":{"folder":{"type":"Folder","id":"banned"}},"parents":[]}]"#;
    let note = ["User::\"u\"", "Action::\"a\"", "Note::\"n\""];
    let answer = ask(&snapshot, note, doc).expect("a valid question");
    assert_eq!(answer.outcome, Outcome::Forbidden, "{answer:?}");
}

#[test]
fn a_caller_states_no_parents_where_they_are_computed() {
    let schema = r#"
        @held("stored") entity User;
        @held("stored") entity Org;
        @held("stored") @parent("org") entity Room in [Org] = { org: Org };
        @parent("room") entity Desk in [Room] = { room: Room };
        action a appliesTo { principal: [User], resource: [Desk] };"#;
    let policies = "permit (principal, action, resource in Org::\"own\");";
    let room = r#"{"uid":{"type":"Room","id":"r"},"attrs":{"org":{"type":"Org","id":"other"}},"parents":[]}"#;
    let things = [
        node("User", "u", &[]),
        node("Org", "own", &[]),
        node("Org", "other", &[]),
    ];
    let stored = format!("[{},{room}]", things.join(","));
    let snapshot = snapshot(policies, schema, &stored);
    let desk = |parents: &str| {
        format!(
            r#"[{{"uid":{{"type":"Desk","id":"d"}},"attrs":{{"room":{{"type":"Room","id":"r"}}}},"parents":{parents}}}]"#
        )
    };
    let asked = |parents: &str| {
        let uids = ["User::\"u\"", "Action::\"a\"", "Desk::\"d\""];
        ask(&snapshot, uids, &desk(parents)).map(|answer| answer.outcome)
    };
    assert_eq!(asked("[]"), Ok(Outcome::NotPermitted));
    assert_eq!(
        asked(r#"[{"type":"Room","id":"r"}]"#),
        Ok(Outcome::NotPermitted)
    );
    for lie in [
        r#"[{"type":"Org","id":"own"}]"#,
        r#"[{"type":"Room","id":"r"},{"type":"Org","id":"own"}]"#,
    ] {
        let refused = asked(lie).expect_err("a stated parent that is not computed");
        assert!(
            refused.contains("`Org::\"own\"`, but its attributes give another"),
            "{refused}"
        );
    }
    let lying = room.replace("\"parents\":[]", r#""parents":[{"type":"Org","id":"own"}]"#);
    let rejection = rejected(&sources(policies, schema, &format!("[{lying}]")));
    assert!(
        rejection
            .to_string()
            .contains("its attributes give another"),
        "{rejection}"
    );
    let desk = desk(r#"[{"type":"Org","id":"own"}]"#);
    let rejection = rejected(&sources(policies, schema, &desk));
    assert!(
        rejection
            .to_string()
            .contains("its attributes give another"),
        "{rejection}"
    );
}

#[test]
fn an_action_is_denied_on_types_it_does_not_apply_to() {
    let snapshot = snapshot("permit (principal, action, resource);", FOLDERS, "[]");
    let raw = |resource| RawQuery {
        principal: RawEntity {
            type_name: "User",
            id: "u",
            properties: None,
        },
        action: RawAction {
            name: "a",
            properties: None,
        },
        resource: RawEntity {
            type_name: resource,
            id: "x",
            properties: None,
        },
        context: None,
    };
    let asked = |resource| snapshot.decide(&snapshot.query(&raw(resource)), OnPolicyError::Deny);
    assert_eq!(asked("Doc").outcome, Outcome::Permitted);
    assert_eq!(
        asked("Unheard").outcome,
        Outcome::Permitted,
        "decided by policy"
    );
    let answer = asked("Folder");
    assert_eq!(answer.outcome, Outcome::NotPermitted);
    assert!(answer.diagnostics[0].contains("does not apply to a `User` and a `Folder`"));
}

#[test]
fn the_same_bad_entities_are_always_refused_for_the_same_reason() {
    let snapshot = snapshot("", "", "");
    let cycle: Vec<String> = (0..9)
        .map(|n| node("P", &n.to_string(), &[("P", &((n + 1) % 9).to_string())]))
        .collect();
    let given = format!("[{}]", cycle.join(","));
    let first = ask(&snapshot, USER_ACTS, &given).expect_err("a cycle");
    for _ in 0..8 {
        assert_eq!(
            ask(&snapshot, USER_ACTS, &given).expect_err("a cycle"),
            first
        );
    }
}

#[test]
fn notes_stay_few_and_short_however_long_the_names_are() {
    let snapshot = snapshot("permit (principal, action, resource);", FOLDERS, "[]");
    let id = "i".repeat(100_000);
    let keys: Vec<String> = (0..10_000).map(|n| format!("\"k{n}\":1")).collect();
    let properties = format!("{{\"folder\":\"f\",{}}}", keys.join(","));
    let properties = Json::parse(properties.as_bytes(), 64).expect("valid JSON");
    let raw = RawQuery {
        principal: RawEntity {
            type_name: "User",
            id: "u",
            properties: None,
        },
        action: RawAction {
            name: "a",
            properties: None,
        },
        resource: RawEntity {
            type_name: "Doc",
            id: &id,
            properties: properties.as_object(),
        },
        context: None,
    };
    let answer = snapshot.decide(&snapshot.query(&raw), OnPolicyError::Deny);
    let written: usize = answer.diagnostics.iter().map(String::len).sum();
    assert!(
        answer.diagnostics.len() < 100 && written < 20_000,
        "{written} bytes"
    );
    assert_eq!(
        answer.diagnostics.last().map(String::as_str),
        Some("9936 more of this kind")
    );
}

#[test]
fn every_way_to_write_a_uid_in_cedar_is_understood() {
    let policies = "permit (principal == User::\"o'b\\\"m\\n\", action, resource);";
    let snapshot = snapshot(policies, "", "");
    for uid in [
        r#"User::"o'b\"m\n""#,
        r#"User::"o\'b\"\x6d\n""#,
        r#"User::"o'b\"\u{6d}\n""#,
        r#" User :: "o'b\"m\n" "#,
    ] {
        let uids = [uid, "Action::\"a\"", "Doc::\"d\u{200b}\u{301}\""];
        let answer = ask(&snapshot, uids, "[]").expect(uid);
        assert_eq!(answer.outcome, Outcome::Permitted, "{uid}");
    }
    for wrong in [
        "User::\"a\" || \"b\"",
        "User::\"a",
        "User:\"a\"",
        "\"a\"",
        "User::\"\\q\"",
        "((User::\"a\"))",
    ] {
        let refused = ask(&snapshot, [wrong, "Action::\"a\"", "Doc::\"d\""], "[]");
        assert!(refused.expect_err(wrong).contains("is not"), "{wrong}");
    }
}

#[test]
fn a_reason_is_the_id_as_it_was_given() {
    let snapshot = snapshot(
        "@id(\"Don't \\\"go\\\"\") permit (principal, action, resource);",
        "",
        "",
    );
    let answer = ask(&snapshot, USER_ACTS, "[]").expect("a valid question");
    assert_eq!(answer.policies, ["Don't \"go\""]);
    assert_eq!(snapshot.policies()[0].id, "Don't \"go\"");
}
