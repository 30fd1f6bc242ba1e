//! What is wrong with the file of a mapping, and what to do about it.

use crate::api::proxy::{pattern::BadPattern, template::BadTemplate};

/// Most routes. Applications have a few hundred; every request is compared with all of them.
pub(super) const MAX_ROUTES: usize = 1000;

/// Why a file is no mapping, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {wrong}")]
pub struct BadMapping {
    line: usize,
    wrong: Wrong,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Wrong {
    #[error("`challenge` has a character that headers cannot have")]
    Challenge,
    #[error("`{0}` is empty")]
    Empty(&'static str),
    #[error("`HEAD` is decided as `GET` is: name that")]
    Head,
    #[error("`{0}` is no name of a header")]
    Header(String),
    #[error("a route needs `action` and `resource`, or `public = true` to let everybody through")]
    Incomplete,
    #[error(
        "`methods` must name methods in capital letters, like `[\"GET\"]`: there is no word for all \
         of them"
    )]
    Methods,
    #[error("`{0}` is no name: take letters, digits and `_`")]
    Name(String),
    #[error("the name `{0}` has a meaning already: take another")]
    NameTwice(String),
    #[error("the file is not UTF-8")]
    NotText,
    #[error("in `{text}`: {why}")]
    Pattern { text: String, why: BadPattern },
    #[error(
        "the principal's id has no header in it, so that everybody would be the same principal: name \
         the one that the gateway sets under `[headers]`, and use its name in braces"
    )]
    Principal,
    #[error(
        "a public route asks nothing: leave `action`, `resource` and `context` out, or `public`"
    )]
    PublicAsks,
    #[error(
        "`{0}` holds a secret, which ids and logs would show: let the gateway set another header"
    )]
    Secret(String),
    #[error(
        "this route is never reached, the one in line {by} takes all of it: put this one before that \
         one, or take it out"
    )]
    Shadowed { by: usize },
    #[error("{0}")]
    Syntax(String),
    #[error("in `{text}`: {why}")]
    Template { text: String, why: BadTemplate },
    #[error("there are more than {MAX_ROUTES} routes")]
    TooMany,
}

impl Wrong {
    pub(super) fn at(self, line: usize) -> BadMapping {
        BadMapping { line, wrong: self }
    }
}
