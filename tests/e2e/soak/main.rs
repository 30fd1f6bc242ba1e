//! Minutes of edits and questions at the same time, on the real binary: whatever happens to the
//! sources, every question is answered, by a set that was in force, as Cedar itself answers it.
//!
//! `--minutes N` (3), `--seed N` (drawn from the clock), `--palisade FILE` (the release build). The
//! seed gives the sets, the faults and their order; how they fall together with questions is up to
//! the machine. Exit code 1, and the first things that went wrong in full, if any did.

#![expect(clippy::unwrap_used, reason = "a soak that cannot go on ends")]
#![expect(clippy::expect_used, reason = "as above")]
#![expect(clippy::panic, reason = "as above")]
#![expect(clippy::indexing_slicing, reason = "as above")]
#![expect(clippy::print_stdout, reason = "the table is what it is for")]

use std::{
    path::PathBuf,
    process::ExitCode,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use clap::Parser;

mod asked;
mod clock;
mod disk;
mod draw;
mod driver;
mod faults;
mod history;
mod http;
mod load;
mod offered;
mod oracle;
mod pages;
mod report;
mod server;
mod sets;
mod trouble;
mod vitals;

use clock::Stalls;
use disk::Disk;
use draw::Draw;
use driver::Driver;
use history::History;
use load::{Stage, Tally};
use offered::Offered;
use report::Report;
use server::Server;
use sets::Sets;
use trouble::Trouble;

/// Connections that ask without a break.
const CALLERS: usize = 4;

/// Random edits of all kinds under load, and a look at whether every answer is right.
#[derive(Parser)]
struct Args {
    /// How long
    #[arg(long, default_value_t = 3.0)]
    minutes: f64,
    /// What edits and questions are drawn from [default: the clock]
    #[arg(long)]
    seed: Option<u64>,
    /// The binary
    #[arg(long, default_value = "target/release/palisade")]
    palisade: PathBuf,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let seed = args.seed.unwrap_or_else(clock::now);
    println!("soak: {} minutes, --seed {seed}", args.minutes);
    let report = soak(&args, seed);
    print!("{report}");
    if report.troubles > 0 {
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

/// Ends the load and the server when it is dropped.
struct Curtain<'s>(&'s Stage<'s>);

impl Drop for Curtain<'_> {
    fn drop(&mut self) {
        self.0.over.store(true, Ordering::SeqCst);
        self.0.server.end();
    }
}

fn soak(args: &Args, seed: u64) -> Report {
    let mut draw = Draw::seeded(seed);
    let (trouble, offered) = (Trouble::new(seed), Offered::new());
    let (history, over) = (History::default(), AtomicBool::new(false));
    let stalls = Stalls::default();
    let mut sets = Sets::new(Draw::seeded(draw.number()));
    let set = sets.fresh();
    let disk = Disk::new(&set.files, &offered);
    let binary = args.palisade.canonicalize().expect("the binary is built");
    let (server, log) = Server::start(&binary, disk.root());
    let stage = Stage {
        server: &server,
        offered: &offered,
        history: &history,
        trouble: &trouble,
        stalls: &stalls,
        over: &over,
    };
    let time = Duration::from_secs_f64(args.minutes * 60.0);
    thread::scope(|scope| {
        // Everybody waits for these two, also when the driver cannot go on.
        let _curtain = Curtain(&stage);
        let reader = scope.spawn(|| log.for_each(|line| history.read(&line, &trouble)));
        let callers: Vec<_> = (0..CALLERS)
            .map(|_| Draw::seeded(draw.number()))
            .map(|draw| scope.spawn(|| load::ask(&stage, draw)))
            .collect();
        let admin = scope.spawn(|| load::administer(&stage));
        scope.spawn(|| {
            while !over.load(Ordering::SeqCst) {
                stalls.pulse();
            }
        });
        let watch = scope.spawn(|| vitals::watch(&stage));
        let mut driver = Driver::new(&stage, disk, sets, set, draw);
        driver.run(Instant::now() + time);
        let unchanged = driver.unchanged();
        over.store(true, Ordering::SeqCst);
        let mut tally = Tally::default();
        for caller in callers {
            tally.add(caller.join().unwrap());
        }
        let looks = admin.join().unwrap();
        let samples = watch.join().unwrap();
        for grown in vitals::grown(&samples) {
            trouble.tell(&format!("it grows: {grown}"));
        }
        match server.end() {
            Some(status) if status.success() => {}
            status => trouble.tell(&format!("it did not end with 0 on SIGTERM: {status:?}")),
        }
        reader.join().unwrap();
        Report::of(&driver, tally, looks, samples, unchanged)
    })
}
