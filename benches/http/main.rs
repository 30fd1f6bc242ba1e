//! Palisade over HTTP against hyper itself, the real binary, in interleaved rounds.
//!
//! `cargo bench --bench http` prints what each section measures, and one table of ratios with their
//! goals. `cargo bench --bench http -- floor policies` runs these sections alone; `--also
//! NAME=BINARY` measures another build in the same rounds; `--rounds N` takes more of them.

#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a bench that cannot go on fails, and prints its results"
)]

use std::time::{Duration, Instant};

use clap::{Parser, ValueEnum};
use tempfile::TempDir;

use load::Question;
use measure::{Cores, Plan};
use palisade::{Product, Started};
use report::Report;

#[path = "../shared/ask.rs"]
mod ask;
mod batch;
#[path = "../shared/figures.rs"]
mod figures;
mod floor;
#[path = "../shared/floors.rs"]
mod floors;
mod growth;
mod inline;
#[path = "../shared/load.rs"]
mod load;
mod log;
#[path = "../shared/measure.rs"]
mod measure;
mod palisade;
#[path = "../shared/process.rs"]
mod process;
mod report;
#[path = "../shared/sets.rs"]
mod sets;
#[path = "../shared/shipped.rs"]
mod shipped;
mod start;
mod traces;
mod unix;

/// How long a server may take until its first answer.
const PATIENCE: Duration = Duration::from_secs(180);

/// What `cargo bench --bench http -- …` takes.
#[derive(Parser)]
struct Options {
    /// Run these sections; all if none is named.
    sections: Vec<Section>,
    /// Measure another Palisade, too.
    #[arg(long, value_name = "NAME=BINARY")]
    also: Vec<Product>,
    /// How often each target is measured.
    #[arg(long, default_value_t = 7)]
    rounds: usize,
    /// What cargo says to every bench.
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Section {
    /// Against the floors.
    Floor,
    /// As policies grow.
    Policies,
    /// As stored entities grow.
    Entities,
    /// With entities in the question.
    Inline,
    /// A hundred questions in one request.
    Batch,
    /// Over a unix socket.
    Unix,
    /// With a log of every decision.
    Log,
    /// Until the first answer.
    Start,
    /// With spans of traces, and without.
    Traces,
}

/// What every section needs.
struct Bench {
    products: Vec<Product>,
    rounds: usize,
}

fn main() {
    floors::be_one_if_asked();
    let options = Options::parse();
    let bench = Bench {
        products: [vec![Product::this()], options.also].concat(),
        rounds: options.rounds,
    };
    let started = Instant::now();
    println!("{}", figures::machine());
    let mut report = Report::default();
    for section in Section::value_variants() {
        if options.sections.is_empty() || options.sections.contains(section) {
            println!();
            section.run(&bench, &mut report);
        }
    }
    report.print();
    println!("\ntook {} s", started.elapsed().as_secs());
}

impl Section {
    fn run(self, bench: &Bench, report: &mut Report) {
        match self {
            Self::Batch => batch::run(bench, report),
            Self::Entities => growth::entities(bench, report),
            Self::Floor => floor::run(bench, report),
            Self::Inline => inline::run(bench, report),
            Self::Log => log::run(bench, report),
            Self::Policies => growth::policies(bench, report),
            Self::Start => start::run(bench, report),
            Self::Traces => traces::run(bench, report),
            Self::Unix => unix::run(bench, report),
        }
    }
}

impl Bench {
    fn plan(&self) -> Plan {
        Plan {
            rounds: self.rounds,
            connections: 16,
            cores: Cores::One,
            window: Duration::from_millis(600),
        }
    }

    fn folder(&self) -> TempDir {
        tempfile::tempdir().unwrap()
    }

    /// The questions to the shipped edition, with Palisade's answers.
    fn shipped(&self) -> Vec<Question> {
        let asks = shipped::questions();
        asks.iter().map(Question::evaluation).collect()
    }

    /// Starts one product with these arguments, and asks it this question.
    fn start(
        &self,
        product: &Product,
        folder: &TempDir,
        arguments: &[String],
        first: &Question,
    ) -> Result<Started, String> {
        let socket = folder.path().join(&product.name);
        product.start(&socket, arguments, first, PATIENCE)
    }

    /// Each product, asked the first of the questions.
    fn start_all(
        &self,
        folder: &TempDir,
        arguments: &[String],
        questions: &[Question],
    ) -> Vec<(&Product, Started)> {
        let started = self.products.iter().map(|product| {
            let started = self.start(product, folder, arguments, &questions[0]);
            let started = started.unwrap_or_else(|why| panic!("{}: {why}", product.name));
            (product, started)
        });
        started.collect()
    }
}
