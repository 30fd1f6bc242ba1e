//! From texts and the errors of parsers to findings with a place.

use miette::Diagnostic;

use super::{Finding, Kind, Severity, SourceFile};

/// The text of a file, without a byte order mark.
pub(super) fn utf8(file: &SourceFile) -> Result<&str, Vec<Finding>> {
    let text = std::str::from_utf8(&file.bytes).map_err(|error| {
        let (valid, _) = file.bytes.split_at(error.valid_up_to());
        let shown = String::from_utf8_lossy(&file.bytes);
        let finding = Finding::error(Kind::Parse, &file.name, "not UTF-8: an invalid byte");
        // What comes before the first invalid byte is the same text in both.
        vec![
            finding
                .at(&shown, valid.len(), 1)
                .help("save the file as UTF-8"),
        ]
    })?;
    Ok(text.strip_prefix('\u{feff}').unwrap_or(text))
}

/// Where a part of `text` begins in it; both must be the same allocation.
pub(super) fn offset_in(text: &str, part: &str) -> usize {
    part.as_ptr().addr().saturating_sub(text.as_ptr().addr())
}

/// How many lines of a text end between two offsets.
pub(super) fn newlines(text: &str, from: usize, to: usize) -> usize {
    let between = text.get(from..to).unwrap_or_default();
    between.matches('\n').count()
}

/// Where the lines of a text begin, for whoever asks often.
#[derive(Debug)]
pub(super) struct Lines(Vec<usize>);

impl Lines {
    pub(super) fn of(text: &str) -> Self {
        Self(
            text.match_indices('\n')
                .map(|(newline, _)| newline + 1)
                .collect(),
        )
    }

    /// The line, counted from 1, of a byte offset.
    pub(super) fn line(&self, offset: usize) -> usize {
        self.0.partition_point(|start| *start <= offset) + 1
    }
}

/// An error with its causes, after colons.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.ends_with(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}

/// A finding from an error that knows its place in `text`.
pub(super) fn diagnostic(
    kind: Kind,
    file: &SourceFile,
    text: &str,
    error: &dyn Diagnostic,
) -> Finding {
    let mut message = chain(&AsError(error));
    if message.is_empty() {
        "invalid".clone_into(&mut message);
    }
    let mut finding = Finding::error(kind, &file.name, message);
    if let Some(help) = error.help() {
        finding = finding.help(help.to_string());
    }
    let mut labels = error.labels().into_iter().flatten();
    if let Some(label) = labels.next() {
        finding = finding.at(text, label.offset(), label.len());
        if let Some(words) = label.label() {
            finding = finding.label(words);
        }
    }
    if error.severity() == Some(miette::Severity::Warning) {
        finding.severity = Severity::Warning;
    }
    finding
}

/// A diagnostic seen as a plain error.
#[derive(Debug)]
struct AsError<'e>(&'e dyn Diagnostic);

impl std::fmt::Display for AsError<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self.0, f)
    }
}

impl std::error::Error for AsError<'_> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source()
    }
}
