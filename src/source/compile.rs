//! Compiling off the request path, where neither deep nesting nor a panic takes the service down.

use std::{panic, thread};

use crate::authz::{Finding, Kind, Rejection, Snapshot, Sources};

/// The parser and the validator recurse with the nesting of policies and schema.
const COMPILE_STACK_BYTES: usize = 256 << 20;

/// Compiles on a thread with room to recurse. A panic is the candidate's fault until proven
/// otherwise: it is refused, and the last good snapshot stays.
pub(super) fn compile(sources: Sources) -> Result<Snapshot, Rejection> {
    let thread = thread::Builder::new()
        .name("compile".to_owned())
        .stack_size(COMPILE_STACK_BYTES)
        .spawn(move || panic::catch_unwind(|| Snapshot::compile(&sources)));
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
            let message = "the sources made the compiler panic";
            Err(Finding::error(Kind::Validate, "", message)
                .help("this is a fault in palisade: please report it with the sources")
                .into())
        }
    }
}
