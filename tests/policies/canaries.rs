//! The queries that ship as canaries: they hold in every edition whatever is stored, each can fail,
//! and they are what the Cedar CLI would run.

use cedar_policy::{Authorizer, Context, Decision, Entities, PolicySet, Request, Schema};
use palisade::authz::{Snapshot, SourceFile, Sources};
use serde_json::Value;

use crate::editions::{Edition, compile, source, text};

const FILES: [&str; 2] = [
    "policies/enterprise/tests/guards.json",
    "policies/enterprise/tests/table.json",
];

fn cases() -> Vec<Value> {
    let files = FILES.map(|name| serde_json::from_str::<Vec<Value>>(&text(name)).unwrap());
    files.into_iter().flatten().collect()
}

/// A snapshot of other policies with the canaries, and nothing stored.
fn with_canaries(sources: Sources) -> Snapshot {
    compile(&Sources {
        canaries: FILES.map(source).to_vec(),
        ..sources
    })
}

fn failing(snapshot: &Snapshot) -> usize {
    let rehearsal = snapshot.rehearse(|| true);
    assert_eq!(rehearsal.cases, cases().len());
    rehearsal.findings.len()
}

#[test]
fn every_edition_answers_them_with_its_own_data_and_with_none() {
    assert_eq!(cases().len(), 33);
    for edition in Edition::ALL {
        for sources in [edition.sources(), edition.shipped()] {
            let rehearsal = with_canaries(sources).rehearse(|| true);
            assert_eq!(rehearsal.findings, [], "{}", edition.name());
            assert_eq!(rehearsal.cases, 33);
        }
    }
}

#[test]
fn each_is_named_after_its_row_or_fact_and_fails_under_policies_that_are_wrong() {
    let cases = cases();
    let count = |decision: &str| cases.iter().filter(|it| it["decision"] == decision).count();
    let by_guard = cases
        .iter()
        .filter(|it| it["reason"] != serde_json::json!([]))
        .count();
    for case in &cases {
        let name = case["name"].as_str().unwrap();
        let (row, _) = name.split_once(' ').unwrap();
        let (chapter, number) = row.split_at(1);
        assert!(
            "RTMWPDI".contains(chapter) && number.parse::<u32>().is_ok(),
            "{name}"
        );
    }
    let only = |policies: &str| {
        let file = SourceFile {
            name: "a.cedar".to_owned(),
            bytes: policies.as_bytes().to_vec(),
        };
        with_canaries(Sources {
            policies: vec![file],
            ..Edition::Enterprise.sources()
        })
    };
    // Under no policies, whatever must be allowed or must be forbidden by a guard fails; under
    // one that permits all, whatever must be denied.
    assert_eq!(failing(&only("")), count("allow") + by_guard);
    let everything = only("permit (principal, action, resource);");
    assert_eq!(failing(&everything), count("deny"));
}

#[test]
fn no_guard_can_be_deleted_unseen() {
    let name = "policies/enterprise/guards.cedar";
    let whole = text(name);
    let ids = whole.lines().filter_map(|line| line.strip_prefix("@id(\""));
    let ids: Vec<&str> = ids.filter_map(|line| line.strip_suffix("\")")).collect();
    assert_eq!(ids.len(), 22);
    for id in ids {
        let start = whole.find(&format!("@id(\"{id}\")")).unwrap();
        let end = start + whole[start..].find(';').unwrap() + 1;
        let mut sources = Edition::Enterprise.shipped();
        let guards = sources.policies.iter_mut().find(|it| it.name == name);
        guards.unwrap().bytes = [&whole[..start], &whole[end..]].concat().into_bytes();
        let without = with_canaries(sources);
        assert!(!without.policies().iter().any(|it| it.id == id));
        assert!(!without.rehearse(|| true).findings.is_empty(), "{id}");
    }
}

#[test]
fn cedar_itself_answers_them_as_they_say() {
    let schema = text("schema/label-studio.cedarschema");
    let (schema, _) = Schema::from_cedarschema_str(&schema).unwrap();
    let policies = Edition::Enterprise.policies();
    let policies = policies
        .into_iter()
        .map(|it| String::from_utf8(it.bytes).unwrap());
    let policies: PolicySet = policies.collect::<String>().parse().unwrap();
    for case in cases() {
        let request = &case["request"];
        let uid = |key: &str| request[key].as_str().unwrap().parse().unwrap();
        let action = uid("action");
        let context = request["context"].clone();
        let context = Context::from_json_value(context, Some((&schema, &action))).unwrap();
        let request = Request::new(
            uid("principal"),
            action,
            uid("resource"),
            context,
            Some(&schema),
        );
        let entities = Entities::from_json_value(case["entities"].clone(), Some(&schema));
        let answer =
            Authorizer::new().is_authorized(&request.unwrap(), &policies, &entities.unwrap());
        let expected = ["deny", "allow"][usize::from(answer.decision() == Decision::Allow)];
        assert_eq!(case["decision"], expected, "{}", case["name"]);
        let ids = answer.diagnostics().reason().map(|id| {
            let policy = policies.policy(id).unwrap();
            policy.annotation("id").unwrap().to_owned()
        });
        let ids: Vec<String> = ids.collect();
        for id in case["reason"].as_array().unwrap() {
            assert!(ids.iter().any(|it| id == it), "{}: {ids:?}", case["name"]);
        }
        assert_eq!(case["num_errors"], answer.diagnostics().errors().count());
    }
}
