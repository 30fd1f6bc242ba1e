//! Which policies can matter for an action.
//!
//! Left out is exactly what Cedar itself would reject by the action scope, whatever the principal,
//! the resource, the context and the entities are; `tests/core/differential.rs` holds it to that.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use cedar_policy::{
    ActionConstraint, AuthorizationError, Authorizer, Decision, Effect, Entities, EntityUid,
    Policy, PolicyId, PolicySet, Request, ResourceConstraint,
};

use super::{
    engine::{self, Uid},
    schema::SchemaModel,
    text,
};

/// Policies ready for Cedar's authorizer.
#[derive(Debug, Default)]
struct Relevant {
    set: PolicySet,
    /// Every uid in their texts.
    literals: Vec<Uid>,
    /// Through how many entities in a row they look, at most.
    sight: usize,
}

/// Policies by action.
#[derive(Debug, Default)]
pub(super) struct Index {
    /// Policies without an action scope: kept once, not with each action.
    everywhere: Relevant,
    by_action: HashMap<EntityUid, Arc<Relevant>>,
    /// For actions that neither the schema nor a policy names.
    others: Arc<Relevant>,
    forbids: HashSet<PolicyId>,
}

/// The policies that can matter for one action on resources of one type.
#[derive(Debug)]
pub(super) struct Narrowed {
    permits: Vec<PolicySet>,
    forbids: Vec<PolicySet>,
}

/// What the relevant policies say, as Cedar would of the whole set.
#[derive(Debug)]
pub(super) struct Verdict {
    pub(super) allows: bool,
    /// The determining policies: forbids if one is satisfied, else permits.
    pub(super) reasons: Vec<PolicyId>,
    pub(super) errors: Vec<AuthorizationError>,
}

impl Index {
    /// Sorts the policies of a set.
    ///
    /// # Errors
    /// A policy that cannot be put into a set of its own; none is known.
    pub(super) fn new(set: &PolicySet, schema: Option<&SchemaModel>) -> Result<Self, String> {
        let policies: Vec<(&Policy, ActionConstraint)> = set
            .policies()
            .map(|policy| (policy, policy.action_constraint()))
            .collect();
        let scopes = Scopes::of(&policies);
        let mut actions = scopes.actions();
        let declared = schema.into_iter().flat_map(|schema| schema.cedar.actions());
        actions.extend(declared.cloned());
        let groups = Groups::of(schema);
        // Many actions share their policies; one set serves them all.
        let mut built: HashMap<Vec<usize>, Arc<Relevant>> = HashMap::new();
        let mut relevant = |action: Option<&EntityUid>| {
            let chosen = scopes.chosen(&groups, action);
            if let Some(built) = built.get(&chosen) {
                return Ok(Arc::clone(built));
            }
            let of = chosen
                .iter()
                .filter_map(|index| Some(policies.get(*index)?.0));
            let new = Arc::new(Relevant::new(set, of)?);
            built.insert(chosen, Arc::clone(&new));
            Ok::<_, String>(new)
        };
        let anywhere = policies
            .iter()
            .filter(|(_, constraint)| *constraint == ActionConstraint::Any);
        let everywhere = Relevant::new(set, anywhere.map(|(policy, _)| *policy))?;
        let others = relevant(None)?;
        let mut by_action = HashMap::new();
        for action in actions {
            let of_action = relevant(Some(&action))?;
            by_action.insert(action, of_action);
        }
        let forbids = policies
            .iter()
            .filter(|(policy, _)| policy.effect() == Effect::Forbid)
            .map(|(policy, _)| policy.id().clone())
            .collect();
        Ok(Self {
            everywhere,
            by_action,
            others,
            forbids,
        })
    }

    /// What Cedar's authorizer says of the policies that can matter.
    pub(super) fn authorize(&self, request: &Request, entities: &Entities) -> Verdict {
        authorize(self.sets(request.action()), request, entities)
    }

