//! From the start of the process to the first answer, with the edition that ships; and its memory.

use crate::{Bench, figures::Spread, report::Report};

const MILLISECONDS: f64 = 30.0;
const MEBIBYTES: f64 = 25.0;

pub(crate) fn run(bench: &Bench, report: &mut Report) {
    let questions = bench.shipped();
    let folder = bench.folder();
    let mut took = vec![Vec::new(); bench.products.len()];
    let mut memory = vec![Vec::new(); bench.products.len()];
    for _ in 0..2 * bench.rounds {
        for (number, product) in bench.products.iter().enumerate() {
            let started = bench.start(product, &folder, &[], &questions[0]);
            let started = started.unwrap_or_else(|why| panic!("{}: {why}", product.name));
            took[number].push(started.took.as_secs_f64() * 1e3);
            memory[number].push(started.server.memory() as f64 / f64::from(1 << 20));
        }
    }
    for ((product, took), memory) in bench.products.iter().zip(took).zip(memory) {
        let (took, memory) = (Spread::of(took), Spread::of(memory));
        let what = "start of the process to the first answer";
        report.at_most(what, &product.name, took, MILLISECONDS, " ms");
        let what = "resident memory after the first answer";
        report.at_most(what, &product.name, memory, MEBIBYTES, " MiB");
    }
}
