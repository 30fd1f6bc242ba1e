//! What callers do who mean no good, and how long a good caller waits meanwhile: on the real binary.
//!
//! For each attack, windows without and with it take turns, and the medians of their p99 are compared,
//! of the half of the pairs that others on the machine disturbed least. The attacker is a process of
//! its own with the lowest priority, its connections and its pace are bounded, and the table says
//! what CPU it took. Exit code 1 if a ratio is beyond `--most`, and the p99 beyond `--harmless`, each time
//! that the attack is measured.

#![expect(clippy::unwrap_used, reason = "a measurement that cannot go on ends")]
#![expect(clippy::expect_used, reason = "as above")]
#![expect(clippy::panic, reason = "as above")]
#![expect(clippy::indexing_slicing, reason = "as above")]
#![expect(clippy::print_stdout, reason = "the table is what it is for")]

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use clap::Parser;

mod attacker;
mod attacks;
mod good;
mod house;
mod server;
mod talk;

use attacker::Attacker;
use attacks::Attack;
use good::{Good, Window};
use house::House;
use server::{Others, Server};

/// A good caller beside each attack, and how long it waits.
#[derive(Parser)]
struct Args {
    /// The binary
    #[arg(long, default_value = "target/release/palisade")]
    palisade: PathBuf,
    /// Pairs of windows of each attack
    #[arg(long, default_value_t = 10)]
    rounds: usize,
    /// How long a window is
    #[arg(long, default_value = "400ms", value_parser = humantime::parse_duration)]
    window: Duration,
    /// The most that the good caller's p99 may be, of what it is without the attack
    #[arg(long, default_value_t = 2.0)]
    most: f64,
    /// Below this, a ratio is shown and is no harm: it is what the kernel takes to give a core to a third
    /// thread that waits for one of two
    #[arg(long, default_value = "1ms", value_parser = humantime::parse_duration)]
    harmless: Duration,
    /// How often an attack is measured before it counts as harm
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..))]
    tries: u8,
    /// Only attacks whose name has this in it
    #[arg(long, default_value = "")]
    only: String,
    /// Be the attacker: attack this address until standard input ends
    #[arg(long, hide = true, requires = "only")]
    address: Option<String>,
}

fn main() -> ExitCode {
    let args = Args::parse();
    if let Some(address) = &args.address {
        attacks::run(Attack::named(&args.only), address);
        return ExitCode::SUCCESS;
    }
    let house = House::new();
    println!("{} pairs of windows of {:?}", args.rounds, args.window);
    println!(
        "{:<30} {:>13} {:>13} {:>6} {:>8} {:>8} {:>8}  what the attacker got",
        "attack", "p50 µs", "p99 µs", "ratio", "attacker", "service", "others"
    );
    let chosen = Attack::ALL.into_iter();
    let chosen: Vec<Attack> = chosen.filter(|it| it.name().contains(&args.only)).collect();
    let (mut harmed, mut late) = (Vec::new(), Vec::new());
    for attack in &chosen {
        let mut tries = (0..args.tries).map(|_| args.judge(measure(*attack, &args, &house)));
        match tries.find(|it| *it != Harm::Harmed).unwrap_or(Harm::Harmed) {
            Harm::None => {}
            Harm::Late => late.push(attack.name()),
            Harm::Harmed => harmed.push(attack.name()),
        }
    }
    if !late.is_empty() {
        println!(
            "beyond {} times, within {:?}: {}",
            args.most,
            args.harmless,
            late.join(", ")
        );
    }
    if !harmed.is_empty() {
        println!("neighbours: harmed by {}", harmed.join(", "));
        return ExitCode::FAILURE;
    }
    let (count, most, harmless) = (chosen.len(), args.most, args.harmless);
    println!("neighbours: {count} attacks, each p99 within {most} times its own or {harmless:?}");
    ExitCode::SUCCESS
}

/// What an attack does to the good caller.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Harm {
    None,
    /// It waits longer, and not long.
    Late,
    Harmed,
}

impl Args {
    /// What it means that the p99 is this in microseconds, without and with an attack.
    fn judge(&self, (without, with): (f64, f64)) -> Harm {
        if with <= without * self.most {
            return Harm::None;
        }
        match with <= self.harmless.as_secs_f64() * 1e6 {
            true => Harm::Late,
            false => Harm::Harmed,
        }
    }
}

/// A window without the attack and one with it.
struct Pair {
    without: Window,
    with: Window,
    /// Parts of a core: the attacker's and the service's in the window with it, and in both whatever
    /// else ran on the machine.
    attacker: f64,
    service: f64,
    others: f64,
}

/// Prints the line of an attack, and gives the good caller's p99 without and with it, in microseconds.
fn measure(attack: Attack, args: &Args, house: &House) -> (f64, f64) {
    let server = Server::start(&args.palisade, house, attack.is_tls());
    let mut good = Good::connect(&server);
    good.ask(args.window / 2);
    let mut got = String::new();
    let mut pairs: Vec<Pair> = (0..args.rounds)
        .map(|_| {
            let (pair, said) = pair(attack, args, &server, &mut good);
            got = said;
            pair
        })
        .collect();
    server.end();
    pairs.sort_by(|one, other| one.others.total_cmp(&other.others));
    pairs.truncate(args.rounds.div_ceil(2));
    let of = |of: &dyn Fn(&Pair) -> f64| median(pairs.iter().map(of));
    let micros = |time: Duration| time.as_secs_f64() * 1e6;
    let (without, with) = (
        of(&|it| micros(it.without.p99)),
        of(&|it| micros(it.with.p99)),
    );
    let p50 = format!(
        "{:.0} → {:.0}",
        of(&|it| micros(it.without.p50)),
        of(&|it| micros(it.with.p50))
    );
    let ratio = with / without;
    println!(
        "{:<30} {p50:>13} {:>13} {ratio:>6.2} {:>6.0} % {:>6.0} % {:>6.0} %  {got}",
        attack.name(),
        format!("{without:.0} → {with:.0}"),
        100.0 * of(&|it| it.attacker),
        100.0 * of(&|it| it.service),
        100.0 * of(&|it| it.others),
    );
    (without, with)
}

/// Two windows one after the other, and what the attacker says of the second.
fn pair(attack: Attack, args: &Args, server: &Server, good: &mut Good) -> (Pair, String) {
    server.rest();
    let mut others = Others::begin(&[server.pid()]);
    let without = good.ask(args.window);
    let disturbed = others.end();
    let attacker = Attacker::start(attack, &server.address);
    let pids = [server.pid(), attacker.pid()];
    let before = pids.map(server::cpu);
    others = Others::begin(&pids);
    let with = good.ask(args.window);
    let disturbed = disturbed + others.end();
    let share = |number: usize| {
        let took = server::cpu(pids[number]) - before[number];
        took.as_secs_f64() / args.window.as_secs_f64()
    };
    let pair = Pair {
        without,
        with,
        attacker: share(1),
        service: share(0),
        others: disturbed / 2.0,
    };
    (pair, attacker.stop())
}

fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// This program, for the attacker.
fn own_path() -> PathBuf {
    std::env::current_exe().unwrap()
}

/// A file's text.
fn text_of(path: impl AsRef<Path>) -> String {
    std::fs::read_to_string(path).unwrap()
}
