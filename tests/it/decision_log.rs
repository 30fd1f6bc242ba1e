//! The log of decisions, as the real binary writes it: what is in it, and what it never holds up.

use std::{
    fs::{self, File, OpenOptions},
    io::{BufRead, BufReader, Read},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    process::Command,
    thread,
};

use rustix::{
    fs::{CWD, Mode, mkfifoat},
    process::Signal,
};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    client::{Connection, JSON},
    harness::wait_for,
    process::Process,
};

mod trouble;

/// Permits alice to read, forbids bob everything, and fails for whoever has a `card`.
const POLICIES: &str = r#"
    @id("readers") permit (principal == User::"alice", action == Action::"read", resource);
    @id("not-bob") forbid (principal == User::"bob", action, resource);
    @id("odd") forbid (principal, action, resource) when { principal has card && principal.card > 1 };
"#;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const SPAN: &str = "00f067aa0ba902b7";

/// A served folder with a log beside it.
struct House {
    folder: TempDir,
    process: Process,
}

impl House {
    /// With a log in a file.
    fn logging(flags: &[&str]) -> Self {
        let log = ["--decision-log=decisions.log"];
        Self::serving(
            |root, more| Process::serve(root, &[&log[..], more].concat()),
            flags,
        )
    }

    fn serving(serve: impl Fn(&Path, &[&str]) -> Process, flags: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("policies")).unwrap();
        fs::write(folder.path().join("policies/all.cedar"), POLICIES).unwrap();
        let flags = [&["--policies=policies", "--shutdown-grace=0s"], flags].concat();
        Self {
            process: serve(folder.path(), &flags),
            folder,
        }
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("decisions.log")
    }

    /// Ends the service in good order, and gives what is in the log then.
    fn end(&mut self) -> Vec<Value> {
        self.process.signal(Signal::TERM);
        self.process.wait();
        records(&fs::read_to_string(self.log()).unwrap())
    }
}

/// What lines say; each is whole.
fn records(text: &str) -> Vec<Value> {
    assert!(text.is_empty() || text.ends_with('\n'), "{text}");
    let lines = text.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("torn: {line}")))
        .collect()
}

fn of_type<'a>(records: &'a [Value], kind: &str) -> Vec<&'a Value> {
    records.iter().filter(|it| it["type"] == kind).collect()
}

fn question(user: &str) -> Value {
    json!({
        "subject": {"type": "User", "id": user},
        "action": {"name": "read"},
        "resource": {"type": "Doc", "id": "d1"},
    })
}

/// Asks, and gives the answer.
fn ask(connection: &mut Connection, path: &str, body: &Value) -> Value {
    let reply = connection.send("POST", path, &[JSON], body.to_string().as_bytes());
    assert_eq!(reply.status, 200, "{}", reply.body);
    reply.json()
}

fn metric(process: &Process, series: &str) -> f64 {
    let metrics = process
        .connect_admin()
        .send("GET", "/metrics", &[], b"")
        .body;
    let mut lines = metrics.lines();
    let value = lines.find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    value
        .unwrap_or_else(|| panic!("no {series}"))
        .parse()
        .unwrap()
}

fn check_of_log(process: &Process) -> Value {
    let ready = process.connect_admin().send("GET", "/readyz", &[], b"");
    ready.json()["checks"]["decision_log"].clone()
}

