//! The `rts` command, run as a child process.

mod admin;
mod app_server;
mod bench;
mod chaos;
mod chat;
mod cluster;
mod commands;
mod credentials;
mod crowd;
mod dev_server;
mod documented;
mod engine;
mod hostile;
mod listen;
mod log;
mod operate;
mod proxy;
mod scarce;
mod state;
mod stopping;
mod support;
mod terminal;
mod trace;
mod transports;
mod unread;
mod usage;
