//! The corpora as they lie in `tests/fixtures/cedar`.

use std::{
    cell::OnceCell,
    fs,
    path::{Path, PathBuf},
};

use cedar_policy::{EntityId, EntityTypeName, EntityUid};
use serde_json::{Value, json};

/// One policy set with its schema, entities and questions.
pub(super) struct Set {
    pub(super) name: String,
    pub(super) folder: PathBuf,
    /// Whether strict validation takes it.
    pub(super) is_valid: bool,
    pub(super) entities: Value,
    pub(super) questions: Vec<Question>,
    /// Known when it has been served.
    pub(super) revision: OnceCell<String>,
}

/// A question, and what Cedar answers.
pub(super) struct Question {
    pub(super) id: String,
    /// Principal, action and resource.
    parts: [(&'static str, Value); 3],
    context: Value,
    pub(super) decision: String,
    /// Ids of the determining policies, sorted.
    reason: Vec<String>,
    /// Ids of the policies that raise an error, sorted.
    errors: Vec<String>,
}

/// Every set of a corpus, by name.
pub(super) fn corpus(name: &str) -> Vec<Set> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/cedar");
    let sets = fs::read_dir(folder.join(name)).unwrap();
    let mut sets: Vec<Set> = sets.map(|it| Set::read(it.unwrap().path())).collect();
    sets.sort_by(|a, b| a.name.cmp(&b.name));
    sets
}

impl Set {
    fn read(folder: PathBuf) -> Self {
        let text = |file: &str| fs::read_to_string(folder.join(file)).unwrap();
        let json = |text: &str| serde_json::from_str::<Value>(text).unwrap();
        let meta = json(&text("meta.json"));
        let questions = text("requests.jsonl");
        Self {
            name: meta["set"].as_str().unwrap().to_owned(),
            // Sets written by hand do not say: all of them are.
            is_valid: meta["strict_valid_4.14.1"] != false,
            entities: json(&text("entities.json")),
            questions: questions
                .lines()
                .map(|it| Question::of(&json(it)))
                .collect(),
            revision: OnceCell::new(),
            folder,
        }
    }
}

impl Question {
    fn of(line: &Value) -> Self {
        // A question that Cedar does not validate would have to be refused where there is a
        // schema; there is none in the corpora.
        assert_eq!(line["validate_request"], true);
        Self {
            id: line["id"].as_str().unwrap().to_owned(),
            parts: ["principal", "action", "resource"].map(|part| (part, line[part].clone())),
            context: line["context"].clone(),
            decision: line["decision"].as_str().unwrap().to_owned(),
            reason: ids(&line["reason"]),
            errors: ids(&line["errors"]),
        }
    }

    /// The body with uids in Cedar's JSON.
    pub(super) fn in_json(&self) -> Value {
        self.body(Value::clone)
    }

    /// The body with uids in Cedar's syntax.
    pub(super) fn in_cedar(&self) -> Value {
        self.body(|uid| {
            let type_name: EntityTypeName = uid["type"].as_str().unwrap().parse().unwrap();
            let id = EntityId::new(uid["id"].as_str().unwrap());
            json!(EntityUid::from_type_name_and_id(type_name, id).to_string())
        })
    }

    fn body(&self, uid: impl Fn(&Value) -> Value) -> Value {
        let mut body = json!({"context": self.context});
        for (part, value) in &self.parts {
            body[part] = uid(value);
        }
        body
    }

    /// How an answer is not Cedar's.
    pub(super) fn differs(&self, answer: &Value) -> Option<String> {
        let decision = answer["decision"].as_str().unwrap();
        let diagnostics = &answer["diagnostics"];
        let errors = diagnostics["errors"].as_array().unwrap().iter();
        let mut errors: Vec<_> = errors.map(|it| policy_in(it.as_str().unwrap())).collect();
        errors.sort();
        let is_cedars = decision == ["Deny", "Allow"][usize::from(self.decision == "allow")]
            && diagnostics["reason"] == json!(self.reason)
            && errors == self.errors
            && diagnostics.get("notes").is_none();
        (!is_cedars).then(|| {
            let Self {
                decision,
                reason,
                errors,
                ..
            } = self;
            format!("expected {decision} by {reason:?} with errors {errors:?}, got {answer}")
        })
    }
}

fn ids(list: &Value) -> Vec<String> {
    let list = list.as_array().unwrap().iter();
    let mut ids: Vec<_> = list.map(|id| id.as_str().unwrap().to_owned()).collect();
    ids.sort();
    ids
}

/// The policy that an error in Cedar's wording is about: the first thing in backticks.
fn policy_in(error: &str) -> String {
    error.split('`').nth(1).unwrap_or(error).to_owned()
}
