//! What Cedar itself says of a set: whether it is valid, and how it answers. None of palisade's
//! code is used here.

use std::{collections::HashMap, str::FromStr, sync::Mutex};

use cedar_policy::{
    Authorizer, CedarSchemaError, Context, Decision, Entities, EntityUid, PolicyId, PolicySet,
    Request, Schema, SlotId, ValidationMode, Validator,
};
use serde_json::{Value, json};

use crate::{
    draw::Draw,
    sets::{CANARIES, DOCS, ENTITIES, Files, LINKS, SCHEMA, USERS},
};

/// The step at which a set is refused, in the order of the steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Reason {
    Io,
    Parse,
    Validate,
    Entities,
    Shrink,
    Canary,
}

impl Reason {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Io => "io",
            Self::Parse => "parse",
            Self::Validate => "validate",
            Self::Entities => "entities",
            Self::Shrink => "shrink",
            Self::Canary => "canary",
        }
    }
}

/// A question about stored entities.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Question {
    pub(crate) user: usize,
    pub(crate) action: &'static str,
    pub(crate) doc: usize,
    pub(crate) level: usize,
}

pub(crate) const ACTIONS: [&str; 4] = ["edit", "share", "view", "witness"];

impl Question {
    pub(crate) const WITNESS: Self = Self {
        user: 0,
        action: "witness",
        doc: 0,
        level: 0,
    };

    pub(crate) fn drawn(draw: &mut Draw) -> Self {
        Self {
            user: draw.below(USERS),
            action: draw.pick::<&'static str>(&ACTIONS),
            doc: draw.below(DOCS),
            level: draw.below(5),
        }
    }

    pub(crate) fn context(self) -> Value {
        match self.action {
            "share" => json!({"level": self.level}),
            _ => json!({}),
        }
    }

    /// As Cedar's agents are asked.
    pub(crate) fn in_cedar(self) -> Value {
        json!({
            "principal": format!("User::\"u{}\"", self.user),
            "action": format!("Action::\"{}\"", self.action),
            "resource": format!("Doc::\"d{}\"", self.doc),
            "context": self.context(),
        })
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) allow: bool,
    /// Ids of the determining policies, sorted.
    pub(crate) reason: Vec<String>,
    pub(crate) errors: Vec<String>,
}

/// A valid set.
pub(crate) struct Compiled {
    policies: PolicySet,
    schema: Schema,
    entities: Entities,
    pub(crate) policy_count: usize,
    pub(crate) entity_count: usize,
    canaries: Result<Vec<Value>, Reason>,
    answers: Mutex<HashMap<Question, Answer>>,
}

/// Compiles the files of a set, or says at which step they are refused.
pub(crate) fn compile(files: &Files) -> Result<Compiled, Reason> {
    let schema = text(files, SCHEMA).and_then(|text| match Schema::from_cedarschema_str(text) {
        Ok((schema, _)) => Ok(schema),
        Err(CedarSchemaError::Parse(_)) => Err(Reason::Parse),
        Err(_) => Err(Reason::Validate),
    });
    let policies = policies(files);
    let schema = match (schema, &policies) {
        (Ok(schema), _) => schema,
        (Err(reason), Ok(_)) => return Err(reason),
        (Err(reason), Err(other)) => return Err(reason.min(*other)),
    };
    let entities = text(files, ENTITIES).and_then(|text| {
        let json: Value = serde_json::from_str(text).map_err(|_| Reason::Parse)?;
        Entities::from_json_value(json, Some(&schema)).map_err(|_| Reason::Entities)
    });
    let (policies, entities) = match (policies, entities) {
        (Ok(policies), Ok(entities)) => (policies, entities),
        (Err(one), Err(other)) => return Err(one.min(other)),
        (Err(reason), Ok(_)) => return Err(reason),
        (Ok(policies), Err(reason)) => {
            let sound = validate(&schema, &policies).is_ok();
            return Err(if sound {
                reason
            } else {
                reason.min(Reason::Validate)
            });
        }
    };
    validate(&schema, &policies)?;
    Ok(Compiled {
        policy_count: policies.num_of_policies(),
        // Actions are entities of the schema, which nobody stores.
        entity_count: entities
            .iter()
            .filter(|it| it.uid().type_name().to_string() != "Action")
            .count(),
        canaries: canaries(files),
        answers: Mutex::default(),
        policies,
        schema,
        entities,
    })
}

fn text<'f>(files: &'f Files, path: &str) -> Result<&'f str, Reason> {
    let text = std::str::from_utf8(&files[path]).map_err(|_| Reason::Parse)?;
    Ok(text.strip_prefix('\u{feff}').unwrap_or(text))
}

fn validate(schema: &Schema, policies: &PolicySet) -> Result<(), Reason> {
    let verdict = Validator::new(schema.clone()).validate(policies, ValidationMode::Strict);
    verdict
        .validation_passed()
        .then_some(())
        .ok_or(Reason::Validate)
}

