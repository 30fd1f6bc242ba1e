//! What does not compile, for whatever reason, on the real loop.

use crate::authz::Finding;

use super::{super::super::compile::with_room, *};

#[test]
fn a_candidate_that_does_not_compile_is_refused_once_and_again_after_a_good_one() {
    let (house, mut reloader) = House::new(NEVER);
    reloader.first_load().unwrap();
    let good = house.revision();
    let rejected = |count| {
        house.metric(&format!(
            "palisade_reloads_total{{reason=\"parse\",result=\"rejected\"}} {count}"
        ))
    };
    for count in 1..=2 {
        house.write("bad.cedar", "permit (");
        reloader.read_and_apply(Trigger::Poll);
        reloader.read_and_apply(Trigger::Poll);
        assert!(rejected(count));
        assert!(house.metric("palisade_sources_stale 1"));
        let attempt = house.status.read().attempts.pop_back().unwrap();
        assert_eq!(attempt.findings.first().unwrap().file, "policies/bad.cedar");
        assert_ne!(attempt.revision.as_ref(), Some(&good));
        fs::remove_file(house.path("bad.cedar")).unwrap();
        reloader.read_and_apply(Trigger::Poll);
        assert!(house.metric("palisade_sources_stale 0"));
        assert_eq!(house.status.health().sources, Check::Ok);
    }
    assert_eq!(house.revision(), good);
    // The first, and each time the refusal and its end.
    assert_eq!(house.status.read().attempts.len(), 5);
}

#[test]
fn what_the_system_did_not_let_us_compile_is_tried_again() {
    let (house, mut reloader) = House::new(NEVER);
    reloader.first_load().unwrap();
    let (hints, _unheard) = mpsc::sync_channel(1);
    let (metrics, status) = (Arc::clone(&house.metrics), Arc::clone(&house.status));
    let mut watcher = Watcher::new(hints, metrics, status);
    reloader.compile = |_, _| Err(Finding::error(Kind::Io, "", "no thread could be made").into());
    house.write("b.cedar", POLICY);
    // Long after the last change nothing but the refusal makes us look.
    for _ in 0..=SUSPICIOUS_POLLS + 1 {
        reloader.look(&mut watcher, Trigger::Poll);
    }
    assert!(house.metric("palisade_reloads_total{reason=\"io\",result=\"rejected\"} 1"));
    assert_eq!(house.files().len(), 1);
    reloader.compile = compile;
    reloader.look(&mut watcher, Trigger::Poll);
    assert_eq!(house.files().len(), 2);
    assert!(house.metric("palisade_sources_stale 0"));
}

#[test]
fn a_compiler_that_panics_refuses_the_edit_and_no_more() {
    let (house, mut reloader) = House::new(NEVER);
    reloader.first_load().unwrap();
    let good = house.revision();
    reloader.compile = |_, _| with_room("the sources", || panic!("on purpose"));
    house.write("b.cedar", POLICY);
    reloader.read_and_apply(Trigger::Event);
    assert_eq!(house.revision(), good);
    assert!(house.metric("palisade_reloads_total{reason=\"validate\",result=\"rejected\"} 1"));
    let attempt = house.status.read().attempts.pop_back().unwrap();
    let message = &attempt.findings.first().unwrap().message;
    assert_eq!(message, "the sources made the compiler panic");
    // The next edit is compiled as ever.
    reloader.compile = compile;
    house.write("c.cedar", POLICY);
    reloader.read_and_apply(Trigger::Event);
    assert_eq!(house.files().len(), 3);
}
