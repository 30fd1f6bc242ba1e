//! The core alone, in process: how long a decision takes from the raw query to the answer.
//!
//! `cargo bench --bench decide` prints nanoseconds of CPU for one decision, medians of interleaved
//! rounds on one core: over the shipped edition, as policies and stored entities grow, with entities in
//! the question, and for each shape of a policy's scope. `cargo bench --bench decide -- policies`
//! runs that section alone.

#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a bench that cannot go on fails, and prints its results"
)]

use std::time::Duration;

use ::palisade::authz::Snapshot;
use clap::{Parser, ValueEnum};
use rustix::{
    thread::{CpuSet, sched_getaffinity, sched_setaffinity},
    time::{ClockId, clock_gettime},
};

use ask::Ask;
use core_alone::Parsed;
use figures::Spread;
use sets::{Extra, FEWEST_POLICIES, Set};

#[path = "../shared/ask.rs"]
mod ask;
#[path = "../shared/core.rs"]
mod core_alone;
#[path = "../shared/figures.rs"]
#[expect(dead_code, reason = "latencies are for those who wait")]
mod figures;
mod scopes;
#[path = "../shared/sets.rs"]
mod sets;
#[path = "../shared/shipped.rs"]
mod shipped;
mod store;

/// How long one case is decided in one round.
const WINDOW: Duration = Duration::from_millis(40);

const POLICIES: [usize; 2] = [1_000, 10_000];

/// What `cargo bench --bench decide -- …` takes.
#[derive(Parser)]
struct Options {
    /// Run these sections; all if none is named.
    sections: Vec<Section>,
    /// How often each case is measured.
    #[arg(long, default_value_t = 7)]
    rounds: usize,
    /// What cargo says to every bench.
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Section {
    /// The edition that ships.
    Shipped,
    /// As policies grow.
    Policies,
    /// As stored entities grow.
    Entities,
    /// With entities in the question.
    Inline,
    /// For each shape of a scope.
    Scopes,
}

/// What is decided, by what.
struct Case<'a> {
    snapshot: &'a Snapshot,
    asks: &'a [Ask],
}

/// While it lives, this thread stays on one core.
struct OneCore {
    before: CpuSet,
}

fn main() {
    store::be_one_if_asked();
    let options = Options::parse();
    println!("{}", figures::machine());
    for section in Section::value_variants() {
        if options.sections.is_empty() || options.sections.contains(section) {
            println!();
            section.run(options.rounds);
        }
    }
}

impl Section {
    fn run(self, rounds: usize) {
        match self {
            Self::Entities => store::run(rounds),
            Self::Inline => inline(rounds),
            Self::Policies => policies(rounds),
            Self::Scopes => scopes::run(rounds),
            Self::Shipped => of_shipped(rounds),
        }
    }
}

fn of_shipped(rounds: usize) {
    let snapshot = core_alone::shipped();
    let asks = shipped::questions();
    let (allowed, denied): (Vec<Ask>, Vec<Ask>) = asks.iter().cloned().partition(|it| it.allowed);
    let kinds = [("mixed", &asks), ("allowed", &allowed), ("denied", &denied)];
    let cases = kinds.map(|(_, asks)| Case {
        snapshot: &snapshot,
        asks,
    });
    println!("| shipped edition | ns for one decision |");
    println!("|---|---|");
    for ((name, _), nanos) in kinds.iter().zip(measure(rounds, &cases)) {
        println!("| {name} | {:.0} |", Spread::of(nanos));
    }
}

fn policies(rounds: usize) {
    let asks = sets::to_policies();
    let fewest = core_alone::compiled(Set::of_policies(Extra::Actions, FEWEST_POLICIES));
    let mut names = vec![FEWEST_POLICIES.to_string()];
    let mut snapshots = vec![fewest];
    for extra in Extra::ALL {
        for count in POLICIES {
            names.push(format!("{count}, more about {}", extra.name()));
            snapshots.push(core_alone::compiled(Set::of_policies(extra, count)));
        }
    }
    let cases: Vec<Case<'_>> = snapshots
        .iter()
        .map(|snapshot| Case {
            snapshot,
            asks: &asks,
        })
        .collect();
    table("policies", &names, &measure(rounds, &cases));
}

fn inline(rounds: usize) {
    let snapshot = core_alone::compiled(Set::of_brought());
    let (stored, inline) = (sets::stored(), sets::inline());
    let cases = [&stored, &inline].map(|asks| Case {
        snapshot: &snapshot,
        asks,
    });
    let names = ["stored", "10 inline"].map(ToOwned::to_owned);
    table("entities", &names, &measure(rounds, &cases));
}

/// Prints the rows with their ratios to the first.
fn table(what: &str, names: &[String], nanos: &[Vec<f64>]) {
    println!("| {what} | ns for one decision | to the first |");
    println!("|---|---|---|");
    for (name, of_case) in names.iter().zip(nanos) {
        let ratios = of_case.iter().zip(&nanos[0]).map(|(it, first)| it / first);
        let (nanos, ratio) = (Spread::of(of_case.iter().copied()), Spread::of(ratios));
        println!("| {name} | {nanos:.0} | {ratio} |");
    }
}

/// For each case the nanoseconds of each round.
fn measure(rounds: usize, cases: &[Case<'_>]) -> Vec<Vec<f64>> {
    let parsed: Vec<Vec<Parsed<'_>>> = cases
        .iter()
        .map(|case| case.asks.iter().map(Parsed::of).collect())
        .collect();
    let _on_one = OneCore::take();
    let mut all = vec![Vec::new(); cases.len()];
    for _ in 0..rounds {
        for ((case, parsed), nanos) in cases.iter().zip(&parsed).zip(&mut all) {
            nanos.push(round(case.snapshot, parsed));
        }
    }
    all
}

/// Decides some of the questions for the time of a window; nanoseconds for each.
fn round(snapshot: &Snapshot, questions: &[Parsed<'_>]) -> f64 {
    /// Between two looks at the clock, which takes as long as a fast decision.
    const AT_ONCE: usize = 16;
    // What the case before left in the caches is none of this one's business.
    for question in questions.iter().rev().take(AT_ONCE) {
        question.decide(snapshot);
    }
    let started = on_cpu();
    let mut decided = 0;
    loop {
        for question in questions
            .iter()
            .cycle()
            .skip(decided % questions.len())
            .take(AT_ONCE)
        {
            question.decide(snapshot);
        }
        decided += AT_ONCE;
        let took = on_cpu() - started;
        if took >= WINDOW {
            return took.as_nanos() as f64 / decided as f64;
        }
    }
}

/// How long this thread was on a CPU so far.
fn on_cpu() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::try_from(time).unwrap()
}

impl OneCore {
    fn take() -> Self {
        let before = sched_getaffinity(None).unwrap();
        // The first often has the interrupts.
        let last = (0..CpuSet::MAX_CPU).rfind(|it| before.is_set(*it)).unwrap();
        let mut one = CpuSet::new();
        one.set(last);
        sched_setaffinity(None, &one).unwrap();
        Self { before }
    }
}

impl Drop for OneCore {
    fn drop(&mut self) {
        sched_setaffinity(None, &self.before).unwrap();
    }
}
