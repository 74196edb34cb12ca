//! Calls that wait for their outcome, and the events that are outcomes.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::task::Waker;

use rts_proto::client::{Client, Event, JoinType, Membership, RoomEvent};
use rts_proto::{
    BroadcastCode, MessageId, OnlineStatus, Reply, RoomKey, RoomState, SendCode, ServerParamsCode,
};

use crate::sent::{Filled, Pending, ServerAnswer, Slot, Waiting};

/// The outcome of a join.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JoinEnd {
    /// The engine is in the room.
    Joined(JoinType),
    /// The join failed: the room has this state.
    Refused(RoomState),
    /// The room was left or destroyed, or the login ended, before the join was answered.
    Cancelled,
}

/// All calls that wait for an outcome.
#[derive(Default)]
pub(crate) struct Answers {
    sends: Waiting<MessageId, SendCode>,
    server_sends: Waiting<MessageId, ServerAnswer>,
    broadcasts: Waiting<(RoomKey, MessageId), BroadcastCode>,
    joins: Waiting<RoomKey, JoinEnd>,
    leaves: Vec<(RoomKey, Arc<Slot<()>>)>,
    /// By user id. Any answer about a user completes the oldest query about that user.
    statuses: HashMap<String, VecDeque<Arc<Slot<OnlineStatus>>>>,
    /// In the order of the calls. Answers that come at once, within the call, are not in this
    /// order.
    params: VecDeque<Arc<Slot<ServerParamsCode>>>,
    at_once: AtOnce,
}

/// The call that is being made, while its answer may come at once. Such an answer belongs to this
/// call, not to an earlier one that still waits.
#[derive(Default)]
enum AtOnce {
    #[default]
    Nothing,
    Status(String, Arc<Slot<OnlineStatus>>),
    Params(Arc<Slot<ServerParamsCode>>),
}

impl Answers {
    // Calls.

    pub(crate) fn wait_for_send(&mut self, id: MessageId) -> Pending<SendCode> {
        self.sends.wait(id)
    }

    pub(crate) fn wait_for_server_send(&mut self, id: MessageId) -> Pending<ServerAnswer> {
        self.server_sends.wait(id)
    }

    pub(crate) fn wait_for_broadcast(
        &mut self,
        key: RoomKey,
        id: MessageId,
    ) -> Pending<BroadcastCode> {
        self.broadcasts.wait((key, id))
    }

    pub(crate) fn wait_for_join(&mut self, key: RoomKey) -> Pending<JoinEnd> {
        self.joins.wait(key)
    }

    pub(crate) fn wait_for_leave(&mut self, key: RoomKey) -> Pending<()> {
        let (slot, pending) = Slot::new();
        self.leaves.push((key, slot));
        pending
    }

    /// Call this before the call is made. [`made`](Self::made) follows once its first events are
    /// taken.
    pub(crate) fn ask_status(&mut self, uid: &str) -> Pending<OnlineStatus> {
        let (slot, pending) = Slot::new();
        self.at_once = AtOnce::Status(uid.to_owned(), slot);
        pending
    }

    /// Like [`ask_status`](Self::ask_status), for a call of `set_server_params`.
    pub(crate) fn ask_for_params(&mut self) -> Pending<ServerParamsCode> {
        let (slot, pending) = Slot::new();
        self.at_once = AtOnce::Params(slot);
        pending
    }

    /// The call was made. If it was not answered at once, it joins the queue of waiting calls.
    pub(crate) fn made(&mut self) {
        match std::mem::take(&mut self.at_once) {
            AtOnce::Nothing => {}
            AtOnce::Status(uid, slot) => self.statuses.entry(uid).or_default().push_back(slot),
            AtOnce::Params(slot) => self.params.push_back(slot),
        }
    }

    // Outcomes.

