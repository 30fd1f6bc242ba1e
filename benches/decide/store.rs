//! Stored entities: the time of a decision, memory and loading as they grow, each size in a process
//! of its own.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    time::Instant,
};

use crate::{
    OneCore, Parsed, Spread, core_alone, round,
    sets::{self, Set},
};

const ENTITIES: [usize; 3] = [100, 10_000, 1_000_000];

/// The first argument of a process that is to store entities; how many follows.
const BE_ONE: &str = "--be-the-store";

/// A process that stores entities, and measures one round for each line it is sent.
struct Store {
    child: Child,
    ask: ChildStdin,
    told: BufReader<ChildStdout>,
}

pub(crate) fn run(rounds: usize) {
    let (mut stores, mut loaded) = (Vec::new(), Vec::new());
    for count in ENTITIES {
        let mut store = Store::start(count);
        loaded.push(store.line());
        stores.push(store);
    }
    let mut nanos = [const { Vec::new() }; ENTITIES.len()];
    for _ in 0..rounds {
        for (store, nanos) in stores.iter_mut().zip(&mut nanos) {
            writeln!(store.ask).unwrap();
            nanos.push(store.line()[0]);
        }
    }
    let first_bytes = loaded[0][1];
    println!(
        "| stored entities | ns for one decision | to the first | memory for one | compiled in |"
    );
    println!("|---|---|---|---|---|");
    for (number, (nanos_of_one, loaded)) in nanos.iter().zip(&loaded).enumerate() {
        let ratios = nanos_of_one.iter().zip(&nanos[0]);
        let ratio = Spread::of(ratios.map(|(it, first)| it / first));
        let nanos = Spread::of(nanos_of_one.iter().copied());
        let [seconds, bytes] = loaded[..] else {
            continue;
        };
        // What there is without them is in the first.
        let more = (ENTITIES[number] - ENTITIES[0]) as f64;
        let each = (bytes - first_bytes) / more;
        let each = if number == 0 {
            "".to_owned()
        } else {
            format!("{each:.0} bytes")
        };
        println!(
            "| {} | {nanos:.0} | {ratio} | {each} | {seconds:.2} s |",
            ENTITIES[number]
        );
    }
}

/// Stores entities if this process was started to; ends with its standard input.
pub(crate) fn be_one_if_asked() {
    let mut arguments = std::env::args().skip(1);
    if arguments.next().is_none_or(|it| it != BE_ONE) {
        return;
    }
    let count = arguments.next().unwrap().parse().unwrap();
    let before = memory();
    let set = Set::of_entities(count);
    let started = Instant::now();
    let snapshot = core_alone::compiled(set);
    let took = started.elapsed().as_secs_f64();
    println!("{took} {}", memory() as f64 - before as f64);
    let asks = sets::to_entities(count);
    let questions: Vec<Parsed<'_>> = asks.iter().map(Parsed::of).collect();
    let mut line = String::new();
    let _on_one = OneCore::take();
    while std::io::stdin().read_line(&mut line).unwrap() > 0 {
        println!("{}", round(&snapshot, &questions));
    }
    std::process::exit(0);
}

/// What this process has of its own, in bytes.
fn memory() -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let mut lines = status.lines();
    let size = lines
        .find_map(|line| line.strip_prefix("RssAnon:"))
        .unwrap();
    let kib = size.trim().strip_suffix(" kB").unwrap();
    kib.parse::<usize>().unwrap() << 10
}

impl Store {
    fn start(count: usize) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([BE_ONE, &count.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        Self {
            ask: child.stdin.take().unwrap(),
            told: BufReader::new(child.stdout.take().unwrap()),
            child,
        }
    }

    /// The figures on its next line.
    fn line(&mut self) -> Vec<f64> {
        let mut line = String::new();
        self.told.read_line(&mut line).unwrap();
        line.split_whitespace()
            .map(|it| it.parse().unwrap())
            .collect()
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        // It may have ended by itself, which whoever asked it has noticed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
