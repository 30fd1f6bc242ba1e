//! What came of proving: each obligation with its verdict, and what that means for cells, invariants
//! and policies.

use std::collections::{BTreeMap, BTreeSet};

use crate::authz::{Finding, Kind};

use super::{Cell, Counterexample, Dead, Proofs, Subject, claim::shape};

/// What is known of a claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is true of every request and all data there could be.
    Proved,
    /// It is not true: of this one, for instance.
    Refuted(Box<Counterexample>),
    /// Nobody knows, and why.
    Unknown(String),
}

/// An obligation and what came of it.
#[derive(Clone, Debug)]
pub struct Result {
    /// What it was about.
    pub subject: Subject,
    /// The shape of the requests, as `Member project.view Project`.
    pub shape: String,
    /// What is known.
    pub verdict: Verdict,
}

/// Everything that came of proving.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// In the order in which things are told.
    pub results: Vec<Result>,
    /// Policies that decide nothing, if they were sought.
    pub dead: Vec<Dead>,
}

/// A cell with its verdict.
#[derive(Clone, Copy, Debug)]
pub struct CellResult<'r> {
    /// The cell.
    pub cell: &'r Cell,
    /// The verdict.
    pub verdict: &'r Verdict,
}

/// What came of an invariant, in all shapes it is about.
#[derive(Clone, Debug)]
pub struct InvariantResult {
    /// Its name.
    pub name: String,
    /// The sentence for people.
    pub says: String,
    /// In how many shapes of requests it was proved.
    pub proved: usize,
    /// What it is not proved in, with the shape.
    pub open: Vec<(String, Verdict)>,
}

impl Result {
    /// A result.
    pub fn new(subject: Subject, env: &cedar_policy::RequestEnv, verdict: Verdict) -> Self {
        Self {
            subject,
            shape: shape(env),
            verdict,
        }
    }
}

impl Verdict {
    /// `proved`, `refuted` or `unknown`.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Proved => "proved",
            Self::Refuted(_) => "refuted",
            Self::Unknown(_) => "unknown",
        }
    }
}

impl Report {
    /// Takes back what is proved of nothing: a cell in whose column nothing is left, or of whose
    /// assumptions it is not proved that whatever they leave out is denied.
    pub fn settle(&mut self) {
        let (mut empty, mut assumed) = (BTreeSet::new(), BTreeSet::new());
        for result in self.open() {
            match &result.subject {
                Subject::Assumption(_) => {
                    assumed.insert(result.shape.clone());
                }
                Subject::Column(role) => {
                    empty.insert((result.shape.clone(), role.clone()));
                }
                Subject::Cell(_)
                | Subject::Data
                | Subject::Errors(_)
                | Subject::Invariants(_)
                | Subject::Narrower
                | Subject::Wider => {}
            }
        }
        for result in &mut self.results {
            let Subject::Cell(cell) = &result.subject else {
                continue;
            };
            let why = if empty.contains(&(result.shape.clone(), cell.role.clone())) {
                "nothing is left of the column by what is assumed"
            } else if assumed.contains(&result.shape) {
                "it is not proved that what is left out by assumption is denied"
            } else {
                continue;
            };
            if result.verdict == Verdict::Proved {
                result.verdict = Verdict::Unknown(why.to_owned());
            }
        }
    }

    /// The cells, in the order of the table.
    pub fn cells(&self) -> impl Iterator<Item = CellResult<'_>> {
        self.results.iter().filter_map(|it| {
            let Subject::Cell(cell) = &it.subject else {
                return None;
            };
            Some(CellResult {
                cell,
                verdict: &it.verdict,
            })
        })
    }

    /// The results about one kind of subject that are not proved.
    pub fn open(&self) -> impl Iterator<Item = &Result> {
        let open = |it: &&Result| it.verdict != Verdict::Proved;
        self.results.iter().filter(open)
    }

    /// Whether anything is shown to be wrong.
    pub fn is_refuted(&self) -> bool {
        let refuted = |it: &Result| matches!(it.verdict, Verdict::Refuted(_));
        self.results.iter().any(refuted) || self.dead.iter().any(|dead| !dead.meant)
    }

    /// Whether anything is not known.
    pub fn is_unknown(&self) -> bool {
        let unknown = |it: &Result| matches!(it.verdict, Verdict::Unknown(_));
        self.results.iter().any(unknown)
    }
}

