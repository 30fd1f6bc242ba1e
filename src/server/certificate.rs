//! What a certificate says of itself, beyond what rustls looks at.

use std::time::{Duration, SystemTime};

use tokio_rustls::rustls::pki_types::CertificateDer;
use x509_parser::{certificate::X509Certificate, prelude::FromDer};

/// The last second of year 9999: RFC 5280 writes "no end" so, and nothing later can be written.
const LAST_SECOND: i64 = 253_402_300_799;

/// From when until when a certificate is valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Validity {
    pub(super) not_before: SystemTime,
    pub(super) not_after: SystemTime,
}

impl Validity {
    /// Whether callers have a reason not to take it now, and which.
    pub(super) fn fault(self, now: SystemTime) -> Option<&'static str> {
        if now > self.not_after {
            Some("has expired")
        } else if now < self.not_before {
            Some("is not valid yet")
        } else {
            None
        }
    }
}

/// From when until when a certificate is valid.
pub(super) fn validity(certificate: &CertificateDer<'_>) -> Result<Validity, String> {
    let validity = parsed(certificate)?.tbs_certificate.validity;
    Ok(Validity {
        not_before: time(validity.not_before.timestamp()),
        not_after: time(validity.not_after.timestamp()),
    })
}

/// Whether a certificate may vouch for others. A trust anchor is a name and a key to rustls:
/// whatever that key has signed would be taken, also where it is somebody's own.
pub(super) fn is_authority(certificate: &CertificateDer<'_>) -> Result<(), String> {
    let certificate = parsed(certificate)?;
    let constraints = certificate.basic_constraints().map_err(text)?;
    match constraints.map(|it| it.value.ca) {
        Some(true) => {}
        Some(false) => {
            return Err("is no authority (CA:FALSE): name the one that has signed it".to_owned());
        }
        None => {
            return Err(
                "does not say that it is an authority: have it made anew, of version 3 and with \
                 `basicConstraints = critical, CA:TRUE`"
                    .to_owned(),
            );
        }
    }
    let usage = certificate.key_usage().map_err(text)?;
    if usage.is_some_and(|it| !it.value.key_cert_sign()) {
        return Err(
            "may not sign certificates: have it made anew, with `keyCertSign` in its `keyUsage`"
                .to_owned(),
        );
    }
    Ok(())
}

fn parsed<'a>(certificate: &'a CertificateDer<'_>) -> Result<X509Certificate<'a>, String> {
    let parsed = X509Certificate::from_der(certificate);
    parsed.map(|(_, it)| it).map_err(text)
}

fn text(error: impl std::fmt::Display) -> String {
    format!("cannot be read: {error}")
}

/// No earlier than 1970, as our logs and pages have no way to write that.
fn time(timestamp: i64) -> SystemTime {
    let since = timestamp.clamp(0, LAST_SECOND).unsigned_abs();
    SystemTime::UNIX_EPOCH + Duration::from_secs(since)
}

#[cfg(test)]
mod tests {
    use rcgen::{
        BasicConstraints, CertificateParams, IsCa, KeyPair, KeyUsagePurpose, date_time_ymd,
    };

    use super::*;

    fn certificate(change: impl FnOnce(&mut CertificateParams)) -> CertificateDer<'static> {
        let mut params = CertificateParams::default();
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        params.self_signed(&key).unwrap().der().clone()
    }

    #[test]
    fn an_authority_says_that_it_is_one() {
        let check = |is_ca: IsCa, usages: &[KeyUsagePurpose], expected: &str| {
            let certificate = certificate(|params| {
                params.is_ca = is_ca;
                params.key_usages = usages.to_vec();
            });
            let told = is_authority(&certificate).err().unwrap_or_default();
            assert!(told.contains(expected), "{told}");
            assert_eq!(told.is_empty(), expected.is_empty(), "{told}");
        };
        let ca = || IsCa::Ca(BasicConstraints::Unconstrained);
        check(ca(), &[], "");
        check(IsCa::Ca(BasicConstraints::Constrained(0)), &[], "");
        check(ca(), &[KeyUsagePurpose::KeyCertSign], "");
        check(ca(), &[KeyUsagePurpose::CrlSign], "keyCertSign");
        check(IsCa::ExplicitNoCa, &[], "CA:FALSE");
        check(
            IsCa::ExplicitNoCa,
            &[KeyUsagePurpose::KeyCertSign],
            "CA:FALSE",
        );
        check(IsCa::NoCa, &[], "does not say");
        let told = is_authority(&CertificateDer::from(vec![0; 3])).unwrap_err();
        assert!(told.starts_with("cannot be read"), "{told}");
    }

    #[test]
    fn a_certificate_is_valid_between_its_two_days() {
        let of = |first, last| {
            validity(&certificate(|params| {
                params.not_before = date_time_ymd(first, 1, 1);
                params.not_after = date_time_ymd(last, 1, 1);
            }))
            .unwrap()
        };
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        assert_eq!(of(2023, 2024).fault(now), None);
        assert_eq!(of(2022, 2023).fault(now), Some("has expired"));
        assert_eq!(of(2024, 2025).fault(now), Some("is not valid yet"));
        let two = of(2023, 2024);
        assert_eq!(two.fault(two.not_after), None);
        // Before what a page can show.
        assert_eq!(of(1960, 1961).not_after, SystemTime::UNIX_EPOCH);
    }
}
