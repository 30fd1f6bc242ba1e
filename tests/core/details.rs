//! What is behind each cell of a matrix: policies, meaning, the documents' words, examples.

use palisade::authz::{Detail, Details, Example, Printed, Snapshot, Sources};

use crate::sources::{compiled, file, sources};

const SCHEMA: &str = r#"entity User = { active: Bool };
    entity Doc = { owner: User };
    entity Note;
    action read, write appliesTo { principal: User, resource: [Doc, Note], context: { note?: String } };"#;

const POLICIES: &str = r#"
    @id("read.any") @ruling("C2 C1") permit (principal, action == Action::"read", resource is Doc);
    @id("write.own") permit (principal, action == Action::"write", resource is Doc) when { resource.owner == principal };
    @id("write.note") permit (principal, action == Action::"write", resource is Note);
    @id("active") forbid (principal, action, resource) unless { principal.active };
    @id("notes") forbid (principal, action, resource is Note) when { false };
    @id("reading") forbid (principal, action == Action::"read", resource) when { false };"#;

const WORDS: &str = r#"
@scope("own")
@says("One's own.")
permit (principal, action, resource is Doc) when { resource.owner == principal };
@scope("all") permit (principal, action, resource is Doc);
@scope("all") permit (principal, action, resource is Note);
@guard("active") forbid (principal, action, resource) unless { principal.active };"#;

const WORLD: &str = r#"[
    {"uid": {"type": "User", "id": "ann"}, "attrs": {"active": true}, "parents": []},
    {"uid": {"type": "User", "id": "bob"}, "attrs": {"active": false}, "parents": []},
    {"uid": {"type": "Doc", "id": "a"}, "attrs": {"owner": {"type": "User", "id": "ann"}}, "parents": []},
    {"uid": {"type": "Doc", "id": "b"}, "attrs": {"owner": {"type": "User", "id": "bob"}}, "parents": []}]"#;

const ROWS: &str = r#"
    role = [{ name = "User", principals = ['User::"ann"', 'User::"bob"'] }]
    row = [{ id = "T1", section = "s", label = "l", ask = [
        { crud = "R", action = "read", resources = ["Doc"] },
        { crud = "U", action = "write", resources = ["Doc"], contexts = ['{"note":"x"}'] } ] }]"#;

const RULINGS: &str = r#"
    [[ruling]]
    id = "C1"
    says = "One."
    [[ruling]]
    id = "C3"
    says = "Three.""#;

const TABLE: &str = "row_id,role,cell,crud,cedar_action,resource_type,scope,ruling,seed_ref\n\
    T1,User,yes,R,read,Doc,all,C3,001:L1;002:L2\n\
    T1,User,no,U,write,Doc,all,,\n";

fn with_rulings(rulings: &str) -> Sources {
    Sources {
        spec: vec![
            file("words.cedar", WORDS),
            file("world.json", WORLD),
            file("rows.toml", ROWS),
            file("rulings.toml", rulings),
        ],
        tables: vec![file("tests/a.csv", TABLE)],
        ..sources(POLICIES, SCHEMA, "")
    }
}

fn details(snapshot: &Snapshot) -> Details {
    snapshot.matrix_details(|| true).unwrap().unwrap()
}

fn cells() -> [Detail; 2] {
    details(&compiled(&with_rulings(RULINGS)))
        .cells
        .try_into()
        .unwrap()
}

#[test]
fn a_cell_names_the_policies_that_permit_and_those_that_can_forbid() {
    let [read, write] = cells();
    assert_eq!(read.permits, ["read.any"]);
    assert_eq!(write.permits, ["write.own"]);
    assert_eq!(read.forbids, ["active", "reading"]);
    assert_eq!(write.forbids, ["active"]);
}

#[test]
fn a_cell_has_the_documents_words_and_whether_they_are_followed() {
    let [read, write] = cells();
    let printed = Printed {
        cell: "yes".to_owned(),
        seed_ref: "001:L1;002:L2".to_owned(),
        rulings: vec!["C3".to_owned()],
    };
    assert_eq!((read.printed, read.as_printed), (Some(printed), Some(true)));
    assert_eq!(write.as_printed, Some(false));
    assert_eq!(read.rulings, ["C1", "C2", "C3"]);
    let silent = Sources {
        tables: Vec::new(),
        ..with_rulings(RULINGS)
    };
    let cells = details(&compiled(&silent)).cells;
    assert!(
        cells
            .iter()
            .all(|it| it.printed.is_none() && it.as_printed.is_none())
    );
}

