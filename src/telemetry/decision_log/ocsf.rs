//! The same as events of the Open Cybersecurity Schema Framework 1.0, laid out as those of the agents
//! that Cedar's authors wrote: a decision is of class 3004, Entity Management, with the principal as
//! the entity and the resource as its result. What is no decision is of class 6002, Application
//! Lifecycle.

use std::time::SystemTime;

use opentelemetry::trace::{SpanId, TraceId};
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use uuid::Uuid;

use super::record::{Decided, Event, Id, Life, Record, Reload, Time};

/// The version of the schema.
const VERSION: &str = "1.0.0";

/// An activity that has a name only.
const OTHER: u32 = 99;

/// The severities that are used.
const INFORMATIONAL: (u32, &str) = (1, "Informational");
const LOW: (u32, &str) = (2, "Low");
const MEDIUM: (u32, &str) = (3, "Medium");

/// The product, as the schema describes products.
const PRODUCT: Product = Product {
    name: "palisade",
    vendor_name: "palisade",
    version: env!("CARGO_PKG_VERSION"),
    lang: "en",
};

/// What the schema demands of every event, and what belongs to one class or the other. It knows no
/// `null`: what is not known is not there.
#[derive(Debug, Serialize)]
struct OcsfEvent<'a, Unmapped> {
    category_uid: u32,
    category_name: &'static str,
    class_uid: u32,
    class_name: &'static str,
    activity_id: u32,
    activity_name: &'a str,
    type_uid: u32,
    time: Millis,
    severity_id: u32,
    severity: &'static str,
    status_id: u32,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    status_code: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status_detail: Option<&'a str>,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    entity: Option<Entity<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    entity_result: Option<Entity<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    app: Option<Product>,
    metadata: Metadata<'a>,
    /// What the schema has no place for.
    unmapped: Unmapped,
}

/// A managed entity.
#[derive(Debug, Serialize)]
struct Entity<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    name: &'a str,
    uid: &'a str,
}

#[derive(Debug, Serialize)]
struct Metadata<'a> {
    version: &'static str,
    log_provider: &'static str,
    logged_time: Millis,
    product: Product,
    #[serde(skip_serializing_if = "Option::is_none")]
    uid: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    correlation_uid: Option<&'a str>,
}

#[derive(Clone, Copy, Debug, Serialize)]
struct Product {
    name: &'static str,
    vendor_name: &'static str,
    version: &'static str,
    lang: &'static str,
}

/// Of a decision.
#[derive(Debug, Serialize)]
struct Unmapped<'a> {
    action_entity_details: Entity<'a>,
    determined_policies: &'a [String],
    more_policies: usize,
    evaluation_errors: &'a [&'a str],
    revision: &'a str,
    endpoint: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    caller: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace_id: Option<Id<TraceId>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    span_id: Option<Id<SpanId>>,
    duration_us: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    context: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    entities: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    additional_entities: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    omitted: &'a [&'static str],
}

/// Milliseconds since 1970.
#[derive(Clone, Copy, Debug)]
struct Millis(Time);

/// A record that is written as an event.
pub(super) struct AsEvent<'r, 'a>(pub(super) &'r Record<'a>);

impl Serialize for AsEvent<'_, '_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Record::Decision(decided) => decision(decided).serialize(serializer),
            Record::Lifecycle(life) => lifecycle(life).serialize(serializer),
            Record::Reload(reload) => reloaded(reload).serialize(serializer),
        }
    }
}

impl Serialize for Millis {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(Time(time)) = self;
        let since = time.duration_since(SystemTime::UNIX_EPOCH);
        let millis = u64::try_from(since.unwrap_or_default().as_millis());
        serializer.serialize_u64(millis.unwrap_or(u64::MAX))
    }
}

