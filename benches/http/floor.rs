//! The shipped edition against the two floors.

use crate::{
    Bench,
    figures::Spread,
    floors::{ANSWER, Floor},
    load::Question,
    measure::{Measured, Plan, Target},
    process::Server,
    report::Report,
    shipped,
};

/// CPU of the server for one decision, to that of the floor that parses.
const CPU: f64 = 1.5;
const P50: f64 = 1.4;
const P99: f64 = 1.8;

pub(crate) fn run(bench: &Bench, report: &mut Report) {
    let decided = bench.shipped();
    let fixed: Vec<Question> = shipped::questions()
        .iter()
        .map(|ask| Question::post("/access/v1/evaluation", &ask.body, ANSWER))
        .collect();
    let folder = bench.folder();
    let floors = Floor::ALL.map(|floor| Server::floor(floor, folder.path()));
    let products = bench.start_all(&folder, &[], &decided);
    println!("| server | connections | CPU for one request | p50 | p99 | requests a second |");
    println!("|---|---|---|---|---|---|");
    for connections in [16, 1] {
        let plan = Plan {
            connections,
            ..bench.plan()
        };
        let of_floors = floors.iter().map(|server| Target {
            server,
            address: &server.tcp,
            questions: &fixed,
        });
        let of_products = products.iter().map(|(_, started)| Target {
            server: &started.server,
            address: &started.server.tcp,
            questions: &decided,
        });
        let targets: Vec<_> = of_floors.chain(of_products).collect();
        let measured = plan.run(&targets);
        let names = Floor::ALL.map(Floor::name).into_iter();
        let names = names.chain(products.iter().map(|(product, _)| product.name.as_str()));
        for (name, measured) in names.zip(&measured) {
            println!("| {name} | {connections} | {} |", measured.cells());
        }
        let [_, floor, of_products @ ..] = &measured[..] else {
            continue;
        };
        for ((product, _), measured) in products.iter().zip(of_products) {
            let ratio = |part: fn(&Measured) -> &[f64]| ratio(part(measured), part(floor));
            let name = &product.name;
            if connections == 16 {
                let cpu = ratio(|it| &it.cpu);
                let what = "CPU for one decision / floor, parse; 16 connections";
                report.at_most(what, name, cpu, CPU, "");
                continue;
            }
            let (p50, p99) = (ratio(|it| &it.p50), ratio(|it| &it.p99));
            let what = |of| format!("{of} / floor, parse; one connection");
            report.at_most(&what("p50"), name, p50, P50, "");
            report.at_most(&what("p99"), name, p99, P99, "");
        }
    }
}

/// Of what was measured in the same round.
pub(crate) fn ratio(values: &[f64], to: &[f64]) -> Spread {
    Spread::of(values.iter().zip(to).map(|(value, to)| value / to))
}
