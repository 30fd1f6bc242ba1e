//! Queries while 10,000 policies are reloaded again and again, and while nothing happens,
//! interleaved, on the real binary.
//!
//! `cargo bench --bench reload` prints for each rate of queries the medians over all windows of
//! both kinds: latencies, from the moment a query was due, and the ratio of a window to the one
//! before it; and how long edits took to come into force. Callers are threads of this process:
//! they compete with the service for the same cores, as an application beside its sidecar does.

#![expect(
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a bench that cannot go on fails, and prints its results"
)]

use std::{
    fmt::Write as _,
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::Path,
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

const FILES: usize = 10;
const POLICIES_PER_FILE: usize = 1_000;
/// Ten policies for each, as a large application has.
const ACTIONS: usize = 1_000;
const ROUNDS: usize = 6;
const WINDOW: Duration = Duration::from_secs(2);
const CONNECTIONS: usize = 4;
/// Queries a second in all.
const RATES: [u32; 3] = [500, 2_000, 5_000];

/// Between two windows nothing counts. Windows are numbered from 1; in the even ones there are
/// reloads.
const BETWEEN: usize = 0;

fn main() {
    let folder = tempfile::tempdir().unwrap();
    write_all(folder.path());
    let service = Service::start(folder.path());
    println!(
        "| queries a second | nothing happens: p50 | p99 | reloading: p50 | p99 | p99 ratio | reloads | in force after |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    for rate in RATES {
        let load = Load::start(&service.address, rate);
        let mut in_force_after = Vec::new();
        for round in 0..ROUNDS {
            load.window(2 * round + 1, || thread::sleep(WINDOW));
            load.window(2 * round + 2, || {
                let end = Instant::now() + WINDOW;
                while Instant::now() < end {
                    in_force_after.push(service.edit(folder.path()));
                }
            });
        }
        let windows = load.stop();
        let of = |first: usize, q: f64| -> Vec<f64> {
            let windows = windows.iter().skip(first).step_by(2);
            windows.map(|it| quantile(it, q).as_secs_f64()).collect()
        };
        let (quiet, reloading) = (of(1, 0.99), of(2, 0.99));
        let ratios = reloading.iter().zip(&quiet).map(|(r, q)| r / q).collect();
        println!(
            "| {rate} | {:.0} µs | {:.0} µs | {:.0} µs | {:.0} µs | {:.2} | {} | {:.2} s |",
            median(of(1, 0.5)) * 1e6,
            median(quiet) * 1e6,
            median(of(2, 0.5)) * 1e6,
            median(reloading) * 1e6,
            median(ratios),
            in_force_after.len(),
            median(in_force_after.iter().map(Duration::as_secs_f64).collect()),
        );
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// The least value that so much of the sorted values does not exceed.
fn quantile(sorted: &[Duration], of: f64) -> Duration {
    sorted[((sorted.len() - 1) as f64 * of) as usize]
}

fn write_all(folder: &Path) {
    let mut schema = String::from(
        "entity User { level: Long, team: String };\n\
         entity Document { owner: User, level: Long, teams: Set<String> };\n",
    );
    for action in 0..ACTIONS {
        let applies = "appliesTo { principal: User, resource: Document }";
        writeln!(schema, "action \"a{action}\" {applies};").unwrap();
    }
    fs::write(folder.join("schema.cedarschema"), schema).unwrap();
    fs::create_dir(folder.join("policies")).unwrap();
    for file in 0..FILES {
        write_file(folder, file, "");
    }
}

fn write_file(folder: &Path, file: usize, version: &str) {
    let mut text = format!("// {version}\n");
    for number in 0..POLICIES_PER_FILE {
        let policy = file * POLICIES_PER_FILE + number;
        let (action, level) = (policy % ACTIONS, policy % 7);
        writeln!(
            text,
            "@id(\"p{policy}\")\npermit (principal, action == Action::\"a{action}\", resource)\n\
             when {{ principal.level > {level} && resource.level <= principal.level\n\
             && (resource.owner == principal || resource.teams.contains(principal.team)) }};"
        )
        .unwrap();
    }
    let path = folder.join(format!("policies/{file}.cedar"));
    let next = path.with_extension("next");
    fs::write(&next, text).unwrap();
    fs::rename(next, path).unwrap();
}

/// The real binary; killed when dropped.
struct Service {
    child: Child,
    address: String,
    revisions: Mutex<BufReader<std::process::ChildStderr>>,
}

impl Service {
    fn start(folder: &Path) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_palisade"))
            .current_dir(folder)
            .args(["serve", "--log-format=json", "--policies=policies"])
            .args(["--schema=schema.cedarschema", "--listen=127.0.0.1:0"])
            .args(["--admin-listen=127.0.0.1:0"])
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let address = loop {
            let line = line(&mut log);
            if line["listener"] == "decisions" {
                break line["address"].as_str().unwrap().to_owned();
            }
        };
        Self {
            child,
            address,
            revisions: Mutex::new(log),
        }
    }

    /// Edits one policy file, and waits until it is in force.
    fn edit(&self, folder: &Path) -> Duration {
        let start = Instant::now();
        write_file(folder, 0, &format!("{start:?}"));
        let mut log = self.revisions.lock().unwrap();
        while line(&mut *log)["result"] != "applied" {}
        start.elapsed()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

fn line(log: &mut impl BufRead) -> serde_json::Value {
    let mut line = String::new();
    log.read_line(&mut line).unwrap();
    serde_json::from_str(&line).unwrap()
}

/// Callers that ask at a steady rate, whether or not they were answered in time.
struct Load {
    window: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
    callers: Vec<thread::JoinHandle<Vec<Vec<Duration>>>>,
}

impl Load {
    fn start(address: &str, rate: u32) -> Self {
        let window = Arc::new(AtomicUsize::new(BETWEEN));
        let stop = Arc::new(AtomicBool::new(false));
        let each = Duration::from_secs(1) * u32::try_from(CONNECTIONS).unwrap() / rate;
        let callers = (0..CONNECTIONS).map(|number| {
            let stream = TcpStream::connect(address).unwrap();
            stream.set_nodelay(true).unwrap();
            let (window, stop) = (Arc::clone(&window), Arc::clone(&stop));
            thread::spawn(move || call(stream, number, each, &window, &stop))
        });
        Self {
            callers: callers.collect(),
            window,
            stop,
        }
    }

    /// Counts what is asked meanwhile as of this window.
    fn window(&self, number: usize, during: impl FnOnce()) {
        self.window.store(number, Ordering::Release);
        during();
        self.window.store(BETWEEN, Ordering::Release);
    }

    /// The sorted latencies of each window.
    fn stop(self) -> Vec<Vec<Duration>> {
        self.stop.store(true, Ordering::Release);
        let mut all = vec![Vec::new(); 2 * ROUNDS + 1];
        for caller in self.callers {
            for (all, of_caller) in all.iter_mut().zip(caller.join().unwrap()) {
                all.extend(of_caller);
            }
        }
        all.iter_mut().for_each(|it| it.sort());
        all
    }
}

fn call(
    stream: TcpStream,
    number: usize,
    each: Duration,
    window: &AtomicUsize,
    stop: &AtomicBool,
) -> Vec<Vec<Duration>> {
    let mut latencies = vec![Vec::new(); 2 * ROUNDS + 1];
    let mut stream = BufReader::new(stream);
    let start = Instant::now();
    for asked in 0_u32.. {
        if stop.load(Ordering::Acquire) {
            break;
        }
        let due = start + each * asked;
        if let Some(early) = due.checked_duration_since(Instant::now()) {
            thread::sleep(early);
        }
        let before = window.load(Ordering::Acquire);
        ask(&mut stream, (number + asked as usize * 7) % ACTIONS);
        let after = window.load(Ordering::Acquire);
        if after == before && after != BETWEEN {
            latencies[after].push(due.elapsed());
        }
    }
    latencies
}

fn ask(stream: &mut BufReader<TcpStream>, action: usize) {
    let body = format!(
        r#"{{"subject":{{"type":"User","id":"ann","properties":{{"level":5,"team":"red"}}}},"action":{{"name":"a{action}"}},"resource":{{"type":"Document","id":"d","properties":{{"owner":"bob","level":2,"teams":["red","blue"]}}}}}}"#
    );
    let request = format!(
        "POST /access/v1/evaluation HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.get_mut().write_all(request.as_bytes()).unwrap();
    let (mut length, mut head) = (0, String::new());
    loop {
        head.clear();
        stream.read_line(&mut head).unwrap();
        if let Some(value) = head.strip_prefix("content-length: ") {
            length = value.trim().parse().unwrap();
        }
        if head == "\r\n" {
            break;
        }
    }
    let mut answer = vec![0; length];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(answer, br#"{"decision":true}"#, "a{action}");
}
