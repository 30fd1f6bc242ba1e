//! Tables beside the policies: what each cell of the matrix must be, and what is said where one is
//! not.

use palisade::authz::{Finding, Kind, Rehearsal, Severity, SourceFile, Sources};

use crate::sources::{compiled, file, sources};

const SCHEMA: &str = r#"entity Role;
    entity User = { role: Role };
    entity Doc = { owner: User };
    action read, write appliesTo { principal: User, resource: Doc };"#;

const POLICIES: &str = r#"
    permit (principal, action == Action::"read", resource);
    permit (principal, action == Action::"write", resource) when { resource.owner == principal };"#;

const WORDS: &str = r#"
    @scope("own") permit (principal, action, resource) when { resource.owner == principal };
    @scope("all") permit (principal, action, resource);"#;

const WORLD: &str = r#"[
    {"uid": {"type": "User", "id": "ann"}, "attrs": {"role": {"type": "Role", "id": "user"}}, "parents": []},
    {"uid": {"type": "User", "id": "bob"}, "attrs": {"role": {"type": "Role", "id": "user"}}, "parents": []},
    {"uid": {"type": "Doc", "id": "a"}, "attrs": {"owner": {"type": "User", "id": "ann"}}, "parents": []},
    {"uid": {"type": "Doc", "id": "b"}, "attrs": {"owner": {"type": "User", "id": "bob"}}, "parents": []}]"#;

const ROWS: &str = r#"
    role = [{ name = "User", principals = ['User::"ann"'] }]
    row = [{ id = "T1", section = "s", label = "l", ask = [
        { crud = "R", action = "read", resources = ["Doc"] },
        { crud = "U", action = "write", resources = ["Doc"] } ] }]"#;

const HEAD: &str = "row_id,role,cell,crud,cedar_action,resource_type,scope\n";

/// What the policies decide.
const TABLE: &str = "T1,User,yes,R,read,Doc,all\nT1,User,no,U,write,Doc,own\n";

fn table(name: &str, lines: &str) -> SourceFile {
    file(name, &format!("{HEAD}{lines}"))
}

fn with_tables(tables: Vec<SourceFile>) -> Sources {
    Sources {
        spec: vec![
            file("words.cedar", WORDS),
            file("world.json", WORLD),
            file("rows.toml", ROWS),
        ],
        tables,
        ..sources(POLICIES, SCHEMA, "")
    }
}

fn rehearsed(tables: Vec<SourceFile>) -> Rehearsal {
    compiled(&with_tables(tables)).rehearse(|| true)
}

/// The only finding, as it is told.
#[track_caller]
fn fails(tables: Vec<SourceFile>, kind: Kind, expected: &str) {
    let findings = rehearsed(tables).findings;
    let [finding] = findings.as_slice() else {
        panic!("not one finding: {findings:?}")
    };
    let said = finding.to_string();
    assert_eq!((finding.kind, finding.severity), (kind, Severity::Error));
    assert!(said.contains(expected), "expected\n{expected}\nin\n{said}");
}

/// What is wrong with one table that is not taken.
#[track_caller]
fn refuses(text: &str, message: &str, line: Option<usize>) {
    let found = rehearsed(vec![file("tests/a.csv", text)]);
    let finding = found.findings.first().unwrap();
    assert_eq!((finding.kind, found.cells), (Kind::Parse, 0));
    assert_eq!(finding.message, message);
    assert_eq!(finding.place.as_ref().map(|it| it.line), line, "{text:?}");
}

#[test]
fn a_matrix_that_is_what_the_table_says_is_let_through_and_counted() {
    for text in [
        TABLE.to_owned(),
        TABLE.replace('\n', "\r\n"),
        format!("\n\n{}", TABLE.replace('\n', "\n\n")),
        TABLE.replace("yes", "\"of course,\n\"\"yes\"\"\""),
    ] {
        let snapshot = compiled(&with_tables(vec![table("tests/a.csv", &text)]));
        let counts = snapshot.counts();
        assert_eq!((counts.canaries, counts.cells), (2, 2));
        let rehearsal = snapshot.rehearse(|| true);
        assert_eq!(rehearsal.findings, [], "{text:?}");
        assert_eq!((rehearsal.cases, rehearsal.cells), (0, 2));
    }
}

