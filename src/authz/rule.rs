//! One policy, ready to be asked.

use cedar_policy::{
    ActionConstraint, Effect, Policy, PolicyId, PrincipalConstraint, ResourceConstraint,
};

use super::{
    engine,
    expr::{Expr, Scene, Unsure},
    symbols::{Symbols, TypeId, Uid},
    world::World,
};

/// A policy in force.
#[derive(Debug)]
pub(super) struct Rule {
    policy: Policy,
    pub(super) principal: Scope,
    action: ActionScope,
    pub(super) resource: Scope,
    condition: Condition,
    /// Every uid in its text.
    literals: Box<[Uid]>,
    /// Through how many entities in a row it looks, at most.
    sight: usize,
}

/// What a policy says of its principal, or its resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    Any,
    Equal(Uid),
    In(Uid),
    Is(TypeId),
    IsIn(TypeId, Uid),
}

#[derive(Debug)]
enum ActionScope {
    Any,
    Equal(Uid),
    In(Box<[Uid]>),
}

#[derive(Debug)]
enum Condition {
    Always,
    /// For Cedar to say.
    Foreign,
    When(Expr),
}

impl Rule {
    pub(super) fn new(policy: &Policy, symbols: &mut Symbols<'_>) -> Self {
        let action = match policy.action_constraint() {
            ActionConstraint::Any => ActionScope::Any,
            ActionConstraint::Eq(action) => ActionScope::Equal(symbols.uid_of(&action)),
            ActionConstraint::In(listed) => {
                ActionScope::In(listed.iter().map(|it| symbols.uid_of(it)).collect())
            }
        };
        Self {
            principal: Scope::of_principal(policy, symbols),
            resource: Scope::of_resource(policy, symbols),
            condition: match engine::condition(policy, symbols) {
                None => Condition::Foreign,
                Some(None) => Condition::Always,
                Some(Some(expr)) => Condition::When(expr),
            },
            literals: policy
                .entity_literals()
                .iter()
                .map(|uid| symbols.uid_of(uid))
                .collect(),
            sight: engine::sight(policy),
            policy: policy.clone(),
            action,
        }
    }

    /// The policy as Cedar knows it.
    pub(super) fn policy(&self) -> &Policy {
        &self.policy
    }

    pub(super) fn id(&self) -> &PolicyId {
        self.policy.id()
    }

    /// Whether only Cedar can evaluate it.
    pub(super) fn is_foreign(&self) -> bool {
        matches!(self.condition, Condition::Foreign)
    }

    /// Every uid in its text.
    pub(super) fn literals(&self) -> impl Iterator<Item = Uid> {
        self.literals.iter().copied()
    }

    /// Through how many entities in a row it looks, at most.
    pub(super) fn sight(&self) -> usize {
        self.sight
    }

    pub(super) fn forbids(&self) -> bool {
        self.policy.effect() == Effect::Forbid
    }

    /// Whether it is satisfied.
    ///
    /// # Errors
    /// Cedar has to be asked, which may say that it cannot be evaluated.
    pub(super) fn holds(&self, scene: &Scene<'_>) -> Result<bool, Unsure> {
        // Scopes raise no errors, and are asked before the condition.
        let applies = self.principal.lets_in(scene.principal, scene.world)
            && self.resource.lets_in(scene.resource, scene.world)
            && self.action.lets_in(scene);
        match &self.condition {
            _ if !applies => Ok(false),
            Condition::Always => Ok(true),
            Condition::Foreign => Err(Unsure),
            Condition::When(expr) => expr.holds(scene),
        }
    }
}

impl Scope {
    fn of_principal(policy: &Policy, symbols: &mut Symbols<'_>) -> Self {
        match policy.principal_constraint() {
            PrincipalConstraint::Any => Self::Any,
            PrincipalConstraint::Eq(uid) => Self::Equal(symbols.uid_of(&uid)),
            PrincipalConstraint::In(uid) => Self::In(symbols.uid_of(&uid)),
            PrincipalConstraint::Is(name) => Self::Is(symbols.type_of_name(&name)),
            PrincipalConstraint::IsIn(name, uid) => {
                Self::IsIn(symbols.type_of_name(&name), symbols.uid_of(&uid))
            }
        }
    }

    fn of_resource(policy: &Policy, symbols: &mut Symbols<'_>) -> Self {
        match policy.resource_constraint() {
            ResourceConstraint::Any => Self::Any,
            ResourceConstraint::Eq(uid) => Self::Equal(symbols.uid_of(&uid)),
            ResourceConstraint::In(uid) => Self::In(symbols.uid_of(&uid)),
            ResourceConstraint::Is(name) => Self::Is(symbols.type_of_name(&name)),
            ResourceConstraint::IsIn(name, uid) => {
                Self::IsIn(symbols.type_of_name(&name), symbols.uid_of(&uid))
            }
        }
    }

    /// Whether it lets an entity in, in some world. Raises no errors.
    pub(super) fn lets_in(self, uid: Uid, world: &World<'_>) -> bool {
        match self {
            Self::Any => true,
            Self::Equal(other) => uid == other,
            Self::In(group) => world.is_in(uid, group),
            Self::Is(kind) => world.kind(uid) == kind,
            Self::IsIn(kind, group) => world.kind(uid) == kind && world.is_in(uid, group),
        }
    }
}

impl ActionScope {
    fn lets_in(&self, scene: &Scene<'_>) -> bool {
        match self {
            Self::Any => true,
            Self::Equal(action) => scene.action == *action,
            Self::In(listed) => {
                let ancestors = scene.world.ancestors(scene.action);
                let holds = |group: &Uid| scene.action == *group || ancestors.contains(*group);
                listed.iter().any(holds)
            }
        }
    }
}
