//! How deep a text nests, told before any recursive parser sees it.
//!
//! Cedar's parsers, validator and evaluator recurse once for each bracket and for each term of a
//! chain like `a && b && c`. A few hundred open brackets end a thread with a 2 MiB stack, and with
//! it the process; an evaluation that runs out of stack skips the policy, be it a `forbid`.

use super::{Finding, Kind, SourceFile};

/// How many brackets and `if`s may be open at once in policies.
const MAX_OPEN_IN_POLICIES: usize = 64;

/// How many brackets may be open at once in schemas.
const MAX_OPEN_IN_SCHEMAS: usize = 128;

/// How many policies there may be, told by the semicolons of a file. The least of them takes 6 KiB
/// once compiled, so these are 600 MB; the largest sets we know of hold a tenth.
pub(super) const MAX_POLICIES: usize = 100_000;

/// How deep the expression of a policy may be, the terms of chains counted. Measured with
/// cedar-policy 4.14: a sum, which is the worst, takes 4.2 KiB of stack for each, built for tests.
/// `tests/core/stack.rs` holds that all shapes do with half of the stack.
const MAX_DEPTH: usize = 1_000;

/// The stack, in bytes, of every thread that decides. With less, Cedar's evaluator gives up on a
/// deep policy and skips it, be it a `forbid`. Only what is used of it takes memory.
pub const EVALUATION_STACK_BYTES: usize = 16 << 20;

/// What a text is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Syntax {
    /// Policies: `<` compares, and chains nest.
    Policy,
    /// A schema in either syntax: `<` opens, as in `Set<String>`.
    Schema,
}

/// Refuses a text that nests too deep or holds too much, strings and comments left out.
pub(super) fn check(file: &SourceFile, text: &str, syntax: Syntax) -> Result<(), Vec<Finding>> {
    let Some((offset, message)) = excess(text, syntax) else {
        return Ok(());
    };
    let finding = Finding::error(Kind::Parse, &file.name, message).at(text, offset, 1);
    Err(vec![finding.help(match syntax {
        Syntax::Policy => {
            "split it into several policies, or put the values into a set: \
             the limit keeps evaluation within its stack"
        }
        Syntax::Schema => "name the inner types: the limit keeps compiling within its stack",
    })])
}

/// Where a text goes beyond what it may, and what to say about it.
pub(super) fn excess(text: &str, syntax: Syntax) -> Option<(usize, String)> {
    let mut depth = Depth::default();
    let mut policies = 0;
    let mut scan = Scan {
        text,
        syntax,
        at: 0,
    };
    let max_open = match syntax {
        Syntax::Policy => MAX_OPEN_IN_POLICIES,
        Syntax::Schema => MAX_OPEN_IN_SCHEMAS,
    };
    while let Some((offset, token)) = scan.token() {
        policies += usize::from(token == Token::End);
        depth.take(token);
        if depth.open() > max_open {
            return Some((offset, format!("nested deeper than {max_open} levels")));
        }
        if syntax == Syntax::Policy && depth.whole() > MAX_DEPTH {
            let message = format!("an expression of more than {MAX_DEPTH} terms in a chain");
            return Some((offset, message));
        }
        if syntax == Syntax::Policy && policies > MAX_POLICIES {
            let message = format!("more than {MAX_POLICIES} policies in one file");
            return Some((offset, message));
        }
    }
    None
}

/// What is open at some place of the text.
#[derive(Debug)]
struct Depth {
    /// The text outside brackets, then one for each open bracket.
    levels: Vec<Level>,
}

impl Default for Depth {
    fn default() -> Self {
        Self {
            levels: vec![Level::default()],
        }
    }
}

/// What stands between a bracket and its end, commas between elements.
#[derive(Clone, Copy, Debug, Default)]
struct Level {
    /// The bracket that opens it; none outside of all brackets.
    opener: u8,
    ifs: usize,
    /// Operators in this element: each puts what is before it one deeper.
    operators: usize,
    /// The deepest bracket that has ended in this element.
    ended: usize,
    /// The deepest element before this one.
    before: usize,
}

