//! Which policies can matter for a question.
//!
//! Left out is exactly what Cedar itself would reject by a scope, whatever the conditions, the
//! context and the other entities are; `tests/core/differential.rs` holds it to that.

use std::sync::Arc;

use cedar_policy::{ActionConstraint, EntityUid, Policy, PolicySet};
use hashbrown::{HashMap, HashSet};

use super::{
    engine,
    expr::Scene,
    rule::{Rule, Scope},
    schema::SchemaModel,
    symbols::{Symbols, Uid},
    text,
};

mod sides;
mod verdict;

use sides::BySides;
pub(super) use verdict::Verdict;

/// Policies that can matter for some action.
#[derive(Debug, Default)]
struct Relevant {
    /// Places in the list of rules, in order.
    rules: Vec<usize>,
    by_sides: BySides,
    /// Through how many entities in a row they look, at most.
    sight: usize,
}

/// Policies by action, principal and resource.
#[derive(Debug, Default)]
pub(super) struct Index {
    rules: Vec<Rule>,
    /// Policies without an action scope: kept once, not with each action.
    everywhere: Relevant,
    by_action: HashMap<Uid, Arc<Relevant>>,
    /// For actions that neither the schema nor a policy names.
    others: Arc<Relevant>,
}

impl Index {
    /// Makes policies ready to be asked, and sorts them.
    pub(super) fn new<'p>(
        policies: impl Iterator<Item = &'p Policy>,
        schema: Option<&SchemaModel>,
        symbols: &mut Symbols<'_>,
    ) -> Self {
        let policies: Vec<(&Policy, ActionConstraint)> = policies
            .map(|policy| (policy, policy.action_constraint()))
            .collect();
        let scopes = Scopes::of(&policies);
        let mut actions = scopes.actions();
        let declared = schema.into_iter().flat_map(|schema| schema.cedar.actions());
        actions.extend(declared.cloned());
        let groups = Groups::of(schema);
        let rules: Vec<Rule> = policies
            .iter()
            .map(|(policy, _)| Rule::new(policy, symbols))
            .collect();
        // Many actions share their policies; one list serves them all.
        let mut built: HashMap<Vec<usize>, Arc<Relevant>> = HashMap::new();
        let mut relevant = |action: Option<&EntityUid>| {
            let chosen = scopes.chosen(&groups, action);
            let build = |chosen: &Vec<usize>| Arc::new(Relevant::new(chosen, &rules));
            Arc::clone(built.entry(chosen).or_insert_with_key(build))
        };
        let others = relevant(None);
        let by_action = actions
            .iter()
            .map(|action| (symbols.uid_of(action), relevant(Some(action))));
        let by_action = by_action.collect();
        Self {
            everywhere: Relevant::new(&scopes.anywhere, &rules),
            by_action,
            others,
            rules,
        }
    }

    /// What the policies say of a question.
    pub(super) fn ask(&self, scene: &Scene<'_>) -> Verdict<'_> {
        let mut verdict = Verdict::default();
        for relevant in self.relevant(scene.action) {
            relevant.by_sides.each(scene, &mut |rule| {
                if let Some(rule) = self.rules.get(rule) {
                    verdict.take(rule, rule.holds(scene));
                }
            });
        }
        if verdict.is_unsure() {
            verdict.ask_cedar(scene);
        }
        verdict
    }

    /// Whether a forbid is satisfied.
    pub(super) fn forbids(&self, scene: &Scene<'_>) -> bool {
        !self.ask(scene).forbids.is_empty()
    }

    /// The policies that can matter for this action.
    pub(super) fn rules(&self, action: Uid) -> impl Iterator<Item = &Rule> {
        let relevant = self.relevant(action).into_iter();
        let places = relevant.flat_map(|relevant| &relevant.rules);
        places.filter_map(|place| self.rules.get(*place))
    }

    /// Every action that the scope of a policy names, or the schema declares.
    pub(super) fn named_actions(&self) -> impl Iterator<Item = Uid> {
        self.by_action.keys().copied()
    }

    /// Through how many entities in a row the policies that can matter look, at most.
    pub(super) fn sight(&self, action: Uid) -> usize {
        let relevant = self.relevant(action).map(|relevant| relevant.sight);
        relevant.into_iter().max().unwrap_or(0)
    }

    /// The policies that can matter for this action: those without an action scope, and its own.
    fn relevant(&self, action: Uid) -> [&Relevant; 2] {
        [
            &self.everywhere,
            self.by_action.get(&action).unwrap_or(&self.others),
        ]
    }
}

impl Relevant {
    fn new(places: &[usize], rules: &[Rule]) -> Self {
        let chosen = places.iter().filter_map(|place| rules.get(*place));
        let scopes = |rule: &Rule| -> [Scope; 2] { [rule.principal, rule.resource] };
        let sided = places.iter().copied();
        let sided = sided.filter_map(|place| Some((place, scopes(rules.get(place)?))));
        Self {
            rules: places.to_vec(),
            by_sides: BySides::of(sided),
            sight: chosen.map(Rule::sight).max().unwrap_or(0),
        }
    }
}

/// Policies by what their action scopes say, as places in a list.
#[derive(Default)]
struct Scopes<'p> {
    anywhere: Vec<usize>,
    /// Most policies name one action: those are found, not sought for each action anew.
    of_one: HashMap<&'p EntityUid, Vec<usize>>,
    of_some: Vec<(usize, &'p [EntityUid])>,
}

impl<'p> Scopes<'p> {
    fn of(policies: &'p [(&Policy, ActionConstraint)]) -> Self {
        let mut scopes = Self::default();
        for (index, (_, constraint)) in policies.iter().enumerate() {
            match constraint {
                ActionConstraint::Any => scopes.anywhere.push(index),
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

/// Each declared action's groups. Without a schema (`None`) only the store or the question knows.
struct Groups(Option<HashMap<EntityUid, HashSet<EntityUid>>>);

impl Groups {
    fn of(schema: Option<&SchemaModel>) -> Self {
        Self(schema.map(|schema| engine::action_groups(&schema.cedar)))
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

/// Some policies of a set, with the templates they need.
///
/// # Errors
/// A policy that cannot be put into a set of its own; none is known.
pub(super) fn part<'p>(
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
