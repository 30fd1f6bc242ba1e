//! How changed files are found, and what is taken of them, as the configuration says.

use tracing::{info, warn};

use crate::{
    cli::Failure,
    config::{self, GateRule, WatchRule},
    prover::{self, Prover, Supervised},
    source::{Gate, Gates, Proving, ReloadRules},
};

fn gate(rule: GateRule) -> Gate {
    match rule {
        GateRule::Enforce => Gate::Enforce,
        GateRule::Off => Gate::Off,
        GateRule::Warn => Gate::Warn,
    }
}

/// What candidates are proved by, if they are. Without a solver nobody could enforce anything.
pub(super) fn proving(config: &config::Reload) -> Result<Option<Proving>, Failure> {
    let found = match config.prove {
        GateRule::Off => return Ok(None),
        GateRule::Enforce => Ok(Prover::find(prover::Limits::default())?),
        GateRule::Warn => Prover::find(prover::Limits::default()),
    };
    let prover = match found {
        Ok(solver) => {
            let version = solver.version();
            info!(version, "proving with cvc5 {version}");
            let supervised = Supervised::new(solver, config.prove_time);
            Ok(supervised.map_err(Failure::runtime)?)
        }
        Err(error) => {
            warn!("nothing will be proved: {error}");
            Err(error.to_string())
        }
    };
    Ok(Some(Proving {
        gate: gate(config.prove),
        no_wider: config.prove_no_wider,
        prover,
    }))
}

pub(super) fn rules(config: &config::Reload) -> ReloadRules {
    ReloadRules {
        poll_interval: config.poll_interval,
        watch: config.watch == WatchRule::Auto,
        gates: Gates {
            shrink: gate(config.shrink),
            canary: gate(config.canary),
        },
        rollback: config.rollback,
    }
}