    /// The policies that can matter for an action on resources of one type, for whoever asks about
    /// many of them. Left out is exactly what Cedar itself would reject by the resource scope.
    ///
    /// # Errors
    /// A policy that cannot be put into a set of its own; none is known.
    pub(super) fn narrowed(
        &self,
        action: &EntityUid,
        resource_type: &str,
    ) -> Result<Narrowed, String> {
        let may_match = |policy: &&Policy| match policy.resource_constraint() {
            ResourceConstraint::Is(named) | ResourceConstraint::IsIn(named, _) => {
                named.to_string() == resource_type
            }
            ResourceConstraint::Any | ResourceConstraint::Eq(_) | ResourceConstraint::In(_) => true,
        };
        let of = |effect: Effect| {
            let chosen = |set: &PolicySet| {
                let policies = set.policies().filter(|policy| policy.effect() == effect);
                part(set, policies.filter(may_match))
            };
            let parts = self.sets(Some(action)).map(chosen);
            parts.collect::<Result<Vec<_>, _>>()
        };
        Ok(Narrowed {
            permits: of(Effect::Permit)?,
            forbids: of(Effect::Forbid)?,
        })
    }

    /// Every uid in the texts of the policies that can matter.
    pub(super) fn literals(&self, action: Option<&EntityUid>) -> impl Iterator<Item = &Uid> {
        self.relevant(action)
            .into_iter()
            .flat_map(|relevant| &relevant.literals)
    }

    /// The sets of policies that can matter for this action. No policy is in both.
    pub(super) fn sets(&self, action: Option<&EntityUid>) -> impl Iterator<Item = &PolicySet> {
        self.relevant(action)
            .into_iter()
            .map(|relevant| &relevant.set)
    }

    /// Every action that the scope of a policy names, or the schema declares.
    pub(super) fn named_actions(&self) -> impl Iterator<Item = &EntityUid> {
        self.by_action.keys()
    }

    /// Through how many entities in a row the policies that can matter look, at most.
    pub(super) fn sight(&self, action: Option<&EntityUid>) -> usize {
        let relevant = self.relevant(action).map(|relevant| relevant.sight);
        relevant.into_iter().max().unwrap_or(0)
    }

    /// The policies that can matter for this action: those without an action scope, and its own.
    fn relevant(&self, action: Option<&EntityUid>) -> [&Relevant; 2] {
        let own = action.and_then(|action| self.by_action.get(action));
        [&self.everywhere, own.unwrap_or(&self.others)]
    }

    /// Whether a policy forbids.
    pub(super) fn is_forbid(&self, id: &PolicyId) -> bool {
        self.forbids.contains(id)
    }
}

/// Policies by what their action scopes say, as places in a list.
#[derive(Default)]
struct Scopes<'p> {
    /// Most policies name one action: those are found, not sought for each action anew.
    of_one: HashMap<&'p EntityUid, Vec<usize>>,
    of_some: Vec<(usize, &'p [EntityUid])>,
}

impl<'p> Scopes<'p> {
    fn of(policies: &'p [(&Policy, ActionConstraint)]) -> Self {
        let mut scopes = Self::default();
        for (index, (_, constraint)) in policies.iter().enumerate() {
            match constraint {
                // Kept apart, in `everywhere`.
                ActionConstraint::Any => {}
                ActionConstraint::Eq(action) => {
                    scopes.of_one.entry(action).or_default().push(index);
                }
                ActionConstraint::In(listed) => scopes.of_some.push((index, listed)),
            }
        }
        scopes
    }

    /// Every action and group that is named.
    fn actions(&self) -> HashSet<EntityUid> {
        let listed = self.of_some.iter().flat_map(|(_, listed)| *listed);
        self.of_one.keys().copied().chain(listed).cloned().collect()
    }

    /// The policies that can matter for an action, in the order of the list.
    fn chosen(&self, groups: &Groups, action: Option<&EntityUid>) -> Vec<usize> {
        let one = action.and_then(|action| self.of_one.get(action));
        let some = self.of_some.iter();
        let some = some.filter(|(_, listed)| groups.may_match(listed, action));
        let mut chosen: Vec<usize> = some.map(|(index, _)| *index).collect();
        chosen.extend(one.into_iter().flatten());
        chosen.sort_unstable();
        chosen
    }
}

