//! Commands with two effects have both or none, and those to a frozen node have none.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use rts_openapi::{Call, Command, ErrorCode};
use rts_proto::limits::BANS_PER_APP_MAX;
use rts_proto::server::{
    Ban, Config, Credentials, Entry, HomeTable, Input, NodeNumber, Request, Server, ShardId,
    Shards as _, Verdict,
};
use rts_proto::wire::{Frame, Login, ResumeKey};
use rts_proto::{AppId, Instant, LinkId, RoomId, UserId};
use rts_transport_tokio::server::{Acceptor, Authenticate, Node, SendToNodes};
use tokio::net::TcpListener;

use super::{carry_out, run};
use crate::app_server::AppServers;
use crate::openapi::given::Given;
use crate::state::State;

const MINUTE: Duration = Duration::from_secs(60);

struct AcceptAll;

impl Authenticate for AcceptAll {
    fn authenticate(&self, _: &Credentials) -> Verdict {
        Verdict::Accept { claim: 1, issued_at: 0 }
    }
}

fn app_id() -> AppId {
    AppId::new("123456781234567812345678").expect("valid")
}

fn uid(name: &str) -> UserId {
    UserId::new(name).expect("valid")
}

fn lobby() -> RoomId {
    RoomId::new("lobby").expect("valid")
}

/// A shard with alice in the lobby, in an app with all the bans that it may have but this number.
fn node(bans_left: usize) -> Node {
    let node = Node::new(Server::new(Config::default(), 1), Arc::new(AcceptAll));
    let link = LinkId(1);
    let login = Login {
        app_id: app_id(),
        uid: uid("alice"),
        token: Bytes::from_static(b"token"),
        resume: None,
        claim: 0,
        engine: 0,
        attempt: 0,
    };
    node.commands().shard(ShardId::FIRST, |server, now| {
        server.handle_input(now, Input::Accepted(link, ResumeKey([1; 16])));
        for frame in [Frame::Hello { version: 1, features: 0 }, Frame::Login(login)] {
            server.handle_input(now, Input::Received(link, frame.encode()));
        }
    });
    let join = Frame::Join { room: lobby(), ticket: 1, business_id: None };
    node.commands().shard(ShardId::FIRST, |server, now| {
        server.handle_input(now, Input::Received(link, join.encode()));
        for number in bans_left..BANS_PER_APP_MAX {
            let ban = Ban::Login(uid(&number.to_string()));
            server.ban(now, &app_id(), &ban, Duration::MAX).expect("room for it");
        }
    });
    assert_eq!(members(&node), 1);
    node
}

fn members(node: &Node) -> usize {
    node.commands().room_members(&app_id(), &lobby()).map_or(0, |all| all.len())
}

fn is_banned(node: &Node, ban: &Ban) -> bool {
    node.commands().shard(ShardId::FIRST, |server, now| server.unban(now, &app_id(), ban))
}

#[test]
fn removal_with_a_ban_has_both_effects_or_none() {
    let dismiss = |interval| Command::Dismiss { room: lobby(), interval };
    let kick = |interval| Command::Kick { room: lobby(), uid: uid("alice"), interval };
    let of_user = Ban::UserInRoom(lobby(), uid("alice"));
    for (command, ban, bans_left, is_done) in [
        (dismiss(MINUTE), Some(Ban::Room(lobby())), 1, true),
        (dismiss(MINUTE), Some(Ban::Room(lobby())), 0, false),
        (dismiss(Duration::ZERO), None, 0, true),
        (kick(MINUTE), Some(of_user.clone()), 1, true),
        (kick(MINUTE), Some(of_user), 0, false),
        (kick(Duration::ZERO), None, 0, true),
    ] {
        let (node, state) = (node(bans_left), State::default());
        let call = Call { app_id: app_id(), command: command.clone() };
        match carry_out(&node, &state, &call) {
            Ok(Given::Removed(removed)) => assert!(is_done && removed.members == 1, "{command:?}"),
            Ok(_) => panic!("{command:?}"),
            Err(error) => {
                assert!(!is_done, "{command:?}");
                assert_eq!(error.code, ErrorCode::UserCountOverLimit);
            }
        }
        assert_eq!(members(&node), usize::from(!is_done), "{command:?}");
        if let Some(ban) = ban {
            assert_eq!(is_banned(&node, &ban), is_done, "{command:?}");
            // The state holds it if the core does.
            assert_eq!(state.ban(&app_id(), &ban, Duration::ZERO), is_done, "{command:?}");
        }
    }
}

