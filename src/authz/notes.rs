//! What was odd about a question, in a bounded number of short lines.

use std::fmt;

use cedar_policy::EntityUid;

/// How many notes a question gets; the rest is counted. A caller with a broken serializer needs a
/// few examples, and one that means harm gets no more than that for its bytes.
const MAX_NOTES: usize = 64;

/// How many characters of a name that a caller chose are repeated.
const MAX_NAME: usize = 64;

/// Notes on one question.
#[derive(Debug, Default)]
pub(super) struct Notes {
    lines: Vec<String>,
    /// Notes that found no room.
    more: usize,
    /// Why the question is denied before evaluation.
    reasons: Vec<String>,
}

impl Notes {
    /// Something was left out. Nothing is written if there is no room.
    pub(super) fn left_out(&mut self, note: fmt::Arguments<'_>) {
        if self.lines.len() < MAX_NOTES {
            self.lines.push(note.to_string());
        } else {
            self.more += 1;
        }
    }

    /// The question is denied because of this.
    pub(super) fn denied(&mut self, reason: impl Into<String>) {
        self.reasons.push(reason.into());
    }

    /// All of it, reasons last.
    pub(super) fn into_lines(self) -> Vec<String> {
        let mut lines = self.lines;
        if self.more > 0 {
            lines.push(format!("{} more of this kind", self.more));
        }
        lines.extend(self.reasons);
        lines
    }
}

/// Where a value stands in a question; written only when somebody reads it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Path<'p> {
    /// An attribute of an entity.
    Attribute(&'p EntityUid, &'p str),
    /// An element of the list that stands there.
    Element(&'p Self, usize),
    /// An entity itself; in backticks.
    Entity(&'p EntityUid),
    /// A key of the object that stands there.
    Key(&'p Self, &'p str),
    /// A part of the question itself.
    Part(&'p str),
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Attribute(uid, key) => write!(f, "{}.{}", Entity(uid), Name(key)),
            Self::Element(list, index) => write!(f, "{list}[{index}]"),
            Self::Entity(uid) => write!(f, "`{}`", Entity(uid)),
            Self::Key(object, key) => write!(f, "{object}.{}", Name(key)),
            Self::Part(name) => f.write_str(name),
        }
    }
}

/// A name that may be as long as its caller likes.
struct Name<'n>(&'n str);

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.char_indices().nth(MAX_NAME) {
            Some((end, _)) => write!(f, "{}…", self.0.get(..end).unwrap_or_default()),
            None => f.write_str(self.0),
        }
    }
}

/// An entity whose id may be as long as its caller likes.
struct Entity<'n>(&'n EntityUid);

impl fmt::Display for Entity<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let id: &str = self.0.id().unescaped();
        if id.len() <= MAX_NAME {
            return write!(f, "{}", self.0);
        }
        write!(f, "{}::\"{}\"", self.0.type_name(), Name(id))
    }
}
