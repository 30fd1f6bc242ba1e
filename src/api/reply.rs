//! Answers that every endpoint gives alike: JSON bodies and refusals.

use std::borrow::Cow;

use http_body_util::Full;
use hyper::{
    Response, StatusCode,
    body::Bytes,
    header::{
        ALLOW, CONNECTION, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE,
    },
};
use serde::Serialize;

use crate::authz::Revision;

use super::Limits;

mod code;

pub(super) use code::Code;

/// Why there is no other answer, where there is no body to say it.
const X_PALISADE_CODE: HeaderName = HeaderName::from_static("x-palisade-code");
/// The revision that the answer comes from.
const X_PALISADE_REVISION: HeaderName = HeaderName::from_static("x-palisade-revision");
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// A whole answer; one piece, so that head and body go out in one write.
pub(super) type Reply = Response<Full<Bytes>>;

/// An answer with a body of some type.
pub(super) fn with_type(status: StatusCode, kind: HeaderValue, body: impl Into<Bytes>) -> Reply {
    let mut reply = Response::new(Full::new(body.into()));
    *reply.status_mut() = status;
    reply.headers_mut().insert(CONTENT_TYPE, kind);
    reply
}

/// A JSON answer whose text exists already.
pub(super) fn json_text(status: StatusCode, body: impl Into<Bytes>) -> Reply {
    with_type(status, JSON, body)
}

/// A JSON answer.
pub(super) fn json<T: Serialize>(status: StatusCode, body: &T) -> Reply {
    match serde_json::to_vec(body) {
        Ok(text) => json_text(status, text),
        Err(error) => {
            tracing::error!(%error, "could not write an answer: {error}");
            Refusal::internal().into_reply()
        }
    }
}

/// An answer without a body.
pub(super) fn empty(status: StatusCode, header: Option<(HeaderName, HeaderValue)>) -> Reply {
    let mut reply = Response::new(Full::default());
    *reply.status_mut() = status;
    reply.headers_mut().extend(header);
    reply
}

/// The answer to `OPTIONS *`: the methods that some endpoint takes.
pub(super) fn whole_server() -> Reply {
    let methods = HeaderValue::from_static("GET, HEAD, OPTIONS, POST");
    empty(StatusCode::NO_CONTENT, Some((ALLOW, methods)))
}

/// The answer, saying which revision it comes from.
pub(super) fn of_revision(mut reply: Reply, revision: &Revision) -> Reply {
    if let Ok(value) = HeaderValue::from_str(revision.as_str()) {
        reply.headers_mut().insert(X_PALISADE_REVISION, value);
    }
    reply
}

/// The revision that an answer says it comes from.
pub(super) fn revision(reply: &Reply) -> Option<&str> {
    reply.headers().get(X_PALISADE_REVISION)?.to_str().ok()
}

/// Why a request is not answered with what it asked for; the message is for the caller's
/// developer.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    pub(super) code: Code,
    pub(super) message: Cow<'static, str>,
    headers: Vec<(HeaderName, HeaderValue)>,
    /// Whether the code is told in a header, and nothing in a body.
    bare: bool,
}

