//! Strict reading of TOML tables: every wrong key or value is a finding with its place.

use std::ops::Range;

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{Finding, Kind, SourceFile, text};

/// One table of a TOML file.
#[derive(Clone, Debug)]
pub(super) struct Section<'d> {
    file: &'d SourceFile,
    text: &'d str,
    table: &'d DeTable<'d>,
    span: Range<usize>,
}

/// Parses a TOML text.
pub(super) fn parse(file: &SourceFile) -> Result<Spanned<DeTable<'_>>, Vec<Finding>> {
    let text = text::utf8(file)?;
    DeTable::parse(text).map_err(|error| {
        let finding = Finding::error(Kind::Parse, &file.name, error.message());
        let span = error.span().unwrap_or_default();
        vec![finding.at(text, span.start, span.len())]
    })
}

impl<'d> Section<'d> {
    /// The whole file as one table.
    pub(super) fn root(file: &'d SourceFile, document: &'d Spanned<DeTable<'d>>) -> Self {
        Self {
            file,
            text: text::utf8(file).unwrap_or_default(),
            table: document.get_ref(),
            span: document.span(),
        }
    }

    /// A finding about this table.
    pub(super) fn finding(&self, message: impl Into<String>) -> Finding {
        self.finding_at(&self.span, message)
    }

    /// A finding about the value of a key.
    pub(super) fn finding_about(&self, key: &str, message: impl Into<String>) -> Finding {
        let span = self.table.get(key).map_or(self.span.clone(), Spanned::span);
        self.finding_at(&span, message)
    }

    fn finding_at(&self, span: &Range<usize>, message: impl Into<String>) -> Finding {
        Finding::error(Kind::Parse, &self.file.name, message).at(self.text, span.start, span.len())
    }

    /// Refuses keys other than these.
    pub(super) fn only(&self, known: &[&str]) -> Result<(), Finding> {
        let unknown = |key: &&Spanned<_>| {
            let key: &Spanned<std::borrow::Cow<'_, str>> = key;
            !known.contains(&key.get_ref().as_ref())
        };
        match self.table.keys().find(unknown) {
            None => Ok(()),
            Some(key) => {
                let finding =
                    self.finding_at(&key.span(), format!("unknown key `{}`", key.get_ref()));
                Err(finding.help(format!("the keys are {}", known.join(", "))))
            }
        }
    }

    /// The tables under `[[key]]`; none if it is absent.
    pub(super) fn sections(&self, key: &str) -> Result<Vec<Self>, Finding> {
        let Some(value) = self.table.get(key) else {
            return Ok(Vec::new());
        };
        let wrong = || self.finding_about(key, format!("`{key}` must be an array of tables"));
        let items = value.get_ref().as_array().ok_or_else(wrong)?;
        let section = |item: &'d Spanned<DeValue<'d>>| {
            let table = item.get_ref().as_table().ok_or_else(wrong)?;
            Ok(Self {
                table,
                span: item.span(),
                ..self.clone()
            })
        };
        items.iter().map(section).collect()
    }

    /// The string under a key.
    pub(super) fn string(&self, key: &str) -> Result<&'d str, Finding> {
        self.optional_string(key)?
            .ok_or_else(|| self.finding(format!("`{key}` is missing")))
    }

    /// The string under a key that may be absent.
    pub(super) fn optional_string(&self, key: &str) -> Result<Option<&'d str>, Finding> {
        let Some(value) = self.table.get(key) else {
            return Ok(None);
        };
        let wrong = || self.finding_about(key, format!("`{key}` must be a string"));
        value.get_ref().as_str().map(Some).ok_or_else(wrong)
    }

    /// The whole number under a key, if there is one.
    pub(super) fn number(&self, key: &str) -> Option<i64> {
        let number = self.table.get(key)?.get_ref().as_integer()?;
        i64::from_str_radix(number.as_str(), number.radix()).ok()
    }

    /// The strings under a key; none if it is absent.
    pub(super) fn strings(&self, key: &str) -> Result<Vec<&'d str>, Finding> {
        let Some(value) = self.table.get(key) else {
            return Ok(Vec::new());
        };
        let wrong = || self.finding_about(key, format!("`{key}` must be an array of strings"));
        let items = value.get_ref().as_array().ok_or_else(wrong)?;
        items
            .iter()
            .map(|item| item.get_ref().as_str().ok_or_else(wrong))
            .collect()
    }

    /// The keys and strings of the table under a key; none if it is absent.
    pub(super) fn pairs(&self, key: &str) -> Result<Vec<(&'d str, &'d str)>, Finding> {
        let Some(value) = self.table.get(key) else {
            return Ok(Vec::new());
        };
        let wrong = || self.finding_about(key, format!("`{key}` must be a table of strings"));
        let table = value.get_ref().as_table().ok_or_else(wrong)?;
        table
            .iter()
            .map(|(name, value)| {
                let value = value.get_ref().as_str().ok_or_else(wrong)?;
                Ok((name.get_ref().as_ref(), value))
            })
            .collect()
    }
}
