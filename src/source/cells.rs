//! Proves the cells of the matrix of what is in force, after it is: nobody waits for it, and the
//! status page tells what came of it.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{self, Receiver, SyncSender},
    },
    thread,
    time::SystemTime,
};

use tokio::sync::oneshot;
use tracing::{info, warn};

use crate::{
    authz::{Parts, Snapshot},
    prover::{CellVerdict, Order, Outcome},
    telemetry::{CellKey, CellProof, CellProofs, CellState, Status},
};

use super::{proving::Proving, publication::Publications};

/// How far behind the threads that answer, and behind reloads, this one goes.
const NICE: i32 = 10;

/// How many cells that are not so stand in the log: the status page has all.
const MAX_SHOWN: usize = 10;

/// What is proved of the cells, and of which revision.
#[derive(Debug)]
struct Cells {
    proving: Arc<Proving>,
    publications: Arc<Publications>,
    status: Arc<Status>,
    stop: Arc<AtomicBool>,
}

/// Proves on a thread of its own whenever something else is in force, until it is told to stop.
///
/// # Errors
/// No thread can be made.
pub(super) fn start(
    proving: Arc<Proving>,
    publications: Arc<Publications>,
    status: Arc<Status>,
    stop: Arc<AtomicBool>,
) -> io::Result<(SyncSender<()>, oneshot::Receiver<()>)> {
    let (wake, woken) = mpsc::sync_channel(1);
    let (end, ended) = oneshot::channel();
    publications.wakes(wake.clone());
    let cells = Cells {
        proving,
        publications,
        status,
        stop,
    };
    let thread = thread::Builder::new().name("prove-cells".to_owned());
    thread.spawn(move || {
        // Dropped when the loop ends, also by a panic.
        let _end = end;
        // That it may fail is no loss: it would be as important as the others.
        let _ = rustix::process::nice(NICE);
        cells.run(&woken);
    })?;
    Ok((wake, ended))
}

impl Cells {
    fn run(&self, woken: &Receiver<()>) {
        let mut done: Option<String> = None;
        while !self.is_over() {
            if let Some(snapshot) = self.publications.in_force() {
                let revision = snapshot.revision().to_string();
                if done.as_ref() != Some(&revision) {
                    // What was stopped half way is to be proved when it is in force again.
                    done = self.prove(&revision, snapshot).then_some(revision);
                    // What came into force meanwhile is next, and its call may have been heard before.
                    continue;
                }
            }
            if woken.recv().is_err() {
                return;
            }
        }
    }

    fn is_over(&self) -> bool {
        self.stop.load(Ordering::Acquire)
    }

    /// Returns whether it came to an end.
    fn prove(&self, revision: &str, snapshot: Arc<Snapshot>) -> bool {
        let sources = snapshot.sources().cloned();
        // Its memory is given back by the reload loop once nobody uses it.
        drop(snapshot);
        let Some(sources) = sources else {
            return true;
        };
        let order = Order {
            candidate: &sources,
            before: None,
            no_wider: false,
            parts: Parts {
                cells: true,
                ..Parts::default()
            },
            leisurely: true,
        };
        let is_wanted = || !self.is_over() && self.publications.is_in_force(revision);
        let outcome = self.proving.prove(order, &is_wanted);
        if !is_wanted() {
            return false;
        }
        match outcome {
            Ok(outcome) if outcome.cells.is_empty() && !outcome.findings.is_empty() => {
                let why = outcome.findings.first().map(|it| it.message.as_str());
                let why = why.unwrap_or_default();
                warn!(
                    revision,
                    "nothing is proved of the cells of the matrix: {why}"
                );
            }
            // Without a table there is nothing to say.
            Ok(outcome) if outcome.cells.is_empty() => {}
            Ok(outcome) => {
                tell(revision, &outcome);
                self.status.set_proofs(Arc::new(proofs(revision, outcome)));
            }
            Err(why) => warn!(
                revision,
                "nothing is proved of the cells of the matrix: {why}"
            ),
        }
        true
    }
}

/// One line for all that is well, and one for what is not so.
fn tell(revision: &str, outcome: &Outcome) {
    let count = |verdict| outcome.cells.values().filter(|it| it.0 == verdict).count();
    let (proved, all) = (count(CellVerdict::Proved), outcome.cells.len());
    let (refuted, unknown) = (count(CellVerdict::Refuted), count(CellVerdict::Unknown));
    let asked = outcome.asked;
    info!(
        revision,
        refuted, unknown, asked, "proved {proved} of {all} cells"
    );
    if let (Some(first), 0) = (outcome.findings.first(), refuted) {
        warn!(revision, "not everything is proved: {}", first.message);
    }
    if refuted > 0 {
        let wrong = outcome.cells.iter();
        let wrong = wrong.filter(|(_, (verdict, _))| *verdict == CellVerdict::Refuted);
        let wrong = wrong.take(MAX_SHOWN).map(|(name, (_, note))| {
            let note = note.as_deref().unwrap_or_default();
            format!("{} {} {}: {note}", name.row_id, name.crud, name.role)
        });
        let cells = wrong.collect::<Vec<_>>().join("; ");
        warn!(
            revision,
            cells, "{refuted} of {all} cells are not what the table says"
        );
    }
}

fn proofs(revision: &str, outcome: Outcome) -> CellProofs {
    let cells = outcome.cells.into_iter().map(|(name, (verdict, note))| {
        let key = CellKey {
            row_id: name.row_id,
            crud: name.crud,
            role: name.role,
        };
        let state = match verdict {
            CellVerdict::Proved => CellState::Proved,
            CellVerdict::Refuted => CellState::Refuted,
            CellVerdict::Unknown => CellState::Unknown,
        };
        (key, CellProof { state, note })
    });
    CellProofs {
        revision: revision.to_owned(),
        at: SystemTime::now(),
        cells: cells.collect(),
    }
}
