//! In a cluster, a session leaves this shard for the one where its client comes back (§4.8): the
//! shard of the session.
//!
//! Nothing that the client has sent or has to get is lost, doubled or overtaken. First, all that it
//! has sent arrives: a [fence](super::fences). Then its rooms send what comes next to the next
//! shard, and say so behind all that comes here. The home of the user keeps messages meanwhile.

use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use bytes::Bytes;

use super::deadlines::Due;
use super::ending::End;
use super::fences::BehindFence;
use super::io::{
    AskedLogin, AskedResume, Denial, Entry, LeftBehind, MovedFrames, MovedSession, Ownership,
    ResumeAsked, SessionContent, SessionPart, Tenure,
};
use super::keys::{Origin, SessionNumber};
use super::outbox::Flow;
use super::placement::ShardId;
use super::session_moves::{Leaving, Moves};
use super::sessions::Departed;
use super::shard::Server;
use crate::limits::{FRAME_BYTES_MAX, LEAVING_MAX};
use crate::planted::{Bug, planted};
use crate::wire::frames_len;
use crate::{AppId, CloseCode, RoomId, UserId};

impl Server {
    /// A login of another shard asks to resume a session of this one. Only a client with its key
    /// gets as far as the home of its user.
    pub(super) fn resume_asked(&mut self, app_id: &AppId, asked: ResumeAsked) {
        let ResumeAsked { uid, session: number, candidate } = asked;
        let Some(resume) = &candidate.resume else { return };
        let denial = if let Some(why) = self.shared.sessions.buried(number, &resume.key) {
            match why {
                Some(CloseCode::PutOut) => Denial::PutOut,
                Some(_) => Denial::Displaced,
                None => Denial::NotResumed,
            }
        } else if let Some((shard, next)) = self.shared.sessions.elsewhere(number)
            && self.shared.homes.has(shard)
        {
            let asked = Box::new(ResumeAsked { uid, session: next, candidate });
            return self.shared.send_to_any(shard, app_id, Entry::Resume(asked));
        } else {
            match self.may_leave(app_id, &uid, &candidate.asked, resume) {
                Ok(_) => {
                    let entry = Ownership::Ask { uid: uid.clone(), candidate };
                    return self.send_to_home(app_id, &uid, entry);
                }
                Err(denial) => denial,
            }
        };
        let (shard, login) = (candidate.shard, candidate.login);
        let deny = Ownership::Deny { uid, login, denial };
        self.shared.send_to_any(shard, app_id, Entry::Ownership(deny));
    }

    /// The session that a login may resume in another shard.
    fn may_leave(
        &self,
        app_id: &AppId,
        uid: &UserId,
        login: &AskedLogin,
        resume: &AskedResume,
    ) -> Result<SessionNumber, Denial> {
        let number = self.users.find(app_id, uid.as_str()).ok_or(Denial::NotResumed)?;
        let session = self.shared.session(number).ok_or(Denial::NotResumed)?;
        if !session.keys().accept(&resume.key) {
            return Err(Denial::NotResumed);
        }
        match session.overtakes(login.engine, login.attempt) {
            true => Err(Denial::Overtaken),
            false => Ok(number),
        }
    }

    /// The home of the user asks this shard for the session, for a login that resumes it.
    pub(super) fn leave_for(
        &mut self,
        app_id: &AppId,
        uid: &UserId,
        tenure: Tenure,
        login: AskedLogin,
        resume: AskedResume,
    ) {
        if self.leaves_already(app_id, uid, &resume) {
            return;
        }
        match self.begin_leaving(app_id, uid, login, resume) {
            Ok(number) => self.go_on_leaving(number),
            Err(denial) => {
                let entry = Ownership::Keep { uid: uid.clone(), tenure, denial };
                self.send_to_home(app_id, uid, entry);
            }
        }
    }

    /// Whether the session is on its way to this login, which has asked again because a home was
    /// removed.
    fn leaves_already(&mut self, app_id: &AppId, uid: &UserId, resume: &AskedResume) -> bool {
        let number = self.users.find(app_id, uid.as_str());
        let session = number.and_then(|number| self.shared.session_mut(number));
        match session {
            Some(session) => {
                session.leaving().is_some_and(|leaving| leaving.resume.next == resume.next)
            }
            None => self.shared.sessions.all_departed().any(|gone| gone.next == resume.next),
        }
    }

