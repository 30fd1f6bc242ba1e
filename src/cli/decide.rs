//! `palisade decide`: one question, answered without a server.

use std::{
    fs,
    io::{self, Read},
    path::{Path, PathBuf},
};

use clap::{Args, ValueEnum};
use serde_json::json;

use crate::{
    api,
    authz::{
        Answer, Decision, Json, Object, OnPolicyError, RawAction, RawEntity, RawQuery, Snapshot,
    },
    config::SourceArgs,
};

use super::{Exit, Failure, load, print};

/// Answer one question and say why
///
/// The question is a file with an AuthZEN evaluation request (`-` is standard input), or flags. It
/// may also be written as Cedar's, as `prove` and `diff` show one; its `entities`, if there are any,
/// are all data then, those included that only the store speaks for, and conditions on data are not
/// applied. Exits with 0 if it is allowed and 1 if it is denied.
#[derive(Args, Debug)]
pub(super) struct Decide {
    #[command(flatten)]
    sources: SourceArgs,
    /// An AuthZEN evaluation request: {"subject":{…},"action":{…},"resource":{…},"context":{…}};
    /// or {"principal":"…","action":"…","resource":"…","context":{…},"entities":[…]}
    #[arg(value_name = "FILE", required_unless_present = "principal")]
    query: Option<PathBuf>,
    /// Who asks, like `Member::"acme/olivia"`
    #[arg(long, value_name = "UID", conflicts_with = "query", requires_all = ["action", "resource"])]
    principal: Option<String>,
    /// What they want to do, like `project.view`
    #[arg(long, value_name = "NAME", requires = "principal")]
    action: Option<String>,
    /// To what, like `Project::"acme/3"`
    #[arg(long, value_name = "UID", requires = "principal")]
    resource: Option<String>,
    /// The circumstances, a JSON object
    #[arg(long, value_name = "JSON", requires = "principal")]
    context: Option<String>,
    /// What a `forbid` that cannot be evaluated does
    #[arg(long, value_enum, default_value_t = Rule::Deny, value_name = "RULE")]
    on_policy_error: Rule,
    /// Print nothing: the exit code says it
    #[arg(long, short)]
    quiet: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Rule {
    /// It is skipped, as Cedar does
    Cedar,
    /// The question is denied
    Deny,
}

impl Decide {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        let quiet = self.quiet;
        let on_error = match self.on_policy_error {
            Rule::Cedar => OnPolicyError::Cedar,
            Rule::Deny => OnPolicyError::Deny,
        };
        let question = Question {
            file: self.query.as_deref().map(text_of).transpose()?,
            principal: self.principal.as_deref().map(uid).transpose()?,
            action: self.action,
            resource: self.resource.as_deref().map(uid).transpose()?,
            context: self.context,
        };
        let snapshot = load(self.sources)?;
        let answer = question.ask(&snapshot, on_error)?;
        if !quiet {
            show(&snapshot, &answer)?;
        }
        Ok(match answer.decision() {
            Decision::Allow => Exit::Ok,
            Decision::Deny => Exit::Difference,
        })
    }
}

/// The keys of a question that is written as Cedar's.
const WRITTEN: [&str; 5] = ["principal", "action", "resource", "context", "entities"];

/// The question as it was said, with all texts it borrows from.
struct Question {
    file: Option<Vec<u8>>,
    principal: Option<(String, String)>,
    action: Option<String>,
    resource: Option<(String, String)>,
    context: Option<String>,
}

impl Question {
    fn ask(&self, snapshot: &Snapshot, on_error: OnPolicyError) -> Result<Answer, Failure> {
        let text = self.file.as_deref();
        let file = text.map(|text| parse(text, "the question")).transpose()?;
        if let Some(written) = file.as_ref().and_then(Json::as_object)
            && written.get("principal").is_some()
        {
            only(written, &WRITTEN)?;
            return snapshot
                .decide_written(written, on_error)
                .map_err(Failure::usage);
        }
        let context = self.context.as_deref().map(str::as_bytes);
        let context = context.map(|text| parse(text, "`--context`")).transpose()?;
        let query = match (&file, &self.principal, &self.action, &self.resource) {
            (Some(file), ..) => from_file(file)?,
            (None, Some(principal), Some(action), Some(resource)) => RawQuery {
                principal: entity(principal),
                action: RawAction {
                    name: action,
                    properties: None,
                },
                resource: entity(resource),
                context: context
                    .as_ref()
                    .map(|json| object(json, "`--context`"))
                    .transpose()?,
            },
            // clap asks for all of them or for a file.
            (None, ..) => return Err(Failure::usage("there is no question")),
        };
        Ok(snapshot.decide(&snapshot.query(&query), on_error))
    }
}

fn show(snapshot: &Snapshot, answer: &Answer) -> Result<(), Failure> {
    let errors: Vec<_> = answer
        .errors
        .iter()
        .map(|error| json!({"policy": error.policy, "message": error.message}))
        .collect();
    let told = json!({
        "decision": answer.decision().as_str(),
        "outcome": answer.outcome.as_str(),
        "policies": answer.policies,
        "errors": errors,
        "diagnostics": answer.diagnostics,
        "revision": snapshot.revision().as_str(),
    });
    print(serde_json::to_string_pretty(&told).map_err(Failure::runtime)?)
}

