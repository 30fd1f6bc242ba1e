//! Every mutant of every policy must make some cell fail; what survives is listed with a reason.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use cedar_policy::{
    ActionConstraint, Authorizer, Context, Decision, Effect, Entities, EntityUid, Policy, PolicyId,
    PolicySet, Request, Response, Schema,
};
use serde_json::{Value, json};

use crate::{
    editions::{Edition, fixture, text},
    expected::expected,
    mutants::{Mutant, mutants},
    oracle::{Asked, scope_of},
    question::Question,
    tables::cells,
};

/// All questions, put to Cedar directly.
struct Bench {
    asked: Asked,
    entities: Entities,
    requests: Vec<Request>,
    /// Which questions are about an action.
    by_action: BTreeMap<EntityUid, Vec<usize>>,
}

/// What an edition's own policies say to each question.
struct Baseline {
    policies: Vec<Policy>,
    expected: Vec<bool>,
    /// Permits and forbids that hold.
    holding: Vec<Vec<(PolicyId, Effect)>>,
}

/// What became of the mutants.
#[derive(Default)]
struct Tally {
    total: usize,
    survivors: BTreeSet<(String, String)>,
}

#[test]
fn every_mutated_policy_makes_some_cell_fail() {
    let bench = Bench::new();
    let mut tally = Tally::default();
    let base: BTreeSet<PolicyId> = policies(Edition::Enterprise)
        .iter()
        .map(|p| p.id().clone())
        .collect();
    for edition in Edition::ALL {
        let baseline = bench.baseline(edition);
        let is_own =
            |policy: &&Policy| edition == Edition::Enterprise || !base.contains(policy.id());
        let own: Vec<&Policy> = baseline.policies.iter().filter(is_own).collect();
        bench.tally(&baseline, &own, &mut tally);
    }
    let killed = tally.total - tally.survivors.len();
    let survivors = tally.survivors.len();
    eprintln!(
        "mutation score: {killed}/{}; {survivors} survive",
        tally.total
    );
    let listed = listed_survivors();
    let lines = |of: Vec<&(String, String)>| {
        let lines: Vec<String> = of
            .iter()
            .map(|(id, change)| format!("{id} | {change} | "))
            .collect();
        lines.join("\n")
    };
    let unlisted = lines(tally.survivors.difference(&listed).collect());
    assert!(unlisted.is_empty(), "no cell fails for:\n{unlisted}");
    let caught = lines(listed.difference(&tally.survivors).collect());
    assert!(
        caught.is_empty(),
        "listed as survivors, but some cell fails for:\n{caught}"
    );
}

/// Survivors with a reason: policy, change, reason.
fn listed_survivors() -> BTreeSet<(String, String)> {
    let mut listed = BTreeSet::new();
    let text = fixture("mutation-survivors.txt");
    for line in text
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
    {
        let [id, change, reason] = line.split(" | ").collect::<Vec<_>>()[..] else {
            panic!("not `policy | mutation | reason`: {line}");
        };
        assert!(!reason.trim().is_empty(), "without a reason: {line}");
        assert!(
            listed.insert((id.to_owned(), change.to_owned())),
            "listed twice: {line}"
        );
    }
    listed
}

impl Baseline {
    /// The decision, if instead of one policy another of this effect holds, or none does.
    fn allowed(&self, index: usize, instead: Option<(&PolicyId, Option<Effect>)>) -> bool {
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
        }
    }

    /// Asks the unchanged policies, and checks that they are right.
    fn baseline(&self, edition: Edition) -> Baseline {
        let policies = policies(edition);
        let cells = cells(edition);
        let mut holding = vec![Vec::new(); self.requests.len()];
        for (action, indexes) in &self.by_action {
            for effect in [Effect::Permit, Effect::Forbid] {
                let relevant =
                    |policy: &&Policy| policy.effect() == effect && is_about(policy, action);
                let set =
                    PolicySet::from_policies(policies.iter().filter(relevant).cloned()).unwrap();
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
        let situations = self.asked.situations.iter();
        let expected = situations
            .map(|(situation, _)| expected(edition, scope_of(&cells, situation), situation))
            .collect();
        let baseline = Baseline {
            policies,
            expected,
            holding,
        };
        let wrong = |index: &usize| baseline.allowed(*index, None) != baseline.expected[*index];
        let wrong = (0..self.requests.len()).filter(wrong).count();
        assert_eq!(wrong, 0, "the policies are wrong before they are mutated");
        baseline
    }

    /// Tries the mutants of these policies on two threads.
    fn tally(&self, baseline: &Baseline, policies: &[&Policy], tally: &mut Tally) {
        let next = AtomicUsize::new(0);
        let work = || {
            let mut tally = Tally::default();
            while let Some(policy) = policies.get(next.fetch_add(1, Ordering::Relaxed)) {
                for mutant in mutants(policy) {
                    tally.total += 1;
                    if !self.is_caught(baseline, policy, &mutant) {
                        tally
                            .survivors
                            .insert((policy.id().to_string(), mutant.change));
                    }
                }
            }
            tally
        };
        thread::scope(|scope| {
            let threads = [scope.spawn(work), scope.spawn(work)];
            for thread in threads {
                let part = thread.join().unwrap();
                tally.total += part.total;
                tally.survivors.extend(part.survivors);
            }
        });
    }

    /// Whether a cell fails: another decision than expected, or an error.
    fn is_caught(&self, baseline: &Baseline, original: &Policy, mutant: &Mutant) -> bool {
        let alone = PolicySet::from_policies([mutant.policy.clone()]).unwrap();
        let about = self
            .by_action
            .iter()
            .filter(|(action, _)| is_about(original, action));
        let mut indexes = about.flat_map(|(_, indexes)| indexes);
        indexes.any(|index| {
            let response = self.ask(*index, &alone);
            if response.diagnostics().errors().next().is_some() {
                return true;
            }
            let holds = response.diagnostics().reason().next().is_some();
            let effect = holds.then(|| mutant.policy.effect());
            let allowed = baseline.allowed(*index, Some((original.id(), effect)));
            let caught = allowed != baseline.expected[*index];
            if caught {
                self.confirm(*index, baseline, mutant);
            }
            caught
        })
    }

    /// The whole set with the mutant in it decides wrongly indeed.
    fn confirm(&self, index: usize, baseline: &Baseline, mutant: &Mutant) {
        let others = baseline
            .policies
            .iter()
            .filter(|policy| policy.id() != mutant.policy.id());
        let all = others.cloned().chain([mutant.policy.clone()]);
        let response = self.ask(index, &PolicySet::from_policies(all).unwrap());
        let allowed = response.decision() == Decision::Allow;
        assert_ne!(
            allowed,
            baseline.expected[index],
            "{}: {}",
            mutant.policy.id(),
            mutant.change
        );
    }

    fn ask(&self, index: usize, set: &PolicySet) -> Response {
        Authorizer::new().is_authorized(&self.requests[index], set, &self.entities)
    }
}

/// The policies of an edition, under the names of their `@id`.
fn policies(edition: Edition) -> Vec<Policy> {
    let mut policies = Vec::new();
    for file in edition.policies() {
        let set: PolicySet = String::from_utf8(file.bytes).unwrap().parse().unwrap();
        let named =
            |policy: &Policy| policy.new_id(PolicyId::new(policy.annotation("id").unwrap()));
        policies.extend(set.policies().map(named));
    }
    policies
}

fn is_about(policy: &Policy, action: &EntityUid) -> bool {
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
