//! What policies say of one question, as Cedar would of the whole set.

use cedar_policy::{Entities, Request};

use crate::authz::{
    engine,
    expr::{Scene, Unsure},
    rule::Rule,
    world::Looked,
};

/// Who permits, who forbids, and who could not be evaluated.
#[derive(Debug, Default)]
pub(in crate::authz) struct Verdict<'i> {
    pub(in crate::authz) permits: Vec<&'i Rule>,
    pub(in crate::authz) forbids: Vec<&'i Rule>,
    /// With Cedar's message.
    pub(in crate::authz) errors: Vec<(&'i Rule, String)>,
    unsure: Vec<&'i Rule>,
    /// Cedar could not be asked, which is no fault of a policy.
    untold: bool,
}

impl<'i> Verdict<'i> {
    /// Whether Cedar allows.
    pub(in crate::authz) fn allows(&self) -> bool {
        self.forbids.is_empty() && !self.permits.is_empty()
    }

    /// The determining policies: forbids if one is satisfied, else permits.
    pub(in crate::authz) fn reasons(&self) -> &[&'i Rule] {
        if self.forbids.is_empty() {
            &self.permits
        } else {
            &self.forbids
        }
    }

    /// Whether a forbid could not be evaluated though nothing is wrong with it.
    pub(in crate::authz) fn is_untold(&self) -> bool {
        self.untold
    }

    pub(super) fn take(&mut self, rule: &'i Rule, holds: Result<bool, Unsure>) {
        match holds {
            Ok(false) => {}
            Ok(true) if rule.forbids() => self.forbids.push(rule),
            Ok(true) => self.permits.push(rule),
            Err(Unsure) => self.unsure.push(rule),
        }
    }

    pub(super) fn is_unsure(&self) -> bool {
        !self.unsure.is_empty()
    }

    /// Puts those that we are unsure of to Cedar, with the entities that they may look into.
    pub(super) fn ask_cedar(&mut self, scene: &Scene<'_>) {
        let unsure = std::mem::take(&mut self.unsure);
        let policies = || unsure.iter().map(|rule| rule.policy());
        let holds = match told(scene, &unsure) {
            Ok((request, entities)) => engine::evaluated(policies(), &request, &entities),
            Err(why) => {
                self.untold = true;
                vec![Err(why); unsure.len()]
            }
        };
        for (rule, holds) in unsure.into_iter().zip(holds) {
            match holds {
                Ok(holds) => self.take(rule, Ok(holds)),
                Err(message) => self.errors.push((rule, message)),
            }
        }
    }
}

/// The question as Cedar has it, and what it looks at for these policies: what we looked at until we
/// were unsure; for policies that are foreign to us, whatever they can reach.
fn told(scene: &Scene<'_>, policies: &[&Rule]) -> Result<(Request, Entities), String> {
    let world = scene.world;
    let asked = [scene.principal, scene.action, scene.resource];
    let request = engine::request(asked, scene.context, world.symbols)?;
    let mut looked = world.looked_at(|| {
        for rule in policies {
            // That it ends where it did before is known.
            let _ = rule.holds(scene);
        }
    });
    let foreign = policies.iter().filter(|rule| rule.is_foreign());
    if let Some(sight) = foreign.clone().map(|rule| rule.sight()).max() {
        let mut roots = asked.to_vec();
        scene.context.mentions(&mut |uid| roots.push(uid));
        let literals = foreign.flat_map(|rule| rule.literals());
        let reached = world.reach(roots, literals, sight).entities.into_iter();
        looked.extend(reached.map(|uid| (uid, Looked::whole())));
    }
    for uid in asked {
        looked.entry(uid).or_default();
    }
    Ok((request, world.cedar(looked)?))
}
