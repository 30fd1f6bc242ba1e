//! What leaves the house as spans of traces, on the real binary, with a collector in this process.

use std::path::{Path, PathBuf};

use opentelemetry_proto::tonic::trace::v1::{Span, span::SpanKind, status::StatusCode};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::{
    client::{JSON, Reply},
    harness::wait_for,
    process::Process,
};

mod collectors;
mod hostile;
mod receiver;
mod reloads;

use receiver::{Manner, Receiver, attributes};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLER: &str = "00f067aa0ba902b7";
const EVALUATION: &str = "/access/v1/evaluation";

/// Spans of the first load: the whole, and three steps.
const LOAD: u64 = 4;

/// A server that has sent the spans of its first load to a collector.
struct Traced {
    process: Process,
    receiver: Receiver,
}

impl Traced {
    fn start(manner: Manner, flags: &[&str]) -> Self {
        let receiver = Receiver::start(Manner::Taking);
        let endpoint = ["--otlp-endpoint", &receiver.url];
        let process = serve(&[&endpoint, flags].concat());
        wait_for("the spans of the first load", || {
            metric(&process, EXPORTED) == LOAD
        });
        receiver.turn(manner);
        Self { process, receiver }
    }

    /// Asks a question as part of a trace, which is permitted.
    fn ask(&self, traceparent: &str) {
        ask(&self.process, &[("traceparent", traceparent)]);
    }

    /// Drains, and waits for the end.
    fn end(&mut self) {
        self.process.signal(Signal::TERM);
        let status = self.process.wait();
        assert!(status.success(), "{status}");
    }
}

const FLAGS: [&str; 4] = [
    "--policies=policies.cedar",
    "--schema=schema.cedarschema",
    "--entities=entities.json",
    "--shutdown-grace=0s",
];

fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/authzen")
}

fn serve(flags: &[&str]) -> Process {
    Process::serve(&fixture(), &[&FLAGS, flags].concat())
}

fn question() -> Value {
    json!({
        "subject": {"type": "user", "id": "alice", "properties": {"card": "s3cret-attribute"}},
        "action": {"name": "read"},
        "resource": {"type": "record", "id": "s3cret-record"},
        "context": {"note": "s3cret-context"},
    })
}