#[test]
fn a_word_is_told_by_the_policies_that_define_it_for_the_action_and_type() {
    let snapshot = compiled(&with_rulings(RULINGS));
    let details = details(&snapshot);
    let says: Vec<_> = details
        .words
        .iter()
        .map(|it| (it.name.as_str(), it.says.as_deref()))
        .collect();
    assert_eq!(says, [("own", Some("One's own.")), ("all", None)]);
    let places = |cell: &Detail| -> Vec<(String, usize)> {
        let definitions = cell.definitions.iter();
        definitions.map(|it| (it.file.clone(), it.line)).collect()
    };
    let [read, write] = details.cells.as_slice() else {
        panic!("not two cells")
    };
    assert_eq!(places(read), [("words.cedar".to_owned(), 5)]);
    assert_eq!(places(write), [("words.cedar".to_owned(), 2)]);
    assert!(
        write.definitions[0]
            .text
            .contains("resource.owner == principal")
    );
    assert_eq!(read.guards, ["active"]);
    let text = snapshot.policy_text("write.own").unwrap();
    assert!(text.contains("resource.owner == principal"), "{text}");
    assert_eq!(snapshot.policy_text("nobody's"), None);
}

#[test]
fn examples_are_situations_and_a_forbid_is_the_last_reason_to_deny() {
    let [read, write] = cells();
    let pair = |kind: &str, id: &str| (kind.to_owned(), id.to_owned());
    let example = |principal, action: &str, resource, context: &str| {
        Some(Example {
            principal: pair("User", principal),
            action: action.to_owned(),
            resource: pair("Doc", resource),
            context: context.to_owned(),
        })
    };
    assert_eq!(read.permitted, example("ann", "read", "a", "{}"));
    assert_eq!(read.denied, example("bob", "read", "a", "{}"));
    let context = r#"{"note":"x"}"#;
    assert_eq!(write.permitted, example("ann", "write", "a", context));
    assert_eq!(write.denied, example("ann", "write", "b", context));
}

#[test]
fn rulings_that_are_malformed_are_findings() {
    let check = |rulings: &str, expected: &str| {
        let snapshot = compiled(&with_rulings(rulings));
        let said = snapshot.matrix_details(|| true).unwrap_err().to_string();
        assert!(said.contains(expected), "expected\n{expected}\nin\n{said}");
    };
    let twice = "[[ruling]]\nid = \"C1\"\nsays = \"a\"\n[[ruling]]\nid = \"C1\"\nsays = \"b\"";
    check(
        twice,
        "the ruling `C1` is there already\n --> rulings.toml:5:6",
    );
    check("[[ruling]]\nid = \"C1\"", "`says` is missing");
    check(
        "[[ruling]]\nid = \"C1 C2\"\nsays = \"a\"",
        "`C1 C2` is not the id of a ruling",
    );
    check(
        "[[ruling]]\nid = \"C1\"\nsays = \"a\"\nwhy = \"b\"",
        "unknown key `why`",
    );
    check("[[rulings]]\nid = \"C1\"", "unknown key `rulings`");
    let rulings = details(&compiled(&with_rulings(RULINGS))).rulings;
    assert_eq!(rulings.get("C1").map(String::as_str), Some("One."));
}

#[test]
fn whoever_asks_can_stop_and_without_a_spec_there_is_nothing() {
    let snapshot = compiled(&with_rulings(RULINGS));
    assert_eq!(snapshot.matrix_details(|| false), Ok(None));
    let plain = compiled(&sources(POLICIES, SCHEMA, ""));
    assert_eq!(plain.matrix_details(|| true), Ok(None));
}

#[test]
fn a_cell_changes_when_its_word_does() {
    let snapshot = compiled(&with_rulings(RULINGS));
    let matrix = snapshot.matrix().unwrap().unwrap();
    assert_eq!(matrix.changes(matrix), []);
    let narrower = POLICIES.replace(
        "resource is Doc);",
        "resource is Doc) when { resource.owner == principal };",
    );
    let other = Sources {
        policies: vec![file("policies.cedar", &narrower)],
        ..with_rulings(RULINGS)
    };
    let other = compiled(&other);
    let other = other.matrix().unwrap().unwrap();
    let changes = matrix.changes(other);
    let [(place, line)] = changes.as_slice() else {
        panic!("not one change: {changes:?}")
    };
    assert_eq!((*place, line.scope.as_str()), (0, "own"));
}
