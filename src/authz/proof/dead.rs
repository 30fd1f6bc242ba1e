//! Policies that decide nothing: without them every question is decided alike. Why is said with the
//! policies that make it so.

use std::sync::Arc;

use cedar_policy::RequestEnv;

use super::{Claim, Proofs, Test, statement::Statement};

/// A policy without which everything is decided alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dead {
    /// Its id.
    pub policy: String,
    /// Where it stands.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// It is marked `@guard`: said twice on purpose.
    pub guard: bool,
    /// What makes it so.
    pub why: Why,
}

/// Why a policy decides nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// Other policies forbid whatever it permits.
    Contradicted(Vec<String>),
    /// Other policies of its effect say as much; together, if they are several.
    Implied(Vec<String>),
    /// No question meets it.
    NeverMatches,
    /// Nothing is permitted that it forbids.
    NothingToForbid,
}

/// Says whether a claim is true; an error if that is not known.
pub(super) type Ask<'a> = dyn FnMut(&Claim) -> Result<bool, String> + 'a;

impl Proofs<'_> {
    /// How many policies there are.
    pub fn policy_count(&self) -> usize {
        self.statements.every_policy().len()
    }

    /// Whether a policy, by its place in reading order, decides nothing, and why.
    ///
    /// # Errors
    /// What `ask` does not know.
    pub fn dead(&self, place: usize, ask: &mut Ask<'_>) -> Result<Option<Dead>, String> {
        let Some(policy) = self.statements.every_policy().get(place) else {
            return Ok(None);
        };
        let envs: Vec<&RequestEnv> = self.envs.iter().filter(|it| policy.may_match(it)).collect();
        let mut suspect = Suspect {
            proofs: self,
            policy,
            envs,
            ask,
        };
        if !suspect.decides_nothing()? {
            return Ok(None);
        }
        Ok(Some(Dead {
            policy: policy.info.id.clone(),
            file: policy.info.file.clone(),
            line: policy.info.line,
            guard: policy.forbids() && policy.info.annotation("guard").is_some(),
            why: suspect.why()?,
        }))
    }
}

struct Suspect<'p, 's, 'a, 'f> {
    proofs: &'p Proofs<'s>,
    policy: &'p Arc<Statement>,
    envs: Vec<&'p RequestEnv>,
    ask: &'a mut Ask<'f>,
}

impl Suspect<'_, '_, '_, '_> {
    fn decides_nothing(&mut self) -> Result<bool, String> {
        self.everywhere(Test::Equal, |it, env| {
            let all = it.proofs.statements.policies(env);
            let others = it.others(env);
            Ok((all, others))
        })
    }

    fn why(&mut self) -> Result<Why, String> {
        if self.is_within(&[])? {
            return Ok(Why::NeverMatches);
        }
        let others: Vec<Arc<Statement>> = {
            let all = self.proofs.statements.every_policy().iter();
            all.filter(|it| it.id != self.policy.id).cloned().collect()
        };
        let forbids = self.policy.forbids();
        let (same, opposed): (Vec<_>, Vec<_>) =
            others.into_iter().partition(|it| it.forbids() == forbids);
        for other in &same {
            if self.is_within(std::slice::from_ref(other))? {
                return Ok(Why::Implied(vec![other.info.id.clone()]));
            }
        }
        if forbids {
            return self.why_forbidden_anyway(same);
        }
        for other in &opposed {
            if self.is_within(std::slice::from_ref(other))? {
                return Ok(Why::Contradicted(vec![other.info.id.clone()]));
            }
        }
        if self.is_within(&opposed)? {
            return Ok(Why::Contradicted(self.fewest(opposed, Self::is_within)?));
        }
        let all = [same, opposed].concat();
        Ok(Why::Implied(self.fewest(all, Self::is_within)?))
    }

    /// A forbid that no other implies: what it forbids is not permitted, or others forbid it together.
    fn why_forbidden_anyway(&mut self, forbids: Vec<Arc<Statement>>) -> Result<Why, String> {
        if self.adds_nothing_to(&[])? {
            return Ok(Why::NothingToForbid);
        }
        Ok(Why::Implied(self.fewest(forbids, Self::adds_nothing_to)?))
    }

    /// Fewest of these of which a condition is still true that is true of all of them.
    fn fewest(
        &mut self,
        mut of: Vec<Arc<Statement>>,
        holds: fn(&mut Self, &[Arc<Statement>]) -> Result<bool, String>,
    ) -> Result<Vec<String>, String> {
        let relevant = |it: &Arc<Statement>| self.envs.iter().any(|env| it.may_match(env));
        of.retain(relevant);
        let mut place = 0;
        while place < of.len() {
            let mut fewer = of.clone();
            fewer.remove(place);
            if holds(self, &fewer)? {
                of = fewer;
            } else {
                place += 1;
            }
        }
        Ok(of.iter().map(|it| it.info.id.clone()).collect())
    }

    /// Whether one of these matches wherever the policy does.
    fn is_within(&mut self, others: &[Arc<Statement>]) -> Result<bool, String> {
        self.everywhere(Test::Implies, |it, env| {
            let data = it.proofs.statements.data(env);
            let mine = [vec![Arc::new(it.policy.as_permit()?)], data.clone()].concat();
            let matching = others.iter().filter(|other| other.may_match(env));
            let theirs = matching.map(|other| other.as_permit().map(Arc::new));
            let theirs = theirs.collect::<Result<Vec<_>, _>>()?;
            Ok((mine, [theirs, data].concat()))
        })
    }

    /// Whether nothing is permitted, beside these forbids, that the policy forbids.
    fn adds_nothing_to(&mut self, forbids: &[Arc<Statement>]) -> Result<bool, String> {
        self.everywhere(Test::Implies, |it, env| {
            let mut permits = it.proofs.statements.policies(env);
            permits.retain(|statement| !statement.forbids());
            let forbids = forbids.iter().filter(|other| other.may_match(env));
            let without = [
                permits,
                it.proofs.statements.data(env),
                forbids.cloned().collect(),
            ];
            let without = without.concat();
            let with = [without.clone(), vec![Arc::clone(it.policy)]].concat();
            Ok((without, with))
        })
    }

    fn others(&self, env: &RequestEnv) -> Vec<Arc<Statement>> {
        let mut others = self.proofs.statements.policies(env);
        others.retain(|it| it.id != self.policy.id);
        others
    }

    /// Whether a claim about two sets is true in every shape that the policy is about.
    fn everywhere(
        &mut self,
        test: Test,
        sides: impl Fn(&Self, &RequestEnv) -> Result<(Vec<Arc<Statement>>, Vec<Arc<Statement>>), String>,
    ) -> Result<bool, String> {
        for env in self.envs.clone() {
            let (left, right) = sides(self, env)?;
            let claim = self.proofs.claim(env, test, left, right);
            if !(self.ask)(&claim)? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
