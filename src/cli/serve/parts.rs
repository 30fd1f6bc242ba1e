//! What works beside the listeners, and whether all of it still does.

use std::error::Error;

use tokio::task::{JoinError, JoinHandle, JoinSet};

use crate::{
    cli::Failure,
    server::{Keeping, ServerError},
    source::Running,
};

use super::{decision_log::Recording, traces::Traces};

/// What works beside the listeners.
pub(super) struct Parts {
    pub(super) reloading: Running,
    pub(super) keeping: Keeping,
    pub(super) recording: Recording,
    pub(super) traces: Traces,
}

/// A listener at work.
pub(super) type Server = JoinHandle<Result<(), ServerError>>;

/// Waits for the first part that ends though nobody told it to.
pub(super) async fn fault(
    decisions: &mut Server,
    admin: &mut Server,
    (parts, answering): &mut (Parts, JoinSet<()>),
) -> Failure {
    let (part, ended) = tokio::select! {
        ended = decisions => ("decisions listener", told(ended)),
        ended = admin => ("admin listener", told(ended)),
        () = parts.reloading.ended() => ("reload loop", Ok(())),
        () = parts.keeping.ended() => ("loop over the access files", Ok(())),
        () = parts.recording.ended() => ("decision log", Ok(())),
        () = parts.traces.ended() => ("export of traces", Ok(())),
        _ = answering.join_next() => ("threads that answer", Ok(())),
    };
    ended
        .err()
        .unwrap_or_else(|| Failure::runtime(format_args!("the {part} ended")))
}

/// How a listener ended.
pub(super) fn told(ended: Result<Result<(), ServerError>, JoinError>) -> Result<(), Failure> {
    match ended {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(Failure::runtime(causes(&error))),
        Err(error) => Err(Failure::runtime(causes(&error))),
    }
}

/// An error with its causes, after colons.
fn causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
