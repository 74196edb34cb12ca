//! Lists of members for joiners (§6.3). A short Join causes a long answer, which other users' names
//! fill. So each user has a budget for these answers on all of its sessions, and they take up to
//! half of a window. An answer over the budget waits; the membership does not.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;

use super::deadlines::{Deadline, Due};
use super::io::{Entry, Names};
use super::keys::SessionNumber;
use super::rooms::Rooms;
use super::shared::Shared;
#[cfg(test)]
use crate::kept::Kept;
use crate::limits::{ID_BYTES_MAX, MEMBER_LISTS_WINDOW_BYTES_MAX};
use crate::wire::Frame;
use crate::{Instant, RoomId, RoomState, UserId};

/// Bytes of one name in an answer, without the name itself.
const NAME_HEAD_BYTES: usize = 3;
/// Bytes of an answer without its names.
const ANSWER_HEAD_BYTES: usize = 24;
const _: () = assert!(NAME_HEAD_BYTES == 1 + if ID_BYTES_MAX < 128 { 1 } else { 2 });

/// Join answers that wait, by session.
#[derive(Debug, Default)]
pub(super) struct Welcomes {
    waiting: BTreeMap<SessionNumber, Waiting>,
}

/// The answers of one session, in the order of the joins. Each is for a room of the session.
#[derive(Debug, Default)]
struct Waiting {
    answers: VecDeque<Answer>,
    /// When the first answer is checked again, if it waits for the budget.
    due: Option<Deadline>,
}

#[derive(Debug)]
struct Answer {
    room: RoomId,
    ticket: u64,
    list: List,
}

/// Where the names of an answer are.
#[derive(Debug)]
pub(super) enum List {
    /// In this shard, as long as the answer waits.
    Here,
    /// In the room's shard. The answer had this size when the names were here last.
    Elsewhere { answer_bytes: usize, names: Option<Names>, is_asked: bool },
}

/// The reason why an answer waits.
enum WaitsFor {
    /// Space in the window, which an acknowledgement will free.
    Room,
    /// The user's budget, which is sufficient at this moment.
    Budget(Instant),
    /// The names, from the room's shard.
    Names,
}

impl Welcomes {
    /// Answers the join of a room that the session is in now, at once or later.
    pub(super) fn add(
        &mut self,
        shared: &mut Shared,
        rooms: &Rooms,
        number: SessionNumber,
        room: RoomId,
        ticket: u64,
        list: List,
    ) {
        let answers = &mut self.waiting.entry(number).or_default().answers;
        answers.push_back(Answer { room, ticket, list });
        self.go_on(shared, rooms, number);
    }

    /// The names for an answer came from the room's shard.
    pub(super) fn names_came(
        &mut self,
        shared: &mut Shared,
        rooms: &Rooms,
        number: SessionNumber,
        room: &RoomId,
        ticket: u64,
        names: Names,
    ) {
        let Some(waiting) = self.waiting.get_mut(&number) else { return };
        let is_meant = |answer: &&mut Answer| answer.room == *room && answer.ticket == ticket;
        let Some(answer) = waiting.answers.iter_mut().find(is_meant) else { return };
        answer.list = List::elsewhere(names);
        self.go_on(shared, rooms, number);
    }

    /// Sends the answers that need not wait any longer.
    pub(super) fn go_on(&mut self, shared: &mut Shared, rooms: &Rooms, number: SessionNumber) {
        let Some(mut waiting) = self.take(shared, number) else { return };
        while let Some(first) = waiting.answers.front_mut() {
            match try_answer(shared, rooms, number, first) {
                Ok(()) => drop(waiting.answers.pop_front()),
                Err(waits_for) => {
                    if let WaitsFor::Budget(until) = waits_for {
                        let due = shared.deadlines.arm(until, Due::Welcome(number));
                        waiting.due = Some(due);
                    }
                    waiting.answers.iter_mut().for_each(|answer| answer.list.drop_names());
                    self.waiting.insert(number, waiting);
                    return;
                }
            }
        }
    }

