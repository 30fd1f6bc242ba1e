//! Searches over 100,000 stored tasks, with and without narrowing, interleaved.
//!
//! `cargo bench --bench search` prints, for each search, what it finds and the median of the rounds
//! in milliseconds; ratios are to deciding every candidate.

#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a bench that cannot go on fails, and prints its results"
)]

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use palisade::authz::{
    Narrowing, OnPolicyError, RawAction, RawEntity, RawSearch, RawTarget, Search, Snapshot,
    SourceFile, Wanted,
};
use palisade::source::Selection;
use serde_json::{Value, json};

const TASKS: usize = 100_000;
const ROUNDS: usize = 3;
/// Compiling recurses with the policies; the service gives it as much.
const STACK_BYTES: usize = 256 << 20;

/// Task searches: who, and the action.
const SEARCHES: [(&str, &str, &str); 6] = [
    ("owner, sees all", "acme/olivia", "data.view"),
    ("manager of one workspace", "acme/mona", "data.view"),
    ("reviewer of two projects", "acme/rita", "data.view"),
    ("annotator with 100 tasks", "acme/anna", "data.view"),
    ("annotator, never permitted", "acme/anna", "task.delete"),
    (
        "manager of another organization",
        "globex/gina",
        "data.view",
    ),
];

const EVERY: [Narrowing; 3] = [Narrowing::Nothing, Narrowing::Scopes, Narrowing::Residuals];

fn main() {
    let snapshot = std::thread::Builder::new()
        .stack_size(STACK_BYTES)
        .spawn(load)
        .unwrap()
        .join()
        .unwrap();
    println!(
        "| search over {TASKS} tasks | found | page | each decided | by scopes | by residuals | ratio |"
    );
    println!("|---|---|---|---|---|---|---|");
    for (name, member, action) in SEARCHES {
        let raw = RawSearch::Resource {
            principal: RawEntity {
                type_name: "Member",
                id: member,
                properties: None,
            },
            action: RawAction {
                name: action,
                properties: None,
            },
            target: RawTarget {
                type_name: "Task",
                properties: None,
            },
            context: None,
        };
        for limit in [None, Some(50)] {
            line(name, &snapshot.search(&raw), limit);
        }
    }
}

fn line(name: &str, search: &Search<'_>, limit: Option<usize>) {
    let mut times = [const { Vec::new() }; 3];
    let mut found = Vec::new();
    for _ in 0..ROUNDS {
        for (narrowing, times) in EVERY.into_iter().zip(&mut times) {
            let wanted = Wanted {
                from: 0,
                limit,
                evaluations: usize::MAX,
                narrowing,
            };
            let started = Instant::now();
            let page = search.page(&wanted, OnPolicyError::Deny, || true);
            times.push(started.elapsed());
            found.push(page.ids.len());
        }
    }
    assert!(found.iter().all(|it| *it == found[0]), "{name}: {found:?}");
    let [plain, scopes, residuals] = times.map(median);
    let ms = |time: Duration| format!("{:.2}", time.as_secs_f64() * 1e3);
    let page = limit.map_or("all".to_owned(), |limit| limit.to_string());
    let ratio = residuals.as_secs_f64() / plain.as_secs_f64();
    println!(
        "| {name} | {} | {page} | {} ms | {} ms | {} ms | {ratio:.3} |",
        found[0],
        ms(plain),
        ms(scopes),
        ms(residuals)
    );
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

/// The shipped edition, with tasks added to the projects of its example organization.
fn load() -> Snapshot {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let selection = Selection {
        root: root.to_owned(),
        ..Selection::default()
    };
    let mut sources = selection.resolve().unwrap().read().unwrap();
    let demo = fs::read_to_string(root.join("deploy/demo/entities.json")).unwrap();
    let demo: Vec<Value> = serde_json::from_str(&demo).unwrap();
    let projects: Vec<&str> = demo
        .iter()
        .filter(|entity| entity["uid"]["type"] == "Project")
        .filter_map(|entity| entity["uid"]["id"].as_str())
        .collect();
    let member = |id: &str| json!({ "__entity": { "type": "Member", "id": id } });
    let task = |number: usize| {
        let assigned = number.is_multiple_of(TASKS / 100);
        let annotators: Vec<Value> = assigned.then(|| member("acme/anna")).into_iter().collect();
        let project = if assigned {
            "acme/cats"
        } else {
            projects[number % projects.len()]
        };
        json!({
            "uid": { "type": "Task", "id": format!("bench/{number}") },
            "attrs": {
                "project": { "__entity": { "type": "Project", "id": project } },
                "annotators": annotators, "reviewers": [], "labeled_by": annotators,
            },
            "parents": [],
        })
    };
    let tasks: Vec<Value> = (0..TASKS).map(task).collect();
    sources.entities.push(SourceFile {
        name: "tasks.json".to_owned(),
        bytes: json!(tasks).to_string().into_bytes(),
    });
    Snapshot::compile(&sources).unwrap_or_else(|rejection| panic!("{rejection}"))
}
