//! The story of a shard in a cluster of two nodes whose back end asks everything. Every request and
//! response occurs.

use std::time::Duration;

use rts_proto::server::{
    AppStats, Ban, CommandError, Entry, Input, Page, PassedOn, Request, RequestId, RequestOnWay,
    Response, ResponsePart, RoomFigures, ShardId, UserFigures,
};
use rts_proto::{OnlineStatus, Payload, RoomId, UserId};

use super::owners::{node, shard_of_two, user_of};
use super::shard::{Shard, app, user};
use crate::Recorder;

pub(super) fn record(recorder: Recorder) {
    let mut shard = shard_of_two(recorder);
    asks_the_cluster(&mut shard);
    is_asked(&mut shard);
}

fn room() -> RoomId {
    RoomId::new("lobby").expect("well formed")
}

/// A request comes to this shard. The other node has half of its answer.
fn asks_the_cluster(shard: &mut Shard) {
    let stats = AppStats { users: 3, ..AppStats::default() };
    let figures = UserFigures {
        uid: user("carol"),
        status: OnlineStatus::Online,
        silent_for: Duration::from_millis(1_500),
        rooms: 1,
        window_bytes: 20,
    };
    let users = Page { items: vec![figures], has_more: false, total: 1 };
    let rooms =
        Page { items: vec![RoomFigures { room: room(), members: 2 }], has_more: true, total: 4 };
    let requests = [
        (Request::Kick { room: room(), uid: user("carol") }, Response::Done(1)),
        (Request::Dismiss { room: room() }, Response::Refused(CommandError::OverRoomRate)),
        (Request::Status { uid: user_of(0, "bob") }, Response::Status(OnlineStatus::Unreachable)),
        (Request::Members { room: room() }, Response::Members(Some(vec![user("carol")]))),
        (Request::Users { after: None, limit: 10 }, Response::Users(users)),
        (Request::Rooms { after: Some(room()), limit: 1 }, Response::Rooms(rooms)),
        (Request::Stats, Response::Stats(stats)),
        (Request::Unban { ban: Ban::Room(room()) }, Response::Unanswered),
    ];
    for (number, (request, response)) in (1..).zip(requests) {
        let id = RequestId(number);
        shard.input(Input::Request(id, app(), Box::new(request)));
        shard.wait(1);
        shard.hear([Entry::Response(Box::new(ResponsePart { id, response, is_last: true }))]);
    }
}

/// Requests that came to the other node.
fn is_asked(shard: &mut Shard) {
    let (alice, from) = (user_of(1, "alice"), user("backend"));
    let origin = ShardId::of_node(node(0), 0).expect("a node has it");
    let unicast = |to: &UserId| {
        Request::unicast(from.clone(), to.clone(), Payload::text("hi")).expect("short")
    };
    let requests = [
        unicast(&alice),
        Request::broadcast_to_room(from.clone(), room(), Payload::text("all")).expect("short"),
        Request::unicast_in_room(from.clone(), room(), vec![alice.clone()], Payload::text("you"))
            .expect("short"),
        Request::Kick { room: room(), uid: alice.clone() },
        Request::Dismiss { room: room() },
        Request::Ban { ban: Ban::User(alice.clone()), interval: Duration::from_secs(60) },
        Request::Unban { ban: Ban::User(alice.clone()) },
        Request::PutOut { uid: alice.clone() },
        Request::Revoke { uid: Some(alice.clone()), issued_before: 1_790_000_000 },
        Request::Status { uid: alice.clone() },
        Request::Members { room: room() },
        Request::Users { after: Some(alice.clone()), limit: 10 },
        Request::Rooms { after: None, limit: 10 },
        Request::Stats,
    ];
    for (number, request) in (1..).zip(requests) {
        let on_way = RequestOnWay { origin, id: RequestId(number), request, is_charged: true };
        shard.hear([Entry::Request(Box::new(on_way))]);
    }
    let request = unicast(&user_of(0, "bob"));
    let on_way = RequestOnWay { origin, id: RequestId(99), request, is_charged: true };
    shard.hear([Entry::PassedOn(PassedOn::Request(Box::new(on_way)))]);
}