impl Level {
    fn depth(self) -> usize {
        self.before.max(self.ended + self.operators + self.ifs)
    }
}

impl Depth {
    fn take(&mut self, token: Token) {
        match token {
            // One that fits nothing ends nothing: parsers skip it and go on inside what is open.
            Token::Close(opener) => {
                if self.levels.last().is_some_and(|it| it.opener == opener) {
                    let inner = self.levels.pop().unwrap_or_default().depth() + 1;
                    self.here(|level| level.ended = level.ended.max(inner));
                }
            }
            Token::Comma => self.here(|level| {
                *level = Level {
                    opener: level.opener,
                    before: level.depth(),
                    ..Level::default()
                };
            }),
            Token::End => *self = Self::default(),
            Token::If => self.here(|level| level.ifs += 1),
            Token::Open(opener) => self.levels.push(Level {
                opener,
                ..Level::default()
            }),
            Token::Operator => self.here(|level| level.operators += 1),
        }
    }

    fn here(&mut self, change: impl FnOnce(&mut Level)) {
        if let Some(level) = self.levels.last_mut() {
            change(level);
        }
    }

    /// Brackets and `if`s that are open.
    fn open(&self) -> usize {
        self.levels.len() - 1 + self.levels.iter().map(|level| level.ifs).sum::<usize>()
    }

    /// How deep the expression is so far.
    fn whole(&self) -> usize {
        self.levels.iter().map(|level| level.depth()).sum()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token {
    /// The end of what this bracket opens.
    Close(u8),
    Comma,
    /// `;`: the policy or declaration ends, whatever is still open.
    End,
    If,
    Open(u8),
    Operator,
}

struct Scan<'t> {
    text: &'t str,
    syntax: Syntax,
    at: usize,
}

impl Scan<'_> {
    /// The next token that matters for nesting, and where it starts.
    fn token(&mut self) -> Option<(usize, Token)> {
        let bytes = self.text.as_bytes();
        while let Some(&byte) = bytes.get(self.at) {
            let start = self.at;
            self.at += 1;
            let token = match byte {
                b'"' => {
                    self.skip_string();
                    continue;
                }
                b'/' if bytes.get(self.at) == Some(&b'/') => {
                    self.skip_line();
                    continue;
                }
                b'(' | b'[' | b'{' => Token::Open(byte),
                b')' => Token::Close(b'('),
                b']' => Token::Close(b'['),
                b'}' => Token::Close(b'{'),
                b'<' if self.syntax == Syntax::Schema => Token::Open(byte),
                b'>' if self.syntax == Syntax::Schema => Token::Close(b'<'),
                b';' => Token::End,
                b',' => Token::Comma,
                b'+' | b'-' | b'*' | b'.' | b'!' | b'<' | b'>' => Token::Operator,
                b'&' | b'|' | b'=' if bytes.get(self.at) == Some(&byte) => {
                    self.at += 1;
                    Token::Operator
                }
                b'_' | b'a'..=b'z' | b'A'..=b'Z' => {
                    self.skip_word();
                    match self.text.get(start..self.at) {
                        Some("if") => Token::If,
                        Some("has" | "in" | "is" | "like" | "unless" | "when") => Token::Operator,
                        _ => continue,
                    }
                }
                _ => continue,
            };
            return Some((start, token));
        }
        None
    }

    fn skip_string(&mut self) {
        let bytes = self.text.as_bytes();
        while let Some(&byte) = bytes.get(self.at) {
            self.at += 1;
            match byte {
                b'\\' => self.at += 1,
                b'"' => return,
                _ => {}
            }
        }
    }

    /// A comment ends at either line break, as it does for Cedar.
    fn skip_line(&mut self) {
        let rest = self.text.get(self.at..).unwrap_or_default();
        self.at += rest.find(['\n', '\r']).unwrap_or(rest.len());
    }

    fn skip_word(&mut self) {
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        let word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
        self.at += rest.iter().take_while(|byte| word(byte)).count();
    }
}
