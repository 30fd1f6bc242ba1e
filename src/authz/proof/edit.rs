//! What an edit changes: for each shape of requests whether more or less is allowed than before, and
//! a question that shows it.
//!
//! Palisade denies where a `forbid` fails, while the claims of a solver are about Cedar, which skips
//! it. So each `forbid` that only one side has is asked about by itself: whether it fails anywhere
//! that the other side allows.

use std::sync::Arc;

use cedar_policy::RequestEnv;

use crate::authz::{
    Answer, CedarQuery, Decision, Json, OnPolicyError,
    index::Index,
    known::{Known, OwnData},
    schema::label,
    symbols::Symbols,
};

use super::{
    Claim, Counterexample, Obligation, Proofs, Result as Proved, Subject, Test, Verdict,
    example::MAX_DEPTH, statement::Statement,
};

mod change;
mod policies;

pub use change::{Difference, Direction, Presence, ShapeChange};
pub(super) use policies::shared;
pub use policies::{PolicyChange, PolicyText};

/// Two versions of policies, and what is to be proved of them.
#[derive(Debug)]
pub struct Edit<'p> {
    before: &'p Proofs<'p>,
    after: &'p Proofs<'p>,
    /// The policies before, as far as the schema after takes them.
    kept: Vec<Arc<Statement>>,
    symbols: Symbols<'p>,
    /// Them, ready to be asked.
    index: Index,
    policies: Vec<policies::Changed>,
    shapes: Vec<Planned>,
}

/// What is to be proved of a shape.
#[derive(Debug)]
struct Planned {
    change: ShapeChange,
    claims: Vec<(Direction, Claim)>,
}

impl<'p> Edit<'p> {
    /// What has to be proved to know what the edit changes.
    ///
    /// # Errors
    /// A policy that nothing can be made of; none is known.
    pub fn new(before: &'p Proofs<'p>, after: &'p Proofs<'p>) -> Result<Self, String> {
        let same_schema = before.digest == after.digest;
        let (kept, unfit) = match same_schema {
            true => (before.statements.every_policy().to_vec(), Vec::new()),
            false => policies::under(before.statements.every_policy(), after.schema),
        };
        let mut symbols = Symbols::above(&after.snapshot.symbols);
        let asked = kept.iter().map(|it| &it.policy);
        let index = Index::new(asked, after.snapshot.schema(), &mut symbols);
        let mut edit = Self {
            policies: policies::changes(before, after),
            before,
            after,
            kept,
            symbols,
            index,
            shapes: Vec::new(),
        };
        for env in &after.envs {
            let planned = match before.envs.contains(env) {
                true => edit.both(env, &unfit)?,
                false => edit.only(after, env, Presence::Added),
            };
            edit.shapes.push(planned);
        }
        let removed = before.envs.iter().filter(|env| !after.envs.contains(env));
        for env in removed {
            let planned = edit.only(before, env, Presence::Removed);
            edit.shapes.push(planned);
        }
        Ok(edit)
    }

    /// What is to be proved with the snapshot after.
    pub fn obligations(&self) -> Vec<Obligation> {
        self.obligations_of(|presence| presence != Presence::Removed)
    }

    /// What is to be proved with the snapshot before: of shapes that only it has.
    pub fn removed_obligations(&self) -> Vec<Obligation> {
        self.obligations_of(|presence| presence == Presence::Removed)
    }

    fn obligations_of(&self, is: impl Fn(Presence) -> bool) -> Vec<Obligation> {
        let shapes = self.shapes.iter().filter(|it| is(it.change.presence));
        let claims = shapes.flat_map(|it| &it.claims);
        let obligation = |(direction, claim): &(Direction, Claim)| Obligation {
            subject: match direction {
                Direction::Narrower => Subject::Narrower,
                Direction::Wider => Subject::Wider,
            },
            claim: claim.clone(),
        };
        claims.map(obligation).collect()
    }

    /// The policies that are not on both sides.
    pub fn policies(&self) -> Vec<PolicyChange> {
        self.policies.iter().map(|it| it.change.clone()).collect()
    }

    /// Whether the two sides are about the same schema. If not, the policies before are read under the
    /// one after.
    pub fn has_one_schema(&self) -> bool {
        self.before.digest == self.after.digest
    }

    /// What came of the obligations, in their order, shape by shape: those of the snapshot after, then
    /// those of the one before.
    pub fn told(&self, proved: &[Proved], removed: &[Proved]) -> Vec<ShapeChange> {
        let (mut proved, mut removed) = (proved.iter(), removed.iter());
        let told = self.shapes.iter().map(|planned| {
            let results = match planned.change.presence {
                Presence::Removed => &mut removed,
                Presence::Added | Presence::Both => &mut proved,
            };
            let mut change = planned.change.clone();
            let mut doubts = Vec::new();
            for (direction, _) in &planned.claims {
                match results.next().map(|it| &it.verdict) {
                    Some(Verdict::Proved) => {}
                    Some(Verdict::Refuted(example)) => {
                        match self.difference(*direction, change.presence, example) {
                            Ok(found) => change.take(found),
                            Err(why) => doubts.push((*direction, why)),
                        }
                    }
                    Some(Verdict::Unknown(why)) => doubts.push((*direction, why.clone())),
                    None => doubts.push((*direction, "nobody asked".to_owned())),
                }
            }
            // What is shown needs no second witness.
            doubts.retain(|(direction, _)| !change.is(*direction));
            change
                .unknown
                .extend(doubts.into_iter().map(|(_, why)| why));
            change
        });
        told.collect()
    }

