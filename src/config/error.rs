//! Why there is no configuration, with what to say instead.

use std::{io, path::PathBuf};

use super::{Address, ListenerName};

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A listener that anybody on the network could ask, and nobody said that this is meant.
    #[error(
        "the {} listener would be open to the network at `{address}` without TLS or a credential: \
         say `{flags}tls-cert` or `{flags}credentials`, bind a loopback address or a unix socket, \
         or say `--allow-insecure-bind {}`",
        listener.as_str(),
        listener.as_str(),
        flags = listener.flags()
    )]
    Exposed {
        /// Which listener.
        listener: ListenerName,
        /// Where it would be bound.
        address: Address,
    },
    /// TLS needs a certificate and its key.
    #[error("`{0}{given}` needs `{0}{missing}`", listener.flags())]
    Incomplete {
        /// Which listener.
        listener: ListenerName,
        /// The flag that was said, as the decisions listener calls it.
        given: &'static str,
        /// The flag that was not.
        missing: &'static str,
    },
    /// The file is not the TOML we take.
    #[error("`{}` is not a configuration file: {source}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong and where.
        source: Box<toml::de::Error>,
    },
    /// What is recorded has nowhere to go.
    #[error("`trace-sample` needs `otlp-endpoint`: nothing is recorded for nobody")]
    NoCollector,
    /// It is said how decisions are logged, and not where.
    #[error("`{key}` needs `decision-log`: nothing is logged to nowhere")]
    NoDecisionLog {
        /// The key or flag.
        key: &'static str,
    },
    /// A demand on callers that no address of the listener makes.
    #[error(
        "`{0}{given}` is for {of}, and the {listener} listener has none: it would keep nobody out",
        listener.flags(), listener = listener.as_str()
    )]
    NoUse {
        /// Which listener.
        listener: ListenerName,
        /// The flag that was said, as the decisions listener calls it.
        given: &'static str,
        /// The kind of address that has it.
        of: &'static str,
    },
    /// A flag for a file was given what is no path, but may be what the file should hold: it is not
    /// repeated.
    #[error(
        "`{}{given}` takes the path of a file, not its content",
        listener.flags()
    )]
    NotAPath {
        /// Which listener.
        listener: ListenerName,
        /// The flag, as the decisions listener calls it.
        given: &'static str,
    },
    /// A value beyond what makes sense.
    #[error("`{key}` must be at most {most}")]
    TooLarge {
        /// The key or flag.
        key: &'static str,
        /// The greatest value.
        most: usize,
    },
    /// A value below what makes sense.
    #[error("`{key}` must be at least {least}")]
    TooSmall {
        /// The key or flag.
        key: &'static str,
        /// The least value.
        least: &'static str,
    },
    /// The file cannot be read.
    #[error("could not read `{}`: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}
