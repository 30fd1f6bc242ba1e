//! What there is to prove of each kind of subject, as claims about each shape of requests.

use std::{collections::BTreeSet, sync::Arc};

use cedar_policy::RequestEnv;

use super::{Claim, Obligation, Proofs, Subject, claim::Test, statement::Statement};

impl Proofs<'_> {
    pub(super) fn cell_obligations(&self) -> impl Iterator<Item = Obligation> {
        self.cells.iter().map(|(cell, env)| {
            let shared = self.statements.presupposed(env, &cell.role);
            let left = [self.statements.policies(env), shared.clone()].concat();
            let right = [self.statements.word(env, &cell.scope), shared].concat();
            Obligation {
                subject: Subject::Cell(cell.clone()),
                claim: self.claim(env, Test::Equal, left, right),
            }
        })
    }

    /// What an assumption leaves out is denied: a `forbid` of exactly that changes nothing.
    pub(super) fn assumption_obligations(&self) -> impl Iterator<Item = Obligation> {
        let assumed = self.statements.assumptions().into_iter();
        assumed.flat_map(move |name| {
            self.envs.iter().map(move |env| Obligation {
                subject: Subject::Assumption(name.clone()),
                claim: self.changes_nothing(env, self.statements.assumption(env, &name)),
            })
        })
    }

    pub(super) fn column_obligations(&self) -> impl Iterator<Item = Obligation> {
        let cells = self.cells.iter();
        let columns: BTreeSet<(&str, &RequestEnv)> =
            cells.map(|(cell, env)| (cell.role.as_str(), env)).collect();
        columns.into_iter().map(|(role, env)| {
            let presupposed = self.statements.presupposed(env, role);
            let left = [self.statements.everything(), presupposed].concat();
            Obligation {
                subject: Subject::Column(role.to_owned()),
                claim: self.claim(env, Test::AllowsSome, left, Vec::new()),
            }
        })
    }

    pub(super) fn data_obligations(&self) -> impl Iterator<Item = Obligation> {
        let data = self.envs.iter().map(|env| (env, self.statements.data(env)));
        let assumed = data.filter(|(_, data)| !data.is_empty());
        assumed.map(|(env, data)| {
            let left = [self.statements.everything(), data].concat();
            Obligation {
                subject: Subject::Data,
                claim: self.claim(env, Test::AllowsSome, left, Vec::new()),
            }
        })
    }

    pub(super) fn invariant_obligations(&self) -> impl Iterator<Item = Obligation> {
        self.envs.iter().flat_map(|env| {
            let never = self.statements.invariants(env, false);
            let always = self.statements.invariants(env, true);
            let never = (!never.is_empty()).then(|| self.never(env, &never));
            let always = always.into_iter().map(|name| {
                let data = self.statements.data(env);
                let left = [self.statements.invariant(env, &name, true), data.clone()].concat();
                let right = [self.statements.policies(env), data].concat();
                Obligation {
                    subject: Subject::Invariants(vec![name]),
                    claim: self.claim(env, Test::Implies, left, right),
                }
            });
            always.chain(never)
        })
    }

    /// What the invariants of these names match is denied.
    pub(super) fn never(&self, env: &RequestEnv, names: &[String]) -> Obligation {
        let matching = names
            .iter()
            .flat_map(|name| self.statements.invariant(env, name, false));
        Obligation {
            subject: Subject::Invariants(names.to_vec()),
            claim: self.changes_nothing(env, matching.collect()),
        }
    }

    fn changes_nothing(&self, env: &RequestEnv, forbids: Vec<Arc<Statement>>) -> Claim {
        let policies = [self.statements.policies(env), self.statements.data(env)].concat();
        let fewer = [policies.clone(), forbids].concat();
        self.claim(env, Test::Implies, policies, fewer)
    }

    pub(super) fn error_obligations(&self) -> impl Iterator<Item = Obligation> {
        self.envs.iter().flat_map(|env| {
            let all = self.statements.all(env).into_iter();
            all.map(|statement| Obligation {
                subject: Subject::Errors(statement.title().unwrap_or_else(|| statement.id.clone())),
                claim: self.claim(env, Test::NeverErrors, vec![statement], Vec::new()),
            })
        })
    }

    pub(super) fn claim(
        &self,
        env: &RequestEnv,
        test: Test,
        left: Vec<Arc<Statement>>,
        right: Vec<Arc<Statement>>,
    ) -> Claim {
        Claim {
            env: env.clone(),
            test,
            left,
            right,
        }
    }
}
