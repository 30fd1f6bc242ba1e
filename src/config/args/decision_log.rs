//! Flags about the log of decisions.

use std::{fmt, path::PathBuf, str::FromStr};

use clap::{Args, ValueEnum, builder::BoolishValueParser};
use serde::Deserialize;

/// What is recorded of decisions, and where.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Decision log")]
pub struct DecisionLogArgs {
    /// Write a line for each decision and reload to this file, or to standard output (`stdout`); SIGHUP
    /// opens the file anew [default: none]
    #[arg(long, env = "PALISADE_DECISION_LOG", value_name = "FILE|stdout")]
    pub decision_log: Option<LogPlace>,
    /// What a line looks like [default: json]
    #[arg(
        long,
        env = "PALISADE_DECISION_LOG_FORMAT",
        value_enum,
        value_name = "FORMAT"
    )]
    pub decision_log_format: Option<RecordFormat>,
    /// What happens when lines come faster than they can be written [default: drop]
    #[arg(
        long,
        env = "PALISADE_DECISION_LOG_OVERFLOW",
        value_enum,
        value_name = "RULE"
    )]
    pub decision_log_overflow: Option<OverflowRule>,
    /// How many bytes of lines may wait to be written; at least 65536 [default: 16777216]
    #[arg(long, env = "PALISADE_DECISION_LOG_QUEUE", value_name = "BYTES")]
    pub decision_log_queue: Option<usize>,
    /// Write this part of the allows, from 0 to 1; denials are always written [default: 1]
    #[arg(
        long,
        env = "PALISADE_DECISION_LOG_SAMPLE_ALLOWS",
        value_name = "RATIO"
    )]
    pub decision_log_sample_allows: Option<Ratio>,
    /// Write the values of these keys of the context; no others are ever written
    #[arg(
        long, env = "PALISADE_DECISION_LOG_CONTEXT", value_name = "KEY",
        num_args = 1.., value_delimiter = ','
    )]
    pub decision_log_context: Vec<String>,
    /// Write the properties and entities that come with questions
    #[arg(
        long, env = "PALISADE_DECISION_LOG_ENTITIES", value_name = "BOOL", require_equals = true,
        num_args = 0..=1, default_missing_value = "true", value_parser = BoolishValueParser::new()
    )]
    pub decision_log_entities: Option<bool>,
}

/// Where lines go. A file that is called `stdout` is `./stdout`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(from = "String")]
pub enum LogPlace {
    /// A file.
    File(PathBuf),
    /// Standard output.
    Stdout,
}

impl From<String> for LogPlace {
    fn from(text: String) -> Self {
        match text.as_str() {
            "stdout" => Self::Stdout,
            _ => Self::File(text.into()),
        }
    }
}

impl FromStr for LogPlace {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(text.to_owned().into())
    }
}

/// What a line looks like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum RecordFormat {
    /// A JSON object
    #[default]
    Json,
    /// An event of OCSF 1.0
    Ocsf,
}

/// What happens when lines come faster than they can be written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum OverflowRule {
    /// Answers wait for a place: none is given whose line is not on its way
    Block,
    /// Lines are dropped and counted: no answer waits
    #[default]
    Drop,
}

/// A part of a whole: from 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(try_from = "f64")]
pub struct Ratio(f64);

/// A number that is no ratio.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a number from 0 to 1")]
pub struct NoRatio(String);

impl Ratio {
    /// All of it.
    pub const WHOLE: Self = Self(1.0);

    /// The number, from 0 to 1.
    pub fn as_f64(self) -> f64 {
        self.0
    }
}

impl TryFrom<f64> for Ratio {
    type Error = NoRatio;

    fn try_from(ratio: f64) -> Result<Self, NoRatio> {
        if (0.0..=1.0).contains(&ratio) {
            return Ok(Self(ratio));
        }
        Err(NoRatio(ratio.to_string()))
    }
}

impl FromStr for Ratio {
    type Err = NoRatio;

    fn from_str(text: &str) -> Result<Self, NoRatio> {
        let number = text.parse().ok();
        let ratio = number.and_then(|it: f64| Self::try_from(it).ok());
        ratio.ok_or_else(|| NoRatio(text.to_owned()))
    }
}

impl fmt::Display for Ratio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_is_a_part_of_a_whole() {
        for text in ["0", "1", "0.25", "1e-3"] {
            assert!(text.parse::<Ratio>().is_ok(), "{text}");
        }
        for text in ["", "-0.1", "1.01", "NaN", "inf", "half", "1%"] {
            assert_eq!(text.parse::<Ratio>(), Err(NoRatio(text.to_owned())));
        }
    }
}
