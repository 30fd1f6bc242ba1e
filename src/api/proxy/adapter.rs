//! Which gateways there are, and where each of them says what was asked of it.

use hyper::{
    Method,
    header::{HeaderMap, HeaderName, HeaderValue},
};

/// A kind of gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::api) enum Adapter {
    Envoy,
    Nginx,
    Traefik,
}

/// What a gateway was asked, as it tells it: nothing of it is trusted to be a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Original<'r> {
    pub(super) method: &'r str,
    pub(super) target: &'r str,
}

/// Why it is not known what a gateway was asked: it is not set up as it should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Untold {
    #[error("the header `{0}` is missing: the gateway has to set it")]
    Missing(HeaderName),
    #[error("the header `{0}` came more than once: the gateway has to set it, not to add to it")]
    Repeated(HeaderName),
    #[error("the header `{0}` is not visible ASCII")]
    Unreadable(HeaderName),
}

/// One line of the table.
struct Line {
    adapter: Adapter,
    /// Where it asks; everything below it as well, if that is where the original path is.
    path: &'static str,
    /// The same as a template.
    route: &'static str,
    /// The `endpoint` label.
    label: &'static str,
    original: Place,
    /// Whether it does anything with the body of a denial.
    reads_denials: bool,
}

/// Where the original method and target are.
enum Place {
    Headers {
        method: HeaderName,
        target: HeaderName,
    },
    /// In the request line, the target below the adapter's path.
    RequestLine,
}

static TABLE: [Line; 3] = [
    // `ext_authz` keeps the method, and puts `path_prefix` before path and query.
    Line {
        adapter: Adapter::Envoy,
        path: "/proxy/envoy",
        route: "/proxy/envoy/{path}",
        label: "proxy_envoy",
        original: Place::RequestLine,
        reads_denials: true,
    },
    // `auth_request` tells nothing by itself: its configuration sets these, by custom called so.
    Line {
        adapter: Adapter::Nginx,
        path: "/proxy/nginx",
        route: "/proxy/nginx",
        label: "proxy_nginx",
        original: Place::Headers {
            method: HeaderName::from_static("x-original-method"),
            target: HeaderName::from_static("x-original-uri"),
        },
        // With a body that it does not read, it gives up the connection: a new one each time.
        reads_denials: false,
    },
    // `ForwardAuth` sets these on the request that it sends.
    Line {
        adapter: Adapter::Traefik,
        path: "/proxy/traefik",
        route: "/proxy/traefik",
        label: "proxy_traefik",
        original: Place::Headers {
            method: HeaderName::from_static("x-forwarded-method"),
            target: HeaderName::from_static("x-forwarded-uri"),
        },
        reads_denials: true,
    },
];

impl Adapter {
    /// The adapter at a path.
    pub(in crate::api) fn at(path: &str) -> Option<Self> {
        let is_at = |line: &&Line| match (path.strip_prefix(line.path), &line.original) {
            (Some(""), _) => true,
            (Some(rest), Place::RequestLine) => rest.starts_with('/'),
            (Some(_), Place::Headers { .. }) | (None, _) => false,
        };
        TABLE.iter().find(is_at).map(|line| line.adapter)
    }

    /// The `endpoint` label.
    pub(in crate::api) fn label(self) -> &'static str {
        self.line().label
    }

    /// Where it asks, as a template.
    pub(in crate::api) fn route(self) -> &'static str {
        self.line().route
    }

    /// Whether it does anything with the body of a denial.
    pub(super) fn reads_denials(self) -> bool {
        self.line().reads_denials
    }

    /// What was asked of the gateway, by the request that it sent; `target` is that of this request.
    pub(super) fn original<'r>(
        self,
        method: &'r Method,
        target: &'r str,
        headers: &'r HeaderMap,
    ) -> Result<Original<'r>, Untold> {
        let line = self.line();
        match &line.original {
            Place::Headers {
                method,
                target: uri,
            } => Ok(Original {
                method: only(headers, method)?,
                target: only(headers, uri)?,
            }),
            Place::RequestLine => Ok(Original {
                method: method.as_str(),
                target: target.strip_prefix(line.path).unwrap_or_default(),
            }),
        }
    }

    fn line(self) -> &'static Line {
        let [envoy, nginx, traefik] = &TABLE;
        match self {
            Self::Envoy => envoy,
            Self::Nginx => nginx,
            Self::Traefik => traefik,
        }
    }
}

/// The one value of a header.
fn only<'r>(headers: &'r HeaderMap, name: &HeaderName) -> Result<&'r str, Untold> {
    let mut values = headers.get_all(name).iter();
    let value = match (values.next(), values.next()) {
        (None, _) => return Err(Untold::Missing(name.clone())),
        (Some(only), None) => only,
        (Some(_), Some(_)) => return Err(Untold::Repeated(name.clone())),
    };
    let text = HeaderValue::to_str(value).map_err(|_| Untold::Unreadable(name.clone()))?;
    if text.is_empty() {
        return Err(Untold::Missing(name.clone()));
    }
    Ok(text)
}
