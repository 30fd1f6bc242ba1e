//! Strict validation against the schema, a part of the policies at a time.

use std::collections::{HashMap, HashSet};

use cedar_policy::{Policy, PolicyId, PolicySet, ValidationMode, Validator};
use sha2::{Digest, Sha256};

use crate::authz::{Finding, Kind, SourceFile, Sources, finding, schema::SchemaModel, text};

use super::Policies;

/// How many policies are validated at once. Cedar finds out what it has said already by a hash over
/// the whole text of the file, for each complaint: 20,000 in a file of a megabyte took 8 s. What it
/// says of a policy does not depend on the others, so that it can be stopped between parts.
const AT_ONCE: usize = 500;

/// The texts of static policies about which validation has nothing to say. To validate one takes
/// time for each action of the schema; what is said of it depends on its text and the schema alone,
/// so that after an edit only what was edited is validated.
#[derive(Debug, Default)]
pub struct Valid {
    /// Digest of the schema.
    schema: [u8; 32],
    /// Digests of the policies' texts.
    policies: HashSet<[u8; 32]>,
}

impl Valid {
    fn by(schema: Option<&SourceFile>) -> Self {
        let bytes = schema.map_or(&[][..], |file| &file.bytes);
        Self {
            schema: Sha256::digest(bytes).into(),
            policies: HashSet::new(),
        }
    }
}

impl Policies {
    /// Validates strictly against the schema, until more is wrong than is told: what is not `known`
    /// to be valid. Returns what is, if there is no error.
    pub(in crate::authz) fn validate(
        &self,
        sources: &Sources,
        schema: &SchemaModel,
        known: Option<&Valid>,
        findings: &mut Vec<Finding>,
    ) -> Valid {
        let mut valid = Valid::by(sources.schema.as_ref());
        let known = known.filter(|it| it.schema == valid.schema);
        let digests = self.digests(sources);
        let is_known = |id: &PolicyId| {
            let known = known.zip(digests.get(id));
            known.is_some_and(|(known, digest)| known.policies.contains(digest))
        };
        let mut complained_of = HashSet::new();
        let validator = Validator::new(schema.cedar.clone());
        let parts = match self.parts(is_known) {
            Ok(parts) => parts,
            Err(message) => {
                findings.push(Finding::error(Kind::Validate, String::new(), message));
                return valid;
            }
        };
        let (mut left, mut told) = (parts.len(), 0);
        for part in parts {
            left -= 1;
            let result = validator.validate(&part, ValidationMode::Strict);
            let errors = finding::told(result.validation_errors(), |error| {
                self.finding(sources, error.policy_id(), error)
            });
            told += errors.len();
            findings.extend(errors);
            let warnings = result.validation_warnings();
            complained_of.extend(warnings.map(|warning| warning.policy_id().clone()));
            findings.extend(finding::told(result.validation_warnings(), |warning| {
                self.finding(sources, warning.policy_id(), warning)
                    .warning()
            }));
            // More warnings than are kept would only take room until then.
            *findings = finding::kept(std::mem::take(findings));
            if told >= finding::MAX_TOLD && left > 0 {
                let message = "there is so much to mend that some policies were not looked at";
                findings.push(Finding::error(Kind::Validate, String::new(), message));
                return valid;
            }
        }
        let of_valid = digests
            .iter()
            .filter(|(id, _)| !complained_of.contains(*id));
        valid.policies = of_valid.map(|(_, digest)| *digest).collect();
        valid
    }

    /// The digest of each static policy's text.
    fn digests(&self, sources: &Sources) -> HashMap<PolicyId, [u8; 32]> {
        let alone = self.set.policies().filter(|it| it.is_static());
        let digest = |policy: &Policy| {
            let origin = self.origins.get(policy.id())?;
            let file = sources.policies.get(origin.file)?;
            let (start, end) = origin.span?;
            // As it was parsed: a byte order mark is no part of it.
            let text = text::utf8(file).ok()?.get(start..end)?;
            Some((policy.id().clone(), Sha256::digest(text).into()))
        };
        alone.filter_map(digest).collect()
    }

    /// The policies in parts that can be validated by themselves, but for those that are known;
    /// templates stay with their links.
    fn parts(&self, is_known: impl Fn(&PolicyId) -> bool) -> Result<Vec<PolicySet>, String> {
        let of = |policies: &[&Policy]| {
            PolicySet::from_policies(policies.iter().copied().cloned())
                .map_err(|error| text::chain(&error))
        };
        let alone: Vec<&Policy> = self.set.policies().filter(|it| it.is_static()).collect();
        let unknown = alone.iter().copied().filter(|it| !is_known(it.id()));
        let unknown: Vec<&Policy> = unknown.collect();
        let mut parts = unknown
            .chunks(AT_ONCE)
            .map(of)
            .collect::<Result<Vec<_>, _>>()?;
        let mut rest = self.set.clone();
        for policy in alone {
            rest.remove_static(policy.id().clone())
                .map_err(|error| text::chain(&error))?;
        }
        parts.push(rest);
        Ok(parts)
    }

