//! Findings: what is wrong with the sources, where, and what to do about it.

use std::fmt;

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};

mod place;

pub use place::Place;
use place::{SHOWN_BYTES, boundary};

/// How many problems of one file or one step are told; the rest is counted. Nobody mends more at
/// once, and a broken file can have millions.
pub(super) const MAX_TOLD: usize = 100;

/// How many findings a rejection has, or a snapshot as warnings: they are kept for the status page,
/// with those before them.
const MAX_IN_ALL: usize = 1_000;

/// The step that a finding stopped; also the `reason` label of `palisade_reloads_total`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A file or folder could not be read.
    Io,
    /// A text is not what its name promises.
    Parse,
    /// Policies, links or schema do not fit together.
    Validate,
    /// Stored data does not fit the schema or breaks a data condition.
    Entities,
    /// Most of the policies in force would be gone.
    Shrink,
    /// A known query would be answered, or a cell of the table would be, otherwise than it must.
    Canary,
    /// Something that was to be proved is not so, or could not be proved.
    Proof,
}

impl Kind {
    /// The name used in metrics and on the status page.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Canary => "canary",
            Self::Entities => "entities",
            Self::Io => "io",
            Self::Parse => "parse",
            Self::Proof => "proof",
            Self::Shrink => "shrink",
            Self::Validate => "validate",
        }
    }
}

/// Whether a finding stops the candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// The candidate is rejected.
    Error,
    /// The candidate is taken; somebody should look.
    Warning,
}

impl Severity {
    /// The name in records and on the status page.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

/// A message without the middle of what it quotes, if that is long.
fn shortened(message: String) -> String {
    if message.len() <= 2 * SHOWN_BYTES {
        return message;
    }
    let (head, rest) = message.split_at(boundary(&message, SHOWN_BYTES));
    let (_, tail) = rest.split_at(boundary(rest, rest.len().saturating_sub(SHOWN_BYTES)));
    format!("{head}…{tail}")
}

/// One problem with file, line, column, message and a way out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The step that found it.
    pub kind: Kind,
    /// Whether it stops the candidate.
    pub severity: Severity,
    /// The file it is about, as the operator would write it.
    pub file: String,
    /// Where in the file, if one spot is to blame.
    pub place: Option<Place>,
    /// What is wrong.
    pub message: String,
    /// A word at the marked spot.
    pub label: Option<String>,
    /// What to do about it.
    pub help: Option<String>,
}

impl Finding {
    /// An error about a whole file.
    pub fn error(kind: Kind, file: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            kind,
            severity: Severity::Error,
            file: file.into(),
            place: None,
            message: shortened(message.into()),
            label: None,
            help: None,
        }
    }

    /// The same finding at a byte range of `text`.
    #[must_use]
    pub fn at(mut self, text: &str, offset: usize, length: usize) -> Self {
        self.place = Some(Place::of(text, offset, length));
        self
    }

    /// [`Finding::at`], where so many lines are known to end before an earlier offset: a text is
    /// not read from its beginning for each of its problems.
    #[must_use]
    pub(super) fn at_behind(
        mut self,
        known: (usize, usize),
        text: &str,
        offset: usize,
        length: usize,
    ) -> Self {
        self.place = Some(Place::behind(known, text, offset, length));
        self
    }

    /// The same finding at a line and a byte column, both counted from 1.
    #[must_use]
    pub fn at_line(self, text: &str, line: usize, column: usize) -> Self {
        let before: usize = text
            .split_inclusive('\n')
            .take(line.max(1) - 1)
            .map(str::len)
            .sum();
        self.at(text, before + column.saturating_sub(1), 1)
    }

    /// The same finding with a word at the marked spot.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = Some(label.into());
        self
    }

    /// The same finding with a way out.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }

    /// The same finding as a warning.
    #[must_use]
    pub fn warning(mut self) -> Self {
        self.severity = Severity::Warning;
        self
    }
}

