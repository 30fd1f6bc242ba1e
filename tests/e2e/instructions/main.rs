//! What `tests/e2e/instructions.sh` counts the instructions of: decisions in this process, and the
//! caller of a server.
//!
//! `instructions core` decides questions of several kinds, those of a kind in one call of
//! [`measured`], and prints which and how many. `instructions http ADDRESS KIND TIMES` asks as many.

#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test that cannot go on fails"
)]

use std::{hint::black_box, time::Duration};

use ask::Ask;
use core_alone::Parsed;
use load::{Address, Callers, Question};
use sets::Set;

#[path = "../../../benches/shared/ask.rs"]
mod ask;
#[path = "../../../benches/shared/core.rs"]
mod core_alone;
#[path = "../../../benches/shared/load.rs"]
#[expect(dead_code, reason = "there is no socket file")]
mod load;
#[path = "../../../benches/shared/sets.rs"]
#[expect(dead_code, reason = "nothing grows")]
mod sets;
#[path = "../../../benches/shared/shipped.rs"]
mod shipped;

/// A multiple of how many questions there are of any kind.
const TIMES: usize = 400;

const BATCH: usize = 100;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["core"] => core(),
        ["http", address, case, times] => http(address, case, times.parse().unwrap()),
        _ => panic!("{arguments:?}"),
    }
}

fn core() {
    let shipped = core_alone::shipped();
    let brought = core_alone::compiled(Set::of_brought());
    let asks = shipped::questions();
    let (allowed, denied): (Vec<Ask>, Vec<Ask>) = asks.iter().cloned().partition(|it| it.allowed);
    for (name, snapshot, asks) in [
        ("core-stored-allow", &shipped, allowed),
        ("core-stored-deny", &shipped, denied),
        ("core-ten-stored", &brought, sets::stored()),
        ("core-ten-inline", &brought, sets::inline()),
    ] {
        let questions: Vec<Parsed<'_>> = asks.iter().map(Parsed::of).collect();
        count(name, TIMES, &|| {
            for question in questions.iter().cycle().take(TIMES) {
                question.decide(snapshot);
            }
        });
    }
    // Of a batch, the text is parsed, too.
    let items: Vec<Ask> = asks.into_iter().cycle().take(BATCH).collect();
    count("core-batch-item", TIMES, &|| {
        for item in items.iter().cycle().take(TIMES) {
            Parsed::of(item).decide(&shipped);
        }
    });
}

/// Once for whatever is done once only, and then again to be counted.
fn count(name: &str, times: usize, work: &dyn Fn()) {
    work();
    measured(work);
    println!("{name} {times}");
}

/// Valgrind counts from the start of each call of this, and tells at its end.
#[inline(never)]
fn measured(work: &dyn Fn()) {
    work();
    // So that the call above is no jump, and this function ends after it.
    black_box(());
}

fn http(address: &str, case: &str, times: usize) {
    let asks = shipped::questions();
    let questions = match case {
        "http-evaluation" => asks.iter().map(Question::evaluation).collect(),
        "http-batch-of-100" => vec![Question::evaluations(asks.iter().cycle().take(BATCH))],
        _ => panic!("there is no case `{case}`"),
    };
    let mut callers = Callers::connect(&Address::Tcp(address.parse().unwrap()), 1).unwrap();
    for _ in 0..times {
        // Each asks once, whatever the time.
        callers.ask(&questions, Duration::ZERO).unwrap();
    }
}
