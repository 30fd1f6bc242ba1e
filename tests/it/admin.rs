//! The admin listener.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use palisade::{
    authz::{Finding, Kind},
    telemetry::{
        Attempt, Change, Changed, Changes, Check, Phase, ReloadResult, Rollback, Trigger, Turn,
    },
};
use serde_json::{Value, json};

use crate::{
    client::JSON,
    harness::{Server, Start},
};

#[test]
fn livez_lives_whatever_the_policies() {
    let server = Server::start(&Start {
        publish: false,
        ..Start::default()
    });
    let reply = server.admin("/livez");
    assert_eq!(
        (reply.status, reply.body.as_str()),
        (200, r#"{"status":"ok"}"#)
    );
}

#[test]
fn readyz_has_a_state_for_each_check() {
    let server = Server::start(&Start::default());
    server.status.set_watcher(Check::Ok);
    let reply = server.admin("/readyz");
    assert_eq!(reply.status, 200);
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    let ok = json!({"state": "ok"});
    assert_eq!(
        reply.json(),
        json!({
            "ready": true,
            "revision": server.revision,
            "checks": {
                "snapshot": ok,
                "watcher": ok,
                "sources": ok,
                "decision_log": {"state": "off", "message": "decisions are not logged"},
                "listener": ok,
            },
        })
    );
    server.status.turned(Turn {
        sources: Check::Degraded("the last edit was rejected".to_owned()),
        in_force: None,
        rollback: None,
        attempt: None,
    });
    let degraded = server.admin("/readyz");
    assert_eq!(degraded.status, 200);
    assert_eq!(
        degraded.json()["checks"]["sources"],
        json!({"state": "degraded", "message": "the last edit was rejected"})
    );
    server
        .status
        .set_listener(Check::Failed("draining".to_owned()));
    let draining = server.admin("/readyz");
    assert_eq!(
        (draining.status, &draining.json()["ready"]),
        (503, &json!(false))
    );
}

#[test]
fn readyz_needs_a_snapshot() {
    let server = Server::start(&Start {
        publish: false,
        ..Start::default()
    });
    let reply = server.admin("/readyz");
    assert_eq!(reply.status, 503);
    assert_eq!(reply.json()["checks"]["snapshot"]["state"], "failed");
}

#[test]
fn readyz_waits_for_the_revision_that_is_asked_for() {
    let server = Server::start(&Start::default());
    let check = |query: &str, status| {
        assert_eq!(
            server.admin(&format!("/readyz?{query}")).status,
            status,
            "{query}"
        );
    };
    check(&format!("revision={}", server.revision), 200);
    check("revision=0000", 503);
    check("revision=", 503);
    check("verbose", 200);
    check("revision=a&revision=b", 400);
}

#[test]
fn status_says_what_is_in_force_and_how_it_came_to_be() {
    let server = Server::start(&Start::default());
    let at = SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_225_600);
    let text = "permit (principal, action, resource) wen { true };";
    let attempt = Attempt {
        at,
        trigger: Trigger::Event,
        by: None,
        from: Some("aaa".to_owned()),
        revision: Some("abc".to_owned()),
        result: ReloadResult::Rejected(Kind::Parse),
        changes: Changes {
            files: vec![Changed {
                change: Change::Changed,
                name: "a.cedar".to_owned(),
                owner: Some(1000),
            }],
            more: 7,
        },
        findings: vec![
            Finding::error(Kind::Parse, "a.cedar", "unexpected `wen`")
                .at(text, 37, 3)
                .help("did you mean `when`?"),
        ],
        took: vec![(Phase::Read, Duration::from_micros(1500))],
    };
    server.status.turned(Turn {
        sources: Check::Ok,
        in_force: None,
        rollback: Some(Rollback {
            pinned: None,
            revisions: vec![("aaa".to_owned(), at)],
            acceptable: Some("abc".to_owned()),
        }),
        attempt: Some(Arc::new(attempt)),
    });
    let page = server.admin("/v1/status").json();
    assert_eq!(page["revision"], server.revision.as_str());
    assert_eq!(page["loaded_at"], "1970-01-01T00:00:00Z");
    let names: Vec<_> = page["files"].as_array().unwrap().iter().collect();
    assert_eq!(names.len(), 3);
    assert_eq!(names[0]["name"], "schema.cedarschema");
    assert_eq!(names[0]["sha256"].as_str().unwrap().len(), 64);
    assert_eq!(page["warnings"], json!([]));
    assert_eq!(
        page["rollback"],
        json!({
            "pinned": null,
            "acceptable": "abc",
            "revisions": [{"revision": "aaa", "loaded_at": "2026-01-01T00:00:00Z"}],
        })
    );
    assert_eq!(
        page["attempts"][0],
        json!({
            "at": "2026-01-01T00:00:00Z",
            "trigger": "event",
            "by": null,
            "from": "aaa",
            "revision": "abc",
            "result": "rejected",
            "reason": "parse",
            "changes": [{"change": "changed", "file": "a.cedar", "owner": 1000}],
            "more_changes": 7,
            "duration_ms": {"read": 1.5},
            "findings": [{
                "kind": "parse",
                "severity": "error",
                "file": "a.cedar",
                "line": 1,
                "column": 38,
                "source_line": text,
                "message": "unexpected `wen`",
                "label": null,
                "help": "did you mean `when`?",
            }],
        })
    );
}