impl Proofs<'_> {
    /// What came of each invariant, in reading order.
    pub fn invariants(&self, report: &Report) -> Vec<InvariantResult> {
        let said = self.statements.said_invariants().into_iter();
        said.map(|(name, says)| {
            let about = report.results.iter().filter(
                |it| matches!(&it.subject, Subject::Invariants(names) if names.contains(&name)),
            );
            let (mut proved, mut open) = (0, Vec::new());
            for result in about {
                match &result.verdict {
                    Verdict::Proved => proved += 1,
                    verdict @ (Verdict::Refuted(_) | Verdict::Unknown(_)) => {
                        open.push((result.shape.clone(), verdict.clone()));
                    }
                }
            }
            InvariantResult {
                name,
                says,
                proved,
                open,
            }
        })
        .collect()
    }

    /// What is assumed, as people say it, by name.
    pub fn assumptions(&self) -> Vec<(String, String)> {
        self.statements.said_assumptions()
    }

    /// The findings for whatever is not proved: each says what should be, and shows a question about
    /// which it is not so.
    pub fn findings(&self, report: &Report) -> Vec<Finding> {
        let sentences: BTreeMap<String, String> =
            self.statements.said_invariants().into_iter().collect();
        let mut findings = Vec::new();
        let mut told = BTreeSet::new();
        // What is said in a sentence first: one mistake can be wrong in many cells.
        let mut open: Vec<&Result> = report.open().collect();
        open.sort_by_key(|it| match it.subject {
            Subject::Invariants(_) => 0,
            Subject::Errors(_) => 1,
            Subject::Assumption(_) | Subject::Column(_) | Subject::Data => 2,
            Subject::Cell(_) => 3,
            Subject::Narrower | Subject::Wider => 4,
        });
        for result in open {
            let what = match &result.subject {
                Subject::Assumption(name) => format!("whatever is not `{name}` is denied"),
                Subject::Column(role) => {
                    let shape = &result.shape;
                    format!("what is assumed leaves questions of the column `{role}`: {shape}")
                }
                Subject::Cell(cell) => {
                    format!(
                        "{cell}: `{}` on `{}` is `{}`",
                        cell.action, cell.resource_type, cell.scope
                    )
                }
                Subject::Data => format!("what is assumed of data leaves data: {}", result.shape),
                Subject::Errors(id) => format!("`{id}` never fails"),
                Subject::Invariants(names) => {
                    let sentence = |name: &String| {
                        let says = sentences.get(name).map_or("", String::as_str);
                        format!("invariant `{name}`: {}", says.trim_end_matches('.'))
                    };
                    names.iter().map(sentence).collect::<Vec<_>>().join("; ")
                }
                Subject::Narrower => format!("no less is allowed than before: {}", result.shape),
                Subject::Wider => format!("no more is allowed than before: {}", result.shape),
            };
            // One question for each statement is enough.
            if told.insert(what.clone()) {
                findings.push(self.finding(&what, result));
            }
        }
        findings
    }

    fn finding(&self, what: &str, result: &Result) -> Finding {
        let (message, example) = match &result.verdict {
            Verdict::Refuted(example) => {
                let allowed = if example.allowed { "allowed" } else { "denied" };
                let by = match example.policies.as_slice() {
                    [] => String::new(),
                    some => format!(" by `{}`", some.join("`, `")),
                };
                let fails = match example.failing.as_slice() {
                    some @ [_, ..] if example.allowed => format!(
                        ", where `{}` fails: denied all the same, but with `--on-policy-error=cedar`",
                        some.join("`, `")
                    ),
                    _ => String::new(),
                };
                let summary = &example.summary;
                let message = format!("not so: {what}: `{summary}` is {allowed}{by}{fails}");
                (message, Some(example))
            }
            Verdict::Unknown(why) => (format!("not proved: {what}: {why}"), None),
            Verdict::Proved => (what.to_owned(), None),
        };
        let policy = example.and_then(|it| it.policies.first());
        let known = policy.and_then(|id| {
            let mut infos = self.snapshot.policies.infos.iter();
            infos.find(|info| info.id == *id)
        });
        let file = known.map_or("", |info| info.file.as_str());
        let mut finding = Finding::error(Kind::Proof, file, message);
        if let Some(info) = known {
            let policy = self.snapshot.policies.named(&info.id);
            let text = policy.and_then(cedar_policy::Policy::to_cedar);
            // The file's own text is not kept; its lines before the policy are not shown.
            let before = "\n".repeat(info.line.saturating_sub(1));
            let text = before + &text.unwrap_or_default();
            finding = finding.at_line(&text, info.line, 1);
        }
        match example {
            Some(example) => finding.help(format!("`palisade decide` on {}", example.question)),
            None => finding,
        }
    }
}