impl Narrowed {
    /// The permits that are satisfied, if Cedar's authorizer would allow. Only for the action and the
    /// type it was made for. Most questions are permitted by nobody, and no forbid is asked then.
    pub(super) fn permits(&self, request: &Request, entities: &Entities) -> Option<Vec<PolicyId>> {
        let verdict = authorize(&self.permits, request, entities);
        let allows = verdict.allows && !self.forbids(request, entities);
        allows.then_some(verdict.reasons)
    }

    /// Whether a forbid is satisfied.
    pub(super) fn forbids(&self, request: &Request, entities: &Entities) -> bool {
        let verdict = authorize(&self.forbids, request, entities);
        !verdict.reasons.is_empty()
    }
}

/// What Cedar's authorizer says of sets that have no policy in common.
fn authorize<'p>(
    sets: impl IntoIterator<Item = &'p PolicySet>,
    request: &Request,
    entities: &Entities,
) -> Verdict {
    let mut verdict = Verdict {
        allows: false,
        reasons: Vec::new(),
        errors: Vec::new(),
    };
    let mut forbidden = false;
    for set in sets.into_iter().filter(|set| !set.is_empty()) {
        let response = Authorizer::new().is_authorized(request, set, entities);
        let allows = response.decision() == Decision::Allow;
        let mut reasons = response.diagnostics().reason().cloned().peekable();
        let forbids = !allows && reasons.peek().is_some();
        if forbids && !forbidden {
            verdict.reasons.clear();
        }
        forbidden |= forbids;
        if forbids == forbidden {
            verdict.reasons.extend(reasons);
        }
        verdict.allows |= allows;
        verdict
            .errors
            .extend(response.diagnostics().errors().cloned());
    }
    verdict.allows &= !forbidden;
    verdict
}

/// Each declared action's groups. Without a schema (`None`) only the store or the question knows.
struct Groups(Option<HashMap<EntityUid, HashSet<EntityUid>>>);

impl Groups {
    fn of(schema: Option<&SchemaModel>) -> Self {
        let groups = |action: &Arc<engine::Entity>| {
            let uid = engine::public_uid(action.uid());
            (uid, action.ancestors().map(engine::public_uid).collect())
        };
        Self(schema.map(|schema| {
            let actions = engine::action_entities(&schema.cedar);
            actions.iter().map(groups).collect()
        }))
    }

    /// Whether an action scope of these actions and groups can be true; `None` stands for an action
    /// nobody names.
    fn may_match(&self, listed: &[EntityUid], action: Option<&EntityUid>) -> bool {
        let Some(groups) = &self.0 else {
            return true;
        };
        action.is_some_and(|action| {
            let above = groups.get(action);
            let holds = |group| group == action || above.is_some_and(|it| it.contains(group));
            listed.iter().any(holds)
        })
    }
}

impl Relevant {
    fn new<'p>(
        whole: &PolicySet,
        policies: impl Iterator<Item = &'p Policy>,
    ) -> Result<Self, String> {
        let mut literals: HashSet<Uid> = HashSet::new();
        let mut sight = 0;
        let policies = policies.inspect(|policy| {
            sight = sight.max(engine::sight(policy));
            let named = policy.entity_literals();
            literals.extend(named.iter().map(|uid| engine::uid(uid).clone()));
        });
        Ok(Self {
            set: part(whole, policies)?,
            literals: literals.into_iter().collect(),
            sight,
        })
    }
}

/// Some policies of a set, with the templates they need.
fn part<'p>(
    whole: &PolicySet,
    policies: impl Iterator<Item = &'p Policy>,
) -> Result<PolicySet, String> {
    let mut set = PolicySet::new();
    for policy in policies {
        let template = policy.template_id().and_then(|id| whole.template(id));
        let added = match (template, policy.template_links()) {
            (Some(template), Some(slots)) => {
                if set.template(template.id()).is_none() {
                    set.add_template(template.clone())
                        .map_err(|e| text::chain(&e))?;
                }
                set.link(template.id().clone(), policy.id().clone(), slots)
            }
            _ => set.add(policy.clone()),
        };
        added.map_err(|error| text::chain(&error))?;
    }
    Ok(set)
}
