//! Candidates are proved before they are published, on the real binary. The solver is a script that
//! says what the test wants: what a solver that can solve says is in `tests/e2e/prove.sh`.

use std::{fs, process::Command, time::Instant};

use serde_json::json;

mod hostile;
mod house;

use house::{House, POLICIES, policies};

#[test]
fn what_is_proved_is_in_force_and_what_is_not_is_refused() {
    let mut house = House::new("unsat");
    house.start(&["--prove=enforce", "--rollback=1"]);
    let first = house.last();
    assert_eq!(
        (&first["result"], &first["trigger"]),
        (&json!("applied"), &json!("start"))
    );
    assert!(
        first["duration_ms"]["prove"].as_f64().unwrap() > 0.0,
        "{first}"
    );
    house.has_metric("palisade_reloads_total{reason=\"proof\",result=\"rejected\"} 0");

    house.solver_says("unknown");
    let refused = house.edit(&policies("resource.n + 2 > 0"));
    assert_eq!(
        (&refused["result"], &refused["reason"]),
        (&json!("rejected"), &json!("proof"))
    );
    let messages = house::messages(&refused);
    let found = |text: &str| messages.iter().any(|it| it.contains(text));
    assert!(
        found("not proved: invariant `nobody-b`: Nobody does b: "),
        "{messages:?}"
    );
    assert!(found("not proved: `b` never fails"), "{messages:?}");
    let help = refused["findings"][0]["help"].as_str().unwrap();
    assert!(
        help.contains("`--prove=warn` takes it all the same"),
        "{help}"
    );
    house.has_metric("palisade_reloads_total{reason=\"proof\",result=\"rejected\"} 1");
    house.has_metric("palisade_reload_duration_seconds_count{phase=\"prove\"} 2");
    house.has_metric("palisade_sources_stale 1");
    assert_eq!(house.status()["revision"], first["revision"]);

    // What nobody could prove, an operator may take.
    let accepted = house.accept(refused["revision"].as_str().unwrap());
    assert_eq!(accepted, 200);
    assert_eq!(house.status()["revision"], refused["revision"]);
    let warnings = house.status()["warnings"].to_string();
    assert!(
        warnings.contains("not proved: `b` never fails"),
        "{warnings}"
    );
    house.solver_says("unsat");
    assert_eq!(house.edit(POLICIES)["result"], "applied");
    house.leaves_nothing();
}

#[test]
fn what_is_not_proved_is_published_with_warnings_if_so_wanted() {
    let mut house = House::new("unknown");
    house.start(&["--prove=warn"]);
    let first = house.last();
    assert_eq!(first["result"], "applied");
    assert_eq!(first["findings"][0]["kind"], "proof");
    assert_eq!(first["findings"][0]["severity"], "warning");
    house.has_metric("palisade_reloads_total{reason=\"proof\",result=\"rejected\"} 0");
}

#[test]
fn by_default_nothing_is_proved() {
    let mut house = House::new("hang");
    house.start(&[]);
    assert_eq!(
        house.edit(&policies("resource.n + 3 > 0"))["result"],
        "applied"
    );
    house.has_metric("palisade_reload_duration_seconds_count{phase=\"prove\"} 0");
    assert_eq!(house.asked(), 0);
}

#[test]
fn an_edit_is_proved_only_where_it_touches() {
    let mut house = House::new("unsat");
    house.start(&["--prove=enforce"]);
    let cold = house.asked();
    // Whether the edited policy decides anything, and why not: asked of each edit.
    let dead = 2;
    // Action `b` has a policy, an invariant and nothing of `a`.
    assert_eq!(
        house.edit(&policies("resource.n + 2 > 0"))["result"],
        "applied"
    );
    let touched = house.asked() - cold - dead;
    assert!(0 < touched && touched < cold, "{touched} of {cold}");
    // Words that say nothing, and what was proved before, are no questions.
    let again = format!("// said\n{POLICIES}");
    assert_eq!(house.edit(&again)["result"], "applied");
    assert_eq!(house.asked(), cold + touched + 2 * dead);
}

