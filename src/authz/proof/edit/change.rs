//! What became of the requests of one shape.

use crate::authz::Answer;

/// Whether more or less is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Something is denied that was allowed.
    Narrower,
    /// Something is allowed that was denied.
    Wider,
}

/// Which of the two schemas know a shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// Only the one after the edit.
    Added,
    /// Both.
    Both,
    /// Only the one before.
    Removed,
}

/// A question that is decided otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Which way.
    pub direction: Direction,
    /// What is asked, in a line.
    pub summary: String,
    /// The question and its data as JSON, as `palisade decide` takes it.
    pub question: String,
    /// What was decided before.
    pub before: Answer,
    /// What is decided after.
    pub after: Answer,
}

/// What an edit does to the requests of one shape.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShapeChange {
    /// The type of the principal.
    pub principal_type: String,
    /// The action.
    pub action: String,
    /// The type of the resource.
    pub resource_type: String,
    /// Which side knows it.
    pub presence: Presence,
    /// At most one for each direction.
    pub differences: Vec<Difference>,
    /// Why it is not known whether there are others.
    pub unknown: Vec<String>,
    /// The policies that can matter here and are not on both sides, by id, in reading order.
    pub policies: Vec<String>,
}

impl ShapeChange {
    /// Whether a question shows that it became so.
    pub fn is(&self, direction: Direction) -> bool {
        self.differences.iter().any(|it| it.direction == direction)
    }

    /// `unchanged`, `wider`, `narrower`, `both` or `unknown`.
    pub fn state(&self) -> &'static str {
        match (self.is(Direction::Narrower), self.is(Direction::Wider)) {
            (true, true) => "both",
            (true, false) => "narrower",
            (false, true) => "wider",
            (false, false) if self.unknown.is_empty() => "unchanged",
            (false, false) => "unknown",
        }
    }

    pub(super) fn take(&mut self, found: Difference) {
        if !self.is(found.direction) {
            self.differences.push(found);
        }
    }
}

impl Direction {
    /// `narrower` or `wider`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Narrower => "narrower",
            Self::Wider => "wider",
        }
    }
}
