//! Questions in every shape, and the answers that Cedar has for them.

use serde_json::{Value, json};

use crate::{
    draw::Draw,
    oracle::{ACTIONS, Answer, Compiled, Question},
    sets::{DOCS, USERS},
};

/// Something to send, and whatever its answer follows from.
pub(crate) struct Asked {
    pub(crate) kind: &'static str,
    pub(crate) path: &'static str,
    pub(crate) body: Value,
    shape: Shape,
}

enum Shape {
    /// Questions, and whether each is to be explained.
    Authzen(Vec<(Question, bool)>),
    /// Entities that come along, and whether they come beside the stored ones.
    Cedar(Vec<Question>, Option<(Value, bool)>),
    SearchAction(Question),
    SearchResource(Question),
    SearchSubject(Question),
}

impl Asked {
    pub(crate) fn drawn(draw: &mut Draw) -> Self {
        match draw.below(100) {
            0..30 => Self::evaluation(draw),
            30..45 => Self::evaluations(draw),
            45..65 => Self::cedar(draw, None),
            65..75 => Self::given(draw),
            75..85 => Self::cedar_batch(draw),
            _ => Self::search(draw),
        }
    }

    fn evaluation(draw: &mut Draw) -> Self {
        let one = (Question::drawn(draw), draw.chance(50));
        Self {
            kind: "evaluation",
            path: "/access/v1/evaluation",
            body: in_authzen(one),
            shape: Shape::Authzen(vec![one]),
        }
    }

    fn evaluations(draw: &mut Draw) -> Self {
        let many: Vec<_> = (0..2 + draw.below(20))
            .map(|_| (Question::drawn(draw), draw.chance(50)))
            .collect();
        Self {
            kind: "evaluations",
            path: "/access/v1/evaluations",
            body: json!({"evaluations": many.iter().map(|it| in_authzen(*it)).collect::<Vec<_>>()}),
            shape: Shape::Authzen(many),
        }
    }

    fn cedar(draw: &mut Draw, given: Option<(Value, bool)>) -> Self {
        let question = match &given {
            // The mark is not among the entities that come along.
            Some((_, false)) => unmarked(draw),
            Some((_, true)) | None => Question::drawn(draw),
        };
        let mut body = question.in_cedar();
        if let Some((entities, stored)) = &given {
            body[if *stored {
                "additional_entities"
            } else {
                "entities"
            }] = entities.clone();
        }
        Self {
            kind: if given.is_some() {
                "cedar, entities"
            } else {
                "cedar"
            },
            path: "/v1/is_authorized",
            body,
            shape: Shape::Cedar(vec![question], given),
        }
    }

    /// With entities that replace the stored ones, or with one that joins them.
    fn given(draw: &mut Draw) -> Self {
        if draw.chance(50) {
            let joins =
                json!([{"uid": {"type": "Group", "id": "guests"}, "attrs": {}, "parents": []}]);
            return Self::cedar(draw, Some((joins, true)));
        }
        let entities = entities(draw);
        Self::cedar(draw, Some((entities, false)))
    }

    fn cedar_batch(draw: &mut Draw) -> Self {
        let given = draw.chance(50).then(|| entities(draw));
        let questions: Vec<_> = (0..2 + draw.below(10))
            .map(|_| match given {
                Some(_) => unmarked(draw),
                None => Question::drawn(draw),
            })
            .collect();
        let mut body =
            json!({"requests": questions.iter().map(|it| it.in_cedar()).collect::<Vec<_>>()});
        if let Some(entities) = &given {
            body["entities"] = entities.clone();
        }
        Self {
            kind: "cedar batch",
            path: "/v1/batch_is_authorized",
            body,
            shape: Shape::Cedar(questions, given.map(|it| (it, false))),
        }
    }

    fn search(draw: &mut Draw) -> Self {
        let question = Question::drawn(draw);
        let mut body = in_authzen((question, false));
        let (path, shape) = match draw.below(3) {
            0 => {
                body.as_object_mut().unwrap().remove("action");
                // Which context an action wants depends on the action.
                body["context"] = json!({"level": question.level});
                ("/access/v1/search/action", Shape::SearchAction(question))
            }
            1 => {
                body["resource"] = json!({"type": "Doc"});
                (
                    "/access/v1/search/resource",
                    Shape::SearchResource(question),
                )
            }
            _ => {
                body["subject"] = json!({"type": "User"});
                ("/access/v1/search/subject", Shape::SearchSubject(question))
            }
        };
        Self {
            kind: "search",
            path,
            body,
            shape,
        }
    }

