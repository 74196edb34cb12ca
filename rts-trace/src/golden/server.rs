//! The story of a server: every command and every input once, with the frames of engines.

use std::time::Duration;

use rts_proto::server::{Ban, Config, Input, Output, PostProgress, Server, Verdict};
use rts_proto::wire::{Frame, Login, ResumeKey, SetServerParams};
use rts_proto::{
    AppId, Instant, LinkId, LoginCode, LoginId, MessageConfig, MessageId, Payload, Reply, RoomId,
    TargetId, UserId,
};

use crate::Recorder;

const ALICE: LinkId = LinkId(1);
const BOB: LinkId = LinkId(2);
const MALLORY: LinkId = LinkId(3);
const SECOND: Duration = Duration::from_secs(1);

struct Shard {
    core: Server,
    now: Instant,
    /// The last login that the core asked about.
    login: LoginId,
    target: TargetId,
    call: rts_proto::CallId,
}

impl Shard {
    fn input(&mut self, input: Input) {
        self.core.handle_input(self.now, input);
        self.drain();
    }

    fn drain(&mut self) {
        loop {
            match self.core.poll_output() {
                Output::Authenticate(login, _) => self.login = login,
                Output::CheckTarget(target, _) => self.target = target,
                Output::PostToAppServer(call, _) => self.call = call,
                Output::Wait(_) => return,
                Output::Transmit(..)
                | Output::Disconnect(..)
                | Output::HandOver(..)
                | Output::Peer(..)
                | Output::AbandonPost(_)
                | Output::Respond(..)
                | Output::Report(..)
                | Output::Notice(_) => {}
            }
        }
    }

    /// A burst of one link, and the tick that ends it.
    fn receive(&mut self, link: LinkId, frames: impl IntoIterator<Item = Frame>) {
        let bytes: Vec<u8> = frames.into_iter().flat_map(Frame::encode).collect();
        self.input(Input::Received(link, bytes.into()));
        self.wait(1);
    }

    fn wait(&mut self, millis: u64) {
        self.now = Instant::from_micros(self.now.as_micros() + 1_000 * millis);
        self.input(Input::Tick);
    }

    fn log_in(&mut self, link: LinkId, uid: &str, verdict: Verdict) {
        self.input(Input::Accepted(link, ResumeKey([link.0 as u8; 16])));
        let login = Login {
            app_id: app(),
            uid: user(uid),
            token: format!("token of {uid}").into(),
            resume: None,
            claim: 0,
            engine: link.0,
            attempt: 1,
        };
        self.receive(link, [Frame::Hello { version: 1, features: 0 }, Frame::Login(login)]);
        self.input(Input::Verdict(self.login, verdict));
        self.wait(1);
    }

    fn post(&mut self, id: u64, progress: impl IntoIterator<Item = PostProgress>) {
        let payload = Payload::text("to the app server");
        self.receive(ALICE, [Frame::ServerSend { id: MessageId(id), payload }]);
        for progress in progress {
            self.input(Input::AppServerReplied(self.call, progress));
        }
        self.wait(1);
    }
}

fn app() -> AppId {
    AppId::new("123456781234567812345678").expect("well formed")
}

fn user(uid: &str) -> UserId {
    UserId::new(uid).expect("well formed")
}

fn lobby() -> RoomId {
    RoomId::new("lobby").expect("well formed")
}

fn accepted(claim: u64) -> Verdict {
    Verdict::Accept { claim, issued_at: 1_790_000_000 }
}

pub(super) fn record(recorder: Recorder) {
    let mut config = Config::default();
    config.reserved_uids = [user("shop")].into();
    config.reported_apps = [app()].into();
    let mut shard = Shard {
        core: Server::observed(config, 7, Box::new(recorder)),
        now: Instant::from_millis(5),
        login: LoginId(0),
        target: TargetId(0),
        call: rts_proto::CallId(0),
    };
    shard.log_in(ALICE, "alice", accepted(1_700_000_000_000_000));
    shard.log_in(BOB, "bob", accepted(1_700_000_000_000_001));
    shard.log_in(MALLORY, "mallory", Verdict::Refuse(LoginCode::InvalidToken));
    messages_of_engines(&mut shard);
    messages_to_the_app_server(&mut shard);
    messages_of_the_back_end(&mut shard);
    bans(&mut shard);
    the_end(&mut shard);
}

