//! What is told to those who watch.

use rts_proto::client::Event;
use rts_proto::server::{Credentials, Post, PostProgress, Report, Target, Verdict};
use rts_proto::{AppId, CallId, CloseCode};

use crate::{Person, Side};

/// Something that happened, for those who watch the whole world.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Happening {
    /// An engine called back. Only of engines that are called through
    /// [`World::call`](crate::World::call).
    Event(Person, Event),
    /// The server's driver judged a token.
    Judged(Credentials, Verdict),
    /// The server told the app's back end. Only of the configuration's `reported_apps`.
    Reported(AppId, Report),
    /// The server closed the link of an engine, or of a stranger, whose number is no place in the
    /// world.
    Closed(Person, Option<CloseCode>),
    /// So much waits on the link of an engine, or of a stranger, that the server was told; or no
    /// longer.
    Congested(Person, bool),
    /// An engine tried to make a link.
    Dialled(Person),
    /// The server's driver said whether messages may be posted there.
    TargetChecked(Target, bool),
    /// The server posted a message to the app's server.
    Posted(CallId, Box<Post>),
    /// What the app's server had to say to that.
    AppServerSaid(CallId, PostProgress),
    /// The server gave the post up.
    PostAbandoned(CallId),
    /// What a [`Middlebox`](crate::Middlebox) marked with this number arrived at an engine or the
    /// server.
    Marked(Side, u32),
    /// Another server is there, which knows nothing.
    Restarted,
}
