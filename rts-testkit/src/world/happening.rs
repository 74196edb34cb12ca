//! The log of a world.

use rts_cluster::view::{Epoch, View};
use rts_proto::client::Event;
use rts_proto::server::{
    Credentials, Entry, NodeNumber, Post, PostProgress, Report, RequestId, Response, ShardId,
    Target, Verdict,
};
use rts_proto::{AppId, CallId, CloseCode};

use crate::{EngineIndex, NodeIndex, Side};

/// One entry of the world's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Happening {
    /// An engine reported an event. Only engines that are called through
    /// [`World::call`](crate::World::call) log their events; handles deliver theirs.
    Event(EngineIndex, Event),
    /// The server's driver judged a token, at this second of Unix time by its wall clock.
    Judged(Credentials, Verdict, u64),
    /// The server reported something to an app's back end. Only apps in the configuration's
    /// `reported_apps` have reports.
    Reported(AppId, Report),
    /// The server closed the link of an engine, or of a stranger, whose number is no engine's.
    Closed(EngineIndex, Option<CloseCode>),
    /// The link of an engine or a stranger became congested (true), or is no longer congested.
    Congested(EngineIndex, bool),
    /// An engine tried to open a link.
    Dialled(EngineIndex),
    /// An engine has a new session, not one that it resumes. Only engines that are called through
    /// [`World::call`](crate::World::call) log theirs.
    SessionBegan(EngineIndex),
    /// The server's driver decided whether messages may be posted to this target.
    TargetChecked(Target, bool),
    /// The server posted a message to the app server.
    Posted(CallId, Box<Post>),
    /// The app server made progress with a post.
    AppServerSaid(CallId, PostProgress),
    /// The server abandoned a post.
    PostAbandoned(CallId),
    /// A request of a back end has its response: [`Unanswered`](Response::Unanswered) also if the
    /// node ended to which it came.
    Responded(RequestId, Response),
    /// Bytes that a [`Middlebox`](crate::Middlebox) marked with this number arrived at this side.
    Marked(Side, u32),
    /// The link of an engine, or of a stranger, moves from one shard to another.
    HandedOver(EngineIndex, ShardId, ShardId),
    /// The entries of one shard arrived at another.
    EntriesArrived(ShardId, ShardId, Vec<Entry>),
    /// The mailbox from one shard to another became congested (true), or is no longer congested.
    MailboxCongested(ShardId, ShardId, bool),
    /// A node of the cluster may not act any more (true), or acts again.
    NodeFrozen(NodeIndex, bool),
    /// A node of the cluster has another view.
    NodeHasView(NodeIndex, View),
    /// The shards of a node decide by the homes of this view. These other nodes may act at this
    /// moment, and are not in it.
    NodeServes(NodeIndex, Epoch, Vec<NodeIndex>),
    /// The process of a node of the cluster has ended, with all sessions in it. The number is that
    /// of its shards, if it had some.
    NodeEnded(NodeIndex, Option<NodeNumber>),
    /// A new server without any state took the place of the last one.
    Restarted,
}
