//! Compiling off the request path, where neither deep nesting nor a panic takes the service down.

use std::{
    panic::{self, AssertUnwindSafe},
    sync::Arc,
    thread,
};

use crate::authz::{Finding, Kind, Rejection, Snapshot, Sources, Valid};

/// The parser and the validator recurse with the nesting of policies and schema.
const COMPILE_STACK_BYTES: usize = 256 << 20;

/// Compiles on a thread with room to recurse. What is `known` to be valid is not validated again.
pub(super) fn compile(sources: Sources, known: Option<Arc<Valid>>) -> Result<Snapshot, Rejection> {
    let work = move || Snapshot::compile_knowing(&sources, known.as_deref());
    with_room("the sources", work)
}

/// Works on a thread with room to recurse. A panic is the fault of `what` until proven otherwise:
/// the candidate is refused, and the last good snapshot stays.
pub(super) fn with_room<T: Send + 'static>(
    what: &'static str,
    work: impl FnOnce() -> Result<T, Rejection> + Send + 'static,
) -> Result<T, Rejection> {
    let thread = thread::Builder::new()
        .name("compile".to_owned())
        .stack_size(COMPILE_STACK_BYTES)
        .spawn(|| panic::catch_unwind(AssertUnwindSafe(work)));
    let outcome = match thread {
        Ok(thread) => thread.join(),
        Err(error) => {
            let message = format!("no thread could be made to compile on: {error}");
            return Err(Finding::error(Kind::Io, "", message).into());
        }
    };
    match outcome {
        Ok(Ok(result)) => result,
        Ok(Err(_)) | Err(_) => {
            let message = format!("{what} made the compiler panic");
            Err(Finding::error(Kind::Validate, "", message)
                .help("this is a fault in palisade: please report it with the sources")
                .into())
        }
    }
}
