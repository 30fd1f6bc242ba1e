//! From what a caller says to a query that fits the snapshot.

use super::{Json, Object};

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

/// A Cedar-shaped question: entity uids in Cedar's syntax, nothing dropped, nothing coerced.
#[derive(Clone, Copy, Debug)]
pub struct CedarQuery<'a> {
    /// `Type::"id"`, or Cedar's JSON form of an entity uid.
    pub principal: &'a Json<'a>,
    /// As `principal`.
    pub action: &'a Json<'a>,
    /// As `principal`.
    pub resource: &'a Json<'a>,
    /// A JSON object; absent is empty.
    pub context: Option<&'a Json<'a>>,
}

/// Entities that came with a Cedar-shaped call, parsed and checked once for all its queries.
#[derive(Debug)]
pub struct CedarEntities;

/// A parsed question that fits the snapshot it was parsed against.
#[derive(Debug)]
pub struct Query;

/// Why a Cedar-shaped question cannot be asked. The message says where and what.
#[derive(Debug, thiserror::Error)]
pub enum BadQuery {
    /// The `entities` or `additional_entities` are not what Cedar or the schema takes.
    #[error("{0}")]
    Entities(String),
    /// The principal, action, resource or context is not what Cedar or the schema takes.
    #[error("{0}")]
    Request(String),
}
