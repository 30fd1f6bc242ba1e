//! What traces cost: none, those of callers who record nothing, one in a hundred, and all.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    thread,
};

use crate::{
    Bench,
    load::Question,
    measure::Target,
    palisade::Product,
    report::{Report, ratio},
};

/// Of the CPU for the same bytes without traces.
const NOT_SAMPLED: f64 = 1.05;
const ONE_IN_A_HUNDRED: f64 = 1.05;
const ALL: f64 = 1.5;

/// A span whose caller records it or not.
const TRACEPARENT: &str = "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-";

/// One way to serve and to ask.
struct Case<'a> {
    name: &'a str,
    flags: &'a [String],
    questions: &'a [Question],
    /// The case it is compared with, and the goal.
    to: Option<(usize, f64)>,
}

pub(crate) fn run(bench: &Bench, report: &mut Report) {
    let plain = bench.shipped();
    let not_sampled = with_header(&plain, &format!("{TRACEPARENT}00"));
    let sampled = with_header(&plain, &format!("{TRACEPARENT}01"));
    let on = [format!("--otlp-endpoint={}", collector())];
    let case = |name, flags, questions, to| Case {
        name,
        flags,
        questions,
        to,
    };
    let cases = [
        case("off", &[], &plain, None),
        case("off, traceparent", &[], &sampled, None),
        case("not sampled", &on, &not_sampled, Some((1, NOT_SAMPLED))),
        case("one in a hundred", &on, &plain, Some((0, ONE_IN_A_HUNDRED))),
        case("all", &on, &sampled, Some((1, ALL))),
    ];
    println!("| traces | of | CPU for one request | p50 | p99 | requests a second |");
    println!("|---|---|---|---|---|---|");
    for product in &bench.products {
        measure(bench, product, &cases, report);
    }
}

fn measure(bench: &Bench, product: &Product, cases: &[Case<'_>], report: &mut Report) {
    // A folder for the socket file of each.
    let started = cases.iter().map(|case| {
        let folder = bench.folder();
        let started = bench.start(product, &folder, case.flags, &case.questions[0]);
        let started =
            started.unwrap_or_else(|why| panic!("{}, {}: {why}", product.name, case.name));
        (started, folder)
    });
    let started: Vec<_> = started.collect();
    let targets = started.iter().zip(cases);
    let targets = targets.map(|((started, _), case)| Target {
        server: &started.server,
        address: &started.server.tcp,
        questions: case.questions,
    });
    let measured = bench.plan().run(&targets.collect::<Vec<_>>());
    for (case, with) in cases.iter().zip(&measured) {
        println!("| {} | {} | {} |", case.name, product.name, with.cells());
        if let Some((to, goal)) = case.to {
            let what = format!("CPU with traces: {} / {}", case.name, cases[to].name);
            let ratio = ratio(&with.cpu, &measured[to].cpu);
            report.at_most(&what, &product.name, ratio, goal, "");
        }
    }
}

fn with_header(questions: &[Question], header: &str) -> Vec<Question> {
    let with = |question: &Question| {
        let request = String::from_utf8(question.request.clone()).unwrap();
        let (line, rest) = request.split_once("\r\n").unwrap();
        Question {
            request: format!("{line}\r\n{header}\r\n{rest}").into_bytes(),
            answer: question.answer.clone(),
        }
    };
    questions.iter().map(with).collect()
}

/// Takes whatever is sent to it, on the cores that nobody is bound to.
fn collector() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming() {
            thread::spawn(move || take(BufReader::new(stream.unwrap())));
        }
    });
    url
}

/// Until the caller has gone.
fn take(mut stream: BufReader<TcpStream>) -> Option<()> {
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if stream.read_line(&mut head).ok()? == 0 {
                return None;
            }
        }
        let length = head.split_once("content-length: ")?.1;
        let length = length.split("\r\n").next()?.parse().ok()?;
        stream.read_exact(&mut vec![0; length]).ok()?;
        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
        stream.get_mut().write_all(answer).ok()?;
    }
}
