//! Broadcasts of a burst wait before they go into the members' windows. This is not observable:
//! while windows have space, the output equals that of a shard that does not wait.

mod hall;
mod step;

use std::cell::Cell;

use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use rts_proto::limits::{SERVER_WINDOW_FRAMES_MAX, UNRELIABLE_MARK_BYTES, WINDOW_BYTES_MAX};
use rts_proto::server::NoticeLevel;
use rts_proto::wire::Frame;
use rts_proto::{MessageConfig, MessageId, SendCode};

use hall::Hall;
use step::{NAMES, ROOMS, Step, steps};

/// One hall in which broadcasts wait, and one in which they do not.
fn halls() -> [Hall; 2] {
    [false, true].map(Hall::new)
}

/// The number of steps before a window has no space for a frame that its session must get. Then it
/// is observable whether that session ends now or after more broadcasts of the burst.
fn steps_with_room(steps: &[Step]) -> usize {
    let mut hall = Hall::new(true);
    hall.shard.server.take_notice(NoticeLevel::Sessions);
    let with_room = (1..).zip(steps).take_while(|(number, step)| {
        hall.step(*number, **step);
        !hall.has_overrun()
    });
    with_room.count()
}

#[test]
fn waiting_broadcasts_are_not_observable() {
    let (waits, overruns) = (Cell::new(0), Cell::new(0));
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    let outcome = TestRunner::new(config).run(&steps(), |steps| {
        let with_room = steps_with_room(&steps);
        overruns.set(overruns.get() + usize::from(with_room < steps.len()));
        let [mut waiting, mut at_once] = halls();
        for (number, step) in (1..).zip(&steps[..with_room]) {
            waiting.step(number, *step);
            at_once.step(number, *step);
            let waits_now = waiting.window_bytes() < at_once.window_bytes();
            waits.set(waits.get() + usize::from(waits_now));
        }
        prop_assert_eq!(waiting.end(), at_once.end());
        Ok(())
    });
    if let Err(failure) = outcome {
        panic!("{failure}");
    }
    // The test proves nothing without these.
    assert!(waits.get() > 100, "a broadcast waited after {} steps only", waits.get());
    assert!(overruns.get() > 0, "no window was ever full");
}

#[test]
fn reference_run_fills_windows_at_once() {
    let step = Step::Broadcast { who: 0, room: ROOMS[0], bytes: 900 };
    let grown = halls().map(|mut hall| {
        let before = hall.window_bytes();
        hall.play(&[step]);
        hall.window_bytes() - before
    });
    assert!(grown[0] == 0 && grown[1] > 2 * 900, "{grown:?}");
}

#[test]
fn waiting_broadcasts_use_up_the_window() {
    let [reliable, unreliable] = [MessageConfig::ReliableOrdered, MessageConfig::UnreliableOrdered];
    let fill = |bytes| Step::Fill { who: 1, bytes };
    // The frames of the logins are in it too.
    let full_of_frames = Step::FillWithFrames { who: 1, frames: SERVER_WINDOW_FRAMES_MAX - 7 };
    for (full, config) in [
        (fill(WINDOW_BYTES_MAX - 18_500), reliable),
        (full_of_frames, reliable),
        (fill(UNRELIABLE_MARK_BYTES - 17_500), unreliable),
    ] {
        let broadcast = Step::Broadcast { who: 0, room: ROOMS[0], bytes: 9_000 };
        let send = |bytes| Step::Send { who: 0, to: NAMES[1], bytes, config };
        let steps = [full, broadcast, broadcast, send(300), send(900), Step::Hear];
        assert_eq!(steps_with_room(&steps), steps.len());
        let [waiting, at_once] = halls().map(|mut hall| {
            hall.play(&steps);
            hall.end()
        });
        assert_eq!(waiting, at_once);
        let is_broken = |frame: &Frame| match frame {
            Frame::SendResults { code: SendCode::Broken, ids } => ids.contains(&MessageId(5)),
            _ => false,
        };
        assert!(waiting.0.iter().flatten().any(is_broken), "{full:?}");
    }
}
