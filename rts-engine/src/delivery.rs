//! Delivery of events to the application, through a handler or a stream.

use std::collections::{BTreeMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};

use rts_proto::RoomKey;
use rts_proto::client::Event;

use crate::backpressure::{EVENT_BYTES_MAX, EVENTS_MAX, payload_bytes};
use crate::handler::{EventHandler, RoomEventHandler};
use crate::sent::OutcomeSlot;
use crate::unread::Unread;

type EngineHandler = Arc<Mutex<dyn EventHandler>>;
type RoomHandler = Arc<Mutex<dyn RoomEventHandler>>;

/// The number of one [`Events`](crate::Events) of an engine.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct StreamId(u64);

/// A handler that is not needed any more. It is the application's code, so it is dropped while no
/// lock is held.
pub(crate) enum Retired {
    Engine(#[expect(dead_code, reason = "held to be dropped")] EngineHandler),
    Room(#[expect(dead_code, reason = "held to be dropped")] RoomHandler),
}

/// Queues of events for the application. When an event happens, it enters one of two queues: the
/// one for callbacks if it has a handler, else the stream. Each queue keeps the order.
pub(crate) struct Delivery {
    stream: Unread,
    /// The `Events` that takes events from the stream, if there is one.
    reader: Option<StreamId>,
    last_reader: StreamId,
    callbacks: VecDeque<Event>,
    /// Bytes of payload of the events in `callbacks`.
    callback_bytes: usize,
    engine_handler: Option<EngineHandler>,
    /// Every room handle that is not destroyed, with its handler if it has one.
    rooms: BTreeMap<RoomKey, Option<RoomHandler>>,
    /// False once the engine is destroyed.
    handlers_wanted: bool,
    retired: Vec<Retired>,
}

impl Delivery {
    pub(crate) fn new() -> Self {
        Self {
            stream: Unread::new(),
            reader: None,
            last_reader: StreamId(0),
            callbacks: VecDeque::new(),
            callback_bytes: 0,
            engine_handler: None,
            rooms: BTreeMap::new(),
            handlers_wanted: true,
            retired: Vec::new(),
        }
    }

    /// `slot` is the slot of the event's `Sent`, if the event is a result.
    pub(crate) fn push(&mut self, event: Event, slot: Option<Arc<dyn OutcomeSlot>>) {
        if self.has_handler(&event) {
            self.callback_bytes += payload_bytes(&event);
            self.callbacks.push_back(event);
        } else if self.reader.is_some() {
            self.stream.push(event, slot);
        }
    }

    fn has_handler(&self, event: &Event) -> bool {
        self.room_handler(event).is_some() || self.engine_handler.is_some()
    }

    fn room_handler(&self, event: &Event) -> Option<&RoomHandler> {
        let Event::Room { key, .. } = event else { return None };
        self.rooms.get(key)?.as_ref()
    }

    /// Whether the application has few enough events to take that the link may be read.
    pub(crate) fn has_room(&mut self) -> bool {
        self.stream.recount_if_many();
        self.has_room_as_known()
    }

    /// Like [`has_room`](Self::has_room), without a new count. Results whose `Sent` was dropped
    /// since the last count are not counted yet.
    pub(crate) fn has_room_as_known(&self) -> bool {
        let (events, bytes) = self.stream.counted();
        events + self.callbacks.len() < EVENTS_MAX && bytes + self.callback_bytes < EVENT_BYTES_MAX
    }

    /// Opens a new stream. An earlier one gets no more events, and its untaken events move to this
    /// one.
    pub(crate) fn open_stream(&mut self) -> StreamId {
        self.last_reader = StreamId(self.last_reader.0 + 1);
        self.reader = Some(self.last_reader);
        self.last_reader
    }

    pub(crate) fn is_open(&self, stream: StreamId) -> bool {
        self.reader == Some(stream)
    }

    pub(crate) fn pop_stream(&mut self, stream: StreamId) -> Option<Event> {
        if self.is_open(stream) { self.stream.pop() } else { None }
    }

    pub(crate) fn has_stream_events(&self) -> bool {
        !self.stream.is_empty()
    }

    pub(crate) fn has_callbacks(&self) -> bool {
        !self.callbacks.is_empty()
    }

    /// The next event, with the handler that is set now.
    pub(crate) fn pop_callback(&mut self) -> Option<Callback> {
        loop {
            let event = self.callbacks.pop_front()?;
            self.callback_bytes -= payload_bytes(&event);
            if let Some(handler) = self.room_handler(&event) {
                let handler = Arc::clone(handler);
                return Some(Callback::Room(event, handler));
            }
            if let Some(handler) = &self.engine_handler {
                return Some(Callback::Engine(event, Arc::clone(handler)));
            }
        }
    }

    /// Retires the handler that is not needed: the previous one, or this one if the engine is
    /// destroyed.
    pub(crate) fn set_engine_handler(&mut self, handler: impl EventHandler + 'static) {
        let handler: EngineHandler = Arc::new(Mutex::new(handler));
        let unwanted = match self.handlers_wanted {
            true => self.engine_handler.replace(handler),
            false => Some(handler),
        };
        self.retired.extend(unwanted.map(Retired::Engine));
    }

    pub(crate) fn add_room(&mut self, key: RoomKey) {
        self.rooms.insert(key, None);
    }

    /// Retires the handler that is not needed: the previous one, or this one if the room is
    /// destroyed.
    pub(crate) fn set_room_handler(
        &mut self,
        key: RoomKey,
        handler: impl RoomEventHandler + 'static,
    ) {
        let handler: RoomHandler = Arc::new(Mutex::new(handler));
        let unwanted = match self.rooms.get_mut(&key) {
            Some(slot) => slot.replace(handler),
            None => Some(handler),
        };
        self.retired.extend(unwanted.map(Retired::Room));
    }

    /// The room is destroyed. Its events are removed from both queues, and its handler is retired.
    pub(crate) fn forget_room(&mut self, destroyed: RoomKey) {
        let stays = |event: &Event| !matches!(event, Event::Room { key, .. } if *key == destroyed);
        self.stream.retain_events(stays);
        self.callbacks.retain(|event| {
            let stays = stays(event);
            if !stays {
                self.callback_bytes -= payload_bytes(event);
            }
            stays
        });
        self.retired.extend(self.rooms.remove(&destroyed).flatten().map(Retired::Room));
    }

    /// The engine is destroyed. No handler is called any more. The stream can still be read.
    pub(crate) fn forget_handlers(&mut self) {
        self.callbacks.clear();
        self.callback_bytes = 0;
        self.handlers_wanted = false;
        let rooms = std::mem::take(&mut self.rooms);
        let engine = self.engine_handler.take().map(Retired::Engine);
        self.retired.extend(rooms.into_values().flatten().map(Retired::Room).chain(engine));
    }

    /// What was retired. Drop it while no lock is held.
    pub(crate) fn take_retired(&mut self) -> Vec<Retired> {
        std::mem::take(&mut self.retired)
    }

    pub(crate) fn close_stream(&mut self, stream: StreamId) {
        if self.is_open(stream) {
            self.reader = None;
            self.stream = Unread::new();
        }
    }
}

/// An event with its handler.
pub(crate) enum Callback {
    Engine(Event, EngineHandler),
    Room(Event, RoomHandler),
}

impl Callback {
    /// Calls the handler. If it panics, the panic hook has reported the panic, and the next event
    /// is delivered as usual. No other code locks a handler, so this call never blocks.
    pub(crate) fn call(self) {
        let _ = catch_unwind(AssertUnwindSafe(|| match &self {
            Self::Engine(event, handler) => {
                let mut handler = handler.lock().unwrap_or_else(PoisonError::into_inner);
                handler.handle(event);
            }
            Self::Room(Event::Room { room, event, .. }, handler) => {
                let mut handler = handler.lock().unwrap_or_else(PoisonError::into_inner);
                handler.handle_in(room, event);
            }
            Self::Room(..) => {}
        }));
    }
}

#[cfg(test)]
mod tests {
    use rts_proto::client::RoomEvent;
    use rts_proto::{OnlineStatus, Payload, RoomId, UserId};

    use super::*;

    const ROOM: RoomKey = RoomKey(1);
    const OTHER: RoomKey = RoomKey(2);

    struct Handler;

    impl EventHandler for Handler {}
    impl RoomEventHandler for Handler {}

    fn status() -> Event {
        Event::PeerOnlineStatus { uid: "bob".to_owned(), status: OnlineStatus::Online }
    }

    fn in_room(key: RoomKey) -> Event {
        let room = RoomId::new("lobby").expect("a valid id");
        let from = UserId::new("bob").expect("a valid id");
        let payload = Payload::text("hi");
        Event::Room { key, room, event: RoomEvent::MessageReceived { from, payload } }
    }

    /// With two rooms and one stream.
    fn delivery() -> (Delivery, StreamId) {
        let mut delivery = Delivery::new();
        delivery.add_room(ROOM);
        delivery.add_room(OTHER);
        let stream = delivery.open_stream();
        (delivery, stream)
    }

    fn next(delivery: &mut Delivery) -> &'static str {
        match delivery.pop_callback() {
            Some(Callback::Engine(..)) => "engine",
            Some(Callback::Room(..)) => "room",
            None => "nothing",
        }
    }

    #[test]
    fn event_goes_to_its_room_then_to_the_engine_then_to_the_stream() {
        let (mut delivery, stream) = delivery();
        delivery.set_room_handler(ROOM, Handler);
        delivery.push(in_room(ROOM), None);
        delivery.push(in_room(OTHER), None);
        assert_eq!(delivery.pop_stream(stream), Some(in_room(OTHER)));
        delivery.set_engine_handler(Handler);
        delivery.push(in_room(OTHER), None);
        delivery.push(status(), None);
        assert_eq!(delivery.pop_stream(stream), None);
        let called = std::array::from_fn(|_| next(&mut delivery));
        assert_eq!(called, ["room", "engine", "engine", "nothing"]);
    }

    #[test]
    fn new_stream_takes_over_and_a_closed_one_keeps_nothing() {
        let (mut delivery, first) = delivery();
        delivery.push(status(), None);
        let second = delivery.open_stream();
        assert_eq!((delivery.is_open(first), delivery.pop_stream(first)), (false, None));
        delivery.close_stream(first);
        assert_eq!(delivery.pop_stream(second), Some(status()));
        delivery.push(status(), None);
        delivery.close_stream(second);
        delivery.push(status(), None);
        let third = delivery.open_stream();
        assert_eq!(delivery.pop_stream(third), None);
    }

    #[test]
    fn destroyed_room_loses_its_events_and_retires_its_handler() {
        let (mut delivery, stream) = delivery();
        delivery.push(in_room(ROOM), None);
        delivery.push(in_room(OTHER), None);
        delivery.set_room_handler(ROOM, Handler);
        delivery.push(in_room(ROOM), None);
        delivery.forget_room(ROOM);
        assert_eq!(delivery.take_retired().len(), 1);
        assert!(!delivery.has_callbacks());
        assert_eq!(delivery.pop_stream(stream), Some(in_room(OTHER)));
        assert_eq!(delivery.pop_stream(stream), None);
        delivery.set_room_handler(ROOM, Handler);
        assert_eq!(delivery.take_retired().len(), 1, "the room is gone");
    }

    #[test]
    fn handlers_of_a_destroyed_engine_are_retired() {
        let (mut delivery, _) = delivery();
        delivery.set_engine_handler(Handler);
        delivery.set_engine_handler(Handler);
        assert_eq!(delivery.take_retired().len(), 1, "the replaced one");
        delivery.set_room_handler(ROOM, Handler);
        delivery.push(status(), None);
        delivery.forget_handlers();
        assert_eq!(delivery.take_retired().len(), 2);
        assert!(!delivery.has_callbacks());
        delivery.set_engine_handler(Handler);
        delivery.set_room_handler(ROOM, Handler);
        assert_eq!(delivery.take_retired().len(), 2);
        delivery.push(status(), None);
        assert!(!delivery.has_callbacks());
    }

    #[test]
    fn events_for_handlers_and_for_the_stream_count_together() {
        let (mut delivery, stream) = delivery();
        delivery.set_room_handler(ROOM, Handler);
        for _ in 0..EVENTS_MAX / 2 {
            delivery.push(in_room(ROOM), None);
        }
        for _ in 1..EVENTS_MAX / 2 {
            delivery.push(status(), None);
        }
        assert!(delivery.has_room());
        delivery.push(status(), None);
        assert!(!delivery.has_room());
        delivery.pop_stream(stream);
        assert!(delivery.has_room());
        delivery.push(status(), None);
        assert!(!delivery.has_room());
        assert_eq!(next(&mut delivery), "room");
        assert!(delivery.has_room());
    }
}
