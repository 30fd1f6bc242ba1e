//! TLS on a listener's TCP sockets: one certificate, and on demand a certificate of the caller.

use std::{
    io,
    sync::Arc,
    time::{Duration, Instant},
};

use arc_swap::ArcSwap;
use sha2::{Digest, Sha256};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::timeout,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        self, RootCertStore, ServerConfig,
        crypto::{CryptoProvider, ring},
        pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
        server::{NoServerSessionStorage, WebPkiClientVerifier},
        version::{TLS12, TLS13},
    },
    server::TlsStream,
};
use tracing::{debug, warn};

use crate::telemetry::{Metrics, Throttle};

use super::certificate::{Validity, is_authority, validity};

/// Accepts TLS with the certificate in force, which may be replaced: connections that have shaken
/// hands stay as they are.
#[derive(Debug)]
pub struct Tls {
    listener: &'static str,
    config: ArcSwap<ServerConfig>,
    metrics: Arc<Metrics>,
    notices: Throttle,
}

/// A file of PEM, maybe a key.
#[derive(Clone, Copy)]
pub(super) struct Pem<'a> {
    pub(super) name: &'a str,
    pub(super) bytes: &'a [u8],
}

/// Certificate, key and authorities that fit together.
pub(super) struct Material {
    config: ServerConfig,
    /// SHA-256 of each certificate that we show.
    pub(super) certificates: Vec<String>,
    /// When the first of them, our own, is valid.
    pub(super) validity: Validity,
    /// SHA-256 of each authority whose certificates we take.
    pub(super) client_cas: Vec<String>,
}

/// Why files make no TLS. Never quotes one: a key may stand in the wrong file.
#[derive(Debug, thiserror::Error)]
pub(super) enum BadTls {
    #[error("`{cert}` and `{key}` cannot be used together: {source}")]
    Pair {
        cert: String,
        key: String,
        source: rustls::Error,
    },
    #[error("`{file}` has an authority that cannot be used: {reason}")]
    Authority { file: String, reason: String },
    #[error("`{file}` has a certificate that {reason}")]
    Certificate { file: String, reason: String },
    #[error("`{file}` has no certificate in PEM")]
    NoCertificate { file: String },
    #[error("`{file}` has no private key in PEM, or one that is encrypted")]
    NoKey { file: String },
    #[error("TLS cannot be set up: {0}")]
    Unsupported(rustls::Error),
}

impl Material {
    pub(super) fn parse(
        cert: Pem<'_>,
        key: Pem<'_>,
        client_ca: Option<Pem<'_>>,
    ) -> Result<Self, BadTls> {
        let chain = certificates(cert)?;
        let certificates = chain.iter().map(fingerprint).collect();
        let own = chain
            .first()
            .map_or_else(|| no_certificate(cert), Ok)?
            .clone();
        let private = PrivateKeyDer::from_pem_slice(key.bytes).map_err(|_| BadTls::NoKey {
            file: key.name.to_owned(),
        })?;
        let provider = Arc::new(ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[&TLS13, &TLS12])
            .map_err(BadTls::Unsupported)?;
        let (builder, client_cas) = match client_ca {
            Some(file) => {
                let authorities = self::certificates(file)?;
                let names = authorities.iter().map(fingerprint).collect();
                let verifier = verifier(file.name, authorities, provider)?;
                (builder.with_client_cert_verifier(verifier), names)
            }
            None => (builder.with_no_client_auth(), Vec::new()),
        };
        // The key must be the leaf's: rustls compares them.
        let config = builder.with_single_cert(chain, private);
        let mut config = config.map_err(|source| BadTls::Pair {
            cert: cert.name.to_owned(),
            key: key.name.to_owned(),
            source,
        })?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        if client_ca.is_some() {
            // Going on with a session would take a certificate that has expired since.
            config.session_storage = Arc::new(NoServerSessionStorage {});
            config.send_tls13_tickets = 0;
        }
        let validity = validity(&own).map_err(|reason| BadTls::Certificate {
            file: cert.name.to_owned(),
            reason,
        })?;
        Ok(Self {
            config,
            certificates,
            validity,
            client_cas,
        })
    }
}

fn certificates(file: Pem<'_>) -> Result<Vec<CertificateDer<'static>>, BadTls> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(file.bytes).collect();
    let found = found.ok().filter(|found| !found.is_empty());
    found.map_or_else(|| no_certificate(file), Ok)
}

fn no_certificate<T>(file: Pem<'_>) -> Result<T, BadTls> {
    let file = file.name.to_owned();
    Err(BadTls::NoCertificate { file })
}

