//! From what a caller says to a query that fits the snapshot.

use super::{
    Diagnostics, Object, Snapshot, notes,
    symbols::{Symbols, Uid},
    value::Value,
    world::Given,
};

mod reading;

pub(super) use reading::Reading;

/// An entity as an AuthZEN-like caller names it.
#[derive(Clone, Copy, Debug)]
pub struct RawEntity<'a> {
    /// The type's name; any string, also one that is no legal Cedar name.
    pub type_name: &'a str,
    /// The id, unescaped.
    pub id: &'a str,
    /// Attributes that overlay the stored ones, key by key.
    pub properties: Option<&'a Object<'a>>,
}

/// An action as an AuthZEN-like caller names it.
#[derive(Clone, Copy, Debug)]
pub struct RawAction<'a> {
    /// The id in `Action::"id"`.
    pub name: &'a str,
    /// Becomes `context.action_properties`.
    pub properties: Option<&'a Object<'a>>,
}

/// A question that trusts nothing: everything in it may be unknown or of the wrong type, and it
/// is still answered (deny unless permitted), never refused.
#[derive(Clone, Copy, Debug)]
pub struct RawQuery<'a> {
    /// Who asks.
    pub principal: RawEntity<'a>,
    /// What they want to do.
    pub action: RawAction<'a>,
    /// To what.
    pub resource: RawEntity<'a>,
    /// The circumstances.
    pub context: Option<&'a Object<'a>>,
}

/// A parsed question that fits the snapshot it was parsed against.
#[derive(Debug)]
pub struct Query<'s> {
    /// What the policies are to be asked. `None`: it is denied before that, as the diagnostics say.
    pub(super) evaluation: Option<Evaluation<'s>>,
    /// What was odd about it, in the order it came up.
    pub(super) diagnostics: Vec<String>,
    /// The action's label for metrics, if the schema declares it.
    action_label: Option<&'s str>,
}

/// What is asked.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) principal: Uid,
    pub(super) action: Uid,
    pub(super) resource: Uid,
    /// A record.
    pub(super) context: Value,
}

/// What is asked, and what it sees besides what is stored.
#[derive(Debug)]
pub(super) struct Evaluation<'s> {
    pub(super) asked: Asked,
    pub(super) symbols: Symbols<'s>,
    pub(super) given: Seen<'s>,
}

/// Entities that came along: with this question, or with the call that it is one of.
#[derive(Debug)]
pub(super) enum Seen<'s> {
    Own(Given),
    Shared(&'s Given),
}

impl Seen<'_> {
    pub(super) fn given(&self) -> &Given {
        match self {
            Self::Own(given) => given,
            Self::Shared(given) => given,
        }
    }
}

impl Asked {
    /// The entities it begins with.
    pub(super) fn roots(&self) -> Vec<Uid> {
        let mut roots = vec![self.principal, self.resource];
        self.context.mentions(&mut |uid| roots.push(uid));
        roots
    }
}

impl<'s> Query<'s> {
    /// The label of the action for metrics; `None` if the schema does not declare it.
    pub fn action_label(&self) -> Option<&'s str> {
        self.action_label
    }

    pub(super) fn new(
        snapshot: &'s Snapshot,
        action: Option<Uid>,
        evaluation: Option<Evaluation<'s>>,
        diagnostics: Vec<String>,
    ) -> Self {
        let label = |action| snapshot.schema()?.label(action);
        Self {
            evaluation,
            diagnostics,
            action_label: action.and_then(label),
        }
    }

    /// Parses a question that is always answered.
    pub(super) fn parse(
        snapshot: &'s Snapshot,
        raw: &RawQuery<'_>,
        diagnostics: Diagnostics,
    ) -> Self {
        let mut reading = Reading::new(snapshot, diagnostics);
        match reading.read(raw) {
            Ok(asked) => reading.finish(asked),
            Err(action) => reading.denied(action),
        }
    }
}

/// Why a question is denied before it reaches the policies.
pub(super) fn not_stored(uid: Uid, symbols: &Symbols<'_>) -> String {
    let uid = notes::entity(uid, symbols);
    format!("`{uid}` is not stored, and only the store speaks for its type: denied")
}
