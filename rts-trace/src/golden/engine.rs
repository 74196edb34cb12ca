//! The story of an engine: every call and every input once, with the frames of a server. All
//! requests of an engine share one counter, so the tickets here have gaps.

use rts_proto::client::{Client, Config, Input, Output};
use rts_proto::wire::{Accepted, Frame, LoginAnswer, ResumeKey};
use rts_proto::{
    AppId, BroadcastCode, Instant, LeaveReason, LinkId, MessageConfig, MessageId, OnlineStatus,
    Payload, Reply, RoomId, RoomKey, RoomState, SendCode, ServerParamsCode, UserId,
};

use crate::Recorder;

struct Alice {
    core: Client,
    now: Instant,
    /// The last link that she asked for.
    link: LinkId,
}

impl Alice {
    fn input(&mut self, input: Input) {
        self.core.handle_input(self.now, input);
        self.drain();
    }

    fn drain(&mut self) {
        loop {
            match self.core.poll_output() {
                Output::Connect(link) => self.link = link,
                Output::Wait(_) => return,
                Output::Transmit(..) | Output::Disconnect(_) | Output::Event(_) => {}
            }
        }
    }

    fn receive(&mut self, frames: impl IntoIterator<Item = Frame>) {
        let bytes: Vec<u8> = frames.into_iter().flat_map(Frame::encode).collect();
        self.input(Input::Received(self.link, bytes.into()));
    }

    fn wait(&mut self, millis: u64) {
        self.now = Instant::from_micros(self.now.as_micros() + 1_000 * millis);
        self.input(Input::Tick);
    }
}

fn user(uid: &str) -> UserId {
    UserId::new(uid).expect("well formed")
}

fn lobby() -> RoomId {
    RoomId::new("lobby").expect("well formed")
}

fn welcome(resumed: bool, received: u64) -> [Frame; 2] {
    let accepted = Accepted {
        session: 5,
        key: ResumeKey([if resumed { 2 } else { 1 }; 16]),
        resumed,
        received,
        claim: 1_700_000_000_000_000,
        sends_per_second: 100,
        broadcasts_per_second: 65,
        server_sends_per_second: 20,
    };
    let hello = Frame::Hello { version: 1, features: 0 };
    [hello, Frame::LoginAnswer(LoginAnswer::Accepted(accepted))]
}

pub(super) fn record(recorder: Recorder) {
    let app_id = AppId::new("123456781234567812345678").expect("well formed");
    let config = Config::new(app_id);
    let core = Client::observed(config, 1, Box::new(recorder));
    let mut alice = Alice { core, now: Instant::from_millis(5), link: LinkId(0) };
    log_in(&mut alice);
    messages_to_users(&mut alice);
    let room = messages_to_a_room(&mut alice);
    messages_to_the_app_server(&mut alice);
    another_link(&mut alice);
    goodbye(&mut alice, room);
}

fn log_in(alice: &mut Alice) {
    let now = alice.now;
    let json = r#"{"sendTimeoutMs": 3000}"#;
    alice.core.set_runtime_parameters(now, json).expect("good parameters");
    alice.core.set_business_id(now, "tag").expect("a good id");
    alice.core.login(now, "token of alice", "alice").expect("accepted");
    alice.drain();
    alice.input(Input::Connected(alice.link));
    alice.wait(20);
    alice.receive(welcome(false, 0));
}

fn messages_to_users(alice: &mut Alice) {
    let now = alice.now;
    for (to, payload, config) in [
        ("bob", Payload::text("hi"), MessageConfig::ReliableOrdered),
        ("nobody", Payload::binary(vec![7; 5]), MessageConfig::UnreliableOrdered),
    ] {
        alice.core.send_message(now, to, payload, config).expect("accepted");
    }
    alice.core.get_peer_online_status(now, "bob");
    alice.drain();
    alice.wait(30);
    alice.receive([
        Frame::Ack { received: 2 },
        Frame::SendResults { code: SendCode::Ok, ids: vec![MessageId(1)] },
        Frame::SendResults { code: SendCode::ReceiverNotLoggedIn, ids: vec![MessageId(2)] },
        Frame::StatusAnswer { query: 1, status: OnlineStatus::Online },
        Frame::Delivery {
            from: user("bob"),
            payload: Payload::text("hi alice"),
            config: MessageConfig::ReliableOrdered,
        },
    ]);
}

fn messages_to_a_room(alice: &mut Alice) -> RoomKey {
    let room = alice.core.create_room(alice.now, "lobby").expect("a good id");
    alice.core.join_room(alice.now, room).expect("accepted");
    alice.drain();
    alice.wait(30);
    let joined =
        Frame::JoinAnswer { ticket: 2, state: RoomState::Joined, members: vec![user("bob")] };
    alice.receive([Frame::Ack { received: 3 }, joined]);
    let payload = Payload::text("hi all");
    alice.core.send_room_message(alice.now, room, payload).expect("accepted");
    alice.drain();
    alice.wait(30);
    alice.receive([
        Frame::Ack { received: 4 },
        Frame::BroadcastResults { room: lobby(), code: BroadcastCode::Ok, ids: vec![MessageId(3)] },
        Frame::MemberJoined { room: lobby(), uid: user("carol") },
        Frame::RoomDelivery {
            from: user("carol"),
            room: lobby(),
            payload: Payload::binary(vec![0xFF; 3]),
        },
        Frame::RoomUnicast { from: user("shop"), room: lobby(), payload: Payload::text("offer") },
        Frame::MemberLeft { room: lobby(), uid: user("carol"), reason: LeaveReason::Left },
    ]);
    room
}

fn messages_to_the_app_server(alice: &mut Alice) {
    alice.core.set_server_params(alice.now, "signature", "https://app.example/rts");
    alice.drain();
    alice.wait(30);
    let in_force = Frame::ServerParamsAnswer { ticket: 4, code: ServerParamsCode::Ok };
    alice.receive([Frame::Ack { received: 5 }, in_force]);
    let payload = Payload::binary(vec![9; 4]);
    let id = alice.core.send_server_message(alice.now, payload).expect("accepted");
    alice.drain();
    alice.wait(30);
    let reply = Reply::new(b"thanks".as_slice());
    let result = Frame::ServerSendResult { id, code: SendCode::Ok, reply };
    alice.receive([Frame::Ack { received: 6 }, result]);
}

/// The link is lost while a message is in progress. The session is resumed over another link.
fn another_link(alice: &mut Alice) {
    alice.core.update_login_token(alice.now, "new token of alice");
    let payload = Payload::text("again");
    let config = MessageConfig::ReliableOrdered;
    let id = alice.core.send_message(alice.now, "bob", payload, config).expect("accepted");
    alice.drain();
    alice.input(Input::NetworkChanged);
    alice.input(Input::Disconnected(alice.link));
    alice.wait(2_000);
    alice.input(Input::Connected(alice.link));
    alice.receive(welcome(true, 6));
    alice.wait(30);
    let result = Frame::SendResults { code: SendCode::Ok, ids: vec![id] };
    alice.receive([Frame::Ack { received: 7 }, result]);
}

fn goodbye(alice: &mut Alice, room: RoomKey) {
    alice.core.leave_room(alice.now, room);
    alice.drain();
    alice.wait(30);
    alice.receive([Frame::Ack { received: 8 }, Frame::LeaveAnswer { ticket: 5 }]);
    alice.core.destroy_room(alice.now, room);
    alice.core.logout(alice.now);
    alice.drain();
    alice.wait(30);
    alice.core.destroy(alice.now);
    alice.drain();
}