#[test]
fn a_cell_that_differs_is_told_at_its_line() {
    let text = TABLE.replace(",own", ",never").replace('\n', "\r\n");
    fails(
        vec![table("tests/a.csv", &text)],
        Kind::Canary,
        "error: T1 U User: the policies say `write Doc own`, the table says `write Doc never`
 --> tests/a.csv:3:1
  |
3 | T1,User,no,U,write,Doc,never
  | ^^^^^^^^^^^^^^^^^^^^^^^^^^^^
  |
  = help: if the new cell is meant, change the table in the same edit;",
    );
}

#[test]
fn lines_are_counted_through_what_is_quoted_and_empty() {
    let text = TABLE
        .replace("yes", "\"of\ncourse\"")
        .replace("T1,User,no", "\n\r\nT1,User,no")
        .replace(",own", ",all");
    let found = rehearsed(vec![table("tests/a.csv", &text)]).findings;
    let place = found[0].place.as_ref().unwrap();
    assert_eq!((found.len(), place.line, place.column), (1, 6, 1));
}

#[test]
fn what_a_later_file_says_of_a_cell_counts() {
    let never = TABLE.replace(",own", ",never");
    let own = "T1,User,,U,write,Doc,own\n";
    let (base, overlay) = (table("tests/a.csv", &never), table("o/tests/a.csv", own));
    let rehearsal = rehearsed(vec![base.clone(), overlay.clone()]);
    assert_eq!((rehearsal.findings, rehearsal.cells), (vec![], 2));
    fails(vec![overlay, base], Kind::Canary, "--> tests/a.csv:3:1");
    // The type is what is said of a cell, not which cell it is.
    let other = table("o/tests/a.csv", "T1,User,,U,write,User,own\n");
    let base = table("tests/a.csv", TABLE);
    let said = "the table says `write User own`";
    fails(vec![base, other], Kind::Canary, said);
}

#[test]
fn cells_that_only_one_of_both_has_are_told() {
    let (first, second) = TABLE.split_at(TABLE.find('\n').unwrap() + 1);
    fails(
        vec![table("tests/a.csv", first), table("tests/b.csv", "")],
        Kind::Canary,
        "T1 U User: the policies say `write Doc own`, the table nothing\n--> tests/a.csv\n",
    );
    let more = format!("{first}{second}T2,User,,,write,Doc,own\n");
    let said = "T2 User: not among the rows of the matrix\n --> tests/a.csv:4:1";
    fails(vec![table("tests/a.csv", &more)], Kind::Canary, said);
}

#[test]
fn what_is_no_table_is_said_with_its_place() {
    refuses("", "there is no column `row_id`", Some(1));
    let column = HEAD.replace("scope", "scopes");
    refuses(&column, "there is no column `scope`", Some(1));
    let twice = HEAD.replace("cell", "role");
    refuses(&twice, "two columns are called `role`", Some(1));
    let short = format!("{HEAD}{TABLE}T1,User\n");
    refuses(&short, "2 fields where the header has 7", Some(4));
    let twice = format!("{HEAD}{TABLE}T1,User,,U,read,User,all\n");
    refuses(&twice, "line 3 says already what T1 U User is", Some(4));
    let long = format!("{HEAD}{TABLE}{}", "\n".repeat(4 << 20));
    refuses(&long, "a table of more than 4194304 bytes", None);
    let many = format!("{HEAD}{}", "T1,User,,U,write,Doc,own\n".repeat(10_001));
    let said = "with this file the tables have more than 10000 lines";
    refuses(&many, said, None);
}