#[test]
fn each_decision_is_a_record_with_its_request_trace_and_reasons() {
    let mut house = House::logging(&[]);
    let mut connection = house.process.connect();
    let traceparent = format!("00-{TRACE}-{SPAN}-01");
    let headers = [
        JSON,
        ("X-Request-ID", "r1"),
        ("traceparent", traceparent.as_str()),
    ];
    let body = question("alice").to_string();
    let path = "/access/v1/evaluation";
    let reply = connection.send("POST", path, &headers, body.as_bytes());
    let revision = reply.header("x-palisade-revision").unwrap().to_owned();
    let users = ["alice", "bob", "carol"].map(question);
    ask(
        &mut connection,
        "/access/v1/evaluations",
        &json!({"evaluations": users}),
    );
    let cedar = json!({
        "principal": {"type": "User", "id": "say \"hi\""},
        "action": "Action::\"read\"",
        "resource": "Doc::\"d1\"",
    });
    ask(&mut connection, "/v1/is_authorized", &cedar);
    ask(
        &mut connection,
        "/v1/batch_is_authorized",
        &json!({"requests": [cedar, cedar]}),
    );
    let all = house.end();
    let decisions = of_type(&all, "decision");
    let first = decisions[0];
    let expected = json!({
        "type": "decision",
        "request_id": "r1",
        "trace_id": TRACE,
        "span_id": SPAN,
        "revision": revision,
        "endpoint": "evaluation",
        "principal": "User::\"alice\"",
        "action": "Action::\"read\"",
        "resource": "Doc::\"d1\"",
        "decision": "allow",
        "outcome": "permitted",
        "policies": ["readers"],
        "errors": [],
        "time": first["time"],
        "decision_id": first["decision_id"],
        "duration_us": first["duration_us"],
    });
    assert_eq!(*first, expected);
    // Version 7, and the time as RFC 3339 has it, in UTC.
    assert_eq!(
        first["decision_id"].as_str().unwrap().chars().nth(14),
        Some('7')
    );
    assert!(first["time"].as_str().unwrap().ends_with('Z'));
    assert!(first["duration_us"].as_f64().unwrap() > 0.0);
    let told: Vec<_> = decisions
        .iter()
        .skip(1)
        .map(|it| ["endpoint", "principal", "outcome"].map(|key| it[key].as_str().unwrap()))
        .collect();
    let hi = "User::\"say \\\"hi\\\"\"";
    assert_eq!(
        told,
        [
            ["evaluations", "User::\"alice\"", "permitted"],
            ["evaluations", "User::\"bob\"", "forbidden"],
            ["evaluations", "User::\"carol\"", "not_permitted"],
            ["is_authorized", hi, "not_permitted"],
            ["batch_is_authorized", hi, "not_permitted"],
            ["batch_is_authorized", hi, "not_permitted"],
        ]
    );
    // No two decisions have one id, and their order is that of time.
    let ids: Vec<_> = decisions
        .iter()
        .map(|it| it["decision_id"].as_str())
        .collect();
    assert!(ids.is_sorted_by(|a, b| a < b), "{ids:?}");
}

#[test]
fn nothing_of_context_and_attributes_is_written_unless_named() {
    let secret = |flags: &[&str]| {
        let mut house = House::logging(flags);
        let mut connection = house.process.connect();
        let mut body = question("carol");
        body["subject"]["properties"] = json!({"card": "s3cret-attribute"});
        body["action"]["properties"] = json!({"how": "s3cret-how"});
        body["context"] = json!({"ip": "10.0.0.1", "note": "s3cret-note"});
        let answer = ask(&mut connection, "/access/v1/evaluation", &body);
        assert_eq!(answer["decision"], false);
        let cedar = json!({
            "principal": "User::\"alice\"",
            "action": "Action::\"read\"",
            "resource": "Doc::\"d1\"",
            "context": {"ip": "10.0.0.2", "note": "s3cret-note"},
            "additional_entities": [{"uid": {"type": "User", "id": "alice"}, "attrs": {"a": "s3cret-entity"}, "parents": []}],
        });
        ask(&mut connection, "/v1/is_authorized", &cedar);
        let all = house.end();
        let text = format!("{all:?}");
        let decisions: Vec<Value> = of_type(&all, "decision").into_iter().cloned().collect();
        (decisions, text)
    };
    let (decisions, text) = secret(&[]);
    assert!(
        !text.contains("s3cret") && !text.contains("10.0.0"),
        "{text}"
    );
    // Cedar's message quotes the value: only the policy is named.
    assert_eq!(decisions[0]["outcome"], "error");
    assert_eq!(decisions[0]["errors"], json!(["odd"]));

    let (decisions, text) = secret(&["--decision-log-context=ip,action_properties,absent"]);
    assert_eq!(
        decisions[0]["context"],
        json!({"ip": "10.0.0.1", "action_properties": {"how": "s3cret-how"}})
    );
    assert_eq!(decisions[1]["context"], json!({"ip": "10.0.0.2"}));
    assert!(
        !text.contains("s3cret-note") && !text.contains("s3cret-attribute"),
        "{text}"
    );

    let (decisions, text) = secret(&["--decision-log-entities"]);
    assert_eq!(
        decisions[0]["entities"],
        json!([{"uid": {"type": "User", "id": "carol"}, "attrs": {"card": "s3cret-attribute"}}])
    );
    assert_eq!(
        decisions[1]["additional_entities"][0]["attrs"],
        json!({"a": "s3cret-entity"})
    );
    assert!(
        !text.contains("s3cret-note") && !text.contains("s3cret-how"),
        "{text}"
    );
}

