//! The configuration file: the flags of `serve` as kebab-case keys.

use std::{
    fs, mem,
    num::NonZeroUsize,
    path::{Path, PathBuf},
};

use serde::Deserialize;

use super::{
    Address, BatchDefaults, Candidate, ConfigError, GateRule, ListenerName, LogFormat, LogPlace,
    OtlpEndpoint, OverflowRule, PolicyErrorRule, Ratio, RecordFormat, SocketMode, Span, WatchRule,
    listener::Said,
};

/// Every key is the flag of the same name.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct File {
    pub(super) root: Option<PathBuf>,
    pub(super) edition: Option<String>,
    pub(super) policies: Vec<PathBuf>,
    pub(super) schema: Option<PathBuf>,
    pub(super) conditions: Option<PathBuf>,
    pub(super) entities: Vec<PathBuf>,
    pub(super) invariants: Vec<PathBuf>,
    pub(super) no_validate: Option<bool>,
    pub(super) listen: Vec<Address>,
    pub(super) socket_mode: Option<SocketMode>,
    pub(super) allow_uid: Vec<u32>,
    pub(super) tls_cert: Option<PathBuf>,
    pub(super) tls_key: Option<PathBuf>,
    pub(super) tls_client_ca: Option<PathBuf>,
    pub(super) credentials: Option<PathBuf>,
    pub(super) admin_listen: Option<Address>,
    pub(super) admin_socket_mode: Option<SocketMode>,
    pub(super) admin_allow_uid: Vec<u32>,
    pub(super) admin_tls_cert: Option<PathBuf>,
    pub(super) admin_tls_key: Option<PathBuf>,
    pub(super) admin_tls_client_ca: Option<PathBuf>,
    pub(super) admin_credentials: Option<PathBuf>,
    pub(super) allow_insecure_bind: Vec<ListenerName>,
    pub(super) public_url: Option<String>,
    pub(super) batch_defaults: Option<BatchDefaults>,
    pub(super) on_policy_error: Option<PolicyErrorRule>,
    pub(super) decision_context: Option<bool>,
    pub(super) poll_interval: Option<Span>,
    pub(super) watch: Option<WatchRule>,
    pub(super) shrink: Option<GateRule>,
    pub(super) canary: Option<GateRule>,
    pub(super) prove: Option<GateRule>,
    pub(super) prove_no_wider: Option<bool>,
    pub(super) prove_time: Option<Span>,
    pub(super) rollback: Option<usize>,
    pub(super) decision_log: Option<LogPlace>,
    pub(super) decision_log_format: Option<RecordFormat>,
    pub(super) decision_log_overflow: Option<OverflowRule>,
    pub(super) decision_log_queue: Option<usize>,
    pub(super) decision_log_sample_allows: Option<Ratio>,
    pub(super) decision_log_context: Vec<String>,
    pub(super) decision_log_entities: Option<bool>,
    pub(super) otlp_endpoint: Option<OtlpEndpoint>,
    pub(super) trace_sample: Option<Ratio>,
    pub(super) log_format: Option<LogFormat>,
    pub(super) log_filter: Option<String>,
    pub(super) shutdown_grace: Option<Span>,
    pub(super) max_connections: Option<NonZeroUsize>,
    pub(super) max_header: Option<usize>,
    pub(super) idle_timeout: Option<Span>,
    pub(super) body_timeout: Option<Span>,
    pub(super) max_held: Option<usize>,
    pub(super) max_body: Option<usize>,
    pub(super) max_batch: Option<usize>,
    pub(super) max_search: Option<usize>,
    pub(super) max_search_time: Option<Span>,
    pub(super) candidate: Vec<Candidate>,
    pub(super) runtime_threads: Option<NonZeroUsize>,
    pub(super) gateway: Option<PathBuf>,
}

impl File {
    /// The file, or nothing if none is named.
    pub(super) fn read(path: Option<&Path>) -> Result<Self, ConfigError> {
        let Some(path) = path else {
            return Ok(Self::default());
        };
        let text = fs::read_to_string(path).map_err(|source| ConfigError::Unreadable {
            path: path.to_owned(),
            source,
        })?;
        toml::from_str(&text).map_err(|source| ConfigError::Malformed {
            path: path.to_owned(),
            source: Box::new(source),
        })
    }

    /// What it says of the decisions listener.
    pub(super) fn decisions(&mut self) -> Said {
        Said {
            addresses: mem::take(&mut self.listen),
            socket_mode: self.socket_mode,
            allow_uid: mem::take(&mut self.allow_uid),
            tls_cert: self.tls_cert.take(),
            tls_key: self.tls_key.take(),
            tls_client_ca: self.tls_client_ca.take(),
            credentials: self.credentials.take(),
        }
    }

    /// What it says of the admin listener.
    pub(super) fn admin(&mut self) -> Said {
        Said {
            addresses: self.admin_listen.take().into_iter().collect(),
            socket_mode: self.admin_socket_mode,
            allow_uid: mem::take(&mut self.admin_allow_uid),
            tls_cert: self.admin_tls_cert.take(),
            tls_key: self.admin_tls_key.take(),
            tls_client_ca: self.admin_tls_client_ca.take(),
            credentials: self.admin_credentials.take(),
        }
    }
}
