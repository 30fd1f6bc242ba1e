//! What was odd about a question, in a bounded number of short lines.

use std::fmt;

use super::symbols::{Symbols, Uid};

/// How many notes a question gets; the rest is counted. A caller with a broken serializer needs a
/// few examples, and one that means harm gets no more than that for its bytes.
const MAX_NOTES: usize = 64;

/// How many characters of a name that a caller chose are repeated.
const MAX_NAME: usize = 64;

/// What is noted of a question that is odd.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Diagnostics {
    /// Only why it is denied before evaluation. Whoever does not tell its caller needs no more, and
    /// to write a line takes as long as to evaluate some policies.
    Denials,
    /// Also what was left out of it.
    Full,
}

/// Notes on one question.
#[derive(Debug, Default)]
pub(super) struct Notes {
    lines: Vec<String>,
    /// Notes that found no room.
    more: usize,
    /// Why the question is denied before evaluation.
    reasons: Vec<String>,
    /// Nobody wants to know what was left out.
    only_reasons: bool,
}

impl Notes {
    /// None yet; of this kind.
    pub(super) fn new(diagnostics: Diagnostics) -> Self {
        Self {
            only_reasons: diagnostics == Diagnostics::Denials,
            ..Self::default()
        }
    }

    /// Something was left out. Nothing is written if there is no room.
    pub(super) fn left_out(&mut self, note: fmt::Arguments<'_>) {
        if self.only_reasons {
            return;
        }
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
    Attribute(Uid, &'p str),
    /// An element of the list that stands there.
    Element(&'p Self, usize),
    /// A key of the object that stands there.
    Key(&'p Self, &'p str),
    /// A part of the question itself.
    Part(&'p str),
}

impl Path<'_> {
    /// As its reader knows it.
    pub(super) fn shown(&self, symbols: &Symbols<'_>) -> impl fmt::Display {
        fmt::from_fn(move |f| match self {
            Self::Attribute(uid, key) => write!(f, "{}.{}", entity(*uid, symbols), Name(key)),
            Self::Element(list, index) => write!(f, "{}[{index}]", list.shown(symbols)),
            Self::Key(object, key) => write!(f, "{}.{}", object.shown(symbols), Name(key)),
            Self::Part(name) => f.write_str(name),
        })
    }
}

/// A name that may be as long as its caller likes.
pub(super) struct Name<'n>(pub(super) &'n str);

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.char_indices().nth(MAX_NAME) {
            Some((end, _)) => write!(f, "{}…", self.0.get(..end).unwrap_or_default()),
            None => f.write_str(self.0),
        }
    }
}

/// An entity whose type and id may be as long as its caller likes.
pub(super) fn entity(uid: Uid, symbols: &Symbols<'_>) -> impl fmt::Display {
    fmt::from_fn(move |f| {
        let (kind, id) = (symbols.type_text(symbols.kind(uid)), symbols.id(uid));
        if kind.len().max(id.len()) <= MAX_NAME {
            return write!(f, "{}", symbols.show(uid));
        }
        write!(f, "{}::\"{}\"", Name(kind), Name(id))
    })
}