fn text_of(path: &Path) -> Result<Vec<u8>, Failure> {
    let mut text = Vec::new();
    let read = if path == Path::new("-") {
        io::stdin().lock().read_to_end(&mut text).map(|_| text)
    } else {
        fs::read(path)
    };
    read.map_err(|error| Failure::runtime(format!("could not read `{}`: {error}", path.display())))
}

fn parse<'a>(text: &'a [u8], what: &str) -> Result<Json<'a>, Failure> {
    // As deep as the server takes it.
    Json::parse(text, api::Limits::default().json_depth)
        .map_err(|error| Failure::usage(format!("{what} is not JSON we take: {error}")))
}

fn object<'a, 'j>(json: &'j Json<'a>, what: &str) -> Result<&'j Object<'a>, Failure> {
    json.as_object()
        .ok_or_else(|| Failure::usage(format!("{what} must be an object, not {}", json.kind())))
}

/// A key that means nothing is one that was meant to be another.
fn only(question: &Object<'_>, known: &[&str]) -> Result<(), Failure> {
    match question.iter().find(|(key, _)| !known.contains(key)) {
        None => Ok(()),
        Some((key, _)) => Err(Failure::usage(format!(
            "the question has an unknown key `{key}`"
        ))),
    }
}

fn from_file<'j>(json: &'j Json<'j>) -> Result<RawQuery<'j>, Failure> {
    let whole = object(json, "the question")?;
    let (subject, action) = (part(whole, "subject")?, part(whole, "action")?);
    let resource = part(whole, "resource")?;
    Ok(RawQuery {
        principal: entity_of(subject, "subject")?,
        action: RawAction {
            name: string(action, "action", "name")?,
            properties: optional(action, "properties")?,
        },
        resource: entity_of(resource, "resource")?,
        context: optional(whole, "context")?,
    })
}

fn part<'j>(whole: &'j Object<'j>, key: &str) -> Result<&'j Object<'j>, Failure> {
    optional(whole, key)?.ok_or_else(|| Failure::usage(format!("the question has no `{key}`")))
}

fn optional<'j>(whole: &'j Object<'j>, key: &str) -> Result<Option<&'j Object<'j>>, Failure> {
    let value = whole.non_null(key);
    value
        .map(|json| object(json, &format!("`{key}`")))
        .transpose()
}

fn string<'j>(whole: &'j Object<'j>, of: &str, key: &str) -> Result<&'j str, Failure> {
    let value = whole.get(key).and_then(Json::as_str);
    value.ok_or_else(|| Failure::usage(format!("`{of}` has no text `{key}`")))
}

fn entity_of<'j>(whole: &'j Object<'j>, of: &str) -> Result<RawEntity<'j>, Failure> {
    Ok(RawEntity {
        type_name: string(whole, of, "type")?,
        id: string(whole, of, "id")?,
        properties: optional(whole, "properties")?,
    })
}

fn entity((type_name, id): &(String, String)) -> RawEntity<'_> {
    RawEntity {
        type_name,
        id,
        properties: None,
    }
}

/// Type and id of `Type::"id"`. Escapes are those that JSON and Cedar have in common.
fn uid(text: &str) -> Result<(String, String), Failure> {
    let parsed = text.split_once("::\"").and_then(|(type_name, id)| {
        let id = serde_json::from_str(&format!("\"{id}")).ok()?;
        (!type_name.is_empty()).then(|| (type_name.to_owned(), id))
    });
    parsed.ok_or_else(|| Failure::usage(format!("`{text}` is not of the form `Type::\"id\"`")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uid_is_a_type_and_a_quoted_id() {
        let check = |text: &str, expected: Option<(&str, &str)>| {
            let parsed = uid(text).ok();
            let parsed = parsed.as_ref().map(|(t, id)| (t.as_str(), id.as_str()));
            assert_eq!(parsed, expected, "{text}");
        };
        check(r#"Member::"acme/olivia""#, Some(("Member", "acme/olivia")));
        check(r#"A::B::"x::\"y\"""#, Some(("A::B", r#"x::"y""#)));
        check(r#"Member::"""#, Some(("Member", "")));
        check(r#"Member::"open"#, None);
        check(r#"::"x""#, None);
        check("Member", None);
    }

    #[test]
    fn a_question_without_its_parts_is_not_asked() {
        for (text, expected) in [
            ("[]", "must be an object, not an array"),
            ("{}", "the question has no `subject`"),
            (
                r#"{"subject":{},"action":{},"resource":{}}"#,
                "`subject` has no text `type`",
            ),
        ] {
            let json = parse(text.as_bytes(), "a question").unwrap();
            let message = from_file(&json).unwrap_err().to_string();
            assert!(message.contains(expected), "{message}");
        }
    }
}
