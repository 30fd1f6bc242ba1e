//! How changed files are found, and what is taken of them.

use std::time::Duration;

use super::{ConfigError, GateRule, ReloadArgs, Span, WatchRule, file::File};

/// How long the proofs of one candidate may take: thirty times what those that ship do on a busy
/// machine. The next edit waits.
const PROVE_TIME: Duration = Duration::from_secs(30);

/// Less is not even enough to start a solver.
const MIN_PROVE_TIME: Duration = Duration::from_millis(100);

/// How often the sources are looked at without an event.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// Looking costs a walk over the folders; a hundred a second is no poll but a load.
const MIN_POLL_INTERVAL: Duration = Duration::from_millis(10);

/// Each is held in memory; whoever wants to go back further has the files' history.
const MAX_ROLLBACK: usize = 100;

/// How changed files are found, and what is taken of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reload {
    /// How often the sources are looked at without an event.
    pub poll_interval: Duration,
    /// How a change is found between two polls.
    pub watch: WatchRule,
    /// What happens to an edit after which less than half of the policies would be left.
    pub shrink: GateRule,
    /// What happens to policies that answer a known query otherwise than it says.
    pub canary: GateRule,
    /// What happens to policies of which not everything is proved.
    pub prove: GateRule,
    /// Whether to prove also that nothing is allowed that was not before.
    pub prove_no_wider: bool,
    /// How long the proofs of one candidate may take.
    pub prove_time: Duration,
    /// How many snapshots that were in force are kept to go back to; with none, nobody may.
    pub rollback: usize,
}

impl ReloadArgs {
    pub(super) fn over(self, file: &File) -> Reload {
        let poll_interval = self.poll_interval.or(file.poll_interval);
        Reload {
            poll_interval: poll_interval.map_or(POLL_INTERVAL, |Span(span)| span),
            watch: self.watch.or(file.watch).unwrap_or_default(),
            shrink: self.shrink.or(file.shrink).unwrap_or_default(),
            canary: self.canary.or(file.canary).unwrap_or_default(),
            prove: self.prove.or(file.prove).unwrap_or(GateRule::Off),
            prove_no_wider: self.prove_no_wider.or(file.prove_no_wider).unwrap_or(false),
            prove_time: self
                .prove_time
                .or(file.prove_time)
                .map_or(PROVE_TIME, |Span(span)| span),
            rollback: self.rollback.or(file.rollback).unwrap_or(0),
        }
    }
}

impl Reload {
    pub(super) fn sensible(&self) -> Result<(), ConfigError> {
        let too_small = |key, least| Err(ConfigError::TooSmall { key, least });
        if self.poll_interval < MIN_POLL_INTERVAL {
            return too_small("poll-interval", "10ms");
        }
        if self.rollback > MAX_ROLLBACK {
            return Err(ConfigError::TooLarge {
                key: "rollback",
                most: MAX_ROLLBACK,
            });
        }
        if self.prove_time < MIN_PROVE_TIME {
            return too_small("prove-time", "100ms");
        }
        Ok(())
    }
}
