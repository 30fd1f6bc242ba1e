//! What handlers are told, from the configuration.

use std::sync::Arc;

use tracing::warn;

use crate::{
    api::{self, AuthzenOptions, PublicUrl},
    authz::OnPolicyError,
    cli::Failure,
    config::{self, BatchDefaults, PolicyErrorRule},
    source::{CandidateFolders, SourceSpec},
};

pub(super) fn authzen(config: &config::Serve) -> Result<AuthzenOptions, Failure> {
    let public_url = config.public_url.as_deref().map(str::parse::<PublicUrl>);
    if let Some(Ok(url)) = &public_url
        && !url.is_https()
    {
        warn!(public_url = %url, "the public URL `{url}` is not https, as AuthZEN demands");
    }
    Ok(AuthzenOptions {
        batch_defaults: match config.batch_defaults {
            BatchDefaults::FillIdentifiers => api::BatchDefaults::FillIdentifiers,
            BatchDefaults::Strict => api::BatchDefaults::Strict,
        },
        decision_context: config.decision_context,
        public_url: public_url.transpose().map_err(Failure::usage)?,
    })
}

/// The folders that are to be compared with what is in force.
pub(super) fn candidates(config: &config::Serve, served: &SourceSpec) -> Arc<CandidateFolders> {
    let named = config.candidates.iter();
    let named = named.map(|it| (it.name.clone(), it.folder.clone()));
    Arc::new(CandidateFolders::new(served.clone(), named))
}

/// What callers may ask for at once.
pub(super) fn limits(config: &config::Serve) -> api::Limits {
    api::Limits {
        body_bytes: config.max_body_bytes,
        batch: config.max_batch,
        search_evaluations: config.max_search,
        search_time: config.max_search_time,
        body_timeout: config.limits.body_timeout,
        held_bytes: config.limits.held_bytes,
        ..api::Limits::default()
    }
}

/// What an erring `forbid` means.
pub(super) fn on_error(config: &config::Serve) -> OnPolicyError {
    match config.on_policy_error {
        PolicyErrorRule::Cedar => OnPolicyError::Cedar,
        PolicyErrorRule::Deny => OnPolicyError::Deny,
    }
}
