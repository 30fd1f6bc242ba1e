//! The shipped edition against the two floors.

use crate::{
    Bench,
    floors::{ANSWER, Floor},
    load::Question,
    measure::{Cores, Measured, Plan, Target},
    process::Server,
    report::{Report, ratio},
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
    let names: Vec<&str> = Floor::ALL
        .iter()
        .map(|it| it.name())
        .chain(products.iter().map(|(product, _)| product.name.as_str()))
        .collect();
    println!(
        "| server | cores | connections | CPU for one request | p50 | p99 | requests a second |"
    );
    println!("|---|---|---|---|---|---|---|");
    for cores in [Cores::One, Cores::All] {
        for connections in [16, 1] {
            let plan = Plan {
                cores,
                connections,
                ..bench.plan()
            };
            let measured = plan.run(&targets);
            for (name, measured) in names.iter().zip(&measured) {
                let cells = measured.cells();
                println!("| {name} | {} | {connections} | {cells} |", cores.name());
            }
            let [_, floor, of_products @ ..] = &measured[..] else {
                continue;
            };
            for (name, measured) in names.iter().skip(Floor::ALL.len()).zip(of_products) {
                rows(report, name, &plan, measured, floor);
            }
        }
    }
}

fn rows(report: &mut Report, product: &str, plan: &Plan, measured: &Measured, floor: &Measured) {
    let cores = match plan.cores {
        Cores::All => "all cores",
        Cores::One => "one core",
    };
    if plan.connections > 1 {
        let what = format!(
            "CPU for one decision / floor, parse; {} connections, {cores}",
            plan.connections
        );
        report.at_most(&what, product, ratio(&measured.cpu, &floor.cpu), CPU, "");
        return;
    }
    let what = |of| format!("{of} / floor, parse; one connection, {cores}");
    let (p50, p99) = (
        ratio(&measured.p50, &floor.p50),
        ratio(&measured.p99, &floor.p99),
    );
    report.at_most(&what("p50"), product, p50, P50, "");
    report.at_most(&what("p99"), product, p99, P99, "");
}
