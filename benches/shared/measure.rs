//! Rounds of questions to several servers in turn, so that what else the machine does hits all alike.

use std::{
    thread,
    time::{Duration, Instant},
};

use rustix::{
    process::Pid,
    thread::{CpuSet, sched_getaffinity, sched_setaffinity},
};

use crate::{
    figures::{Spread, quantile},
    load::{Address, Callers, Question},
    process::Server,
};

/// Until the threads of a server sleep that has nothing to do.
const SETTLE: Duration = Duration::from_millis(5);

/// What is asked, of whom.
#[derive(Clone, Copy)]
pub(crate) struct Target<'a> {
    pub(crate) server: &'a Server,
    pub(crate) address: &'a Address,
    pub(crate) questions: &'a [Question],
}

/// Which cores callers and servers may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cores {
    /// Whichever they like. Whether both sides of a connection meet on a core is chance, and waking
    /// an idle core takes as long as a whole question.
    All,
    /// All share one: nothing is left to chance, and what is measured is work alone.
    One,
}

/// How it is asked.
#[derive(Clone, Copy)]
pub(crate) struct Plan {
    pub(crate) rounds: usize,
    pub(crate) connections: usize,
    pub(crate) cores: Cores,
    pub(crate) window: Duration,
}

/// What one target's rounds gave, a value for each.
#[derive(Clone, Default)]
pub(crate) struct Measured {
    /// CPU of the server for one request, in microseconds.
    pub(crate) cpu: Vec<f64>,
    /// Latencies in microseconds.
    pub(crate) p50: Vec<f64>,
    pub(crate) p99: Vec<f64>,
    pub(crate) per_second: Vec<f64>,
}

impl Measured {
    /// Its cells of a table: CPU, p50, p99, requests a second.
    pub(crate) fn cells(&self) -> String {
        let of = |values: &[f64]| Spread::of(values.iter().copied());
        format!(
            "{:.2} µs | {:.0} µs | {:.0} µs | {:.0}",
            of(&self.cpu),
            of(&self.p50),
            of(&self.p99),
            of(&self.per_second).median
        )
    }
}

impl Cores {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::One => "one",
        }
    }

    /// To this process and all servers; `all` are those there are.
    fn give(self, targets: &[Target<'_>], all: &CpuSet) {
        let mut cores = *all;
        if self == Self::One {
            // The first often has the interrupts.
            let last = (0..CpuSet::MAX_CPU).rfind(|it| all.is_set(*it)).unwrap();
            cores = CpuSet::new();
            cores.set(last);
        }
        sched_setaffinity(None, &cores).unwrap();
        for thread in targets.iter().flat_map(|target| target.server.threads()) {
            // It may have ended since it was listed.
            let _ = sched_setaffinity(Pid::from_raw(thread), &cores);
        }
    }
}

impl Plan {
    /// Asks each target in each round.
    pub(crate) fn run(&self, targets: &[Target<'_>]) -> Vec<Measured> {
        let mut all = vec![Measured::default(); targets.len()];
        let before = sched_getaffinity(None).unwrap();
        self.cores.give(targets, &before);
        for _ in 0..self.rounds {
            for (target, measured) in targets.iter().zip(&mut all) {
                self.once(target, measured);
            }
        }
        Cores::All.give(targets, &before);
        all
    }

    fn once(&self, target: &Target<'_>, measured: &mut Measured) {
        let mut callers = Callers::connect(target.address, self.connections).unwrap();
        callers.ask(target.questions, self.window / 8).unwrap();
        thread::sleep(SETTLE);
        let before = target.server.cpu();
        let started = Instant::now();
        let mut latencies = callers.ask(target.questions, self.window).unwrap();
        let took = started.elapsed();
        thread::sleep(SETTLE);
        let cpu = target.server.cpu().since(&before);
        latencies.sort_unstable();
        let requests = latencies.len() as f64;
        let micros = |time: Duration| time.as_secs_f64() * 1e6;
        measured.cpu.push(micros(cpu) / requests);
        measured.p50.push(micros(quantile(&latencies, 0.5)));
        measured.p99.push(micros(quantile(&latencies, 0.99)));
        measured.per_second.push(requests / took.as_secs_f64());
    }
}
