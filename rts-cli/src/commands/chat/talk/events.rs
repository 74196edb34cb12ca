//! Reports events of the engine and of rooms.

use rts_client::contract::{
    ConnectionState, Event, JoinType, LoginCode, MessageId, OnlineStatus, RoomEvent, RoomState,
};

use super::super::line::{Line, Mark};
use super::super::words::{safe, shown};
use super::place::{Place, Standing};
use super::{Talk, note, problem};

impl Talk {
    /// Reports an event. Joins of users that follow each other are reported together, so
    /// [`report_arrivals`](Self::report_arrivals) returns the last of them.
    pub(in super::super) fn event(&mut self, event: &Event) -> Vec<Line> {
        if let Event::Room { room, event: RoomEvent::UserJoined(uid), .. } = event {
            self.arrived(room.as_str(), uid.as_str());
            return Vec::new();
        }
        let mut lines = self.report_arrivals();
        lines.extend(match event {
            Event::MessageReceived { from, payload } => {
                self.see(from.as_str());
                let from = from.as_str().to_owned();
                vec![Line::Message { room: None, from, text: shown(payload) }]
            }
            Event::MessageSendResult { id, code } => self.result(None, *id, (*code).into()),
            Event::PeerOnlineStatus { uid, status } => {
                self.statuses = self.statuses.saturating_sub(1);
                if *status == OnlineStatus::Online {
                    self.see(uid);
                }
                let is = match status {
                    OnlineStatus::Online => "is online",
                    OnlineStatus::Offline => "is offline",
                    OnlineStatus::Unreachable => "cannot be reached now",
                };
                note(format!("{} {is}", safe(uid)))
            }
            Event::ConnectionStateChanged(state) => self.link_changed(*state),
            Event::LoginResult { code: LoginCode::Ok, .. } => note("logged in again"),
            Event::LoginResult { code: LoginCode::InvalidToken, .. } => {
                // Joins in progress would wait for a new token. The chat does not wait for them.
                let joining = self.rooms.values_mut().filter(|p| p.standing == Standing::Joining);
                joining.for_each(Place::put_out);
                problem(format!(
                    "login refused: {}; /token TOKEN goes on with another token",
                    LoginCode::InvalidToken
                ))
            }
            Event::LoginResult { code, .. } => problem(format!("login refused: {code}")),
            Event::Warning { message, .. } => note(format!("warning: {}", safe(message))),
            Event::Room { key, room, event } => {
                let current = self.rooms.get(room.as_str()).map(|place| place.room.key());
                match current == Some(*key) {
                    true => self.room_event(room.as_str(), event),
                    false => Vec::new(),
                }
            }
            // Reported elsewhere, or never requested here.
            Event::Logout(_)
            | Event::CreateRoomFailed { .. }
            | Event::ServerParamsSetResult(_)
            | Event::ServerMessageSendResult { .. } => Vec::new(),
        });
        lines
    }

    fn room_event(&mut self, id: &str, event: &RoomEvent) -> Vec<Line> {
        let Some(place) = self.rooms.get_mut(id) else { return Vec::new() };
        match event {
            RoomEvent::Joined { how, .. } => {
                place.standing = Standing::In;
                match how {
                    JoinType::First => note(format!("joined #{id}")),
                    JoinType::Resumed => Vec::new(),
                    JoinType::Anew => {
                        place.forget_members();
                        note(format!(
                            "joined #{id} again: what was said there meanwhile is missing"
                        ))
                    }
                }
            }
            RoomEvent::StateChanged { state, .. } => match state {
                // A failed broadcast has its own result, and a join its own event.
                RoomState::Joined | RoomState::NotInRoom => Vec::new(),
                RoomState::NoticesStop => {
                    place.is_crowded = true;
                    note(format!("#{id}: {state}"))
                }
                RoomState::JoinRetrying => note(format!("#{id}: {state}")),
                _ => {
                    let was_in = place.standing == Standing::In;
                    place.put_out();
                    if was_in {
                        note(format!("out of #{id}: {state}; /join {id} goes back"))
                    } else {
                        problem(format!("not in #{id}: {state}"))
                    }
                }
            },
            RoomEvent::MessageReceived { from, payload } => {
                self.see(from.as_str());
                let from = from.as_str().to_owned();
                vec![Line::Message { room: Some(id.to_owned()), from, text: shown(payload) }]
            }
            RoomEvent::UserMessageReceived { from, payload } => {
                let from = format!("{from}, to you alone");
                vec![Line::Message { room: Some(id.to_owned()), from, text: shown(payload) }]
            }
            RoomEvent::MessageSendResult { id: number, code } => {
                self.result(Some(id.to_owned()), *number, (*code).into())
            }
            RoomEvent::UserLeft { uid, reason } => {
                place.members.remove(uid.as_str());
                note(format!("#{id}: {uid} is gone: {reason}"))
            }
            // Joins are collected above. `destroy` has reported the leave already.
            RoomEvent::UserJoined(_) | RoomEvent::Left => Vec::new(),
        }
    }

    fn result(&mut self, room: Option<String>, number: MessageId, mark: Mark) -> Vec<Line> {
        let sent = self.open.remove(&(room, number));
        sent.map(|(to, text)| Line::Sent { to, text, mark }).into_iter().collect()
    }

    fn link_changed(&mut self, state: ConnectionState) -> Vec<Line> {
        match state {
            ConnectionState::Connecting | ConnectionState::Disconnected => Vec::new(),
            ConnectionState::Connected => {
                self.is_linked = true;
                Vec::new()
            }
            ConnectionState::Reconnected => {
                self.is_linked = true;
                note("connected again")
            }
            ConnectionState::Reconnecting => {
                self.is_linked = false;
                let why = self.engine.last_link_error();
                let why =
                    why.map_or_else(String::new, |why| format!(" ({})", safe(&why.to_string())));
                note(format!("the connection is lost{why}; trying again"))
            }
            ConnectionState::Lost => note("still no connection; trying on"),
            ConnectionState::Failed => {
                self.is_linked = false;
                problem(
                    "the server refuses this client, and the engine does not retry: start again",
                )
            }
        }
    }

    fn arrived(&mut self, room: &str, uid: &str) {
        self.see(uid);
        if let Some(place) = self.rooms.get_mut(room)
            && place.members.insert(uid.to_owned())
        {
            self.arrivals.entry(room.to_owned()).or_default().push(uid.to_owned());
        }
    }
}
