//! Telling a joiner who is there (§6.3): a long answer to a short question, which others paid for
//! with their names. So a user has a budget for such answers, whatever brings them about, and they
//! take up to half of a window. An answer that is too much waits; the membership does not.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use super::Server;
use super::session::SessionNumber;
use super::timers::Due;
use crate::limits::{ID_BYTES_MAX, MEMBER_LISTS_WINDOW_BYTES_MAX, NOTICE_MEMBERS_MAX};
use crate::planted::{Bug, planted};
use crate::wire::Frame;
use crate::{Instant, RoomId, RoomState, UserId};

/// What one name takes in an answer, beside its bytes.
const NAME_HEAD_BYTES: usize = 3;
/// What an answer takes, beside its names.
const ANSWER_HEAD_BYTES: usize = 24;

/// Answers of one session that wait, in the order of the joins. Each is for a room that the session
/// is in.
#[derive(Debug, Default)]
pub(super) struct Welcomes {
    waiting: VecDeque<(RoomId, u64)>,
    /// When the first of them is looked at, if it waits for the budget.
    due: Option<Instant>,
}

/// What an answer waits for.
enum WaitsFor {
    /// An acknowledgement: the session has much to read.
    Room,
    /// The user's budget, which will have enough then.
    Budget(Instant),
}

impl Server {
    /// Answers the join of a room that the session is in now, or has the answer wait.
    pub(super) fn welcome(
        &mut self,
        now: Instant,
        number: SessionNumber,
        room: RoomId,
        ticket: u64,
    ) {
        self.welcomes.entry(number).or_default().waiting.push_back((room, ticket));
        self.welcome_on(now, number);
    }

    /// Gives the answers that need not wait any longer. Broadcasts are settled.
    pub(super) fn welcome_on(&mut self, now: Instant, number: SessionNumber) {
        let Some(mut welcomes) = self.take_welcomes(number) else { return };
        while let Some((room, ticket)) = welcomes.waiting.front() {
            match self.try_welcome(now, number, room, *ticket) {
                Ok(()) => drop(welcomes.waiting.pop_front()),
                Err(waits_for) => {
                    if let WaitsFor::Budget(until) = waits_for {
                        welcomes.due = Some(until);
                        self.due.insert((until, Due::Welcome(number)));
                    }
                    self.welcomes.insert(number, welcomes);
                    return;
                }
            }
        }
    }

    /// The session is over, or its answers are looked at again.
    pub(super) fn take_welcomes(&mut self, number: SessionNumber) -> Option<Welcomes> {
        let mut welcomes = self.welcomes.remove(&number)?;
        if let Some(due) = welcomes.due.take() {
            self.due.remove(&(due, Due::Welcome(number)));
        }
        Some(welcomes)
    }

    /// The membership is about to end: its answer waits no longer, and lists nobody.
    pub(super) fn welcome_briefly(&mut self, number: SessionNumber, room: &RoomId) {
        let Some(welcomes) = self.welcomes.get_mut(&number) else { return };
        let Some(place) = welcomes.waiting.iter().position(|(id, _)| id == room) else { return };
        let removed = welcomes.waiting.remove(place);
        if welcomes.waiting.is_empty() {
            self.take_welcomes(number);
        }
        if let Some((_, ticket)) = removed {
            self.answer_join(number, ticket, RoomState::Joined, Vec::new());
        }
    }

    fn try_welcome(
        &mut self,
        now: Instant,
        number: SessionNumber,
        id: &RoomId,
        ticket: u64,
    ) -> Result<(), WaitsFor> {
        let Some(session) = self.sessions.get_mut(number) else { return Ok(()) };
        let room = self.apps.get(&session.app_id).and_then(|app| app.rooms.get(id));
        let Some(room) = room else { return Ok(()) };
        let uid = session.uid.clone();
        let names =
            room.members.keys().filter(|member| **member != uid || planted(Bug::SelfAmongMembers));
        let names = names.take(NOTICE_MEMBERS_MAX);
        let bytes = |name: &UserId| name.as_str().len() + NAME_HEAD_BYTES;
        let answer_bytes = ANSWER_HEAD_BYTES + names.clone().map(bytes).sum::<usize>();
        if session.channel.unacked_bytes() + answer_bytes > MEMBER_LISTS_WINDOW_BYTES_MAX {
            return Err(WaitsFor::Room);
        }
        let budget = &mut session.allowance(now, &self.config).member_lists;
        let worth = u32::try_from(answer_bytes).expect("not longer than a frame");
        if !budget.take_many(worth, now) {
            return Err(WaitsFor::Budget(budget.ready_for(worth)));
        }
        let (members, is_large) =
            (names.cloned().collect(), room.members.len() > NOTICE_MEMBERS_MAX);
        self.answer_join(number, ticket, RoomState::Joined, members);
        if is_large {
            // §6.7: nobody else tells the one who is new here.
            let (room, state) = (id.clone(), RoomState::NoticesStop);
            self.push_frame(number, Frame::RoomNotice { room, state });
        }
        Ok(())
    }
}

const _: () = assert!(NAME_HEAD_BYTES == 1 + if ID_BYTES_MAX < 128 { 1 } else { 2 });
