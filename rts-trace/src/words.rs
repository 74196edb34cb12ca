//! Frames and entries in words.

use bytes::Bytes;
use rts_proto::limits::FRAME_BYTES_MAX;
use rts_proto::server::{
    Deliveries, Delivery, Entered, Entry, HomesStep, JoinPermit, LeftBehind, MemberEnd, Moved,
    MovedMember, Names, Outcome, Ownership, PassedOn, RequestOnWay, Response, SessionContent,
    SessionNumber, SessionPart,
};
use rts_proto::wire::{Decoder, Frame, LoginAnswer};
use rts_proto::{RoomId, UserId};

/// A frame, without its payload.
pub(crate) fn frame_in_words(frame: &Frame) -> String {
    let text = String::from_utf8_lossy;
    match frame {
        Frame::Login(login) => match &login.resume {
            Some(resume) => format!(
                "Login as {}, to resume session {} with {} frames received",
                login.uid, resume.session, resume.received
            ),
            None => format!("Login as {}", login.uid),
        },
        Frame::LoginAnswer(LoginAnswer::Accepted(accepted)) => {
            let how = if accepted.resumed { "resumed" } else { "new" };
            format!(
                "LoginAnswer: session {}, {how}, {} frames received",
                accepted.session, accepted.received
            )
        }
        Frame::LoginAnswer(LoginAnswer::Refused(code)) => format!("LoginAnswer: {}", code.code()),
        Frame::Ack { received } => format!("Ack of {received}"),
        Frame::Send { id, to, payload, config } => {
            format!("Send {id} to {}, {payload:?}, {config:?}", text(to))
        }
        Frame::Delivery { from, payload, config } => {
            format!("Delivery from {from}, {payload:?}, {config:?}")
        }
        Frame::SendResults { code, ids } => {
            let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
            format!("SendResults: {} for {}", code.code(), ids.join(" "))
        }
        Frame::Close { code, reason, .. } => format!("Close with {code}: {}", text(reason)),
        other => format!("{other:?}"),
    }
}

fn delivery_in_words(Delivery { session, id, config, to, frame }: Delivery<'_>) -> String {
    let frames = frames_in_words(&Bytes::copy_from_slice(frame));
    format!("message {id} of {} to {to}, {config:?}: {frames}", named(&session))
}

