//! Every question put to Cedar's own authorizer: which policies of an edition hold in each situation.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::OnceLock,
};

use cedar_policy::{
    ActionConstraint, Authorizer, Context, Effect, Entities, EntityUid, Policy, PolicyId,
    PolicySet, Request, Response, Schema,
};
use serde_json::{Value, json};

use crate::{
    editions::{Edition, text},
    expected::expected,
    oracle::{Asked, scope_of},
    question::Question,
    tables::cells,
};

/// All questions, put to Cedar directly.
pub(crate) struct Bench {
    pub(crate) asked: Asked,
    entities: Entities,
    requests: Vec<Request>,
    /// Which questions are about an action.
    pub(crate) by_action: BTreeMap<EntityUid, Vec<usize>>,
    /// By edition, in the order of `Edition::ALL`.
    baselines: [OnceLock<Baseline>; Edition::ALL.len()],
}

/// What an edition's own policies say to each question.
pub(crate) struct Baseline {
    pub(crate) policies: Vec<Policy>,
    pub(crate) expected: Vec<bool>,
    holding: Holding,
}

/// Permits and forbids that hold, by question.
pub(crate) type Holding = Vec<Vec<(PolicyId, Effect)>>;

impl Baseline {
    /// The decision, if instead of one policy another of this effect holds, or none does.
    pub(crate) fn allowed(
        &self,
        index: usize,
        instead: Option<(&PolicyId, Option<Effect>)>,
    ) -> bool {
        let (original, effect) = instead.unzip();
        let others = self.holding[index]
            .iter()
            .filter(|(id, _)| Some(id) != original);
        let mut held = others.map(|(_, effect)| *effect).chain(effect.flatten());
        let mut permitted = false;
        !held.any(|effect| {
            permitted |= effect == Effect::Permit;
            effect == Effect::Forbid
        }) && permitted
    }
}

impl Bench {
    /// The same for all tests.
    pub(crate) fn shared() -> &'static Self {
        static SHARED: OnceLock<Bench> = OnceLock::new();
        SHARED.get_or_init(Self::new)
    }

    fn new() -> Self {
        let asked = Asked::everything();
        let (schema, _) =
            Schema::from_cedarschema_str(&text("schema/label-studio.cedarschema")).unwrap();
        let mut all = asked.world.entities();
        let mut seen = BTreeSet::new();
        for (_, question) in &asked.situations {
            let is_new = |entity: &&Value| seen.insert(entity["uid"].to_string());
            all.extend(question.inline.iter().filter(is_new).cloned());
        }
        let entities = Entities::from_json_value(all.into(), Some(&schema)).unwrap();
        let requests: Vec<Request> = asked
            .situations
            .iter()
            .map(|(_, question)| request(question, &schema))
            .collect();
        let mut by_action: BTreeMap<EntityUid, Vec<usize>> = BTreeMap::new();
        for (index, request) in requests.iter().enumerate() {
            by_action
                .entry(request.action().unwrap().clone())
                .or_default()
                .push(index);
        }
        Self {
            asked,
            entities,
            requests,
            by_action,
            baselines: [const { OnceLock::new() }; Edition::ALL.len()],
        }
    }

    /// What an edition says, checked to be right.
    pub(crate) fn baseline(&self, edition: Edition) -> &Baseline {
        let place = Edition::ALL.iter().position(|it| *it == edition).unwrap();
        self.baselines[place].get_or_init(|| self.ask_all(edition))
    }

    fn ask_all(&self, edition: Edition) -> Baseline {
        let policies = policies(edition);
        let cells = cells(edition);
        let situations = self.asked.situations.iter();
        let expected = situations
            .map(|(situation, _)| expected(edition, scope_of(&cells, situation), situation))
            .collect();
        let baseline = Baseline {
            holding: self.holding(&policies),
            policies,
            expected,
        };
        let wrong = |index: &usize| baseline.allowed(*index, None) != baseline.expected[*index];
        let wrong = (0..self.requests.len()).filter(wrong).count();
        assert_eq!(wrong, 0, "the policies are wrong, even unchanged");
        baseline
    }

    /// Which of these policies hold in each situation; none may fail.
    pub(crate) fn holding(&self, policies: &[Policy]) -> Holding {
        let mut holding = vec![Vec::new(); self.requests.len()];
        for (action, indexes) in &self.by_action {
            for effect in [Effect::Permit, Effect::Forbid] {
                let relevant =
                    |policy: &&Policy| policy.effect() == effect && is_about(policy, action);
                let set =
                    PolicySet::from_policies(policies.iter().filter(relevant).cloned()).unwrap();
                if set.is_empty() {
                    continue;
                }
                for index in indexes {
                    let response = self.ask(*index, &set);
                    assert!(
                        response.diagnostics().errors().next().is_none(),
                        "{response:?}"
                    );
                    let held = response.diagnostics().reason().cloned();
                    holding[*index].extend(held.map(|id| (id, effect)));
                }
            }
        }
        holding
    }

    pub(crate) fn ask(&self, index: usize, set: &PolicySet) -> Response {
        Authorizer::new().is_authorized(&self.requests[index], set, &self.entities)
    }
}

/// The policies of an edition, under the names of their `@id`.
pub(crate) fn policies(edition: Edition) -> Vec<Policy> {
    let mut policies = Vec::new();
    for file in edition.policies() {
        let set: PolicySet = String::from_utf8(file.bytes).unwrap().parse().unwrap();
        let named =
            |policy: &Policy| policy.new_id(PolicyId::new(policy.annotation("id").unwrap()));
        policies.extend(set.policies().map(named));
    }
    policies
}

pub(crate) fn is_about(policy: &Policy, action: &EntityUid) -> bool {
    match policy.action_constraint() {
        ActionConstraint::Any => true,
        ActionConstraint::Eq(only) => only == *action,
        ActionConstraint::In(actions) => actions.contains(action),
    }
}

fn request(question: &Question, schema: &Schema) -> Request {
    let uid = |type_name: &str, id: &str| {
        EntityUid::from_json(json!({ "type": type_name, "id": id })).unwrap()
    };
    let action = uid("Action", question.action);
    let context =
        Context::from_json_value(question.context.clone(), Some((schema, &action))).unwrap();
    let principal = uid("Member", &question.principal);
    let resource = uid(question.resource_type, &question.resource);
    Request::new(principal, action, resource, context, Some(schema)).unwrap()
}
