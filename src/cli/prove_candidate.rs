//! `palisade prove-candidate`: what `serve` starts for each candidate that it has proved.

use std::io;

use clap::Args;

use crate::prover;

use super::{Exit, Failure};

/// Prove what standard input says, for `serve --prove`
#[derive(Args, Debug)]
#[command(hide = true)]
pub(super) struct ProveCandidate {}

impl ProveCandidate {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        let Self {} = self;
        prover::work(io::stdin(), io::stdout()).map_err(Failure::runtime)?;
        Ok(Exit::Ok)
    }
}
