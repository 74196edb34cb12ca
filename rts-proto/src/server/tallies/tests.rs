use super::*;
use crate::limits::MEMBER_LIST_BYTES_PER_SECOND;
use crate::server::allowance::Paced;
use crate::server::deadlines::Timer;
use crate::server::testing::{app_id, before, pass_time, room_id, uid};

const SECOND: Instant = Instant::from_millis(1_000);

/// Two logins a second, and one user remembered.
fn tallies() -> (Tallies, Shared) {
    let config = Config { logins_per_second: 2, users_remembered_max: 1, ..Config::default() };
    (Tallies::new(1), Shared::new(config))
}

fn turn_of(tallies: &mut Tallies, shared: &mut Shared, user: &str, link: u64) -> Turn {
    let turn = tallies.turn_of(shared, &app_id(), &uid(user), LinkId(link));
    tallies.arm(shared, &app_id(), &uid(user));
    turn
}

fn next_in_queue(tallies: &mut Tallies, shared: &mut Shared, now: Instant) -> Option<LinkId> {
    pass_time(shared, now);
    tallies.next_in_queue(shared, &app_id(), &uid("alice"))
}

/// Handles the due checks. No login has its turn.
fn look(tallies: &mut Tallies, shared: &mut Shared) {
    while shared.deadlines.pop_due(shared.now()).is_some() {
        tallies.has_come_due(&app_id(), &uid("alice"));
    }
    tallies.look_again(shared, &app_id(), &uid("alice"));
}

#[test]
fn queued_logins_have_their_turns_in_order() {
    let (mut tallies, mut shared) = tallies();
    assert_eq!(turn_of(&mut tallies, &mut shared, "alice", 1), Turn::Now);
    assert_eq!(turn_of(&mut tallies, &mut shared, "alice", 2), Turn::Now);
    assert_eq!(turn_of(&mut tallies, &mut shared, "alice", 3), Turn::Later);
    let turn = Instant::from_millis(500);
    assert_eq!(shared.deadlines.next_timer(), Some((turn, Timer::Tally)));
    assert_eq!(next_in_queue(&mut tallies, &mut shared, before(turn)), None);
    // A login that comes when there is a turn still goes behind a waiting one.
    pass_time(&mut shared, turn);
    assert_eq!(turn_of(&mut tallies, &mut shared, "alice", 4), Turn::Later);
    assert_eq!(next_in_queue(&mut tallies, &mut shared, turn), Some(LinkId(3)));
    assert_eq!(next_in_queue(&mut tallies, &mut shared, turn), None);
    assert_eq!(next_in_queue(&mut tallies, &mut shared, SECOND), Some(LinkId(4)));
    assert_eq!(next_in_queue(&mut tallies, &mut shared, Instant::from_millis(9_000)), None);
}

#[test]
fn as_many_logins_wait_as_may_and_not_one_more() {
    let (mut tallies, mut shared) = tallies();
    let mut turn = |link| turn_of(&mut tallies, &mut shared, "alice", link);
    assert!((1..=2).all(|link| turn(link) == Turn::Now));
    assert!((1..=LOGINS_WAITING_MAX as u64).all(|link| turn(10 + link) == Turn::Later));
    assert_eq!(turn(20), Turn::Never);
    tallies.leave_queue(&app_id(), &uid("alice"), LinkId(11));
    assert_eq!(turn_of(&mut tallies, &mut shared, "alice", 21), Turn::Later);
    assert_eq!(turn_of(&mut tallies, &mut shared, "alice", 22), Turn::Never);
    let queued = tallies.queued(&app_id(), Some(&uid("alice")));
    assert_eq!(queued, [12, 13, 14, 15, 21].map(LinkId));
    assert_eq!(queued, tallies.queued(&app_id(), None));
    assert!(tallies.queued(&app_id(), Some(&uid("bob"))).is_empty());
}

#[test]
fn tally_is_forgotten_when_its_rate_is_full() {
    let (mut tallies, mut shared) = tallies();
    assert_eq!(turn_of(&mut tallies, &mut shared, "alice", 1), Turn::Now);
    let full_at = Instant::from_millis(500);
    assert_eq!(shared.deadlines.next_timer(), Some((full_at, Timer::Tally)));
    pass_time(&mut shared, before(full_at));
    look(&mut tallies, &mut shared);
    assert_eq!(tallies.len(), 1);
    assert_eq!(shared.deadlines.next_timer(), Some((full_at, Timer::Tally)));
    pass_time(&mut shared, full_at);
    look(&mut tallies, &mut shared);
    assert_eq!((tallies.len(), tallies.app_ids().count()), (0, 0));
    assert_eq!(shared.deadlines.next_timer(), None);
}

