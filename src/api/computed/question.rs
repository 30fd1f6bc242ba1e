//! An example as the question that `POST /v1/explain` takes.

use serde::Serialize;
use serde_json::value::RawValue;

use crate::authz::Example;

/// Whom, what and on what, in the order in which people read it.
#[derive(Debug, Serialize)]
pub(in crate::api) struct Question<'e> {
    subject: Entity<'e>,
    action: Action<'e>,
    resource: Entity<'e>,
    #[serde(skip_serializing_if = "Option::is_none")]
    context: Option<Box<RawValue>>,
}

#[derive(Debug, Serialize)]
struct Entity<'e> {
    r#type: &'e str,
    id: &'e str,
}

#[derive(Debug, Serialize)]
struct Action<'e> {
    name: &'e str,
}

impl<'e> Question<'e> {
    pub(in crate::api) fn of(example: &'e Example) -> Self {
        let entity = |(kind, id): &'e (String, String)| Entity { r#type: kind, id };
        let context = Some(example.context.trim()).filter(|it| *it != "{}");
        Self {
            subject: entity(&example.principal),
            action: Action {
                name: &example.action,
            },
            resource: entity(&example.resource),
            // The spec was read from it, so that it is JSON.
            context: context.and_then(|it| RawValue::from_string(it.to_owned()).ok()),
        }
    }

    /// As JSON, in one line.
    pub(in crate::api) fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_names_subject_action_resource_and_what_context_there_is() {
        let pair = |kind: &str, id: &str| (kind.to_owned(), id.to_owned());
        let mut example = Example {
            principal: pair("Member", "1/\"owner\""),
            action: "org.invite".to_owned(),
            resource: pair("Organization", "1"),
            context: "{}".to_owned(),
        };
        let text = concat!(
            r#"{"subject":{"type":"Member","id":"1/\"owner\""},"#,
            r#""action":{"name":"org.invite"},"resource":{"type":"Organization","id":"1"}"#
        );
        assert_eq!(Question::of(&example).to_json(), format!("{text}}}"));
        example.context = r#"{"new_role":"owner"}"#.to_owned();
        let with_context = format!(r#"{text},"context":{{"new_role":"owner"}}}}"#);
        assert_eq!(Question::of(&example).to_json(), with_context);
    }
}
