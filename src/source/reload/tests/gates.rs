//! What is valid and not taken all the same, on the real loop.

use super::{house::canary, *};
use crate::source::Gate;

/// A permit for each name.
fn permits(names: &[&str]) -> String {
    let permit = |name: &&str| format!("permit (principal == U::\"{name}\", action, resource);\n");
    names.iter().map(permit).collect()
}

fn gated(shrink: Gate, canary: Gate) -> (House, Reloader) {
    let (house, mut reloader) = House::new(NEVER);
    house.write("a.cedar", &permits(&["ann", "bob", "cyd", "dan"]));
    reloader.rules.gates = Gates { shrink, canary };
    (house, reloader)
}

fn rejected(house: &House, reason: &str, count: u32) -> bool {
    let labels = format!("reason=\"{reason}\",result=\"rejected\"");
    house.metric(&format!("palisade_reloads_total{{{labels}}} {count}"))
}

fn policies(house: &House) -> usize {
    house.reader.current().unwrap().counts().policies
}

#[test]
fn less_than_half_of_the_policies_is_refused_and_the_last_good_stays() {
    let (house, mut reloader) = gated(Gate::Enforce, Gate::Enforce);
    reloader.first_load().unwrap();
    let good = house.revision();
    house.write("a.cedar", &permits(&["ann"]));
    reloader.read_and_apply(Trigger::Poll);
    reloader.read_and_apply(Trigger::Poll);
    assert_eq!(house.revision(), good);
    assert!(rejected(&house, "shrink", 1));
    assert!(house.metric("palisade_sources_stale 1"));
    let attempt = house.status.read().attempts.pop_back().unwrap();
    assert_eq!(attempt.result, ReloadResult::Rejected(Kind::Shrink));
    assert_ne!(attempt.revision, Some(good));
    let [finding] = attempt.findings.as_slice() else {
        panic!("{:?}", attempt.findings)
    };
    assert_eq!(finding.message, "3 of 4 policies would be gone");
    assert!(finding.help.as_ref().unwrap().contains("`--shrink=warn`"));
    // In steps that leave half it goes through.
    for names in [&["ann", "bob"][..], &["ann"]] {
        house.write("a.cedar", &permits(names));
        reloader.read_and_apply(Trigger::Poll);
        assert_eq!(policies(&house), names.len());
    }
    assert!(rejected(&house, "shrink", 1));
    assert!(house.metric("palisade_sources_stale 0"));
}

#[test]
fn a_first_set_is_compared_with_nothing_and_an_empty_one_is_a_set() {
    let (house, mut reloader) = gated(Gate::Enforce, Gate::Enforce);
    house.write("a.cedar", "");
    reloader.first_load().unwrap();
    assert_eq!(policies(&house), 0);
    house.write("a.cedar", &permits(&["ann"]));
    reloader.read_and_apply(Trigger::Poll);
    assert_eq!(policies(&house), 1);
    house.write("a.cedar", "");
    reloader.read_and_apply(Trigger::Poll);
    assert_eq!(policies(&house), 1);
    assert!(rejected(&house, "shrink", 1));
}

#[test]
fn a_shrunk_set_is_taken_with_a_warning_or_without_but_never_silently_to_nothing() {
    for (gate, text, expected) in [
        (
            Gate::Warn,
            permits(&["ann"]),
            Some("3 of 4 policies would be gone"),
        ),
        (Gate::Off, permits(&["ann"]), None),
        (
            Gate::Off,
            String::new(),
            Some("4 of 4 policies would be gone"),
        ),
    ] {
        let (house, mut reloader) = gated(gate, Gate::Enforce);
        reloader.first_load().unwrap();
        house.write("a.cedar", &text);
        reloader.read_and_apply(Trigger::Poll);
        assert!(policies(&house) < 2);
        assert!(rejected(&house, "shrink", 0));
        assert!(house.metric("palisade_sources_stale 0"));
        let in_force = house.status.read().in_force.unwrap().snapshot;
        let warnings = in_force.warnings().iter();
        let warnings: Vec<_> = warnings.map(|it| it.message.as_str()).collect();
        assert_eq!(warnings, expected.into_iter().collect::<Vec<_>>());
        let attempt = house.status.read().attempts.pop_back().unwrap();
        assert_eq!(attempt.findings, in_force.warnings());
    }
}

