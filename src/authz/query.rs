//! From what a caller says to a query that fits the snapshot.

use cedar_policy::{Entities, EntityUid, Request};

use super::{Object, Snapshot, engine::Uid};

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
pub struct Query {
    /// What the policies are to be asked. `None`: it is denied before that, as the diagnostics say.
    pub(super) evaluation: Option<Evaluation>,
    /// What was odd about it, in the order it came up.
    pub(super) diagnostics: Vec<String>,
    /// The action's label for metrics, if the schema declares it.
    action_label: Option<String>,
}

/// A request, and what it sees.
#[derive(Debug)]
pub(super) struct Evaluation {
    pub(super) request: Request,
    /// `None` is all that is stored.
    pub(super) entities: Option<Entities>,
}

impl Query {
    /// The label of the action for metrics; `None` if the schema does not declare it.
    pub fn action_label(&self) -> Option<&str> {
        self.action_label.as_deref()
    }

    pub(super) fn new(
        snapshot: &Snapshot,
        action: Option<&EntityUid>,
        evaluation: Option<Evaluation>,
        diagnostics: Vec<String>,
    ) -> Self {
        let schema = snapshot.schema();
        let is_declared =
            |action: &&EntityUid| schema.is_some_and(|schema| schema.context(action).is_some());
        Self {
            evaluation,
            diagnostics,
            action_label: action.filter(is_declared).map(action_label),
        }
    }

    /// Parses a question that is always answered.
    pub(super) fn parse(snapshot: &Snapshot, raw: &RawQuery<'_>) -> Self {
        let mut reading = Reading::new(snapshot);
        match reading.read(raw) {
            Ok((request, mentioned)) => reading.finish(request, mentioned),
            Err(action) => reading.denied(action.as_ref()),
        }
    }
}

/// The label of an action: its id, or the whole uid where it is in a namespace.
pub(super) fn action_label(action: &EntityUid) -> String {
    match action.type_name().namespace_components().next() {
        None => action.id().unescaped().to_owned(),
        Some(_) => action.to_string(),
    }
}

/// Why a question is denied before it reaches the policies.
pub(super) fn not_stored(uid: &Uid) -> String {
    format!("`{uid}` is not stored, and only the store speaks for its type: denied")
}
