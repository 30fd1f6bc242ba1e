//! Who may, on what, and which action: a question with one part left open.
//!
//! A candidate is found exactly if the question about it is permitted, so each that is found has
//! been decided by [`Snapshot::decide`]. Narrowing only says beforehand who cannot be permitted;
//! `tests/core/searches.rs` holds it to that.

use std::collections::BTreeSet;

use super::{
    Answer, Decision, Diagnostics, Object, OnPolicyError, PolicyError, RawAction, RawEntity,
    RawQuery, Snapshot, query::Reading,
};

mod candidates;
mod narrow;
mod open;
mod residuals;
mod scopes;

use candidates::Candidates;
use narrow::{Narrowable, Narrowed};
use open::Open;

/// What the parts that all candidates share are read with; nobody is found by it.
const PROBE: &str = "";

/// The type of what is searched for, as an AuthZEN-like caller names it.
#[derive(Clone, Copy, Debug)]
pub struct RawTarget<'a> {
    /// The type's name; any string.
    pub type_name: &'a str,
    /// Attributes that overlay those of every candidate, key by key.
    pub properties: Option<&'a Object<'a>>,
}

/// A question that leaves its action, principal or resource open. Everything in it may be unknown
/// or of the wrong type: then nothing is found.
#[derive(Clone, Copy, Debug)]
pub enum RawSearch<'a> {
    /// What may this principal do to this resource?
    Action {
        /// Who asks.
        principal: RawEntity<'a>,
        /// To what.
        resource: RawEntity<'a>,
        /// The circumstances.
        context: Option<&'a Object<'a>>,
    },
    /// Who may do this?
    Principal {
        /// Whose type.
        target: RawTarget<'a>,
        /// What they want to do.
        action: RawAction<'a>,
        /// To what.
        resource: RawEntity<'a>,
        /// The circumstances.
        context: Option<&'a Object<'a>>,
    },
    /// To what may this principal do this?
    Resource {
        /// Who asks.
        principal: RawEntity<'a>,
        /// What they want to do.
        action: RawAction<'a>,
        /// To what type.
        target: RawTarget<'a>,
        /// The circumstances.
        context: Option<&'a Object<'a>>,
    },
}

/// How candidates that cannot be permitted are left out before they are decided. The result is
/// the same; tests and benches compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Narrowing {
    /// Every candidate is decided.
    Nothing,
    /// Candidates that no scope of a `permit` lets in are left out.
    Scopes,
    /// Also those that what is left of the policies, once all but the candidate is known, does
    /// not permit.
    Residuals,
}

/// One page of a search.
#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    /// The position to go on from: 0, or [`Found::next`] of the page before.
    pub from: usize,
    /// Most to be found; `None` is all. 0 counts them.
    pub limit: Option<usize>,
    /// Most candidates to be evaluated.
    pub evaluations: usize,
    /// How to leave candidates out.
    pub narrowing: Narrowing,
}

/// What one page of a search found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Ids, or names of actions, sorted.
    pub ids: Vec<String>,
    /// Where to go on; `None` if there is nothing more. Ahead of it there may be nothing, if the
    /// evaluations or the time were used up.
    pub next: Option<usize>,
    /// How many there are in all, where this page came to know it.
    pub total: Option<usize>,
    /// Policies that could not be evaluated for one of the candidates that were decided, with the
    /// first error of each; sorted.
    pub errors: Vec<PolicyError>,
}

impl<'a> RawSearch<'a> {
    /// The question whether this candidate is found.
    pub fn question<'q>(&self, candidate: &'q str) -> RawQuery<'q>
    where
        'a: 'q,
    {
        let entity = |target: RawTarget<'q>| RawEntity {
            type_name: target.type_name,
            id: candidate,
            properties: target.properties,
        };
        match *self {
            Self::Action {
                principal,
                resource,
                context,
            } => RawQuery {
                principal,
                action: RawAction {
                    name: candidate,
                    properties: None,
                },
                resource,
                context,
            },
            Self::Principal {
                target,
                action,
                resource,
                context,
            } => RawQuery {
                principal: entity(target),
                action,
                resource,
                context,
            },
            Self::Resource {
                principal,
                action,
                target,
                context,
            } => RawQuery {
                principal,
                action,
                resource: entity(target),
                context,
            },
        }
    }

    /// What candidates are entities of, and on which side; `None` for actions.
    fn target(&self) -> Option<(RawTarget<'a>, Open)> {
        match self {
            Self::Action { .. } => None,
            Self::Principal { target, .. } => Some((*target, Open::Principal)),
            Self::Resource { target, .. } => Some((*target, Open::Resource)),
        }
    }
}

/// A search against one snapshot.
#[derive(Debug)]
pub struct Search<'s> {
    snapshot: &'s Snapshot,
    raw: RawSearch<'s>,
    candidates: Candidates<'s>,
    narrowable: Option<Narrowable<'s>>,
    /// What was odd about the parts that all candidates share.
    diagnostics: Vec<String>,
}