fn decision<'r>(decided: &'r Decided<'_>) -> OcsfEvent<'r, Unmapped<'r>> {
    let (principal, action, resource) = (&decided.principal, &decided.action, &decided.resource);
    let code = match decided.decision {
        "allow" => "Allow",
        _ => "Deny",
    };
    let erred = !decided.errors.is_empty();
    let (severity_id, severity) = if erred { LOW } else { INFORMATIONAL };
    let action = Entity::of(action);
    OcsfEvent {
        category_uid: 3,
        category_name: "Identity & Access Management",
        class_uid: 3004,
        class_name: "Entity Management",
        activity_id: OTHER,
        activity_name: action.name,
        type_uid: 3004 * 100 + OTHER,
        time: Millis(decided.time),
        severity_id,
        severity,
        status_id: status(erred).0,
        status: status(erred).1,
        status_code: Some(code),
        status_detail: Some(decided.outcome),
        message: format!("{principal} asked for {} on {resource}: {code}", action.uid),
        entity: Some(Entity::of(principal)),
        entity_result: Some(Entity::of(resource)),
        app: None,
        metadata: Metadata {
            uid: Some(decided.decision_id),
            correlation_uid: decided.request_id.as_deref(),
            ..Metadata::at(decided.time)
        },
        unmapped: Unmapped {
            action_entity_details: action,
            determined_policies: decided.policies,
            more_policies: decided.more_policies,
            evaluation_errors: &decided.errors,
            revision: decided.revision,
            endpoint: decided.endpoint,
            caller: decided.caller.as_deref(),
            trace_id: decided.trace_id,
            span_id: decided.span_id,
            duration_us: decided.duration_us,
            context: decided.context.as_deref(),
            entities: decided.entities.as_deref(),
            additional_entities: decided.additional_entities.as_deref(),
            omitted: &decided.omitted,
        },
    }
}

fn reloaded<'r, 'a>(reload: &'r Reload<'a>) -> OcsfEvent<'r, &'r Reload<'a>> {
    let refused = reload.result == "rejected";
    let to = reload.to.unwrap_or("what could not be read");
    let message = format!("reload by {}: {} {to}", reload.trigger, reload.result);
    let severity = if refused { MEDIUM } else { INFORMATIONAL };
    let event = of_application((OTHER, "Reload"), severity, reload.time, reload);
    OcsfEvent {
        status_id: status(refused).0,
        status: status(refused).1,
        message,
        ..event
    }
}

fn lifecycle<'r, 'a>(life: &'r Life<'a>) -> OcsfEvent<'r, &'r Life<'a>> {
    let (activity, severity) = match life.event {
        Event::Draining => ((OTHER, "Drain"), INFORMATIONAL),
        Event::Dropped { .. } => ((OTHER, "Drop records"), MEDIUM),
        Event::Reopened => ((OTHER, "Reopen the log"), INFORMATIONAL),
        Event::Started { .. } => ((3, "Start"), INFORMATIONAL),
        Event::Stopped => ((4, "Stop"), INFORMATIONAL),
    };
    of_application(activity, severity, life.time, life)
}

fn of_application<'r, U>(
    (activity_id, activity_name): (u32, &'static str),
    (severity_id, severity): (u32, &'static str),
    time: Time,
    unmapped: U,
) -> OcsfEvent<'r, U> {
    OcsfEvent {
        category_uid: 6,
        category_name: "Application Activity",
        class_uid: 6002,
        class_name: "Application Lifecycle",
        activity_id,
        activity_name,
        type_uid: 6002 * 100 + activity_id,
        time: Millis(time),
        severity_id,
        severity,
        status_id: status(false).0,
        status: status(false).1,
        status_code: None,
        status_detail: None,
        message: activity_name.to_owned(),
        entity: None,
        entity_result: None,
        app: Some(PRODUCT),
        metadata: Metadata::at(time),
        unmapped,
    }
}

fn status(failed: bool) -> (u32, &'static str) {
    if failed {
        (2, "Failure")
    } else {
        (1, "Success")
    }
}

impl Metadata<'_> {
    fn at(time: Time) -> Self {
        Self {
            version: VERSION,
            log_provider: PRODUCT.name,
            logged_time: Millis(time),
            product: PRODUCT,
            uid: None,
            correlation_uid: None,
        }
    }
}

impl<'a> Entity<'a> {
    /// Of a uid in Cedar's syntax; the id as it is written there.
    fn of(uid: &'a str) -> Self {
        let (kind, id) = uid.split_once("::\"").unwrap_or(("", uid));
        let name = id.strip_suffix('"').unwrap_or(id);
        Self { kind, name, uid }
    }
}