    fn finding(&self, sources: &Sources, id: &PolicyId, error: &dyn miette::Diagnostic) -> Finding {
        let template = || self.set.policy(id)?.template_id().cloned();
        let origin = self
            .origins
            .get(id)
            .or_else(|| self.origins.get(&template()?));
        let file = origin.and_then(|origin| sources.policies.get(origin.file));
        let (Some(origin), Some(file)) = (origin, file) else {
            return Finding::error(Kind::Validate, String::new(), error.to_string());
        };
        let text = text::utf8(file).unwrap_or_default();
        let finding = text::diagnostic(Kind::Validate, file, text, error);
        match (&finding.place, origin.span) {
            (None, Some((start, end))) => finding.at(text, start, end - start),
            _ => finding,
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::authz::{Rejection, Snapshot};

    use super::*;

    const SCHEMA: &str = "entity U { level: Long };\n\
                          action a, b appliesTo { principal: U, resource: U };";
    const GOOD: &str = "permit (principal, action, resource) when { principal.level > 1 };\n";
    const BAD: &str = "permit (principal, action, resource) when { principal.lavel > 1 };\n";
    const ODD: &str = "permit (principal, action, resource) when { false };\n";

    fn sources(schema: &str, policies: &[&str]) -> Sources {
        let file = |name: &str, text: String| SourceFile {
            name: name.to_owned(),
            bytes: text.into_bytes(),
        };
        Sources {
            schema: Some(file("s.cedarschema", schema.to_owned())),
            policies: vec![file("p.cedar", policies.concat())],
            ..Sources::default()
        }
    }

    fn findings(compiled: Result<Snapshot, Rejection>) -> Vec<Finding> {
        match compiled {
            Ok(snapshot) => snapshot.warnings().to_vec(),
            Err(rejection) => rejection.findings().to_vec(),
        }
    }

    #[test]
    fn what_is_known_to_be_valid_changes_nothing_of_what_is_found() {
        let first = sources(SCHEMA, &[GOOD, ODD, GOOD]);
        let first = Snapshot::compile(&first).unwrap();
        let known = first.valid().unwrap();
        // The odd one is looked at again: its warning is not remembered.
        assert_eq!(known.policies.len(), 1);
        let other = SCHEMA.replace("level: Long", "level: String");
        for next in [
            sources(SCHEMA, &[GOOD, ODD, GOOD]),
            sources(SCHEMA, &[ODD, GOOD]),
            sources(SCHEMA, &[GOOD, BAD, GOOD]),
            sources(SCHEMA, &["\n", GOOD, BAD, ODD]),
            sources(
                SCHEMA,
                &[GOOD, "permit (principal == ?principal, action, resource);"],
            ),
            sources(&other, &[GOOD]),
        ] {
            let again = findings(Snapshot::compile_knowing(&next, Some(known)));
            assert_eq!(again, findings(Snapshot::compile(&next)));
        }
        let bad = sources(&other, &[GOOD]);
        assert!(Snapshot::compile_knowing(&bad, Some(known)).is_err());
    }

    #[test]
    fn the_last_bytes_of_a_policy_behind_a_byte_order_mark_count() {
        let text = |it: &str| format!("\u{feff}permit(principal,action,resource)when{{{it}}};");
        let good = text("principal.level>1");
        let bad = text("principal.level>a");
        let shifted = text("principal.level>1||principal.lab==1");
        let first = Snapshot::compile(&sources(SCHEMA, &[&good])).unwrap();
        for next in [bad, shifted] {
            let next = sources(SCHEMA, &[&next]);
            assert!(Snapshot::compile_knowing(&next, first.valid().map(|it| &**it)).is_err());
        }
        // The same length, and other in the last bytes alone.
        let schema = "entity U { ok: Bool }; action a appliesTo { principal: U, resource: U };";
        let first = Snapshot::compile(&sources(schema, &[&text("principal.ok")])).unwrap();
        let next = sources(schema, &[&text("principal.on")]);
        assert!(Snapshot::compile_knowing(&next, first.valid().map(|it| &**it)).is_err());
    }

    #[test]
    fn only_what_is_not_known_is_looked_at() {
        let first = Snapshot::compile(&sources(SCHEMA, &[GOOD])).unwrap();
        // The digest of a policy that is not valid, as if it had been found to be.
        let mut known = Valid {
            schema: first.valid().unwrap().schema,
            policies: HashSet::new(),
        };
        known.policies.insert(Sha256::digest(BAD.trim_end()).into());
        let next = sources(SCHEMA, &[GOOD, BAD]);
        assert!(Snapshot::compile_knowing(&next, Some(&known)).is_ok());
    }
}