    /// What both sides decide of a question.
    fn difference(
        &self,
        direction: Direction,
        presence: Presence,
        example: &Counterexample,
    ) -> Result<Difference, String> {
        let rule = OnPolicyError::Deny;
        let json = Json::parse(example.question.as_bytes(), MAX_DEPTH);
        let json = json.map_err(|error| error.to_string())?;
        let object = json.as_object().ok_or("no object")?;
        let unknown = || Answer::denied(vec!["its schema has no such question".to_owned()]);
        let alone = |proofs: &Proofs<'_>| {
            let answer = proofs.snapshot.decide_written(object, rule);
            answer.map_err(|error| error.to_string())
        };
        let (before, after) = match presence {
            Presence::Added => (unknown(), alone(self.after)?),
            Presence::Removed => (alone(self.before)?, unknown()),
            Presence::Both => {
                let entities = object.get("entities").ok_or("no entities")?;
                let entities = entities.to_value().to_string();
                let snapshot = self.after.snapshot;
                let own = OwnData::parse("", entities, snapshot, &self.symbols);
                let own = own.map_err(|found| found.message)?;
                let known = Known::parse(snapshot, &CedarQuery::of(object)?, Some(&own));
                let known = known.map_err(|error| error.to_string())?;
                (
                    known.answer(&self.index, rule),
                    known.answer(&snapshot.index, rule),
                )
            }
        };
        let (was, is) = match direction {
            Direction::Narrower => (Decision::Allow, Decision::Deny),
            Direction::Wider => (Decision::Deny, Decision::Allow),
        };
        if before.decision() != was || after.decision() != is {
            return Err(format!(
                "`{}` differs only where a policy fails that denies it before and after",
                example.summary
            ));
        }
        Ok(Difference {
            direction,
            summary: example.summary.clone(),
            question: example.question.clone(),
            before,
            after,
        })
    }

    /// A shape that both schemas have.
    fn both(&self, env: &RequestEnv, unfit: &[Arc<Statement>]) -> Result<Planned, String> {
        let mut change = self.change(env, Presence::Both);
        // The schema before said where they match; it may be wider than what they say.
        let lost = unfit.iter().filter(|it| it.may_match(env));
        let lost: Vec<String> = lost.map(|it| format!("`{}`", it.info.id)).collect();
        if !lost.is_empty() {
            let message = format!("the schema after does not take {}", lost.join(", "));
            change
                .unknown
                .push(format!("{message}, so nothing can be compared"));
            return Ok(Planned {
                change,
                claims: Vec::new(),
            });
        }
        if self.before.groups_of(env) != self.after.groups_of(env) {
            let message = "with the schema the groups of the action changed";
            change.unknown.push(message.to_owned());
            return Ok(Planned {
                change,
                claims: Vec::new(),
            });
        }
        let matching = self.kept.iter().filter(|it| it.may_match(env));
        let old: Vec<Arc<Statement>> = matching.cloned().collect();
        let new = self.after.statements.policies(env);
        let (gone, come) = (policies::without(&old, &new), policies::without(&new, &old));
        let mut claims = Vec::new();
        if !gone.is_empty() || !come.is_empty() {
            // What only one side assumes may be what the edit is about.
            let data = self.after.statements.data(env);
            let known = self.before.statements.data(env);
            let data = shared(data, &known);
            let [old, new] = [old, new].map(|side| [side, data.clone()].concat());
            for (direction, one, other, only) in [
                (Direction::Narrower, &old, &new, &come),
                (Direction::Wider, &new, &old, &gone),
            ] {
                let implied = (one.clone(), other.clone());
                let failing = only.iter().filter(|it| it.forbids());
                let failing = failing.map(|it| it.fails_within(one));
                let failing = failing.collect::<Result<Vec<_>, _>>()?;
                for (left, right) in [implied].into_iter().chain(failing.into_iter().flatten()) {
                    claims.push((direction, self.after.claim(env, Test::Implies, left, right)));
                }
            }
        }
        Ok(Planned { change, claims })
    }

    /// A shape that only one schema has: on the other side nothing of it is allowed.
    fn only(&self, side: &Proofs<'_>, env: &RequestEnv, presence: Presence) -> Planned {
        let direction = match presence {
            Presence::Removed => Direction::Narrower,
            Presence::Added | Presence::Both => Direction::Wider,
        };
        let data = side.statements.data(env);
        let policies = [side.statements.policies(env), data].concat();
        Planned {
            change: self.change(env, presence),
            claims: vec![(
                direction,
                side.claim(env, Test::Implies, policies, Vec::new()),
            )],
        }
    }

    fn change(&self, env: &RequestEnv, presence: Presence) -> ShapeChange {
        let matching = self.policies.iter().filter(|it| it.may_match(env));
        ShapeChange {
            principal_type: env.principal().to_string(),
            action: label(env.action()),
            resource_type: env.resource().to_string(),
            presence,
            differences: Vec::new(),
            unknown: Vec::new(),
            policies: matching.map(|it| it.change.id().to_owned()).collect(),
        }
    }
}
