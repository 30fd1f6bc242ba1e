//! An attempt to bring other sources into force, as spans: one of the whole, and one of each step.

use std::time::Duration;

use opentelemetry::{
    KeyValue,
    trace::{SpanContext, Status, TraceFlags, TraceState},
};
use opentelemetry_sdk::trace::{IdGenerator, SpanData};

use crate::telemetry::{Attempt, ReloadResult};

use super::span;

/// The spans of an attempt. What is known is when it ended and how long each step took; the steps
/// follow each other, so that tells when each began.
pub(super) fn spans(attempt: &Attempt, ids: &dyn IdGenerator) -> Vec<SpanData> {
    let trace_id = ids.new_trace_id();
    let context = || {
        let (span_id, state) = (ids.new_span_id(), TraceState::default());
        SpanContext::new(trace_id, span_id, TraceFlags::SAMPLED, false, state)
    };
    let took: Duration = attempt.took.iter().map(|(_, took)| *took).sum();
    let mut at = attempt.at.checked_sub(took).unwrap_or(attempt.at);
    let whole = SpanData {
        end_time: attempt.at,
        attributes: attributes(attempt),
        status: match attempt.result {
            ReloadResult::Rejected(kind) => Status::error(kind.as_str()),
            ReloadResult::Applied | ReloadResult::Held | ReloadResult::Unchanged => Status::Unset,
        },
        ..span::new(context(), "reload".to_owned(), at)
    };
    let parent_span_id = whole.span_context.span_id();
    let mut all = vec![whole];
    for (phase, took) in &attempt.took {
        let begin = at;
        at = at.checked_add(*took).unwrap_or(at);
        all.push(SpanData {
            parent_span_id,
            end_time: at,
            ..span::new(context(), format!("reload {}", phase.as_str()), begin)
        });
    }
    all
}

/// Never a finding: those about stored data quote it.
fn attributes(attempt: &Attempt) -> Vec<KeyValue> {
    let [result, reason] = attempt.result.labels();
    let count = |length: usize| i64::try_from(length).unwrap_or(i64::MAX);
    let changed = attempt.changes.files.len() + attempt.changes.more;
    let mut all = vec![
        KeyValue::new("palisade.trigger", attempt.trigger.as_str()),
        KeyValue::new("palisade.result", result),
        KeyValue::new("palisade.reason", reason),
        KeyValue::new("palisade.changed_files", count(changed)),
        KeyValue::new("palisade.findings", count(attempt.findings.len())),
    ];
    let revisions = [
        ("palisade.revision", &attempt.revision),
        ("palisade.from_revision", &attempt.from),
    ];
    let revisions = revisions.into_iter();
    all.extend(revisions.filter_map(|(name, it)| Some(KeyValue::new(name, it.clone()?))));
    all
}