    /// Homes of rooms have changed: names that were in this shard may be elsewhere.
    pub(super) fn homes_changed(&mut self, shared: &Shared, rooms: &Rooms) {
        for (number, waiting) in &mut self.waiting {
            let Some(session) = shared.session(*number) else { continue };
            let (app_id, uid) = session.user();
            for answer in &mut waiting.answers {
                if let List::Here = answer.list
                    && shared.homes.other_of_room(&app_id, &answer.room).is_some()
                    && let Some(room) = rooms.find(&app_id, &answer.room)
                {
                    let answer_bytes = answer_bytes(room.names(&uid));
                    answer.list = List::Elsewhere { answer_bytes, names: None, is_asked: false };
                }
            }
        }
    }

    /// Asks again for names whose homes are gone.
    pub(super) fn ask_again(&mut self, shared: &mut Shared, rooms: &Rooms) {
        let mut waiting = Vec::new();
        for (number, of_session) in &mut self.waiting {
            let Some(first) = of_session.answers.front_mut() else { continue };
            let Some(session) = shared.session(*number) else { continue };
            if let List::Elsewhere { is_asked, .. } = &mut first.list
                && *is_asked
                && shared.homes.is_answer_lost(&session.user().0, &first.room)
            {
                *is_asked = false;
                waiting.push(*number);
            }
        }
        for number in waiting {
            self.go_on(shared, rooms, number);
        }
    }

    /// Takes the answers of a session that leaves: the rooms, the tickets, and the bytes of the
    /// names.
    pub(super) fn take_moved(
        &mut self,
        shared: &mut Shared,
        rooms: &Rooms,
        number: SessionNumber,
    ) -> Vec<(RoomId, u64, u64)> {
        let Some(session) = shared.session(number) else { return Vec::new() };
        let (app_id, uid) = session.user();
        let Some(waiting) = self.take(shared, number) else { return Vec::new() };
        let moved = waiting.answers.into_iter().map(|Answer { room, ticket, list }| {
            let bytes = match list {
                List::Elsewhere { answer_bytes, .. } => answer_bytes,
                List::Here => {
                    let room = rooms.find(&app_id, &room);
                    room.map_or(ANSWER_HEAD_BYTES, |room| answer_bytes(room.names(&uid)))
                }
            };
            (room, ticket, bytes as u64)
        });
        moved.collect()
    }

    /// Adds an answer of a session that has moved here, behind its other ones.
    pub(super) fn put(
        &mut self,
        number: SessionNumber,
        room: RoomId,
        ticket: u64,
        answer_bytes: usize,
    ) {
        let list = List::Elsewhere { answer_bytes, names: None, is_asked: false };
        let answers = &mut self.waiting.entry(number).or_default().answers;
        answers.push_back(Answer { room, ticket, list });
    }

    /// Whether answers of this session wait.
    #[inline]
    pub(super) fn has(&self, number: SessionNumber) -> bool {
        self.waiting.contains_key(&number)
    }

    /// Forgets the answers of a session that ended.
    pub(super) fn forget(&mut self, shared: &mut Shared, number: SessionNumber) {
        self.take(shared, number);
    }

