//! From texts and the errors of parsers to findings with a place.

use miette::Diagnostic;

use super::{Finding, Kind, Severity, SourceFile};

/// The text of a file, without a byte order mark.
pub(super) fn utf8(file: &SourceFile) -> Result<&str, Vec<Finding>> {
    let text = std::str::from_utf8(&file.bytes).map_err(|error| {
        let line = file
            .bytes
            .iter()
            .take(error.valid_up_to())
            .filter(|byte| **byte == b'\n')
            .count()
            + 1;
        let message = format!("not UTF-8: an invalid byte on line {line}");
        vec![Finding::error(Kind::Parse, &file.name, message).help("save the file as UTF-8")]
    })?;
    Ok(text.strip_prefix('\u{feff}').unwrap_or(text))
}

/// A finding from an error that knows its place in `text`.
pub(super) fn diagnostic(
    kind: Kind,
    file: &SourceFile,
    text: &str,
    error: &dyn Diagnostic,
) -> Finding {
    let mut message = super::engine::chain(&AsError(error));
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
