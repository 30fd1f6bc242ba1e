//! The invariants: each a statement with a sentence for people, and true in every situation of every
//! edition; together they miss no guard.

use std::collections::{BTreeMap, BTreeSet};

use cedar_policy::{Effect, Policy, PolicyId, PolicySet, Schema, ValidationMode, Validator};

use crate::{
    annotations::{is_fact, is_ruling},
    bench::{Bench, Holding},
    editions::{Edition, files, text},
};

const FOLDER: &str = "policies/invariants";

/// Every policy of every file, in reading order, under the name of its `@invariant` and a number.
fn statements() -> Vec<Policy> {
    let mut statements = Vec::new();
    for file in files(FOLDER, ".cedar") {
        let set: PolicySet = String::from_utf8(file.bytes).unwrap().parse().unwrap();
        let mut policies: Vec<&Policy> = set.policies().collect();
        policies.sort_by_key(|policy| position(policy));
        for policy in policies {
            let id = format!("{}#{}", said(policy, "invariant"), statements.len());
            statements.push(policy.new_id(PolicyId::new(id)));
        }
    }
    statements
}

/// `policy7` is the eighth of its file.
fn position(policy: &Policy) -> usize {
    let number = policy.id().to_string();
    number.strip_prefix("policy").unwrap().parse().unwrap()
}

fn said<'p>(policy: &'p Policy, key: &str) -> &'p str {
    let at = policy.id();
    policy
        .annotation(key)
        .unwrap_or_else(|| panic!("{at}: no @{key}"))
}

fn is_kebab_case(name: &str) -> bool {
    let is_word = |word: &str| !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase());
    name.split('-').all(is_word)
}

#[test]
fn every_statement_has_a_name_a_sentence_and_a_source() {
    let mut sentences: BTreeMap<String, String> = BTreeMap::new();
    for policy in statements() {
        let name = said(&policy, "invariant");
        assert!(is_kebab_case(name), "{name}");
        // Said where the name comes first; said again, it is the same.
        let sentence = match sentences.get(name) {
            Some(first) => policy.annotation("says").unwrap_or(first),
            None => said(&policy, "says"),
        };
        assert!(sentence.starts_with(char::is_uppercase), "{name}");
        assert!(sentence.ends_with('.'), "{name}");
        let sentence = sentence.to_owned();
        let first = sentences
            .entry(name.to_owned())
            .or_insert_with(|| sentence.clone());
        assert_eq!(*first, sentence, "{name}");
        let mut source = said(&policy, "source").split(' ');
        assert!(source.all(|id| is_fact(id) || is_ruling(id)), "{name}");
        let known = ["invariant", "says", "source"];
        let unknown = policy.annotations().find(|(key, _)| !known.contains(key));
        assert_eq!(unknown, None, "{name}");
    }
    assert!(sentences.len() >= 14);
    let different: BTreeSet<&String> = sentences.values().collect();
    assert_eq!(different.len(), sentences.len(), "one sentence, two names");
}

#[test]
fn the_statements_of_a_name_stand_together_and_have_one_effect() {
    let mut names: Vec<(String, Effect)> = Vec::new();
    for policy in statements() {
        names.push((said(&policy, "invariant").to_owned(), policy.effect()));
    }
    names.dedup();
    let different: BTreeSet<&String> = names.iter().map(|(name, _)| name).collect();
    assert_eq!(different.len(), names.len(), "{names:?}");
}

#[test]
fn the_statements_are_valid_without_a_warning() {
    let (schema, _) =
        Schema::from_cedarschema_str(&text("schema/label-studio.cedarschema")).unwrap();
    let set = PolicySet::from_policies(statements()).unwrap();
    let result = Validator::new(schema).validate(&set, ValidationMode::Strict);
    let errors = result.validation_errors().map(ToString::to_string);
    let warnings = result.validation_warnings().map(ToString::to_string);
    assert_eq!(errors.chain(warnings).collect::<Vec<_>>(), [""; 0]);
}

#[test]
fn the_statements_hold_in_every_situation_of_every_edition_and_say_something_in_one() {
    let bench = Bench::shared();
    let statements = statements();
    let matched = bench.holding(&statements);
    for edition in Edition::ALL {
        let baseline = bench.baseline(edition);
        let mut failures = Vec::new();
        for (index, matched) in matched.iter().enumerate() {
            let allowed = baseline.allowed(index, None);
            let broken = |(_, effect): &&(PolicyId, Effect)| (*effect == Effect::Permit) != allowed;
            let (situation, _) = &bench.asked.situations[index];
            let broken = matched.iter().filter(broken);
            failures.extend(broken.map(|(id, _)| format!("{id}: {situation}")));
        }
        let shown: Vec<&String> = failures.iter().take(10).collect();
        let count = failures.len();
        assert!(shown.is_empty(), "{}: {count}: {shown:#?}", edition.name());
    }
    let said: BTreeSet<&PolicyId> = matched.iter().flatten().map(|(id, _)| id).collect();
    let all: BTreeSet<&PolicyId> = statements.iter().map(Policy::id).collect();
    let silent: Vec<_> = all.difference(&said).collect();
    assert!(
        silent.is_empty(),
        "say nothing of any situation: {silent:?}"
    );
    let guards = bench.baseline(Edition::Enterprise).policies.iter();
    let guards = guards.filter(|policy| policy.annotation("guard").is_some());
    let redundant = guards.filter(|guard| !is_missed(bench, guard.id(), &matched));
    let redundant: BTreeSet<String> = redundant.map(|guard| guard.id().to_string()).collect();
    // They say why in the log; nothing permits what they forbid (C06 C07).
    let known = ["billing", "owner.transfer", "owner_account"];
    assert_eq!(redundant, known.map(|name| format!("guard.{name}")).into());
}

/// Without this policy, some situation is allowed that an invariant rules out.
fn is_missed(bench: &Bench, policy: &PolicyId, matched: &Holding) -> bool {
    let baseline = bench.baseline(Edition::Enterprise);
    let ruled_out = |index: &usize| matched[*index].iter().any(|(_, it)| *it == Effect::Forbid);
    let mut indexes = (0..matched.len()).filter(ruled_out);
    indexes.any(|index| baseline.allowed(index, Some((policy, None))))
}