    /// The membership is about to end: its waiting answer is sent now, without names.
    pub(super) fn answer_briefly(
        &mut self,
        shared: &mut Shared,
        number: SessionNumber,
        room: &RoomId,
    ) {
        let Some(waiting) = self.waiting.get_mut(&number) else { return };
        let Some(place) = waiting.answers.iter().position(|answer| answer.room == *room) else {
            return;
        };
        let removed = waiting.answers.remove(place);
        if waiting.answers.is_empty() {
            self.forget(shared, number);
        }
        if let Some(Answer { ticket, .. }) = removed {
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

    /// Entries held, so that tests can check for leaks.
    #[cfg(test)]
    pub(super) fn kept(&self) -> Kept {
        let Self { waiting } = self;
        alloc::vec![("sessions with welcomes", waiting.len())]
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

impl List {
    /// Names that came from the room's shard.
    pub(super) fn elsewhere(names: Names) -> Self {
        let answer_bytes = answer_bytes(names.names.iter());
        Self::Elsewhere { answer_bytes, names: Some(names), is_asked: false }
    }

    /// The answer waits, and its names may change in the meantime.
    fn drop_names(&mut self) {
        match self {
            Self::Here => {}
            Self::Elsewhere { names, .. } => *names = None,
        }
    }
}

fn answer_bytes<'a>(names: impl Iterator<Item = &'a UserId>) -> usize {
    ANSWER_HEAD_BYTES + names.map(|name| name.as_str().len() + NAME_HEAD_BYTES).sum::<usize>()
}

fn try_answer(
    shared: &mut Shared,
    rooms: &Rooms,
    number: SessionNumber,
    asked: &mut Answer,
) -> Result<(), WaitsFor> {
    let Some(session) = shared.session(number) else { return Ok(()) };
    let (app_id, uid) = session.user();
    let Answer { room: id, ticket, list } = asked;
    let names = match list {
        List::Here => {
            let Some(room) = rooms.find(&app_id, id) else { return Ok(()) };
            let names = room.names(&uid);
            pay(shared, number, answer_bytes(names.clone()))?;
            Names { names: names.cloned().collect(), has_no_notices: room.has_no_notices() }
        }
        List::Elsewhere { names: Some(names), answer_bytes, .. } => {
            pay(shared, number, *answer_bytes)?;
            core::mem::take(names)
        }
        List::Elsewhere { is_asked: true, .. } => return Err(WaitsFor::Names),
        List::Elsewhere { answer_bytes, is_asked, .. } => {
            let Some(shard) = shared.homes.other_of_room(&app_id, id) else {
                // Its home has become this shard.
                *list = List::Here;
                return try_answer(shared, rooms, number, asked);
            };
            may_pay(shared, number, *answer_bytes)?;
            *is_asked = true;
            let (room, session, ticket) = (id.clone(), number, *ticket);
            shared.send_in_app(shard, &app_id, Entry::AskNames { room, session, uid, ticket });
            return Err(WaitsFor::Names);
        }
    };
    let Names { names, has_no_notices } = names;
    answer(shared, number, *ticket, RoomState::Joined, names);
    if has_no_notices {
        // §6.7: the new member is notified here, because notices to the others do not reach it.
        let (room, state) = (id.clone(), RoomState::NoticesStop);
        shared.push_frame(number, Frame::RoomNotice { room, state });
    }
    Ok(())
}

/// Whether the window has space for an answer of this size.
fn has_space(
    shared: &mut Shared,
    number: SessionNumber,
    answer_bytes: usize,
) -> Result<(), WaitsFor> {
    let unacked_bytes = shared.unacked_bytes(number).unwrap_or_default();
    match unacked_bytes + answer_bytes > MEMBER_LISTS_WINDOW_BYTES_MAX {
        true => Err(WaitsFor::Room),
        false => Ok(()),
    }
}

/// Whether an answer of this size need not wait.
fn may_pay(
    shared: &mut Shared,
    number: SessionNumber,
    answer_bytes: usize,
) -> Result<(), WaitsFor> {
    has_space(shared, number, answer_bytes)?;
    let now = shared.now();
    let at = shared.allowance(number).map(|allowance| allowance.member_list_at(answer_bytes));
    match at {
        Some(at) if at > now => Err(WaitsFor::Budget(at)),
        _ => Ok(()),
    }
}

/// Charges the user's budget with an answer of this size.
fn pay(shared: &mut Shared, number: SessionNumber, answer_bytes: usize) -> Result<(), WaitsFor> {
    has_space(shared, number, answer_bytes)?;
    let now = shared.now();
    match shared.allowance(number) {
        Some(allowance) => allowance.take_member_list(answer_bytes, now).map_err(WaitsFor::Budget),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::limits::MEMBER_LIST_BYTES_BURST;
    use crate::server::deadlines::Timer;
    use crate::server::testing::{
        app_id, begin_linked_session, flushed_to, number, pass_time, room_id, shared, uid,
    };

    /// Alice, in two rooms with Bob.
    fn joined() -> (Welcomes, Rooms, Shared, SessionNumber) {
        let (mut rooms, mut shared) = (Rooms::default(), shared());
        let alice = begin_linked_session(&mut shared, "alice");
        for room in ["first", "second"] {
            rooms.add(&shared, alice, &app_id(), &room_id(room), uid("alice"));
            rooms.add(&shared, number(99), &app_id(), &room_id(room), uid("bob"));
        }
        (Welcomes::default(), rooms, shared, alice)
    }

    fn answer_with(ticket: u64, members: &[&str]) -> Frame {
        let members = members.iter().map(|user| uid(user)).collect();
        Frame::JoinAnswer { ticket, state: RoomState::Joined, members }
    }

    fn use_budget(shared: &mut Shared, alice: SessionNumber) {
        let now = shared.now();
        let allowance = shared.allowance(alice).expect("a session");
        assert_eq!(allowance.take_member_list(MEMBER_LIST_BYTES_BURST as usize, now), Ok(()));
    }

    #[test]
    fn a_joiner_learns_of_the_others_at_once() {
        let (mut welcomes, rooms, mut shared, alice) = joined();
        welcomes.add(&mut shared, &rooms, alice, room_id("first"), 7, List::Here);
        assert!(!welcomes.has(alice));
        assert_eq!(flushed_to(&mut shared, alice), [answer_with(7, &["bob"])]);
    }

    #[test]
    fn answers_wait_for_the_budget_in_the_order_of_joins() {
        let (mut welcomes, rooms, mut shared, alice) = joined();
        use_budget(&mut shared, alice);
        welcomes.add(&mut shared, &rooms, alice, room_id("second"), 1, List::Here);
        welcomes.add(&mut shared, &rooms, alice, room_id("first"), 2, List::Here);
        assert!(welcomes.has(alice) && flushed_to(&mut shared, alice).is_empty());
        let mut answered = Vec::new();
        for ticket in [1, 2] {
            let (due, timer) = shared.deadlines.next_timer().expect("it waits");
            assert_eq!(timer, Timer::Welcome);
            pass_time(&mut shared, due);
            assert!(shared.deadlines.pop_due(due).is_some());
            welcomes.go_on(&mut shared, &rooms, alice);
            answered.extend(flushed_to(&mut shared, alice));
            assert_eq!(answered.last(), Some(&answer_with(ticket, &["bob"])));
        }
        assert_eq!(answered.len(), 2);
        assert!(!welcomes.has(alice));
        assert!(shared.deadlines.next_timer().is_none_or(|(_, timer)| timer != Timer::Welcome));
    }

    #[test]
    fn answer_waits_for_space_without_a_deadline() {
        let answer_bytes = ANSWER_HEAD_BYTES + "bob".len() + NAME_HEAD_BYTES;
        let fits = MEMBER_LISTS_WINDOW_BYTES_MAX - answer_bytes;
        for (unread, waits) in [(fits, false), (fits + 1, true)] {
            let (mut welcomes, rooms, mut shared, alice) = joined();
            shared.push_or_end(alice, Bytes::from(alloc::vec![0; unread]));
            welcomes.add(&mut shared, &rooms, alice, room_id("first"), 1, List::Here);
            assert_eq!(welcomes.has(alice), waits);
            let next = shared.deadlines.next_timer();
            assert!(next.is_some_and(|(_, timer)| timer == Timer::SessionGrace));
        }
    }

    #[test]
    fn answer_of_an_ending_membership_comes_at_once_without_names() {
        let (mut welcomes, rooms, mut shared, alice) = joined();
        use_budget(&mut shared, alice);
        welcomes.add(&mut shared, &rooms, alice, room_id("first"), 1, List::Here);
        welcomes.add(&mut shared, &rooms, alice, room_id("second"), 2, List::Here);
        welcomes.answer_briefly(&mut shared, alice, &room_id("second"));
        assert_eq!(flushed_to(&mut shared, alice), [answer_with(2, &[])]);
        welcomes.answer_briefly(&mut shared, alice, &room_id("second"));
        assert!(flushed_to(&mut shared, alice).is_empty() && welcomes.has(alice));
        welcomes.answer_briefly(&mut shared, alice, &room_id("first"));
        assert_eq!(flushed_to(&mut shared, alice), [answer_with(1, &[])]);
        let next = shared.deadlines.next_timer();
        assert!(next.is_some_and(|(_, timer)| timer == Timer::SessionGrace));
        assert!(!welcomes.has(alice));
    }

    #[test]
    fn ended_session_has_no_waiting_answers() {
        let (mut welcomes, rooms, mut shared, alice) = joined();
        use_budget(&mut shared, alice);
        welcomes.add(&mut shared, &rooms, alice, room_id("first"), 1, List::Here);
        welcomes.forget(&mut shared, alice);
        let next = shared.deadlines.next_timer();
        assert!(next.is_some_and(|(_, timer)| timer == Timer::SessionGrace));
        assert!(!welcomes.has(alice) && flushed_to(&mut shared, alice).is_empty());
    }
}
