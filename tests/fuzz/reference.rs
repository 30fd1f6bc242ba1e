//! What is served to be fuzzed, and what it decides, said once more in a few lines.

use serde_json::{Map, Value};

pub(crate) const ONE: &str = "/access/v1/evaluation";

/// The `forbid` fails where nobody says whether a document is locked: that is a deny.
pub(crate) const POLICIES: &str = r#"
@id("ann") permit (principal == U::"ann", action == Action::"view", resource);
@id("level") permit (principal, action == Action::"edit", resource)
when { principal.level >= 3 && context.ok };
@id("locked") forbid (principal, action, resource) when { resource.locked };
"#;

pub(crate) const ENTITIES: &str = r#"[
{"uid":{"type":"U","id":"ann"},"attrs":{"level":1},"parents":[]},
{"uid":{"type":"U","id":"bob"},"attrs":{"level":5},"parents":[]},
{"uid":{"type":"D","id":"d"},"attrs":{"locked":false},"parents":[]},
{"uid":{"type":"D","id":"e"},"attrs":{"locked":true},"parents":[]},
{"uid":{"type":"D","id":"f"},"attrs":{},"parents":[]}
]"#;

/// Whether somebody may view, which `ann` may.
pub(crate) fn question(who: &str) -> String {
    format!(
        r#"{{"subject":{{"type":"U","id":"{who}"}},"action":{{"name":"view"}},"resource":{{"type":"D","id":"d"}}}}"#
    )
}

/// Whether an AuthZEN question is one that the policies allow. What is not as it should be is not.
pub(crate) fn may(question: &Map<String, Value>) -> bool {
    allowed(question).unwrap_or(false)
}

fn allowed(question: &Map<String, Value>) -> Option<bool> {
    let part = |name: &str| question.get(name)?.as_object();
    let text = |part: &Map<String, Value>, name: &str| Some(part.get(name)?.as_str()?.to_owned());
    let (subject, resource) = (part("subject")?, part("resource")?);
    let uid = |part| Some((text(part, "type")?, text(part, "id")?));
    let (principal, object) = (uid(subject)?, uid(resource)?);
    let action = text(part("action")?, "name")?;
    // What a question says of somebody counts before what is stored.
    let of = |part: &Map<String, Value>, name: &str, stored: Option<Value>| {
        let said = part.get("properties").and_then(|it| it.get(name)).cloned();
        said.or(stored)
    };
    let locked = match (object.0.as_str(), object.1.as_str()) {
        ("D", "d") => Some(Value::Bool(false)),
        ("D", "e") => Some(Value::Bool(true)),
        _ => None,
    };
    if of(resource, "locked", locked)? != Value::Bool(false) {
        return Some(false);
    }
    let is_ann = principal == ("U".to_owned(), "ann".to_owned());
    let stored = match (principal.0.as_str(), principal.1.as_str()) {
        ("U", "ann") => Some(1.into()),
        ("U", "bob") => Some(5.into()),
        _ => None,
    };
    Some(match action.as_str() {
        "view" => is_ann,
        "edit" => {
            let level = of(subject, "level", stored)?.as_i64()?;
            level >= 3 && part("context")?.get("ok")? == &Value::Bool(true)
        }
        _ => false,
    })
}
