//! Rooms.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Waker};
use std::time::Duration;

use futures_lite::future::zip;
use rts_client::{
    Event, Events, JoinError, JoinType, Reason, RoomEvent, RoomState, SendError, ServerParamsError,
};
use rts_proto::server::{Ban, Command, Returned, Shards as _};

use crate::support::{Site, app, next, room, soon, user};

/// The next event of this kind in a room.
async fn next_in_room<T>(events: &mut Events, wanted: impl Fn(RoomEvent) -> Option<T>) -> T {
    next(events, |event| match event {
        Event::Room { event, .. } => wanted(event),
        _ => None,
    })
    .await
}

async fn next_state(events: &mut Events) -> RoomState {
    next_in_room(events, |event| match event {
        RoomEvent::StateChanged(state) => Some(state),
        _ => None,
    })
    .await
}

#[tokio::test]
async fn a_broadcast_reaches_the_other_members() {
    let site = Site::open().await;
    let (alice, _) = site.log_in("alice").await;
    let (bob, mut bobs) = site.log_in("bob").await;
    let lobby = soon(alice.join("lobby")).await.expect("joined");
    soon(bob.join(lobby.id())).await.expect("joined");
    let how = next_in_room(&mut bobs, |event| match event {
        RoomEvent::Joined { how, .. } => Some(how),
        _ => None,
    });
    assert_eq!(how.await, JoinType::First);

    let sending = lobby.send("hi all");
    assert_eq!(sending.id().map(|id| id.0), Ok(1));
    soon(sending).await.expect("queued for all");
    let heard = next_in_room(&mut bobs, |event| match event {
        RoomEvent::Message { from, payload } => Some((from, payload)),
        _ => None,
    });
    assert_eq!(heard.await, (user("alice"), "hi all".into()));

    soon(lobby.leave()).await;
    let gone = next_in_room(&mut bobs, |event| match event {
        RoomEvent::UserLeft { uid, .. } => Some(uid),
        _ => None,
    });
    assert_eq!(gone.await, user("alice"));
}

#[tokio::test]
async fn a_room_that_was_left_can_be_joined_again() {
    let site = Site::open().await;
    let (alice, mut events) = site.log_in("alice").await;
    let lobby = soon(alice.join("lobby")).await.expect("joined");
    assert_eq!(soon(alice.join("lobby")).await.err(), Some(JoinError::AlreadyJoined));
    soon(lobby.leave()).await;
    soon(lobby.leave()).await;
    let left = next_in_room(&mut events, |event| matches!(event, RoomEvent::Left).then_some(()));
    left.await;
    assert_eq!(soon(lobby.send("hi")).await, Err(SendError::NotDelivered(Reason::NotInRoom)));
    let again = soon(alice.join("lobby")).await.expect("joined");
    soon(again.send("hi")).await.expect("queued for nobody");
}

