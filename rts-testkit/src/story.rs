//! Shorthands for stories, for engines that are called through the world.

use std::time::Duration;

use rts_proto::client::{Event, RoomEvent};
use rts_proto::{Instant, MessageConfig, Payload, RoomKey, SendCode};

use crate::app_server::APP_SERVER_URL;
use crate::engine::Core;
use crate::world::Happening;
use crate::{EngineIndex, World};

impl World {
    /// Logs in with a valid token, and runs for 200 ms.
    ///
    /// # Panics
    ///
    /// If the engine is not logged in after that.
    pub fn log_in(&mut self, who: EngineIndex, uid: &str) {
        let app = self.engines[who].app_id.clone();
        let token = self.token_of(&app, uid, 0);
        self.call(who, |engine, now| engine.login(now, &token, uid)).expect("login");
        self.run_for(Duration::from_millis(200));
        let Core::Called(client) = &self.engines[who].core else { return };
        assert!(client.is_logged_in(), "{:?}", self.log);
    }

    /// Sends a reliable text to a user, and returns the id of the message.
    ///
    /// # Panics
    ///
    /// If the call is refused.
    pub fn send(&mut self, who: EngineIndex, to: &str, text: &str) -> u64 {
        self.send_as(who, to, Payload::text(text), MessageConfig::ReliableOrdered)
    }

    /// Sets server params that are allowed, and runs for 200 ms.
    ///
    /// # Panics
    ///
    /// If the params are not in force after that.
    pub fn set_server_params(&mut self, who: EngineIndex) {
        self.call(who, |engine, now| engine.set_server_params(now, "signature", APP_SERVER_URL));
        self.run_for(Duration::from_millis(200));
        assert_eq!(self.params_results(who).last(), Some(&200));
    }

    /// Sends a text to the app server, and returns the id of the message.
    ///
    /// # Panics
    ///
    /// If the call is refused.
    pub fn send_to_server(&mut self, who: EngineIndex, text: &str) -> u64 {
        let payload = Payload::text(text);
        self.call(who, |engine, now| engine.send_server_message(now, payload)).expect("send").0
    }

    /// Sends a message to a user, and returns its id.
    ///
    /// # Panics
    ///
    /// If the call is refused.
    pub fn send_as(
        &mut self,
        who: EngineIndex,
        to: &str,
        payload: Payload,
        config: MessageConfig,
    ) -> u64 {
        self.call(who, |engine, now| engine.send_message(now, to, payload, config)).expect("send").0
    }

    /// Creates a room, calls `joinRoom`, and runs for 200 ms.
    ///
    /// # Panics
    ///
    /// If a call is refused.
    pub fn join(&mut self, who: EngineIndex, room: &str) -> RoomKey {
        let key = self.call(who, |engine, now| engine.create_room(now, room)).expect("room");
        self.call(who, |engine, now| engine.join_room(now, key)).expect("join");
        self.run_for(Duration::from_millis(200));
        key
    }

    /// Broadcasts a text in a room, and returns the id of the broadcast.
    ///
    /// # Panics
    ///
    /// If the call is refused.
    pub fn broadcast(&mut self, who: EngineIndex, room: RoomKey, text: &str) -> u64 {
        let payload = Payload::text(text);
        self.call(who, |engine, now| engine.send_room_message(now, room, payload)).expect("room").0
    }

    /// Takes everything that happened since the last call, in order.
    pub fn take_log(&mut self) -> Vec<(Instant, Happening)> {
        std::mem::take(&mut self.log)
    }

    /// Takes the events of one engine since the last call, in order.
    pub fn take_events(&mut self, who: EngineIndex) -> Vec<Event> {
        self.take_timed_events(who).into_iter().map(|(_, event)| event).collect()
    }

    /// Takes the events of one engine like [`take_events`](Self::take_events), each with its time.
    pub fn take_timed_events(&mut self, who: EngineIndex) -> Vec<(Instant, Event)> {
        let mut taken = Vec::new();
        for (at, happening) in std::mem::take(&mut self.log) {
            match happening {
                Happening::Event(engine, event) if engine == who => taken.push((at, event)),
                other => self.log.push((at, other)),
            }
        }
        taken
    }

    fn events(&self, who: EngineIndex) -> impl Iterator<Item = (Instant, &Event)> {
        self.log.iter().filter_map(move |(at, happening)| match happening {
            Happening::Event(engine, event) if *engine == who => Some((*at, event)),
            _ => None,
        })
    }

    /// The texts that an engine received from users, in order. Events that were taken are left out.
    #[must_use]
    pub fn texts(&self, who: EngineIndex) -> Vec<String> {
        let text = |(_, event): (Instant, &Event)| match event {
            Event::MessageReceived { payload: Payload::Text(text), .. } => Some(text.to_string()),
            _ => None,
        };
        self.events(who).filter_map(text).collect()
    }

    /// The texts that an engine received in rooms, in order. Events that were taken are left out.
    #[must_use]
    pub fn room_texts(&self, who: EngineIndex) -> Vec<String> {
        let text = |(_, event): (Instant, &Event)| match event {
            Event::Room {
                event: RoomEvent::MessageReceived { payload: Payload::Text(text), .. },
                ..
            } => Some(text.to_string()),
            _ => None,
        };
        self.events(who).filter_map(text).collect()
    }

    /// The results of an engine's messages to users, each with the id of its message.
    #[must_use]
    pub fn results(&self, who: EngineIndex) -> Vec<(u64, SendCode)> {
        let result = |(_, event): (Instant, &Event)| match event {
            Event::MessageSendResult { id, code } => Some((id.0, *code)),
            _ => None,
        };
        self.events(who).filter_map(result).collect()
    }

    /// The results of an engine's messages to the app server: the id of the message, the code, and
    /// the length of the reply in bytes.
    #[must_use]
    pub fn server_results(&self, who: EngineIndex) -> Vec<(u64, u32, usize)> {
        let result = |(_, event): (Instant, &Event)| match event {
            Event::ServerMessageSendResult { id, code, reply } => {
                Some((id.0, code.code(), reply.len()))
            }
            _ => None,
        };
        self.events(who).filter_map(result).collect()
    }

    /// The results of an engine's calls of `set_server_params`.
    #[must_use]
    pub fn params_results(&self, who: EngineIndex) -> Vec<u32> {
        let result = |(_, event): (Instant, &Event)| match event {
            Event::ServerParamsSetResult(code) => Some(code.code()),
            _ => None,
        };
        self.events(who).filter_map(result).collect()
    }

    /// The connection states that an engine reported, each with its time.
    #[must_use]
    pub fn states(&self, who: EngineIndex) -> Vec<(Instant, u32)> {
        let state = |(at, event): (Instant, &Event)| match event {
            Event::ConnectionStateChanged(state) => Some((at, state.code())),
            _ => None,
        };
        self.events(who).filter_map(state).collect()
    }
}