#[test]
fn memberships_that_wait_keep_a_tally() {
    let (mut tallies, mut shared) = tallies();
    let (lobby, garden) = (room_id("lobby"), room_id("garden"));
    tallies.count_orphan_in(&mut shared, &app_id(), &uid("alice"), lobby.clone());
    tallies.count_orphan_in(&mut shared, &app_id(), &uid("alice"), garden.clone());
    look(&mut tallies, &mut shared);
    assert!(tallies.orphans(&app_id(), &uid("alice")).eq([&garden, &lobby]));
    assert!(!tallies.has_orphan(&app_id(), &uid("bob"), &lobby));
    tallies.count_orphan_out(&app_id(), &uid("alice"), &garden);
    assert!(tallies.has_orphan(&app_id(), &uid("alice"), &lobby));
    tallies.count_orphan_out(&app_id(), &uid("alice"), &lobby);
    assert_eq!((tallies.len(), tallies.app_ids().count()), (0, 0));
}

#[test]
fn room_that_waits_twice_is_one_room_until_both_waits_are_over() {
    let (mut tallies, mut shared) = tallies();
    let lobby = room_id("lobby");
    tallies.count_orphan_in(&mut shared, &app_id(), &uid("alice"), lobby.clone());
    tallies.count_orphan_in(&mut shared, &app_id(), &uid("alice"), lobby.clone());
    assert_eq!(tallies.orphans(&app_id(), &uid("alice")).count(), 1);
    tallies.count_orphan_out(&app_id(), &uid("alice"), &lobby);
    assert!(tallies.has_orphan(&app_id(), &uid("alice"), &lobby));
    tallies.count_orphan_out(&app_id(), &uid("alice"), &lobby);
    assert_eq!(tallies.len(), 0);
}

#[test]
fn rates_keep_a_tally_that_no_membership_keeps() {
    let (mut tallies, mut shared) = tallies();
    assert_eq!(turn_of(&mut tallies, &mut shared, "alice", 1), Turn::Now);
    tallies.count_orphan_in(&mut shared, &app_id(), &uid("alice"), room_id("lobby"));
    tallies.count_orphan_out(&app_id(), &uid("alice"), &room_id("lobby"));
    assert_eq!(tallies.len(), 1);
}

#[test]
fn users_over_the_bound_are_not_remembered() {
    let (mut tallies, mut shared) = tallies();
    assert_eq!(turn_of(&mut tallies, &mut shared, "alice", 1), Turn::Now);
    assert!((0..9).all(|link| turn_of(&mut tallies, &mut shared, "bob", link) == Turn::Now));
    assert_eq!(tallies.len(), 1);
    // A user who is remembered already stays so.
    assert_eq!(turn_of(&mut tallies, &mut shared, "alice", 2), Turn::Now);
    assert_eq!(turn_of(&mut tallies, &mut shared, "alice", 3), Turn::Later);
}

#[test]
fn used_rates_are_kept_for_the_next_session_until_full() {
    let (mut tallies, mut shared) = tallies();
    let full = || Some(Box::new(Allowance::full(&Config::default(), Instant::ORIGIN)));
    tallies.keep_allowance(&mut shared, &app_id(), &uid("alice"), full());
    assert_eq!(tallies.len(), 0);
    let used = || {
        let mut used = full();
        assert!(used.as_mut().is_some_and(|used| used.take(Paced::Send, Instant::ORIGIN)));
        used
    };
    tallies.keep_allowance(&mut shared, &app_id(), &uid("alice"), used());
    assert!(tallies.take_allowance(&app_id(), &uid("alice")).is_some());
    assert!(tallies.take_allowance(&app_id(), &uid("alice")).is_none());
    tallies.keep_allowance(&mut shared, &app_id(), &uid("alice"), used());
    pass_time(&mut shared, SECOND);
    look(&mut tallies, &mut shared);
    assert_eq!(tallies.len(), 0);
}

#[test]
fn tally_has_one_deadline_for_its_next_task() {
    let (mut tallies, mut shared) = tallies();
    let mut used = Allowance::full(&Config::default(), Instant::ORIGIN);
    let three_seconds = 3 * MEMBER_LIST_BYTES_PER_SECOND as usize;
    assert_eq!(used.take_member_list(three_seconds, Instant::ORIGIN), Ok(()));
    let full_at = used.full_at();
    tallies.keep_allowance(&mut shared, &app_id(), &uid("alice"), Some(Box::new(used)));
    assert_eq!(shared.deadlines.next_timer(), Some((full_at, Timer::Tally)));
    // A waiting login has its turn earlier, and replaces the former deadline.
    assert!((1..=3).any(|link| turn_of(&mut tallies, &mut shared, "alice", link) == Turn::Later));
    let turn = Instant::from_millis(500);
    assert_eq!(
        shared.deadlines.pop_due(full_at),
        Some((turn, Due::tally(&app_id(), &uid("alice"))))
    );
    assert_eq!(shared.deadlines.pop_due(full_at), None);
    // After the turn, the former deadline is armed again.
    pass_time(&mut shared, turn);
    tallies.has_come_due(&app_id(), &uid("alice"));
    assert_eq!(next_in_queue(&mut tallies, &mut shared, turn), Some(LinkId(3)));
    tallies.look_again(&mut shared, &app_id(), &uid("alice"));
    assert_eq!(shared.deadlines.next_timer(), Some((full_at, Timer::Tally)));
}
