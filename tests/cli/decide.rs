//! `decide`, asked with all the data that a question is about.

use std::{fs, io::Write as _, process::Stdio};

use tempfile::TempDir;

use crate::{folder, palisade, run, told};

const SCHEMA: &str = r#"
    @held("stored")
    entity Member in [Group] { level: Long };
    entity Group;
    @parent("group")
    entity Doc in [Group] { group: Group };
    action view appliesTo { principal: Member, resource: Doc, context: { late?: Bool } };
"#;

const POLICIES: &str = r#"
    @id("group") permit (principal, action, resource)
    when { principal.level > 2 && resource in Group::"g" };
    @id("late") forbid (principal, action, resource) when { context has late && context.late };
"#;

/// A member that is stored has level 1, and a document is in the group.
fn sources() -> TempDir {
    let folder = folder();
    let put = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    put("p/a.cedar", POLICIES);
    put("s.cedarschema", SCHEMA);
    put("e.json", &format!("[{},{},{}]", member(1), GROUP, DOC));
    folder
}

const GROUP: &str = r#"{"uid":{"type":"Group","id":"g"},"attrs":{},"parents":[]}"#;
const DOC: &str = r#"{"uid":{"type":"Doc","id":"d"},"attrs":{"group":{"__entity":{"type":"Group","id":"g"}}},"parents":[]}"#;

fn member(level: i64) -> String {
    format!(r#"{{"uid":{{"type":"Member","id":"ann"}},"attrs":{{"level":{level}}},"parents":[]}}"#)
}

fn question(rest: &str) -> String {
    format!(
        r#"{{"principal":"Member::\"ann\"","action":"Action::\"view\"","resource":"Doc::\"d\""{rest}}}"#
    )
}

const ARGS: [&str; 8] = [
    "decide",
    "q.json",
    "--policies",
    "p",
    "--schema",
    "s.cedarschema",
    "--entities",
    "e.json",
];

fn decide(folder: &TempDir, question: &str) -> (i32, String, String) {
    fs::write(folder.path().join("q.json"), question).unwrap();
    run(folder, &ARGS)
}

#[test]
fn entities_that_come_along_are_all_data_there_is() {
    let folder = sources();
    let check = |rest: &str, code: i32, outcome: &str, policies: &[&str], said: &str| {
        let (got, out, err) = decide(&folder, &question(rest));
        assert_eq!(got, code, "{rest}: {out}{err}");
        let told: serde_json::Value = serde_json::from_str(&out).unwrap();
        assert_eq!(told["outcome"], outcome, "{rest}: {out}");
        assert_eq!(told["policies"], serde_json::json!(policies), "{rest}");
        assert!(
            told["diagnostics"].to_string().contains(said),
            "{rest}: {out}"
        );
    };
    let given = |level| format!(r#","entities":[{},{GROUP},{DOC}]"#, member(level));
    // The member is of a type that only the store speaks for, and the document's parent is computed.
    check(&given(3), 0, "permitted", &["group"], "[]");
    check(&given(2), 1, "not_permitted", &[], "[]");
    check(
        &format!(r#"{},"context":{{"late":true}}"#, given(3)),
        1,
        "forbidden",
        &["late"],
        "[]",
    );
    let alone = format!(r#","entities":[{}]"#, member(3));
    check(&alone, 1, "not_permitted", &[], "[]");
    let missing = format!(r#","entities":[{DOC}]"#);
    check(&missing, 1, "not_permitted", &[], "is not stored");
    // Without entities, those that are stored.
    check("", 1, "not_permitted", &[], "[]");
    check(r#","entities":null"#, 1, "not_permitted", &[], "[]");
}

#[test]
fn a_written_question_comes_by_standard_input_too() {
    let folder = sources();
    let mut args = ARGS;
    args[1] = "-";
    let mut command = palisade(folder.path(), &args);
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let asked = question(&format!(r#","entities":[{},{GROUP},{DOC}]"#, member(3)));
    child
        .stdin
        .take()
        .unwrap()
        .write_all(asked.as_bytes())
        .unwrap();
    let (code, out, err) = told(&child.wait_with_output().unwrap());
    assert_eq!(code, 0, "{out}{err}");
}

#[test]
fn a_written_question_that_makes_no_sense_is_a_usage_error() {
    let folder = sources();
    let given = |entities: &str| question(&format!(r#","entities":{entities}"#));
    let wrong = DOC.replace("Group\",\"id\":\"g\"", "Nothing\",\"id\":\"g\"");
    for (question, expected) in [
        (
            question("").replace("\"resource\"", "\"resourse\""),
            "unknown key `resourse`",
        ),
        (question(r#","contxt":{}"#), "unknown key `contxt`"),
        (
            r#"{"principal":"Member::\"ann\"","action":"Action::\"view\""}"#.to_owned(),
            "no `resource`",
        ),
        (question("").replace("Doc::", "Doc:"), "`resource`: "),
        (question("").replace("view", "edit"), "edit"),
        (question(r#","context":{"late":1}"#), "not valid for"),
        (given("{}"), "`entities` must be an array, found an object"),
        (given(&format!("[{wrong}]")), "`entities`: "),
        (
            given(&format!("[{},{}]", member(1), member(2))),
            "`entities`: ",
        ),
        (given("[1]"), "`entities`: "),
        (
            given(&format!(
                "[{}]",
                member(1).replace(":1", ":99999999999999999999")
            )),
            "`entities`: ",
        ),
    ] {
        let (code, out, err) = decide(&folder, &question);
        assert_eq!((code, out.as_str()), (2, ""), "{question}: {err}");
        assert!(err.contains(expected), "{question}: {err}");
    }
}
