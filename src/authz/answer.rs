//! What a decision says: the decision, its outcome, and the policies and errors behind it.

use std::fmt;

/// What the caller may do with the answer: proceed or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Decision {
    /// The action may go ahead.
    Allow,
    /// The action must not go ahead.
    Deny,
}

impl Decision {
    /// `allow` or `deny`, as metrics and logs write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
        }
    }
}

/// Why the decision came out as it did.
///
/// Precedence: `forbidden` > `error` > `permitted` > `not_permitted`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// A `forbid` policy raised an error, so nobody knows whether it would have forbidden: deny.
    Error,
    /// A `forbid` policy decided: deny.
    Forbidden,
    /// No policy permitted: deny.
    NotPermitted,
    /// A `permit` policy decided and nothing forbade: allow.
    Permitted,
}

impl Outcome {
    /// Every outcome, in the order of the metric's documentation.
    pub const ALL: [Self; 4] = [
        Self::Permitted,
        Self::Forbidden,
        Self::NotPermitted,
        Self::Error,
    ];

    /// The name used in answers, metrics and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Forbidden => "forbidden",
            Self::NotPermitted => "not_permitted",
            Self::Permitted => "permitted",
        }
    }

    /// The decision that follows: only `permitted` allows.
    pub fn decision(self) -> Decision {
        match self {
            Self::Permitted => Decision::Allow,
            Self::Error | Self::Forbidden | Self::NotPermitted => Decision::Deny,
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What to do when a `forbid` policy raises an error.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnPolicyError {
    /// Cedar's plain rule: the policy is skipped, as if it did not apply.
    Cedar,
    /// Deny with outcome `error`: an error is never an allow.
    #[default]
    Deny,
}

/// One policy that could not be evaluated for a query.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PolicyError {
    /// The id of the policy.
    pub policy: String,
    /// Cedar's wording, which names the policy in backticks.
    pub message: String,
}

/// The answer to one query, from one snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Why the decision came out as it did. Never `error` under [`OnPolicyError::Cedar`].
    pub outcome: Outcome,
    /// Ids of the determining policies, sorted.
    pub policies: Vec<String>,
    /// Policies that raised an error, sorted.
    pub errors: Vec<PolicyError>,
    /// What was odd about the query: dropped properties, unknown entities; in the order they
    /// came up, what denied it last.
    pub diagnostics: Vec<String>,
}

impl Answer {
    /// A deny before the policies are asked.
    pub(super) fn denied(diagnostics: Vec<String>) -> Self {
        Self {
            outcome: Outcome::NotPermitted,
            policies: Vec::new(),
            errors: Vec::new(),
            diagnostics,
        }
    }

    /// Whether the action may go ahead.
    pub fn decision(&self) -> Decision {
        self.outcome.decision()
    }
}
