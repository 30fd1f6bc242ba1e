//! What a unix socket saves over TCP, to Palisade and to the floor.

use crate::{
    Bench,
    floors::{ANSWER, Floor},
    load::{Address, Question},
    measure::Target,
    process::Server,
    report::{Report, ratio},
    shipped,
};

/// How much of what it saves the floor it must save Palisade: as much, but for the noise of the
/// difference of two differences.
const SAVED: f64 = 0.8;

pub(crate) fn run(bench: &Bench, report: &mut Report) {
    let decided = bench.shipped();
    let asks = shipped::questions();
    let post = |body: &str| Question::post("/access/v1/evaluation", body, ANSWER);
    let fixed: Vec<Question> = asks.iter().map(|ask| post(&ask.body)).collect();
    let folder = bench.folder();
    let floor = Server::floor(Floor::Parse, folder.path());
    let products = bench.start_all(&folder, &[], &decided);
    let floor = (Floor::Parse.name(), &floor, &fixed);
    let products = products
        .iter()
        .map(|(product, started)| (product.name.as_str(), &started.server, &decided));
    let servers: Vec<_> = std::iter::once(floor).chain(products).collect();
    let both = servers.iter().flat_map(|(_, server, questions)| {
        let target = |address: &'static str| Target {
            server,
            address: over(server, address),
            questions,
        };
        ["TCP", "unix"].map(target)
    });
    let measured = bench.plan().run(&both.collect::<Vec<_>>());
    println!("| server, 16 connections | CPU for one request | p50 | p99 | requests a second |");
    println!("|---|---|---|---|---|");
    let mut saved = Vec::new();
    for ((name, ..), pair) in servers.iter().zip(measured.chunks(2)) {
        for (over, measured) in ["TCP", "unix"].iter().zip(pair) {
            println!("| {name}, {over} | {} |", measured.cells());
        }
        let of_round = pair[0].cpu.iter().zip(&pair[1].cpu);
        saved.push(of_round.map(|(tcp, unix)| tcp - unix).collect::<Vec<f64>>());
    }
    for ((name, ..), of_product) in servers.iter().zip(&saved).skip(1) {
        let ratio = ratio(of_product, &saved[0]);
        let what = "CPU that a unix socket saves / what it saves the floor; 16 connections";
        report.at_least(what, name, ratio, SAVED);
    }
}

fn over<'a>(server: &'a Server, kind: &str) -> &'a Address {
    match kind {
        "TCP" => &server.tcp,
        _ => &server.unix,
    }
}
