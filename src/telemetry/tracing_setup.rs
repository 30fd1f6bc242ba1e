//! Where log lines go and what they look like.

use std::io::{self, IsTerminal};

use tracing_subscriber::{EnvFilter, filter, fmt, util};

/// What a log line looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object a line, for machines.
    Json,
    /// A line of text, for people.
    Text,
}

/// Why there are no logs.
#[derive(Debug, thiserror::Error)]
pub enum TracingError {
    /// Somebody in this process set tracing up before.
    #[error("could not set up logging: {0}")]
    Already(#[from] util::TryInitError),
    /// The filter is not one.
    #[error("`{filter}` is not a log filter: {source}")]
    Filter {
        /// What was given.
        filter: String,
        /// What is wrong with it.
        source: filter::ParseError,
    },
}

/// Sends log lines to standard error; standard output is for data.
///
/// # Errors
/// A malformed filter, and a second call.
pub fn init_tracing(format: LogFormat, filter: &str) -> Result<(), TracingError> {
    use util::SubscriberInitExt as _;

    let directives = EnvFilter::builder()
        .parse(filter)
        .map_err(|source| TracingError::Filter {
            filter: filter.to_owned(),
            source,
        })?;
    let lines = fmt().with_env_filter(directives).with_writer(io::stderr);
    match format {
        LogFormat::Json => lines.json().flatten_event(true).finish().try_init()?,
        LogFormat::Text => {
            let colours = io::stderr().is_terminal();
            lines.with_ansi(colours).finish().try_init()?;
        }
    }
    Ok(())
}