#[test]
fn that_an_edit_allows_no_more_is_proved_if_so_wanted() {
    let mut house = House::new("unsat");
    house.start(&["--prove=enforce", "--prove-no-wider"]);
    house.solver_says("unknown");
    let refused = house.edit(&policies("resource.n + 3 > 0"));
    let messages = house::messages(&refused);
    let wider = "not proved: no more is allowed than before: U b R";
    assert!(
        messages.iter().any(|it| it.starts_with(wider)),
        "{messages:?}"
    );
    // Of what did not change it is known.
    let other = "no more is allowed than before: U a R";
    assert!(
        !messages.iter().any(|it| it.contains(other)),
        "{messages:?}"
    );
}

#[test]
fn both_gates_tell_what_they_found() {
    let mut house = House::new("unsat");
    house.start(&["--prove=enforce"]);
    house.solver_says("unknown");
    let case = json!([{
        "request": {"principal": "U::\"u\"", "action": "Action::\"a\"", "resource": "R::\"r\"", "context": {"a": true}},
        "decision": "deny", "reason": [], "num_errors": 0, "entities": [],
    }]);
    fs::create_dir(house.path("policies/tests")).unwrap();
    fs::write(house.path("policies/tests/a.json"), case.to_string()).unwrap();
    let refused = house.edit(&policies("resource.n + 3 > 0"));
    let kinds: Vec<_> = refused["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| &it["kind"])
        .collect();
    assert!(
        kinds.contains(&&json!("canary")) && kinds.contains(&&json!("proof")),
        "{refused}"
    );
    assert_eq!(refused["reason"], "canary");
}

#[test]
fn nobody_is_served_before_the_first_set_is_proved() {
    let house = House::new("unknown");
    let out = house.fails(&["--prove=enforce"]);
    assert_eq!(out.0, 3, "{}", out.1);
    assert!(
        out.1.contains("not proved: invariant `nobody-b`"),
        "{}",
        out.1
    );
    assert!(!out.1.contains("\"listening\""), "{}", out.1);
}

#[test]
fn without_a_solver_nothing_can_be_enforced() {
    let mut house = House::new("unsat");
    fs::remove_file(house.solver()).unwrap();
    let (code, err) = house.fails(&["--prove=enforce"]);
    assert_eq!(code, 4, "{err}");
    assert!(
        err.contains("there is no solver") && err.contains("install cvc5"),
        "{err}"
    );
    house.start(&["--prove=warn"]);
    let first = house.last();
    assert_eq!(first["result"], "applied");
    let message = first["findings"][0]["message"].as_str().unwrap();
    assert!(message.contains("there is no solver"), "{message}");
}

#[test]
fn a_solver_that_is_lost_proves_nothing() {
    let mut house = House::new("unsat");
    house.start(&["--prove=enforce"]);
    fs::rename(house.solver(), house.path("elsewhere")).unwrap();
    let refused = house.edit(&policies("resource.n + 3 > 0"));
    assert_eq!(refused["reason"], "proof");
    let message = refused["findings"][0]["message"].as_str().unwrap();
    assert!(
        message.contains("the solver cannot be started"),
        "{message}"
    );
    fs::rename(house.path("elsewhere"), house.solver()).unwrap();
    assert_eq!(
        house.edit(&policies("resource.n + 4 > 0"))["result"],
        "applied"
    );
}

#[test]
fn a_drain_waits_for_no_proof_and_nothing_is_left() {
    for signal in ["TERM", "KILL"] {
        let mut house = House::new("unsat");
        house.start(&["--prove=enforce", "--shutdown-grace=0s"]);
        house.solver_says("hang");
        house.save(&policies("resource.n + 3 > 0"));
        house.until_proving();
        let started = Instant::now();
        house.end_by(signal);
        assert!(
            started.elapsed().as_secs() < 20,
            "{signal}: {:?}",
            started.elapsed()
        );
        house.leaves_nothing();
    }
}

#[test]
fn who_asks_for_proofs_by_hand_is_told_what_it_is_for() {
    let run = |args: &[&str]| {
        Command::new(env!("CARGO_BIN_EXE_palisade"))
            .args(args)
            .output()
    };
    let help = String::from_utf8(run(&["--help"]).unwrap().stdout).unwrap();
    assert!(
        help.contains("  prove ") && !help.contains("prove-candidate"),
        "{help}"
    );
}
