//! Executes the calls of the applications.

use std::time::Duration;

use rts_proto::client::{self, Parameters};
use rts_proto::{MessageConfig, Payload, RoomKey};
use rts_testkit::EngineIndex;

use super::{Place, Run};
use crate::names::{app_id, room_id, uid};
use crate::oracles::Violation;
use crate::payload;
use crate::plan::{Nonsense, ParamsKind, Slot, Step, TokenKind};
use crate::trace::{Call, Entry, TokenFacts};

impl Run<'_> {
    pub(super) fn call(&mut self, slot: Slot, step: Step) -> Result<(), Violation> {
        let Place { engine: who, app, user, .. } = self.places[slot];
        match step {
            Step::Login { token, .. } => {
                let token = self.token(slot, token);
                self.login(who, &token, &uid(user))
            }
            Step::Logout { .. } => {
                self.make(who, client::Call::Logout, Call::Logout)?;
                self.note(Entry::Returned { who })
            }
            Step::Refresh { token, .. } => {
                let token = self.token(slot, token);
                self.refresh(who, &token)
            }
            Step::Send { to, bytes, is_binary, config, .. } => {
                self.send(who, &uid(to), bytes, is_binary, config)
            }
            Step::Status { of, .. } => self.ask_status(who, &uid(of)),
            Step::Join { room, .. } => {
                let key = match self.places[slot].rooms.get(&room) {
                    Some(key) => *key,
                    None => {
                        let Some(key) = self.create_room(who, room_id(room))? else {
                            return Ok(());
                        };
                        self.places[slot].rooms.insert(room, key);
                        key
                    }
                };
                self.make(who, client::Call::JoinRoom { key }, Call::JoinRoom { key })
            }
            Step::Leave { room, .. } => {
                let Some(key) = self.places[slot].rooms.get(&room).copied() else { return Ok(()) };
                self.make(who, client::Call::LeaveRoom { key }, Call::LeaveRoom { key })
            }
            Step::DestroyRoom { room, .. } => {
                let Some(key) = self.places[slot].rooms.remove(&room) else { return Ok(()) };
                let results = self.world.call(who, |engine, now| engine.destroy_room(now, key));
                self.made(who, Call::DestroyRoom { key, results }, 0)?;
                // The handle of a destroyed room stays invalid, and a call on it returns an error.
                self.broadcast(who, key, 20, false)
            }
            Step::Broadcast { room, bytes, is_binary, .. } => {
                let Some(key) = self.places[slot].rooms.get(&room).copied() else { return Ok(()) };
                self.broadcast(who, key, bytes, is_binary)
            }
            Step::BusinessId { is_empty, .. } => {
                let id = if is_empty { "" } else { "a.tag" };
                self.set_business_id(who, id)
            }
            Step::SendTimeout { ms, .. } => {
                // A value below the minimum is ignored, with a warning.
                if Duration::from_millis(ms) < Parameters::MIN {
                    let json = &send_timeout(ms);
                    let call = client::Call::SetRuntimeParameters { json };
                    self.world.call(who, |engine, now| engine.call(now, call));
                    self.world.take_events(who);
                    return Ok(());
                }
                self.set_send_timeout(who, ms)
            }
            Step::ServerParams { kind, .. } => self.set_server_params(who, kind),
            Step::ServerSend { bytes, is_binary, .. } => self.send_to_server(who, bytes, is_binary),
            Step::Destroy { .. } => {
                self.destroy(who)?;
                let engine = self.new_engine(app)?;
                self.places[slot].engine = engine;
                self.places[slot].rooms.clear();
                Ok(())
            }
            Step::NetworkChanged { .. } => {
                self.world.call(who, |engine, now| {
                    engine.handle_input(now, client::Input::NetworkChanged);
                });
                self.made(who, Call::NetworkChanged, 0)
            }
            Step::Nonsense { what, .. } => self.nonsense(slot, what),
            _ => Ok(()),
        }
    }

    pub(super) fn login(
        &mut self,
        who: EngineIndex,
        token: &str,
        uid: &str,
    ) -> Result<(), Violation> {
        let noted = Call::Login { uid: uid.to_owned(), token_is_empty: token.is_empty() };
        self.make(who, client::Call::Login { token, uid }, noted)
    }

    pub(super) fn refresh(&mut self, who: EngineIndex, token: &str) -> Result<(), Violation> {
        self.make(who, client::Call::UpdateLoginToken { token }, Call::Refresh)
    }

    pub(super) fn set_send_timeout(&mut self, who: EngineIndex, ms: u64) -> Result<(), Violation> {
        let json = &send_timeout(ms);
        self.make(who, client::Call::SetRuntimeParameters { json }, Call::SetSendTimeout { ms })
    }

    pub(super) fn send(
        &mut self,
        who: EngineIndex,
        uid: &str,
        bytes: usize,
        is_binary: bool,
        config: MessageConfig,
    ) -> Result<(), Violation> {
        let (serial, payload) = self.payload(who, bytes, is_binary);
        let noted = Call::Send { to: uid.to_owned(), serial, bytes, is_binary, config };
        self.make(who, client::Call::SendMessage { uid, payload: &payload, config }, noted)
    }

    pub(super) fn broadcast(
        &mut self,
        who: EngineIndex,
        key: RoomKey,
        bytes: usize,
        is_binary: bool,
    ) -> Result<(), Violation> {
        let (serial, payload) = self.payload(who, bytes, is_binary);
        let noted = Call::Broadcast { key, serial, bytes, is_binary };
        self.make(who, client::Call::SendRoomMessage { key, payload: &payload }, noted)
    }

    pub(super) fn ask_status(&mut self, who: EngineIndex, uid: &str) -> Result<(), Violation> {
        let noted = Call::Status { uid: uid.to_owned() };
        self.make(who, client::Call::GetPeerOnlineStatus { uid }, noted)
    }

    pub(super) fn set_server_params(
        &mut self,
        who: EngineIndex,
        kind: ParamsKind,
    ) -> Result<(), Violation> {
        let app = self.oracles.model.engines[who].app;
        let url = &kind.url(&app_id(app), &app_id(app + 1));
        let serial = self.next_serial();
        let signature = &match kind {
            ParamsKind::NoSignature => String::new(),
            _ => serial.to_string(),
        };
        let noted = Call::SetServerParams { serial, kind, url: url.clone() };
        self.make(who, client::Call::SetServerParams { signature, url }, noted)
    }

    pub(super) fn send_to_server(
        &mut self,
        who: EngineIndex,
        bytes: usize,
        is_binary: bool,
    ) -> Result<(), Violation> {
        let (serial, payload) = self.payload(who, bytes, is_binary);
        let noted = Call::ServerSend { serial, bytes, is_binary };
        self.make(who, client::Call::SendServerMessage { payload: &payload }, noted)
    }

    fn create_room(
        &mut self,
        who: EngineIndex,
        room: String,
    ) -> Result<Option<RoomKey>, Violation> {
        let made = self.world.call(who, |engine, now| engine.create_room(now, &room));
        let returned = made.map_or_else(|error| error.code().into(), |key| key.0.cast_signed());
        self.made(who, Call::CreateRoom { room }, returned)?;
        Ok(made.ok())
    }

    fn set_business_id(&mut self, who: EngineIndex, id: &str) -> Result<(), Violation> {
        let is_good = rts_proto::BusinessId::new(id).is_ok() || id.is_empty();
        self.make(who, client::Call::SetBusinessId { id }, Call::SetBusinessId { is_good })
    }

    pub(super) fn destroy(&mut self, who: EngineIndex) -> Result<(), Violation> {
        self.make(who, client::Call::Destroy, Call::Destroy)?;
        self.note(Entry::Returned { who })
    }

    /// Makes a call, and notes it in the trace as `noted`.
    fn make(
        &mut self,
        who: EngineIndex,
        call: client::Call<'_>,
        noted: Call,
    ) -> Result<(), Violation> {
        let returned = self.world.call(who, |engine, now| engine.call(now, call));
        self.made(who, noted, returned.number().unwrap_or(0))
    }

    /// The payload of a new message, with the next serial.
    fn payload(&mut self, who: EngineIndex, bytes: usize, is_binary: bool) -> (u64, Payload) {
        let serial = self.next_serial();
        let app = self.oracles.model.engines[who].app;
        (serial, payload::make(app, serial, bytes, is_binary))
    }

    fn nonsense(&mut self, slot: Slot, what: Nonsense) -> Result<(), Violation> {
        let Place { engine: who, user, .. } = self.places[slot];
        match what {
            Nonsense::EmptyToken => self.login(who, "", &uid(user)),
            Nonsense::BadUser => {
                let token = self.token(slot, TokenKind::Good);
                self.login(who, &token, "not a user")
            }
            Nonsense::EmptyReceiver => {
                self.send(who, "", 20, false, MessageConfig::ReliableOrdered)
            }
            Nonsense::BadReceiver => {
                self.send(who, "not a user", 20, false, MessageConfig::ReliableOrdered)
            }
            Nonsense::BadRoom => self.create_room(who, "no.room".to_owned()).map(drop),
            Nonsense::RoomTwice => {
                let room = self.places[slot].rooms.keys().next().copied().unwrap_or(0);
                let made = self.create_room(who, room_id(room))?;
                if let Some(key) = made {
                    self.places[slot].rooms.insert(room, key);
                }
                Ok(())
            }
            Nonsense::BadBusinessId => self.set_business_id(who, "not a tag"),
        }
    }

    /// A token, and the facts about it.
    pub(super) fn token(&mut self, slot: Slot, kind: TokenKind) -> String {
        let Place { app, user, .. } = self.places[slot];
        let other = (0..self.places.len()).find(|other| self.places[*other].app != app);
        let (app, user) = match (kind, other) {
            (TokenKind::OfAnotherApp, Some(other)) => (self.places[other].app, user),
            (TokenKind::OfAnotherUser | TokenKind::OfAnotherApp, _) => (app, user + 1),
            _ => (app, user),
        };
        let wall = self.world.wall_seconds();
        let expire_at = match kind {
            TokenKind::Brief(seconds) => wall + seconds,
            TokenKind::Expired => wall.saturating_sub(10).max(1),
            _ => 0,
        };
        // Tokens end with the year 2106, and clocks may be set to later times.
        let seconds = u32::try_from(expire_at).unwrap_or(u32::MAX);
        let expire_at = u64::from(seconds);
        let issued_at = self.token_second();
        let mut token = self.world.token_of(&app_id(app), &uid(user), seconds);
        match kind {
            TokenKind::CutOff => token.truncate(token.len() - 8),
            TokenKind::Tampered => {
                // Replace a letter in the signed bytes.
                let at = token.len() / 2;
                let swapped = if token.as_bytes()[at] == b'A' { "B" } else { "A" };
                token.replace_range(at..=at, swapped);
            }
            _ => {}
        }
        let is_damaged = matches!(kind, TokenKind::CutOff | TokenKind::Tampered);
        let key = self.keys.get(&app).copied().unwrap_or(0);
        let facts = TokenFacts { app, user, expire_at, issued_at, key, is_damaged };
        self.tokens.insert(token.clone().into_bytes(), facts);
        token
    }
}

fn send_timeout(ms: u64) -> String {
    format!("{{\"sendTimeoutMs\":{ms}}}")
}
