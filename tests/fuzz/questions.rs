//! Questions in both shapes, one and many: whatever is answered `true`, the reference allows.

use cedar_policy::{Authorizer, Context, Decision, Entities, EntityUid, PolicySet, Request};
use serde_json::{Map, Value};

use crate::{
    reference::{self, ONE, may},
    runs::fuzz,
    served::{Reply, Server},
};

/// The question of a body, as a strict reader sees it.
fn object(body: &[u8]) -> Option<Map<String, Value>> {
    serde_json::from_slice(body).ok()
}

#[track_caller]
fn is_answer_or_refusal(reply: &Reply) {
    assert!([200, 400, 413].contains(&reply.status), "{reply:?}");
    if reply.status != 200 {
        let error = &reply.json()["error"];
        assert!(
            error["code"].is_string() && error["message"].is_string(),
            "{reply:?}"
        );
    }
}

#[test]
fn an_evaluation_is_true_where_the_reference_allows_it() {
    let server = Server::start(None);
    fuzz("evaluation", |body| {
        let reply = server.post(ONE, body);
        is_answer_or_refusal(&reply);
        if reply.status == 200 {
            let question = object(body).expect("what is answered is an object");
            assert_eq!(reply.json()["decision"], may(&question), "{reply:?}");
        }
    });
    server.answers();
}

#[test]
fn a_batch_says_true_where_the_reference_allows_the_item() {
    let server = Server::start(None);
    fuzz("evaluations", |body| {
        let reply = server.post("/access/v1/evaluations", body);
        is_answer_or_refusal(&reply);
        if reply.status != 200 {
            return;
        }
        let mut question = object(body).expect("what is answered is an object");
        let items = question.remove("evaluations");
        let items = items.as_ref().and_then(Value::as_array);
        let Some(items) = items.filter(|it| !it.is_empty()) else {
            assert_eq!(reply.json()["decision"], may(&question), "{reply:?}");
            return;
        };
        let answers = reply.json()["evaluations"].as_array().unwrap().clone();
        assert!(answers.len() <= items.len(), "{reply:?}");
        for (item, answer) in items.iter().zip(&answers) {
            let mut whole = question.clone();
            whole.extend(item.as_object().cloned().unwrap_or_default());
            let decision = answer["decision"].as_bool().unwrap();
            assert!(!decision || may(&whole), "{item} in {reply:?}");
        }
    });
    server.answers();
}

/// What Cedar's own authorizer says of a Cedar-shaped question; `None` if it cannot be asked.
fn cedar_allows(
    policies: &PolicySet,
    question: &Map<String, Value>,
    around: &Value,
) -> Option<bool> {
    let uid = |name: &str| question.get(name)?.as_str()?.parse::<EntityUid>().ok();
    let given = |name: &str| around.get(name).filter(|it| !it.is_null()).cloned();
    let read = |json: Value| Entities::from_json_value(json, None).ok();
    let stored = || serde_json::from_str(reference::ENTITIES).ok();
    let mut entities = read(given("entities").or_else(stored)?)?;
    if let Some(more) = given("additional_entities") {
        entities = entities.add_entities(read(more)?, None).ok()?;
    }
    let context = question.get("context").filter(|it| !it.is_null()).cloned();
    let context = context.map_or(Some(Context::empty()), |it| {
        Context::from_json_value(it, None).ok()
    })?;
    let (principal, action) = (uid("principal")?, uid("action")?);
    let request = Request::new(principal, action, uid("resource")?, context, None).ok()?;
    let response = Authorizer::new().is_authorized(&request, policies, &entities);
    Some(response.decision() == Decision::Allow)
}

#[test]
fn a_cedar_question_is_allowed_where_cedar_allows_it() {
    let server = Server::start(None);
    let policies: PolicySet = reference::POLICIES.parse().unwrap();
    fuzz("is_authorized", |body| {
        let reply = server.post("/v1/is_authorized", body);
        is_answer_or_refusal(&reply);
        if reply.status == 200 && reply.json()["decision"] == "Allow" {
            let question = object(body).expect("what is answered is an object");
            let around = Value::Object(question.clone());
            let allows = cedar_allows(&policies, &question, &around);
            assert_eq!(allows, Some(true), "{reply:?}");
        }
    });
    server.answers();
}

#[test]
fn a_cedar_batch_allows_what_cedar_allows() {
    let server = Server::start(None);
    let policies: PolicySet = reference::POLICIES.parse().unwrap();
    fuzz("batch_is_authorized", |body| {
        let reply = server.post("/v1/batch_is_authorized", body);
        is_answer_or_refusal(&reply);
        if reply.status != 200 {
            return;
        }
        let around = Value::Object(object(body).expect("what is answered is an object"));
        let requests = around["requests"].as_array().unwrap();
        let responses = reply.json()["responses"].as_array().unwrap().clone();
        assert_eq!(requests.len(), responses.len());
        for (request, response) in requests.iter().zip(&responses) {
            if response["decision"] == "Allow" {
                let question = request.as_object().unwrap();
                let allows = cedar_allows(&policies, question, &around);
                assert_eq!(allows, Some(true), "{request} in {reply:?}");
            }
        }
    });
    server.answers();
}
