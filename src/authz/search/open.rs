//! Which side of a request is open.

use cedar_policy::{EntityUid, Request};

use crate::authz::engine::{self, Uid};

/// The side of a request that is sought.
#[derive(Clone, Copy, Debug)]
pub(super) enum Open {
    Principal,
    Resource,
}

impl Open {
    /// The side that is known.
    pub(super) fn known(self, request: &Request) -> Option<&EntityUid> {
        match self {
            Self::Principal => request.resource(),
            Self::Resource => request.principal(),
        }
    }

    /// The side that is sought.
    pub(super) fn sought(self, request: &Request) -> Option<&EntityUid> {
        match self {
            Self::Principal => request.principal(),
            Self::Resource => request.resource(),
        }
    }

    /// The request about a candidate.
    pub(super) fn filled(self, request: &Request, candidate: &Uid) -> Option<Request> {
        let candidate = engine::public_uid(candidate);
        let action = request.action()?.clone();
        let context = request.context()?.clone();
        let (principal, resource) = match self {
            Self::Principal => (candidate, request.resource()?.clone()),
            Self::Resource => (request.principal()?.clone(), candidate),
        };
        Request::new(principal, action, resource, context, None).ok()
    }
}
