//! What listeners demand of their callers, as files say: nothing of it is secret.

use std::time::SystemTime;

use super::Status;

/// What was last taken from the files of a listener, and what is wrong with them since.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Whose they are.
    pub listener: &'static str,
    /// The names of the files.
    pub files: Vec<String>,
    /// What is in force.
    pub kind: KeptKind,
    /// Since when.
    pub loaded_at: SystemTime,
    /// What of it somebody should look at.
    pub warnings: Vec<String>,
    /// When, and why, what is in the files was not taken; `None` if it is what is in force.
    pub error: Option<(SystemTime, String)>,
}

/// What is in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeptKind {
    /// Names of those who may ask.
    Credentials {
        /// By a token.
        bearer: Vec<String>,
        /// By an id and a secret.
        basic: Vec<String>,
    },
    /// What the requests mean that gateways ask about.
    Routes {
        /// Each in one line, in their order.
        routes: Vec<String>,
    },
    /// SHA-256 digests of certificates, in hexadecimal.
    Tls {
        /// Those that we show, our own first.
        certificates: Vec<String>,
        /// The authorities whose certificates callers may show.
        client_cas: Vec<String>,
        /// When our own certificate ends, in the years from 1970 to 9999.
        not_after: SystemTime,
    },
}

impl KeptKind {
    /// How credentials are called in logs and metrics.
    pub const CREDENTIALS: &'static str = "credentials";
    /// How what gateways ask is called in logs and metrics.
    pub const ROUTES: &'static str = "routes";
    /// How TLS is called in logs and metrics.
    pub const TLS: &'static str = "tls";

    /// The name in logs and metrics.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Credentials { .. } => Self::CREDENTIALS,
            Self::Routes { .. } => Self::ROUTES,
            Self::Tls { .. } => Self::TLS,
        }
    }
}

impl Kept {
    /// Whether this is about the same files.
    pub(super) fn is_of(&self, listener: &str, kind: &str) -> bool {
        self.listener == listener && self.kind.as_str() == kind
    }
}

impl Status {
    /// What a listener demands is in force as its files say.
    pub fn keeps(&self, kept: Kept) {
        let mut inner = self.inner();
        let mut known = inner.access.iter_mut();
        match known.find(|it| it.is_of(kept.listener, kept.kind.as_str())) {
            Some(known) => *known = kept,
            None => inner.access.push(kept),
        }
    }

    /// What somebody should look at of what is in force.
    pub fn warns(&self, listener: &str, kind: &str, warnings: &[String]) {
        let mut inner = self.inner();
        let mut known = inner.access.iter_mut();
        if let Some(kept) = known.find(|it| it.is_of(listener, kind)) {
            kept.warnings = warnings.to_vec();
        }
    }

    /// What a listener's files say was not taken; what was in force stays.
    pub fn refused(&self, listener: &str, kind: &str, at: SystemTime, why: String) {
        let mut inner = self.inner();
        let mut known = inner.access.iter_mut();
        if let Some(kept) = known.find(|it| it.is_of(listener, kind)) {
            kept.error = Some((at, why));
        }
    }
}
