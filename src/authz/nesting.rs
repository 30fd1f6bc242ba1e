//! How deep a text nests, told before any recursive parser sees it.
//!
//! Cedar's parsers recurse once for each bracket; a few hundred open ones end a thread with a 2 MiB
//! stack, and with it the process.

use super::{Finding, Kind, SourceFile};

/// How deep policies may nest.
const MAX_IN_POLICIES: usize = 64;

/// How deep schemas may nest.
const MAX_IN_SCHEMAS: usize = 128;

/// What `<` means in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Syntax {
    /// A comparison.
    Policy,
    /// A bracket, as in `Set<String>`.
    Schema,
}

/// Refuses a Cedar policy text, or a schema in either syntax, that nests too deep: brackets outside
/// strings and comments, and `if`s within one pair of brackets.
pub(super) fn check(file: &SourceFile, text: &str, syntax: Syntax) -> Result<(), Vec<Finding>> {
    let max = match syntax {
        Syntax::Policy => MAX_IN_POLICIES,
        Syntax::Schema => MAX_IN_SCHEMAS,
    };
    let mut ifs_at: Vec<usize> = vec![0];
    let mut ifs = 0;
    let mut scan = Scan {
        text,
        syntax,
        at: 0,
    };
    while let Some((offset, token)) = scan.token() {
        match token {
            Token::Open => ifs_at.push(0),
            Token::Close => {
                if ifs_at.len() > 1 {
                    ifs -= ifs_at.pop().unwrap_or_default();
                }
            }
            Token::If => {
                ifs += 1;
                if let Some(here) = ifs_at.last_mut() {
                    *here += 1;
                }
            }
            Token::End => {
                ifs_at.truncate(1);
                ifs = 0;
            }
        }
        if ifs_at.len() - 1 + ifs > max {
            let finding = Finding::error(
                Kind::Parse,
                &file.name,
                format!("nested deeper than {max} levels"),
            );
            return Err(vec![finding.at(text, offset, 1).help(
                "split the expression: the limit keeps parsing and evaluation bounded",
            )]);
        }
    }
    Ok(())
}

enum Token {
    Close,
    /// `;`: the policy or declaration ends, whatever is still open.
    End,
    If,
    Open,
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
            match byte {
                b'"' => self.skip_string(),
                b'/' if bytes.get(self.at) == Some(&b'/') => self.skip_line(),
                b'(' | b'[' | b'{' => return Some((start, Token::Open)),
                b')' | b']' | b'}' => return Some((start, Token::Close)),
                b'<' if self.syntax == Syntax::Schema => return Some((start, Token::Open)),
                b'>' if self.syntax == Syntax::Schema => return Some((start, Token::Close)),
                b';' => return Some((start, Token::End)),
                b'_' | b'a'..=b'z' | b'A'..=b'Z' => {
                    self.skip_word();
                    if self.text.get(start..self.at) == Some("if") {
                        return Some((start, Token::If));
                    }
                }
                _ => {}
            }
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

    fn skip_line(&mut self) {
        let rest = self.text.get(self.at..).unwrap_or_default();
        self.at += rest.find('\n').unwrap_or(rest.len());
    }

    fn skip_word(&mut self) {
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        let word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
        self.at += rest.iter().take_while(|byte| word(byte)).count();
    }
}
