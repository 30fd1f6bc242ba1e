//! TLS that trusts the certificates of a file and no authority: that of the very service that is
//! asked, and maybe the one it had before.

use std::{
    io::{self, Read, Write},
    path::Path,
    sync::Arc,
};

use tokio_rustls::rustls::{
    self, CertificateError, ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme,
    StreamOwned,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject},
};

use crate::{cli::Failure, server};

/// The certificates of a file, each of which will do: nothing secret is said to whoever shows one.
#[derive(Debug)]
pub(super) struct Pinned {
    certificates: Vec<CertificateDer<'static>>,
    provider: Arc<CryptoProvider>,
}

impl Pinned {
    pub(super) fn read(file: &Path) -> Result<Self, Failure> {
        let name = file.display();
        let bytes = server::read_small(file)
            .map_err(|error| Failure::usage(format_args!("could not read `{name}`: {error}")))?;
        let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
        let certificates = certificates.ok().filter(|found| !found.is_empty());
        let none = || Failure::usage(format_args!("`{name}` has no certificate in PEM"));
        Ok(Self {
            certificates: certificates.ok_or_else(none)?,
            provider: Arc::new(ring::default_provider()),
        })
    }

    /// The stream inside TLS; the handshake comes with the first byte.
    pub(super) fn wrap<S: Read + Write>(
        self,
        stream: S,
    ) -> io::Result<StreamOwned<ClientConnection, S>> {
        let provider = Arc::clone(&self.provider);
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(self))
            .with_no_client_auth();
        // Nobody looks at the name: the certificate is the one, or it is not.
        let name = ServerName::try_from("palisade").map_err(io::Error::other)?;
        let session = ClientConnection::new(Arc::new(config), name).map_err(io::Error::other)?;
        Ok(StreamOwned::new(session, stream))
    }
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if self.certificates.contains(end_entity) {
            return Ok(ServerCertVerified::assertion());
        }
        Err(CertificateError::ApplicationVerificationFailure.into())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, cert, dss, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let algorithms = &self.provider.signature_verification_algorithms;
        algorithms.supported_schemes()
    }
}

/// What a failed handshake means to whoever asks for the health of a service.
pub(super) fn meaning(error: &io::Error) -> Option<&'static str> {
    let source = error.get_ref()?.downcast_ref::<rustls::Error>()?;
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "what else goes wrong speaks for itself"
    )]
    match source {
        rustls::Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure) => {
            Some(
                "it shows another certificate than the file has: the file may be newer than what \
                 is in force, which `/v1/status` tells",
            )
        }
        rustls::Error::AlertReceived(rustls::AlertDescription::CertificateRequired) => Some(
            "it demands a certificate of the caller, and this command has none: ask `/readyz` \
             with a client that has one",
        ),
        rustls::Error::InvalidMessage(_) => Some("it does not speak TLS there"),
        _ => None,
    }
}