/// The lines for an entry, without the payloads of its frames: one for each message to a user.
pub(crate) fn entry_in_words(entry: &Entry) -> Vec<String> {
    vec![match entry {
        Entry::Deliver(messages) => return messages_in_words(messages),
        Entry::PassedOn(passed_on) => return passed_on_in_words(passed_on),
        Entry::Moved(moved) => return moved_in_words(moved),
        Entry::HomesReached { epoch, step } => step_in_words(*epoch, *step),
        Entry::Ownership(entry) => ownership_in_words(entry),
        Entry::InApp(app_id) => format!("what follows is about app {app_id}"),
        Entry::QueryStatus { session, query, uid } => query_in_words(session, *query, uid),
        Entry::Orphan { room, uid, waits } => orphan_in_words(room, uid, *waits),
        Entry::Join { room, session, uid, ticket, business_id: _, permit } => {
            let permit = match permit {
                JoinPermit::Charged => "which its rate allows".to_owned(),
                JoinPermit::Refused(refusal) => format!("only to return: {refusal:?}"),
            };
            format!(
                "{} of {uid} asks to join room {room}, {permit}, ticket {ticket}",
                named(session)
            )
        }
        Entry::Leave { room, session, uid, ticket } => {
            format!("{} of {uid} asks to leave room {room}, ticket {ticket}", named(session))
        }
        Entry::Gone { room, session, uid, end } => {
            let end = match end {
                MemberEnd::Ends(reason) => format!("leaves: {reason:?}"),
                MemberEnd::WaitsUntil(until) => format!("waits for another one until {until}"),
            };
            format!("{} ended, and {uid} in room {room} {end}", named(session))
        }
        Entry::PutOut { room, uid } => {
            format!("{uid} was put out, and does not return to room {room}")
        }
        Entry::Broadcast { room, session, uid, id, frame } => format!(
            "broadcast {id} of {} of {uid} to room {room}: {}",
            named(session),
            frames_in_words(frame)
        ),
        Entry::Request(on_way) => request_in_words(on_way),
        Entry::Response(part) => {
            let (id, is_last) = (part.id.0, part.is_last);
            let rest = if is_last { "" } else { ", more follows" };
            format!("response to request {id}: {}{rest}", response_in_words(&part.response))
        }
        Entry::AskNames { room, session, uid, ticket } => format!(
            "{} of {uid} asks for the members of room {room}, ticket {ticket}",
            named(session)
        ),
        Entry::Outcomes(outcomes) => {
            let outcomes: Vec<String> = outcomes.iter().map(outcome_in_words).collect();
            format!("results: {}", outcomes.join(", "))
        }
        Entry::NotDelivered { session, id, to, config, code } => format!(
            "message {id} of {} to {to}, {config:?}, has result {}",
            named(session),
            code.code()
        ),
        Entry::NotBroadcast { session, room, id, code } => format!(
            "broadcast {id} of {} to room {room} has result {}",
            named(session),
            code.code()
        ),
        Entry::Push { session, frame } => {
            format!("for {}: {}", named(session), frames_in_words(frame))
        }
        Entry::PushToEach { sessions, frames } => {
            let sessions: Vec<String> = sessions.iter().map(named).collect();
            let frames: Vec<String> = frames.iter().map(pushed_in_words).collect();
            format!("for {}: {}", sessions.join(", "), frames.join("; "))
        }
        Entry::Joined { room, session, ticket, entered, names, is_charged: _ } => {
            let entered = match entered {
                Entered::New => "is now in",
                Entered::Back => "is back in",
                Entered::Already => "was already in",
            };
            let names = names_in_words(names);
            format!("{} {entered} room {room}, ticket {ticket}, {names}", named(session))
        }
        Entry::JoinRefused { room, session, ticket, state, refusal, is_charged: _ } => format!(
            "{} may not join room {room}, ticket {ticket}: {state:?}, {refusal:?}",
            named(session)
        ),
        Entry::Names { room, session, ticket, names } => {
            let names = names_in_words(names);
            format!("for {}, ticket {ticket}: room {room}, {names}", named(session))
        }
        Entry::Resume(asked) => {
            let (login, uid) = (asked.candidate.login, &asked.uid);
            format!("login {login} of {uid} resumes {}", named(&asked.session))
        }
        Entry::SessionMoved(part) => part_in_words(part),
        Entry::Taken(session) => format!("{} has moved", named(session)),
        Entry::Fence(fence) => format!("fence {fence}"),
        Entry::Fenced(fence) => format!("everything before fence {fence} has arrived"),
        Entry::Switch { room, session, uid, next } => {
            let next = next.number();
            format!("{} of {uid} in room {room} becomes {next}", named(session))
        }
        Entry::Switched { room, session } => {
            format!("room {room} sends nothing more for {}", named(session))
        }
        Entry::Left { room, session, ticket } => {
            format!("{} left room {room}, ticket {ticket}", named(session))
        }
        Entry::Removed { room, session, notice } => {
            let notice = notice.as_ref().map_or("no notice".to_owned(), frames_in_words);
            format!("{} was removed from room {room}: {notice}", named(session))
        }
    }]
}

fn part_in_words(part: &SessionPart) -> String {
    let next = named(&part.next);
    match &part.content {
        SessionContent::Rooms(rooms) => format!("{next} comes, with {} rooms", rooms.len()),
        SessionContent::Frames(frames) => {
            let count: u32 = frames.iter().map(|frames| frames.frames).sum();
            format!("{count} frames of {next}")
        }
        SessionContent::Post(post) => {
            format!("message {} for the app server of {next}", post.id)
        }
        SessionContent::Session(session) => {
            let (former, uid) = (session.session.number(), &session.uid);
            format!("{next} of {uid}, which was {former}, grant {}", session.tenure.0)
        }
        SessionContent::Revoked => format!("the credentials of {next} were revoked"),
    }
}

fn messages_in_words(messages: &Deliveries) -> Vec<String> {
    messages.iter().map(delivery_in_words).collect()
}

fn passed_on_in_words(passed_on: &PassedOn) -> Vec<String> {
    vec![match passed_on {
        PassedOn::Deliver(messages) => return messages_in_words(messages),
        PassedOn::QueryStatus { session, query, uid } => query_in_words(session, *query, uid),
        PassedOn::Orphan { room, uid, waits } => orphan_in_words(room, uid, *waits),
        PassedOn::Request(on_way) => request_in_words(on_way),
    }]
}

fn query_in_words(session: &SessionNumber, query: u64, uid: &UserId) -> String {
    format!("{} asks for the status of {uid}, question {query}", named(session))
}

fn orphan_in_words(room: &RoomId, uid: &UserId, waits: bool) -> String {
    let waits = if waits { "waits" } else { "no longer waits" };
    format!("the membership of {uid} in room {room} {waits} for a session")
}

fn step_in_words(epoch: u64, step: HomesStep) -> String {
    match step {
        HomesStep::Switched => format!("what follows is addressed by the homes of epoch {epoch}"),
        HomesStep::HandedOver => {
            format!("everything that moves to the homes of epoch {epoch} was sent")
        }
        HomesStep::Settled => {
            format!("everything that moves to the homes of epoch {epoch} has arrived")
        }
    }
}

