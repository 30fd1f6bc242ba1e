//! A policy folder that is not in force, and what it is called.

use std::{path::PathBuf, str::FromStr};

use serde::Deserialize;

/// `NAME=FOLDER`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Candidate {
    /// Small letters, digits and hyphens.
    pub name: String,
    /// A policy file or folder.
    pub folder: PathBuf,
}

/// Why a text names no candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a candidate is `NAME=FOLDER`, its name of small letters, digits and hyphens")]
pub struct BadCandidate;

impl FromStr for Candidate {
    type Err = BadCandidate;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, folder) = text.split_once('=').ok_or(BadCandidate)?;
        let is_of_name = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
        if name.is_empty() || !name.bytes().all(is_of_name) || folder.is_empty() {
            return Err(BadCandidate);
        }
        Ok(Self {
            name: name.to_owned(),
            folder: folder.into(),
        })
    }
}

impl TryFrom<String> for Candidate {
    type Error = BadCandidate;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_candidate_has_a_plain_name_and_a_folder() {
        let candidate: Candidate = "next-1=a=b/c".parse().unwrap();
        assert_eq!(candidate.name, "next-1");
        assert_eq!(candidate.folder, PathBuf::from("a=b/c"));
        for wrong in [
            "", "next", "=a", "next=", "Next=a", "../x=a", "a b=c", "ä=c",
        ] {
            assert_eq!(wrong.parse::<Candidate>(), Err(BadCandidate), "{wrong}");
        }
    }
}
