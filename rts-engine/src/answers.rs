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
    /// The last join of each handle, answered or not.
    last_joins: HashMap<RoomKey, Arc<Slot<JoinEnd>>>,
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
        let pending = self.joins.wait(key);
        self.last_joins.insert(key, Arc::clone(pending.slot()));
        pending
    }

    /// Whether the handle was not joined again since this join.
    pub(crate) fn is_last_join(&self, key: RoomKey, join: &Pending<JoinEnd>) -> bool {
        self.last_joins.get(&key).is_some_and(|last| Arc::ptr_eq(last, join.slot()))
    }

    /// A handle was destroyed.
    pub(crate) fn forget_room(&mut self, key: RoomKey) {
        self.last_joins.remove(&key);
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
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use rts_proto::client::Config;
    use rts_proto::{AppId, Instant, RoomId, UserId};

    use super::*;

    const KEY: RoomKey = RoomKey(1);

    fn status_of(uid: &str) -> Event {
        Event::PeerOnlineStatus { uid: uid.to_owned(), status: OnlineStatus::Online }
    }

    fn in_room(key: RoomKey, event: RoomEvent) -> Event {
        Event::Room { key, room: RoomId::new("lobby").expect("a valid id"), event }
    }

    fn outcome<C: Clone>(pending: &mut Pending<C>) -> Option<C> {
        match Pin::new(pending).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(outcome) => Some(outcome),
            Poll::Pending => None,
        }
    }

    #[test]
    fn result_completes_its_own_call_only() {
        let mut answers = Answers::default();
        let [mut first, mut second] = [1, 2].map(|id| answers.wait_for_send(MessageId(id)));
        let mut to_server = answers.wait_for_server_send(MessageId(1));
        let mut broadcasts =
            [KEY, RoomKey(2)].map(|key| answers.wait_for_broadcast(key, MessageId(1)));
        let id = MessageId(1);
        answers.happened(&Event::MessageSendResult { id, code: SendCode::Ok });
        assert_eq!((outcome(&mut first), outcome(&mut second)), (Some(SendCode::Ok), None));
        assert_eq!(outcome(&mut to_server), None);
        let code = BroadcastCode::Ok;
        answers.happened(&in_room(RoomKey(2), RoomEvent::MessageSendResult { id, code }));
        assert_eq!(broadcasts.each_mut().map(outcome), [None, Some(code)]);
        answers.fill_broadcast(KEY, id, BroadcastCode::Timeout);
        assert_eq!(outcome(&mut broadcasts[0]), Some(BroadcastCode::Timeout));
    }

    #[test]
    fn status_completes_the_oldest_query_about_its_user() {
        let mut answers = Answers::default();
        let mut asked = ["bob", "carol", "bob"].map(|uid| {
            let pending = answers.ask_status(uid);
            answers.made();
            pending
        });
        answers.happened(&status_of("bob"));
        let online = Some(OnlineStatus::Online);
        assert_eq!(asked.each_mut().map(outcome), [online, None, None]);
        answers.happened(&status_of("bob"));
        assert_eq!(asked.each_mut().map(outcome), [online, None, online]);
        assert!(answers.happened(&status_of("bob")).slot.is_none());
    }

    #[test]
    fn answer_within_a_call_belongs_to_that_call() {
        let mut answers = Answers::default();
        let mut earlier = (answers.ask_status("bob"), answers.ask_for_params());
        answers.made();
        drop(earlier.0);
        let mut status = answers.ask_status("bob");
        answers.happened(&status_of("bob"));
        answers.made();
        assert_eq!(outcome(&mut status), Some(OnlineStatus::Online));
        let mut params = answers.ask_for_params();
        answers.happened(&Event::ServerParamsSetResult(ServerParamsCode::NotLoggedIn));
        answers.made();
        assert_eq!(outcome(&mut params), Some(ServerParamsCode::NotLoggedIn));
        assert_eq!(outcome(&mut earlier.1), None);
        answers.happened(&Event::ServerParamsSetResult(ServerParamsCode::Ok));
        assert_eq!(outcome(&mut earlier.1), Some(ServerParamsCode::Ok));
    }

    #[test]
    fn status_of_another_user_does_not_answer_the_call_in_progress() {
        let mut answers = Answers::default();
        let _bob = answers.ask_status("bob");
        assert!(answers.happened(&status_of("carol")).slot.is_none());
        assert!(answers.happened(&status_of("bob")).slot.is_some());
    }

    #[test]
    fn join_ends_with_its_answer_and_not_with_a_warning() {
        let mut answers = Answers::default();
        let mut join = answers.wait_for_join(KEY);
        let state = |state| in_room(KEY, RoomEvent::StateChanged { uid: None, state });
        answers.happened(&state(RoomState::NoticesStop));
        assert_eq!(outcome(&mut join), None);
        answers.happened(&state(RoomState::JoinFailed));
        assert_eq!(outcome(&mut join), Some(JoinEnd::Refused(RoomState::JoinFailed)));
        let mut join = answers.wait_for_join(KEY);
        let (uid, how) = (UserId::new("alice").expect("a valid id"), JoinType::First);
        answers
            .happened(&in_room(KEY, RoomEvent::Joined { uid, how, elapsed: Default::default() }));
        assert_eq!(outcome(&mut join), Some(JoinEnd::Joined(how)));
    }

    #[test]
    fn join_and_leave_end_when_the_room_is_in_no_change() {
        let app_id = AppId::new("123456781234567812345678").expect("a valid id");
        let mut client = Client::new(Config::new(app_id), 1);
        let key = client.create_room(Instant::ORIGIN, "lobby").expect("a handle");
        let mut answers = Answers::default();
        let (mut join, mut leave) = (answers.wait_for_join(key), answers.wait_for_leave(key));
        let mut woken = Vec::new();
        answers.settle_rooms(&client, &mut woken);
        assert_eq!((outcome(&mut join), outcome(&mut leave)), (Some(JoinEnd::Cancelled), Some(())));
    }

    #[test]
    fn end_completes_every_call() {
        let mut answers = Answers::default();
        let mut send = answers.wait_for_send(MessageId(1));
        let mut to_server = answers.wait_for_server_send(MessageId(2));
        let mut broadcast = answers.wait_for_broadcast(KEY, MessageId(1));
        let mut status = answers.ask_status("bob");
        answers.made();
        let mut params = answers.ask_for_params();
        answers.end(&mut Vec::new());
        assert_eq!(outcome(&mut send), Some(SendCode::Timeout));
        assert_eq!(outcome(&mut to_server).map(|answer| answer.code), Some(SendCode::Timeout));
        assert_eq!(outcome(&mut broadcast), Some(BroadcastCode::Timeout));
        assert_eq!(outcome(&mut status), Some(OnlineStatus::Unreachable));
        assert_eq!(outcome(&mut params), Some(ServerParamsCode::Timeout));
    }
}
