//! Operators put something else in force than the files say, on the real binary.

use std::fs;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    client::{Connection, JSON, Reply},
    contract::Contract,
    harness::wait_for,
    process::Process,
};

/// A served folder with one policy file, in which version N permits the first N of ten users.
struct Operated {
    folder: TempDir,
    process: Process,
    admin: Connection,
    contract: Contract,
}

impl Operated {
    fn start(users: usize, flags: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("policies")).unwrap();
        write(&folder, &permits(users));
        let process = Process::serve(folder.path(), &[&["--policies=policies"], flags].concat());
        Self {
            admin: process.connect_admin(),
            contract: Contract::of(process.connect()),
            process,
            folder,
        }
    }

    /// Saves a version, and waits until it is the last attempt's.
    fn edit(&mut self, users: usize) -> Value {
        let before = self.status()["attempts"].as_array().unwrap().len();
        write(&self.folder, &permits(users));
        let mut attempts = Vec::new();
        wait_for("the edit is looked at", || {
            attempts = self.status()["attempts"].as_array().unwrap().clone();
            attempts.len() > before
        });
        attempts.pop().unwrap()
    }

    fn post(&mut self, path: &str, body: &Value) -> Reply {
        let reply = self
            .admin
            .send("POST", path, &[JSON], body.to_string().as_bytes());
        self.contract.answer_fits("POST", path, &reply);
        reply
    }

    /// The revision in force, as whoever asks sees it, with the number of users it permits.
    fn in_force(&self) -> (String, usize) {
        let question = |user| json!({ "subject": { "type": "U", "id": format!("u{user}") } });
        let body = json!({
            "action": { "name": "do" },
            "resource": { "type": "R", "id": "r" },
            "evaluations": (0..10).map(question).collect::<Vec<_>>(),
        });
        let mut connection = self.process.connect();
        let body = body.to_string();
        let reply = connection.send("POST", "/access/v1/evaluations", &[JSON], body.as_bytes());
        let decisions = reply.json()["evaluations"].as_array().unwrap().clone();
        let permitted = decisions.iter().filter(|it| it["decision"] == true);
        let revision = reply.header("x-palisade-revision").unwrap();
        (revision.to_owned(), permitted.count())
    }

    fn status(&mut self) -> Value {
        let reply = self.admin.send("GET", "/v1/status", &[], b"");
        self.contract.answer_fits("GET", "/v1/status", &reply);
        reply.json()
    }

    /// The last attempt.
    fn last(&mut self) -> Value {
        let attempts = self.status()["attempts"].as_array_mut().unwrap().pop();
        attempts.unwrap()
    }

    fn ready(&mut self) -> Value {
        let reply = self.admin.send("GET", "/readyz", &[], b"");
        assert_eq!(reply.status, 200);
        self.contract.answer_fits("GET", "/readyz", &reply);
        reply.json()
    }

    #[track_caller]
    fn has_metric(&mut self, line: &str) {
        let page = self.admin.send("GET", "/metrics", &[], b"").body;
        assert!(page.lines().any(|it| it == line), "{line} in\n{page}");
    }
}

fn write(folder: &TempDir, text: &str) {
    fs::write(folder.path().join("policies/a.cedar"), text).unwrap();
}

fn permits(users: usize) -> String {
    (0..users)
        .map(|user| format!("permit (principal == U::\"u{user}\", action, resource);\n"))
        .collect()
}