    fn begin_leaving(
        &mut self,
        app_id: &AppId,
        uid: &UserId,
        login: AskedLogin,
        resume: AskedResume,
    ) -> Result<SessionNumber, Denial> {
        let number = self.may_leave(app_id, uid, &login, &resume)?;
        let is_there = self.shared.homes.has(ShardId::of_session(resume.next));
        let session = self.shared.session(number).filter(|session| !session.is_leaving());
        if session.is_none() || !is_there {
            return Err(Denial::NotResumed);
        }
        let shared = &mut self.shared;
        let (now, sessions) = (shared.now(), &mut shared.sessions);
        let frames_resent = shared
            .outbox
            .resume(sessions, now, number, resume.received)
            .map_err(|_| Denial::NotResumed)?;
        if let Some(link) = self.links.detach(&mut self.shared, number) {
            self.close(link, CloseCode::Replaced, "the session goes on over a newer link");
        }
        let shared = &mut self.shared;
        let until = shared.deadlines.arm(now + LEAVING_MAX, Due::Leaving(number));
        let to = ShardId::of_session(resume.next);
        let next = resume.next;
        let Some(session) = shared.sessions.get_mut(number) else {
            return Err(Denial::NotResumed);
        };
        session.heard(now);
        let rooms: Vec<RoomId> = session.rooms.all().cloned().collect();
        let has_acted = session.has_acted();
        session.set_moves(Moves::Away(Leaving {
            resume,
            frames_resent,
            is_fenced: !has_acted || planted(Bug::MoveBeforeFence),
            told: BTreeSet::new(),
            awaited: BTreeSet::new(),
            until: Some(until),
        }));
        if has_acted {
            if !rooms.is_empty() {
                self.send_part(to, app_id, next, SessionContent::Rooms(rooms));
            }
            self.fences.add(BehindFence::Session(number));
        }
        Ok(number)
    }

    /// All that the session has sent has arrived.
    pub(super) fn session_fenced(&mut self, number: SessionNumber) {
        let session = self.shared.session_mut(number);
        if let Some(leaving) = session.and_then(|session| session.leaving()) {
            leaving.is_fenced = true;
            self.go_on_leaving(number);
        }
    }

    /// A room of another shard sends nothing more for the session.
    pub(super) fn room_switched(&mut self, number: SessionNumber, room: &RoomId) {
        let session = self.shared.session_mut(number);
        if let Some(leaving) = session.and_then(|session| session.leaving()) {
            leaving.awaited.remove(room);
            self.go_on_leaving(number);
        }
    }

    /// Tells its rooms of other shards its next number, and leaves when all have answered.
    fn go_on_leaving(&mut self, number: SessionNumber) {
        let Some(session) = self.shared.sessions.get_mut(number) else { return };
        let (app_id, uid) = session.user();
        let rooms: Vec<RoomId> = session.rooms.all().cloned().collect();
        let Some(leaving) = session.leaving().filter(|leaving| leaving.is_fenced) else { return };
        let next = leaving.resume.next;
        let mut switches = Vec::new();
        for room in rooms {
            if let Some(home) = self.shared.homes.other_of_room(&app_id, &room)
                && !planted(Bug::RoomsNotSwitched)
                && leaving.told.insert(room.clone())
            {
                leaving.awaited.insert(room.clone());
                switches.push((home, room));
            }
        }
        let is_over = leaving.awaited.is_empty() || planted(Bug::MoveBeforeSwitch);
        for (home, room) in switches {
            let entry = Entry::Switch { room, session: number, uid: uid.clone(), next };
            self.shared.send_in_app(home, &app_id, entry);
        }
        if is_over {
            self.send_session(number, &app_id, uid);
        }
    }