fn messages_of_engines(shard: &mut Shard) {
    for link in [ALICE, BOB] {
        shard.receive(link, [Frame::Join { room: lobby(), ticket: 1, business_id: None }]);
    }
    let send = |id, to: &'static str, payload, config| Frame::Send {
        id: MessageId(id),
        to: to.as_bytes().into(),
        payload,
        config,
    };
    let broadcast =
        Frame::Broadcast { id: MessageId(1), room: lobby(), payload: Payload::text("hi all") };
    shard.input(Input::Congested(BOB, true));
    shard.receive(
        ALICE,
        [
            send(1, "bob", Payload::text("hi"), MessageConfig::ReliableOrdered),
            send(2, "nobody", Payload::binary(vec![7; 5]), MessageConfig::UnreliableUnordered),
            broadcast,
            Frame::StatusQuery { query: 1, uid: b"bob".as_slice().into() },
        ],
    );
    shard.input(Input::Congested(BOB, false));
    shard.receive(BOB, [Frame::Ack { received: 3 }]);
}

fn messages_to_the_app_server(shard: &mut Shard) {
    let params = SetServerParams {
        ticket: 1,
        signature: b"signature".as_slice().into(),
        url: b"https://app.example/rts".as_slice().into(),
    };
    shard.receive(ALICE, [Frame::SetServerParams(params)]);
    shard.input(Input::TargetChecked(shard.target, true));
    let reply = Reply::new(b"thanks".as_slice());
    shard.post(3, [PostProgress::Begun, PostProgress::Answered(reply)]);
    shard.post(4, [PostProgress::Begun, PostProgress::AnsweredBadly]);
    shard.post(5, [PostProgress::NotReached]);
}

fn messages_of_the_back_end(shard: &mut Shard) {
    let (now, app, room) = (shard.now, app(), lobby());
    let core = &mut shard.core;
    core.unicast(now, &app, user("shop"), &user("bob"), Payload::text("offer")).expect("accepted");
    let to_all = Payload::binary(vec![0xFF; 3]);
    core.broadcast_to_room(now, &app, &room, user("shop"), to_all).expect("accepted");
    let to_some = [user("alice"), user("bob")];
    core.unicast_in_room(now, &app, &room, user("shop"), &to_some, Payload::text("you two"))
        .expect("accepted");
    shard.wait(1);
}

fn bans(shard: &mut Shard) {
    let (now, app, room) = (shard.now, app(), lobby());
    let core = &mut shard.core;
    assert!(core.kick(now, &app, &room, &user("bob")));
    let bans = [
        Ban::UserInRoom(room.clone(), user("bob")),
        Ban::User(user("carol")),
        Ban::Room(RoomId::new("attic").expect("well formed")),
        Ban::Login(user("mallory")),
    ];
    for ban in &bans {
        core.ban(now, &app, ban, 10 * SECOND).expect("accepted");
    }
    shard.wait(1);
    for ban in &bans {
        assert!(shard.core.unban(shard.now, &app, ban));
    }
    assert_eq!(shard.core.dismiss(shard.now, &app, &room), 1);
    shard.wait(1);
}

fn the_end(shard: &mut Shard) {
    let app = app();
    assert_eq!(shard.core.drain(shard.now, 0, SECOND), 0);
    shard.core.reopen(shard.now);
    assert!(shard.core.put_out(shard.now, &app, &user("bob")));
    shard.wait(1);
    shard.core.revoke(shard.now, &app, None, 1_790_000_001);
    shard.wait(1);
    shard.input(Input::Disconnected(ALICE));
    shard.core.shutdown(shard.now, SECOND);
    shard.wait(1);
}
