//! Callers who write what they like about traces.

use crate::client::JSON;

use super::{CALLER, EVALUATION, TRACE, Traced, ask, hex, receiver::Manner, sampled};

#[test]
fn a_hostile_traceparent_does_no_harm() {
    let mut traced = Traced::start(Manner::Taking, &["--trace-sample=0"]);
    let (valid, upper) = (sampled(), sampled().to_uppercase());
    let zeros = "0".repeat(32);
    let long = "x".repeat(12_000);
    for headers in [
        &[("traceparent", valid.as_str()), ("traceparent", &valid)][..],
        &[("traceparent", &upper)],
        &[("traceparent", &format!("00-{zeros}-{CALLER}-01"))],
        &[("traceparent", &format!("00-{TRACE}-{}-01", &zeros[..16]))],
        &[("traceparent", &format!("ff-{TRACE}-{CALLER}-01"))],
        &[("traceparent", &format!("{valid}-more"))],
        &[("traceparent", &long)],
        &[("traceparent", "")],
        &[("traceparent", "\u{fffd}-\u{fffd}")],
        &[("tracestate", "congo=1")],
    ] {
        ask(&traced.process, headers);
    }
    // A later version is joined as far as it is known, and what is odd about its state is dropped.
    let later = format!("cc-{TRACE}-{CALLER}-ff-more");
    for state in ["", "=", "UPPER=1", "a=1,,,", &long, &"a=b,".repeat(2000)] {
        ask(
            &traced.process,
            &[("traceparent", &later), ("tracestate", state)],
        );
    }
    // More than a head may have: refused before anybody reads it.
    let state = "x".repeat(64 << 10);
    let headers = [JSON, ("traceparent", &valid), ("tracestate", &state)];
    let mut caller = traced.process.connect();
    let reply = caller.send("POST", EVALUATION, &headers, b"{}");
    assert_eq!(reply.status, 431);
    ask(&traced.process, &[]);
    traced.end();
    let spans = traced.receiver.spans();
    let states: Vec<_> = spans.iter().map(|it| it.trace_state.as_str()).collect();
    assert_eq!(states, ["", "", "", "a=1", "", ""]);
    assert!(spans.iter().all(|it| hex(&it.trace_id) == TRACE));
}
