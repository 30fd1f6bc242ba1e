//! Why a request is refused, in one word.

/// Why a request is refused, for programs: stable, also as the `reason` of
/// `palisade_http_requests_rejected_total`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::api) enum Code {
    BatchTooLarge,
    BodyTimeout,
    BodyTooLarge,
    EmptyBody,
    ExpiredPageToken,
    ForbiddenOrigin,
    ForbiddenPeer,
    IncompleteBody,
    Internal,
    InvalidContentType,
    InvalidEntities,
    InvalidHost,
    InvalidJson,
    InvalidPageToken,
    InvalidRequest,
    InvalidTarget,
    MethodNotAllowed,
    NoSnapshot,
    NotFound,
    Overloaded,
    RollbackOff,
    SourcesRefused,
    Unauthorized,
    UnknownRevision,
}

impl Code {
    /// Every code, as `openapi.json` lists them.
    pub(in crate::api) const ALL: [Self; 24] = [
        Self::BatchTooLarge,
        Self::BodyTimeout,
        Self::BodyTooLarge,
        Self::EmptyBody,
        Self::ExpiredPageToken,
        Self::ForbiddenOrigin,
        Self::ForbiddenPeer,
        Self::IncompleteBody,
        Self::Internal,
        Self::InvalidContentType,
        Self::InvalidEntities,
        Self::InvalidHost,
        Self::InvalidJson,
        Self::InvalidPageToken,
        Self::InvalidRequest,
        Self::InvalidTarget,
        Self::MethodNotAllowed,
        Self::NoSnapshot,
        Self::NotFound,
        Self::Overloaded,
        Self::RollbackOff,
        Self::SourcesRefused,
        Self::Unauthorized,
        Self::UnknownRevision,
    ];

    /// The name on the wire and in metrics.
    pub(in crate::api) fn as_str(self) -> &'static str {
        match self {
            Self::BatchTooLarge => "batch_too_large",
            Self::BodyTimeout => "body_timeout",
            Self::BodyTooLarge => "body_too_large",
            Self::EmptyBody => "empty_body",
            Self::ExpiredPageToken => "expired_page_token",
            Self::ForbiddenOrigin => "forbidden_origin",
            Self::ForbiddenPeer => "forbidden_peer",
            Self::IncompleteBody => "incomplete_body",
            Self::Internal => "internal",
            Self::InvalidContentType => "invalid_content_type",
            Self::InvalidEntities => "invalid_entities",
            Self::InvalidHost => "invalid_host",
            Self::InvalidJson => "invalid_json",
            Self::InvalidPageToken => "invalid_page_token",
            Self::InvalidRequest => "invalid_request",
            Self::InvalidTarget => "invalid_target",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::NoSnapshot => "no_snapshot",
            Self::NotFound => "not_found",
            Self::Overloaded => "overloaded",
            Self::RollbackOff => "rollback_off",
            Self::SourcesRefused => "sources_refused",
            Self::Unauthorized => "unauthorized",
            Self::UnknownRevision => "unknown_revision",
        }
    }
}