/// One set of all files, under the ids that the policies give themselves.
fn policies(files: &Files) -> Result<PolicySet, Reason> {
    let mut all = PolicySet::new();
    let mut worst: Option<Reason> = None;
    let mut refuse = |reason: Reason| worst = Some(worst.map_or(reason, |it| it.min(reason)));
    for path in files.keys().filter(|it| it.ends_with(".cedar")) {
        let parsed =
            text(files, path).and_then(|it| PolicySet::from_str(it).map_err(|_| Reason::Parse));
        match parsed {
            Ok(set) => {
                for policy in set.policies() {
                    let id = PolicyId::new(policy.annotation("id").unwrap());
                    all.add(policy.new_id(id))
                        .unwrap_or_else(|_| refuse(Reason::Validate));
                }
                for template in set.templates() {
                    let id = PolicyId::new(template.annotation("id").unwrap());
                    let added = all.add_template(template.new_id(id));
                    added.unwrap_or_else(|_| refuse(Reason::Validate));
                }
            }
            Err(reason) => refuse(reason),
        }
    }
    if files.contains_key(LINKS) {
        link(&mut all, files).unwrap_or_else(refuse);
    }
    worst.map_or(Ok(all), Err)
}

fn link(all: &mut PolicySet, files: &Files) -> Result<(), Reason> {
    let links: Vec<Value> = serde_json::from_str(text(files, LINKS)?).map_err(|_| Reason::Parse)?;
    for link in links {
        let slots = [
            ("?principal", SlotId::principal()),
            ("?resource", SlotId::resource()),
        ];
        let args = slots.into_iter().filter_map(|(name, slot)| {
            let uid = link["args"][name].as_str()?;
            Some((slot, uid.parse::<EntityUid>().unwrap()))
        });
        let id = |key: &str| PolicyId::new(link[key].as_str().unwrap());
        all.link(id("template_id"), id("link_id"), args.collect())
            .map_err(|_| Reason::Validate)?;
    }
    Ok(())
}

fn canaries(files: &Files) -> Result<Vec<Value>, Reason> {
    if !files.contains_key(CANARIES) {
        return Ok(Vec::new());
    }
    serde_json::from_str(text(files, CANARIES)?).map_err(|_| Reason::Parse)
}

impl Compiled {
    /// Whether this set may follow another, and if not, why.
    pub(crate) fn may_follow(&self, in_force: &Self) -> Result<(), Reason> {
        let shrinks = self.policy_count * 2 < in_force.policy_count;
        let asked = match &self.canaries {
            Ok(cases) if cases.is_empty() => {
                let before = in_force.canaries.as_ref().map_or(0, Vec::len);
                if before > 0 {
                    Err(Reason::Canary)
                } else {
                    Ok(())
                }
            }
            Ok(cases) if cases.iter().all(|case| self.meets(case)) => Ok(()),
            Ok(_) => Err(Reason::Canary),
            Err(reason) => Err(*reason),
        };
        match (shrinks, asked) {
            (true, Err(reason)) => Err(reason.min(Reason::Shrink)),
            (true, Ok(())) => Err(Reason::Shrink),
            (false, asked) => asked,
        }
    }

    fn meets(&self, case: &Value) -> bool {
        let request = &case["request"];
        let uid = |part: &str| request[part].as_str().unwrap().parse().unwrap();
        let uids = [uid("principal"), uid("action"), uid("resource")];
        let answer = self.decide(uids, request["context"].clone(), &self.entities);
        let named = case["reason"].as_array().unwrap();
        let mut named = named.iter().map(|it| it.as_str().unwrap().to_owned());
        answer.allow == (case["decision"] == "allow")
            && answer.errors.len() as u64 == case["num_errors"].as_u64().unwrap()
            && named.all(|id| answer.reason.contains(&id))
    }

    /// The answer to a question about stored entities.
    pub(crate) fn answer(&self, question: Question) -> Answer {
        if let Some(known) = self.answers.lock().unwrap().get(&question) {
            return known.clone();
        }
        let answer = self.answer_among(question, &self.entities);
        self.answers
            .lock()
            .unwrap()
            .insert(question, answer.clone());
        answer
    }

    /// The answer when nothing but the given entities exists, or nothing but them and the stored.
    pub(crate) fn answer_given(&self, question: Question, given: &Value, stored: bool) -> Answer {
        let schema = Some(&self.schema);
        let given = given.clone();
        let entities = if stored {
            self.entities
                .clone()
                .add_entities_from_json_value(given, schema)
        } else {
            Entities::from_json_value(given, schema)
        };
        self.answer_among(question, &entities.unwrap())
    }

    fn answer_among(&self, question: Question, entities: &Entities) -> Answer {
        let Question {
            user, action, doc, ..
        } = question;
        let uid = |kind: &str, id: String| {
            EntityUid::from_type_name_and_id(kind.parse().unwrap(), id.parse().unwrap())
        };
        let uids = [
            uid("User", format!("u{user}")),
            uid("Action", action.to_owned()),
            uid("Doc", format!("d{doc}")),
        ];
        self.decide(uids, question.context(), entities)
    }

    fn decide(&self, uids: [EntityUid; 3], context: Value, entities: &Entities) -> Answer {
        let [principal, action, resource] = uids;
        let context = Context::from_json_value(context, Some((&self.schema, &action))).unwrap();
        let request = Request::new(principal, action, resource, context, Some(&self.schema));
        let response = Authorizer::new().is_authorized(&request.unwrap(), &self.policies, entities);
        let ids = response.diagnostics().reason().map(|id| {
            let id: &str = id.as_ref();
            id.to_owned()
        });
        let mut reason: Vec<String> = ids.collect();
        reason.sort();
        let errors = response.diagnostics().errors().map(ToString::to_string);
        let mut errors: Vec<String> = errors.collect();
        errors.sort();
        Answer {
            allow: response.decision() == Decision::Allow,
            reason,
            errors,
        }
    }
}
