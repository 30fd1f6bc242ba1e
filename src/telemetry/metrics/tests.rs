use crate::authz::{Outcome, PolicyError, SourceFile, Sources};

use super::*;

fn lines(metrics: &Metrics, prefix: &str) -> Vec<String> {
    let text = metrics.render().unwrap();
    let found = text.lines().filter(|line| line.starts_with(prefix));
    found.map(ToOwned::to_owned).collect()
}

fn answer(outcome: Outcome) -> Answer {
    Answer {
        outcome,
        policies: vec!["gone".to_owned()],
        errors: Vec::new(),
        diagnostics: Vec::new(),
    }
}

#[test]
fn every_series_known_at_the_start_is_there_at_zero() {
    let metrics = Metrics::new().unwrap();
    for line in [
        "palisade_decisions_total{action=\"other\",decision=\"deny\",outcome=\"error\"} 0",
        "palisade_reloads_total{reason=\"none\",result=\"applied\"} 0",
        "palisade_reloads_total{reason=\"parse\",result=\"rejected\"} 0",
        "palisade_reloads_total{reason=\"shrink\",result=\"rejected\"} 0",
        "palisade_reloads_total{reason=\"canary\",result=\"rejected\"} 0",
        "palisade_reload_duration_seconds_count{phase=\"canary\"} 0",
        "palisade_watch_events_total{kind=\"rescan\"} 0",
        "palisade_sources_stale 0",
        "palisade_watcher_up 0",
        "palisade_trace_spans_exported_total 0",
        "palisade_trace_export_errors_total 0",
        "palisade_trace_spans_dropped_total{reason=\"failed\"} 0",
        "palisade_trace_spans_dropped_total{reason=\"queue_full\"} 0",
        "palisade_trace_spans_dropped_total{reason=\"rejected\"} 0",
        "palisade_trace_spans_dropped_total{reason=\"shutdown\"} 0",
        "palisade_reload_duration_seconds_count{phase=\"read\"} 0",
        "palisade_evaluation_duration_seconds_bucket{le=\"0.000005\"} 0",
    ] {
        assert_eq!(lines(&metrics, line).len(), 1, "{line}");
    }
    assert_eq!(lines(&metrics, "process_start_time_seconds").len(), 1);
    assert_eq!(lines(&metrics, "palisade_build_info{").len(), 1);
}

#[test]
fn exactly_one_revision_is_told() {
    let metrics = Metrics::new().unwrap();
    for skip_validation in [true, false] {
        let sources = Sources {
            skip_validation,
            ..Sources::default()
        };
        let Ok(snapshot) = Snapshot::compile(&sources) else {
            panic!("the empty sources compile");
        };
        metrics.published(&snapshot);
        let told = lines(&metrics, "palisade_snapshot_info{");
        let expected = format!(
            "palisade_snapshot_info{{revision=\"{}\"}} 1",
            snapshot.revision()
        );
        assert_eq!(told, [expected]);
    }
}

#[test]
fn what_is_not_declared_counts_as_other_and_brings_no_series_to_life() {
    let metrics = Metrics::new().unwrap();
    let permitted = answer(Outcome::Permitted);
    metrics.decided(Some("no.such.action"), &permitted, Duration::ZERO);
    metrics.decided(None, &permitted, Duration::ZERO);
    let line =
        "palisade_decisions_total{action=\"other\",decision=\"allow\",outcome=\"permitted\"} 2";
    assert_eq!(lines(&metrics, line).len(), 1);
    assert_eq!(
        lines(&metrics, "palisade_determining_policy_total"),
        [""; 0]
    );
}

#[test]
fn a_request_is_in_flight_until_it_is_dropped() {
    let metrics = Metrics::new().unwrap();
    let request = metrics.in_flight();
    let name = "palisade_http_requests_in_flight";
    assert_eq!(lines(&metrics, name), [format!("{name} 1")]);
    drop(request);
    assert_eq!(lines(&metrics, name), [format!("{name} 0")]);
}

