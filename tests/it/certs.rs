//! Certificates made for one test, and clients that trust them. `tests/cli.rs` has them, too.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, date_time_ymd,
};
use tempfile::TempDir;
use tokio_rustls::rustls::{
    ALL_VERSIONS, ClientConfig, RootCertStore, SupportedProtocolVersion,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};

/// Somebody who vouches for others.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate and its key, as PEM.
pub(crate) struct Pair {
    pub(crate) cert: String,
    pub(crate) key: String,
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        Self::of(name, IsCa::Ca(BasicConstraints::Unconstrained))
    }

    /// Somebody who signs certificates though its own says that it may not.
    pub(crate) fn that_is_none(name: &str) -> Self {
        Self::of(name, IsCa::ExplicitNoCa)
    }

    fn of(name: &str, is_ca: IsCa) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = is_ca;
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }

    pub(crate) fn server(&self) -> Pair {
        self.server_until(4000)
    }

    pub(crate) fn client(&self) -> Pair {
        self.issue(ExtendedKeyUsagePurpose::ClientAuth, 4000)
    }

    /// One that ends with the beginning of a year.
    pub(crate) fn server_until(&self, year: i32) -> Pair {
        self.issue(ExtendedKeyUsagePurpose::ServerAuth, year)
    }

    fn issue(&self, usage: ExtendedKeyUsagePurpose, year: i32) -> Pair {
        let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
        let mut params = CertificateParams::new(names).unwrap();
        params.extended_key_usages = vec![usage];
        params.not_after = date_time_ymd(year, 1, 1);
        let key = KeyPair::generate().unwrap();
        Pair {
            cert: params.signed_by(&key, &self.0).unwrap().pem(),
            key: key.serialize_pem(),
        }
    }

    /// A client that trusts this authority, and shows a certificate if it has one.
    pub(crate) fn trusted_by_client(&self, own: Option<&Pair>) -> Arc<ClientConfig> {
        self.client_of_version(ALL_VERSIONS, own)
    }

    pub(crate) fn client_of_version(
        &self,
        versions: &[&'static SupportedProtocolVersion],
        own: Option<&Pair>,
    ) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(self.0.der().clone()).unwrap();
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(roots);
        Arc::new(match own {
            Some(pair) => {
                let chain = CertificateDer::pem_slice_iter(pair.cert.as_bytes());
                let key = PrivateKeyDer::from_pem_slice(pair.key.as_bytes()).unwrap();
                let chain = chain.collect::<Result<_, _>>().unwrap();
                builder.with_client_auth_cert(chain, key).unwrap()
            }
            None => builder.with_no_client_auth(),
        })
    }
}

/// The files of a server's TLS in a folder of their own.
pub(crate) struct House {
    pub(crate) folder: TempDir,
    pub(crate) authority: Authority,
    /// Vouches for callers.
    pub(crate) clients: Authority,
}

impl House {
    pub(crate) fn new() -> Self {
        let house = Self {
            folder: tempfile::tempdir().unwrap(),
            authority: Authority::new("servers"),
            clients: Authority::new("clients"),
        };
        house.write("clients.pem", &house.clients.pem());
        house.move_in(&house.authority.server());
        house
    }

    /// Puts a certificate and its key in place.
    pub(crate) fn move_in(&self, pair: &Pair) {
        self.write("key.pem", &pair.key);
        self.write("cert.pem", &pair.cert);
    }

    /// Replaces a file at once, as whoever renews certificates should.
    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        let beside = self.path(&format!(".{name}"));
        fs::write(&beside, text).unwrap();
        fs::rename(&beside, &path).unwrap();
        path
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        Path::new(self.folder.path()).join(name)
    }
}
