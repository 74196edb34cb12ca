//! The core behind its lock, and the queues on both sides of it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::Instant as StdInstant;

use rts_proto::client::{Client, Event, Output, RoomEvent};
use rts_proto::{BroadcastCode, Instant, MessageId, RoomKey, SendCode};

use crate::driver::Action;
use crate::sent::Slot;

/// Over this many events that the application has not taken, the link is not read.
const EVENTS_MAX: usize = 1_024;
/// Over this many bytes in such events, the link is not read.
const EVENT_BYTES_MAX: usize = 8 * 1_048_576;

#[derive(Debug)]
pub(crate) struct Shared {
    state: Mutex<State>,
    origin: StdInstant,
}

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) client: Client,
    pub(crate) actions: VecDeque<Action>,
    pub(crate) deadline: Option<Instant>,
    events: VecDeque<Event>,
    event_bytes: usize,
    /// False once the application has dropped its `Events`.
    pub(crate) events_wanted: bool,
    pub(crate) events_waker: Option<Waker>,
    pub(crate) driver_waker: Option<Waker>,
    /// Whether something happened since the driver last looked.
    pub(crate) changed: bool,
    pub(crate) sends: BTreeMap<MessageId, Arc<Slot<SendCode>>>,
    pub(crate) broadcasts: BTreeMap<(RoomKey, MessageId), Arc<Slot<BroadcastCode>>>,
}

impl Shared {
    pub(crate) fn new(client: Client) -> Self {
        let state = State {
            client,
            actions: VecDeque::new(),
            deadline: None,
            events: VecDeque::new(),
            event_bytes: 0,
            events_wanted: true,
            events_waker: None,
            driver_waker: None,
            changed: true,
            sends: BTreeMap::new(),
            broadcasts: BTreeMap::new(),
        };
        Self { state: Mutex::new(state), origin: StdInstant::now() }
    }

    /// No code of the application runs under the lock, so a poisoned one is still whole.
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn now(&self) -> Instant {
        let micros = self.origin.elapsed().as_micros();
        Instant::from_micros(u64::try_from(micros).unwrap_or(u64::MAX))
    }

    pub(crate) fn to_std(&self, moment: Instant) -> StdInstant {
        self.origin + moment.since(Instant::ORIGIN)
    }

    /// Makes a call and puts what follows from it where it belongs. `call` also gets the state, to
    /// register who waits for a result before that result can come.
    pub(crate) fn call<R>(&self, call: impl FnOnce(&mut State, Instant) -> R) -> R {
        let mut state = self.lock();
        let returned = call(&mut state, self.now());
        state.drain();
        returned
    }
}

impl State {
    pub(crate) fn drain(&mut self) {
        loop {
            match self.client.poll_output() {
                Output::Connect(link) => self.actions.push_back(Action::Connect(link)),
                Output::Transmit(link, bytes) => {
                    self.actions.push_back(Action::Transmit(link, bytes));
                }
                Output::Disconnect(link) => self.actions.push_back(Action::Disconnect(link)),
                Output::Event(event) => self.happened(event),
                Output::Wait(deadline) => {
                    self.deadline = deadline;
                    break;
                }
            }
        }
        self.wake_driver();
        if (!self.events.is_empty() || self.client.is_destroyed())
            && let Some(waker) = self.events_waker.take()
        {
            waker.wake();
        }
    }

    pub(crate) fn wake_driver(&mut self) {
        self.changed = true;
        if let Some(waker) = self.driver_waker.take() {
            waker.wake();
        }
    }

    fn happened(&mut self, event: Event) {
        match &event {
            Event::MessageSendResult { id, code } => {
                if let Some(slot) = self.sends.remove(id) {
                    slot.fill(*code);
                }
            }
            Event::Room { key, event: RoomEvent::MessageSendResult { id, code }, .. } => {
                if let Some(slot) = self.broadcasts.remove(&(*key, *id)) {
                    slot.fill(*code);
                }
            }
            _ => {}
        }
        if self.events_wanted {
            self.event_bytes += payload_bytes(&event);
            self.events.push_back(event);
        }
    }

    pub(crate) fn take_event(&mut self) -> Option<Event> {
        let was_full = !self.has_event_room();
        let event = self.events.pop_front()?;
        self.event_bytes -= payload_bytes(&event);
        if was_full && self.has_event_room() {
            self.wake_driver();
        }
        Some(event)
    }

    pub(crate) fn has_event_room(&self) -> bool {
        self.events.len() < EVENTS_MAX && self.event_bytes < EVENT_BYTES_MAX
    }

    pub(crate) fn drop_events(&mut self) {
        self.events_wanted = false;
        self.events.clear();
        self.event_bytes = 0;
        self.wake_driver();
    }
}

fn payload_bytes(event: &Event) -> usize {
    match event {
        Event::MessageReceived { payload, .. }
        | Event::Room { event: RoomEvent::MessageReceived { payload, .. }, .. } => payload.len(),
        _ => 0,
    }
}
