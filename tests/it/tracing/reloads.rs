//! Reloads as spans: one of the whole, one of each step.

use std::fs;

use opentelemetry_proto::tonic::trace::v1::{Span, status::StatusCode};
use serde_json::{Value, json};

use crate::{harness::wait_for, process::Process};

use super::{
    attributes, code,
    receiver::{Manner, Receiver},
};

#[test]
fn a_reload_is_a_trace_with_its_steps_and_its_result() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("p.cedar");
    fs::write(&file, "permit (principal, action, resource);").unwrap();
    let receiver = Receiver::start(Manner::Taking);
    let flags = [
        "--policies=p.cedar",
        "--trace-sample=0",
        "--otlp-endpoint",
        &receiver.url,
    ];
    let process = Process::serve(folder.path(), &flags);
    let reload = |number: usize| {
        let mut whole = Vec::new();
        wait_for("a reload", || {
            whole = receiver.all();
            whole.retain(|it| it.name == "reload");
            whole.len() > number
        });
        whole.swap_remove(number)
    };
    let start = reload(0);
    check(&start, "start", ["applied", "none"], StatusCode::Unset);
    assert_eq!(
        steps(&receiver, &start),
        ["reload read", "reload compile", "reload canary"]
    );
    let next = folder.path().join("next");
    fs::write(&next, "permit (principal, action, s3cret);").unwrap();
    fs::rename(&next, &file).unwrap();
    let refused = reload(1);
    let trigger = attributes(refused.attributes.clone())["palisade.trigger"].clone();
    check(
        &refused,
        trigger.as_str().unwrap(),
        ["rejected", "parse"],
        StatusCode::Error,
    );
    assert_eq!(refused.status.as_ref().unwrap().message, "parse");
    assert_eq!(
        steps(&receiver, &refused),
        ["reload read", "reload compile"]
    );
    let of = attributes(refused.attributes);
    let before = attributes(start.attributes);
    assert_eq!(of["palisade.from_revision"], before["palisade.revision"]);
    assert_eq!(
        [&of["palisade.changed_files"], &of["palisade.findings"]],
        [1, 1]
    );
    assert!(!String::from_utf8_lossy(&receiver.bytes()).contains("s3cret"));
    drop(process);
}

#[track_caller]
fn check(span: &Span, trigger: &str, result: [&str; 2], status: StatusCode) {
    let of = attributes(span.attributes.clone());
    let told = ["trigger", "result", "reason"].map(|it| of[&format!("palisade.{it}")].clone());
    assert_eq!(json!(told), json!([trigger, result[0], result[1]]));
    assert_eq!((code(span), span.parent_span_id.len()), (status, 0));
    assert_ne!(of["palisade.revision"], Value::Null);
}

/// The names of the steps, which fill the whole.
#[track_caller]
fn steps(receiver: &Receiver, whole: &Span) -> Vec<String> {
    let mut steps = receiver.all();
    steps.retain(|it| it.parent_span_id == whole.span_id);
    let mut at = whole.start_time_unix_nano;
    for step in &steps {
        assert_eq!(
            (&step.trace_id, step.start_time_unix_nano),
            (&whole.trace_id, at)
        );
        at = step.end_time_unix_nano;
    }
    assert_eq!(at, whole.end_time_unix_nano);
    steps.into_iter().map(|it| it.name).collect()
}
