//! What files say, parsed: all of it or nothing.

use std::{path::PathBuf, sync::Arc, time::SystemTime};

use crate::{
    api::{CredentialSet, Credentials},
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
    let bad = |why: &str| {
        let file = files.first().map(|it| name(it)).unwrap_or_default();
        BadFiles(format!("`{file}`: {why}"))
    };
    // A writer may have emptied it a moment ago, however slow the next one is: an order to let
    // nobody in takes a word.
    if text.is_empty() {
        return Err(bad(EMPTY));
    }
    CredentialSet::parse(text).map_err(|error| bad(&error.to_string()))
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
