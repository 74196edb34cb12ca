//! The state of each engine as its application knows it, from calls and callbacks in the trace
//! alone.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rts_proto::client::{Event, RoomEvent};
use rts_proto::server::Report;
use rts_proto::{ConnectionState, Instant, LoginCode, RoomKey, RoomState};
use rts_testkit::EngineIndex;

use super::shape::Shape;
use super::trace::{Call, Entry, Line, Phase};

/// The state of an engine's login.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(crate) enum Login {
    #[default]
    Idle,
    LoggingIn(String),
    LoggedIn(String),
    Rejected(String),
}

impl Login {
    /// The user, if the engine is logged in, with or without a link.
    pub(crate) fn live(&self) -> Option<&str> {
        match self {
            Self::LoggedIn(uid) => Some(uid),
            Self::Idle | Self::LoggingIn(_) | Self::Rejected(_) => None,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RoomPhase {
    Created,
    Joining,
    Joined,
    Leaving { was_joined: bool, then_join: bool },
}

#[derive(Clone, Debug)]
pub(crate) struct Room {
    pub(crate) id: String,
    pub(crate) phase: RoomPhase,
}

/// A send without a result: its room, or `None` for the engine, and its id.
pub(crate) type OpenSend = (Option<RoomKey>, u64);

/// One engine.
#[derive(Clone, Debug, Default)]
pub(crate) struct Engine {
    pub(crate) app: usize,
    pub(crate) login: Login,
    /// The number of successful logins.
    pub(crate) epoch: u64,
    /// When it last opened a link.
    pub(crate) last_dial: Instant,
    /// The number of calls of `login`. A login that continues with a fresh token is the same login.
    pub(crate) logins: u64,
    pub(crate) connection: Option<ConnectionState>,
    pub(crate) is_destroyed: bool,
    /// Whether the engine is inside its call of `destroy`.
    pub(crate) is_being_destroyed: bool,
    pub(crate) last_thaw: Instant,
    pub(crate) is_frozen: bool,
    pub(crate) send_timeout_ms: u64,
    pub(crate) rooms: BTreeMap<RoomKey, Room>,
    /// The sends without a result, each with the moment of the call and the bytes of its payload.
    pub(crate) open: BTreeMap<OpenSend, (Instant, usize)>,
    pub(crate) open_bytes: usize,
}

impl Engine {
    /// Whether the application knows of a link.
    pub(crate) fn is_up(&self) -> bool {
        use ConnectionState::{Connected, Reconnected};
        matches!(self.connection, Some(Connected | Reconnected))
    }

    /// The rooms in which the application believes to be.
    pub(crate) fn joined(&self) -> impl Iterator<Item = (RoomKey, &str)> {
        let joined = |(_, room): &(&RoomKey, &Room)| room.phase == RoomPhase::Joined;
        self.rooms.iter().filter(joined).map(|(key, room)| (*key, room.id.as_str()))
    }
}

/// The state of every engine of a run, and the reports to the back ends.
#[derive(Debug, Default)]
pub(crate) struct Model {
    /// Whether the server has several shards, so that entries are under way between them.
    pub(crate) has_mailboxes: bool,
    /// The longest time for which entries are under way between shards.
    pub(crate) under_way_max: Duration,
    /// The nodes of the server. Several ones are a cluster.
    pub(crate) nodes: usize,
    pub(crate) engines: Vec<Engine>,
    pub(crate) reported: BTreeMap<usize, Reported>,
    /// `None` during the faults.
    phase: Option<Phase>,
}

/// The users and members of one app, as reported to its back end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reported {
    pub(crate) online: BTreeSet<String>,
    pub(crate) rooms: BTreeMap<String, BTreeSet<String>>,
}

impl Reported {
    fn add(&mut self, report: &Report) {
        match report {
            Report::UserOnline { uid } => drop(self.online.insert(uid.as_str().to_owned())),
            Report::UserOffline { uid, .. } => drop(self.online.remove(uid.as_str())),
            Report::RoomCreated { room } => {
                self.rooms.insert(room.as_str().to_owned(), BTreeSet::new());
            }
            Report::RoomEmptied { room } => drop(self.rooms.remove(room.as_str())),
            Report::MemberJoined { room, uid, .. } => {
                if let Some(members) = self.rooms.get_mut(room.as_str()) {
                    members.insert(uid.as_str().to_owned());
                }
            }
            Report::MemberLeft { room, uid, .. } => {
                if let Some(members) = self.rooms.get_mut(room.as_str()) {
                    members.remove(uid.as_str());
                }
            }
        }
    }
}

impl Model {
    pub(crate) fn new(shape: &Shape) -> Self {
        Self {
            has_mailboxes: shape.has_mailboxes(),
            under_way_max: shape.under_way_max(),
            nodes: shape.nodes,
            ..Self::default()
        }
    }

    /// Whether the server is a cluster.
    pub(crate) fn is_cluster(&self) -> bool {
        self.nodes > 1
    }

    /// The engines in which a user of an app is logged in.
    pub(crate) fn live(&self, app: usize) -> impl Iterator<Item = (EngineIndex, &str)> {
        self.engines.iter().enumerate().filter_map(move |(who, engine)| {
            engine.login.live().filter(|_| engine.app == app).map(|uid| (who, uid))
        })
    }

    /// Whether what an engine sent at this moment and later keeps its order. In a cluster, a sender
    /// may get another link, to another node. What it has sent over the first node may then be
    /// overtaken by what it sends over the second one.
    pub(crate) fn keeps_order(&self, sender: EngineIndex, since: Instant) -> bool {
        !self.is_cluster() || self.engines[sender].last_dial < since
    }

    /// Whether the time to heal is over, so that everything must be in order.
    pub(crate) fn is_healed(&self) -> bool {
        self.phase >= Some(Phase::Healed)
    }

    /// Whether the run is in the phase of questions, which must all succeed.
    pub(crate) fn is_asking(&self) -> bool {
        self.phase == Some(Phase::Healed)
    }

    pub(crate) fn apply(&mut self, line: &Line) {
        match &line.entry {
            Entry::Engine { app, .. } => {
                self.engines.push(Engine {
                    app: *app,
                    send_timeout_ms: 10_000,
                    ..Engine::default()
                });
            }
            Entry::Call { who, call, returned } => {
                self.engines[*who].called(line.at, call, *returned);
            }
            Entry::Dialled { who } => self.engines[*who].last_dial = line.at,
            Entry::Returned { who } => self.engines[*who].returned(),
            Entry::Event { who, event } => self.engines[*who].event(event),
            Entry::Frozen { who, on } => {
                self.engines[*who].is_frozen = *on;
                self.engines[*who].last_thaw = line.at;
            }
            Entry::Reported { app, report } => self.reported.entry(*app).or_default().add(report),
            Entry::Restarted => self.reported.clear(),
            Entry::Phase(phase) => self.phase = Some(*phase),
            Entry::Judged { .. }
            | Entry::Commanded { .. }
            | Entry::Closed { .. }
            | Entry::WayUpDead { .. }
            | Entry::Congested { .. }
            | Entry::TargetChecked { .. }
            | Entry::Posted { .. }
            | Entry::AppServerSaid { .. }
            | Entry::PostAbandoned { .. }
            | Entry::Unknown { .. }
            | Entry::HandedOver { .. }
            | Entry::EntriesArrived { .. }
            | Entry::MailboxCongested { .. }
            | Entry::NodeFrozen { .. }
            | Entry::NodeHasView { .. }
            | Entry::NodeEnded { .. }
            | Entry::Located(_)
            | Entry::Fault(_)
            | Entry::Gauges { .. } => {}
        }
    }
}

impl Engine {
    fn called(&mut self, now: Instant, call: &Call, returned: i64) {
        match call {
            Call::Send { bytes, .. } | Call::ServerSend { bytes, .. } if returned > 0 => {
                self.opens((None, returned.unsigned_abs()), now, *bytes);
            }
            Call::Broadcast { key, bytes, .. } if returned > 0 => {
                self.opens((Some(*key), returned.unsigned_abs()), now, *bytes);
            }
            Call::Login { uid, .. } if returned == 0 => {
                self.logins += 1;
                self.login = Login::LoggingIn(uid.clone());
            }
            Call::Refresh => {
                if let Login::Rejected(uid) = &self.login {
                    self.login = Login::LoggingIn(uid.clone());
                }
            }
            Call::CreateRoom { room } if returned > 0 => {
                let key = RoomKey(returned.unsigned_abs());
                self.rooms.insert(key, Room { id: room.clone(), phase: RoomPhase::Created });
            }
            Call::JoinRoom { key } if returned == 0 => self.change(*key, |phase| match phase {
                RoomPhase::Leaving { was_joined, .. } => {
                    RoomPhase::Leaving { was_joined, then_join: true }
                }
                _ => RoomPhase::Joining,
            }),
            Call::LeaveRoom { key } => self.change(*key, |phase| match phase {
                RoomPhase::Created => RoomPhase::Created,
                RoomPhase::Joining => RoomPhase::Leaving { was_joined: false, then_join: false },
                RoomPhase::Joined => RoomPhase::Leaving { was_joined: true, then_join: false },
                RoomPhase::Leaving { was_joined, .. } => {
                    RoomPhase::Leaving { was_joined, then_join: false }
                }
            }),
            // The room has no events from here on.
            Call::DestroyRoom { key, results } => {
                self.rooms.remove(key);
                for (id, _) in results {
                    self.closes((Some(*key), id.0));
                }
            }
            Call::SetSendTimeout { ms } => self.send_timeout_ms = *ms,
            Call::Destroy => self.is_being_destroyed = true,
            Call::Login { .. }
            | Call::Logout
            | Call::ServerSend { .. }
            | Call::Send { .. }
            | Call::Status { .. }
            | Call::CreateRoom { .. }
            | Call::JoinRoom { .. }
            | Call::Broadcast { .. }
            | Call::SetBusinessId { .. }
            | Call::SetServerParams { .. }
            | Call::NetworkChanged => {}
        }
    }

    fn opens(&mut self, send: OpenSend, now: Instant, bytes: usize) {
        self.open.insert(send, (now, bytes));
        self.open_bytes += bytes;
    }

    fn closes(&mut self, send: OpenSend) {
        if let Some((_, bytes)) = self.open.remove(&send) {
            self.open_bytes -= bytes;
        }
    }

    fn returned(&mut self) {
        if self.is_being_destroyed {
            self.is_destroyed = true;
            self.login = Login::Idle;
            self.rooms.clear();
        }
    }

    pub(crate) fn event(&mut self, event: &Event) {
        if let Some(answered) = answered(event) {
            self.closes(answered);
        }
        match event {
            Event::ConnectionStateChanged(state) => {
                self.connection = Some(*state);
                // The server refused the user. A live login ends with this state alone.
                if *state == ConnectionState::Failed && self.login.live().is_some() {
                    self.login = Login::Idle;
                }
            }
            Event::LoginResult { uid, code, .. } => self.login_ended(uid.as_str(), *code),
            Event::Logout(_) => {
                self.login = Login::Idle;
                self.rooms.values_mut().for_each(|room| room.phase = RoomPhase::Created);
            }
            Event::Room { key, event, .. } => match event {
                RoomEvent::Joined { .. } => self.change(*key, |_| RoomPhase::Joined),
                RoomEvent::StateChanged { state, .. } if ends_membership(*state) => {
                    self.change(*key, |_| RoomPhase::Created);
                }
                RoomEvent::Left => self.change(*key, |phase| match phase {
                    RoomPhase::Leaving { then_join: true, .. } => RoomPhase::Joining,
                    _ => RoomPhase::Created,
                }),
                RoomEvent::StateChanged { .. }
                | RoomEvent::MessageReceived { .. }
                | RoomEvent::UserMessageReceived { .. }
                | RoomEvent::MessageSendResult { .. }
                | RoomEvent::UserJoined(_)
                | RoomEvent::UserLeft { .. } => {}
            },
            Event::PeerOnlineStatus { .. }
            | Event::MessageReceived { .. }
            | Event::MessageSendResult { .. }
            | Event::ServerParamsSetResult(_)
            | Event::ServerMessageSendResult { .. }
            | Event::CreateRoomFailed { .. }
            | Event::Warning { .. } => {}
        }
    }

    fn login_ended(&mut self, uid: &str, code: LoginCode) {
        self.login = match code {
            LoginCode::Ok => {
                self.epoch += 1;
                Login::LoggedIn(uid.to_owned())
            }
            LoginCode::InvalidToken => Login::Rejected(uid.to_owned()),
            LoginCode::Unknown | LoginCode::BadUserId | LoginCode::ServerError => Login::Idle,
        };
    }

    fn change(&mut self, key: RoomKey, to: impl Fn(RoomPhase) -> RoomPhase) {
        if let Some(room) = self.rooms.get_mut(&key) {
            room.phase = to(room.phase);
        }
    }
}

/// The send whose result this event is.
pub(crate) fn answered(event: &Event) -> Option<OpenSend> {
    match event {
        Event::MessageSendResult { id, .. } | Event::ServerMessageSendResult { id, .. } => {
            Some((None, id.0))
        }
        Event::Room { key, event: RoomEvent::MessageSendResult { id, .. }, .. } => {
            Some((Some(*key), id.0))
        }
        _ => None,
    }
}

/// Whether an engine with this room state is out of the room.
pub(crate) fn ends_membership(state: RoomState) -> bool {
    match state {
        RoomState::Joined
        | RoomState::JoinRetrying
        | RoomState::NotInRoom
        | RoomState::NoticesStop => false,
        RoomState::InvalidToken
        | RoomState::JoinFailed
        | RoomState::DuplicateJoin
        | RoomState::Kicked
        | RoomState::Dismissed
        | RoomState::RoomBanned
        | RoomState::UserBanned
        | RoomState::ServerAbnormal => true,
    }
}
