//! What policies say of one question, as Cedar would of the whole set.

use crate::authz::{
    engine,
    expr::{Scene, Unsure},
    rule::Rule,
    symbols::Uid,
};

/// Who permits, who forbids, and who could not be evaluated.
#[derive(Debug, Default)]
pub(in crate::authz) struct Verdict<'i> {
    pub(in crate::authz) permits: Vec<&'i Rule>,
    pub(in crate::authz) forbids: Vec<&'i Rule>,
    /// With Cedar's message.
    pub(in crate::authz) errors: Vec<(&'i Rule, String)>,
    unsure: Vec<&'i Rule>,
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
    pub(super) fn ask_cedar(&mut self, scene: &Scene<'_>, reached: impl FnOnce() -> Vec<Uid>) {
        let unsure = std::mem::take(&mut self.unsure);
        let world = scene.world;
        let asked = [scene.principal, scene.action, scene.resource];
        let told = engine::request(asked, scene.context, world.symbols)
            .and_then(|request| Ok((request, world.cedar(reached())?)));
        let holds = match &told {
            Ok((request, entities)) => {
                let policies = unsure.iter().map(|rule| rule.policy());
                engine::evaluated(policies, request, entities)
            }
            Err(why) => vec![Err(why.clone()); unsure.len()],
        };
        for (rule, holds) in unsure.into_iter().zip(holds) {
            match holds {
                Ok(holds) => self.take(rule, Ok(holds)),
                Err(message) => self.errors.push((rule, message)),
            }
        }
    }
}
