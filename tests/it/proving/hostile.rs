//! Whatever a candidate or a solver does while it is proved, the service answers, says no in time,
//! keeps its memory, leaves no process behind, and takes the next good edit.

#![expect(clippy::print_stdout, reason = "`--nocapture` shows what it took")]

use std::{fmt::Write, fs, time::Duration};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::house::{House, POLICIES, messages, policies};

/// What a proof may take here; and two seconds until nobody waits for it any more, and what a
/// machine that does other things as well adds.
const TIME: &str = "--prove-time=1s";
const IN_TIME: f64 = 20_000.0;

/// Answers take fractions of a millisecond; one may wait for a slice of a machine that does other
/// things as well, but none for a proof.
const SLOW: Duration = Duration::from_secs(5);

/// Saves what is hostile, asks meanwhile, and gives the attempt.
#[track_caller]
fn attack(house: &mut House, what: &str, text: &str) -> Value {
    let revision = house.status()["revision"].clone();
    let before = house.status()["attempts"].as_array().unwrap().len();
    house.save(text);
    let (slowest, asked) =
        house.ask_until(|house| house.status()["attempts"].as_array().unwrap().len() > before);
    let attempt = house.last();
    let took = attempt["duration_ms"]["prove"].as_f64().unwrap_or_default();
    let peak = house.peak_mib();
    println!(
        "{what}: {} {}, proofs {took:.0} ms, {asked} questions, slowest {slowest:?}, peak {peak} MiB",
        attempt["result"], attempt["reason"]
    );
    assert!(slowest < SLOW, "{what}: {slowest:?}");
    assert!(took < IN_TIME, "{what}: {took} ms");
    if attempt["result"] == "rejected" {
        assert_eq!(house.status()["revision"], revision, "{what}");
    }
    house.leaves_nothing();
    attempt
}

/// A good edit, each time another one, is in force.
#[track_caller]
fn mend(house: &mut House, round: usize) {
    house.solver_says("unsat");
    let attempt = house.edit(&policies(&format!("resource.n > {round}")));
    assert_eq!(attempt["result"], "applied", "{attempt}");
}

#[test]
fn a_hostile_solver_harms_nobody() {
    let mut house = House::new("unsat");
    house.start(&["--prove=enforce", TIME]);
    let modes = [
        ("hang", "in time"),
        ("spin", "in time"),
        ("deaf", "in time"),
        ("garbage", "the solver failed"),
        ("sat", "the solver failed"),
        ("exit", "the solver failed"),
        ("greedy", "the solver failed"),
    ];
    for (round, (mode, why)) in modes.into_iter().enumerate() {
        house.solver_says(mode);
        let attempt = attack(
            &mut house,
            mode,
            &policies(&format!("resource.n < {round}")),
        );
        assert_eq!(
            (&attempt["result"], &attempt["reason"]),
            (&"rejected".into(), &"proof".into())
        );
        let messages = messages(&attempt);
        let told = |it: &String| {
            it.contains(why) || it.contains("no time") || it.contains("the process that proves")
        };
        assert!(messages.iter().any(told), "{mode}: {messages:?}");
        mend(&mut house, round);
    }
    assert!(house.peak_mib() < 300, "{} MiB", house.peak_mib());
}

#[test]
fn hostile_policies_harm_nobody() {
    let mut house = House::new("unsat");
    house.start(&["--prove=enforce", "--shrink=off", TIME]);
    for (round, (what, text)) in hostile().into_iter().enumerate() {
        attack(&mut house, what, &text);
        mend(&mut house, round);
    }
    assert!(house.peak_mib() < 1000, "{} MiB", house.peak_mib());
}

#[test]
fn a_process_that_is_killed_while_it_proves_is_a_refusal() {
    let mut house = House::new("unsat");
    house.start(&["--prove=enforce"]);
    house.solver_says("hang");
    house.save(&policies("true"));
    // The cells of what is in force may be proved at the same time, so that it may take more than one.
    house.ask_until(|house| {
        for child in house.children() {
            let pid = Pid::from_raw(i32::try_from(child).unwrap()).unwrap();
            // It may be gone by now.
            let _ = kill_process(pid, Signal::KILL);
        }
        house.last()["reason"] == "proof"
    });
    let refused = house.last();
    let message = refused["findings"][0]["message"].as_str().unwrap();
    assert!(
        message.ends_with("the process that proves: it was ended by signal 9"),
        "{message}"
    );
    house.leaves_nothing();
    mend(&mut house, 0);
    fs::remove_dir_all(house.path("policies")).unwrap();
}

/// Valid sets that are much to prove.
fn hostile() -> Vec<(&'static str, String)> {
    let rest = POLICIES.lines().next().unwrap();
    let of = |policies: String| format!("{rest}\n{policies}");
    let permit = |condition: &str| {
        format!("permit (principal, action == Action::\"b\", resource) when {{ {condition} }};\n")
    };
    let joined = |count: usize, between: &str, term: &dyn Fn(usize) -> String| {
        (0..count).map(term).collect::<Vec<_>>().join(between)
    };
    let crowd = (0..2_000).fold(String::new(), |mut text, number| {
        let _ = writeln!(
            text,
            "permit (principal == U::\"u{number}\", action == Action::\"b\", resource == R::\"r{number}\");"
        );
        text
    });
    let chain = joined(60, " && ", &|n| format!("resource.n * resource.n != {n}"));
    let long = joined(300, " && ", &|n| format!("resource.n != {n}"));
    let chains = (0..50).map(|_| permit(&chain)).collect::<String>();
    let set = joined(20_000, ", ", &|n| n.to_string());
    let nested = (0..12).fold("context.a".to_owned(), |inner, n| {
        format!("(if {inner} then resource.n > {n} else {inner})")
    });
    let bangs = format!("{}context.a{}", "!(".repeat(30), ")".repeat(30));
    let products = joined(60, " + ", &|n| format!("resource.n * {n}")) + " > 0";
    let groups = joined(5_000, ", ", &|n| format!("U::\"{n}\""));
    vec![
        ("2,000 policies with literals", of(crowd)),
        ("a chain of 300", of(permit(&long))),
        ("50 chains of 60", of(chains)),
        (
            "a set of 20,000",
            of(permit(&format!("[{set}].contains(resource.n)"))),
        ),
        ("4,096 conditions in conditions", of(permit(&nested))),
        ("30 negations", of(permit(&bangs))),
        ("60 products", of(permit(&products))),
        (
            "5,000 literals in a set",
            of(permit(&format!("[{groups}].contains(principal)"))),
        ),
    ]
}