fn verifier(
    file: &str,
    authorities: Vec<CertificateDer<'static>>,
    provider: Arc<CryptoProvider>,
) -> Result<Arc<dyn rustls::server::danger::ClientCertVerifier>, BadTls> {
    let bad = |reason: String| BadTls::Authority {
        file: file.to_owned(),
        reason,
    };
    let mut roots = RootCertStore::empty();
    for (number, authority) in (1..).zip(authorities) {
        is_authority(&authority).map_err(|it| bad(format!("certificate {number} {it}")))?;
        roots.add(authority).map_err(|it| bad(it.to_string()))?;
    }
    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
        .build()
        .map_err(|it| bad(it.to_string()))
}

/// As `openssl x509 -fingerprint -sha256` has it, in plain lower case.
fn fingerprint(certificate: &CertificateDer<'_>) -> String {
    let digest = Sha256::digest(certificate);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What an accepted connection comes to: the stream and its caller's certificate, or what is left
/// of the stream.
type Accepted<S> = Result<(TlsStream<S>, Option<Arc<str>>), Option<S>>;

impl Tls {
    pub(super) fn new(listener: &'static str, material: Material, metrics: Arc<Metrics>) -> Self {
        metrics.shakes_hands(listener, &Failure::ALL.map(Failure::as_str));
        Self {
            listener,
            config: ArcSwap::from_pointee(material.config),
            metrics,
            notices: Throttle::default(),
        }
    }

    /// For all connections that begin from now on; sessions of before are not gone on with.
    pub(super) fn replace(&self, material: Material) {
        self.config.store(Arc::new(material.config));
    }

    /// Shakes hands, in time.
    pub(super) async fn accept<S>(&self, stream: S, longest: Duration) -> Accepted<S>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let acceptor = TlsAcceptor::from(self.config.load_full());
        let shaking = acceptor.accept(stream).into_fallible();
        match timeout(longest, shaking).await {
            Ok(Ok(stream)) => {
                let (_, session) = stream.get_ref();
                let certificate = session.peer_certificates().and_then(<[_]>::first);
                let certificate = certificate.map(|it| fingerprint(it).into());
                Ok((stream, certificate))
            }
            Ok(Err((error, stream))) => {
                self.failed(Failure::of(&error), &error.to_string());
                Err(Some(stream))
            }
            Err(_) => {
                self.failed(Failure::Timeout, "it takes too long");
                Err(None)
            }
        }
    }

    /// Counts every failure; says so for somebody who looks, and now and then for everybody.
    fn failed(&self, failure: Failure, error: &str) {
        let listener = self.listener;
        let reason = failure.as_str();
        self.metrics.handshake_failed(listener, reason);
        debug!(listener, reason, "a TLS handshake failed: {error}");
        // Probes that only see whether the port is open hang up all day long.
        if failure != Failure::HungUp
            && let Some(suppressed) = self.notices.take(Instant::now())
        {
            warn!(
                listener,
                reason, suppressed, "callers do not get in by TLS: {error}"
            );
        }
    }
}

/// Why a handshake failed, in metrics and logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Failure {
    /// The caller's certificate is not one that we take.
    BadCertificate,
    /// The caller was gone, or never said anything.
    HungUp,
    /// The caller showed no certificate.
    NoCertificate,
    /// What came was no TLS that we speak.
    Protocol,
    /// The caller does not take ours, for one.
    RefusedByCaller,
    Timeout,
}

impl Failure {
    const ALL: [Self; 6] = [
        Self::BadCertificate,
        Self::HungUp,
        Self::NoCertificate,
        Self::Protocol,
        Self::RefusedByCaller,
        Self::Timeout,
    ];

    fn of(error: &io::Error) -> Self {
        let source = error.get_ref();
        let Some(source) = source.and_then(|it| it.downcast_ref::<rustls::Error>()) else {
            return Self::HungUp;
        };
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "rustls adds kinds; all others are about the protocol"
        )]
        match source {
            rustls::Error::NoCertificatesPresented => Self::NoCertificate,
            rustls::Error::InvalidCertificate(_) => Self::BadCertificate,
            rustls::Error::AlertReceived(_) => Self::RefusedByCaller,
            _ => Self::Protocol,
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::BadCertificate => "bad_certificate",
            Self::HungUp => "hung_up",
            Self::NoCertificate => "no_certificate",
            Self::Protocol => "protocol",
            Self::RefusedByCaller => "refused_by_caller",
            Self::Timeout => "timeout",
        }
    }
}
