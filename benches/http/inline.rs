//! Ten entities that come with the question, against the same ten stored.

use crate::{
    Bench,
    growth::Folder,
    load::Question,
    measure::Target,
    report::{Report, ratio},
    sets::{self, Set},
};

const TIMES: f64 = 2.0;

pub(crate) fn run(bench: &Bench, report: &mut Report) {
    let questions = [sets::stored(), sets::inline()].map(|asks| {
        asks.iter()
            .map(Question::evaluation)
            .collect::<Vec<Question>>()
    });
    let bytes = questions.each_ref().map(|it| it[0].request.len());
    println!(
        "| entities | requests of | of | CPU for one request | p50 | p99 | requests a second |"
    );
    println!("|---|---|---|---|---|---|---|");
    let set = Folder::of(&Set::of_brought());
    let sockets = bench.folder();
    let products = bench.start_all(&sockets, &set.arguments(), &questions[0]);
    let targets: Vec<Target<'_>> = products
        .iter()
        .flat_map(|(_, started)| {
            questions.each_ref().map(|questions| Target {
                server: &started.server,
                address: &started.server.tcp,
                questions,
            })
        })
        .collect();
    let measured = bench.plan().run(&targets);
    for ((product, _), pair) in products.iter().zip(measured.chunks(2)) {
        for ((kind, bytes), measured) in ["stored", "10 inline"].iter().zip(bytes).zip(pair) {
            let (name, cells) = (&product.name, measured.cells());
            println!("| {kind} | {bytes} bytes | {name} | {cells} |");
        }
        let [stored, inline] = pair else { continue };
        let what = "CPU with 10 inline entities / with the same stored";
        let ratio = ratio(&inline.cpu, &stored.cpu);
        report.at_most(what, &product.name, ratio, TIMES, "");
    }
}