impl Refusal {
    pub(super) fn new(
        status: StatusCode,
        code: Code,
        message: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            status,
            code,
            message: shortened(message.into()),
            headers: Vec::new(),
            bare: false,
        }
    }

    /// 400: the caller has to change the request.
    pub(super) fn bad(code: Code, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message)
    }

    /// 400: the request is JSON, but not what the endpoint takes.
    pub(super) fn invalid(message: impl Into<Cow<'static, str>>) -> Self {
        Self::bad(Code::InvalidRequest, message)
    }

    /// 400: more queries in one call than we answer.
    pub(super) fn batch_too_large(name: &str, got: usize, limits: &Limits) -> Self {
        let most = limits.batch;
        let message = format!("`{name}` has {got} items; at most {most} are taken");
        Self::bad(Code::BatchTooLarge, message)
    }

    /// 400: nobody knows whom the request is for, so nothing more is read from the connection.
    pub(super) fn host(message: &'static str) -> Self {
        Self::bad(Code::InvalidHost, message).closing()
    }

    /// 401: the caller has to say who it is, in one of these ways.
    pub(super) fn unauthorized(message: &'static str, challenges: Vec<HeaderValue>) -> Self {
        let challenges = challenges.into_iter();
        Self {
            headers: challenges.map(|it| (WWW_AUTHENTICATE, it)).collect(),
            ..Self::new(StatusCode::UNAUTHORIZED, Code::Unauthorized, message)
        }
    }

    /// 403: nobody like this may ask, so nothing more is read from the connection.
    pub(super) fn forbidden_peer() -> Self {
        let message = "this user may not connect here";
        Self::new(StatusCode::FORBIDDEN, Code::ForbiddenPeer, message).closing()
    }

    /// 403: a web page asks, and not the operator who looks at it.
    pub(super) fn forbidden_origin() -> Self {
        let message = "web pages may not change what is in force";
        Self::new(StatusCode::FORBIDDEN, Code::ForbiddenOrigin, message)
    }

    /// 403: nobody may put something in force by hand.
    pub(super) fn rollback_off() -> Self {
        let message = "nothing is put in force by hand: start with `--rollback=N` to allow it";
        Self::new(StatusCode::FORBIDDEN, Code::RollbackOff, message)
    }

    /// 400: the target is none of ours in a way that says the caller takes us for something else.
    pub(super) fn target(message: &'static str) -> Self {
        Self::bad(Code::InvalidTarget, message).closing()
    }

    /// 400: where the body ends is not said clearly.
    pub(super) fn framing(message: &'static str) -> Self {
        Self::bad(Code::InvalidRequest, message).closing()
    }

    /// 404.
    pub(super) fn not_found() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            Code::NotFound,
            "there is nothing here",
        )
    }

    /// 404: nothing of this kind is in force.
    pub(super) fn absent(message: &'static str) -> Self {
        Self::new(StatusCode::NOT_FOUND, Code::NotFound, message)
    }

    /// 404: there is no such revision to put in force.
    pub(super) fn unknown_revision(message: String) -> Self {
        Self::new(StatusCode::NOT_FOUND, Code::UnknownRevision, message)
    }

    /// 404: no candidate is called so.
    pub(super) fn unknown_candidate(name: &str, known: &[String]) -> Self {
        let known = match known {
            [] => "none is named; start with `--candidate NAME=FOLDER`".to_owned(),
            known => format!("these are: {}", known.join(", ")),
        };
        let message = format!("no candidate is called `{name}`: {known}");
        Self::new(StatusCode::NOT_FOUND, Code::NotFound, message)
    }

    /// 409: the files say nothing that could be put in force.
    pub(super) fn sources_refused(message: String) -> Self {
        Self::new(StatusCode::CONFLICT, Code::SourcesRefused, message)
    }

    /// 405 with what is allowed.
    pub(super) fn method(allow: &'static str) -> Self {
        let message = format!("the method must be {}", allow.replace(", ", " or "));
        Self {
            headers: vec![(ALLOW, HeaderValue::from_static(allow))],
            ..Self::new(
                StatusCode::METHOD_NOT_ALLOWED,
                Code::MethodNotAllowed,
                message,
            )
        }
    }

    /// 408: the body did not arrive.
    pub(super) fn body_timeout() -> Self {
        let message = "the body did not arrive in time";
        Self::new(StatusCode::REQUEST_TIMEOUT, Code::BodyTimeout, message).closing()
    }

    /// 413: more body than we read.
    pub(super) fn body_too_large(limit_bytes: usize) -> Self {
        let message = format!("the body is larger than {limit_bytes} bytes");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, Code::BodyTooLarge, message).closing()
    }

    /// 500: our fault, and the log says more.
    pub(super) fn internal() -> Self {
        let message = "the request could not be answered";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, Code::Internal, message)
    }

    /// 503: ask again soon.
    pub(super) fn unavailable(code: Code, message: &'static str) -> Self {
        Self {
            headers: vec![(RETRY_AFTER, HeaderValue::from_static("1"))],
            ..Self::new(StatusCode::SERVICE_UNAVAILABLE, code, message)
        }
    }

    /// 503: no snapshot is in force yet.
    pub(super) fn no_snapshot() -> Self {
        Self::unavailable(Code::NoSnapshot, "no policies are in force yet")
    }

    /// With one more header.
    pub(super) fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// Saying which revision was in force.
    pub(super) fn of_revision(self, revision: &Revision) -> Self {
        match HeaderValue::from_str(revision.as_str()) {
            Ok(value) => self.with(X_PALISADE_REVISION, value),
            Err(_) => self,
        }
    }

    /// Without a body, for a caller that reads none.
    pub(super) fn bare(self) -> Self {
        Self { bare: true, ..self }
    }

    /// As gateways have to be told: 401 and 403 they hand on, as if it were about the one who asks
    /// them, whom a challenge of ours would make give us a password.
    pub(super) fn for_gateway(mut self) -> Self {
        if matches!(
            self.status,
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN
        ) {
            self.status = StatusCode::BAD_REQUEST;
            self.headers.retain(|(name, _)| name != WWW_AUTHENTICATE);
        }
        self
    }

    /// What is left of the request is not worth reading, so the connection ends with the answer.
    pub(super) fn closing(mut self) -> Self {
        let close = HeaderValue::from_static("close");
        self.headers.push((CONNECTION, close));
        self
    }

    /// The answer that says so.
    pub(super) fn into_reply(self) -> Reply {
        // Two strings always have a JSON text, so this cannot come back here through `json`.
        let body = ErrorBody {
            error: ErrorDetail {
                code: self.code.as_str(),
                message: &self.message,
            },
        };
        let mut reply = if self.bare {
            let code = HeaderValue::from_static(self.code.as_str());
            empty(self.status, Some((X_PALISADE_CODE, code)))
        } else {
            json(self.status, &body)
        };
        for (name, value) in self.headers {
            reply.headers_mut().append(name, value);
        }
        reply
    }
}

/// How much of a long message stands at either end: some quote what the caller sent, who knows it.
const SHOWN_BYTES: usize = 500;

fn shortened(message: Cow<'static, str>) -> Cow<'static, str> {
    if message.len() <= 2 * SHOWN_BYTES {
        return message;
    }
    let head = message.floor_char_boundary(SHOWN_BYTES);
    let tail = message.ceil_char_boundary(message.len() - SHOWN_BYTES);
    let (head, (_, tail)) = (message.split_at(head).0, message.split_at(tail));
    format!("{head}…{tail}").into()
}

#[derive(Serialize)]
struct ErrorBody<'a> {
    error: ErrorDetail<'a>,
}

#[derive(Serialize)]
struct ErrorDetail<'a> {
    code: &'static str,
    message: &'a str,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_contract_lists_every_code() {
        let contract: serde_json::Value =
            serde_json::from_str(include_str!("openapi.json")).unwrap();
        let listed = &contract["components"]["schemas"]["Error"]["properties"]["error"];
        let codes = Code::ALL.map(Code::as_str);
        assert_eq!(
            listed["properties"]["code"]["enum"],
            serde_json::json!(codes)
        );
    }
}
