//! The server: one shard, which owns its links, sessions, users and rooms.
//!
//! [`Server`] is used like the client core: [`Server::new`], [`Server::handle_input`], commands
//! (those of the app's back end, such as [`Server::unicast`], and [`Server::shutdown`]), and
//! [`Server::poll_output`]. Decisions that it cannot make, such as whether a token is good, are
//! outputs to its driver, and their answers are inputs. Commands are also data, as [`Command`], and
//! an observer, [`Observe`], sees all inputs and outputs.

// From the bottom up: a file uses files of its own group and of earlier groups.

// The public types.
mod ban;
mod command;
mod command_error;
mod config;
mod figures;
mod io;
mod observe;

// Types that parts exchange.
mod allowance;
mod by_user;
mod changes;
mod deadlines;
mod home_table;
mod homes;
mod keys;
mod placement;
mod unreliable;

// Parts, each with its own fields.
mod outbox;
mod session;
mod session_moves;
mod session_rooms;
mod sessions;
mod shared;
mod to_self;

mod back_end_rates;
mod bans;
mod claims;
mod directory;
mod fences;
mod fencing;
mod grants;
mod held;
mod links;
mod pending;
mod posts;
mod resumes;
mod room;
mod rooms;
mod tallies;
mod targets;
mod users;
mod welcomes;

// The shard, and its use cases.
mod shard;

mod arrivals;
mod asking;
mod back_end;
mod back_end_work;
mod broadcasts;
mod closing;
mod draining;
mod ending;
mod frames;
mod holding;
mod leaving;
mod lists;
mod login;
mod members;
mod membership;
mod messages;
mod moving;
mod next_home;
mod owning;
mod peer;
mod removals;
mod removed_nodes;
mod requests;
mod resuming;
mod routing;
mod status;
mod turn;
mod user_home;

// All shards of a node.
mod shards;

#[cfg(test)]
mod leaks;
#[cfg(test)]
mod testing;

pub use ban::Ban;
pub use command::{Command, Returned};
pub use command_error::CommandError;
pub use config::Config;
pub use deadlines::Timer;
pub use figures::{AppStats, Page, RoomFigures, UserFigures};
pub use home_table::{HomeTable, SLOTS};
pub use io::{
    AskedLogin, AskedResume, BadDelivery, Candidate, Credentials, Deliveries, Delivery, Denial,
    Detail, Entered, Entry, Forbidden, HomesStep, Input, JoinPermit, JoinRefusal, LeftBehind,
    MemberEnd, Moved, MovedFrames, MovedMember, MovedOwner, MovedParams, MovedPost, MovedSession,
    Names, Notice, NoticeLevel, Opened, Output, Ownership, PassedOn, Post, PostProgress, Rate,
    Refusal, Report, Request, RequestId, RequestOnWay, Response, ResponsePart, ResumeAsked,
    Resumption, SessionContent, SessionPart, Target, Tenure, UsedRates, Verdict,
};
pub use keys::{Outcome, SessionNumber};
pub use lists::Stats;
pub use observe::Observe;
pub use placement::{NodeNumber, Placement, ShardId};
pub use shard::Server;
pub use shards::{Shards, StatsPart};
