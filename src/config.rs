//! What to do, parsed once: flags over `PALISADE_*` variables over a TOML file over defaults.
//!
//! [`ServeArgs`] and [`SourceArgs`] are what was said and trust nothing; [`Serve`] and
//! [`SourceChoice`] are what is meant and cannot be wrong.

use std::{num::NonZeroUsize, path::PathBuf, time::Duration};

mod address;
mod args;
mod candidate;
mod decision_log;
mod error;
mod file;
mod gateway;
mod limits;
mod listener;
mod reload;
mod tracing;

pub use address::{Address, BadAddress};
pub use args::{
    AdminArgs, BatchDefaults, DecisionLogArgs, DecisionsArgs, GateRule, GatewayArgs, LimitArgs,
    ListenerName, LogFormat, LogPlace, NoRatio, OverflowRule, PolicyErrorRule, Ratio, RecordFormat,
    ReloadArgs, ServeArgs, SourceArgs, Span, TracingArgs, WatchRule,
};
pub use candidate::{BadCandidate, Candidate};
pub use decision_log::DecisionLog;
pub use error::ConfigError;
use file::File;
pub use limits::Limits;
use listener::Said;
pub use listener::{BadSocketMode, Listener, SocketMode, Tls};
pub use reload::Reload;
pub use tracing::{BadOtlpEndpoint, OtlpEndpoint, Tracing};

/// Where decisions are answered.
const LISTEN: &str = "127.0.0.1:8180";

/// Where the admin pages are.
pub(crate) const ADMIN_LISTEN: &str = "127.0.0.1:9180";

/// What notify says of folders that are gone, one line for each of them at every swap of a ConfigMap,
/// is nothing that anybody could mend.
const LOG_FILTER: &str = "info,notify=error";

/// Less is one candidate a page.
const MIN_SEARCH_TIME: Duration = Duration::from_millis(1);

/// How long `/readyz` says "draining" before the listeners close: a few probes of an
/// orchestrator that asks every second or two.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(5);

/// Longest request body. A query with a large context is about 4 KiB; 1 MiB leaves room for a
/// batch of thousands without letting one caller hold more of the machine.
const MAX_BODY_BYTES: usize = 1 << 20;

/// Most queries in one batch.
const MAX_BATCH: usize = 5000;

/// Most candidates that one page of a search evaluates.
const MAX_SEARCH: usize = 100_000;

/// How long one page of a search may take.
const MAX_SEARCH_TIME: Duration = Duration::from_secs(2);

/// Which sources are meant. Paths are relative to `root`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourceChoice {
    /// The folder that relative paths start from; empty is the current folder.
    pub root: PathBuf,
    /// The edition by name.
    pub edition: Option<String>,
    /// Policy files and folders.
    pub policies: Vec<PathBuf>,
    /// The schema file.
    pub schema: Option<PathBuf>,
    /// The file of data conditions.
    pub conditions: Option<PathBuf>,
    /// Entity files and folders.
    pub entities: Vec<PathBuf>,
    /// Files and folders of invariants.
    pub invariants: Vec<PathBuf>,
    /// Skip strict validation of the policies against the schema.
    pub no_validate: bool,
}

/// Everything `serve` needs.
#[derive(Clone, Debug, PartialEq)]
pub struct Serve {
    /// What is served.
    pub sources: SourceChoice,
    /// Where decisions are answered.
    pub decisions: Listener,
    /// Where the admin pages are.
    pub admin: Listener,
    /// The URL under which callers reach the decisions listener, for the metadata.
    pub public_url: Option<String>,
    /// What a batch does with a query that lacks parts.
    pub batch_defaults: BatchDefaults,
    /// What an erring `forbid` does.
    pub on_policy_error: PolicyErrorRule,
    /// Give reasons with every decision.
    pub decision_context: bool,
    /// How changed files are found, and what is taken of them.
    pub reload: Reload,
    /// What is recorded of decisions; `None` is nothing.
    pub decision_log: Option<DecisionLog>,
    /// What is recorded as spans of traces, if anything is.
    pub tracing: Option<Tracing>,
    /// How much of the machine callers may take.
    pub limits: Limits,
    /// What a log line looks like.
    pub log_format: LogFormat,
    /// Which log lines there are.
    pub log_filter: String,
    /// How long "draining" is shown before the listeners close.
    pub shutdown_grace: Duration,
    /// Longest request body.
    pub max_body_bytes: usize,
    /// Most queries in one batch.
    pub max_batch: usize,
    /// Most candidates that one page of a search evaluates.
    pub max_search: usize,
    /// How long one page of a search may take.
    pub max_search_time: Duration,
    /// Policy folders to compare with what is in force.
    pub candidates: Vec<Candidate>,
    /// Threads that answer; the number of cores if nobody says.
    pub runtime_threads: Option<NonZeroUsize>,
    /// What the requests mean that gateways ask about; `None` is asked by no gateway.
    pub gateway: Option<PathBuf>,
}