    /// The answer, as far as its order is settled.
    pub(crate) fn comparable(&self, mut answer: Value) -> Value {
        if let Some(results) = answer.get_mut("results").and_then(Value::as_array_mut) {
            results.sort_by_key(Value::to_string);
            return json!({"results": results});
        }
        answer
    }

    /// What Cedar says.
    pub(crate) fn expected(&self, set: &Compiled) -> Value {
        match &self.shape {
            Shape::Authzen(questions) => {
                let answers = questions
                    .iter()
                    .map(|(question, explain)| authzen(&set.answer(*question), *explain));
                let mut answers: Vec<Value> = answers.collect();
                match self.kind {
                    "evaluation" => answers.remove(0),
                    _ => json!({"evaluations": answers}),
                }
            }
            Shape::Cedar(questions, given) => {
                let answers = questions.iter().map(|question| match given {
                    Some((entities, stored)) => set.answer_given(*question, entities, *stored),
                    None => set.answer(*question),
                });
                let mut answers: Vec<Value> = answers.map(|it| cedar(&it)).collect();
                match self.kind {
                    "cedar batch" => json!({"responses": answers}),
                    _ => answers.remove(0),
                }
            }
            Shape::SearchAction(asked) => found(ACTIONS, |action| {
                let allows = set.answer(Question { action, ..*asked }).allow;
                allows.then(|| json!({"name": action}))
            }),
            Shape::SearchResource(asked) => found(0..DOCS, |doc| {
                let allows = set.answer(Question { doc, ..*asked }).allow;
                allows.then(|| json!({"type": "Doc", "id": format!("d{doc}")}))
            }),
            Shape::SearchSubject(asked) => found(0..USERS, |user| {
                let allows = set.answer(Question { user, ..*asked }).allow;
                allows.then(|| json!({"type": "User", "id": format!("u{user}")}))
            }),
        }
    }
}

/// The answer to a search among these candidates.
fn found<T: Copy>(
    candidates: impl IntoIterator<Item = T>,
    one: impl Fn(T) -> Option<Value>,
) -> Value {
    json!({"results": candidates.into_iter().filter_map(one).collect::<Vec<_>>()})
}

fn unmarked(draw: &mut Draw) -> Question {
    Question {
        action: draw.pick::<&'static str>(&["edit", "share", "view"]),
        ..Question::drawn(draw)
    }
}

/// Users and documents that fit every schema, other than those that are stored.
fn entities(draw: &mut Draw) -> Value {
    let entity = |kind: &str, id: String, attrs: Value, parents: Value| json!({"uid": {"type": kind, "id": id}, "attrs": attrs, "parents": parents});
    let mut all = Vec::new();
    for user in 0..USERS {
        let parents = json!([{"type": "Group", "id": format!("g{}", draw.below(5))}]);
        all.push(entity(
            "User",
            format!("u{user}"),
            json!({"level": draw.below(9)}),
            parents,
        ));
    }
    for doc in 0..DOCS {
        let owner = json!({"type": "User", "id": format!("u{}", draw.below(USERS))});
        let attrs =
            json!({"owner": {"__entity": owner}, "secret": draw.chance(50), "rank": draw.below(9)});
        all.push(entity("Doc", format!("d{doc}"), attrs, json!([])));
    }
    json!(all)
}

fn in_authzen((question, explain): (Question, bool)) -> Value {
    let mut context = question.context();
    if explain {
        context["palisade"] = json!({"explain": true});
    }
    json!({
        "subject": {"type": "User", "id": format!("u{}", question.user)},
        "action": {"name": question.action},
        "resource": {"type": "Doc", "id": format!("d{}", question.doc)},
        "context": context,
    })
}

fn authzen(answer: &Answer, explain: bool) -> Value {
    if !explain {
        return json!({"decision": answer.allow});
    }
    let outcome = match (answer.allow, answer.reason.is_empty()) {
        (true, _) => "permitted",
        (false, true) => "not_permitted",
        (false, false) => "forbidden",
    };
    let context =
        json!({"outcome": outcome, "policies": answer.reason, "diagnostics": answer.errors});
    json!({"decision": answer.allow, "context": context})
}

fn cedar(answer: &Answer) -> Value {
    let decision = if answer.allow { "Allow" } else { "Deny" };
    json!({"decision": decision, "diagnostics": {"reason": answer.reason, "errors": answer.errors}})
}