#[test]
fn a_pin_brings_back_what_was_in_force_and_edits_wait_for_its_end() {
    let mut operated = Operated::start(4, &["--rollback=2"]);
    let (four, _) = operated.in_force();
    operated.edit(5);
    let (five, _) = operated.in_force();
    let reply = operated.post("/v1/pin", &json!({ "revision": four }));
    assert_eq!(reply.json(), json!({ "revision": four, "pinned": four }));
    assert_eq!(operated.in_force(), (four.clone(), 4));
    let ready = operated.ready();
    assert_eq!(ready["pinned"], true);
    let waits = "pinned by an operator: a good edit waits";
    assert_eq!(ready["checks"]["sources"]["message"], waits);
    operated.has_metric("palisade_snapshot_pinned 1");
    operated.has_metric("palisade_sources_stale 1");
    operated.has_metric(&format!("palisade_snapshot_info{{revision=\"{four}\"}} 1"));

    // An edit is judged all the same, and waits.
    let attempt = operated.edit(6);
    assert_eq!(
        (&attempt["result"], &attempt["reason"]),
        (&json!("held"), &json!("pin"))
    );
    assert_eq!(attempt["from"], four.as_str());
    let six = attempt["revision"].as_str().unwrap().to_owned();
    assert_eq!(operated.in_force(), (four.clone(), 4));
    operated.has_metric("palisade_reloads_total{reason=\"pin\",result=\"held\"} 1");
    let reply = operated.post("/v1/unpin", &Value::Null);
    assert_eq!(reply.json(), json!({ "revision": six, "pinned": null }));
    assert_eq!(operated.in_force(), (six.clone(), 6));
    let ready = operated.ready();
    assert_eq!(
        (&ready["pinned"], &ready["checks"]["sources"]["state"]),
        (&json!(false), &json!("ok"))
    );
    operated.has_metric("palisade_snapshot_pinned 0");
    operated.has_metric("palisade_sources_stale 0");

    let status = operated.status();
    let triggers: Vec<_> = status["attempts"].as_array().unwrap().iter().collect();
    let last: Vec<_> = triggers
        .iter()
        .rev()
        .take(3)
        .map(|it| &it["trigger"])
        .collect();
    assert_eq!(last[0], "unpin");
    assert_eq!(last[2], "pin");
    let kept = status["rollback"]["revisions"].as_array().unwrap();
    let kept: Vec<_> = kept.iter().map(|it| &it["revision"]).collect();
    assert_eq!(kept, [&five, &four, &six]);
}

#[test]
fn what_is_no_longer_kept_cannot_be_pinned() {
    let mut operated = Operated::start(4, &["--rollback=1"]);
    let (four, _) = operated.in_force();
    operated.edit(5);
    operated.edit(6);
    let (six, _) = operated.in_force();
    let reply = operated.post("/v1/pin", &json!({ "revision": four }));
    assert_eq!(
        (reply.status, reply.code().as_str()),
        (404, "unknown_revision")
    );
    assert!(reply.body.contains(&six), "{}", reply.body);
    assert_eq!(operated.in_force(), (six.clone(), 6));
    assert_eq!(operated.ready()["pinned"], false);
    // What is in force can be held as well; an edit that is refused then is told as that.
    assert_eq!(
        operated.post("/v1/pin", &json!({ "revision": six })).status,
        200
    );
    assert_eq!(operated.edit(1)["result"], "rejected");
    let message = &operated.ready()["checks"]["sources"]["message"];
    let expected = "the last edit was refused (shrink): 1 findings; pinned by an operator";
    assert_eq!(*message, expected);
    assert_eq!(operated.post("/v1/unpin", &Value::Null).status, 200);
    assert_eq!(operated.in_force(), (six, 6));
}

