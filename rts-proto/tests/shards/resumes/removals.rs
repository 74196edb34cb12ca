//! A back end removes a user whose session moves.

use rts_proto::limits::SESSION_GRACE;
use rts_proto::server::{Ban, Command};
use rts_proto::wire::Frame;
use rts_proto::{BroadcastCode, CloseCode, LinkId, RoomId, RoomState};

use super::{Story, rooms};
use crate::support::{app, broadcast, without_acks};

#[test]
fn member_that_is_kicked_while_its_session_moves_is_told_so() {
    let all = rooms();
    for (at, room) in all.iter().enumerate() {
        let mut story = Story::begin(&all);
        let uid = story.bob.clone();
        let link = story.come_back(3);
        story.settle_without(&[(0, 3)]);
        let (app_id, room_id) = (&app(), room);
        story.cluster.command_by(at, Command::Kick { app_id, room_id, uid: &uid });
        story.let_all_arrive();
        let (has, frames) = story.resumed_on(link);
        assert!(has.resumed, "{room}");
        let state = RoomState::Kicked;
        assert_eq!(frames, [Frame::RoomNotice { room: room.clone(), state }], "{room}");
        story.alice_says(broadcast(room, 1, "not for him"));
        assert_eq!(without_acks(story.cluster.frames_to(link)), [], "{room}");
    }
}

#[test]
fn member_that_is_kicked_while_its_session_is_under_way_is_out() {
    for (at, room) in rooms().iter().enumerate() {
        for (mut story, link, held) in with_session_between().into_iter().skip(1) {
            let (app_id, room_id, uid) = (&app(), room, story.bob.clone());
            story.cluster.command_by(at, Command::Kick { app_id, room_id, uid: &uid });
            story.settle_without(&[held]);
            story.let_all_arrive();
            assert!(story.resumed_on(link).0.resumed, "{room}");
            story.cluster.say(link, broadcast(room, 1, "from outside"));
            story.cluster.end_burst();
            let frames = without_acks(story.cluster.frames_to(link));
            let is_refused = |frame: &Frame| {
                matches!(frame, Frame::BroadcastResults { code: BroadcastCode::NotInRoom, .. })
            };
            assert!(frames.iter().any(is_refused), "{room}: {frames:?}");
        }
    }
}

#[test]
fn user_that_is_put_out_while_its_session_moves_is_out() {
    for by in 0..4 {
        let mut story = Story::begin(&rooms());
        let uid = story.bob.clone();
        let link = story.come_back(3);
        story.settle_without(&[(0, 3)]);
        story.cluster.command_by(by, Command::PutOut { app_id: &app(), uid: &uid });
        story.let_all_arrive();
        assert_eq!(story.cluster.closed(link), Some(Some(CloseCode::PutOut)), "by {by}");
        assert_eq!(story.cluster.stats_of_all().sessions, 1, "by {by}");
        for room in rooms() {
            assert_eq!(story.cluster.members_of_all(&room), Some(vec![story.alice.clone()]));
        }
    }
}

/// Stories in which the session has left node 0. It is under way, or waits for its grant, because
/// something that one node has sent another one does not arrive.
fn with_session_between() -> Vec<(Story, LinkId, (usize, usize))> {
    let begin = |rooms: &[RoomId], held| {
        let mut story = Story::begin(rooms);
        let link = story.come_back(3);
        story.settle_without(&[held]);
        (story, link, held)
    };
    // A session that has done nothing needs no fence.
    vec![begin(&[], (0, 3)), begin(&rooms(), (1, 3))]
}

#[test]
fn user_whose_token_is_revoked_while_its_session_moves_is_out() {
    for by in 0..4 {
        for (mut story, link, held) in with_session_between() {
            let (app_id, bob) = (&app(), story.bob.clone());
            let (uid, issued_before) = (Some(&bob), u32::MAX);
            story.cluster.command_by(by, Command::Revoke { app_id, uid, issued_before });
            story.settle_without(&[held]);
            story.let_all_arrive();
            let context = format!("by {by}, held {held:?}");
            assert_eq!(story.cluster.closed(link), Some(Some(CloseCode::LoginAgain)), "{context}");
            assert_eq!(story.cluster.stats_of_all().sessions, 1, "{context}");
            assert_eq!(story.statuses_reported(), [true, false], "{context}");
        }
    }
}

#[test]
fn user_whose_logins_are_banned_while_its_session_moves_is_out() {
    for by in 0..4 {
        for (mut story, link, held) in with_session_between() {
            let (app_id, ban) = (&app(), Ban::Login(story.bob.clone()));
            let command = Command::Ban { app_id, ban: &ban, interval: SESSION_GRACE };
            story.cluster.command_by(by, command);
            story.settle_without(&[held]);
            story.let_all_arrive();
            let context = format!("by {by}, held {held:?}");
            assert_eq!(story.cluster.closed(link), Some(Some(CloseCode::PutOut)), "{context}");
            assert_eq!(story.cluster.stats_of_all().sessions, 1, "{context}");
            assert_eq!(story.statuses_reported(), [true, false], "{context}");
        }
    }
}
