//! Strict validation against the schema, a part of the policies at a time.

use cedar_policy::{Policy, PolicyId, PolicySet, ValidationMode, Validator};

use crate::authz::{Finding, Kind, Sources, finding, schema::SchemaModel, text};

use super::Policies;

/// How many policies are validated at once. Cedar finds out what it has said already by a hash over
/// the whole text of the file, for each complaint: 20,000 in a file of a megabyte took 8 s. What it
/// says of a policy does not depend on the others, so that it can be stopped between parts.
const AT_ONCE: usize = 500;

impl Policies {
    /// Validates strictly against the schema, until more is wrong than is told.
    pub(in crate::authz) fn validate(
        &self,
        sources: &Sources,
        schema: &SchemaModel,
        findings: &mut Vec<Finding>,
    ) {
        let validator = Validator::new(schema.cedar.clone());
        let parts = match self.parts() {
            Ok(parts) => parts,
            Err(message) => {
                findings.push(Finding::error(Kind::Validate, String::new(), message));
                return;
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
            findings.extend(finding::told(result.validation_warnings(), |warning| {
                self.finding(sources, warning.policy_id(), warning)
                    .warning()
            }));
            // More warnings than are kept would only take room until then.
            *findings = finding::kept(std::mem::take(findings));
            if told >= finding::MAX_TOLD && left > 0 {
                let message = "there is so much to mend that some policies were not looked at";
                findings.push(Finding::error(Kind::Validate, String::new(), message));
                return;
            }
        }
    }

    /// The policies in parts that can be validated by themselves; templates stay with their links.
    fn parts(&self) -> Result<Vec<PolicySet>, String> {
        let of = |policies: &[&Policy]| {
            PolicySet::from_policies(policies.iter().copied().cloned())
                .map_err(|error| text::chain(&error))
        };
        let alone: Vec<&Policy> = self.set.policies().filter(|it| it.is_static()).collect();
        if alone.len() <= AT_ONCE {
            return Ok(vec![self.set.clone()]);
        }
        let mut parts = alone
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
