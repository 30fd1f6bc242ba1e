//! What is left of the policies once all but the candidate is known: Cedar's type-aware partial
//! evaluation. The one place that uses this experimental part of `cedar-policy`.
//!
//! It reasons by types, and is exact for policies, requests and entities that fit the schema. That
//! an entity which is named may not exist is among what it reckons with. Where the fit is not
//! certain, or it refuses, it is left aside.

use std::collections::HashSet;

use cedar_policy::{
    Effect, EntityUid, PartialEntities, PartialEntityUid, PartialRequest, Policy, PolicyId,
    Request, TpeResponse,
};

use crate::authz::{
    Snapshot,
    engine::{self, Uid},
    inline::Inline,
    slice::Given,
};

use super::Open;

/// Most policies that are evaluated in part at once: each takes some ten microseconds, and nobody
/// is asked meanwhile whether to go on.
const MAX_POLICIES: usize = 10_000;

/// Policies that speak of the candidate alone.
#[derive(Debug)]
pub(super) struct Residuals<'s> {
    snapshot: &'s Snapshot,
    /// Permits that are certain, or depend on the candidate; none if nobody is permitted.
    permits: Vec<Policy>,
    /// Forbids that depend on the candidate.
    forbids: Vec<Policy>,
}

impl<'s> Residuals<'s> {
    /// `None` where partial evaluation would not be exact, or refuses.
    pub(super) fn of(
        snapshot: &'s Snapshot,
        open: Open,
        request: &Request,
        mentioned: &HashSet<Uid>,
    ) -> Option<Self> {
        let schema = snapshot.schema().filter(|_| snapshot.valid.is_some())?;
        let schema = &schema.cedar;
        let known = known_entities(snapshot, open.known(request)?, request.action()?, mentioned)?;
        let known = PartialEntities::from_concrete(known, schema).ok()?;
        let (principal, resource) = partial(open, request)?;
        let (action, context) = (request.action()?.clone(), request.context().cloned());
        // Refuses what does not fit the schema: an action that does not apply to these types, a
        // type that is not declared.
        let partial = PartialRequest::new(principal, action, resource, context, schema).ok()?;
        let mut policies = Vec::new();
        let mut forbidden = false;
        for set in snapshot.index.sets(request.action()) {
            if set.num_of_policies() > MAX_POLICIES {
                return None;
            }
            let response = set.tpe(&partial, &known, schema).ok()?;
            // What errs for every candidate is to be seen where they are decided.
            if response
                .error_permits()
                .chain(response.error_forbids())
                .next()
                .is_some()
            {
                return None;
            }
            forbidden |= response.true_forbids().next().is_some();
            policies.extend(undecided(&response));
        }
        let is_permit = |policy: &Policy| policy.effect() == Effect::Permit;
        let (permits, forbids) = policies.into_iter().partition(is_permit);
        Some(Self {
            snapshot,
            permits: if forbidden { Vec::new() } else { permits },
            forbids,
        })
    }

    /// Whether no candidate is permitted.
    pub(super) fn permit_nobody(&self) -> bool {
        self.permits.is_empty()
    }

    /// Whether the request about a stored candidate may be permitted. What a policy that errs
    /// means is for the whole decision to say, which follows.
    pub(super) fn may_permit(&self, request: &Request) -> bool {
        let view = self.snapshot.stored().view();
        engine::allows(&self.permits, &self.forbids, request, view)
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
    known: &EntityUid,
    action: &EntityUid,
    mentioned: &HashSet<Uid>,
) -> Option<cedar_policy::Entities> {
    let roots = mentioned
        .iter()
        .chain([engine::uid(known), engine::uid(action)]);
    let literals = snapshot.index.literals(Some(action)).cloned();
    let nothing = Given::new(Inline::default(), snapshot).ok()?;
    let sight = snapshot.index.sight(Some(action));
    let slice = nothing
        .slice(snapshot, roots.cloned(), literals, sight)
        .ok()?;
    Some(slice.entities)
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
