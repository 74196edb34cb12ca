//! The server: one shard, which owns its links, sessions, users and rooms.
//!
//! [`Server`] has the same four parts as the client core: [`Server::new`],
//! [`Server::handle_input`], commands (those of the app's back end, such as [`Server::unicast`],
//! and [`Server::shutdown`]), and [`Server::poll_output`]. What it cannot know by itself, such as
//! whether a token is good, it asks of its driver as an output and gets back as an input. Commands
//! are data too, as [`Command`], and an observer, [`Observe`], sees all that goes in and comes out.

// From the bottom up: files use those of their own group and of the groups above it here.

// What the world sees.
mod ban;
mod command;
mod command_error;
mod config;
mod io;
mod observe;

// What parts say to each other.
mod allowance;
mod deadlines;
mod keys;

// Parts, each with fields of its own.
mod outbox;
mod session;
mod sessions;
mod shared;

mod back_end_rates;
mod bans;
mod links;
mod posts;
mod room;
mod rooms;
mod tallies;
mod targets;
mod users;
mod welcomes;

// The shard, and its use cases.
mod shard;

mod arrivals;
mod back_end;
mod closing;
mod ending;
mod frames;
mod lists;
mod login;
mod membership;
mod messages;
mod put_out;
mod status;
mod turn;

#[cfg(test)]
mod leaks;
#[cfg(test)]
mod testing;

pub use ban::Ban;
pub use command::{Command, Returned};
pub use command_error::CommandError;
pub use config::Config;
pub use deadlines::Timer;
pub use io::{
    Credentials, Detail, Forbidden, Input, JoinRefusal, Notice, NoticeLevel, Output, Post,
    PostProgress, Rate, Refusal, Report, Resumption, Target, Verdict,
};
pub use lists::{AppStats, Page, RoomFigures, Stats, UserFigures};
pub use observe::Observe;
pub use shard::Server;
