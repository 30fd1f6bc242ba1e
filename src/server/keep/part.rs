//! What files say, parsed: all of it or nothing.

use std::{path::PathBuf, sync::Arc, time::SystemTime};

use crate::{
    api::{CredentialSet, Credentials, Gateway, GatewayMapping},
    telemetry::KeptKind,
};

use super::{
    super::tls::{Material, Pem, Tls},
    BadFiles,
    files::name,
};

/// What to do about a file of credentials without a byte.
const EMPTY: &str = "it is empty; that nobody may ask is said by a comment alone";

/// What the files say.
#[derive(Debug)]
pub(super) enum Part {
    Credentials(Arc<Credentials>),
    Routes(Arc<Gateway>),
    Tls(Arc<Tls>),
}

/// What was put in force.
pub(super) struct Taken {
    pub(super) shown: KeptKind,
    /// What an operator may not have meant.
    pub(super) warning: Option<String>,
}

impl Taken {
    pub(super) fn set(set: &CredentialSet) -> Self {
        let owned = |it: &str| it.to_owned();
        let bearer: Vec<_> = set.bearers().map(owned).collect();
        let basic: Vec<_> = set.basics().map(owned).collect();
        let is_empty = bearer.is_empty() && basic.is_empty();
        Self {
            warning: is_empty.then(|| "nobody may ask, it has no entries".to_owned()),
            shown: KeptKind::Credentials { bearer, basic },
        }
    }

    pub(super) fn routes(mapping: &GatewayMapping) -> Self {
        let routes: Vec<String> = mapping.routes().map(ToOwned::to_owned).collect();
        let is_empty = routes.is_empty();
        Self {
            warning: is_empty.then(|| "nothing is let through, there are none".to_owned()),
            shown: KeptKind::Routes { routes },
        }
    }

    pub(super) fn tls(material: &Material) -> Self {
        let fault = material.validity.fault(SystemTime::now());
        Self {
            warning: fault.map(|fault| format!("our certificate {fault}")),
            shown: KeptKind::Tls {
                certificates: material.certificates.clone(),
                client_cas: material.client_cas.clone(),
                not_after: material.validity.not_after,
            },
        }
    }
}

impl Part {
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Credentials(_) => KeptKind::CREDENTIALS,
            Self::Routes(_) => KeptKind::ROUTES,
            Self::Tls(_) => KeptKind::TLS,
        }
    }

    /// Puts what was read in force.
    pub(super) fn take(&self, files: &[PathBuf], texts: &[Vec<u8>]) -> Result<Taken, BadFiles> {
        match self {
            Self::Credentials(credentials) => {
                let set = set(files, texts)?;
                let taken = Taken::set(&set);
                credentials.replace(set);
                Ok(taken)
            }
            Self::Routes(gateway) => {
                let mapping = mapping(files, texts)?;
                let taken = Taken::routes(&mapping);
                gateway.replace(mapping);
                Ok(taken)
            }
            Self::Tls(tls) => {
                let material = material(files, texts)?;
                let taken = Taken::tls(&material);
                tls.replace(material);
                Ok(taken)
            }
        }
    }
}

pub(super) fn set(files: &[PathBuf], texts: &[Vec<u8>]) -> Result<CredentialSet, BadFiles> {
    let text = texts.first().map_or(&[][..], Vec::as_slice);
    // A writer may have emptied it a moment ago, however slow the next one is: an order to let
    // nobody in takes a word.
    if text.is_empty() {
        return Err(bad(files, EMPTY));
    }
    CredentialSet::parse(text).map_err(|error| bad(files, &error.to_string()))
}

pub(super) fn mapping(files: &[PathBuf], texts: &[Vec<u8>]) -> Result<GatewayMapping, BadFiles> {
    let text = texts.first().map_or(&[][..], Vec::as_slice);
    GatewayMapping::parse(text).map_err(|error| bad(files, &error.to_string()))
}

/// What is wrong with the only file.
fn bad(files: &[PathBuf], why: &str) -> BadFiles {
    let file = files.first().map(|it| name(it)).unwrap_or_default();
    BadFiles(format!("`{file}`: {why}"))
}

/// Certificate, key and maybe authorities, in this order.
pub(super) fn material(files: &[PathBuf], texts: &[Vec<u8>]) -> Result<Material, BadFiles> {
    let names: Vec<String> = files.iter().map(|it| name(it)).collect();
    let pems: Vec<Pem<'_>> = names
        .iter()
        .zip(texts)
        .map(|(name, bytes)| Pem { name, bytes })
        .collect();
    match pems.as_slice() {
        [cert, key, client_ca @ ..] => Material::parse(*cert, *key, client_ca.first().copied())
            .map_err(|error| BadFiles(error.to_string())),
        _ => Err(BadFiles("a certificate needs its key".to_owned())),
    }
}