#[test]
fn entities_that_came_once_for_several_questions_are_written_once() {
    let mut house = House::logging(&["--decision-log-entities"]);
    let request = json!({
        "principal": "User::\"alice\"", "action": "Action::\"read\"", "resource": "Doc::\"d1\"",
    });
    let entity = json!({"uid": {"type": "User", "id": "alice"}, "attrs": {}, "parents": []});
    let body = json!({"requests": [request, request], "entities": [entity]});
    ask(
        &mut house.process.connect(),
        "/v1/batch_is_authorized",
        &body,
    );
    let all = house.end();
    let [first, second] = of_type(&all, "decision")[..] else {
        panic!("{all:?}");
    };
    assert_eq!(
        (&first["entities"], &first["omitted"]),
        (&json!([entity]), &Value::Null)
    );
    assert_eq!(
        (&second["entities"], &second["omitted"]),
        (&Value::Null, &json!(["entities"]))
    );
}

#[test]
fn a_record_is_short_whatever_a_caller_sends() {
    let mut house = House::logging(&["--decision-log-context=note"]);
    let mut connection = house.process.connect();
    let mut body = question(&"ä\n".repeat(100_000));
    body["context"] = json!({"note": "x".repeat(100_000)});
    ask(&mut connection, "/access/v1/evaluation", &body);
    let all = house.end();
    let decision = of_type(&all, "decision")[0];
    assert!(decision["principal"].as_str().unwrap().ends_with("ä\\n…\""));
    assert_eq!(decision["omitted"], json!(["context"]));
    assert_eq!(decision["context"], Value::Null);
    assert!(decision.to_string().len() < 4096);
}

#[test]
fn allows_may_be_left_out_and_denials_never_are() {
    let mut house = House::logging(&["--decision-log-sample-allows=0"]);
    let mut connection = house.process.connect();
    for user in ["alice", "bob", "alice", "carol"] {
        ask(&mut connection, "/access/v1/evaluation", &question(user));
    }
    let all = house.end();
    let decisions = of_type(&all, "decision");
    let told: Vec<_> = decisions
        .iter()
        .map(|it| it["decision"].as_str().unwrap())
        .collect();
    assert_eq!(told, ["deny", "deny"]);
    // Whoever counts allows in the log is told why there are none.
    assert_eq!(all[0]["allows"], 0.0);

    // Of a half, some are written and some are not.
    let mut house = House::logging(&["--decision-log-sample-allows=0.5"]);
    let mut connection = house.process.connect();
    let many = json!({"evaluations": vec![question("alice"); 1000]});
    ask(&mut connection, "/access/v1/evaluations", &many);
    let all = house.end();
    let count = of_type(&all, "decision").len();
    assert!((300..700).contains(&count), "{count}");
}