/// The answer to the question that is permitted, whatever becomes of its span.
#[track_caller]
fn ask(process: &Process, headers: &[(&str, &str)]) {
    let reply = post(process, EVALUATION, headers, &question());
    assert_eq!(
        (reply.status, reply.body.as_str()),
        (200, r#"{"decision":true}"#)
    );
}

fn post(process: &Process, path: &str, headers: &[(&str, &str)], body: &Value) -> Reply {
    let headers = [&[JSON], headers].concat();
    let body = body.to_string();
    process
        .connect()
        .send("POST", path, &headers, body.as_bytes())
}

fn sampled() -> String {
    format!("00-{TRACE}-{CALLER}-01")
}

fn metric(process: &Process, name: &str) -> u64 {
    let text = process
        .connect_admin()
        .send("GET", "/metrics", &[], b"")
        .body;
    let mut lines = text.lines();
    let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    value
        .unwrap_or_else(|| panic!("no {name} in\n{text}"))
        .parse()
        .unwrap()
}

const EXPORTED: &str = "palisade_trace_spans_exported_total";

fn dropped(reason: &str) -> String {
    format!("palisade_trace_spans_dropped_total{{reason=\"{reason}\"}}")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn code(span: &Span) -> StatusCode {
    span.status.as_ref().unwrap().code()
}

#[test]
fn a_joined_trace_has_our_span_after_the_callers() {
    let traced = Traced::start(Manner::Taking, &[]);
    let headers = [
        ("traceparent", sampled()),
        (
            "tracestate",
            "congo=t61rcWkgMzE,rojo=00f067aa0ba902b7".to_owned(),
        ),
    ];
    let headers = headers
        .each_ref()
        .map(|(name, value)| (*name, value.as_str()));
    let reply = post(&traced.process, EVALUATION, &headers, &question());
    assert_eq!(reply.body, r#"{"decision":true}"#);
    let span = traced.receiver.await_spans(1).remove(0);
    assert_eq!(hex(&span.trace_id), TRACE);
    assert_eq!(hex(&span.parent_span_id), CALLER);
    assert_eq!(span.span_id.len(), 8);
    assert_ne!(hex(&span.span_id), CALLER);
    assert_eq!(span.trace_state, "congo=t61rcWkgMzE,rojo=00f067aa0ba902b7");
    assert_eq!(span.flags & 0xff, 1);
    assert_eq!(span.name, "POST /access/v1/evaluation");
    assert_eq!(span.kind(), SpanKind::Server);
    assert_eq!(code(&span), StatusCode::Unset);
    assert!(span.start_time_unix_nano < span.end_time_unix_nano);
    assert_eq!(
        attributes(span.attributes),
        json!({
            "http.request.method": "POST",
            "http.response.status_code": 200,
            "http.route": "/access/v1/evaluation",
            "palisade.decision": "allow",
            "palisade.determining_policies": ["fixture-read"],
            "palisade.outcome": "permitted",
            "palisade.revision": reply.header("x-palisade-revision").unwrap(),
            "url.scheme": "http",
        })
    );
    let resource = traced.receiver.resource();
    assert_eq!(resource["service.name"], "palisade");
    assert_eq!(resource["service.version"], env!("CARGO_PKG_VERSION"));
    let sent = traced.receiver.bytes();
    let sent = String::from_utf8_lossy(&sent);
    assert!(
        !sent.contains("s3cret") && !sent.contains("alice"),
        "{sent}"
    );
    wait_for("it is counted", || {
        metric(&traced.process, EXPORTED) == LOAD + 1
    });
}

#[test]
fn what_is_not_sampled_and_what_is_no_question_has_no_span() {
    let mut traced = Traced::start(Manner::Taking, &["--trace-sample=0"]);
    traced.ask(&format!("00-{TRACE}-{CALLER}-00"));
    ask(&traced.process, &[]);
    let traceparent = sampled();
    let headers = [("traceparent", traceparent.as_str())];
    let mut admin = traced.process.connect_admin();
    assert_eq!(admin.send("GET", "/readyz", &headers, b"").status, 200);
    traced.ask(&traceparent);
    traced.end();
    let spans = traced.receiver.spans();
    assert_eq!(spans.len(), 1, "{spans:?}");
    assert_eq!(spans[0].name, "POST /access/v1/evaluation");
}

#[test]
fn a_request_without_a_trace_begins_one_if_chance_wants_it() {
    let traced = Traced::start(Manner::Taking, &["--trace-sample=1"]);
    for _ in 0..3 {
        ask(&traced.process, &[]);
    }
    let spans = traced.receiver.await_spans(3);
    let mut ids: Vec<_> = spans.iter().map(|it| it.trace_id.clone()).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 3);
    for span in spans {
        assert_eq!((span.trace_id.len(), span.parent_span_id.len()), (16, 0));
        assert_eq!((span.flags & 0xff, span.trace_state.as_str()), (1, ""));
    }
}

#[test]
fn a_part_of_the_requests_is_recorded_if_a_part_is_asked_for() {
    let mut traced = Traced::start(Manner::Taking, &["--trace-sample=0.5"]);
    let body = question().to_string();
    let mut caller = traced.process.connect();
    for _ in 0..400 {
        let reply = caller.send("POST", EVALUATION, &[JSON], body.as_bytes());
        assert_eq!(reply.status, 200);
    }
    drop(caller);
    traced.end();
    // Outside of these once in 10^22 runs.
    let count = traced.receiver.spans().len();
    assert!((100..300).contains(&count), "{count}");
}

#[test]
fn a_span_says_what_became_of_the_request_and_not_what_its_caller_wrote() {
    let traced = Traced::start(Manner::Taking, &["--trace-sample=1"]);
    let batch = json!({"evaluations": vec![question(); 3]});
    assert_eq!(
        post(&traced.process, "/access/v1/evaluations", &[], &batch).status,
        200
    );
    assert_eq!(
        post(&traced.process, EVALUATION, &[], &json!([])).status,
        400
    );
    assert_eq!(
        post(&traced.process, "/s3cret/path?q=1", &[], &json!({})).status,
        404
    );
    let mut caller = traced.process.connect();
    assert_eq!(caller.send("S3CRET", EVALUATION, &[], b"").status, 405);
    let told = traced.receiver.await_spans(4).into_iter().map(|span| {
        let attributes = attributes(span.attributes.clone());
        let of = |name: &str| attributes[name].clone();
        assert_eq!(
            code(&span),
            StatusCode::Unset,
            "only our own faults are errors"
        );
        json!([
            span.name,
            of("http.response.status_code"),
            of("palisade.batch_size"),
            of("palisade.decision")
        ])
    });
    assert_eq!(
        told.collect::<Value>(),
        json!([
            ["POST /access/v1/evaluations", 200, 3, null],
            ["POST /access/v1/evaluation", 400, null, null],
            ["POST", 404, null, null],
            ["HTTP /access/v1/evaluation", 405, null, null],
        ])
    );
    let sent = traced.receiver.bytes();
    let sent = String::from_utf8_lossy(&sent).to_lowercase();
    assert!(!sent.contains("s3cret"), "{sent}");
}

#[test]
fn nothing_is_sent_unless_somebody_asks_for_it() {
    let receiver = Receiver::start(Manner::Taking);
    let mut process = Process::serve_under(
        &format!("export OTEL_EXPORTER_OTLP_ENDPOINT={}", receiver.url),
        &fixture(),
        &FLAGS,
    );
    ask(&process, &[("traceparent", &sampled())]);
    assert_eq!(metric(&process, EXPORTED), 0);
    for reason in ["failed", "queue_full", "rejected", "shutdown"] {
        assert_eq!(metric(&process, &dropped(reason)), 0);
    }
    process.signal(Signal::TERM);
    assert!(process.wait().success());
    assert_eq!(receiver.tries(), 0);
}

#[test]
fn an_operator_names_the_service_as_for_any_other() {
    let receiver = Receiver::start(Manner::Taking);
    let process = Process::serve_under(
        "export OTEL_SERVICE_NAME=pdp OTEL_RESOURCE_ATTRIBUTES=k8s.pod.name=shop-1,odd",
        &fixture(),
        &[&FLAGS[..], &["--otlp-endpoint", &receiver.url]].concat(),
    );
    ask(&process, &[("traceparent", &sampled())]);
    receiver.await_spans(1);
    let resource = receiver.resource();
    assert_eq!(resource["service.name"], "pdp");
    assert_eq!(resource["k8s.pod.name"], "shop-1");
}

#[test]
fn lines_about_a_request_name_the_span_that_is_recorded_of_it() {
    let traced = Traced::start(Manner::Taking, &["--log-filter=info,palisade::pdp=debug"]);
    traced.ask(&sampled());
    traced.ask(&format!("00-{TRACE}-{CALLER}-00"));
    let span = traced.receiver.await_spans(1).remove(0);
    let ids = || {
        let lines = traced.process.lines().into_iter();
        let decided = lines.filter(|it| it["outcome"] == "permitted");
        let ids = decided.map(|it| json!([it["span"]["trace_id"], it["span"]["span_id"]]));
        ids.collect::<Value>()
    };
    let expected = json!([[TRACE, hex(&span.span_id)], [TRACE, CALLER]]);
    wait_for("two lines", || ids().as_array().unwrap().len() == 2);
    assert_eq!(ids(), expected);
}
