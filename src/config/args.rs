//! Flags and environment variables, as they were said.

use std::{num::NonZeroUsize, path::PathBuf, str::FromStr, time::Duration};

use clap::{Args, ValueEnum, builder::BoolishValueParser};
use serde::Deserialize;

use super::Candidate;

mod decision_log;
mod gateway;
mod limits;
mod listeners;
mod reload;
mod tracing;

pub use decision_log::{DecisionLogArgs, LogPlace, NoRatio, OverflowRule, Ratio, RecordFormat};
pub use gateway::GatewayArgs;
pub use limits::LimitArgs;
pub use listeners::{AdminArgs, DecisionsArgs};
pub use reload::{GateRule, ReloadArgs, WatchRule};
pub use tracing::TracingArgs;

/// Flags that say which policies, schema and entities are meant.
///
/// With neither `--edition` nor `--policies`, the edition `enterprise` is meant. With `--policies`
/// alone there is no schema and there are no entities unless they are named.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Sources")]
pub struct SourceArgs {
    /// Read what is not said by flag or variable from this TOML file; its keys are the flags of
    /// `serve`
    #[arg(long, env = "PALISADE_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Take everything from this table of `policies/editions.toml` [default: enterprise]
    #[arg(long, env = "PALISADE_EDITION", value_name = "NAME")]
    pub edition: Option<String>,
    /// Read policies from these files and folders; of a folder, not its `spec`, `invariants` and `tests`
    #[arg(
        long, env = "PALISADE_POLICIES", value_name = "FILE|DIR",
        num_args = 1.., value_delimiter = ','
    )]
    pub policies: Vec<PathBuf>,
    /// Read the schema from this file
    #[arg(long, env = "PALISADE_SCHEMA", value_name = "FILE")]
    pub schema: Option<PathBuf>,
    /// Read what stored data must meet from this file
    #[arg(long, env = "PALISADE_CONDITIONS", value_name = "FILE")]
    pub conditions: Option<PathBuf>,
    /// Read entities from these files and folders
    #[arg(
        long, env = "PALISADE_ENTITIES", value_name = "FILE|DIR",
        num_args = 1.., value_delimiter = ','
    )]
    pub entities: Vec<PathBuf>,
    /// Read what must hold of the policies, whatever they say, from these files and folders
    #[arg(
        long, env = "PALISADE_INVARIANTS", value_name = "FILE|DIR",
        num_args = 1.., value_delimiter = ','
    )]
    pub invariants: Vec<PathBuf>,
    /// Start relative paths of policies, schema, conditions, entities and invariants from this folder;
    /// others start from the current one [default: the current one]
    #[arg(long, env = "PALISADE_ROOT", value_name = "DIR")]
    pub root: Option<PathBuf>,
    /// Do not validate policies against the schema
    #[arg(
        long, env = "PALISADE_NO_VALIDATE", value_name = "BOOL", require_equals = true,
        num_args = 0..=1, default_missing_value = "true", value_parser = BoolishValueParser::new()
    )]
    pub no_validate: Option<bool>,
}

