//! Bytes made of those that are known, by a few edits each.

use proptest::{collection::vec, prelude::*};

/// What parsers trip over, and what leads them on.
const TOKENS: [&[u8]; 72] = [
    b"",
    b"\0",
    b"\r",
    b"\n",
    b"\r\n",
    b"\r\n\r\n",
    b"\t",
    b" ",
    b"\x0b",
    b"\x7f",
    b"\xff",
    b"\xc0\x80",
    b"\xed\xa0\x80",
    b"\xef\xbb\xbf",
    b"\xf0\x9f\x98\x80",
    b"\xe2\x80\xae",
    b"\\",
    b"\\\"",
    b"\\u0000",
    b"\\ud800",
    b"\"",
    b"'",
    b"\"\"\"",
    b"`",
    b"{",
    b"}",
    b"[",
    b"]",
    b"(",
    b")",
    b"<",
    b">",
    b"{}",
    b"[]",
    b"[[",
    b",",
    b":",
    b"::",
    b";",
    b"=",
    b"==",
    b"#",
    b"//",
    b"/*",
    b"@",
    b"?",
    b"*",
    b"%00",
    b"%zz",
    b"..",
    b"../",
    b"null",
    b"true",
    b"false",
    b"NaN",
    b"-0",
    b"1e400",
    b"0x10",
    b"+1",
    b"9223372036854775808",
    b"-9223372036854775808",
    b"18446744073709551616",
    b"99999999999999999999",
    b"0.1",
    b"__entity",
    b"__extn",
    b"__proto__",
    b"\"a\":1,",
    b"U::\"ann\"",
    b"Action::\"view\"",
    b"permit (principal, action, resource);",
    b"Transfer-Encoding: chunked\r\n",
];

/// Longest input: more is for `tests/hostile`.
const LONGEST: usize = 64 << 10;

/// One change; the numbers are taken by what there is.
#[derive(Clone, Debug)]
pub(crate) struct Edit {
    kind: u8,
    at: usize,
    length: usize,
    other: usize,
}

/// What is done to one of the seeds.
#[derive(Clone, Debug)]
pub(crate) struct Mutation {
    seed: usize,
    edits: Vec<Edit>,
}

/// Few edits, so that most of what comes out is still nearly right.
pub(crate) fn mutations() -> impl Strategy<Value = Mutation> {
    let edit = (0..10_u8, any::<usize>(), any::<usize>(), any::<usize>());
    let edit = edit.prop_map(|(kind, at, length, other)| Edit {
        kind,
        at,
        length,
        other,
    });
    (any::<usize>(), vec(edit, 1..6)).prop_map(|(seed, edits)| Mutation { seed, edits })
}

impl Mutation {
    /// The bytes that it makes of one of these.
    pub(crate) fn of(&self, seeds: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = seeds[self.seed % seeds.len()].clone();
        for edit in &self.edits {
            edit.apply(&mut bytes, seeds);
            bytes.truncate(LONGEST);
        }
        bytes
    }
}

impl Edit {
    fn apply(&self, bytes: &mut Vec<u8>, seeds: &[Vec<u8>]) {
        let at = self.at % (bytes.len() + 1);
        let end = |most: usize| (at + 1 + self.length % most).min(bytes.len());
        let token = TOKENS[self.other % TOKENS.len()];
        match self.kind {
            0 => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << (self.length % 8);
                }
            }
            1 => drop(bytes.drain(at..end(16))),
            2 => drop(bytes.splice(at..at, token.iter().copied())),
            3 => drop(bytes.splice(at..end(8), token.iter().copied())),
            4 => {
                let part = bytes[at..end(200)].repeat(1 + self.other % 5);
                bytes.splice(at..at, part);
            }
            5 => {
                let other = &seeds[self.other % seeds.len()];
                let from = self.length % (other.len() + 1);
                let part = other[from..].iter().take(80).copied();
                bytes.splice(at..at, part.collect::<Vec<_>>());
            }
            6 => bytes.truncate(at),
            // Deep, or long.
            7 => drop(bytes.splice(at..at, token.repeat(1 + self.length % 300))),
            8 => replace_number(bytes, at, token),
            _ => move_line(bytes, at, self.other),
        }
    }
}

/// Puts something in the place of the next number.
fn replace_number(bytes: &mut Vec<u8>, at: usize, by: &[u8]) {
    let Some(begin) = bytes[at..].iter().position(u8::is_ascii_digit) else {
        return;
    };
    let begin = at + begin;
    let digits = bytes[begin..].iter().take_while(|it| it.is_ascii_digit());
    let end = begin + digits.count();
    bytes.splice(begin..end, by.iter().copied());
}

/// Puts the line that something is in elsewhere, and leaves it there, too.
fn move_line(bytes: &mut Vec<u8>, at: usize, to: usize) {
    let ends = |byte: &u8| *byte == b'\n' || *byte == b',';
    let begin = bytes[..at].iter().rposition(ends).map_or(0, |it| it + 1);
    let end = bytes[at..].iter().position(ends);
    let line = bytes[begin..end.map_or(bytes.len(), |it| at + it + 1)].to_vec();
    let to = to % (bytes.len() + 1);
    bytes.splice(to..to, line);
}
