//! A batch of a hundred against a hundred requests.

use crate::{
    Bench,
    load::Question,
    measure::Target,
    report::{Report, ratio},
    shipped,
};

const ITEMS: usize = 100;

/// Of the CPU of single requests.
const PART: f64 = 0.25;

pub(crate) fn run(bench: &Bench, report: &mut Report) {
    let asks = shipped::questions();
    let batch = [Question::evaluations(asks.iter().cycle().take(ITEMS))];
    let single = bench.shipped();
    let folder = bench.folder();
    let products = bench.start_all(&folder, &[], &single);
    let targets: Vec<Target<'_>> = products
        .iter()
        .flat_map(|(_, started)| {
            [&single[..], &batch[..]].map(|questions| Target {
                server: &started.server,
                address: &started.server.tcp,
                questions,
            })
        })
        .collect();
    let measured = bench.plan().run(&targets);
    println!("| request | of | CPU for one request | p50 | p99 | requests a second |");
    println!("|---|---|---|---|---|---|");
    for ((product, _), pair) in products.iter().zip(measured.chunks(2)) {
        for (kind, measured) in ["single", "batch of 100"].iter().zip(pair) {
            println!("| {kind} | {} | {} |", product.name, measured.cells());
        }
        let [single, batch] = pair else { continue };
        let hundred: Vec<f64> = single.cpu.iter().map(|it| it * ITEMS as f64).collect();
        let what = "CPU of a batch of 100 / of 100 single requests";
        let ratio = ratio(&batch.cpu, &hundred);
        report.at_most(what, &product.name, ratio, PART, "");
    }
}
