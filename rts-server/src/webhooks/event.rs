//! Events and batches, and their JSON.

use std::time::{SystemTime, UNIX_EPOCH};

use rts_cluster::view::NodeName;
use rts_proto::AppId;
use rts_proto::server::Report;
use serde_json::{Value, json};

/// An event with its number in the queue.
#[derive(Clone, Debug)]
pub(super) struct Event {
    /// Number of the event in its app, counted in one run of the server.
    pub(super) number: u64,
    pub(super) at: SystemTime,
    pub(super) what: What,
}

#[derive(Clone, Debug)]
pub(super) enum What {
    /// The server has started, and no user is logged in.
    ServerStarted,
    /// Another node of the cluster is gone, or this one is new in a fixed set.
    ClusterChanged {
        node: NodeName,
        change: NodeChange,
    },
    Reported(Report),
}

/// What has become of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NodeChange {
    /// It was removed while it served users.
    Removed,
    /// It is gone after it was told to drain.
    Drained,
    /// It has started in a fixed set.
    Started,
}

impl NodeChange {
    fn name(self) -> &'static str {
        match self {
            Self::Removed => "removed",
            Self::Drained => "drained",
            Self::Started => "started",
        }
    }
}

/// Events of one post.
#[derive(Clone, Debug)]
pub(super) struct Batch {
    pub(super) events: Vec<Event>,
    /// Events dropped since the last batch that was taken.
    pub(super) lost: u64,
}

impl Batch {
    pub(super) fn json(&self, app_id: &AppId, run: u64) -> Vec<u8> {
        let events: Vec<Value> = self.events.iter().map(|event| event.json(run)).collect();
        json!({"app_id": app_id.as_str(), "lost": self.lost, "events": events})
            .to_string()
            .into_bytes()
    }
}

impl Event {
    fn json(&self, run: u64) -> Value {
        let since_epoch = self.at.duration_since(UNIX_EPOCH).unwrap_or_default();
        let mut event = self.what.json();
        event["id"] = json!(format!("{run:016x}-{}", self.number));
        event["time"] = json!(u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX));
        event
    }
}

impl What {
    fn json(&self) -> Value {
        match self {
            Self::ServerStarted => json!({"type": "server.started"}),
            Self::ClusterChanged { node, change } => json!({"type": "cluster.changed",
                "node": node.as_str(), "change": change.name()}),
            Self::Reported(report) => match report {
                Report::UserOnline { uid } => {
                    json!({"type": "user.online", "user_id": uid.as_str()})
                }
                Report::UserOffline { uid, reason } => json!({"type": "user.offline",
                    "user_id": uid.as_str(), "reason": reason.code()}),
                Report::RoomCreated { room } => {
                    json!({"type": "room.created", "room_id": room.as_str()})
                }
                Report::RoomEmptied { room } => {
                    json!({"type": "room.emptied", "room_id": room.as_str()})
                }
                Report::MemberJoined { room, uid, business_id } => json!({"type": "room.joined",
                    "room_id": room.as_str(), "user_id": uid.as_str(),
                    "business_id": business_id.as_ref().map_or("", |id| id.as_str())}),
                Report::MemberLeft { room, uid, reason } => json!({"type": "room.left",
                    "room_id": room.as_str(), "user_id": uid.as_str(), "reason": reason.code()}),
            },
        }
    }
}