#[test]
fn replies_are_counted_by_code_also_those_that_nobody_expects() {
    let metrics = Metrics::new().unwrap();
    let replies = metrics.serves("evaluation", &[200, 400]);
    for code in [200, 200, 418, 418] {
        metrics.answered(&replies, code, Duration::from_micros(30));
    }
    let name = "palisade_http_request_duration_seconds_count";
    let count =
        |(code, count)| format!("{name}{{code=\"{code}\",endpoint=\"evaluation\"}} {count}");
    assert_eq!(
        lines(&metrics, name),
        [(200, 2), (400, 0), (418, 2)].map(count)
    );
}

fn snapshot(schema: &str, policies: &str) -> Snapshot {
    let file = |name: &str, text: &str| SourceFile {
        name: name.to_owned(),
        bytes: text.as_bytes().to_vec(),
    };
    let sources = Sources {
        policies: vec![file("p.cedar", policies)],
        schema: Some(file("s.cedarschema", schema)),
        ..Sources::default()
    };
    Snapshot::compile(&sources).unwrap()
}

#[test]
fn series_follow_the_snapshot_and_keep_their_counts() {
    let metrics = Metrics::new().unwrap();
    let schema = |actions: &str| {
        format!("entity U; action {actions} appliesTo {{ principal: U, resource: U }};")
    };
    let policies = r#"@id("keep") permit (principal, action, resource);
        @id("turn") permit (principal, action, resource);
        @id("gone") forbid (principal, action, resource);"#;
    metrics.published(&snapshot(&schema("a, b"), policies));
    let count = |name: &str| lines(&metrics, name).len();
    assert_eq!(count("palisade_decisions_total{"), 3 * 4);
    assert_eq!(count("palisade_determining_policy_total{"), 3);
    assert_eq!(count("palisade_policy_errors_total{"), 3);
    for name in ["policies 3", "entities 0", "schema_actions 2"] {
        assert_eq!(count(&format!("palisade_{name}")), 1, "{name}");
    }

    let answer = Answer {
        outcome: Outcome::Permitted,
        policies: vec!["gone".to_owned(), "keep".to_owned()],
        errors: vec![PolicyError {
            policy: "keep".to_owned(),
            message: String::new(),
        }],
        diagnostics: Vec::new(),
    };
    metrics.decided(Some("a"), &answer, Duration::ZERO);
    let policies = r#"@id("keep") permit (principal, action, resource);
        @id("turn") forbid (principal, action, resource);"#;
    metrics.published(&snapshot(&schema("a, c"), policies));
    metrics.decided(Some("a"), &answer, Duration::ZERO);
    metrics.decided(Some("b"), &answer, Duration::ZERO);
    let permitted = "decision=\"allow\",outcome=\"permitted\"";
    for (line, value) in [
        (format!("decisions_total{{action=\"a\",{permitted}}}"), 2),
        (format!("decisions_total{{action=\"c\",{permitted}}}"), 0),
        (
            format!("decisions_total{{action=\"other\",{permitted}}}"),
            1,
        ),
        (
            "determining_policy_total{effect=\"permit\",policy=\"keep\"}".to_owned(),
            3,
        ),
        (
            "determining_policy_total{effect=\"forbid\",policy=\"turn\"}".to_owned(),
            0,
        ),
        ("policy_errors_total{policy=\"keep\"}".to_owned(), 3),
        ("policy_errors_total{policy=\"turn\"}".to_owned(), 0),
    ] {
        let line = format!("palisade_{line} {value}");
        assert_eq!(lines(&metrics, &line), [line.as_str()]);
    }
    assert_eq!(count("palisade_decisions_total{"), 3 * 4);
    assert_eq!(count("palisade_determining_policy_total{"), 2);
    assert_eq!(count("palisade_policy_errors_total{"), 2);
}
