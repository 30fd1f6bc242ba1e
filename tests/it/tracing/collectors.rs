//! Collectors that fail, refuse, garble or stall: no answer changes, and the metrics tell.

use rustix::process::Signal;

use crate::{client::JSON, harness::wait_for};

use super::{
    EVALUATION, EXPORTED, LOAD, Traced, ask, dropped, metric, question, receiver::Manner, sampled,
    serve,
};

const ERRORS: &str = "palisade_trace_export_errors_total";

#[test]
fn a_collector_that_cannot_or_will_not_changes_no_answer_and_is_counted() {
    for manner in [
        Manner::Status(500),
        Manner::Status(404),
        Manner::Status(307),
        Manner::Garbage,
        Manner::Wordy,
    ] {
        let traced = Traced::start(manner, &[]);
        let process = &traced.process;
        traced.ask(&sampled());
        wait_for("it is given up", || {
            metric(process, &dropped("failed")) == 1
        });
        assert_eq!(
            (metric(process, ERRORS), traced.receiver.tries()),
            (1, 1),
            "{manner:?}"
        );
        assert_eq!(metric(process, EXPORTED), LOAD, "{manner:?}");
        traced.receiver.turn(Manner::Taking);
        traced.ask(&sampled());
        traced.receiver.await_spans(1);
        wait_for("it is said", || {
            let lines = process.lines();
            let told = |start: &str| {
                lines
                    .iter()
                    .any(|it| it["message"].as_str().unwrap().starts_with(start))
            };
            told("could not export traces to `http://127.0.0.1:") && told("traces are exported to")
        });
    }
}

#[test]
fn what_a_collector_cannot_take_for_a_while_is_sent_again() {
    for manner in [Manner::Status(503), Manner::Status(429), Manner::Closing] {
        let traced = Traced::start(manner, &[]);
        traced.ask(&sampled());
        wait_for("a failure", || metric(&traced.process, ERRORS) > 0);
        traced.receiver.turn(Manner::Taking);
        traced.receiver.await_spans(1);
        wait_for("it is counted", || {
            metric(&traced.process, EXPORTED) == LOAD + 1
        });
        assert_eq!(metric(&traced.process, &dropped("failed")), 0, "{manner:?}");
    }
}

#[test]
fn a_collector_that_nobody_runs_is_found_out_and_changes_no_answer() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", nobody.local_addr().unwrap());
    drop(nobody);
    let mut process = serve(&["--otlp-endpoint", &url]);
    ask(&process, &[("traceparent", &sampled())]);
    wait_for("a failure", || metric(&process, ERRORS) > 0);
    // With those of the first load, in one batch or in two.
    wait_for("it is given up", || {
        metric(&process, &dropped("failed")) == LOAD + 1
    });
    ask(&process, &[("traceparent", &sampled())]);
    process.signal(Signal::TERM);
    assert!(process.wait().success());
}

#[test]
fn spans_that_a_collector_rejects_are_counted_as_such() {
    for (said, rejected) in [(1, 1), (100, 1), (-5, 0)] {
        let traced = Traced::start(Manner::Rejecting(said), &[]);
        traced.ask(&sampled());
        let counts = || [&dropped("rejected"), EXPORTED].map(|it| metric(&traced.process, it));
        wait_for("it is counted", || {
            counts() == [rejected, LOAD + 1 - rejected]
        });
        assert_eq!(metric(&traced.process, ERRORS), 0);
    }
}

#[test]
fn a_collector_that_never_answers_holds_up_nobody_and_fills_a_queue_that_ends() {
    let mut traced = Traced::start(Manner::Silent, &[]);
    let body = question().to_string();
    let traceparent = sampled();
    let headers = [JSON, ("traceparent", traceparent.as_str())];
    let mut caller = traced.process.connect();
    for _ in 0..6000 {
        let reply = caller.send("POST", EVALUATION, &headers, body.as_bytes());
        assert_eq!(reply.body, r#"{"decision":true}"#);
    }
    let lost = metric(&traced.process, &dropped("queue_full"));
    // What waits, and batches in hand.
    assert!(
        (6000 - 4096 - 2 * 512..=6000 - 4096).contains(&lost),
        "{lost}"
    );
    drop(caller);
    // It is not waited for at the end, either.
    traced.end();
    let lines = traced.process.lines();
    let left = lines.iter().find_map(|it| it["lost"].as_u64());
    assert_eq!(left, Some(6000 - lost));
}

#[test]
fn what_waits_at_the_end_is_sent_before() {
    let mut traced = Traced::start(Manner::Taking, &[]);
    for _ in 0..50 {
        traced.ask(&sampled());
    }
    traced.end();
    assert_eq!(traced.receiver.spans().len(), 50);
    let messages = traced.process.lines();
    assert!(
        messages.iter().all(|it| it["lost"].is_null()),
        "{messages:?}"
    );
}