impl fmt::Display for Finding {
    /// Like rustc: title, `--> file:line:column`, the source line, help.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let level = match self.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let mut group = Group::with_title(level.primary_title(self.message.as_str()));
        if let Some(place) = &self.place {
            let start: usize = place
                .source_line
                .chars()
                .take(place.column - 1 - place.hidden)
                .map(char::len_utf8)
                .sum();
            let end = (start + place.length).min(place.source_line.len().max(start));
            let mark = AnnotationKind::Primary
                .span(start..end)
                .label(self.label.as_deref());
            let mut snippet = Snippet::source(place.source_line.as_str())
                .line_start(place.line)
                .annotation(mark);
            if place.hidden == 0 {
                snippet = snippet.path(self.file.as_str());
            } else {
                // What is shown does not say where in the line it stands.
                let origin = Origin::path(self.file.as_str()).line(place.line);
                group = group.element(origin.char_column(place.column));
            }
            group = group.element(snippet);
        } else if !self.file.is_empty() {
            group = group.element(Origin::path(self.file.as_str()));
        }
        if let Some(help) = &self.help {
            group = group.element(Level::HELP.message(help.as_str()));
        }
        f.write_str(&Renderer::plain().render(&[group]))
    }
}

/// The findings of as many problems as anybody reads, and how many more there are.
pub(super) fn told<T>(
    problems: impl IntoIterator<Item = T>,
    finding: impl FnMut(T) -> Finding,
) -> Vec<Finding> {
    let mut problems = problems.into_iter();
    let mut told: Vec<Finding> = problems.by_ref().take(MAX_TOLD).map(finding).collect();
    let more = problems.count();
    if let (Some(last), true) = (told.last(), more > 0) {
        let message = format!("{more} more findings like these");
        let mut finding = Finding::error(last.kind, &last.file, message);
        finding.severity = last.severity;
        told.push(finding);
    }
    told
}

/// What is good of a list. It is read until as many problems are found as are told of one file.
pub(super) fn sifted<T>(
    results: impl IntoIterator<Item = Result<T, Finding>>,
    findings: &mut Vec<Finding>,
) -> Vec<T> {
    let mut good = Vec::new();
    for result in results {
        if findings.len() >= MAX_TOLD {
            if let (Some(last), MAX_TOLD) = (findings.last(), findings.len()) {
                let message = "there is so much to mend that the rest was not looked at";
                findings.push(Finding::error(last.kind, &last.file, message));
            }
            break;
        }
        match result {
            Ok(it) => good.push(it),
            Err(finding) => findings.push(finding),
        }
    }
    good
}

/// Whether there are as many errors as a rejection has. Whoever finds more can stop looking: the
/// candidate is refused, and nobody is told.
pub(super) fn is_enough(findings: &[Finding]) -> bool {
    let errors = findings.iter().filter(|finding| finding.is_error());
    errors.count() >= MAX_IN_ALL
}

/// As many findings as are kept; of more the errors, for they say why.
pub(super) fn kept(mut findings: Vec<Finding>) -> Vec<Finding> {
    if findings.len() > MAX_IN_ALL {
        findings.sort_by_key(|finding| !finding.is_error());
        findings.truncate(MAX_IN_ALL);
    }
    findings
}

/// Why a candidate was not taken: at least one finding of severity error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    findings: Vec<Finding>,
}

impl Rejection {
    /// A rejection, if one of the findings is an error.
    pub fn of(findings: Vec<Finding>) -> Option<Self> {
        let findings = kept(findings);
        let refused = findings.iter().any(Finding::is_error);
        refused.then_some(Self { findings })
    }

    /// Every finding, errors and warnings, in the order of the sources.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// The first step that failed.
    pub fn reason(&self) -> Kind {
        self.findings
            .iter()
            .filter(|finding| finding.is_error())
            .map(|finding| finding.kind)
            .min()
            .unwrap_or(Kind::Io)
    }
}

impl From<Finding> for Rejection {
    fn from(finding: Finding) -> Self {
        Self {
            findings: vec![Finding {
                severity: Severity::Error,
                ..finding
            }],
        }
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for finding in &self.findings {
            writeln!(f, "{finding}\n")?;
        }
        Ok(())
    }
}

impl std::error::Error for Rejection {}
