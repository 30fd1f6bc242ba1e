//! What the admin listener answers: paths, methods, and who may ask without credentials.

use hyper::Method;

use crate::api::{access::Demand, exchange, reply::Refusal};

/// Something that can be asked for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Endpoint {
    Accept,
    Explain,
    Livez,
    Matrix,
    Metrics,
    Page,
    Pin,
    Policies,
    Readyz,
    Schema,
    Status,
    Unpin,
}

impl Endpoint {
    pub(super) fn at(path: &str) -> Option<Self> {
        match path {
            "/" => Some(Self::Page),
            "/livez" => Some(Self::Livez),
            "/metrics" => Some(Self::Metrics),
            "/readyz" => Some(Self::Readyz),
            "/v1/accept" => Some(Self::Accept),
            "/v1/explain" => Some(Self::Explain),
            "/v1/matrix" => Some(Self::Matrix),
            "/v1/pin" => Some(Self::Pin),
            "/v1/policies" => Some(Self::Policies),
            "/v1/schema" => Some(Self::Schema),
            "/v1/status" => Some(Self::Status),
            "/v1/unpin" => Some(Self::Unpin),
            _ => None,
        }
    }

    /// The name in logs.
    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Accept => "accept",
            Self::Explain => "explain",
            Self::Livez => "livez",
            Self::Matrix => "matrix",
            Self::Metrics => "metrics",
            Self::Page => "page",
            Self::Pin => "pin",
            Self::Policies => "policies",
            Self::Readyz => "readyz",
            Self::Schema => "schema",
            Self::Status => "status",
            Self::Unpin => "unpin",
        }
    }

    /// What callers have to present: nothing for probes, as orchestrators have nothing.
    pub(super) fn demand(self) -> Demand {
        match self {
            Self::Livez | Self::Readyz => Demand::Nothing,
            Self::Accept
            | Self::Explain
            | Self::Matrix
            | Self::Metrics
            | Self::Page
            | Self::Pin
            | Self::Policies
            | Self::Schema
            | Self::Status
            | Self::Unpin => Demand::Credential,
        }
    }

    pub(super) fn allows(self, method: &Method) -> Result<(), Refusal> {
        match self {
            Self::Accept | Self::Explain | Self::Pin | Self::Unpin => exchange::only_post(method),
            Self::Livez
            | Self::Matrix
            | Self::Metrics
            | Self::Page
            | Self::Policies
            | Self::Readyz
            | Self::Schema
            | Self::Status => exchange::only_get(method),
        }
    }
}