#[tokio::test]
async fn leave_followed_by_join_ends_in_the_room() {
    let site = Site::open().await;
    let (alice, _events) = site.log_in("alice").await;
    let lobby = soon(alice.join("lobby")).await.expect("joined");
    let ((), joined) = soon(zip(lobby.leave(), alice.join("lobby"))).await;
    soon(joined.expect("joined").send("hi")).await.expect("queued for nobody");

    // The future of an earlier leave does no harm to a later join.
    let mut leaving = pin!(lobby.leave());
    assert!(leaving.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    let again = soon(alice.join("lobby")).await.expect("joined");
    soon(leaving).await;
    soon(again.send("hi")).await.expect("queued for nobody");
}

#[tokio::test]
async fn left_rooms_do_not_count() {
    let site = Site::open().await;
    let (alice, events) = site.log_in("alice").await;
    drop(events);
    for number in 0..1_030 {
        let room = soon(alice.join(format!("room{number}"))).await.expect("joined");
        soon(room.leave()).await;
    }
}

#[tokio::test]
async fn kicked_user_can_join_again_and_banned_one_cannot() {
    let site = Site::open().await;
    let (alice, mut events) = site.log_in("alice").await;
    let lobby = soon(alice.join("lobby")).await.expect("joined");
    let (app, id, uid) = (app(), room("lobby"), user("alice"));
    let kick = Command::Kick { app_id: &app, room_id: &id, uid: &uid };
    assert_eq!(site.node.commands().command(kick), Returned::Whether(true));
    assert_eq!(next_state(&mut events).await, RoomState::Kicked);
    assert_eq!(soon(lobby.send("hi")).await, Err(SendError::NotDelivered(Reason::NotInRoom)));
    soon(alice.join("lobby")).await.expect("joined again");
    soon(lobby.send("hi")).await.expect("the handle is of that room again");

    let minute = Duration::from_secs(60);
    let ban = |ban: Ban| {
        let command = Command::Ban { app_id: &app, ban: &ban, interval: minute };
        let returned = site.node.commands().command(command);
        assert!(matches!(returned, Returned::Result(Ok(_))), "{returned:?}");
    };
    ban(Ban::UserInRoom(id.clone(), uid));
    assert_eq!(next_state(&mut events).await, RoomState::Kicked);
    let error = soon(alice.join("lobby")).await.expect_err("banned");
    assert_eq!((error, error.code()), (JoinError::UserBanned, Some(-1026)));
    ban(Ban::Room(id));
    assert_eq!(soon(alice.join("lobby")).await.expect_err("banned").code(), Some(-1025));
}

#[tokio::test]
async fn impossible_join_fails_with_reason() {
    let site = Site::open().await;
    let (alice, _events) = site.log_in("alice").await;
    assert_eq!(soon(alice.join("no room")).await.err(), Some(JoinError::InvalidRoomId));
    alice.logout();
    let error = soon(alice.join("lobby")).await.expect_err("logged out");
    assert_eq!((error, error.code()), (JoinError::NotLoggedIn, Some(-1001)));
    soon(alice.close()).await;
    assert_eq!(soon(alice.join("lobby")).await.err(), Some(JoinError::EngineClosed));
}

#[tokio::test]
async fn dropped_join_leaves_the_room() {
    let site = Site::open().await;
    let (alice, _events) = site.log_in("alice").await;
    {
        let mut joining = pin!(alice.join("lobby"));
        let first_poll = joining.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        assert!(first_poll.is_pending());
    }
    let lobby = alice.contract().room("lobby").expect("its handle is kept");
    soon(lobby.leave()).await;
    assert_eq!(soon(lobby.send_message("hi").expect("a handle")).await.code(), 100, "not in it");
    soon(alice.join("lobby")).await.expect("joined");
}

#[tokio::test]
async fn a_join_under_way_ends_with_the_login() {
    let site = Site::open().await;
    let (alice, _events) = site.log_in("alice").await;
    let mut joining = pin!(alice.join("lobby"));
    let first_poll = joining.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    assert!(first_poll.is_pending());
    alice.logout();
    assert_eq!(soon(joining).await.err(), Some(JoinError::Cancelled));
}

#[tokio::test]
async fn future_of_an_earlier_join_does_not_leave_the_room_of_a_later_one() {
    let site = Site::open().await;
    let (alice, _events) = site.log_in("alice").await;
    for is_logged_out in [true, false] {
        let mut stale = Box::pin(alice.join("lobby"));
        let first_poll = stale.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        assert!(first_poll.is_pending());
        if is_logged_out {
            alice.logout();
            soon(alice.login("token", "alice")).await.expect("accepted");
        } else {
            soon(alice.room("lobby").expect("it is being joined").leave()).await;
        }
        let lobby = soon(alice.join("lobby")).await.expect("joined");
        drop(stale);
        soon(lobby.send("hi")).await.expect("still in the room");
        soon(lobby.leave()).await;
    }
}

#[tokio::test]
async fn join_that_was_answered_but_not_awaited_leaves_the_room() {
    let site = Site::open().await;
    let (alice, mut events) = site.log_in("alice").await;
    {
        let mut joining = pin!(alice.join("lobby"));
        let first_poll = joining.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        assert!(first_poll.is_pending());
        let joined = |event| matches!(event, RoomEvent::Joined { .. }).then_some(());
        next_in_room(&mut events, joined).await;
    }
    let left = next_in_room(&mut events, |event| matches!(event, RoomEvent::Left).then_some(()));
    left.await;
    assert_eq!(alice.room("lobby"), None);
}

#[tokio::test]
async fn room_whose_handle_was_dropped_can_be_had_again() {
    let site = Site::open().await;
    let (alice, _events) = site.log_in("alice").await;
    assert_eq!(alice.room("lobby"), None);
    drop(soon(alice.join("lobby")).await.expect("joined"));
    assert_eq!(soon(alice.join("lobby")).await.err(), Some(JoinError::AlreadyJoined));
    let lobby = alice.room("lobby").expect("the engine is in it");
    soon(lobby.send("hi")).await.expect("queued for nobody");
    assert_eq!(alice.room("lobby"), Some(lobby.clone()));
    let (bob, _events) = site.log_in("bob").await;
    let bobs = soon(bob.join("lobby")).await.expect("joined");
    assert_ne!(bobs, lobby);
    soon(lobby.leave()).await;
    assert_eq!(alice.room("lobby"), None);
}

#[tokio::test]
async fn closed_engine_says_so_to_every_call() {
    let site = Site::open().await;
    let (alice, _events) = site.log_in("alice").await;
    let lobby = soon(alice.join("lobby")).await.expect("joined");
    soon(alice.close()).await;
    let closed = Err(SendError::NotDelivered(Reason::EngineClosed));
    assert_eq!(soon(lobby.send("hi")).await, closed);
    assert_eq!(soon(alice.send("bob", "hi")).await, closed);
    assert_eq!(soon(alice.send_to_server("hi")).await.err(), closed.err());
    let params = soon(alice.set_server_params("alice", "http://host/")).await;
    assert_eq!(params, Err(ServerParamsError::EngineClosed));
    assert_eq!(soon(alice.join("lobby")).await.err(), Some(JoinError::EngineClosed));
}