    /// Nothing more comes for the session: sends all of it.
    fn send_session(&mut self, number: SessionNumber, app_id: &AppId, uid: UserId) {
        self.shared.settle();
        let shared = &mut self.shared;
        let now = shared.now();
        shared.outbox.push_outcomes(&mut shared.sessions, now, number);
        let Some(tenure) = shared.grants.of(app_id, &uid) else { return };
        let Some(session) = shared.sessions.get_mut(number) else { return };
        if session.flow.has_lost() {
            // It ends, because its window had no space.
            return;
        }
        let (issued_at, claim) = (session.issued_at(), session.claim());
        let (received, acked) = (session.flow.received(), session.flow.acked());
        let rooms: Vec<RoomId> = session.rooms.joined_rooms().cloned().collect();
        let Some(leaving) = session.leaving() else { return };
        let (next, key, to) = (leaving.resume.next, leaving.resume.key, leaving.to());
        let frames_resent = leaving.frames_resent;
        for room in &rooms {
            if self.shared.homes.other_of_room(app_id, room).is_none() {
                self.switch_member(app_id, room, number, &uid, next);
            }
        }
        self.shared.settle();
        let welcomes = self.welcomes.take_moved(&mut self.shared, &self.rooms, number);
        let (params, undecided) = self.targets.take_moved(number);
        let posts = self.posts.take_waiting(&mut self.shared, app_id, number);
        let home = self.shared.homes.other_of_user(app_id, uid.as_str());
        let left = match home.filter(|home| *home != self.shared.config.placement.own()) {
            Some(_) => self.tallies.take_left(&self.shared, app_id, &uid, None),
            // It stays in this shard.
            None => LeftBehind::default(),
        };
        let shared = &mut self.shared;
        let Some(remains) = shared.sessions.end(number, &mut shared.deadlines) else { return };
        self.users.remove(app_id, &uid);
        let until = now + shared.config.session_grace;
        let (app, user) = (app_id.clone(), uid.clone());
        let departed = Departed { next, app_id: app, uid: user, issued_at, claim, tenure };
        shared.sessions.depart(number, departed, &mut shared.deadlines, until);
        if let Some(Moves::Away(Leaving { until: Some(until), .. })) = remains.moves.map(|of| *of) {
            shared.deadlines.disarm(until, Due::Leaving(number));
        }
        let used = remains.allowance.and_then(|allowance| allowance.used(now));
        let left = LeftBehind { used: used.or(left.used), ..left };
        let parts =
            if planted(Bug::WindowLeftBehind) { Vec::new() } else { parts_of(remains.flow) };
        for frames in parts {
            self.send_part(to, app_id, next, SessionContent::Frames(frames));
        }
        for post in posts {
            self.send_part(to, app_id, next, SessionContent::Post(Box::new(post)));
        }
        let session = MovedSession {
            uid,
            session: number,
            tenure,
            key,
            issued_at,
            claim,
            received,
            acked,
            frames_resent,
            rooms,
            welcomes,
            left,
            params,
            undecided,
        };
        self.send_part(to, app_id, next, SessionContent::Session(Box::new(session)));
    }

    pub(super) fn send_part(
        &mut self,
        to: ShardId,
        app_id: &AppId,
        next: SessionNumber,
        content: SessionContent,
    ) {
        let part = Box::new(SessionPart { next, content });
        self.shared.send_to_any(to, app_id, Entry::SessionMoved(part));
    }

    /// Credentials are revoked: tells the next shards of sessions that have left, which may not
    /// have had them when they were told themselves.
    pub(super) fn revoke_departed(
        &mut self,
        app_id: &AppId,
        uid: Option<&UserId>,
        issued_before: u32,
    ) {
        let is_meant = |gone: &&Departed| {
            gone.app_id == *app_id
                && uid.is_none_or(|uid| *uid == gone.uid)
                && gone.issued_at < issued_before
        };
        let next: Vec<SessionNumber> =
            self.shared.sessions.all_departed().filter(is_meant).map(|gone| gone.next).collect();
        for next in next {
            self.send_part(ShardId::of_session(next), app_id, next, SessionContent::Revoked);
        }
    }

    /// The member's session is another one from now on.
    fn switch_member(
        &mut self,
        app_id: &AppId,
        room: &RoomId,
        session: SessionNumber,
        uid: &UserId,
        next: SessionNumber,
    ) {
        if self.is_member(app_id, room, session, uid) {
            let (shared, tallies) = (&mut self.shared, &mut self.tallies);
            self.rooms.come_back(shared, tallies, next, app_id, room, uid);
        }
    }

