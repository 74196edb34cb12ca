//! The state of one engine as its application knows it, from calls and callbacks alone.

use std::collections::BTreeMap;

use rts_proto::client::{Event, RoomEvent};
use rts_proto::{ConnectionState, Instant, LoginCode, RoomKey, RoomState};

use super::trace::Call;

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
    /// The number of its sessions.
    pub(crate) sessions: u64,
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

    /// The rooms that the engine is in, wants to be in or is leaving, with its user.
    pub(crate) fn asking(&self) -> impl Iterator<Item = (&str, &str)> {
        let uid = match &self.login {
            Login::LoggingIn(uid) | Login::LoggedIn(uid) => Some(uid.as_str()),
            Login::Idle | Login::Rejected(_) => None,
        };
        let rooms = self.rooms.values().filter(|room| room.phase != RoomPhase::Created);
        rooms.filter_map(move |room| Some((room.id.as_str(), uid?)))
    }

    /// The rooms in which the application believes to be.
    pub(crate) fn joined(&self) -> impl Iterator<Item = (RoomKey, &str)> {
        let joined = |(_, room): &(&RoomKey, &Room)| room.phase == RoomPhase::Joined;
        self.rooms.iter().filter(joined).map(|(key, room)| (*key, room.id.as_str()))
    }
}

impl Engine {
    pub(crate) fn called(&mut self, now: Instant, call: &Call, returned: i64) {
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

    pub(crate) fn returned(&mut self) {
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
