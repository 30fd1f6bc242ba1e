//! What the proofs of the table assume of data is so in every situation, and who stands in which
//! column is what the situations say.

use std::collections::BTreeSet;

use cedar_policy::{Policy, PolicyId, PolicySet};

use crate::{
    bench::Bench,
    editions::text,
    model::{Role, Status},
};

/// The policies of a file of the spec with this annotation, called by its value and a number.
fn statements(name: &str, annotation: &str) -> Vec<Policy> {
    let set: PolicySet = text(name).parse().unwrap();
    let marked = set
        .policies()
        .filter_map(|policy| Some((policy, policy.annotation(annotation)?)));
    let called = (0..).zip(marked);
    called
        .map(|(number, (policy, value))| policy.new_id(PolicyId::new(format!("{value}#{number}"))))
        .collect()
}

fn names(ids: impl Iterator<Item = PolicyId>) -> BTreeSet<String> {
    let id = |id: PolicyId| {
        let id: &str = id.as_ref();
        id.split('#').next().unwrap_or_default().to_owned()
    };
    ids.map(id).collect()
}

#[test]
fn what_is_assumed_of_data_is_so_in_every_situation() {
    let bench = Bench::shared();
    let assumed = statements("policies/spec/assumptions.cedar", "data");
    assert!(!assumed.is_empty());
    for (index, left_out) in bench.holding(&assumed).into_iter().enumerate() {
        let (situation, _) = &bench.asked.situations[index];
        let left_out = names(left_out.into_iter().map(|(id, _)| id));
        assert!(left_out.is_empty(), "{left_out:?}: {situation}");
    }
}

#[test]
fn who_is_not_active_is_left_out_and_nobody_else_for_that() {
    let bench = Bench::shared();
    let assumed = statements("policies/spec/assumptions.cedar", "assume");
    for (index, left_out) in bench.holding(&assumed).into_iter().enumerate() {
        let (situation, _) = &bench.asked.situations[index];
        let left_out = names(left_out.into_iter().map(|(id, _)| id));
        let active = situation.person.status == Status::Active;
        assert_eq!(left_out.contains("active member"), !active, "{situation}");
    }
}

#[test]
fn everybody_with_a_role_stands_in_the_column_of_the_effective_one() {
    let bench = Bench::shared();
    let roles = statements("policies/spec/roles.cedar", "role");
    let all = names(roles.iter().map(|policy| policy.id().clone()));
    assert_eq!(all.len(), 5);
    for (index, left_out) in bench.holding(&roles).into_iter().enumerate() {
        let (situation, _) = &bench.asked.situations[index];
        let left_out = names(left_out.into_iter().map(|(id, _)| id));
        let columns: Vec<&String> = all.difference(&left_out).collect();
        let role = situation.effective_role();
        let expected: Vec<&str> = [role.column()]
            .into_iter()
            .filter(|_| role != Role::None)
            .collect();
        assert_eq!(columns, expected, "{situation}");
    }
}
