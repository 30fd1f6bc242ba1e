//! Claims put to one solver, one after the other. A solver that fails is replaced; the claim it
//! failed at is not known.

use std::{io, time::Duration};

use cedar_policy::{PolicySet, RequestEnv, Schema};
use cedar_policy_symcc::{
    CedarSymCompiler, CompiledPolicy, CompiledPolicySet, Env, SymEnv, always_denies_asserts,
    equivalent_asserts, err::Error, implies_asserts, never_errors_asserts,
};
use tokio::{
    runtime::{Builder, Runtime},
    time::timeout,
};

use crate::authz::{Asked, Claim, Model, Proofs, Verdict};

use super::{Prover, solver::Cvc5};

/// What a claim takes beside the solver's thinking: it is written down, and a model read.
const BESIDES: Duration = Duration::from_secs(10);

/// Said of a claim that was not looked at any more.
pub(super) const NO_TIME: &str = "there was no time left";

/// A solver that is asked one claim at a time.
pub(super) struct Session<'p> {
    prover: &'p Prover,
    schema: &'p Schema,
    running: Option<Running>,
    /// What is made of the schema, for the shape that was asked about last.
    shape: Option<(RequestEnv, SymEnv)>,
}

/// The solver dies with its runtime.
struct Running {
    runtime: Runtime,
    compiler: CedarSymCompiler<Cvc5>,
}

/// A claim in the terms of the solver.
enum Compiled {
    AllowsSome(Box<CompiledPolicySet>),
    NeverErrors(Box<CompiledPolicy>),
    Sets(Relation, Box<(CompiledPolicySet, CompiledPolicySet)>),
}

/// What the solver says of a claim.
enum Answer {
    /// It is not true; with what shows it, if anything can.
    Fails(Option<Box<Env>>),
    Holds,
}

#[derive(Clone, Copy)]
enum Relation {
    Equal,
    Implies,
}

impl<'p> Session<'p> {
    /// A session whose solver is started when something is asked.
    pub(super) fn new(prover: &'p Prover, schema: &'p Schema) -> Self {
        Self {
            prover,
            schema,
            running: None,
            shape: None,
        }
    }

    /// What is known of a claim.
    pub(super) fn prove(&mut self, proofs: &Proofs<'_>, claim: &Claim) -> Verdict {
        match self.ask(claim) {
            Ok(Answer::Holds) => Verdict::Proved,
            Ok(Answer::Fails(Some(found))) => {
                let (request, entities) = (found.request, found.entities);
                proofs.judge(claim, &Model { request, entities })
            }
            Ok(Answer::Fails(None)) => Verdict::Unknown("there is no such question".to_owned()),
            Err(why) => Verdict::Unknown(why),
        }
    }

    /// Whether a claim is true.
    ///
    /// # Errors
    /// Why that is not known.
    pub(super) fn holds(&mut self, claim: &Claim) -> Result<bool, String> {
        Ok(matches!(self.ask(claim)?, Answer::Holds))
    }

    fn ask(&mut self, claim: &Claim) -> Result<Answer, String> {
        if self.prover.limits.of(BESIDES).is_zero() {
            return Err(NO_TIME.to_owned());
        }
        let compiled = self.compile(claim)?;
        let mut running = match self.running.take() {
            Some(running) => running,
            None => Running::start(self.prover)
                .map_err(|error| format!("the solver cannot be started: {error}"))?,
        };
        let limits = self.prover.limits;
        let limit = limits.of(limits.claim_time + BESIDES);
        let Running { runtime, compiler } = &mut running;
        // Made inside the runtime, whose clock it asks.
        let answered = runtime.block_on(async { timeout(limit, compiled.check(compiler)).await });
        match answered {
            Ok(Ok(found)) => {
                self.running = Some(running);
                Ok(found)
            }
            Ok(Err(Error::SolverUnknown)) => {
                self.running = Some(running);
                let seconds = self.prover.limits.claim_time.as_secs_f64();
                Err(format!("the solver could not tell within {seconds} s"))
            }
            // It may be in any state, or have ended: the next claim gets another one.
            Ok(Err(error)) => Err(format!("the solver failed: {error}")),
            Err(_) => Err("the solver did not answer in time".to_owned()),
        }
    }

    fn compile(&mut self, claim: &Claim) -> Result<Compiled, String> {
        let failed = |error: Error| format!("it cannot be put to a solver: {error}");
        let (env, asked) = (claim.env(), claim.asked()?);
        let symbols = match &self.shape {
            Some((known, symbols)) if known == env => symbols.clone(),
            _ => {
                let symbols = SymEnv::new(self.schema, env).map_err(failed)?;
                self.shape = Some((env.clone(), symbols.clone()));
                symbols
            }
        };
        let set = |set: &PolicySet| {
            let symbols = symbols.clone();
            CompiledPolicySet::compile_with_custom_symenv(set, env, self.schema, symbols)
                .map_err(failed)
        };
        let sets = |relation, left: &PolicySet, right: &PolicySet| {
            Ok(Compiled::Sets(
                relation,
                Box::new((set(left)?, set(right)?)),
            ))
        };
        match &asked {
            Asked::AllowsSome(some) => Ok(Compiled::AllowsSome(Box::new(set(some)?))),
            Asked::Equal(left, right) => sets(Relation::Equal, left, right),
            Asked::Implies(left, right) => sets(Relation::Implies, left, right),
            Asked::NeverErrors(policy) => {
                let symbols = symbols.clone();
                let compiled =
                    CompiledPolicy::compile_with_custom_symenv(policy, env, self.schema, symbols);
                Ok(Compiled::NeverErrors(Box::new(compiled.map_err(failed)?)))
            }
        }
    }
}

impl Running {
    fn start(prover: &Prover) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let solver = runtime.block_on(async { Cvc5::start(&prover.program, prover.limits) })?;
        let compiler = CedarSymCompiler::new(solver).map_err(io::Error::other)?;
        Ok(Self { runtime, compiler })
    }
}

impl Compiled {
    async fn check(&self, compiler: &mut CedarSymCompiler<Cvc5>) -> Result<Answer, Error> {
        let asserts = match self {
            Self::AllowsSome(set) => {
                let nothing = compiler.check_unsat(&always_denies_asserts(set)).await?;
                return Ok(if nothing {
                    Answer::Fails(None)
                } else {
                    Answer::Holds
                });
            }
            Self::NeverErrors(policy) => never_errors_asserts(policy),
            Self::Sets(Relation::Equal, sets) => equivalent_asserts(&sets.0, &sets.1),
            Self::Sets(Relation::Implies, sets) => implies_asserts(&sets.0, &sets.1),
        };
        let found = compiler.check_sat(&asserts).await?;
        Ok(found.map_or(Answer::Holds, |found| Answer::Fails(Some(Box::new(found)))))
    }
}