#[test]
fn a_word_that_the_spec_does_not_define_is_told_even_for_a_cell_without_one() {
    let said = "T1 U User: unknown scope word `mine`\n --> tests/a.csv:3:1";
    let mine = TABLE.replace(",own", ",mine");
    fails(vec![table("tests/a.csv", &mine)], Kind::Parse, said);
    let words = "help: the words are never, own, all";
    fails(vec![table("tests/a.csv", &mine)], Kind::Parse, words);
    let mut sources = with_tables(vec![table("tests/a.csv", &TABLE.replace(",own", ",?"))]);
    let bobs = r#"permit (principal, action == Action::"write", resource == Doc::"b");"#;
    sources.policies.push(file("z.cedar", bobs));
    sources.policies.remove(0);
    sources.policies.push(file(
        "a.cedar",
        r#"permit (principal, action == Action::"read", resource);"#,
    ));
    let findings = compiled(&sources).rehearse(|| true).findings;
    assert_eq!(findings.len(), 1, "{findings:?}");
    assert_eq!(findings[0].message, "T1 U User: unknown scope word `?`");
}

#[test]
fn a_hundred_differences_are_told_and_the_rest_is_counted() {
    let lines: String = (0..150)
        .map(|n| format!("X{n},User,,,read,Doc,all\n"))
        .collect();
    let sources = Sources {
        canaries: vec![file("tests/a.json", "[{}, {}]")],
        ..with_tables(vec![table("tests/a.csv", &format!("{TABLE}{lines}"))])
    };
    let findings = compiled(&sources).rehearse(|| true).findings;
    let messages: Vec<&str> = findings.iter().map(|it| it.message.as_str()).collect();
    assert_eq!(messages.len(), 102);
    assert_eq!(
        messages[100..],
        [
            "50 more findings like these",
            "so many canaries fail that the others were not asked"
        ]
    );
}

#[test]
fn without_a_spec_the_table_is_read_and_not_asked() {
    let without_spec = |text: &str| Sources {
        spec: Vec::new(),
        ..with_tables(vec![table("tests/a.csv", text)])
    };
    let snapshot = compiled(&without_spec(TABLE));
    assert_eq!(snapshot.counts().canaries, 0);
    let rehearsal = snapshot.rehearse(|| true);
    let [finding] = rehearsal.findings.as_slice() else {
        panic!("{:?}", rehearsal.findings)
    };
    assert_eq!(finding.severity, Severity::Warning);
    assert_eq!((finding.file.as_str(), rehearsal.cells), ("tests/a.csv", 0));
    let said = "the table cannot be asked: no spec says what its rows are";
    assert_eq!(finding.message, said);
    let broken = compiled(&without_spec("T1\n")).rehearse(|| true).findings;
    assert_eq!(broken[0].severity, Severity::Error);
}

#[test]
fn what_is_wrong_with_the_spec_is_told_if_a_table_needs_it() {
    let broken = |tables: Vec<SourceFile>| -> Vec<Finding> {
        let mut sources = with_tables(tables);
        sources.spec[2] = file("rows.toml", "a = 1");
        compiled(&sources).rehearse(|| true).findings
    };
    assert_eq!(broken(Vec::new()), []);
    let findings = broken(vec![table("tests/a.csv", TABLE)]);
    assert_eq!(
        (findings.len(), findings[0].file.as_str()),
        (1, "rows.toml")
    );
}

#[test]
fn a_table_is_part_of_the_revision() {
    let with = |text: &str| with_tables(vec![table("tests/a.csv", text)]);
    assert_ne!(with(TABLE).revision(), with_tables(Vec::new()).revision());
    assert_ne!(with(TABLE).revision(), with("").revision());
    let named: Vec<_> = with(TABLE).files().map(|it| it.name.clone()).collect();
    assert!(named.contains(&"tests/a.csv".to_owned()));
}

#[test]
fn whoever_asks_can_stop_between_two_cells_and_the_matrix_is_whole_all_the_same() {
    let snapshot = compiled(&with_tables(vec![table("tests/a.csv", TABLE)]));
    let mut left = 1;
    let rehearsal = snapshot.rehearse(|| {
        left -= 1;
        left >= 0
    });
    assert!(rehearsal.cut && rehearsal.findings.is_empty());
    assert_eq!(rehearsal.cells, 0);
    let matrix = snapshot.matrix().unwrap().unwrap();
    assert_eq!(matrix.lines.len(), 2);
    // Once it is computed, nobody is asked.
    let rehearsal = snapshot.rehearse(|| false);
    assert_eq!((rehearsal.cut, rehearsal.cells), (false, 2));
}
