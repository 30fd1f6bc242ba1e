//! Flags about what happens when files change.

use clap::{Args, ValueEnum, builder::BoolishValueParser};
use serde::Deserialize;

use super::Span;

/// How changed files are found, and what is taken of them.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Reload")]
pub struct ReloadArgs {
    /// Look for changed files this often, also without an event; for those of certificates and
    /// credentials each second at least [default: 1s]
    #[arg(long, env = "PALISADE_POLL_INTERVAL", value_name = "DURATION")]
    pub poll_interval: Option<Span>,
    /// How to find out that files changed between two polls [default: auto]
    #[arg(long, env = "PALISADE_WATCH", value_enum, value_name = "RULE")]
    pub watch: Option<WatchRule>,
    /// What to do with an edit after which less than half of the policies would be left [default: enforce]
    #[arg(long, env = "PALISADE_SHRINK", value_enum, value_name = "GATE")]
    pub shrink: Option<GateRule>,
    /// What to do with policies that answer a query in `tests/*.json` beside them, or decide a cell of
    /// `tests/*.csv`, otherwise than it says [default: enforce]
    #[arg(long, env = "PALISADE_CANARY", value_enum, value_name = "GATE")]
    pub canary: Option<GateRule>,
    /// What to do with policies of which it is not proved that they hold the invariants and never fail;
    /// needs cvc5, which `CVC5` may name [default: off]
    #[arg(long, env = "PALISADE_PROVE", value_enum, value_name = "GATE")]
    pub prove: Option<GateRule>,
    /// With `--prove`, prove also that an edit allows nothing that was not allowed before it
    #[arg(
        long, env = "PALISADE_PROVE_NO_WIDER", value_name = "BOOL", require_equals = true,
        num_args = 0..=1, default_missing_value = "true", value_parser = BoolishValueParser::new()
    )]
    pub prove_no_wider: Option<bool>,
    /// How long the proofs of an edit may take; what is not proved by then is not known [default: 30s]
    #[arg(long, env = "PALISADE_PROVE_TIME", value_name = "DURATION")]
    pub prove_time: Option<Span>,
    /// Keep this many snapshots that were in force, and let callers of the admin listener pin one of them
    /// (`POST /v1/pin`, `/v1/unpin`) or take an edit that a gate refused (`POST /v1/accept`)
    /// [default: 0, which is off]
    #[arg(long, env = "PALISADE_ROLLBACK", value_name = "N")]
    pub rollback: Option<usize>,
}

/// What a gate between compiled and published does with what it does not like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum GateRule {
    /// Refuse it
    #[default]
    Enforce,
    /// Do not look
    Off,
    /// Take it, and warn in the log and in `/v1/status`
    Warn,
}

/// How to find out that files changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum WatchRule {
    /// By the file system's events, and by polling
    #[default]
    Auto,
    /// By polling alone: for file systems that have no events, like most that are mounted over a network
    Poll,
}
