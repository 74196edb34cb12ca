//! Calls that wait for their outcome, and which event is the outcome of which.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::task::Waker;

use rts_proto::client::{Client, Event, JoinType, Membership, RoomEvent};
use rts_proto::{
    BroadcastCode, MessageId, OnlineStatus, Reply, RoomKey, RoomState, SendCode, ServerParamsCode,
};

use crate::sent::{Filled, Pending, ServerAnswer, Slot, Waiting};

/// What became of a join.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JoinEnd {
    /// In the room.
    Joined(JoinType),
    /// The room was told this state instead.
    Refused(RoomState),
    /// The room was left or destroyed, or the login ended, before the join was answered.
    Cancelled,
}

/// Everything that waits.
#[derive(Default)]
pub(crate) struct Answers {
    sends: Waiting<MessageId, SendCode>,
    server_sends: Waiting<MessageId, ServerAnswer>,
    broadcasts: Waiting<(RoomKey, MessageId), BroadcastCode>,
    joins: Waiting<RoomKey, JoinEnd>,
    leaves: Vec<(RoomKey, Arc<Slot<()>>)>,
    /// Any answer about a user will do for each of those who asked about it.
    statuses: HashMap<String, VecDeque<Arc<Slot<OnlineStatus>>>>,
    /// Answered in the order of the calls, but for those that are answered at once.
    params: VecDeque<Arc<Slot<ServerParamsCode>>>,
    at_once: AtOnce,
}

/// The call that is being made, if its answer may come at once: then that answer is not for an
/// earlier call that still waits.
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

    /// Before the call is made; [`made`](Self::made) follows when its first events were taken.
    pub(crate) fn ask_status(&mut self, uid: &str) -> Pending<OnlineStatus> {
        let (slot, pending) = Slot::new();
        self.at_once = AtOnce::Status(uid.to_owned(), slot);
        pending
    }

    /// As [`ask_status`](Self::ask_status).
    pub(crate) fn ask_for_params(&mut self) -> Pending<ServerParamsCode> {
        let (slot, pending) = Slot::new();
        self.at_once = AtOnce::Params(slot);
        pending
    }

    /// The call was made, and if it was not answered at once, it waits.
    pub(crate) fn made(&mut self) {
        match std::mem::take(&mut self.at_once) {
            AtOnce::Nothing => {}
            AtOnce::Status(uid, slot) => self.statuses.entry(uid).or_default().push_back(slot),
            AtOnce::Params(slot) => self.params.push_back(slot),
        }
    }

    // Outcomes.

    /// Puts the event where somebody waits for it.
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
        if let AtOnce::Status(_, slot) = &self.at_once {
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

    /// Nobody is called back with the result of a broadcast whose room is destroyed.
    pub(crate) fn fill_broadcast(
        &mut self,
        key: RoomKey,
        id: MessageId,
        code: BroadcastCode,
    ) -> Option<Waker> {
        self.broadcasts.fill(&(key, id), code).waker
    }

    /// Some ways out of a room have no event of their own, such as a logout.
    pub(crate) fn settle_rooms(&mut self, client: &Client, woken: &mut Vec<Waker>) {
        let is_over = |key: &RoomKey| client.membership(*key) != Some(Membership::Joining);
        woken.extend(self.joins.fill_if(JoinEnd::Cancelled, is_over));
        let is_out = |key: &RoomKey| client.membership(*key) != Some(Membership::Leaving);
        for (_, slot) in self.leaves.extract_if(.., |(key, _)| is_out(key)) {
            woken.extend(slot.fill(()).waker);
        }
    }

    /// The engine is destroyed. The core has answered nearly all; this holds the promise that
    /// every outcome comes.
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
