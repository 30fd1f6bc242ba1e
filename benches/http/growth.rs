//! What a decision costs as policies and stored entities grow.

use std::fs;

use tempfile::TempDir;

use crate::{
    Bench,
    figures::Spread,
    load::Question,
    measure::{Measured, Target},
    palisade::Started,
    report::{Report, ratio},
    sets::{self, Extra, FEWEST_POLICIES, Set},
};

const POLICIES: [usize; 2] = [1_000, 10_000];
const OF_POLICIES: f64 = 1.15;

const ENTITIES: [usize; 3] = [100, 10_000, 1_000_000];
const OF_ENTITIES: f64 = 1.25;
const BYTES: f64 = 1_000.0;
const SECONDS: f64 = 60.0;

/// A set on disk.
pub(crate) struct Folder(TempDir);

/// A product that serves one set.
struct Serving<'a> {
    product: &'a str,
    set: String,
    started: Started,
    questions: &'a [Question],
}

impl Folder {
    pub(crate) fn of(set: &Set) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        fs::write(path.join("schema.cedarschema"), &set.schema).unwrap();
        for (name, ending, files) in [
            ("policies", "cedar", &set.policies),
            ("entities", "json", &set.entities),
        ] {
            fs::create_dir(path.join(name)).unwrap();
            for (number, text) in files.iter().enumerate() {
                fs::write(path.join(format!("{name}/{number:03}.{ending}")), text).unwrap();
            }
        }
        Self(folder)
    }

    /// Serves it, and does not look at it again meanwhile.
    pub(crate) fn arguments(&self) -> [String; 5] {
        let path = self.0.path().display();
        [
            format!("--policies={path}/policies"),
            format!("--schema={path}/schema.cedarschema"),
            format!("--entities={path}/entities"),
            "--watch=poll".to_owned(),
            "--poll-interval=1h".to_owned(),
        ]
    }
}

pub(crate) fn policies(bench: &Bench, report: &mut Report) {
    let questions: Vec<Question> = sets::to_policies()
        .iter()
        .map(Question::evaluation)
        .collect();
    let grown = Extra::ALL
        .into_iter()
        .flat_map(|extra| POLICIES.map(|count| (extra, count)));
    let sets = std::iter::once((Extra::Actions, FEWEST_POLICIES)).chain(grown);
    let mut serving = Vec::new();
    for (extra, count) in sets {
        let folder = Folder::of(&Set::of_policies(extra, count));
        let name = match count {
            FEWEST_POLICIES => format!("{count}"),
            _ => format!("{count}, more about {}", extra.name()),
        };
        serve_all(bench, &folder, &name, &questions, &mut serving, |_, why| {
            panic!("{why}")
        });
    }
    let measured = measure(bench, "policies", &serving);
    for product in &bench.products {
        let mut of_product = serving.iter().zip(&measured);
        let mut of_product = of_product
            .by_ref()
            .filter(|(it, _)| it.product == product.name);
        let Some((_, fewest)) = of_product.next() else {
            continue;
        };
        for (serving, measured) in of_product {
            let what = format!("CPU with policies: {} / {FEWEST_POLICIES}", serving.set);
            let ratio = ratio(&measured.cpu, &fewest.cpu);
            report.at_most(&what, &product.name, ratio, OF_POLICIES, "");
        }
    }
}

pub(crate) fn entities(bench: &Bench, report: &mut Report) {
    let questions = ENTITIES.map(|count| {
        let asks = sets::to_entities(count);
        asks.iter()
            .map(Question::evaluation)
            .collect::<Vec<Question>>()
    });
    let mut serving = Vec::new();
    for (count, questions) in ENTITIES.iter().zip(&questions) {
        let folder = Folder::of(&Set::of_entities(*count));
        let name = count.to_string();
        serve_all(
            bench,
            &folder,
            &name,
            questions,
            &mut serving,
            |product, why| {
                let what = format!("{count} stored entities");
                report.missed(&what, product, why, "to serve them");
            },
        );
    }
    let measured = measure(bench, "stored entities", &serving);
    let [fewest, _, most] = ENTITIES;
    for product in &bench.products {
        let of_product: Vec<_> = serving
            .iter()
            .zip(&measured)
            .filter(|(it, _)| it.product == product.name)
            .collect();
        let [(first, of_fewest), grown @ ..] = &of_product[..] else {
            continue;
        };
        for (serving, measured) in grown {
            let what = format!("CPU with stored entities: {} / {fewest}", serving.set);
            let ratio = ratio(&measured.cpu, &of_fewest.cpu);
            report.at_most(&what, &product.name, ratio, OF_ENTITIES, "");
        }
        let Some((last, _)) = grown.iter().find(|(it, _)| it.set == most.to_string()) else {
            continue;
        };
        let memory = |serving: &Serving<'_>| serving.started.server.memory() as f64;
        let each = (memory(last) - memory(first)) / (most - fewest) as f64;
        let what = format!("resident memory for one of {most} stored entities");
        report.at_most(&what, &product.name, Spread::of([each]), BYTES, " bytes");
        let took = Spread::of([last.started.took.as_secs_f64()]);
        let what = format!("start to the first answer with {most} stored entities");
        report.at_most(&what, &product.name, took, SECONDS, " s");
    }
}

fn serve_all<'a>(
    bench: &'a Bench,
    folder: &Folder,
    set: &str,
    questions: &'a [Question],
    serving: &mut Vec<Serving<'a>>,
    mut failed: impl FnMut(&str, &str),
) {
    let sockets = bench.folder();
    for product in &bench.products {
        let product_name = product.name.as_str();
        match bench.start(product, &sockets, &folder.arguments(), &questions[0]) {
            Ok(started) => serving.push(Serving {
                product: product_name,
                set: set.to_owned(),
                started,
                questions,
            }),
            Err(why) => failed(product_name, &why),
        }
    }
}

fn measure(bench: &Bench, what: &str, serving: &[Serving<'_>]) -> Vec<Measured> {
    println!(
        "| {what} | of | memory | at most | first answer after | CPU for one request | p50 | p99 | requests a second |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    let targets: Vec<Target<'_>> = serving
        .iter()
        .map(|serving| Target {
            server: &serving.started.server,
            address: &serving.started.server.tcp,
            questions: serving.questions,
        })
        .collect();
    let measured = bench.plan().run(&targets);
    for (serving, measured) in serving.iter().zip(&measured) {
        let memory = serving.started.server.memory() >> 20;
        let most = serving.started.server.peak_memory() >> 20;
        let took = serving.started.took.as_secs_f64();
        println!(
            "| {} | {} | {memory} MiB | {most} MiB | {took:.2} s | {} |",
            serving.set,
            serving.product,
            measured.cells()
        );
    }
    measured
}
