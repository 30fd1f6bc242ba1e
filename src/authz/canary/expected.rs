//! What a case says the answer is, and how another differs.

use crate::authz::Answer;

/// What a case says the answer is.
pub(super) struct Expected<'j> {
    pub(super) decision: &'j str,
    pub(super) reason: Vec<&'j str>,
    pub(super) num_errors: usize,
}

impl Expected<'_> {
    /// The first key that the answer does not meet, and how.
    pub(super) fn compare(&self, answer: &Answer) -> Result<(), (&'static str, String)> {
        let decides = |id: &&str| answer.policies.iter().any(|it| it == id);
        let key = if answer.decision().as_str() != self.decision {
            "decision"
        } else if !self.reason.iter().all(decides) {
            "reason"
        } else if answer.errors.len() != self.num_errors {
            "num_errors"
        } else {
            return Ok(());
        };
        let mut how = format!(
            "expected {}{}, got {}{}",
            self.decision,
            by(&self.reason),
            answer.decision().as_str(),
            by(&answer.policies),
        );
        let errors = answer.errors.len();
        if self.num_errors > 0 || errors > 0 {
            let erring = answer.errors.iter().map(|error| error.policy.as_str());
            let erring = by(&erring.collect::<Vec<_>>());
            how.push_str(&format!(
                "; expected {} errors, got {errors}{erring}",
                self.num_errors
            ));
        }
        for note in &answer.diagnostics {
            how.push_str(&format!("; {note}"));
        }
        Err((key, how))
    }
}

/// Whose doing it is; nothing if it is nobody's.
fn by<T: AsRef<str>>(policies: &[T]) -> String {
    let policies = policies.iter().map(|id| format!("`{}`", id.as_ref()));
    let policies: Vec<_> = policies.collect();
    if policies.is_empty() {
        String::new()
    } else {
        format!(" by {}", policies.join(", "))
    }
}
