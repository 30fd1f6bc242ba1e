//! Proves what the core asks: puts its claims to a solver, several at once, and never takes a claim
//! for true that the solver did not say is.

use std::{
    collections::HashSet,
    env, io,
    path::PathBuf,
    process::Command,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use crate::authz::{Dead, Key, Obligation, Proofs, Report};

mod asking;
mod child;
mod job;
mod session;
mod solver;
mod supervised;
mod told;
mod worker;

use asking::{Asking, One, by_shape};
use child::{Bounds, ChildError};
use session::Session;
pub use supervised::{Order, Supervised};
pub use told::{CellName, CellVerdict, Outcome};
pub use worker::{WorkError, work};

/// Claims recurse with the nesting of policies, as compiling does.
const STACK_BYTES: usize = 256 << 20;

/// The variable that names the solver; without it `cvc5` is sought on the path.
const SOLVER: &str = "CVC5";

/// How long a solver may take to say its version.
const VERSION: Bounds = Bounds {
    time: Duration::from_secs(10),
    answer_bytes: 1 << 16,
};

/// What proving may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How long the solver may think about one claim.
    pub claim_time: Duration,
    /// How much address space a solver may have, in bytes.
    pub solver_bytes: u64,
    /// How many solvers work at once.
    pub solvers: usize,
    /// When all must be over: what is not proved by then is not known.
    pub until: Option<Instant>,
    /// Whether one counterexample for each statement is enough: the other shapes of requests about
    /// which it may be wrong are left out.
    pub brief: bool,
}

impl Default for Limits {
    /// Claims about what ships take milliseconds, and 100 MB.
    fn default() -> Self {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        Self {
            claim_time: Duration::from_secs(10),
            solver_bytes: 4 << 30,
            solvers: cores.min(4),
            until: None,
            brief: false,
        }
    }
}

impl Limits {
    /// How much of a time is left.
    fn of(self, time: Duration) -> Duration {
        let left = self
            .until
            .map(|until| until.saturating_duration_since(Instant::now()));
        left.map_or(time, |left| left.min(time))
    }
}

/// There is no solver.
#[derive(Debug, thiserror::Error)]
#[error(
    "there is no solver: `{}`: {source} (install cvc5, as with `apt-get install cvc5`, or name it in `{SOLVER}`)",
    program.display()
)]
pub struct NoSolver {
    program: PathBuf,
    source: ChildError,
}

/// A solver, and what it may take.
#[derive(Clone, Debug)]
pub struct Prover {
    program: PathBuf,
    version: String,
    limits: Limits,
}

/// What came of obligations.
#[derive(Debug, Default)]
pub struct Proved {
    /// Each with its verdict.
    pub report: Report,
    /// Of what is proved.
    pub keys: Vec<Key>,
    /// How many claims were put to the solver; the others were known.
    pub asked: usize,
}

impl Prover {
    /// The solver that `CVC5` names, or the path has. It is run once, to know that it is one.
    ///
    /// # Errors
    /// There is none.
    pub fn find(limits: Limits) -> Result<Self, NoSolver> {
        let program = env::var_os(SOLVER).filter(|it| !it.is_empty());
        let program = PathBuf::from(program.unwrap_or_else(|| "cvc5".into()));
        let mut command = Command::new(&program);
        let said = child::run(command.arg("--version"), b"", VERSION, &|| true);
        let version = said.and_then(|answer| {
            let text = String::from_utf8_lossy(&answer);
            let first = text.lines().next().unwrap_or_default();
            let version = first.split_whitespace().skip_while(|it| *it != "version");
            let version = version.skip(1).map(|it| it.trim_end_matches(','));
            version
                .map(str::to_owned)
                .next()
                .ok_or_else(|| io::Error::other("it does not say its version").into())
        });
        match version {
            Ok(version) => Ok(Self {
                program,
                version,
                limits,
            }),
            Err(source) => Err(NoSolver { program, source }),
        }
    }

    /// A solver that was found before.
    fn known(program: PathBuf, limits: Limits) -> Self {
        Self {
            program,
            version: String::new(),
            limits,
        }
    }

