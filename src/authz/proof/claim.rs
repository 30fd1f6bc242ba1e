//! What a solver is asked: whether two sets allow the same, or whether a policy ever fails.

use std::{collections::HashSet, sync::Arc};

use cedar_policy::{Policy, PolicyId, PolicySet, RequestEnv};
use sha2::{Digest, Sha256};

use crate::authz::schema::label;

use super::statement::Statement;

/// A digest of everything a claim's truth depends on.
pub type Key = [u8; 32];

/// What a claim says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Test {
    /// The set on the left allows something.
    AllowsSome,
    /// The two sets allow the same.
    Equal,
    /// What the left set allows, the right one allows.
    Implies,
    /// The evaluation of the one policy on the left never fails.
    NeverErrors,
    /// The two sides are about different things: nobody can say.
    NotComparable,
}

/// A statement about every request of one shape, that is true or not.
#[derive(Clone, Debug)]
pub struct Claim {
    pub(super) env: RequestEnv,
    pub(super) test: Test,
    pub(super) left: Vec<Arc<Statement>>,
    pub(super) right: Vec<Arc<Statement>>,
}

/// A claim as a solver is asked.
#[derive(Debug)]
pub enum Asked {
    /// Whether the set allows anything.
    AllowsSome(PolicySet),
    /// Whether the two sets allow the same.
    Equal(PolicySet, PolicySet),
    /// Whether the second set allows whatever the first one does.
    Implies(PolicySet, PolicySet),
    /// Whether the policy never fails.
    NeverErrors(Box<Policy>),
}

impl Claim {
    /// The shape of the requests it is about.
    pub fn env(&self) -> &RequestEnv {
        &self.env
    }

    /// The question, made of Cedar's own values.
    ///
    /// # Errors
    /// Statements that make no set; none are known.
    pub fn asked(&self) -> Result<Asked, String> {
        Ok(match (self.test, self.left.first()) {
            (Test::AllowsSome, _) => Asked::AllowsSome(set(&self.left)?),
            (Test::Equal, _) => Asked::Equal(set(&self.left)?, set(&self.right)?),
            (Test::Implies, _) => Asked::Implies(set(&self.left)?, set(&self.right)?),
            (Test::NeverErrors, Some(one)) => Asked::NeverErrors(Box::new(one.policy.clone())),
            (Test::NotComparable, _) => {
                return Err("with the schema the groups of the action changed".to_owned());
            }
            (Test::NeverErrors, None) => return Err("no policy is asked about".to_owned()),
        })
    }

    pub(super) fn key(&self, schema: &Key) -> Key {
        let mut digest = Sha256::new();
        digest.update(schema);
        digest.update([self.test as u8]);
        let env = &self.env;
        for name in [
            env.principal().to_string(),
            env.action().to_string(),
            env.resource().to_string(),
        ] {
            digest.update((name.len() as u64).to_be_bytes());
            digest.update(name);
        }
        for side in [&self.left, &self.right] {
            // The order of policies decides nothing.
            let mut digests: Vec<&Key> = side.iter().map(|it| &it.digest).collect();
            digests.sort_unstable();
            digest.update((digests.len() as u64).to_be_bytes());
            digests.into_iter().for_each(|it| digest.update(it));
        }
        digest.finalize().into()
    }
}

/// A set of statements under ids of its own: what they are called is somebody else's to choose, and
/// none may take the place of another.
fn set(statements: &[Arc<Statement>]) -> Result<PolicySet, String> {
    let mut seen = HashSet::new();
    let once = statements.iter().filter(|it| seen.insert(Arc::as_ptr(it)));
    let numbered = once.enumerate().map(|(number, it)| {
        let id = PolicyId::new(number.to_string());
        it.policy.new_id(id)
    });
    PolicySet::from_policies(numbered).map_err(|error| error.to_string())
}

/// `Member project.view Project`, for people.
pub(super) fn shape(env: &RequestEnv) -> String {
    format!(
        "{} {} {}",
        env.principal(),
        label(env.action()),
        env.resource()
    )
}
