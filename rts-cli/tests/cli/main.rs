//! The `rts` command, run as a child process.

mod admin;
mod app_server;
mod bench;
mod chaos;
mod commands;
mod crowd;
mod engine;
mod hostile;
mod proxy;
mod scarce;
mod state;
mod support;
mod trace;
mod transports;
mod unread;
