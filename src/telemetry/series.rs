//! The series that a decision counts in, looked up by label once for each snapshot: on the
//! request path there is one hash of the action and one of each policy that decided.

use std::collections::HashMap;

use prometheus::{IntCounter, IntCounterVec};

use crate::authz::{Answer, Outcome, PolicyError, Snapshot};

use super::families::Families;

/// The label of actions that the schema does not declare.
const OTHER: &str = "other";

/// Handles for one snapshot. Never changes; the next snapshot has its own.
#[derive(Debug)]
pub(super) struct Series {
    actions: HashMap<String, ByOutcome>,
    other: ByOutcome,
    policies: HashMap<String, OfPolicy>,
}

#[derive(Debug)]
struct ByOutcome {
    error: IntCounter,
    forbidden: IntCounter,
    not_permitted: IntCounter,
    permitted: IntCounter,
}

#[derive(Debug)]
struct OfPolicy {
    effect: &'static str,
    determining: IntCounter,
    errors: IntCounter,
}

impl Series {
    /// Only what needs no snapshot.
    pub(super) fn start(families: &Families) -> Self {
        Self {
            actions: HashMap::new(),
            other: ByOutcome::of(&families.decisions, OTHER),
            policies: HashMap::new(),
        }
    }

    /// The series of a snapshot, each at 0 if it is new.
    pub(super) fn of(families: &Families, snapshot: &Snapshot) -> Self {
        let actions = snapshot.action_labels().iter();
        let policies = snapshot.policies().iter();
        Self {
            actions: actions
                .map(|label| (label.clone(), ByOutcome::of(&families.decisions, label)))
                .collect(),
            policies: policies
                .map(|policy| {
                    let of_policy = OfPolicy::of(families, &policy.id, policy.effect);
                    (policy.id.clone(), of_policy)
                })
                .collect(),
            ..Self::start(families)
        }
    }

    /// Counts a decision. A policy of an earlier snapshot has no series any more: to count it
    /// would bring a removed one back to life.
    pub(super) fn decided(&self, action: Option<&str>, answer: &Answer) {
        action
            .and_then(|label| self.actions.get(label))
            .unwrap_or(&self.other)
            .of_outcome(answer.outcome)
            .inc();
        for id in &answer.policies {
            if let Some(policy) = self.policies.get(id) {
                policy.determining.inc();
            }
        }
        self.erred(&answer.errors);
    }

    /// Counts policies that could not be evaluated.
    pub(super) fn erred(&self, errors: &[PolicyError]) {
        for error in errors {
            if let Some(policy) = self.policies.get(&error.policy) {
                policy.errors.inc();
            }
        }
    }

    /// Removes the series that are not among `next`'s.
    pub(super) fn retire(&self, families: &Families, next: &Self) {
        // That one was not there is as good as removed.
        for action in self.actions.keys() {
            if action != OTHER && !next.actions.contains_key(action) {
                for outcome in Outcome::ALL {
                    let labels = ByOutcome::labels(action, outcome);
                    let _ = families.decisions.remove_label_values(&labels);
                }
            }
        }
        for (id, policy) in &self.policies {
            let successor = next.policies.get(id);
            if successor.is_none() {
                let _ = families.policy_errors.remove_label_values(&[id]);
            }
            if successor.is_none_or(|it| it.effect != policy.effect) {
                let labels = [id, policy.effect];
                let _ = families.determining_policy.remove_label_values(&labels);
            }
        }
    }
}

impl ByOutcome {
    fn of(decisions: &IntCounterVec, action: &str) -> Self {
        let series = |outcome| decisions.with_label_values(&Self::labels(action, outcome));
        Self {
            error: series(Outcome::Error),
            forbidden: series(Outcome::Forbidden),
            not_permitted: series(Outcome::NotPermitted),
            permitted: series(Outcome::Permitted),
        }
    }

    fn labels(action: &str, outcome: Outcome) -> [&str; 3] {
        [action, outcome.decision().as_str(), outcome.as_str()]
    }

    fn of_outcome(&self, outcome: Outcome) -> &IntCounter {
        match outcome {
            Outcome::Error => &self.error,
            Outcome::Forbidden => &self.forbidden,
            Outcome::NotPermitted => &self.not_permitted,
            Outcome::Permitted => &self.permitted,
        }
    }
}

impl OfPolicy {
    fn of(families: &Families, id: &str, effect: &'static str) -> Self {
        Self {
            effect,
            determining: families.determining_policy.with_label_values(&[id, effect]),
            errors: families.policy_errors.with_label_values(&[id]),
        }
    }
}
