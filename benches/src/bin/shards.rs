//! `shards`: what several shards of a server do together, without sockets, and what a mailbox
//! between two of them costs alone. Prints tables in Markdown. `bench/shards` puts them into
//! `docs/performance.md`.
#![forbid(unsafe_code)]

use std::fmt;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use rts_benches::figures::{Cost, median};
use rts_benches::node::{self, Traffic};
use rts_benches::{PAYLOAD_BYTES, mailbox};

/// The allocator of the `rts` command. Much memory is freed by another thread than allocated it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Entries in a burst.
const BURSTS: [usize; 3] = [1, 8, 64];
/// Entries that are sent before the sender waits for an answer, so that both threads stay awake.
const ENTRIES_PER_ANSWER: u64 = 4_096;

/// Measure shards on threads, without sockets, and the mailboxes between them.
#[derive(Debug, Parser)]
struct Options {
    /// Rounds, each with all works on all numbers of shards. Figures are medians of the rounds
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Seconds of each measurement
    #[arg(long, default_value_t = 1.0)]
    seconds: f64,
    /// Numbers of shards. Ratios are to the first
    #[arg(long, value_delimiter = ',', default_value = "1,2,4")]
    shards: Vec<usize>,
    /// Nodes of one shard that run at the same time and share nothing, which shows what the machine
    /// can do
    #[arg(long, default_value_t = 2)]
    apart: usize,
    /// Only works whose name begins like this
    #[arg(long, default_value = "")]
    work: String,
    /// Pairs of the dense work. The other works grow with them
    #[arg(long, default_value_t = 200)]
    pairs: u64,
}

impl Options {
    fn shapes(&self) -> Vec<Shape> {
        let apart = (self.apart > 1).then_some(Shape::Apart(self.apart));
        self.shards.iter().map(|shards| Shape::Shards(*shards)).chain(apart).collect()
    }
}

/// The node of a measurement.
#[derive(Clone, Copy)]
enum Shape {
    /// One node of this number of shards.
    Shards(usize),
    /// This number of nodes, which share nothing but the machine.
    Apart(usize),
}

impl Shape {
    fn run(self, traffic: Traffic, duration: Duration) -> Result<Cost, String> {
        let warm_up = duration / 4;
        match self {
            Self::Shards(shards) => node::run(shards, traffic, warm_up, duration),
            Self::Apart(nodes) => node::run_apart(nodes, traffic, warm_up, duration),
        }
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shards(shards) => write!(out, "{shards}"),
            Self::Apart(nodes) => write!(out, "{nodes} servers apart"),
        }
    }
}

/// A work, with its costs by round and shape.
struct Measured {
    name: String,
    traffic: Traffic,
    rounds: Vec<Vec<Cost>>,
}

fn main() -> ExitCode {
    let options = Options::parse();
    match measure(&options) {
        Ok(works) => {
            print_works(&options, &works);
            print_mailbox(&options);
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn works(pairs: u64) -> Vec<Measured> {
    let work = |name: String, traffic| Measured { name, traffic, rounds: Vec::new() };
    let (window, members, lanes) = (64, 10, 4);
    let (sparse, rooms) = (5 * pairs, pairs / 2 + 1);
    vec![
        work(
            format!("dense: {pairs} pairs, {window} messages under way each"),
            Traffic::Pairs { pairs, window },
        ),
        work(
            format!("sparse: {} pairs, one message under way each", thousands(sparse as f64)),
            Traffic::Pairs { pairs: sparse, window: 1 },
        ),
        work("one pair, one message under way".to_owned(), Traffic::OnePair),
        work(
            format!("{rooms} rooms of {members}, {lanes} broadcasts under way each"),
            Traffic::Rooms { rooms, members, window: lanes },
        ),
    ]
}

/// Every other round begins with the last shape.
fn measure(options: &Options) -> Result<Vec<Measured>, String> {
    let mut works = works(options.pairs);
    works.retain(|work| work.name.starts_with(&options.work));
    let (shapes, duration) = (options.shapes(), Duration::from_secs_f64(options.seconds));
    for round in 0..options.rounds {
        for work in &mut works {
            let order: Vec<usize> = match round % 2 {
                0 => (0..shapes.len()).collect(),
                _ => (0..shapes.len()).rev().collect(),
            };
            let mut costs = vec![None; shapes.len()];
            for index in order {
                let shape = shapes[index];
                let cost = shape.run(work.traffic, duration);
                let cost = cost.map_err(|error| format!("{}, shards: {shape}: {error}", work.name));
                costs[index] = Some(cost?);
            }
            work.rounds.push(costs.into_iter().flatten().collect());
        }
    }
    Ok(works)
}

fn print_works(options: &Options, works: &[Measured]) {
    println!("| work | shards | done per second | × | CPU ns for one | × | busy cores |");
    println!("|---|---|---|---|---|---|---|");
    for work in works {
        for (index, shape) in options.shapes().into_iter().enumerate() {
            let of_shape = |figure: fn(&Cost) -> f64, index: usize| {
                median(&work.rounds, |round| figure(&round[index]))
            };
            let of = |figure| of_shape(figure, index);
            let ratio = |figure| of(figure) / of_shape(figure, 0);
            println!(
                "| {} | {shape} | {} | {:.2} | {:.0} | {:.2} | {:.2} |",
                if index == 0 { &work.name } else { "" },
                thousands(of(Cost::per_second)),
                ratio(Cost::per_second),
                of(Cost::cpu_ns),
                ratio(Cost::cpu_ns),
                of(Cost::cores),
            );
        }
    }
    println!("\nA message has {PAYLOAD_BYTES} bytes.");
}

fn print_mailbox(options: &Options) {
    let answers = (options.seconds * 20_000.0) as u64 + 1;
    println!("\n| entries in a burst | in one thread | in a stream | one burst, with wakes |");
    println!("|---|---|---|---|");
    for entries in BURSTS {
        let rounds = |measure: &dyn Fn() -> Cost| -> Vec<Cost> {
            (0..options.rounds).map(|_| measure()).collect()
        };
        let bursts = ENTRIES_PER_ANSWER / entries as u64;
        let alone = rounds(&|| mailbox::in_one_thread(answers * 16, entries));
        let stream = rounds(&|| mailbox::between_threads(answers / 16 + 1, bursts, entries));
        let woken = rounds(&|| mailbox::between_threads(answers, 1, entries));
        // An answer comes the same way back.
        let (of_stream, of_woken) = (ENTRIES_PER_ANSWER as f64, 2.0);
        println!(
            "| {entries} | {:.1} ns an entry | {:.1} ns an entry, {:.1} ns CPU | {:.1} µs, {:.1} µs CPU |",
            median(&alone, Cost::ns),
            median(&stream, Cost::ns) / of_stream,
            median(&stream, Cost::cpu_ns) / of_stream,
            median(&woken, Cost::ns) / of_woken / 1e3,
            median(&woken, Cost::cpu_ns) / of_woken / 1e3,
        );
    }
}

/// A number with a comma before each three digits.
fn thousands(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
