//! What a log of every decision costs, in a file and in either format.

use crate::{
    Bench,
    measure::Target,
    report::{Report, ratio},
};

/// What else the server is told, and which part of the throughput without a log should be left.
const LOGS: [(&str, &[&str], f64); 4] = [
    ("no log", &[], 1.0),
    ("JSON", &["--decision-log-format=json"], 0.8),
    ("OCSF", &["--decision-log-format=ocsf"], 0.7),
    (
        "JSON, denials alone",
        &["--decision-log-sample-allows=0"],
        0.8,
    ),
];

pub(crate) fn run(bench: &Bench, report: &mut Report) {
    let questions = bench.shipped();
    for product in &bench.products {
        let folders = LOGS.map(|_| bench.folder());
        let servers = LOGS.iter().zip(&folders).map(|((_, flags, _), folder)| {
            let mut arguments: Vec<String> = flags.iter().map(|it| (*it).to_owned()).collect();
            if !flags.is_empty() {
                let file = folder.path().join("decisions.log");
                arguments.push(format!("--decision-log={}", file.display()));
            }
            let started = bench.start(product, folder, &arguments, &questions[0]);
            started.unwrap_or_else(|why| panic!("{}: {why}", product.name))
        });
        let servers: Vec<_> = servers.collect();
        let targets: Vec<Target<'_>> = servers
            .iter()
            .map(|started| Target {
                server: &started.server,
                address: &started.server.tcp,
                questions: &questions,
            })
            .collect();
        let measured = bench.plan().run(&targets);
        println!("| decision log | of | CPU for one request | p50 | p99 | requests a second |");
        println!("|---|---|---|---|---|---|");
        for ((log, ..), measured) in LOGS.iter().zip(&measured) {
            println!("| {log} | {} | {} |", product.name, measured.cells());
        }
        let Some((without, logged)) = measured.split_first() else {
            continue;
        };
        for ((log, _, goal), measured) in LOGS.iter().skip(1).zip(logged) {
            let what = format!("requests a second with a decision log ({log}) / without");
            let ratio = ratio(&measured.per_second, &without.per_second);
            report.at_least(&what, &product.name, ratio, *goal);
        }
    }
}
