//! Telling a joiner who is there (§6.3): a long answer to a short question, which others paid for
//! with their names. So a user has a budget for such answers, whatever brings them about, and they
//! take up to half of a window. An answer that is too much waits; the membership does not.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;

use super::deadlines::{Deadline, Due};
use super::keys::SessionNumber;
use super::rooms::Rooms;
use super::shared::Shared;
use crate::limits::{ID_BYTES_MAX, MEMBER_LISTS_WINDOW_BYTES_MAX, NOTICE_MEMBERS_MAX};
use crate::planted::{Bug, planted};
use crate::wire::Frame;
use crate::{Instant, RoomId, RoomState, UserId};

/// What one name takes in an answer, beside its bytes.
const NAME_HEAD_BYTES: usize = 3;
/// What an answer takes, beside its names.
const ANSWER_HEAD_BYTES: usize = 24;
const _: () = assert!(NAME_HEAD_BYTES == 1 + if ID_BYTES_MAX < 128 { 1 } else { 2 });

/// Answers to joins that wait, by session.
#[derive(Debug, Default)]
pub(super) struct Welcomes {
    waiting: BTreeMap<SessionNumber, Waiting>,
}

/// Those of one session, in the order of the joins. Each is for a room that the session is in.
#[derive(Debug, Default)]
struct Waiting {
    answers: VecDeque<(RoomId, u64)>,
    /// When the first of them is looked at, if it waits for the budget.
    due: Option<Deadline>,
}

/// What an answer waits for.
enum WaitsFor {
    /// An acknowledgement: the session has much to read.
    Room,
    /// The user's budget, which will have enough then.
    Budget(Instant),
}

impl Welcomes {
    /// Answers the join of a room that the session is in now, or has the answer wait.
    pub(super) fn add(
        &mut self,
        shared: &mut Shared,
        rooms: &Rooms,
        number: SessionNumber,
        room: RoomId,
        ticket: u64,
    ) {
        self.waiting.entry(number).or_default().answers.push_back((room, ticket));
        self.go_on(shared, rooms, number);
    }

    /// Gives the answers that need not wait any longer.
    pub(super) fn go_on(&mut self, shared: &mut Shared, rooms: &Rooms, number: SessionNumber) {
        let Some(mut waiting) = self.take(shared, number) else { return };
        while let Some((room, ticket)) = waiting.answers.front() {
            match try_answer(shared, rooms, number, room, *ticket) {
                Ok(()) => drop(waiting.answers.pop_front()),
                Err(waits_for) => {
                    if let WaitsFor::Budget(until) = waits_for {
                        let due = shared.deadlines.arm(until, Due::Welcome(number));
                        waiting.due = Some(due);
                    }
                    self.waiting.insert(number, waiting);
                    return;
                }
            }
        }
    }

    /// Whether answers of this session wait.
    #[inline]
    pub(super) fn has(&self, number: SessionNumber) -> bool {
        self.waiting.contains_key(&number)
    }

    /// The session is over.
    pub(super) fn forget(&mut self, shared: &mut Shared, number: SessionNumber) {
        self.take(shared, number);
    }

    /// The membership is about to end: its answer waits no longer, and lists nobody.
    pub(super) fn answer_briefly(
        &mut self,
        shared: &mut Shared,
        number: SessionNumber,
        room: &RoomId,
    ) {
        let Some(waiting) = self.waiting.get_mut(&number) else { return };
        let Some(place) = waiting.answers.iter().position(|(id, _)| id == room) else { return };
        let removed = waiting.answers.remove(place);
        if waiting.answers.is_empty() {
            self.forget(shared, number);
        }
        if let Some((_, ticket)) = removed {
            answer(shared, number, ticket, RoomState::Joined, Vec::new());
        }
    }

    fn take(&mut self, shared: &mut Shared, number: SessionNumber) -> Option<Waiting> {
        let mut waiting = self.waiting.remove(&number)?;
        if let Some(due) = waiting.due.take() {
            shared.deadlines.disarm(due, Due::Welcome(number));
        }
        Some(waiting)
    }
}

pub(super) fn answer(
    shared: &mut Shared,
    number: SessionNumber,
    ticket: u64,
    state: RoomState,
    members: Vec<UserId>,
) {
    shared.push_frame(number, Frame::JoinAnswer { ticket, state, members });
}

fn try_answer(
    shared: &mut Shared,
    rooms: &Rooms,
    number: SessionNumber,
    id: &RoomId,
    ticket: u64,
) -> Result<(), WaitsFor> {
    let Some(session) = shared.session(number) else { return Ok(()) };
    let Some(room) = rooms.find(session.app_id(), id) else { return Ok(()) };
    let uid = session.uid().clone();
    let names = room.uids().filter(|member| **member != uid || planted(Bug::SelfAmongMembers));
    let names = names.take(NOTICE_MEMBERS_MAX);
    let bytes = |name: &UserId| name.as_str().len() + NAME_HEAD_BYTES;
    let answer_bytes = ANSWER_HEAD_BYTES + names.clone().map(bytes).sum::<usize>();
    let unacked_bytes = shared.unacked_bytes(number).unwrap_or_default();
    if unacked_bytes + answer_bytes > MEMBER_LISTS_WINDOW_BYTES_MAX {
        return Err(WaitsFor::Room);
    }
    let now = shared.now;
    let Some(allowance) = shared.allowance(number) else { return Ok(()) };
    let budget = &mut allowance.member_lists;
    let worth = u32::try_from(answer_bytes).expect("not longer than a frame");
    if !budget.take_many(worth, now) {
        return Err(WaitsFor::Budget(budget.ready_for(worth)));
    }
    answer(shared, number, ticket, RoomState::Joined, names.cloned().collect());
    if room.len() > NOTICE_MEMBERS_MAX {
        // §6.7: nobody else tells the one who is new here.
        let (room, state) = (id.clone(), RoomState::NoticesStop);
        shared.push_frame(number, Frame::RoomNotice { room, state });
    }
    Ok(())
}