/// Flags of `serve`. Every one can be given as a variable (lists with commas), or in the file
/// that `--config` names; a flag wins over a variable, and a variable over the file.
#[derive(Args, Clone, Debug, Default)]
pub struct ServeArgs {
    #[expect(
        missing_docs,
        reason = "a comment would head the help of the whole command"
    )]
    #[command(flatten)]
    pub sources: SourceArgs,
    #[expect(missing_docs, reason = "as above")]
    #[command(flatten)]
    pub decisions: DecisionsArgs,
    #[expect(missing_docs, reason = "as above")]
    #[command(flatten)]
    pub admin: AdminArgs,
    #[expect(missing_docs, reason = "as above")]
    #[command(flatten)]
    pub reload: ReloadArgs,
    #[expect(missing_docs, reason = "as above")]
    #[command(flatten)]
    pub decision_log: DecisionLogArgs,
    #[expect(missing_docs, reason = "as above")]
    #[command(flatten)]
    pub gateway: GatewayArgs,
    #[expect(missing_docs, reason = "as above")]
    #[command(flatten)]
    pub tracing: TracingArgs,
    #[expect(missing_docs, reason = "as above")]
    #[command(flatten)]
    pub limits: LimitArgs,
    /// Let this listener be reached from the network without TLS or a credential
    #[arg(
        long, env = "PALISADE_ALLOW_INSECURE_BIND", value_enum, value_name = "LISTENER",
        help_heading = "Listeners", num_args = 1.., value_delimiter = ','
    )]
    pub allow_insecure_bind: Vec<ListenerName>,
    /// Tell callers in the AuthZEN metadata that we are found under this URL
    #[arg(
        long,
        env = "PALISADE_PUBLIC_URL",
        value_name = "URL",
        help_heading = "Listeners"
    )]
    pub public_url: Option<String>,
    /// What a batch does with a query that lacks parts [default: strict]
    #[arg(
        long,
        env = "PALISADE_BATCH_DEFAULTS",
        value_enum,
        value_name = "RULE",
        help_heading = "Decisions"
    )]
    pub batch_defaults: Option<BatchDefaults>,
    /// What a `forbid` that cannot be evaluated does [default: deny]
    #[arg(
        long,
        env = "PALISADE_ON_POLICY_ERROR",
        value_enum,
        value_name = "RULE",
        help_heading = "Decisions"
    )]
    pub on_policy_error: Option<PolicyErrorRule>,
    /// Give outcome, policies and diagnostics with every AuthZEN decision
    #[arg(
        long, env = "PALISADE_DECISION_CONTEXT", value_name = "BOOL", require_equals = true,
        num_args = 0..=1, default_missing_value = "true", value_parser = BoolishValueParser::new(),
        help_heading = "Decisions"
    )]
    pub decision_context: Option<bool>,
    /// What log lines on standard error look like [default: text]
    #[arg(
        long,
        env = "PALISADE_LOG_FORMAT",
        value_enum,
        value_name = "FORMAT",
        help_heading = "Operation"
    )]
    pub log_format: Option<LogFormat>,
    /// Which log lines there are, like `info,palisade::source=debug` [default: info,notify=error]
    #[arg(
        long,
        env = "PALISADE_LOG_FILTER",
        value_name = "FILTER",
        help_heading = "Operation"
    )]
    pub log_filter: Option<String>,
    /// After SIGTERM, say "draining" on `/readyz` this long before closing [default: 5s]
    #[arg(
        long,
        env = "PALISADE_SHUTDOWN_GRACE",
        value_name = "DURATION",
        help_heading = "Operation"
    )]
    pub shutdown_grace: Option<Span>,
    /// Longest request body [default: 1048576]
    #[arg(
        long,
        env = "PALISADE_MAX_BODY",
        value_name = "BYTES",
        help_heading = "Operation"
    )]
    pub max_body: Option<usize>,
    /// Most queries in one batch [default: 5000]
    #[arg(
        long,
        env = "PALISADE_MAX_BATCH",
        value_name = "N",
        help_heading = "Operation"
    )]
    pub max_batch: Option<usize>,
    /// Most candidates that one page of a search evaluates [default: 100000]
    #[arg(
        long,
        env = "PALISADE_MAX_SEARCH",
        value_name = "N",
        help_heading = "Operation"
    )]
    pub max_search: Option<usize>,
    /// How long one page of a search may take [default: 2s]
    #[arg(
        long,
        env = "PALISADE_MAX_SEARCH_TIME",
        value_name = "DURATION",
        help_heading = "Operation"
    )]
    pub max_search_time: Option<Span>,
    /// Show on the matrix page what this policy folder would change in the place of the edition's; with
    /// the same name again, one more folder of that candidate
    #[arg(
        long,
        env = "PALISADE_CANDIDATE",
        value_name = "NAME=FOLDER",
        help_heading = "Operation",
        value_delimiter = ','
    )]
    pub candidate: Vec<Candidate>,
    /// Threads that answer [default: the number of cores]
    #[arg(
        long,
        env = "PALISADE_RUNTIME_THREADS",
        value_name = "N",
        help_heading = "Operation"
    )]
    pub runtime_threads: Option<NonZeroUsize>,
}

/// A length of time as people write it: `1s`, `250ms`, `1m 30s`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Span(pub Duration);

impl FromStr for Span {
    type Err = humantime::DurationError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        humantime::parse_duration(text).map(Self)
    }
}

impl TryFrom<String> for Span {
    type Error = humantime::DurationError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

/// Which listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum ListenerName {
    /// Metrics, health, status
    Admin,
    /// The questions of applications
    Decisions,
}

impl ListenerName {
    /// What its flags begin with.
    pub(super) fn flags(self) -> &'static str {
        match self {
            Self::Admin => "--admin-",
            Self::Decisions => "--",
        }
    }

    /// The name in flags and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Decisions => "decisions",
        }
    }
}

/// What a batch does with a query that lacks parts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum BatchDefaults {
    /// Take missing types and ids from the batch's defaults, one by one
    FillIdentifiers,
    /// Take a default only where the whole part is missing, as the standard says
    #[default]
    Strict,
}

/// What a `forbid` that cannot be evaluated does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum PolicyErrorRule {
    /// It is skipped, as Cedar does
    Cedar,
    /// The query is denied
    #[default]
    Deny,
}

/// What a log line looks like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum LogFormat {
    /// One JSON object a line
    Json,
    /// Text for people
    #[default]
    Text,
}
