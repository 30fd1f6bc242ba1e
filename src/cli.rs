//! The command line: one file per subcommand, and what their exit codes mean.

use std::{
    fmt,
    io::{self, Write},
    panic::resume_unwind,
    process::ExitCode,
    thread,
};

use clap::{Parser, Subcommand};

use crate::{
    authz::{EVALUATION_STACK_BYTES, Finding, Rejection, Snapshot},
    config::{ConfigError, SourceArgs, SourceChoice},
    source::{EditionError, Selection, SourceSpec},
};

mod check;
mod decide;
mod diff;
mod health;
mod matrix;
mod prove;
mod prove_candidate;
mod serve;

const EXIT_CODES: &str = "Exit codes:
  0  it is so: served and stopped, checked, allowed, equal, ready
  1  it is not: denied, or different from what it was compared with
  2  the command line or the configuration makes no sense
  3  policies, schema or entities were refused
  4  something outside failed: a file, a socket, a task
  5  the service is not ready";

/// How a command ended, as its exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Exit {
    /// It is so.
    Ok = 0,
    /// Denied, or different from what it was compared with.
    Difference = 1,
    /// The command line or the configuration makes no sense.
    Usage = 2,
    /// The sources were refused.
    Rejected = 3,
    /// Something outside failed.
    Runtime = 4,
    /// The service is not ready.
    Unhealthy = 5,
}

/// Why a command could not do what it was asked.
#[derive(Debug, thiserror::Error)]
enum Failure {
    /// A flag, a file that was named, or a question is not what it should be.
    #[error("{0}")]
    Usage(String),
    /// The sources were refused. Findings are written as rustc writes them.
    #[error("{0}")]
    Rejected(Rejection),
    /// Something outside failed.
    #[error("{0}")]
    Runtime(String),
}

/// Answers whether a principal may do an action on a resource, by Cedar policies that stay in
/// force as their files change.
#[derive(Debug, Parser)]
#[command(name = "palisade", version, after_help = EXIT_CODES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Check(check::Check),
    Decide(decide::Decide),
    Diff(diff::Diff),
    Health(health::Health),
    Matrix(matrix::Matrix),
    Prove(prove::Prove),
    #[command(hide = true)]
    ProveCandidate(prove_candidate::ProveCandidate),
    Serve(Box<serve::Serve>),
}

/// Does what the command line says.
pub fn main() -> ExitCode {
    // Commands decide, and the stack of the first thread is what the shell's limits make it.
    let thread = thread::Builder::new().stack_size(EVALUATION_STACK_BYTES);
    let exit = match thread.spawn(run) {
        Ok(thread) => thread.join().unwrap_or_else(|panic| resume_unwind(panic)),
        Err(error) => Failure::runtime(format_args!("no thread could be made: {error}")).tell(),
    };
    exit.into()
}

fn run() -> Exit {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are errors to clap, but not to whoever asked for them.
            let _ = error.print();
            return if error.use_stderr() {
                Exit::Usage
            } else {
                Exit::Ok
            };
        }
    };
    let done = match cli.command {
        Command::Check(check) => check.run(),
        Command::Decide(decide) => decide.run(),
        Command::Diff(diff) => diff.run(),
        Command::Health(health) => health.run(),
        Command::Matrix(matrix) => matrix.run(),
        Command::Prove(prove) => prove.run(),
        Command::ProveCandidate(prove) => prove.run(),
        Command::Serve(serve) => serve.run(),
    };
    done.unwrap_or_else(|failure| failure.tell())
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

impl Failure {
    /// Says why on standard error.
    fn tell(&self) -> Exit {
        match self {
            Self::Rejected(rejection) => {
                complain(rejection.findings());
                Exit::Rejected
            }
            Self::Usage(message) => {
                complain([format!("error: {message}")]);
                Exit::Usage
            }
            Self::Runtime(message) => {
                complain([format!("error: {message}")]);
                Exit::Runtime
            }
        }
    }

    /// Something outside failed, in the error's own words.
    fn runtime(error: impl fmt::Display) -> Self {
        Self::Runtime(error.to_string())
    }

    /// Something said makes no sense, in the error's own words.
    fn usage(error: impl fmt::Display) -> Self {
        Self::Usage(error.to_string())
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::usage(error)
    }
}

impl From<EditionError> for Failure {
    fn from(error: EditionError) -> Self {
        Self::usage(error)
    }
}

impl From<Rejection> for Failure {
    fn from(rejection: Rejection) -> Self {
        Self::Rejected(rejection)
    }
}

/// Writes to standard error, a blank line after each. If nobody reads it, nobody is told.
fn complain<T: fmt::Display>(what: impl IntoIterator<Item = T>) {
    let mut stderr = io::stderr().lock();
    for it in what {
        let _ = writeln!(stderr, "{it}\n");
    }
}

/// Writes data to standard output.
fn print(data: impl fmt::Display) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    match writeln!(stdout, "{data}").and_then(|()| stdout.flush()) {
        // Whoever reads has read enough, as `head` does.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        done => done.map_err(Failure::runtime),
    }
}

/// Where the sources are that the configuration names.
fn spec(choice: SourceChoice) -> Result<SourceSpec, Failure> {
    let selection = Selection {
        root: choice.root,
        edition: choice.edition,
        policies: choice.policies,
        schema: choice.schema,
        conditions: choice.conditions,
        entities: choice.entities,
        invariants: choice.invariants,
        skip_validation: choice.no_validate,
    };
    Ok(selection.resolve()?)
}

/// Reads and compiles what the flags name, for commands that look once.
fn load(sources: SourceArgs) -> Result<Snapshot, Failure> {
    Ok(spec(sources.resolve()?)?.load()?)
}

/// A finding for machines.
fn finding_json(finding: &Finding) -> serde_json::Value {
    let place = finding.place.as_ref();
    serde_json::json!({
        "severity": finding.severity.as_str(),
        "kind": finding.kind.as_str(),
        "file": finding.file,
        "line": place.map(|place| place.line),
        "column": place.map(|place| place.column),
        "message": finding.message,
        "help": finding.help,
    })
}