/// The entries that a node sends to others.
#[derive(Default)]
struct Sent(Mutex<Vec<Entry>>);

impl SendToNodes for Sent {
    fn send(&self, _: ShardId, _: ShardId, entries: Vec<Entry>, _: Instant) {
        self.0.lock().expect("no panic").extend(entries);
    }

    fn all_serve(&self, _: u64) {}
}

/// A frozen node of a cluster with this number of nodes.
async fn node_of_cluster(nodes: usize) -> (Node, Arc<Sent>) {
    let sent = Arc::new(Sent::default());
    let mut config = Config::default();
    let nodes = (0..nodes).map(|number| (NodeNumber::new(number).expect("few nodes"), 1));
    config.homes = HomeTable::new(1, nodes, |_| NodeNumber::ALONE);
    let without_app_servers = crate::Config::development(([127, 0, 0, 1], 0).into());
    let poster = Arc::new(AppServers::new(&without_app_servers).expect("a client"));
    let servers = vec![Server::new(config, 1)];
    let node = Node::in_cluster(servers, Arc::new(AcceptAll), poster, sent.clone());
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let serving = node.clone();
    tokio::spawn(async move { serving.serve(listener, Acceptor::plain()).await });
    (node, sent)
}

fn thaw(node: &Node) {
    node.set_lease(Some(std::time::Instant::now() + Duration::from_secs(1_000)));
}

#[tokio::test]
async fn frozen_node_carries_out_nothing() {
    let (node, _) = node_of_cluster(1).await;
    let ban = Ban::Login(uid("alice"));
    let state = Arc::new(State::default());
    let call = || {
        let command = Command::Ban { ban: ban.clone(), interval: Duration::MAX };
        run(&node, &state, Call { app_id: app_id(), command })
    };
    let refused = call().await.map(drop).expect_err("it is frozen");
    assert_eq!(refused.code, ErrorCode::Unavailable);
    thaw(&node);
    assert!(!is_banned(&node, &ban), "nothing was done");
    call().await.map(drop).expect("it acts");
    assert!(is_banned(&node, &ban));
    assert!(state.ban(&app_id(), &ban, Duration::ZERO), "the state has it");
}

/// The other node never answers. It may have the ban, and this one has it.
#[tokio::test]
async fn command_without_an_answer_of_another_node_has_an_unknown_result() {
    let (node, _) = node_of_cluster(2).await;
    thaw(&node);
    let (state, ban) = (Arc::new(State::default()), Ban::Login(uid("alice")));
    let command = Command::Ban { ban: ban.clone(), interval: Duration::MAX };
    // Time passes when nothing else is left to do.
    tokio::time::pause();
    let answer = run(&node, &state, Call { app_id: app_id(), command }).await;
    let unknown = answer.map(drop).expect_err("nobody answers");
    assert_eq!(unknown.code, ErrorCode::ResultUnknown, "{unknown}");
    assert!(state.ban(&app_id(), &ban, Duration::ZERO), "the state has it");
}

/// A revocation of all users holds for alice when her own one is withdrawn. The others are told of
/// the withdrawal, and not of the moment that holds.
#[tokio::test]
async fn other_nodes_get_the_moment_that_was_asked_for() {
    let (node, sent) = node_of_cluster(2).await;
    thaw(&node);
    let state = Arc::new(State::default());
    state.revoke(&app_id(), None, 500).expect("few users");
    state.revoke(&app_id(), Some(&uid("alice")), 900).expect("few users");
    let command = Command::Revoke { uid: Some(uid("alice")), issued_before: Some(0) };
    let call = Call { app_id: app_id(), command };
    let asked = {
        let (node, state) = (node.clone(), Arc::clone(&state));
        tokio::spawn(async move { run(&node, &state, call).await.map(drop) })
    };
    let revocation = loop {
        let entries = std::mem::take(&mut *sent.0.lock().expect("no panic"));
        let request = entries.into_iter().find_map(|entry| match entry {
            Entry::Request(on_way) => Some(on_way.request),
            _ => None,
        });
        match request {
            Some(request) => break request,
            None => tokio::task::yield_now().await,
        }
    };
    asked.abort();
    assert_eq!(revocation, Request::Revoke { uid: Some(uid("alice")), issued_before: 0 });
    assert_eq!(state.revoked_before(&app_id(), &uid("alice")), 500);
}
