//! What hyper alone costs on this machine: the floor that Palisade is measured against.
//!
//! `cargo bench --bench floor` prints the CPU of the server for one request, latencies and requests
//! a second, and its memory, once for a fixed answer and once with the question parsed.

#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a bench that cannot go on fails, and prints its results"
)]

use std::time::Duration;

use floors::Floor;
use load::Question;
use measure::{Cores, Plan, Target};
use process::Server;

#[path = "shared/ask.rs"]
mod ask;
#[path = "shared/figures.rs"]
mod figures;
#[path = "shared/floors.rs"]
mod floors;
#[path = "shared/load.rs"]
#[expect(dead_code, reason = "a floor knows no answers")]
mod load;
#[path = "shared/measure.rs"]
mod measure;
#[path = "shared/process.rs"]
mod process;
#[path = "shared/shipped.rs"]
mod shipped;

const ROUNDS: usize = 4;
const WINDOW: Duration = Duration::from_millis(500);

fn main() {
    floors::be_one_if_asked();
    let folder = tempfile::tempdir().unwrap();
    let questions: Vec<Question> = shipped::questions()
        .iter()
        .map(|ask| Question::post("/access/v1/evaluation", &ask.body, floors::ANSWER))
        .collect();
    let servers = Floor::ALL.map(|floor| Server::floor(floor, folder.path()));
    println!("{}\n", figures::machine());
    println!(
        "| server | cores | connections | CPU for one request | p50 | p99 | requests a second |"
    );
    println!("|---|---|---|---|---|---|---|");
    for (cores, connections, over) in [
        (Cores::One, 16, "TCP"),
        (Cores::One, 16, "unix"),
        (Cores::One, 1, "TCP"),
        (Cores::One, 1, "unix"),
        (Cores::All, 16, "TCP"),
        (Cores::All, 1, "TCP"),
    ] {
        let plan = Plan {
            rounds: ROUNDS,
            connections,
            cores,
            window: WINDOW,
        };
        let targets = servers.each_ref().map(|server| Target {
            server,
            address: match over {
                "TCP" => &server.tcp,
                _ => &server.unix,
            },
            questions: &questions,
        });
        for (floor, measured) in Floor::ALL.iter().zip(plan.run(&targets)) {
            let name = floor.name();
            let cells = measured.cells();
            println!(
                "| {name}, {over} | {} | {connections} | {cells} |",
                cores.name()
            );
        }
    }
    println!();
    for (floor, server) in Floor::ALL.iter().zip(&servers) {
        let mebibytes = |bytes| bytes as f64 / f64::from(1 << 20);
        let (now, most) = (mebibytes(server.memory()), mebibytes(server.peak_memory()));
        println!("{}: {now:.1} MiB resident, {most:.1} at most", floor.name());
    }
}