    /// Completes the call whose outcome is this event.
    pub(crate) fn happened(&mut self, event: &Event) -> Filled {
        match event {
            Event::MessageSendResult { id, code } => self.sends.fill(id, *code),
            Event::ServerMessageSendResult { id, code, reply } => {
                self.server_sends.fill(id, ServerAnswer { code: *code, reply: reply.clone() })
            }
            Event::PeerOnlineStatus { uid, status } => {
                self.take_status(uid).map_or_else(Filled::default, |slot| slot.fill(*status))
            }
            Event::ServerParamsSetResult(code) => {
                self.take_params().map_or_else(Filled::default, |slot| slot.fill(*code))
            }
            Event::Room { key, event, .. } => self.happened_in(*key, event),
            Event::ConnectionStateChanged(_)
            | Event::LoginResult { .. }
            | Event::Logout(_)
            | Event::MessageReceived { .. }
            | Event::CreateRoomFailed { .. }
            | Event::Warning { .. } => Filled::default(),
        }
    }

    fn happened_in(&mut self, key: RoomKey, event: &RoomEvent) -> Filled {
        match event {
            RoomEvent::MessageSendResult { id, code } => self.broadcasts.fill(&(key, *id), *code),
            RoomEvent::Joined { how, .. } => self.joins.fill(&key, JoinEnd::Joined(*how)),
            RoomEvent::StateChanged { state, .. } if !state.is_warning() => {
                self.joins.fill(&key, JoinEnd::Refused(*state))
            }
            _ => Filled::default(),
        }
    }

    fn take_status(&mut self, uid: &str) -> Option<Arc<Slot<OnlineStatus>>> {
        if let AtOnce::Status(asked, slot) = &self.at_once
            && asked == uid
        {
            let slot = Arc::clone(slot);
            self.at_once = AtOnce::Nothing;
            return Some(slot);
        }
        let waiting = self.statuses.get_mut(uid)?;
        let slot = waiting.pop_front();
        if waiting.is_empty() {
            self.statuses.remove(uid);
        }
        slot
    }

    fn take_params(&mut self) -> Option<Arc<Slot<ServerParamsCode>>> {
        if let AtOnce::Params(slot) = &self.at_once {
            let slot = Arc::clone(slot);
            self.at_once = AtOnce::Nothing;
            return Some(slot);
        }
        self.params.pop_front()
    }

    /// Completes a broadcast of a destroyed room. No event reports such a result.
    pub(crate) fn fill_broadcast(
        &mut self,
        key: RoomKey,
        id: MessageId,
        code: BroadcastCode,
    ) -> Option<Waker> {
        self.broadcasts.fill(&(key, id), code).waker
    }

    /// Completes joins and leaves whose room is in no change of state any more. Some ways out of a
    /// room, such as a logout, have no event of their own.
    pub(crate) fn settle_rooms(&mut self, client: &Client, woken: &mut Vec<Waker>) {
        let is_over = |key: &RoomKey| client.membership(*key) != Some(Membership::Joining);
        woken.extend(self.joins.fill_if(JoinEnd::Cancelled, is_over));
        let is_out = |key: &RoomKey| client.membership(*key) != Some(Membership::Leaving);
        for (_, slot) in self.leaves.extract_if(.., |(key, _)| is_out(key)) {
            woken.extend(slot.fill(()).waker);
        }
    }

    /// The engine is destroyed. The core has answered nearly all calls. This completes the others,
    /// so that every call has an outcome.
    pub(crate) fn end(&mut self, woken: &mut Vec<Waker>) {
        self.made();
        let unknown = ServerAnswer { code: SendCode::Timeout, reply: Reply::default() };
        woken.extend(self.sends.fill_if(SendCode::Timeout, |_| true));
        woken.extend(self.server_sends.fill_if(unknown, |_| true));
        woken.extend(self.broadcasts.fill_if(BroadcastCode::Timeout, |_| true));
        for slot in self.statuses.drain().flat_map(|(_, waiting)| waiting) {
            woken.extend(slot.fill(OnlineStatus::Unreachable).waker);
        }
        for slot in self.params.drain(..) {
            woken.extend(slot.fill(ServerParamsCode::Timeout).waker);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status_of(uid: &str) -> Event {
        Event::PeerOnlineStatus { uid: uid.to_owned(), status: OnlineStatus::Online }
    }

    #[test]
    fn status_of_another_user_does_not_answer_the_call_in_progress() {
        let mut answers = Answers::default();
        let _bob = answers.ask_status("bob");
        assert!(answers.happened(&status_of("carol")).slot.is_none());
        assert!(answers.happened(&status_of("bob")).slot.is_some());
    }
}
