//! Proving in another process of our own binary, so that neither a stack, nor memory, nor time that
//! a candidate takes is that of the process that serves. What was proved is remembered.

use std::{
    collections::{HashSet, VecDeque},
    env, io,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::Command,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use crate::authz::{Key, Parts, Sources};

use super::{
    Limits, Outcome, Prover,
    child::{self, Bounds},
    job::{Job, Texts},
    told::{Told, hex},
};

/// Our own binary, also after another one took its place on disk.
const OURSELVES: &str = "/proc/self/exe";

/// What the other process is told to do.
const COMMAND: &str = "prove-candidate";

/// How much longer than it was told we wait for the other process to give up by itself.
const PATIENCE: Duration = Duration::from_secs(2);

/// How long its answer may be. That about what ships has some 100 kB.
const MAX_ANSWER_BYTES: u64 = 64 << 20;

/// How much address space a solver may have; that of what ships has 100 MB.
const SOLVER_BYTES: u64 = 2 << 30;

/// Of how many jobs of a kind we remember what they proved: an edit that is refused, and the one
/// that mends it, start from what was known before.
const JOBS: usize = 4;

/// How much we remember of a job: what ships has a thousand claims.
const MAX_KEYS: usize = 100_000;

/// What is to be proved.
#[derive(Clone, Copy, Debug)]
pub struct Order<'s> {
    /// The candidate.
    pub candidate: &'s Sources,
    /// What was in order before: its invariants are missed if they are gone.
    pub before: Option<&'s Sources>,
    /// Whether it must not be narrower.
    pub no_wider: bool,
    /// What else.
    pub parts: Parts,
    /// Whether nobody waits for it: one solver is enough.
    pub leisurely: bool,
}

/// Proves in another process, in bounded time and memory.
#[derive(Debug)]
pub struct Supervised {
    program: PathBuf,
    solver: Prover,
    time: Duration,
    known: Mutex<Known>,
}

/// The keys of what was proved, by job, newest last: those of candidates, and those of cells.
#[derive(Debug, Default)]
struct Known {
    candidates: VecDeque<HashSet<Key>>,
    cells: VecDeque<HashSet<Key>>,
}

impl Supervised {
    /// Proves with this solver, each candidate for so long.
    ///
    /// # Errors
    /// Nobody knows where our own binary is.
    pub fn new(solver: Prover, time: Duration) -> io::Result<Self> {
        let program = match Path::new(OURSELVES).exists() {
            true => OURSELVES.into(),
            false => env::current_exe()?,
        };
        Ok(Self {
            program,
            solver,
            time,
            known: Mutex::default(),
        })
    }

    /// Proves what is not known to be proved. Blocks; `go_on` is asked now and then.
    ///
    /// # Errors
    /// Why nothing is known.
    pub fn prove(&self, order: Order<'_>, go_on: &dyn Fn() -> bool) -> Result<Outcome, String> {
        let failed = |why: String| format!("the proofs could not be done: {why}");
        let job = self.job(order);
        let mut line = serde_json::to_vec(&job).map_err(|error| failed(error.to_string()))?;
        line.push(b'\n');
        let bounds = Bounds {
            time: self.time.saturating_add(PATIENCE),
            answer_bytes: MAX_ANSWER_BYTES,
        };
        let mut command = Command::new(&self.program);
        command.arg0("palisade").arg(COMMAND);
        let answer = child::run(&mut command, &line, bounds, go_on);
        let answer = answer.map_err(|error| failed(format!("the process that proves: {error}")))?;
        let told: Told = serde_json::from_slice(&answer)
            .map_err(|error| failed(format!("the process that proves says nonsense: {error}")))?;
        let mut outcome = Outcome::from(told);
        let proved = std::mem::take(&mut outcome.proved);
        self.known().learn(order.parts.cells, proved);
        Ok(outcome)
    }

    fn job(&self, order: Order<'_>) -> Job {
        let limits = Limits::default();
        let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        Job {
            candidate: Texts::of(order.candidate),
            before: order.before.map(Texts::compared),
            no_wider: order.no_wider,
            cells: order.parts.cells,
            invariants: order.parts.invariants,
            errors: order.parts.errors,
            known: self.known().all(),
            solver: self.solver.program.clone(),
            solvers: if order.leisurely { 1 } else { limits.solvers },
            time_ms: ms(self.time),
            claim_time_ms: ms(limits.claim_time.min(self.time)),
            solver_bytes: SOLVER_BYTES,
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        // No change can panic half way.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn learn(&mut self, cells: bool, proved: HashSet<Key>) {
        let jobs = match cells {
            true => &mut self.cells,
            false => &mut self.candidates,
        };
        // What nobody could prove anything of does not make us forget.
        if proved.is_empty() {
            return;
        }
        jobs.push_back(proved.into_iter().take(MAX_KEYS).collect());
        while jobs.len() > JOBS {
            jobs.pop_front();
        }
    }

    /// Everything, in hexadecimal.
    fn all(&self) -> Vec<String> {
        let jobs = self.candidates.iter().chain(&self.cells);
        let keys: HashSet<&Key> = jobs.flatten().collect();
        keys.into_iter().map(hex).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_last_jobs_proved_is_known_and_no_more() {
        let mut known = Known::default();
        known.learn(true, HashSet::from([[200; 32]]));
        for job in 0..10 {
            known.learn(false, HashSet::from([[job; 32], [100; 32]]));
            known.learn(false, HashSet::new());
        }
        let mut all = known.all();
        all.sort();
        let expected = [6, 7, 8, 9, 100, 200].map(|byte| hex(&[byte; 32]));
        assert_eq!(all, expected);
    }
}
