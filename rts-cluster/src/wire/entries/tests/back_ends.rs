//! Drawn requests of back ends, and drawn responses to them.

use std::time::Duration;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use rts_proto::OnlineStatus;
use rts_proto::server::{
    AppStats, Ban, CommandError, Page, Request, RequestId, RequestOnWay, Response, ResponsePart,
    RoomFigures, UserFigures,
};

use super::drawn::{frames, one_of, rooms, shards, uids};

fn bans() -> impl Strategy<Value = Ban> {
    prop_oneof![
        rooms().prop_map(Ban::Room),
        (rooms(), uids()).prop_map(|(room, uid)| Ban::UserInRoom(room, uid)),
        uids().prop_map(Ban::User),
        uids().prop_map(Ban::Login),
    ]
}

fn intervals() -> impl Strategy<Value = Duration> {
    prop_oneof![
        Just(Duration::ZERO),
        Just(Duration::MAX),
        (0..9_999_u64, 0..1_000_000_000_u32).prop_map(|(secs, nanos)| Duration::new(secs, nanos)),
    ]
}

fn asked() -> impl Strategy<Value = Request> {
    prop_oneof![
        (uids(), frames()).prop_map(|(to, frame)| Request::Unicast { to, frame }),
        (rooms(), frames()).prop_map(|(room, frame)| Request::BroadcastToRoom { room, frame }),
        (rooms(), vec(uids(), 0..9), frames())
            .prop_map(|(room, to, frame)| Request::UnicastInRoom { room, to, frame }),
        (rooms(), uids()).prop_map(|(room, uid)| Request::Kick { room, uid }),
        rooms().prop_map(|room| Request::Dismiss { room }),
        (bans(), intervals()).prop_map(|(ban, interval)| Request::Ban { ban, interval }),
        bans().prop_map(|ban| Request::Unban { ban }),
        uids().prop_map(|uid| Request::PutOut { uid }),
        (option::of(uids()), any::<u32>())
            .prop_map(|(uid, issued_before)| Request::Revoke { uid, issued_before }),
        uids().prop_map(|uid| Request::Status { uid }),
        rooms().prop_map(|room| Request::Members { room }),
        (option::of(uids()), any::<u32>())
            .prop_map(|(after, limit)| Request::Users { after, limit }),
        (option::of(rooms()), any::<u32>())
            .prop_map(|(after, limit)| Request::Rooms { after, limit }),
        Just(Request::Stats),
    ]
}

pub(super) fn requests() -> impl Strategy<Value = Box<RequestOnWay>> {
    (shards(), any::<u64>(), asked(), any::<bool>()).prop_map(
        |(origin, id, request, is_charged)| {
            Box::new(RequestOnWay { origin, id: RequestId(id), request, is_charged })
        },
    )
}

fn refusals() -> impl Strategy<Value = CommandError> {
    prop_oneof![
        any::<u32>().prop_map(|per_second| CommandError::OverAppRate { per_second }),
        Just(CommandError::OverRoomRate),
        (0..99_999_usize).prop_map(|max| CommandError::TooManyBans { max }),
    ]
}

fn statuses() -> impl Strategy<Value = OnlineStatus> {
    one_of(OnlineStatus::ALL)
}

fn users() -> impl Strategy<Value = UserFigures> {
    (uids(), statuses(), any::<u64>(), 0..99_usize, 0..99_999_usize).prop_map(
        |(uid, status, silent_us, rooms, window_bytes)| {
            let silent_for = Duration::from_micros(silent_us);
            UserFigures { uid, status, silent_for, rooms, window_bytes }
        },
    )
}

fn pages<T: std::fmt::Debug>(items: impl Strategy<Value = T>) -> impl Strategy<Value = Page<T>> {
    (vec(items, 0..9), any::<bool>(), 0..99_999_usize).prop_map(|(items, has_more, total)| Page {
        items,
        has_more,
        total,
    })
}

fn responded() -> impl Strategy<Value = Response> {
    let figures =
        (rooms(), 0..9_999_usize).prop_map(|(room, members)| RoomFigures { room, members });
    let stats = any::<[u32; 6]>().prop_map(|[users, connected, rooms, members, bans, bytes]| {
        let [users, connected, rooms, memberships, bans, window_bytes] =
            [users, connected, rooms, members, bans, bytes].map(|count| count as usize);
        AppStats { users, connected, rooms, memberships, bans, window_bytes }
    });
    prop_oneof![
        any::<u64>().prop_map(Response::Done),
        refusals().prop_map(Response::Refused),
        statuses().prop_map(Response::Status),
        option::of(vec(uids(), 0..9)).prop_map(Response::Members),
        pages(users()).prop_map(Response::Users),
        pages(figures).prop_map(Response::Rooms),
        stats.prop_map(Response::Stats),
        Just(Response::Unanswered),
    ]
}

pub(super) fn responses() -> impl Strategy<Value = Box<ResponsePart>> {
    (any::<u64>(), responded(), any::<bool>()).prop_map(|(id, response, is_last)| {
        Box::new(ResponsePart { id: RequestId(id), response, is_last })
    })
}