impl<'s> Search<'s> {
    /// Reads what all candidates share, and who they are.
    pub(super) fn new(snapshot: &'s Snapshot, raw: &RawSearch<'s>) -> Self {
        let raw = *raw;
        let Some((target, open)) = raw.target() else {
            return Self {
                candidates: Candidates::actions(snapshot),
                narrowable: None,
                diagnostics: Vec::new(),
                snapshot,
                raw,
            };
        };
        let mut reading = Reading::new(snapshot, Diagnostics::Full);
        let read = reading.read(&raw.question(PROBE));
        let (inline, symbols, diagnostics) = reading.into_parts();
        // An alias is read as another entity, maybe of another type, and what came along may be read
        // differently beside another candidate: then only its own question tells.
        let alike = !snapshot.has_alias_of(target.type_name);
        let candidates = match read {
            Err(_) if alike && inline.is_nothing() => Candidates::nobody(snapshot),
            Ok(_) | Err(_) => Candidates::entities(snapshot, &target, PROBE, &inline, &symbols),
        };
        let narrowable = read.ok().filter(|_| alike && inline.is_nothing());
        let narrowable = narrowable.map(|asked| Narrowable {
            snapshot,
            symbols,
            open,
            asked,
        });
        Self {
            snapshot,
            raw,
            candidates,
            narrowable,
            diagnostics,
        }
    }

    /// How many candidates there are.
    pub fn candidates(&self) -> usize {
        self.candidates.len()
    }

    /// What was odd about the parts that all candidates share.
    pub fn diagnostics(&self) -> &[String] {
        &self.diagnostics
    }

    /// Finds one page. `go_on` is asked before each candidate but the first, so that every page
    /// gets somewhere; once it says no, the page ends.
    pub fn page(
        &self,
        wanted: &Wanted,
        on_error: OnPolicyError,
        mut go_on: impl FnMut() -> bool,
    ) -> Found {
        let narrowable = self.narrowable.as_ref();
        let narrowed = narrowable.and_then(|it| it.narrow(wanted.narrowing));
        let mut page = Page::new(wanted);
        if narrowed.as_ref().is_some_and(Narrowed::is_nobody) {
            return page.done();
        }
        for position in wanted.from..self.candidates.len() {
            if position > wanted.from && !go_on() {
                return page.cut(position);
            }
            let stored = self.candidates.stored(position);
            let narrowed = narrowed.as_ref().zip(stored);
            if narrowed.is_some_and(|(narrowed, uid)| !narrowed.scopes_let_in(uid)) {
                continue;
            }
            if page.evaluations == wanted.evaluations {
                return page.cut(position);
            }
            page.evaluations += 1;
            let Some(id) = self.candidates.id(position) else {
                continue;
            };
            let query = match narrowed {
                None => {
                    let question = self.raw.question(id);
                    Some(self.snapshot.query_noting(&question, Diagnostics::Denials))
                }
                Some((narrowed, uid)) => narrowed.query(uid),
            };
            let Some(query) = query else { continue };
            let answer = self.snapshot.decide(&query, on_error);
            page.take(position, id, answer);
            if page.is_full() {
                return page.end();
            }
        }
        page.done()
    }
}

/// A page while it is filled.
struct Page<'w> {
    wanted: &'w Wanted,
    found: Found,
    erring: BTreeSet<String>,
    evaluations: usize,
    /// How many were found, those not wanted included.
    count: usize,
}

impl<'w> Page<'w> {
    fn new(wanted: &'w Wanted) -> Self {
        Self {
            wanted,
            found: Found::default(),
            erring: BTreeSet::new(),
            evaluations: 0,
            count: 0,
        }
    }

    /// Takes what one candidate came to.
    fn take(&mut self, position: usize, id: &str, answer: Answer) {
        let permitted = answer.decision() == Decision::Allow;
        for error in answer.errors {
            if self.erring.insert(error.policy.clone()) {
                self.found.errors.push(error);
            }
        }
        if !permitted {
            return;
        }
        self.count += 1;
        if self.found.ids.len() < self.limit() {
            self.found.ids.push(id.to_owned());
        } else {
            self.found.next.get_or_insert(position);
        }
    }

    /// Whether all that is wanted is found, and more is known to follow. Whoever wants none wants
    /// to know how many there are.
    fn is_full(&self) -> bool {
        self.found.next.is_some() && self.limit() > 0
    }

    fn limit(&self) -> usize {
        self.wanted.limit.unwrap_or(usize::MAX)
    }

    /// The page ends here though more may follow.
    fn cut(mut self, position: usize) -> Found {
        self.found.next.get_or_insert(position);
        self.end()
    }

    /// Every candidate has been seen.
    fn done(mut self) -> Found {
        if self.wanted.from == 0 {
            self.found.total = Some(self.count);
        }
        self.end()
    }

    fn end(mut self) -> Found {
        self.found.errors.sort();
        self.found
    }
}
