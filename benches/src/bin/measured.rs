//! `measured WORK TIMES`: does a work TIMES times, in a function of its own, for a tool that counts
//! its cost, such as `bench/instructions`. Prints the number of things that it did.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use rts_benches::Work;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [work, times] = arguments.as_slice() else {
        eprintln!("usage: measured WORK TIMES");
        return ExitCode::from(2);
    };
    match (work.parse::<Work>(), times.parse::<u64>()) {
        (Ok(work), Ok(times)) => {
            let (mut run, count) = work.prepare();
            measured(&mut run, times);
            println!("{}", count * times);
            ExitCode::SUCCESS
        }
        (Err(error), _) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
        (_, Err(error)) => {
            eprintln!("{times}: {error}");
            ExitCode::from(2)
        }
    }
}

/// The measured function, with nothing before or after the work.
#[inline(never)]
fn measured(run: &mut dyn FnMut(), times: u64) {
    for _ in 0..times {
        run();
    }
}
