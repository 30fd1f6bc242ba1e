//! Policies that decide nothing: without them every question is decided alike. Why is said with the
//! policies that make it so.

use std::{collections::BTreeSet, fmt, slice, sync::Arc};

use cedar_policy::RequestEnv;

use crate::authz::{Finding, Kind, Sources};

use super::{Claim, Proofs, claim::Test, statement::Statement, statements};

/// A policy without which everything is decided alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dead {
    /// Its id.
    pub policy: String,
    /// Where it stands.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// It is meant to be so: a forbid marked `@guard` says on purpose what holds anyway, and one marked
    /// `@overlay` takes away what others permit.
    pub meant: bool,
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

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |ids: &[String]| format!("`{}`", ids.join("`, `"));
        match self {
            Self::Contradicted(by) => write!(f, "forbidden by {}", list(by)),
            Self::Implied(by) if by.len() == 1 => write!(f, "{} says as much", list(by)),
            Self::Implied(by) => write!(f, "{} say as much", list(by)),
            Self::NeverMatches => f.write_str("no question meets it"),
            Self::NothingToForbid => f.write_str("nothing permits what it forbids"),
        }
    }
}

impl Dead {
    /// A finding for whoever edits the policy: it harms nobody.
    pub fn finding(&self) -> Finding {
        let message = format!("`{}` decides nothing: {}", self.policy, self.why);
        let text = "\n".repeat(self.line.saturating_sub(1));
        let finding = Finding::error(Kind::Proof, &self.file, message).warning();
        finding.at_line(&text, self.line, 1)
    }
}

/// Says whether a claim is true; an error if that is not known.
pub(super) type Ask<'a> = dyn FnMut(&Claim) -> Result<bool, String> + 'a;

impl Proofs<'_> {
    /// How many statements could decide nothing: the policies, then the invariants.
    pub fn suspects(&self) -> usize {
        self.statements.every_policy().len() + self.statements.every_invariant().len()
    }

    /// The places of the policies of these ids.
    pub fn places(&self, ids: &BTreeSet<&str>) -> Vec<usize> {
        let all = self.statements.every_policy().iter().enumerate();
        let named = all.filter(|(_, it)| ids.contains(it.info.id.as_str()));
        named.map(|(place, _)| place).collect()
    }

    /// The places of the policies that earlier sources have not, layout aside.
    pub fn new_since(&self, before: &Sources) -> Vec<usize> {
        let known: BTreeSet<String> = statements::texts(&before.policies, |_| true);
        let all = self.statements.every_policy().iter().enumerate();
        let new = all.filter(|(_, it)| {
            let text = it.policy.to_cedar();
            text.is_none_or(|text| !known.contains(&statements::plain(&text)))
        });
        new.map(|(place, _)| place).collect()
    }

    /// Whether a policy or an invariant, by its place in reading order, decides nothing, and why.
    ///
    /// # Errors
    /// What `ask` does not know.
    pub fn dead(&self, place: usize, ask: &mut Ask<'_>) -> Result<Option<Dead>, String> {
        let policies = self.statements.every_policy();
        let Some(policy) = policies.get(place) else {
            let invariants = self.statements.every_invariant();
            let invariant = place.checked_sub(policies.len());
            return match invariant.and_then(|place| invariants.get(place)) {
                Some(invariant) => self.silent(invariant, ask),
                None => Ok(None),
            };
        };
        let mut suspect = Suspect::of(self, policy, ask);
        if !suspect.decides_nothing()? {
            return Ok(None);
        }
        let why = suspect.why()?;
        let overlays = |by: &[String]| by.iter().all(|id| self.is_marked(id, "overlay"));
        let guards = policy.forbids() && policy.info.annotation("guard").is_some();
        Ok(Some(Dead {
            policy: policy.info.id.clone(),
            file: policy.info.file.clone(),
            line: policy.info.line,
            meant: match &why {
                Why::Contradicted(by) => overlays(by),
                Why::Implied(by) => guards || overlays(by),
                Why::NeverMatches => false,
                Why::NothingToForbid => guards,
            },
            why,
        }))
    }

    /// An invariant that no question meets says nothing.
    fn silent(
        &self,
        invariant: &Arc<Statement>,
        ask: &mut Ask<'_>,
    ) -> Result<Option<Dead>, String> {
        let silent = Suspect::of(self, invariant, ask).is_within(&[])?;
        Ok(silent.then(|| Dead {
            policy: invariant.title().unwrap_or_default(),
            file: invariant.info.file.clone(),
            line: invariant.info.line,
            meant: false,
            why: Why::NeverMatches,
        }))
    }

    fn is_marked(&self, id: &str, mark: &str) -> bool {
        let mut policies = self.statements.every_policy().iter();
        let policy = policies.find(|it| it.info.id == id);
        policy.is_some_and(|it| it.info.annotation(mark).is_some())
    }
}

struct Suspect<'p, 's, 'a, 'f> {
    proofs: &'p Proofs<'s>,
    policy: &'p Arc<Statement>,
    envs: Vec<&'p RequestEnv>,
    ask: &'a mut Ask<'f>,
}

impl<'p, 's, 'a, 'f> Suspect<'p, 's, 'a, 'f> {
    fn of(proofs: &'p Proofs<'s>, policy: &'p Arc<Statement>, ask: &'a mut Ask<'f>) -> Self {
        let envs = proofs.envs.iter().filter(|it| policy.may_match(it));
        Self {
            proofs,
            policy,
            envs: envs.collect(),
            ask,
        }
    }

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
        let forbids = self.policy.forbids();
        let (same, opposed): (Vec<_>, Vec<_>) = {
            let all = self.proofs.statements.every_policy().iter();
            let meets = |it: &&Arc<Statement>| self.envs.iter().any(|env| it.may_match(env));
            let others = all.filter(|it| it.id != self.policy.id).filter(meets);
            others.cloned().partition(|it| it.forbids() == forbids)
        };
        if self.is_within(&same)? {
            return Ok(Why::Implied(self.fewest(same, Self::is_within)?));
        }
        if forbids {
            if self.adds_nothing_to(&[])? {
                return Ok(Why::NothingToForbid);
            }
            return Ok(Why::Implied(self.fewest(same, Self::adds_nothing_to)?));
        }
        if self.is_within(&opposed)? {
            return Ok(Why::Contradicted(self.fewest(opposed, Self::is_within)?));
        }
        let all = [same, opposed].concat();
        Ok(Why::Implied(self.fewest(all, Self::is_within)?))
    }

    /// Fewest of these of which a condition is true that is true of all of them: one, if there is one.
    fn fewest(
        &mut self,
        mut of: Vec<Arc<Statement>>,
        holds: fn(&mut Self, &[Arc<Statement>]) -> Result<bool, String>,
    ) -> Result<Vec<String>, String> {
        let everywhere = |it: &&Arc<Statement>| self.envs.iter().all(|env| it.may_match(env));
        let wide: Vec<Arc<Statement>> = of.iter().filter(everywhere).cloned().collect();
        for one in wide {
            if holds(self, slice::from_ref(&one))? {
                return Ok(vec![one.info.id.clone()]);
            }
        }
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
