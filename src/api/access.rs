//! Who may ask: what the server knows of a caller, and what the caller itself has to present.

use std::{sync::Arc, time::Instant};

use hyper::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use tracing::{Level, enabled, warn};

use crate::telemetry::{About, Throttle};

use super::reply::Refusal;

mod authorization;
mod credentials;

pub use credentials::{BadCredentials, CredentialPlace, CredentialSet, Credentials};

/// Where gateways present their credentials: the `Authorization` that they send is that of the
/// request they were asked.
pub(super) const GATEWAY_AUTHORIZATION: HeaderName =
    HeaderName::from_static("x-palisade-authorization");

/// What the server knows of whoever opened a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Whether the listener takes callers like this one.
    pub admitted: bool,
    /// Whether the connection is encrypted.
    pub encrypted: bool,
    /// SHA-256 of the certificate that it has shown to be its own.
    pub certificate: Option<Arc<str>>,
    /// The user it runs as, on a socket file.
    pub uid: Option<u32>,
}

/// What a request has to present on a listener that demands credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Demand {
    /// A credential in `Authorization`.
    Credential,
    /// A credential in [`GATEWAY_AUTHORIZATION`].
    GatewayCredential,
    Nothing,
}

/// What a listener demands of each request.
#[derive(Debug, Default)]
pub(super) struct Access {
    /// `None` demands no credentials.
    credentials: Option<Arc<Credentials>>,
    notices: Throttle,
}

impl Peer {
    /// Somebody at the other end of a TCP connection.
    pub fn unknown() -> Self {
        Self {
            admitted: true,
            encrypted: false,
            certificate: None,
            uid: None,
        }
    }
}

impl Access {
    /// Demands credentials from now on.
    pub(super) fn demand(&mut self, credentials: Arc<Credentials>) {
        self.credentials = Some(credentials);
    }

    /// Whether the connection is one that the listener takes.
    pub(super) fn connection(&self, peer: &Peer, about: &About) -> Result<(), Refusal> {
        if peer.admitted {
            return Ok(());
        }
        self.notice(about, "this user may not connect here");
        Err(Refusal::forbidden_peer())
    }

    /// Whether the request presents what it has to. Takes the secrets out, so that nobody after us
    /// sees them.
    pub(super) fn caller(
        &self,
        headers: &mut HeaderMap,
        demand: Demand,
        about: &mut About,
    ) -> Result<(), Refusal> {
        let of_caller = take_secrets(headers, &AUTHORIZATION);
        let presented = match demand {
            Demand::Credential => of_caller,
            Demand::GatewayCredential => take_secrets(headers, &GATEWAY_AUTHORIZATION),
            Demand::Nothing => return Ok(()),
        };
        let Some(credentials) = &self.credentials else {
            return Ok(());
        };
        let credentials = credentials.current();
        let checked = match presented.as_slice() {
            [] => Err(Denied::Missing),
            [one] => authorization::check(&credentials, one.as_bytes()),
            _ => Err(Denied::Several),
        };
        match checked {
            Ok(name) => {
                about.caller = Some(name);
                Ok(())
            }
            Err(denied) => {
                self.notice(about, denied.message());
                let challenges = credentials.challenges(denied);
                Err(Refusal::unauthorized(denied.message(), challenges))
            }
        }
    }

    /// Says in the log that somebody was turned away, and why; never what was presented.
    fn notice(&self, about: &About, reason: &'static str) {
        if enabled!(Level::WARN)
            && let Some(suppressed) = self.notices.take(Instant::now())
        {
            about.say(|| warn!(reason, suppressed, "refused a caller: {reason}"));
        }
    }
}

/// What the caller presents, taken out of its headers.
fn take_secrets(headers: &mut HeaderMap, place: &HeaderName) -> Vec<HeaderValue> {
    if !headers.contains_key(place) {
        return Vec::new();
    }
    for (name, value) in headers.iter_mut() {
        if name == place {
            value.set_sensitive(true);
        }
    }
    let presented = headers.get_all(place).iter().cloned().collect();
    headers.remove(place);
    presented
}

/// Why what was presented is not enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Denied {
    Malformed,
    Missing,
    Scheme,
    Several,
    Short,
    /// A token that is not one of ours.
    Token,
    /// An id and a secret that are not one of ours.
    Wrong,
}

impl Denied {
    /// For the caller's developer and for the log. Depends on what was presented alone, except
    /// that it was wrong.
    fn message(self) -> &'static str {
        match self {
            Self::Malformed => "the header with the credentials is malformed",
            Self::Missing => "credentials are missing",
            Self::Scheme => "the credentials are neither Bearer nor Basic",
            Self::Several => "there is more than one header with credentials",
            Self::Short => "the secret is shorter than 16 bytes, which is never taken",
            Self::Token | Self::Wrong => "the credentials are not valid",
        }
    }
}
