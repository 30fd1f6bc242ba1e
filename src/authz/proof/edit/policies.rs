//! Policies that are not on both sides of an edit, told apart by what they say.

use std::{collections::HashMap, hash::Hash, sync::Arc};

use cedar_policy::{PolicySet, RequestEnv, Schema, ValidationMode, Validator};

use crate::authz::{PolicyInfo, engine};

use super::super::{Proofs, statement::Statement};

/// A policy as one side has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyText {
    /// Where it stands, and what it is called.
    pub info: PolicyInfo,
    /// What it says.
    pub text: String,
}

/// A policy that is not on both sides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyChange {
    /// As it was; none if it was added.
    pub before: Option<PolicyText>,
    /// As it is; none if it was removed.
    pub after: Option<PolicyText>,
}

impl PolicyChange {
    /// Its id.
    pub fn id(&self) -> &str {
        let one = self.after.as_ref().or(self.before.as_ref());
        one.map_or("", |it| it.info.id.as_str())
    }

    /// `added`, `removed` or `changed`.
    pub fn as_str(&self) -> &'static str {
        match (&self.before, &self.after) {
            (None, _) => "added",
            (_, None) => "removed",
            (Some(_), Some(_)) => "changed",
        }
    }
}

impl PolicyText {
    fn of(statement: &Statement) -> Self {
        let mut info = statement.info.clone();
        // Statements of the spec and invariants are called by what they are.
        if let Some(title) = statement.title() {
            info.id = title;
        }
        Self {
            info,
            text: statement.policy.to_string(),
        }
    }
}

/// A change, with the statements it is made of.
#[derive(Debug)]
pub(super) struct Changed {
    pub(super) change: PolicyChange,
    statements: Vec<Arc<Statement>>,
}

impl Changed {
    fn of(before: Option<Arc<Statement>>, after: Option<Arc<Statement>>) -> Self {
        let text = |it: &Option<Arc<Statement>>| it.as_deref().map(PolicyText::of);
        Self {
            change: PolicyChange {
                before: text(&before),
                after: text(&after),
            },
            statements: before.into_iter().chain(after).collect(),
        }
    }

    /// Whether it can matter for requests of a shape.
    pub(super) fn may_match(&self, env: &RequestEnv) -> bool {
        self.statements.iter().any(|it| it.may_match(env))
    }
}

/// What differs, annotations included, in the order of the side after, then what is gone. What only
/// moved, or only has another number for want of an id, is the same.
pub(super) fn changes(before: &Proofs<'_>, after: &Proofs<'_>) -> Vec<Changed> {
    let [old, new] = [before, after].map(|side| side.statements.everything_written());
    let (old, new) = (&old, &new);
    let all = |it: &Arc<Statement>| (it.digest, it.info.annotations.clone());
    let mut gone = others(old, new, all);
    let come = others(new, old, all).into_iter().map(|it| {
        let same = gone.iter().position(|old| old.id == it.id);
        Changed::of(same.map(|place| gone.remove(place)), Some(it))
    });
    let mut changes: Vec<Changed> = come.collect();
    changes.extend(gone.into_iter().map(|it| Changed::of(Some(it), None)));
    changes
}

/// Those that the others have, too.
pub(in super::super) fn shared(
    mut these: Vec<Arc<Statement>>,
    others: &[Arc<Statement>],
) -> Vec<Arc<Statement>> {
    these.retain(|it| others.iter().any(|other| other.digest == it.digest));
    these
}

/// Those that decide as none of the others does.
pub(super) fn without(these: &[Arc<Statement>], than: &[Arc<Statement>]) -> Vec<Arc<Statement>> {
    others(these, than, |it| it.digest)
}

/// Those that say what none of the others says, counted: of two alike, one can be gone.
fn others<K: Eq + Hash>(
    these: &[Arc<Statement>],
    than: &[Arc<Statement>],
    says: impl Fn(&Arc<Statement>) -> K,
) -> Vec<Arc<Statement>> {
    let mut counts: HashMap<K, usize> = HashMap::new();
    for other in than {
        *counts.entry(says(other)).or_default() += 1;
    }
    let left = these.iter().filter(|it| match counts.get_mut(&says(it)) {
        Some(count @ 1..) => {
            *count -= 1;
            false
        }
        Some(0) | None => true,
    });
    left.cloned().collect()
}

/// Policies as another schema takes them, and those that it does not take.
pub(super) fn under(
    policies: &[Arc<Statement>],
    schema: &Schema,
) -> (Vec<Arc<Statement>>, Vec<Arc<Statement>>) {
    let (validator, groups) = (
        Validator::new(schema.clone()),
        engine::action_groups(schema),
    );
    let (mut fit, mut unfit) = (Vec::new(), Vec::new());
    for statement in policies {
        let set = PolicySet::from_policies([statement.policy.clone()]);
        let fits = set.is_ok_and(|set| {
            let validated = validator.validate(&set, ValidationMode::Strict);
            validated.validation_passed()
        });
        match fits {
            true => fit.push(Arc::new(statement.under(&groups))),
            false => unfit.push(Arc::clone(statement)),
        }
    }
    (fit, unfit)
}
