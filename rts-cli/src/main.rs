//! The `rts` command.
#![forbid(unsafe_code)]
// These macros panic when the reader is gone. The module `out` handles that.
#![deny(clippy::print_stdout, clippy::print_stderr)]

mod commands;
mod credentials;
mod dev;
mod dev_token;
mod lines;
mod log;
mod out;
mod reach;
mod record;
mod signals;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Messages are many small, short-lived allocations, which suit this allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Carries live messages between the users of an app: demo, server, tools.
///
/// Exit codes: 0 success; 1 failure, with the reason at the end of standard error; 2 the command
/// line, RTS_LOG or a token is invalid.
#[derive(Debug, Parser)]
#[command(name = "rts", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Play a conversation of a server and three clients, and check it
    Demo,
    /// Run a server
    Serve(commands::serve::Args),
    /// Make and inspect tokens
    #[command(subcommand)]
    Token(commands::token::Command),
    /// Chat with a user or in a room, line by line
    Chat(commands::chat::Args),
    /// Send one text to a user, and print its result
    Send(commands::send::Args),
    /// Print each message that arrives
    Listen(commands::listen::Args),
    /// Run an engine for other programs, in JSON lines on standard input and output
    Engine(commands::engine::Args),
    /// Act as a back end: send, broadcast, kick, ban, revoke tokens, list users
    Admin(commands::admin::Args),
    /// Put load on a server, and measure it
    #[command(subcommand)]
    Bench(commands::bench::Work),
    /// Read the recordings of `serve --trace` and `engine --trace`
    #[command(subcommand)]
    Trace(commands::trace::Command),
}

fn main() -> ExitCode {
    let wanted = std::env::var_os("RTS_LOG").unwrap_or_else(|| "warn".into());
    let wanted = wanted.to_string_lossy();
    let filter = match log::filter(&wanted) {
        Ok(filter) => filter,
        Err(error) => {
            out::eprint_line(format_args!(
                "rts: RTS_LOG is {wanted:?}: {error}; write a level, such as info, or CRATE=LEVEL"
            ));
            return ExitCode::from(2);
        }
    };
    let lines = match out::log() {
        Ok(lines) => lines,
        Err(error) => return cannot_begin(&error),
    };
    log::start(filter, lines);
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return cannot_begin(&error),
    };
    let done = runtime.block_on(run(cli.command));
    // A thread that reads a terminal or resolves a name cannot be interrupted. Waiting for it would
    // wait for a key.
    runtime.shutdown_background();
    let (code, last_words) = match done {
        Ok(code) => (code, None),
        Err(error) if out::is_unread(&error) => (ExitCode::SUCCESS, None),
        Err(error) => (ExitCode::FAILURE, Some(format!("rts: {}", out::in_words(&error)))),
    };
    out::end(last_words);
    code
}

/// Messages of Rust's parsers, and clearer texts.
const PARSERS_WORDS: [(&str, &str); 5] = [
    ("invalid digit found in string", "a whole number is needed"),
    ("cannot parse integer from empty string", "a whole number is needed"),
    ("number too large to fit in target type", "the number is too large"),
    ("invalid float literal", "a number is needed"),
    (
        "invalid socket address syntax",
        "an IP address and a port are needed, such as 127.0.0.1:7600",
    ),
];

/// Reports an invalid command line, or prints the requested help.
fn usage(error: &clap::Error) -> ExitCode {
    let said = error.render().to_string();
    match PARSERS_WORDS.iter().find(|(theirs, _)| said.contains(theirs)) {
        Some((theirs, ours)) if error.use_stderr() => {
            out::eprint_part(said.replace(theirs, ours));
            ExitCode::from(2)
        }
        _ => error.exit(),
    }
}

fn cannot_begin(error: &std::io::Error) -> ExitCode {
    out::eprint_line(format_args!(
        "rts: the system has no thread or file left to run with: {error}"
    ));
    ExitCode::FAILURE
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
    }
}
