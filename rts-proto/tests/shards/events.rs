//! What a test draws: events of users and of their app's back end.

use proptest::prelude::*;
use rts_proto::server::Ban;
use rts_proto::{MessageConfig, RoomId, UserId};

use crate::support::{room, user};

pub(crate) const USERS: usize = 6;
pub(crate) const ROOMS: usize = 4;
/// The second join of an event has a ticket that is greater by this.
pub(crate) const AGAIN: u64 = 1_000_000;

/// Everything that a test does to a node.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    LogIn(usize),
    Resume(usize),
    HangUp(usize),
    LogOut(usize),
    Send(usize, usize, MessageConfig),
    Join(usize, usize),
    /// Pipelined: joins and leaves of one user, in one burst.
    JoinAndLeave(usize, usize, bool),
    Leave(usize, usize),
    Broadcast(usize, usize),
    Query(usize, usize),
    Unicast(usize),
    BroadcastToRoom(usize),
    UnicastInRoom(usize, Vec<usize>),
    Kick(usize, usize),
    Dismiss(usize),
    Ban(BanOf, u64),
    Unban(BanOf),
    PutOut(usize),
    Revoke(usize),
    Wait(u64),
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum BanOf {
    Login(usize),
    User(usize),
    Room(usize),
    UserInRoom(usize, usize),
}

impl BanOf {
    pub(crate) fn ban(self) -> Ban {
        match self {
            Self::Login(who) => Ban::Login(uid(who)),
            Self::User(who) => Ban::User(uid(who)),
            Self::Room(at) => Ban::Room(room_id(at)),
            Self::UserInRoom(at, who) => Ban::UserInRoom(room_id(at), uid(who)),
        }
    }
}

pub(crate) fn uid(who: usize) -> UserId {
    user(&format!("user{who}"))
}

pub(crate) fn room_id(at: usize) -> RoomId {
    room(&format!("room{at}"))
}

/// What users do, and their app's back end.
pub(crate) fn event() -> impl Strategy<Value = Event> {
    prop_oneof![42 => client_event(), 9 => command()]
}

/// What users do.
pub(crate) fn client_event() -> impl Strategy<Value = Event> {
    let who = || 0..USERS;
    let at = || 0..ROOMS;
    let config = prop_oneof![
        3 => Just(MessageConfig::ReliableOrdered),
        1 => Just(MessageConfig::UnreliableOrdered),
        1 => Just(MessageConfig::UnreliableUnordered),
    ];
    prop_oneof![
        6 => who().prop_map(Event::LogIn),
        3 => who().prop_map(Event::Resume),
        2 => who().prop_map(Event::HangUp),
        1 => who().prop_map(Event::LogOut),
        6 => (who(), who(), config).prop_map(|(from, to, config)| Event::Send(from, to, config)),
        8 => (who(), at()).prop_map(|(who, at)| Event::Join(who, at)),
        2 => (who(), at(), any::<bool>()).prop_map(|(w, a, l)| Event::JoinAndLeave(w, a, l)),
        2 => (who(), at()).prop_map(|(who, at)| Event::Leave(who, at)),
        6 => (who(), at()).prop_map(|(who, at)| Event::Broadcast(who, at)),
        2 => (who(), who()).prop_map(|(who, whom)| Event::Query(who, whom)),
        4 => (0_u64..12_000).prop_map(Event::Wait),
    ]
}

/// What an app's back end does.
fn command() -> impl Strategy<Value = Event> {
    let who = || 0..USERS;
    let at = || 0..ROOMS;
    let ban = prop_oneof![
        who().prop_map(BanOf::Login),
        who().prop_map(BanOf::User),
        at().prop_map(BanOf::Room),
        (at(), who()).prop_map(|(at, who)| BanOf::UserInRoom(at, who)),
    ];
    prop_oneof![
        1 => who().prop_map(Event::Unicast),
        1 => at().prop_map(Event::BroadcastToRoom),
        1 => (at(), prop::collection::vec(who(), 0..4)).prop_map(|(a, w)| Event::UnicastInRoom(a, w)),
        1 => (at(), who()).prop_map(|(at, who)| Event::Kick(at, who)),
        1 => at().prop_map(Event::Dismiss),
        1 => (ban.clone(), 0_u64..20).prop_map(|(ban, secs)| Event::Ban(ban, secs)),
        1 => ban.prop_map(Event::Unban),
        1 => who().prop_map(Event::PutOut),
        1 => who().prop_map(Event::Revoke),
    ]
}
