//! What is written of hand-made results, and which exit code they have.

use std::{env, fs, path::Path};

use crate::authz::{
    Answer, CellChange, CellWord, Difference, Outcome, PolicyError, PolicyInfo, PolicyText,
    Presence,
};

use super::*;

fn answer(outcome: Outcome, policies: &[&str]) -> Answer {
    Answer {
        outcome,
        policies: policies.iter().map(|id| (*id).to_owned()).collect(),
        errors: Vec::new(),
        diagnostics: Vec::new(),
    }
}

fn difference(direction: Direction, action: &str, before: Answer, after: Answer) -> Difference {
    let question = format!(
        r#"{{"principal":"Member::\"principal\"","action":"Action::\"{action}\"","resource":"Project::\"resource\"","context":{{"late":true}},"entities":[{{"uid":{{"type":"Member","id":"principal"}},"attrs":{{}},"parents":[]}},{{"uid":{{"type":"Project","id":"resource"}},"attrs":{{}},"parents":[]}}]}}"#
    );
    Difference {
        direction,
        summary: format!(r#"Member::"principal" {action} Project::"resource""#),
        question,
        before,
        after,
    }
}

fn shape(action: &str, differences: Vec<Difference>) -> ShapeChange {
    ShapeChange {
        principal_type: "Member".to_owned(),
        action: action.to_owned(),
        resource_type: "Project".to_owned(),
        presence: Presence::Both,
        differences,
        unknown: Vec::new(),
        policies: Vec::new(),
    }
}

fn wider() -> ShapeChange {
    let (before, after) = (
        answer(Outcome::NotPermitted, &[]),
        answer(Outcome::Permitted, &["export.manager"]),
    );
    let found = difference(Direction::Wider, "data.export", before, after);
    ShapeChange {
        policies: vec!["export.manager".to_owned()],
        ..shape("data.export", vec![found])
    }
}

fn narrower() -> ShapeChange {
    let mut failing = answer(Outcome::Error, &[]);
    failing.errors.push(PolicyError {
        policy: "guard.count".to_owned(),
        message: "overflow".to_owned(),
    });
    let before = answer(Outcome::Permitted, &["view.members"]);
    let found = difference(Direction::Narrower, "project.view", before, failing);
    ShapeChange {
        policies: ["a", "b", "c", "d", "e", "f", "guard.count"]
            .map(str::to_owned)
            .to_vec(),
        ..shape("project.view", vec![found])
    }
}

fn both() -> ShapeChange {
    let mut both = shape("project.update", vec![]);
    for mut change in [wider(), narrower()] {
        both.differences.append(&mut change.differences);
    }
    both
}

fn unknown() -> ShapeChange {
    ShapeChange {
        unknown: vec!["the solver could not tell within 10 s".to_owned()],
        ..shape("project.move", Vec::new())
    }
}

fn text(id: &str, line: usize) -> PolicyText {
    PolicyText {
        info: PolicyInfo {
            id: id.to_owned(),
            effect: "permit",
            file: "policies/p.cedar".to_owned(),
            line,
            annotations: Vec::new(),
        },
        text: format!("permit (principal, action, resource); // {line}"),
    }
}

fn cells() -> Vec<CellChange> {
    let word = |word: &str, note: Option<&str>| {
        Some(CellWord {
            word: word.to_owned(),
            note: note.map(str::to_owned),
        })
    };
    let cell = |row_id: &str, crud: &str, before, after| CellChange {
        row_id: row_id.to_owned(),
        row_label: "Export | import".to_owned(),
        crud: crud.to_owned(),
        role: "Manager".to_owned(),
        action: "data.export".to_owned(),
        before,
        after,
    };
    vec![
        cell(
            "T09",
            "",
            word("never", None),
            word("organization on Project", None),
        ),
        cell(
            "T10",
            "R",
            word("? on Task", Some("nearest is a")),
            word("? on Task", Some("nearest is b")),
        ),
        cell("T11", "", None, word("? on Task", Some("nearest is b"))),
    ]
}

fn told(shapes: Vec<ShapeChange>) -> Told {
    let change = |before, after| PolicyChange { before, after };
    let place = |id: &str, place: &str| Places::from([(id.to_owned(), place.to_owned())]);
    Told {
        edition: "enterprise".to_owned(),
        old: "HEAD~1".to_owned(),
        new: "edited|`<b>@team".to_owned(),
        one_schema: false,
        shapes,
        cells: cells(),
        policies: vec![
            change(
                Some(text("export.manager", 3)),
                Some(text("export.manager", 12)),
            ),
            change(None, Some(text("guard.count", 40))),
            change(Some(text("old|`<img>", 7)), None),
        ],
        places: [
            place("view.members", "policies/p.cedar:30"),
            place("export.manager", "policies/p.cedar:12"),
        ],
        claims: 8,
        dead: BTreeMap::new(),
        took: Duration::from_millis(1500),
    }
}

fn everything() -> Told {
    let mut added = shape("project.archive", Vec::new());
    added.presence = Presence::Added;
    let unchanged = shape("project.list", Vec::new());
    told(vec![
        wider(),
        narrower(),
        both(),
        unknown(),
        added,
        unchanged,
    ])
}

/// Compares with the golden file; with `UPDATE` set, rewrites it.
fn golden(name: &str, got: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(name);
    let got = format!("{got}\n");
    if env::var_os("UPDATE").is_some() {
        fs::write(path, got).unwrap();
    } else {
        let expected = fs::read_to_string(path).unwrap_or_default();
        assert_eq!(got, expected, "UPDATE=1 rewrites {name}");
    }
}

#[test]
fn changes_are_told_as_text_markdown_and_json() {
    let told = everything();
    golden("diff.txt", &text::told(&told));
    golden("diff.md", &md::told(&told));
    golden(
        "diff.json",
        &serde_json::to_string_pretty(&json::told(&told)).unwrap(),
    );
}

#[test]
fn without_a_change_only_that_is_told() {
    let told = Told {
        one_schema: true,
        new: "HEAD".to_owned(),
        cells: Vec::new(),
        policies: Vec::new(),
        ..told(vec![shape("project.list", Vec::new())])
    };
    let expected = "enterprise: HEAD~1 -> HEAD: no decision changes of 1 kind of question; 0 cells, 0 policies";
    assert_eq!(text::told(&told), expected);
    assert!(!md::told(&told).contains('|'));
}

#[test]
fn the_exit_code_says_whether_anything_changed() {
    let check = |shapes: Vec<ShapeChange>, change: Exit, only_wider: Exit| {
        let told = told(shapes);
        assert_eq!(told.exit(FailOn::Change), change);
        assert_eq!(told.exit(FailOn::Wider), only_wider);
    };
    check(vec![shape("project.list", Vec::new())], Exit::Ok, Exit::Ok);
    check(vec![wider()], Exit::Difference, Exit::Difference);
    check(vec![narrower()], Exit::Difference, Exit::Ok);
    check(vec![both()], Exit::Difference, Exit::Difference);
    check(vec![unknown()], Exit::Usage, Exit::Usage);
    check(vec![unknown(), narrower()], Exit::Difference, Exit::Usage);
    check(vec![unknown(), wider()], Exit::Difference, Exit::Difference);
}

#[test]
fn a_question_is_written_an_entity_a_line_and_stays_what_it_is() {
    for change in [wider(), narrower()] {
        for difference in change.differences {
            let written = said::question(&difference.question);
            assert_eq!(written.lines().count(), 10, "{written}");
            let parse = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
            assert_eq!(parse(&written), parse(&difference.question));
        }
    }
}