#[test]
fn a_canary_that_is_answered_otherwise_refuses_the_edit_until_it_is_mended() {
    let (house, mut reloader) = gated(Gate::Enforce, Gate::Enforce);
    house.write("tests/who.json", &canary("zoe", "deny"));
    reloader.first_load().unwrap();
    let good = house.revision();
    assert_eq!(
        house.files(),
        ["policies/a.cedar", "policies/tests/who.json"]
    );
    house.write("z.cedar", &permits(&["zoe"]));
    reloader.read_and_apply(Trigger::Poll);
    reloader.read_and_apply(Trigger::Poll);
    assert_eq!(house.revision(), good);
    assert!(rejected(&house, "canary", 1));
    let attempt = house.status.read().attempts.pop_back().unwrap();
    assert_eq!(attempt.result, ReloadResult::Rejected(Kind::Canary));
    let finding = attempt.findings.first().unwrap();
    let said = "canary `zoe`: expected deny, got allow by `policy4`";
    assert_eq!(finding.message, said);
    assert_eq!(finding.file, "policies/tests/who.json");
    // Both the canary and the policy can be what was wrong.
    house.write("tests/who.json", &canary("zoe", "allow"));
    reloader.read_and_apply(Trigger::Poll);
    assert_eq!(policies(&house), 5);
    assert!(house.metric("palisade_sources_stale 0"));
    assert!(rejected(&house, "canary", 1));
    assert!(house.metric("palisade_reload_duration_seconds_count{phase=\"canary\"} 3"));
}

#[test]
fn a_canary_is_a_warning_or_not_looked_at_as_the_gate_says() {
    for (gate, text, expected) in [
        (Gate::Warn, canary("ann", "deny"), 1),
        (Gate::Warn, "no JSON".to_owned(), 1),
        (Gate::Off, canary("ann", "deny"), 0),
        (Gate::Off, "no JSON".to_owned(), 0),
    ] {
        let (house, mut reloader) = gated(Gate::Enforce, gate);
        house.write("tests/who.json", &text);
        reloader.first_load().unwrap();
        let in_force = house.status.read().in_force.unwrap().snapshot;
        assert_eq!(in_force.warnings().len(), expected);
        assert!(house.metric("palisade_sources_stale 0"));
    }
}

#[test]
fn a_first_set_that_fails_its_canaries_is_not_taken_and_says_why() {
    let (house, mut reloader) = gated(Gate::Enforce, Gate::Enforce);
    house.write("tests/who.json", &canary("ann", "deny"));
    let rejection = reloader.first_load().unwrap_err();
    assert_eq!(rejection.reason(), Kind::Canary);
    assert!(house.reader.current().is_none());
    house.write("tests/who.json", "[{}]");
    assert_eq!(reloader.first_load().unwrap_err().reason(), Kind::Parse);
}

#[test]
fn new_canaries_are_tried_by_their_event_alone() {
    let (house, _running) = House::running(NEVER);
    eventually("the watcher is up", || {
        house.metric("palisade_watcher_up 1")
    });
    house.write("tests/who.json", &canary("ann", "deny"));
    eventually("the canary is tried", || rejected(&house, "canary", 1));
    house.write("tests/who.json", &canary("ann", "allow"));
    eventually("the mended canary is in force", || house.files().len() == 2);
}

#[test]
fn canaries_that_vanish_are_refused_or_told_as_the_gate_says() {
    for (gate, expected) in [(Gate::Enforce, 0), (Gate::Warn, 1), (Gate::Off, 0)] {
        let (house, mut reloader) = gated(Gate::Enforce, gate);
        house.write("tests/who.json", &canary("zoe", "deny"));
        reloader.first_load().unwrap();
        let before = house.reader.current().unwrap().counts();
        assert_eq!(before.canaries, 1);
        fs::remove_dir_all(house.path("tests")).unwrap();
        reloader.read_and_apply(Trigger::Poll);
        let attempt = house.status.read().attempts.pop_back().unwrap();
        let in_force = house.reader.current().unwrap();
        let refused = gate == Gate::Enforce;
        assert!(rejected(&house, "canary", u32::from(refused)));
        assert_eq!(in_force.counts().canaries, usize::from(refused));
        assert_eq!(in_force.warnings().len(), expected);
        if gate != Gate::Off {
            let [finding] = attempt.findings.as_slice() else {
                panic!("{:?}", attempt.findings)
            };
            assert_eq!(
                finding.message,
                "1 of 1 canaries in `tests/*.json` would be gone"
            );
            let help = finding.help.as_ref().unwrap();
            assert_eq!(help.contains("`--canary=warn` takes it"), refused, "{help}");
        }
    }
}

#[test]
fn however_many_canaries_fail_the_warnings_stay_few() {
    let (house, mut reloader) = gated(Gate::Enforce, Gate::Warn);
    let cases = vec![canary("ann", "deny").trim_matches(['[', ']']).to_owned(); 300].join(",");
    for file in 0..20 {
        house.write(&format!("tests/{file}.json"), &format!("[{cases}]"));
    }
    reloader.first_load().unwrap();
    let in_force = house.reader.current().unwrap();
    assert_eq!(in_force.counts().canaries, 6_000);
    assert_eq!(in_force.warnings().len(), 101);
}
