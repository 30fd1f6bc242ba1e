//! What is left of the policies once all but the candidate is known: Cedar's type-aware partial
//! evaluation. The one place that uses this experimental part of `cedar-policy`.
//!
//! It reasons by types, and is exact for policies, requests and entities that fit the schema. That
//! an entity which is named may not exist is among what it reckons with. Where the fit is not
//! certain, or it refuses, it is left aside.

use std::collections::HashSet;

use cedar_policy::{
    EntityUid, PartialEntities, PartialEntityUid, PartialRequest, Policy, PolicyId, Request,
    TpeResponse,
};

use crate::authz::{
    Snapshot, engine,
    expr::Scene,
    index,
    query::Asked,
    rule::Rule,
    symbols::Symbols,
    world::{Looked, World},
};

use super::Open;

/// Most policies that are evaluated in part at once: each takes some ten microseconds, and nobody
/// is asked meanwhile whether to go on.
const MAX_POLICIES: usize = 10_000;

/// Policies that speak of the candidate alone.
#[derive(Debug)]
pub(super) struct Residuals {
    /// Permits that are certain, or depend on the candidate; none if nobody is permitted.
    permits: Vec<Rule>,
    /// Forbids that depend on the candidate.
    forbids: Vec<Rule>,
}

impl Residuals {
    /// `None` where partial evaluation would not be exact, or refuses.
    pub(super) fn of(
        snapshot: &Snapshot,
        open: Open,
        asked: &Asked,
        symbols: &Symbols<'_>,
    ) -> Option<Self> {
        let schema = snapshot.schema().filter(|_| snapshot.valid.is_some())?;
        let schema = &schema.cedar;
        let known = known_entities(snapshot, open, asked, symbols)?;
        let known = PartialEntities::from_concrete(known, schema).ok()?;
        let uids = [asked.principal, asked.action, asked.resource];
        let request = engine::request(uids, &asked.context, symbols).ok()?;
        let (principal, resource) = partial(open, &request)?;
        let (action, context) = (request.action()?.clone(), request.context().cloned());
        // Refuses what does not fit the schema: an action that does not apply to these types, a
        // type that is not declared.
        let partial = PartialRequest::new(principal, action, resource, context, schema).ok()?;
        let policies: Vec<&Policy> = snapshot
            .index
            .rules(asked.action)
            .map(Rule::policy)
            .collect();
        if policies.len() > MAX_POLICIES {
            return None;
        }
        let set = index::part(&snapshot.policies.set, policies.into_iter()).ok()?;
        let response = set.tpe(&partial, &known, schema).ok()?;
        // What errs for every candidate is to be seen where they are decided.
        let erring = response.error_permits().chain(response.error_forbids());
        if erring.count() > 0 {
            return None;
        }
        let forbidden = response.true_forbids().next().is_some();
        // INVARIANT: partial evaluation names nothing that policies, question and store do not, so that
        // every number is one of the layers below.
        let mut symbols = Symbols::above(symbols);
        let rule = |policy: &Policy| Rule::new(policy, &mut symbols);
        let rules: Vec<Rule> = undecided(&response).iter().map(rule).collect();
        let (forbids, permits) = rules.into_iter().partition(Rule::forbids);
        Some(Self {
            permits: if forbidden { Vec::new() } else { permits },
            forbids,
        })
    }

    /// Whether no candidate is permitted.
    pub(super) fn permit_nobody(&self) -> bool {
        self.permits.is_empty()
    }

    /// Whether the question about a stored candidate may be permitted. What a policy that errs
    /// means is for the whole decision to say, which follows.
    pub(super) fn may_permit(&self, scene: &Scene<'_>) -> bool {
        let permitted = self.permits.iter().any(|it| it.holds(scene) != Ok(false));
        permitted && !self.forbids.iter().any(|it| it.holds(scene) == Ok(true))
    }
}

/// Principal and resource, of which the open one is known by its type alone.
fn partial(open: Open, request: &Request) -> Option<(PartialEntityUid, PartialEntityUid)> {
    let whole = |uid: &EntityUid| PartialEntityUid::from_concrete(uid.clone());
    let typed = |uid: &EntityUid| PartialEntityUid::new(uid.type_name().clone(), None);
    let (principal, resource) = (request.principal()?, request.resource()?);
    Some(match open {
        Open::Principal => (typed(principal), whole(resource)),
        Open::Resource => (whole(principal), typed(resource)),
    })
}

/// What policies can reach without the candidate.
fn known_entities(
    snapshot: &Snapshot,
    open: Open,
    asked: &Asked,
    symbols: &Symbols<'_>,
) -> Option<cedar_policy::Entities> {
    let mut roots = vec![open.known(asked), asked.action];
    asked.context.mentions(&mut |uid| roots.push(uid));
    let world = World::stored(symbols, snapshot.stored(), snapshot.schema());
    let rules = snapshot.index.rules(asked.action);
    let literals = rules.flat_map(Rule::literals);
    let sight = snapshot.index.sight(asked.action);
    let reached = world.reach(roots, literals, sight).entities.into_iter();
    world.cedar(reached.map(|uid| (uid, Looked::whole()))).ok()
}

/// The policies whose outcome may yet depend on the candidate, and the permits that are certain.
fn undecided(response: &TpeResponse<'_>) -> Vec<Policy> {
    let kept: HashSet<&PolicyId> = response
        .true_permits()
        .chain(response.residual_permits())
        .chain(response.residual_forbids())
        .collect();
    let policies = response.policies();
    policies
        .filter(|policy| kept.contains(policy.id()))
        .collect()
}