#[test]
fn reloads_and_the_life_of_the_service_are_records() {
    let mut house = House::logging(&["--rollback=2"]);
    let file = house.folder.path().join("policies/all.cedar");
    let log = || records(&fs::read_to_string(house.log()).unwrap());
    let reloads = || of_type(&log(), "reload").len();
    fs::write(&file, "permit (principal, action, resource) wen { true };").unwrap();
    wait_for("a refusal", || reloads() == 2);
    fs::write(&file, format!("{POLICIES}// the same and more")).unwrap();
    wait_for("an edit", || reloads() == 3);
    let all = log();
    let [start, refused, edited] = of_type(&all, "reload")[..] else {
        panic!("{all:?}");
    };
    assert_eq!(
        (&start["trigger"], &start["from"]),
        (&json!("start"), &Value::Null)
    );
    assert_eq!(refused["result"], "rejected");
    assert_eq!(refused["findings"][0]["line"], 1);
    assert_eq!(refused["from"], start["to"]);
    assert_eq!(
        (&edited["result"], &edited["from"]),
        (&json!("applied"), &start["to"])
    );
    let owner = rustix::process::geteuid().as_raw();
    assert_eq!(
        edited["changes"],
        json!([{"change": "changed", "file": "policies/all.cedar", "owner": owner}])
    );
    let body = json!({"revision": start["to"]}).to_string();
    let mut admin = house.process.connect_admin();
    let reply = admin.send("POST", "/v1/pin", &[JSON], body.as_bytes());
    assert_eq!(reply.status, 200);
    let all = house.end();
    let pinned = of_type(&all, "reload")[3];
    assert_eq!(
        (&pinned["trigger"], &pinned["to"]),
        (&json!("pin"), &start["to"])
    );
    let life = of_type(&all, "lifecycle");
    let life: Vec<_> = life
        .iter()
        .map(|it| it["event"].as_str().unwrap())
        .collect();
    assert_eq!(life, ["started", "draining", "stopped"]);
    assert_eq!(all.last().unwrap()["event"], "stopped");
}

#[test]
fn a_start_that_is_refused_is_in_the_log_with_its_reason() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("all.cedar"), "permit (").unwrap();
    let started = Command::new(env!("CARGO_BIN_EXE_palisade"))
        .current_dir(folder.path())
        .args(["serve", "--policies=all.cedar", "--decision-log=log"])
        .args(["--listen=127.0.0.1:0", "--admin-listen=127.0.0.1:0"])
        .output()
        .unwrap();
    assert_eq!(started.status.code(), Some(3));
    let all = records(&fs::read_to_string(folder.path().join("log")).unwrap());
    let [start, refused, end] = &all[..] else {
        panic!("{all:?}");
    };
    assert_eq!(
        (&start["event"], &end["event"]),
        (&json!("started"), &json!("stopped"))
    );
    assert_eq!(
        (&refused["result"], &refused["reason"]),
        (&json!("rejected"), &json!("parse"))
    );
}

#[test]
fn what_was_asked_before_the_end_is_written_by_then() {
    let mut house = House::logging(&[]);
    let mut connection = house.process.connect();
    let many = json!({"evaluations": vec![question("bob"); 5000]});
    for _ in 0..4 {
        ask(&mut connection, "/access/v1/evaluations", &many);
    }
    assert_eq!(of_type(&house.end(), "decision").len(), 20_000);
}

#[test]
fn events_of_ocsf_say_the_same() {
    let mut house = House::logging(&["--decision-log-format=ocsf"]);
    let mut connection = house.process.connect();
    ask(&mut connection, "/access/v1/evaluation", &question("bob"));
    let all = house.end();
    // What the schema demands of every event of either class.
    for event in &all {
        for key in [
            "activity_id",
            "category_uid",
            "class_uid",
            "severity_id",
            "time",
            "type_uid",
        ] {
            assert!(event[key].is_u64(), "{key}: {event}");
        }
        assert_eq!(event["metadata"]["version"], "1.0.0");
        assert_eq!(event["metadata"]["product"]["vendor_name"], "palisade");
        assert!(!event.to_string().contains("null"), "{event}");
    }
    let classes: Vec<_> = all
        .iter()
        .map(|it| it["class_uid"].as_u64().unwrap())
        .collect();
    assert_eq!(classes, [6002, 6002, 3004, 6002, 6002]);
    let decision = &all[2];
    assert_eq!(
        decision["entity"],
        json!({"type": "User", "name": "bob", "uid": "User::\"bob\""})
    );
    assert_eq!(decision["entity_result"]["name"], "d1");
    assert_eq!(decision["activity_name"], "read");
    assert_eq!(decision["type_uid"], 300_499);
    assert_eq!(
        (&decision["status"], &decision["status_code"]),
        (&json!("Success"), &json!("Deny"))
    );
    assert_eq!(
        decision["unmapped"]["determined_policies"],
        json!(["not-bob"])
    );
}