    /// The same, with so much time from now on at most.
    fn hurried(&self, time: Duration) -> Self {
        let until = Instant::now().checked_add(self.limits.of(time));
        let limits = Limits {
            until: until.or(self.limits.until),
            ..self.limits
        };
        Self {
            limits,
            ..self.clone()
        }
    }

    /// The solver's version.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Puts obligations to the solver, but for those whose keys are known to be proved. Blocks.
    pub fn prove(
        &self,
        proofs: &Proofs<'_>,
        obligations: Vec<Obligation>,
        known: &HashSet<Key>,
    ) -> Proved {
        let groups = by_shape(obligations);
        let refuted = Mutex::default();
        let asking = Asking {
            proofs,
            known,
            refuted: self.limits.brief.then_some(&refuted),
        };
        let done = self.share(proofs, groups.len(), |session, group| {
            let group = groups.get(group).map(Vec::as_slice).unwrap_or_default();
            group
                .iter()
                .flat_map(|(place, obligation)| {
                    let proved = asking.prove(session, obligation);
                    proved.into_iter().map(|it| (*place, it))
                })
                .collect::<Vec<_>>()
        });
        let mut done: Vec<(usize, One)> = done.into_iter().flatten().flatten().collect();
        // What a thread left undone is not known; nothing is lost.
        let have: HashSet<usize> = done.iter().map(|(place, _)| *place).collect();
        let missing = groups.iter().flatten();
        let missing = missing.filter(|(place, _)| !have.contains(place));
        let missing =
            missing.map(|(place, it)| (*place, One::unknown(it, "the prover broke down")));
        done.extend(missing.collect::<Vec<_>>());
        done.sort_by_key(|(place, _)| *place);
        let mut proved = Proved::default();
        for (_, one) in done {
            proved.asked += usize::from(one.asked);
            proved.keys.extend(one.key);
            proved.report.results.extend(one.result);
        }
        proved.report.settle();
        proved
    }

    /// The policies and invariants that decide nothing, in reading order, and why it is not known of
    /// others. Blocks.
    pub fn dead(&self, proofs: &Proofs<'_>) -> (Vec<Dead>, Vec<String>) {
        let all: Vec<usize> = (0..proofs.suspects()).collect();
        self.dead_among(proofs, &all)
    }

    /// [`Self::dead`], of those at these places.
    pub fn dead_among(&self, proofs: &Proofs<'_>, places: &[usize]) -> (Vec<Dead>, Vec<String>) {
        let done = self.share(proofs, places.len(), |session, piece| {
            let place = places.get(piece).copied().unwrap_or(usize::MAX);
            proofs.dead(place, &mut |claim| session.holds(claim))
        });
        let (mut dead, mut unknown) = (Vec::new(), Vec::new());
        for one in done {
            match one {
                Some(Ok(found)) => dead.extend(found),
                Some(Err(why)) => unknown.push(why),
                None => unknown.push("the prover broke down".to_owned()),
            }
        }
        (dead, unknown)
    }

    /// Does so many pieces of work, each with some session; nothing for those that broke it.
    fn share<T: Send>(
        &self,
        proofs: &Proofs<'_>,
        pieces: usize,
        work: impl Fn(&mut Session<'_>, usize) -> T + Sync,
    ) -> Vec<Option<T>> {
        let next = AtomicUsize::new(0);
        let done: Mutex<Vec<Option<T>>> = Mutex::new((0..pieces).map(|_| None).collect());
        let worker = || {
            let mut session = Session::new(self, proofs.schema());
            loop {
                let piece = next.fetch_add(1, Ordering::Relaxed);
                if piece >= pieces {
                    return;
                }
                let result = work(&mut session, piece);
                let mut done = done.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(place) = done.get_mut(piece) {
                    *place = Some(result);
                }
            }
        };
        let workers = self.limits.solvers.min(pieces).max(1);
        thread::scope(|scope| {
            let threads: Vec<_> = (0..workers)
                .filter_map(|_| {
                    let thread = thread::Builder::new().name("prove".to_owned());
                    thread
                        .stack_size(STACK_BYTES)
                        .spawn_scoped(scope, worker)
                        .ok()
                })
                .collect();
            for thread in threads {
                // A panic costs the piece it was at: what is missing is told as not known.
                let _ = thread.join();
            }
        });
        done.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}
