//! The story of a shard in a cluster of two nodes. The session of bob moves to the other node, and
//! the session of carol moves here. Every entry about sessions that move occurs.

use rts_proto::server::{
    AskedResume, Candidate, Denial, Entry, Input, LeftBehind, MovedFrames, MovedParams, MovedPost,
    MovedSession, Opened, Ownership, ResumeAsked, SessionContent, SessionPart, Tenure,
};
use rts_proto::wire::{Frame, Login, Resume, ResumeKey};
use rts_proto::{LinkId, LoginId, MessageId, Payload, RoomId, ServerParams, UserId};

use super::owners::{candidate, home_of_room, shard_of_two, user_of};
use super::shard::{Shard, app, delivery, session, user};
use crate::Recorder;

/// The grant of each user.
const TENURE: Tenure = Tenure(9);

pub(super) fn record(recorder: Recorder) {
    let mut shard = shard_of_two(recorder);
    leaves(&mut shard, &user_of(0, "bob"));
    arrives(&mut shard, &user_of(0, "carol"));
}

/// A room whose home is in this node, or in the other one.
fn room_of(number: usize) -> RoomId {
    let mut names = (0..).map(|count| RoomId::new(&format!("room{count}")).expect("well formed"));
    names.find(|room| home_of_room(room) == number).expect("hashes reach both nodes")
}

fn ownership(entry: Ownership) -> [Entry; 1] {
    [Entry::Ownership(entry)]
}

/// A login of the other node that resumes a session with this key.
fn resuming(key: ResumeKey, received: u64) -> Candidate {
    let resume = AskedResume { key, received, next: session(77) };
    Candidate { resume: Some(Box::new(resume)), ..candidate(0) }
}

/// Bob is in a room of the other node, and comes back there.
fn leaves(shard: &mut Shard, bob: &UserId) {
    let link = LinkId(5);
    shard.take_over(link, bob);
    let (uid, left) = (bob.clone(), LeftBehind::default());
    shard.hear(ownership(Ownership::Grant { uid, tenure: TENURE, left }));
    // The first session of this shard: the number of its node is above that of its slot.
    let number = session((1 << 6) << 26 | 1);
    let room = room_of(0);
    let join = Frame::Join { room: room.clone(), ticket: 1, business_id: None };
    shard.input(Input::Received(link, join.encode()));
    shard.wait(1);
    let frame = delivery(&user("dave"), "unread");
    shard.hear([Entry::Push { session: number, frame }]);
    for key in [ResumeKey([9; 16]), ResumeKey([5; 16])] {
        let (uid, candidate) = (bob.clone(), resuming(key, 0));
        shard.hear([Entry::Resume(Box::new(ResumeAsked { uid, session: number, candidate }))]);
    }
    let Candidate { asked: login, resume, .. } = resuming(ResumeKey([5; 16]), 0);
    let uid = bob.clone();
    shard.hear(ownership(Ownership::Revoke { uid, tenure: TENURE, login, resume }));
    shard.hear([Entry::Fenced(1)]);
    shard.hear([Entry::Switched { room, session: number }, Entry::Taken(number)]);
}

/// A login of this shard for a session of the other node.
fn resume(shard: &mut Shard, link: LinkId, carol: &UserId) {
    let resume = Resume { session: 3, key: ResumeKey([8; 16]), received: 4 };
    let login = Frame::Login(Login {
        app_id: app(),
        uid: carol.clone(),
        token: "token of carol".into(),
        resume: Some(resume),
        claim: 1_700_000_000_000_000,
        engine: 8,
        attempt: link.0,
    });
    let login_deadline = shard.now + std::time::Duration::from_secs(10);
    let key = ResumeKey([link.0 as u8; 16]);
    let opened = Opened { key, login_deadline, bytes: login.encode() };
    shard.input(Input::HandedOver(link, Box::new(opened)));
    shard.wait(1);
}

fn params(text: &str) -> ServerParams {
    let url = format!("https://example.com/{text}");
    ServerParams::new(b"secret", url.as_bytes()).expect("well formed")
}

/// Carol has a session in the other node, and comes back here.
fn arrives(shard: &mut Shard, carol: &UserId) {
    let deny = |login, denial| ownership(Ownership::Deny { uid: carol.clone(), login, denial });
    // Logins and questions about credentials have numbers of one kind.
    resume(shard, LinkId(6), carol);
    shard.hear(deny(LoginId(3), Denial::PutOut));
    resume(shard, LinkId(7), carol);
    shard.hear(deny(LoginId(4), Denial::NotResumed));
    resume(shard, LinkId(8), carol);
    // Numbers of slots are used again, and those of sessions are not.
    let next = session(3 << 38 | (1 << 6) << 26 | 1);
    let (here, there) = (room_of(1), room_of(0));
    let uid = || carol.clone();
    let room = here.clone();
    let part = |content| Entry::SessionMoved(Box::new(SessionPart { next, content }));
    let frames = MovedFrames {
        bytes: delivery(&user("dave"), "unread"),
        frames: 1,
        origin: Some((session(2), MessageId(1))),
    };
    let post = |id, params| {
        let payload = Payload::text("for the app server");
        let id = MessageId(id);
        part(SessionContent::Post(Box::new(MovedPost { id, params, payload })))
    };
    shard.hear([
        part(SessionContent::Rooms(vec![here.clone(), there.clone()])),
        Entry::Fence(1),
        Entry::Switch { room, session: session(3), uid: uid(), next },
    ]);
    shard.hear([
        part(SessionContent::Frames(vec![frames])),
        post(5, MovedParams::Known(params("first"))),
        post(6, MovedParams::Asked(2)),
        part(SessionContent::Session(Box::new(moved(carol, there)))),
    ]);
    let left = LeftBehind::default();
    shard.hear(ownership(Ownership::Grant { uid: uid(), tenure: Tenure(10), left }));
    shard.hear([part(SessionContent::Revoked)]);
}

fn moved(carol: &UserId, waits: RoomId) -> MovedSession {
    MovedSession {
        uid: carol.clone(),
        session: session(3),
        tenure: TENURE,
        key: ResumeKey([8; 16]),
        issued_at: 1_790_000_000,
        claim: 1_700_000_000_000_000,
        received: 9,
        acked: 4,
        frames_resent: 1,
        rooms: vec![room_of(1), waits.clone()],
        welcomes: vec![(waits, 7, 100)],
        left: LeftBehind::default(),
        params: Some(params("first")),
        undecided: vec![(2, params("second"))],
    }
}
