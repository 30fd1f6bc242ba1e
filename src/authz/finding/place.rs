//! Where in a file something is, and what of it is shown.

use crate::authz::text;

/// How much of a line is shown on either side of where the mark begins: a file of one line may be
/// as long as files may be, and every problem in it has a copy.
pub(super) const SHOWN_BYTES: usize = 400;

/// The exact spot in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Line, counted from 1.
    pub line: usize,
    /// Column in characters, counted from 1.
    pub column: usize,
    /// Bytes marked on that line, at least 1.
    pub length: usize,
    /// The line itself, or what is around the mark if it is long.
    pub source_line: String,
    /// Characters of the line that are left out before `source_line`.
    pub hidden: usize,
}

impl Place {
    /// The place of a byte range in a text; the mark ends where the line does.
    pub fn of(text: &str, offset: usize, length: usize) -> Self {
        Self::behind((0, 0), text, offset, length)
    }

    /// [`Place::of`], for whoever knows how many lines end before an earlier offset.
    pub(super) fn behind(
        (known, lines): (usize, usize),
        text: &str,
        offset: usize,
        length: usize,
    ) -> Self {
        let mut offset = offset.min(text.len());
        while !text.is_char_boundary(offset) {
            offset -= 1;
        }
        let (before, after) = text.split_at(offset);
        let start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let (lead, head) = before.split_at(start);
        let rest = after.lines().next().unwrap_or_default();
        let (left_out, head) =
            head.split_at(boundary(head, head.len().saturating_sub(SHOWN_BYTES)));
        let (rest, _) = rest.split_at(boundary(rest, SHOWN_BYTES));
        let hidden = left_out.chars().count();
        Self {
            line: lines + text::newlines(lead, known, lead.len()) + 1,
            column: hidden + head.chars().count() + 1,
            length: boundary(rest, length.clamp(1, rest.len().max(1))).max(1),
            source_line: format!("{head}{rest}"),
            hidden,
        }
    }
}

/// The first place at or after `offset` where a text can be split; its end at the latest.
pub(super) fn boundary(text: &str, offset: usize) -> usize {
    let mut offset = offset.min(text.len());
    while !text.is_char_boundary(offset) {
        offset += 1;
    }
    offset
}
