//! Connection progress of an engine, for logs.

use std::time::Duration;

use bytes::Bytes;
use rts_proto::client::{Input, LastLogin, LostLink, NextAttempt, SessionStart, Timer};
use rts_proto::wire::{Accepted, Frame};
use rts_proto::{CloseCode, Disconnect, LinkId};

use crate::support::{Stage, session};

fn started(stage: &Stage) -> Option<(LinkId, SessionStart)> {
    stage.engine.last_login().map(|LastLogin { link, start }| (link, start))
}

#[test]
fn resume_has_link_and_number_of_resent_frames() {
    let mut stage = Stage::new();
    assert_eq!(started(&stage), None);
    stage.welcomed(session(1));
    assert_eq!(started(&stage), Some((LinkId(1), SessionStart::First)));
    for _ in 0..3 {
        stage.sends("hi");
    }
    stage.cut();
    stage.welcomed(Accepted { resumed: true, received: 1, ..session(1) });
    let resumed = SessionStart::Resumed { frames_resent: 2 };
    assert_eq!(started(&stage), Some((LinkId(2), resumed)));
    stage.cut();
    stage.welcomed(session(2));
    assert_eq!(started(&stage), Some((LinkId(3), SessionStart::Anew)));
    assert_eq!(stage.engine.user().map(|uid| uid.as_str()), Some("alice"));
}

#[test]
fn lost_link_has_reason_and_timer() {
    let mut stage = Stage::logged_in();
    assert_eq!(stage.engine.lost_link(), None);
    stage.input(Input::Disconnected(stage.link));
    let broken = LostLink { link: LinkId(1), why: Disconnect::Broken, timer: None };
    assert_eq!(stage.engine.lost_link(), Some(broken));

    // Neither a connection nor an answer comes.
    for (link, is_connected, timer) in [(2, false, Timer::Connect), (3, true, Timer::Login)] {
        let wakes_while = |stage: &mut Stage, goes_on: fn(Option<LinkId>, LinkId) -> bool| {
            for _ in 0..20 {
                if goes_on(stage.engine.link(), LinkId(link)) {
                    stage.now = stage.drain().expect("there is something to wait for");
                    stage.input(Input::Tick);
                }
            }
        };
        wakes_while(&mut stage, |now, link| now != Some(link));
        if is_connected {
            stage.input(Input::Connected(LinkId(link)));
        }
        wakes_while(&mut stage, |now, link| now == Some(link));
        let timed_out =
            LostLink { link: LinkId(link), why: Disconnect::TimedOut, timer: Some(timer) };
        assert_eq!(stage.engine.lost_link(), Some(timed_out));
    }

    let mut stage = Stage::logged_in();
    stage.pass(Duration::from_secs(10));
    let silent =
        LostLink { link: LinkId(1), why: Disconnect::TimedOut, timer: Some(Timer::Silence) };
    assert_eq!(stage.engine.lost_link(), Some(silent));
}

#[test]
fn reconnect_wait_has_length_and_cause() {
    let mut stage = Stage::logged_in();
    assert_eq!(stage.engine.next_attempt(), None);
    let (code, reason) = (CloseCode::Busy.code(), Bytes::new());
    stage.receives(Frame::Close { code, reason, retry_after_ms: 7_000 });
    let asked_for = Duration::from_secs(7);
    let at = stage.now + asked_for;
    assert_eq!(stage.engine.next_attempt(), Some(NextAttempt { at, attempts: 1, asked_for }));

    // The second wait is back-off: half a second at most.
    stage.now = at;
    stage.input(Input::Tick);
    assert_eq!(stage.engine.next_attempt(), None);
    stage.input(Input::Disconnected(stage.link));
    let next = stage.engine.next_attempt().expect("a wait");
    assert_eq!((next.attempts, next.asked_for), (2, Duration::ZERO));
    assert!(stage.now < next.at && next.at <= stage.now + Duration::from_millis(500));
}
