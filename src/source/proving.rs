//! The gate that has a candidate proved, and what it keeps to do so.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use crate::{
    authz::{Finding, Kind, Parts, Sources},
    prover::{Order, Outcome, Supervised},
};

use super::gates::Gate;

/// What a candidate must be proved to be, and by whom.
#[derive(Debug)]
pub struct Proving {
    /// What happens to one that is not.
    pub gate: Gate,
    /// Whether it may allow nothing that was not allowed before.
    pub no_wider: bool,
    /// Who proves, or why nobody does.
    pub prover: Result<Supervised, String>,
}

impl Proving {
    /// What is not proved of a candidate. Blocks; a stop ends it.
    pub(super) fn findings(
        &self,
        candidate: &Sources,
        before: Option<&Sources>,
        stop: &AtomicBool,
    ) -> Vec<Finding> {
        let order = Order {
            candidate,
            before,
            no_wider: self.no_wider,
            parts: Parts {
                invariants: true,
                errors: true,
                cells: false,
            },
            leisurely: false,
        };
        let outcome = self.prove(order, &|| !stop.load(Ordering::Acquire));
        match outcome {
            Ok(outcome) => outcome.findings,
            Err(why) => {
                let help = "what is not proved is not taken; give `--prove-time` more if it is time that lacks";
                vec![Finding::error(Kind::Proof, "", why).help(help)]
            }
        }
    }

    /// What is proved.
    ///
    /// # Errors
    /// Why nothing is known.
    pub(super) fn prove(
        &self,
        order: Order<'_>,
        go_on: &dyn Fn() -> bool,
    ) -> Result<Outcome, String> {
        let prover = self.prover.as_ref().map_err(Clone::clone)?;
        prover.prove(order, go_on)
    }
}

/// What proofs need of sources.
pub(super) fn needed(sources: &Sources) -> Sources {
    Sources {
        entities: Vec::new(),
        conditions: None,
        canaries: Vec::new(),
        ..sources.clone()
    }
}

/// Does two things at once, the first one on a thread of its own.
///
/// # Errors
/// There is no thread for the first, or it panicked.
pub(super) fn beside<A: Send, B>(
    first: impl FnOnce() -> A + Send,
    second: impl FnOnce() -> B,
) -> (Result<A, String>, B) {
    thread::scope(|scope| {
        let thread = thread::Builder::new().name("prove".to_owned());
        let first = thread.spawn_scoped(scope, first);
        let second = second();
        let first = match first {
            Ok(thread) => thread
                .join()
                .map_err(|_| "the proofs could not be done: a panic".to_owned()),
            Err(error) => Err(format!("the proofs could not be done: {error}")),
        };
        (first, second)
    })
}