impl SourceArgs {
    /// What is meant, with the file read if one is named.
    ///
    /// # Errors
    /// A configuration file that cannot be read or has unknown keys.
    pub fn resolve(self) -> Result<SourceChoice, ConfigError> {
        let mut file = File::read(self.config.as_deref())?;
        Ok(self.over(&mut file))
    }

    fn over(self, file: &mut File) -> SourceChoice {
        let take = |file: &mut Option<PathBuf>| file.take();
        SourceChoice {
            root: self
                .root
                .or_else(|| take(&mut file.root))
                .unwrap_or_default(),
            edition: self.edition.or_else(|| file.edition.take()),
            policies: list(self.policies, &mut file.policies),
            schema: self.schema.or_else(|| take(&mut file.schema)),
            conditions: self.conditions.or_else(|| take(&mut file.conditions)),
            entities: list(self.entities, &mut file.entities),
            invariants: list(self.invariants, &mut file.invariants),
            no_validate: self.no_validate.or(file.no_validate).unwrap_or(false),
        }
    }
}

impl ServeArgs {
    /// What is meant, with the file read if one is named.
    ///
    /// # Errors
    /// A configuration file that cannot be read or has unknown keys, and values that cannot be
    /// served with.
    pub fn resolve(self) -> Result<Serve, ConfigError> {
        let mut file = File::read(self.sources.config.as_deref())?;
        let span = |said: Option<Span>, or: Duration| said.map_or(or, |Span(span)| span);
        let sources = self.sources.over(&mut file);
        let allowed = list(self.allow_insecure_bind, &mut file.allow_insecure_bind);
        let decisions = Said::from(self.decisions).over(file.decisions());
        let admin = Said::from(self.admin).over(file.admin());
        let reload = self.reload.over(&file);
        let decision_log = self.decision_log.over(&mut file)?;
        let tracing = self.tracing.over(&mut file)?;
        let gateway = self.gateway.over(&mut file);
        let limits = self.limits.over(&file);
        let log_filter = self.log_filter.or(file.log_filter);
        let serve = Serve {
            sources,
            decisions: decisions.resolve(ListenerName::Decisions, LISTEN, &allowed)?,
            admin: admin.resolve(ListenerName::Admin, ADMIN_LISTEN, &allowed)?,
            public_url: self.public_url.or(file.public_url),
            batch_defaults: self
                .batch_defaults
                .or(file.batch_defaults)
                .unwrap_or_default(),
            on_policy_error: self
                .on_policy_error
                .or(file.on_policy_error)
                .unwrap_or_default(),
            decision_context: self
                .decision_context
                .or(file.decision_context)
                .unwrap_or(false),
            reload,
            decision_log,
            tracing,
            limits,
            log_format: self.log_format.or(file.log_format).unwrap_or_default(),
            log_filter: log_filter.unwrap_or_else(|| LOG_FILTER.to_owned()),
            shutdown_grace: span(self.shutdown_grace.or(file.shutdown_grace), SHUTDOWN_GRACE),
            max_body_bytes: self.max_body.or(file.max_body).unwrap_or(MAX_BODY_BYTES),
            max_batch: self.max_batch.or(file.max_batch).unwrap_or(MAX_BATCH),
            max_search: self.max_search.or(file.max_search).unwrap_or(MAX_SEARCH),
            max_search_time: span(
                self.max_search_time.or(file.max_search_time),
                MAX_SEARCH_TIME,
            ),
            candidates: list(self.candidate, &mut file.candidate),
            runtime_threads: self.runtime_threads.or(file.runtime_threads),
            gateway,
        };
        serve.sensible()
    }
}

impl Serve {
    fn sensible(self) -> Result<Self, ConfigError> {
        let too_small = |key, least| Err(ConfigError::TooSmall { key, least });
        self.reload.sensible()?;
        self.limits.sensible(self.max_body_bytes)?;
        if self.max_body_bytes == 0 {
            return too_small("max-body", "1");
        }
        if self.max_batch == 0 {
            return too_small("max-batch", "1");
        }
        if self.max_search == 0 {
            return too_small("max-search", "1");
        }
        if self.max_search_time < MIN_SEARCH_TIME {
            return too_small("max-search-time", "1ms");
        }
        Ok(self)
    }
}

fn list<T>(said: Vec<T>, file: &mut Vec<T>) -> Vec<T> {
    if said.is_empty() {
        std::mem::take(file)
    } else {
        said
    }
}

#[cfg(test)]
mod tests;
