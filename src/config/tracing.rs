//! What is recorded as spans of traces, and where that goes.

use std::str::FromStr;

use hyper::{Uri, http::uri::Scheme};
use serde::Deserialize;

use super::{ConfigError, Ratio, TracingArgs, file::File};

/// Of requests without a trace one in a hundred: some are seen of callers who trace nothing, and
/// what that costs is not.
const SAMPLE: f64 = 0.01;

/// The port of `http` URLs that name none.
const PORT: u16 = 80;

/// Where traces go below a collector's URL.
const TRACES: &str = "/v1/traces";

/// What is recorded as spans of traces, and where that goes.
#[derive(Clone, Debug, PartialEq)]
pub struct Tracing {
    /// Where spans are sent.
    pub endpoint: OtlpEndpoint,
    /// Which part of the requests without a trace is recorded.
    pub sample: f64,
}

/// The collector that takes traces, by its URL.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct OtlpEndpoint {
    /// Its name or IP address, without brackets.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// The path for traces.
    pub path: String,
}

/// Why a URL names no collector that we can send to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadOtlpEndpoint {
    /// It has a part that a collector's has not.
    #[error("the URL of a collector has no user, query or fragment")]
    More,
    /// It cannot be read, or names no host.
    #[error("this is no URL like `http://127.0.0.1:4318`")]
    NoUrl,
    /// It is encrypted.
    #[error(
        "`https` is not spoken here: run a collector beside the service that forwards to it, and \
         name its `http` URL"
    )]
    Secure,
}

impl TracingArgs {
    pub(super) fn over(self, file: &mut File) -> Result<Option<Tracing>, ConfigError> {
        let sample = self.trace_sample.or(file.trace_sample);
        let Some(endpoint) = self.otlp_endpoint.or_else(|| file.otlp_endpoint.take()) else {
            return match sample {
                Some(_) => Err(ConfigError::NoCollector),
                None => Ok(None),
            };
        };
        Ok(Some(Tracing {
            endpoint,
            sample: sample.map_or(SAMPLE, Ratio::as_f64),
        }))
    }
}

impl FromStr for OtlpEndpoint {
    type Err = BadOtlpEndpoint;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let uri: Uri = text.parse().map_err(|_| BadOtlpEndpoint::NoUrl)?;
        let scheme = uri.scheme().ok_or(BadOtlpEndpoint::NoUrl)?;
        if *scheme == Scheme::HTTPS {
            return Err(BadOtlpEndpoint::Secure);
        }
        let authority = uri.authority().ok_or(BadOtlpEndpoint::NoUrl)?;
        let host = authority.host();
        let host = host.strip_prefix('[').unwrap_or(host);
        let host = host.strip_suffix(']').unwrap_or(host);
        if *scheme != Scheme::HTTP || host.is_empty() {
            return Err(BadOtlpEndpoint::NoUrl);
        }
        if authority.as_str().contains('@') || uri.query().is_some() || text.contains('#') {
            return Err(BadOtlpEndpoint::More);
        }
        Ok(Self {
            host: host.to_owned(),
            port: authority.port_u16().unwrap_or(PORT),
            path: format!("{}{TRACES}", uri.path().trim_end_matches('/')),
        })
    }
}

impl TryFrom<String> for OtlpEndpoint {
    type Error = BadOtlpEndpoint;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(url: &str, expected: Result<(&str, u16, &str), BadOtlpEndpoint>) {
        let endpoint = url.parse::<OtlpEndpoint>();
        let endpoint = endpoint.as_ref().map_err(|why| *why);
        let parts = endpoint.map(|it| (it.host.as_str(), it.port, it.path.as_str()));
        assert_eq!(parts, expected, "{url}");
    }

    #[test]
    fn a_collector_is_named_by_its_base_url() {
        check(
            "http://127.0.0.1:4318",
            Ok(("127.0.0.1", 4318, "/v1/traces")),
        );
        check(
            "http://127.0.0.1:4318/",
            Ok(("127.0.0.1", 4318, "/v1/traces")),
        );
        check("http://[::1]:4318", Ok(("::1", 4318, "/v1/traces")));
        check(
            "http://otel.ops.svc/up/",
            Ok(("otel.ops.svc", 80, "/up/v1/traces")),
        );
    }

    #[test]
    fn what_is_no_collectors_url_is_refused_with_a_way_out() {
        for text in [
            "",
            "127.0.0.1:4318",
            "grpc://a:4317",
            "/v1/traces",
            "http://",
            "http:// a",
        ] {
            check(text, Err(BadOtlpEndpoint::NoUrl));
        }
        check("https://otel.example", Err(BadOtlpEndpoint::Secure));
        for text in ["http://u:p@a:1", "http://a:1?x=1", "http://a:1#x"] {
            check(text, Err(BadOtlpEndpoint::More));
        }
    }
}
