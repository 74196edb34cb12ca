//! The `rts` command, run as a child process.

mod bench;
mod commands;
mod engine;
mod hostile;
mod support;
mod trace;
