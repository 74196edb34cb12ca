//! The `rts` command.
#![forbid(unsafe_code)]
// They panic when nobody reads: `out` is for that.
#![deny(clippy::print_stdout, clippy::print_stderr)]

mod commands;
mod credentials;
mod dev;
mod lines;
mod out;
mod reach;
mod record;
mod signals;

use std::io::IsTerminal as _;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::EnvFilter;

/// Messages are many small allocations that live for a moment, which this one is made for.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Real-time messages between your app's users: demo, server, tools.
///
/// Exit codes: 0 done; 1 failed, and the end of standard error says why; 2 the command line is not understood, or a token is not valid.
#[derive(Debug, Parser)]
#[command(name = "rts", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Play a whole conversation on the screen, and check it
    Demo,
    /// Run a server
    Serve(commands::serve::Args),
    /// Make and read tokens
    #[command(subcommand)]
    Token(commands::token::Command),
    /// Talk, line by line, with a user or in a room
    Chat(commands::chat::Args),
    /// Send one text to a user, and print its result
    Send(commands::send::Args),
    /// Print what arrives
    Listen(commands::listen::Args),
    /// One engine on standard input and output, a JSON object a line
    Engine(commands::engine::Args),
    /// Do what a back end does: send, broadcast, kick, dismiss, ban, and ask who is there
    Admin(commands::admin::Args),
    /// Put load on a server, and measure it
    #[command(subcommand)]
    Bench(commands::bench::Work),
    /// Read what `--trace` of serve and engine recorded
    #[command(subcommand)]
    Trace(commands::trace::Command),
    /// Play random applications and accidents in simulated time, and check every law
    Sim(commands::sim::Args),
}

fn main() -> ExitCode {
    let wanted = std::env::var_os("RTS_LOG").unwrap_or_else(|| "warn".into());
    let wanted = wanted.to_string_lossy();
    let filter = match filter(&wanted) {
        Ok(filter) => filter,
        Err(error) => {
            out::tell(format_args!(
                "rts: RTS_LOG is {wanted:?}: {error}; write a level, such as info, or CRATE=LEVEL"
            ));
            return ExitCode::from(2);
        }
    };
    let log = match out::log() {
        Ok(log) => log,
        Err(error) => return cannot_begin(&error),
    };
    // Colours are for people: a file or a journal gets none.
    let has_colours = std::io::stderr().is_terminal();
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(move || log.clone())
        .with_ansi(has_colours)
        .init();
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return cannot_begin(&error),
    };
    let done = runtime.block_on(run(cli.command));
    // Reading a terminal, or looking up a name, cannot be broken off: to wait for its thread would be to wait for a key.
    runtime.shutdown_background();
    let (code, last_words) = match done {
        Ok(code) => (code, None),
        Err(error) if out::is_unread(&error) => (ExitCode::SUCCESS, None),
        Err(error) => (ExitCode::FAILURE, Some(format!("rts: {}", out::in_words(&error)))),
    };
    out::end(last_words);
    code
}

fn cannot_begin(error: &std::io::Error) -> ExitCode {
    out::tell(format_args!("rts: the system has no thread or file left to run with: {error}"));
    ExitCode::FAILURE
}

/// What is logged. A word alone is a level here; `EnvFilter` would take a misspelt one for a crate, and log nothing.
fn filter(wanted: &str) -> Result<EnvFilter, String> {
    let words = wanted.split(',').filter(|part| !part.contains('='));
    for word in words {
        word.trim().parse::<LevelFilter>().map_err(|_| format!("{word:?} is no level"))?;
    }
    // An engine has a level of its own, `logLevel`.
    let of_engines = if wanted.contains("rts_engine") { "" } else { ",rts_engine=debug" };
    EnvFilter::try_new(format!("{wanted}{of_engines}")).map_err(|error| error.to_string())
}

async fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Demo => commands::demo::run().await,
        Command::Serve(args) => commands::serve::run(args).await,
        Command::Token(command) => commands::token::run(command),
        Command::Chat(args) => commands::chat::run(args).await,
        Command::Send(args) => commands::send::run(args).await,
        Command::Listen(args) => commands::listen::run(args).await,
        Command::Engine(args) => commands::engine::run(args).await,
        Command::Admin(args) => commands::admin::run(args).await,
        Command::Bench(work) => commands::bench::run(work).await,
        Command::Trace(command) => commands::trace::run(command),
        Command::Sim(args) => commands::sim::run(&args),
    }
}