    /// A session of another shard leaves it: the home of one of its rooms.
    pub(super) fn switch_asked(
        &mut self,
        app_id: &AppId,
        room: RoomId,
        session: SessionNumber,
        uid: &UserId,
        next: SessionNumber,
    ) {
        // Broadcasts that came before go to the session.
        self.shared.settle();
        self.switch_member(app_id, &room, session, uid, next);
        self.fences.answer(&mut self.shared, session, Entry::Switched { room, session });
    }

    /// The shard of the login has the session, and owns the user.
    pub(super) fn session_taken(&mut self, number: SessionNumber) {
        if planted(Bug::TakenForgotten) {
            return;
        }
        let Some(departed) = self.shared.sessions.departed(number).cloned() else { return };
        let Departed { app_id, uid, tenure, .. } = departed;
        let is_gone = self.users.find(&app_id, uid.as_str()).is_none();
        if is_gone && self.shared.grants.of(&app_id, &uid) == Some(tenure) {
            self.shared.grants.give_up(&app_id, &uid);
            self.ask_if_needed(&app_id, &uid);
        }
    }

    /// It takes too long. The client logs in afresh.
    pub(super) fn give_up_leaving(&mut self, number: SessionNumber) {
        let Some(session) = self.shared.session(number).filter(|session| session.is_leaving())
        else {
            return;
        };
        let ((app_id, uid), claim) = (session.user(), session.claim());
        self.end_session(number, End::Superseded);
        self.release_user(&app_id, &uid, Some(claim));
    }

    /// Nodes were removed, to which sessions leave or have left.
    pub(super) fn end_leaving_for_removed(&mut self) {
        let homes = &self.shared.homes;
        let mut lost = Vec::new();
        for (app_id, uid) in self.shared.grants.users() {
            let Some(number) = self.users.find(&app_id, uid.as_str()) else { continue };
            let session = self.shared.sessions.get_mut(number);
            let to = session.and_then(|session| Some(session.leaving()?.to()));
            if to.is_some_and(|to| !homes.has(to)) {
                lost.push(number);
            }
        }
        let is_lost = |gone: &&Departed| !homes.has(ShardId::of_session(gone.next));
        let gone: Vec<Departed> =
            self.shared.sessions.all_departed().filter(is_lost).cloned().collect();
        for number in lost {
            self.give_up_leaving(number);
        }
        for Departed { app_id, uid, tenure, claim, .. } in gone {
            let has_session = self.users.find(&app_id, uid.as_str()).is_some();
            if !has_session && self.shared.grants.of(&app_id, &uid) == Some(tenure) {
                // The home reports the user offline, unless it knows that the session has arrived.
                self.release_user(&app_id, &uid, Some(claim));
            }
        }
    }
}

/// The frames of a window, in parts that fit into what nodes send each other.
fn parts_of(flow: Flow) -> Vec<Vec<MovedFrames>> {
    let mut parts: Vec<Vec<MovedFrames>> = Vec::new();
    let mut bytes_len = 0;
    for (bytes, frames, origin) in flow.into_window() {
        for frames in pieces_of(bytes, frames, origin) {
            let len = frames.bytes.len() + FRAMES_HEAD_BYTES;
            match parts.last_mut().filter(|_| bytes_len + len <= FRAME_BYTES_MAX) {
                Some(part) => part.push(frames),
                None => {
                    bytes_len = 0;
                    parts.push(alloc::vec![frames]);
                }
            }
            bytes_len += len;
        }
    }
    parts
}

/// What each piece takes besides its bytes, at most.
const FRAMES_HEAD_BYTES: usize = 48;

/// A piece of a window, cut between frames if it is long.
fn pieces_of(mut bytes: Bytes, mut frames: u32, origin: Option<Origin>) -> Vec<MovedFrames> {
    let mut pieces = Vec::new();
    while frames > 1 && bytes.len() > FRAME_BYTES_MAX {
        let first = bytes.split_to(frames_len(&bytes, 1));
        pieces.push(MovedFrames { bytes: first, frames: 1, origin: None });
        frames -= 1;
    }
    // The result comes when all of them are acknowledged.
    let origin = origin.map(|origin| (origin.session, origin.id));
    pieces.push(MovedFrames { bytes, frames, origin });
    pieces
}