fn moved_in_words(moved: &Moved) -> Vec<String> {
    vec![match moved {
        Moved::User { uid, owner, left } => {
            let owner = owner.as_ref().map_or("nobody owns it".to_owned(), |owner| {
                format!(
                    "shard {} of node {} owns it, grant {}, logins that ask for it: {}",
                    owner.shard.number(),
                    owner.shard.node().number(),
                    owner.tenure.0,
                    owner.candidates.len()
                )
            });
            format!("user {uid} moves: {owner}, {}", left_in_words(left))
        }
        Moved::Held(passed_on) => {
            let held = passed_on_in_words(passed_on).into_iter();
            return held.map(|words| format!("held until now: {words}")).collect();
        }
        Moved::Members { room, used, members } => {
            let is_waiting =
                |(_, member): &&(UserId, MovedMember)| matches!(member, MovedMember::WaitsUntil(_));
            format!(
                "{} members of room {room} move, waiting: {}, {used} millionths of a broadcast \
                 are used up",
                members.len(),
                members.iter().filter(is_waiting).count()
            )
        }
    }]
}

fn request_in_words(on_way: &RequestOnWay) -> String {
    let (origin, id) = (on_way.origin.number(), on_way.id.0);
    format!("request {id} of shard {origin}: {:?}", on_way.request)
}

pub(crate) fn response_in_words(response: &Response) -> String {
    match response {
        Response::Refused(error) => format!("refused, {error}"),
        response => format!("{response:?}"),
    }
}

fn ownership_in_words(entry: &Ownership) -> String {
    match entry {
        Ownership::Ask { uid, candidate } => {
            let (login, asked) = (candidate.login, candidate.asked);
            let (claim, clock) = (asked.claim, asked.clock);
            format!("login {login} asks for {uid}, claim {claim}, clock {clock}")
        }
        Ownership::Grant { uid, tenure, left } => {
            format!("{uid} is granted, number {}, {}", tenure.0, left_in_words(left))
        }
        Ownership::Deny { uid, login, denial } => {
            format!("{uid} is denied to login {login}: {denial:?}")
        }
        Ownership::Revoke { uid, tenure, login, resume } => {
            let (claim, clock) = (login.claim, login.clock);
            let resumes = if resume.is_some() { ", to resume its session" } else { "" };
            format!(
                "another login asks for {uid}, grant {}, claim {claim}, clock {clock}{resumes}",
                tenure.0
            )
        }
        Ownership::Release { uid, tenure, left, next } => {
            let next = next.as_ref().map_or(String::new(), |(_, login)| {
                format!(", its session has moved to login {login}")
            });
            format!("{uid} is released, grant {}, {}{next}", tenure.0, left_in_words(left))
        }
        Ownership::Keep { uid, tenure, denial } => {
            format!("{uid} is kept, grant {}: the other login is denied: {denial:?}", tenure.0)
        }
    }
}

fn left_in_words(left: &LeftBehind) -> String {
    let displaced = left.displaced.map_or("no session was displaced".to_owned(), |claim| {
        format!("a session with claim {claim} was displaced")
    });
    format!("{displaced}, {} rooms wait", left.orphans.len())
}

fn named(session: &SessionNumber) -> String {
    format!("session {}", session.number())
}

fn outcome_in_words((session, outcome): &(SessionNumber, Outcome)) -> String {
    match outcome {
        Outcome::Send(code, id) => {
            format!("{} for message {id} of {}", code.code(), named(session))
        }
        Outcome::Broadcast(room, code, id) => {
            format!("{} for broadcast {id} of {} to room {room}", code.code(), named(session))
        }
    }
}

fn pushed_in_words((except, frame): &(Option<SessionNumber>, Bytes)) -> String {
    let frame = frames_in_words(frame);
    match except {
        Some(session) => format!("{frame}, but not for {}", named(session)),
        None => frame,
    }
}

fn names_in_words(names: &Names) -> String {
    let count = names.names.len();
    let notices = if names.has_no_notices { ", without notices" } else { "" };
    format!("{count} other members{notices}")
}

/// Frames of an entry. A forged recording may have other bytes there.
fn frames_in_words(bytes: &Bytes) -> String {
    let mut decoder = Decoder::new();
    decoder.push(bytes.clone());
    let mut words = Vec::new();
    while let Ok(Some(frame)) = decoder.next(FRAME_BYTES_MAX) {
        words.push(frame_in_words(&frame));
    }
    match words.is_empty() {
        true => format!("{} bytes", bytes.len()),
        false => words.join("; "),
    }
}
