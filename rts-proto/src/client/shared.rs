//! The state that every part of an engine uses: the time, the parameters, and the queue of outputs.

use alloc::collections::VecDeque;

use bytes::Bytes;

use super::event::Event;
use super::io::Output;
use super::parameters::Parameters;
#[cfg(test)]
use crate::kept::Kept;
use crate::planted::{Bug, planted};
use crate::{Instant, LinkId, RoomKey};

/// A part that is passed this reads the time from it. Other parts take the time as an argument.
pub(super) struct Shared {
    /// The latest moment: time never goes back.
    now: Instant,
    parameters: Parameters,
    outputs: VecDeque<Output>,
}

impl Shared {
    pub(super) fn new(parameters: Parameters) -> Self {
        Self { now: Instant::ORIGIN, parameters, outputs: VecDeque::new() }
    }

    /// Moves time on. An earlier moment counts as the latest one.
    pub(super) fn advance(&mut self, now: Instant) {
        self.now = self.now.max(now);
    }

    pub(super) fn now(&self) -> Instant {
        self.now
    }

    pub(super) fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    pub(super) fn set_parameters(&mut self, parameters: Parameters) {
        self.parameters = parameters;
    }

    pub(super) fn emit(&mut self, event: Event) {
        self.outputs.push_back(Output::Event(event));
    }

    pub(super) fn connect(&mut self, link: LinkId) {
        self.outputs.push_back(Output::Connect(link));
    }

    pub(super) fn transmit(&mut self, link: LinkId, bytes: Bytes) {
        self.outputs.push_back(Output::Transmit(link, bytes));
    }

    pub(super) fn disconnect(&mut self, link: LinkId) {
        self.outputs.push_back(Output::Disconnect(link));
    }

    pub(super) fn take_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Discards the events of a room that were not polled.
    pub(super) fn forget_events_of(&mut self, key: RoomKey) {
        self.outputs.retain(|output| match output {
            Output::Event(Event::Room { key: of, .. }) => {
                *of != key || planted(Bug::DestroyedRoomHeard)
            }
            _ => true,
        });
    }

    /// Entries held, so that tests can check for leaks.
    #[cfg(test)]
    pub(super) fn kept(&self) -> Kept {
        let Self { now: _, parameters: _, outputs } = self;
        alloc::vec![("outputs", outputs.len())]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::event::RoomEvent;
    use crate::{LogoutReason, RoomId};

    fn shared() -> Shared {
        Shared::new(Parameters::default())
    }

    #[test]
    fn time_never_goes_back() {
        let mut shared = shared();
        shared.advance(Instant::from_millis(5));
        shared.advance(Instant::from_millis(4));
        assert_eq!(shared.now(), Instant::from_millis(5));
    }

    #[test]
    fn events_of_one_room_can_be_forgotten() {
        let room = RoomId::new("lobby").expect("a valid id");
        let left = |key| Event::Room { key, room: room.clone(), event: RoomEvent::Left };
        let mut shared = shared();
        shared.emit(left(RoomKey(1)));
        shared.emit(left(RoomKey(2)));
        shared.emit(Event::Logout(LogoutReason::Own));
        shared.forget_events_of(RoomKey(1));
        assert_eq!(shared.take_output(), Some(Output::Event(left(RoomKey(2)))));
        assert_eq!(shared.take_output(), Some(Output::Event(Event::Logout(LogoutReason::Own))));
        assert_eq!(shared.take_output(), None);
    }
}
