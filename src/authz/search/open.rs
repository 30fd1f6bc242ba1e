//! Which side of a request is open.

use crate::authz::{query::Asked, symbols::Uid};

/// The side of a request that is sought.
#[derive(Clone, Copy, Debug)]
pub(super) enum Open {
    Principal,
    Resource,
}

impl Open {
    /// The side that is known.
    pub(super) fn known(self, asked: &Asked) -> Uid {
        match self {
            Self::Principal => asked.resource,
            Self::Resource => asked.principal,
        }
    }

    /// The side that is sought.
    pub(super) fn sought(self, asked: &Asked) -> Uid {
        match self {
            Self::Principal => asked.principal,
            Self::Resource => asked.resource,
        }
    }

    /// The question about a candidate.
    pub(super) fn filled(self, asked: &Asked, candidate: Uid) -> Asked {
        let asked = asked.clone();
        match self {
            Self::Principal => Asked {
                principal: candidate,
                ..asked
            },
            Self::Resource => Asked {
                resource: candidate,
                ..asked
            },
        }
    }
}