#[test]
fn what_a_gate_refused_can_be_taken_once() {
    let mut operated = Operated::start(6, &["--rollback=1"]);
    let (six, _) = operated.in_force();
    let refused = operated.edit(2);
    assert_eq!(
        (&refused["result"], &refused["reason"]),
        (&json!("rejected"), &json!("shrink"))
    );
    let two = refused["revision"].as_str().unwrap().to_owned();
    assert_eq!(operated.status()["rollback"]["acceptable"], two.as_str());
    let other = operated.post("/v1/accept", &json!({ "revision": six }));
    assert_eq!(
        (other.status, other.code().as_str()),
        (404, "unknown_revision")
    );
    let reply = operated.post("/v1/accept", &json!({ "revision": two }));
    assert_eq!(reply.json(), json!({ "revision": two, "pinned": null }));
    assert_eq!(operated.in_force(), (two.clone(), 2));
    operated.has_metric("palisade_sources_stale 0");
    let status = operated.status();
    let message = "4 of 6 policies would be gone";
    assert_eq!(status["warnings"][0]["message"], message);
    let last = status["attempts"].as_array().unwrap().last().unwrap();
    assert_eq!(
        (&last["trigger"], &last["result"]),
        (&json!("accept"), &json!("applied"))
    );
    // Only that one, and only by a gate.
    let again = operated.post("/v1/accept", &json!({ "revision": two }));
    assert_eq!(again.status, 404);
    write(&operated.folder, "permit (");
    wait_for("the edit is refused", || {
        operated.status()["attempts"]
            .as_array()
            .unwrap()
            .last()
            .unwrap()["reason"]
            == "parse"
    });
    let status = operated.status();
    assert_eq!(status["rollback"]["acceptable"], Value::Null);
    let broken = status["attempts"].as_array().unwrap().last().unwrap()["revision"].clone();
    let reply = operated.post("/v1/accept", &json!({ "revision": broken }));
    assert_eq!(reply.status, 404);
    assert!(
        reply.body.contains("is not valid (parse)"),
        "{}",
        reply.body
    );
    assert_eq!(operated.in_force(), (two, 2));
}

#[test]
fn nobody_puts_anything_in_force_unless_it_was_meant() {
    let mut operated = Operated::start(4, &[]);
    let (four, _) = operated.in_force();
    operated.edit(5);
    for path in ["/v1/accept", "/v1/pin", "/v1/unpin"] {
        let reply = operated.post(path, &json!({ "revision": four }));
        assert_eq!((reply.status, reply.code().as_str()), (403, "rollback_off"));
        assert!(reply.body.contains("`--rollback=N`"), "{}", reply.body);
    }
    assert_eq!(operated.in_force().1, 5);
    assert_eq!(operated.status()["rollback"], Value::Null);
    assert_eq!(operated.ready().get("pinned"), None);
}

#[test]
fn an_edit_that_is_refused_keeps_a_pin_from_ending_in_the_one_before() {
    let mut operated = Operated::start(4, &["--rollback=1"]);
    let (four, _) = operated.in_force();
    operated.edit(5);
    operated.post("/v1/pin", &json!({ "revision": four }));
    write(&operated.folder, "permit (");
    wait_for("the edit is refused", || {
        operated.last()["reason"] == "parse"
    });
    let reply = operated.post("/v1/unpin", &Value::Null);
    assert_eq!(
        (reply.status, reply.code().as_str()),
        (409, "sources_refused")
    );
    assert_eq!(operated.in_force(), (four.clone(), 4));
    // Back to what is pinned: nothing waits any more, and no gate is asked.
    assert_eq!(operated.edit(4)["result"], "unchanged");
    operated.has_metric("palisade_sources_stale 0");
    assert_eq!(operated.post("/v1/unpin", &Value::Null).status, 200);
    assert_eq!(operated.in_force(), (four, 4));
}

#[test]
fn a_web_page_changes_nothing() {
    let mut operated = Operated::start(4, &["--rollback=1"]);
    let (four, _) = operated.in_force();
    operated.edit(5);
    operated.post("/v1/pin", &json!({ "revision": four }));
    // Whatever its name: a page can have any name stand for this address.
    for origin in [
        "http://evil.example",
        &format!("http://{}", operated.process.admin),
    ] {
        let origin = ("Origin", origin);
        let reply = operated.admin.send("POST", "/v1/unpin", &[origin], b"");
        assert_eq!(
            (reply.status, reply.code().as_str()),
            (403, "forbidden_origin")
        );
    }
    assert_eq!(operated.in_force(), (four, 4));
    let long = "a".repeat(1 << 19);
    for body in [
        json!({}),
        json!({ "revision": 1 }),
        json!([]),
        json!({ "revision": long }),
    ] {
        let reply = operated.post("/v1/pin", &body);
        assert_eq!(reply.code(), "invalid_request");
        assert!(reply.body.len() < 300, "{}", reply.body);
    }
    let reply = operated.admin.send("POST", "/v1/pin", &[], b"{}");
    assert_eq!(reply.code(), "invalid_content_type");
}
