//! What a claim is made of: nothing that somebody else may choose takes anything out of it.

use std::collections::BTreeSet;

use palisade::authz::{
    Asked, Obligation, Parts, Snapshot, SourceFile, Sources, Subject, Verdict, invariant_names,
};

const SCHEMA: &str = "entity U { bad: Bool }; entity R;\n\
    action a, b in [Action::\"g\"] appliesTo { principal: U, resource: R };\n\
    action g;";

const INVARIANT: &str =
    "@invariant(\"i\") @says(\"I.\") forbid (principal, action, resource) when { principal.bad };";

const PARTS: Parts = Parts {
    cells: false,
    invariants: true,
    errors: false,
};

fn file(name: &str, text: &str) -> SourceFile {
    SourceFile {
        name: name.to_owned(),
        bytes: text.as_bytes().to_vec(),
    }
}

fn sources(schema: &str, policies: &str) -> Sources {
    Sources {
        policies: vec![file("p.cedar", policies)],
        schema: Some(file("s.cedarschema", schema)),
        invariants: vec![file("i.cedar", INVARIANT)],
        ..Sources::default()
    }
}

fn compiled(sources: &Sources) -> Snapshot {
    Snapshot::compile(sources).unwrap_or_else(|rejection| panic!("{rejection}"))
}

/// How many policies are on both sides of a comparison.
#[track_caller]
fn sizes(obligation: &Obligation) -> (usize, usize) {
    let Ok(Asked::Implies(left, right)) = obligation.claim.asked() else {
        panic!("{obligation:?}");
    };
    (left.policies().count(), right.policies().count())
}

#[test]
fn a_policy_called_as_an_invariant_takes_nothing_from_it() {
    let permit = "permit (principal, action, resource);";
    let names = [
        "plain",
        "invariant policy0",
        "all everything",
        "permit of invariant policy0",
    ];
    for name in names {
        let named = format!("@id(\"{name}\") {permit}");
        let snapshot = compiled(&sources(SCHEMA, &named));
        let proofs = snapshot.proofs(PARTS).unwrap();
        for obligation in proofs.obligations() {
            assert_eq!(sizes(&obligation), (1, 2), "{name}");
        }
    }
}

#[test]
fn actions_of_one_name_in_two_namespaces_are_two() {
    let schema = "namespace A { entity U { bad: Bool }; action go appliesTo { principal: [U], resource: [U], context: {} }; }\n\
        namespace B { action go appliesTo { principal: [A::U], resource: [A::U], context: { x: Bool } }; }";
    let snapshot = compiled(&sources(schema, "permit (principal, action, resource);"));
    let proofs = snapshot.proofs(PARTS).unwrap();
    let obligations = proofs.obligations();
    assert_eq!(obligations.len(), 2);
    let keys: BTreeSet<_> = obligations.iter().map(|it| proofs.key(&it.claim)).collect();
    assert_eq!(keys.len(), 2);
}

#[test]
fn what_was_not_known_before_was_not_allowed_and_other_groups_are_not_compared() {
    let policies = "permit (principal, action, resource);\n\
        forbid (principal, action in Action::\"g\", resource);";
    let before = compiled(&sources(SCHEMA, policies));
    let before = before.proofs(PARTS).unwrap();
    let wider = |schema: &str| {
        let after = compiled(&sources(schema, policies));
        let after = after.proofs(PARTS).unwrap();
        let obligations = after.no_wider(&before);
        let asked = obligations.iter().map(|it| {
            assert_eq!(it.subject, Subject::Wider);
            let action = it.claim.env().action().id().unescaped().to_owned();
            let sides = match it.claim.asked() {
                Ok(Asked::Implies(_, right)) => Some(right.policies().count()),
                Ok(_) => panic!("{it:?}"),
                Err(_) => None,
            };
            (action, sides)
        });
        asked.collect::<Vec<_>>()
    };
    let told = |of: &[(&str, Option<usize>)]| {
        let told = of
            .iter()
            .map(|(action, sides)| ((*action).to_owned(), *sides));
        told.collect::<Vec<_>>()
    };
    assert_eq!(wider(SCHEMA), told(&[("a", Some(2)), ("b", Some(2))]));
    let more = SCHEMA.replace("action a, b", "action a, b, c");
    assert_eq!(
        wider(&more),
        told(&[("a", Some(2)), ("b", Some(2)), ("c", Some(0))])
    );
    let freed = SCHEMA.replace(
        "action a, b in [Action::\"g\"]",
        "action b in [Action::\"g\"] appliesTo { principal: U, resource: R };\naction a",
    );
    assert_eq!(wider(&freed), told(&[("a", None), ("b", Some(2))]));
}

#[test]
fn a_cell_is_not_proved_where_its_column_is_empty_or_its_assumption_is_not() {
    let shape = |verdict: Verdict, subject: Subject| palisade::authz::ProofResult {
        subject,
        shape: "U a R".to_owned(),
        verdict,
    };
    let cell = palisade::authz::Cell {
        row_id: "R1".to_owned(),
        crud: String::new(),
        role: "boss".to_owned(),
        action: "a".to_owned(),
        resource_type: "R".to_owned(),
        scope: "all".to_owned(),
    };
    let unknown = || Verdict::Unknown("why".to_owned());
    let check = |more: Vec<palisade::authz::ProofResult>, proved: bool| {
        let mut results = vec![shape(Verdict::Proved, Subject::Cell(cell.clone()))];
        results.extend(more);
        let mut report = palisade::authz::Report {
            results,
            dead: Vec::new(),
        };
        report.settle();
        let verdicts: Vec<_> = report.cells().map(|it| it.verdict.clone()).collect();
        assert_eq!(verdicts == [Verdict::Proved], proved, "{verdicts:?}");
    };
    let column = |role: &str| Subject::Column(role.to_owned());
    check(vec![], true);
    check(vec![shape(Verdict::Proved, column("boss"))], true);
    check(vec![shape(unknown(), column("clerk"))], true);
    check(vec![shape(unknown(), column("boss"))], false);
    check(
        vec![shape(unknown(), Subject::Assumption("x".to_owned()))],
        false,
    );
}

#[test]
fn statements_that_say_nothing_are_refused() {
    let check = |invariants: &str, expected: &str| {
        let mut sources = sources(SCHEMA, "permit (principal, action, resource);");
        sources.invariants = vec![file("i.cedar", invariants)];
        let snapshot = compiled(&sources);
        let refused = snapshot.proofs(PARTS).map(|_| ()).unwrap_err().to_string();
        assert!(refused.contains(expected), "{refused}");
    };
    check(
        "@invariant(\"t\") forbid (principal == ?principal, action, resource);",
        "`t` has slots",
    );
    check(
        "@invariant(\"n\") forbid (principal, action, resource) when { false };",
        "impossible",
    );
    check(
        "@invariant(\"two\") forbid (principal, action == Action::\"a\", resource) when { principal.bad };\n\
         @invariant(\"two\") permit (principal, action == Action::\"b\", resource) when { principal.bad };",
        "the invariant `two` is both a `permit` and a `forbid`",
    );
}

#[test]
fn invariants_have_names_by_which_they_are_missed() {
    let names = invariant_names(&[file("i.cedar", INVARIANT), file("broken.cedar", "forbid (")]);
    assert_eq!(names, BTreeSet::from(["i".to_owned()]));
    assert!(invariant_names(&[]).is_empty());
}
