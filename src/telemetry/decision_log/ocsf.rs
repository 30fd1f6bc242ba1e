//! The same as events of the Open Cybersecurity Schema Framework 1.0, laid out as those of the agents
//! that Cedar's authors wrote: a decision is of class 3004, Entity Management, with the principal as
//! the entity and the resource as its result. What is no decision is of class 6002, Application
//! Lifecycle.

use std::time::SystemTime;

use serde_json::{Value, json};

use super::record::{Decided, Event, Life, Record, Reload, Time};

/// The version of the schema.
const VERSION: &str = "1.0.0";

/// An activity that has a name only.
const OTHER: u32 = 99;

/// The severities that are used.
const INFORMATIONAL: (u32, &str) = (1, "Informational");
const LOW: (u32, &str) = (2, "Low");
const MEDIUM: (u32, &str) = (3, "Medium");

/// A record as an event.
pub(super) fn event(record: &Record<'_>) -> Value {
    let mut event = match record {
        Record::Decision(decided) => decision(decided),
        Record::Lifecycle(life) => lifecycle(life, record),
        Record::Reload(reload) => reloaded(reload, record),
    };
    leave_out_nulls(&mut event);
    event
}

/// The schema knows no `null`: what is not known is not there.
fn leave_out_nulls(value: &mut Value) {
    if let Value::Object(object) = value {
        object.retain(|_, value| !value.is_null());
        object.values_mut().for_each(leave_out_nulls);
    }
}

fn decision(decided: &Decided<'_>) -> Value {
    let (principal, action, resource) = (&decided.principal, &decided.action, &decided.resource);
    let code = match decided.decision {
        "allow" => "Allow",
        _ => "Deny",
    };
    let erred = !decided.errors.is_empty();
    let (severity_id, severity) = if erred { LOW } else { INFORMATIONAL };
    json!({
        "category_uid": 3,
        "category_name": "Identity & Access Management",
        "class_uid": 3004,
        "class_name": "Entity Management",
        "activity_id": OTHER,
        "activity_name": parts(action).1,
        "type_uid": 3004 * 100 + OTHER,
        "type_name": "Entity Management: Other",
        "time": ms(decided.time),
        "severity_id": severity_id,
        "severity": severity,
        "status_id": if erred { 2 } else { 1 },
        "status": if erred { "Failure" } else { "Success" },
        "status_code": code,
        "status_detail": decided.outcome,
        "message": format!("{principal} asked for {action} on {resource}: {code}"),
        "entity": entity(principal),
        "entity_result": entity(resource),
        "metadata": metadata(decided.time, Some(decided)),
        "unmapped": {
            "action_entity_details": entity(action),
            "determined_policies": decided.policies,
            "more_policies": decided.more_policies,
            "evaluation_errors": decided.errors,
            "revision": decided.revision,
            "endpoint": decided.endpoint,
            "caller": decided.caller,
            "trace_id": decided.trace_id,
            "span_id": decided.span_id,
            "duration_us": decided.duration_us,
            "context": decided.context,
            "entities": decided.entities,
            "additional_entities": decided.additional_entities,
            "omitted": decided.omitted,
        },
    })
}

fn reloaded(reload: &Reload<'_>, record: &Record<'_>) -> Value {
    let refused = reload.result == "rejected";
    let severity = if refused { MEDIUM } else { INFORMATIONAL };
    let to = reload.to.unwrap_or("what could not be read");
    let message = format!("reload by {}: {} {to}", reload.trigger, reload.result);
    of_application(
        (OTHER, "Reload"),
        (severity, refused),
        reload.time,
        &message,
        record,
    )
}

fn lifecycle(life: &Life<'_>, record: &Record<'_>) -> Value {
    let (activity, severity) = match life.event {
        Event::Draining => ((OTHER, "Drain"), INFORMATIONAL),
        Event::Dropped { .. } => ((OTHER, "Drop records"), MEDIUM),
        Event::Reopened => ((OTHER, "Reopen the log"), INFORMATIONAL),
        Event::Started { .. } => ((3, "Start"), INFORMATIONAL),
        Event::Stopped => ((4, "Stop"), INFORMATIONAL),
    };
    of_application(activity, (severity, false), life.time, activity.1, record)
}

fn of_application(
    (activity_id, activity): (u32, &str),
    ((severity_id, severity), failed): ((u32, &str), bool),
    time: Time,
    message: &str,
    record: &Record<'_>,
) -> Value {
    json!({
        "category_uid": 6,
        "category_name": "Application Activity",
        "class_uid": 6002,
        "class_name": "Application Lifecycle",
        "activity_id": activity_id,
        "activity_name": activity,
        "type_uid": 6002 * 100 + activity_id,
        "type_name": format!("Application Lifecycle: {activity}"),
        "time": ms(time),
        "severity_id": severity_id,
        "severity": severity,
        "status_id": if failed { 2 } else { 1 },
        "status": if failed { "Failure" } else { "Success" },
        "message": message,
        "app": product(),
        "metadata": metadata(time, None),
        "unmapped": record,
    })
}

fn metadata(time: Time, decided: Option<&Decided<'_>>) -> Value {
    json!({
        "version": VERSION,
        "log_provider": "palisade",
        "logged_time": ms(time),
        "product": product(),
        "uid": decided.map(|it| it.decision_id),
        "correlation_uid": decided.and_then(|it| it.request_id.as_ref()),
    })
}

fn product() -> Value {
    json!({
        "name": "palisade",
        "vendor_name": "palisade",
        "version": env!("CARGO_PKG_VERSION"),
        "lang": "en",
    })
}

/// A managed entity.
fn entity(uid: &str) -> Value {
    let (kind, id) = parts(uid);
    json!({"type": kind, "name": id, "uid": uid})
}

/// Type and id of a uid in Cedar's syntax; the id as it is written there.
fn parts(uid: &str) -> (&str, &str) {
    let (kind, id) = uid.split_once("::\"").unwrap_or(("", uid));
    (kind, id.strip_suffix('"').unwrap_or(id))
}

/// Milliseconds since 1970.
fn ms(Time(time): Time) -> u64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH);
    u64::try_from(since.unwrap_or_default().as_millis()).unwrap_or(u64::MAX)
}