#[test]
fn policies_and_schema_are_shown() {
    let server = Server::start(&Start::default());
    let reply = server.admin("/v1/policies");
    assert_eq!(
        reply.header("x-palisade-revision"),
        Some(server.revision.as_str())
    );
    let page = reply.json();
    let policies = page["policies"].as_array().unwrap();
    assert_eq!(policies.len(), 4);
    assert_eq!(
        policies[0],
        json!({
            "id": "fixture-read",
            "effect": "permit",
            "file": "policies.cedar",
            "line": 1,
            "annotations": {"id": "fixture-read"},
        })
    );
    let counts = server.admin("/v1/status").json()["counts"].clone();
    assert_eq!(
        counts,
        json!({"policies": 4, "entities": 4, "schema_actions": 3, "canaries": 0})
    );
    let schema = server.admin("/v1/schema").json();
    assert!(schema[""]["entityTypes"]["record"].is_object(), "{schema}");
}

#[test]
fn there_is_no_schema_page_without_a_schema() {
    let server = Server::start(&Start {
        sources: Default::default(),
        ..Start::default()
    });
    let reply = server.admin("/v1/schema");
    assert_eq!((reply.status, reply.code().as_str()), (404, "not_found"));
}

#[test]
fn explain_always_explains() {
    let server = Server::start(&Start::default());
    let body = json!({
        "subject": {"type": "user", "id": "alice"},
        "action": {"name": "read"},
        "resource": {"type": "record", "id": "record-1"},
    });
    let explain = |body: &Value| {
        let body = body.to_string();
        server
            .connect_admin()
            .send("POST", "/v1/explain", &[JSON], body.as_bytes())
    };
    let reply = explain(&body);
    assert_eq!(reply.status, 200);
    assert_eq!(
        reply.header("x-palisade-revision"),
        Some(server.revision.as_str())
    );
    assert_eq!(
        reply.body,
        concat!(
            r#"{"decision":true,"context":{"outcome":"permitted","#,
            r#""policies":["fixture-read"],"diagnostics":[]}}"#
        )
    );
    assert_eq!(explain(&json!({})).status, 400);
}

#[test]
fn metrics_are_in_prometheus_text() {
    let server = Server::start(&Start::default());
    let body = json!({
        "subject": {"type": "user", "id": "alice"},
        "action": {"name": "read"},
        "resource": {"type": "record", "id": "record-1"},
    });
    assert_eq!(server.post("/access/v1/evaluation", &body).status, 200);
    assert_eq!(server.get("/nowhere").status, 404);
    let reply = server.admin("/metrics");
    assert_eq!(reply.status, 200);
    let kind = "text/plain; version=0.0.4; charset=utf-8";
    assert_eq!(reply.header("content-type"), Some(kind));
    for line in [
        r#"palisade_http_request_duration_seconds_count{code="200",endpoint="evaluation"} 1"#,
        r#"palisade_http_request_duration_seconds_count{code="404",endpoint="other"} 1"#,
        r#"palisade_http_requests_rejected_total{reason="not_found"} 1"#,
        r#"palisade_decisions_total{action="read",decision="allow",outcome="permitted"} 1"#,
        "palisade_http_requests_in_flight 0",
    ] {
        assert!(
            reply.body.lines().any(|it| it == line),
            "{line} in\n{}",
            reply.body
        );
    }
}

#[test]
fn methods_are_checked_and_head_has_no_body() {
    let server = Server::start(&Start::default());
    for path in [
        "/livez",
        "/readyz",
        "/metrics",
        "/v1/status",
        "/v1/policies",
        "/v1/schema",
    ] {
        let mut connection = server.connect_admin();
        let get = connection.send("GET", path, &[], b"");
        let head = connection.send("HEAD", path, &[], b"");
        assert_eq!((get.status, head.status), (200, 200), "{path}");
        assert_eq!(
            head.header("content-type"),
            get.header("content-type"),
            "{path}"
        );
        let post = connection.send("POST", path, &[], b"");
        assert_eq!(
            (post.status, post.header("allow")),
            (405, Some("GET, HEAD")),
            "{path}"
        );
    }
    let explain = server.admin("/v1/explain");
    assert_eq!(
        (explain.status, explain.header("allow")),
        (405, Some("POST"))
    );
    assert_eq!(server.admin("/access/v1/evaluation").status, 404);
    assert_eq!(server.get("/metrics").status, 404);
}
