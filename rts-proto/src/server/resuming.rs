//! In a cluster, a login resumes a session of another shard (§4.8): the shard of the login.
//!
//! It reserves a number for the session. What the rooms of the session send to that number waits in
//! its window. When all parts of the session are here, this shard releases the user at its home in
//! the name of the former shard. It goes on with the session when it has the grant, so no two
//! shards ever act for the user.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::time::Duration;

use super::allowance::Allowance;
use super::ending::End;
use super::io::{
    Denial, Entry, MemberEnd, MovedMember, MovedSession, Ownership, ResumeAsked, Resumption,
    SessionContent, SessionPart,
};
use super::keys::{Origin, SessionNumber};
use super::login::Resumed;
use super::outbox::Flow;
use super::rooms;
use super::session_moves::Arriving;
use super::shard::Server;
use crate::planted::{Bug, planted};
use crate::wire::{Frame, Login};
use crate::{AppId, LinkId, LoginId, RoomState, UserId};

impl Server {
    /// A part of a session has come.
    pub(super) fn session_part_came(&mut self, app_id: &AppId, part: SessionPart) {
        let SessionPart { next, content } = part;
        if let SessionContent::Revoked = content {
            return self.revoke_arrived(app_id, next);
        }
        let session = self.shared.session_mut(next);
        let Some(arriving) = session.and_then(|session| session.arriving()) else { return };
        match content {
            SessionContent::Revoked => {}
            SessionContent::Rooms(rooms) => arriving.rooms = rooms,
            SessionContent::Frames(frames) => arriving.frames.extend(frames),
            SessionContent::Post(post) => arriving.posts.push(*post),
            SessionContent::Session(content) => {
                let uid = content.uid.clone();
                arriving.content = Some(content);
                self.resumes.arrived(app_id, uid.clone(), next);
                self.claim_user(app_id, &uid, next);
            }
        }
    }

    /// Asks the home for the user of a session that is here, in the name of its former shard.
    fn claim_user(&mut self, app_id: &AppId, uid: &UserId, next: SessionNumber) {
        let session = self.shared.session_mut(next);
        let Some(arriving) = session.and_then(|session| session.arriving()) else { return };
        let Some(content) = &arriving.content else { return };
        let next = Some((arriving.candidate.shard, arriving.candidate.login));
        let (uid, tenure) = (uid.clone(), content.tenure);
        let entry = Ownership::Release { uid: uid.clone(), tenure, left: Default::default(), next };
        self.send_to_home(app_id, &uid, entry);
    }

    /// This shard owns the user: the session that has moved here goes on.
    pub(super) fn install_session(&mut self, app_id: &AppId, uid: &UserId) {
        let Some(number) = self.resumes.take_arrived(app_id, uid) else { return };
        let Some((arriving, former)) = self.fill_session(app_id, number) else { return };
        self.users.insert(app_id, uid.clone(), number);
        self.shared.answer_session(former, Entry::Taken(former));
        let Arriving { candidate, content, is_revoked, .. } = arriving;
        let login = self.links.end_resume(candidate.login);
        if self.bans.forbid_login(self.shared.now(), app_id, uid) {
            if let Some((link, asked)) = login {
                self.deny(link, &asked, Denial::PutOut);
            }
            self.end_login(app_id, uid);
            return;
        }
        if is_revoked {
            return self.end_revoked(number, login.map(|(link, _)| link), Duration::ZERO);
        }
        if let Some((link, _)) = login {
            let frames_resent = content.map_or(0, |content| content.frames_resent);
            self.answer_accepted(link, number, Resumption::Resumed { frames_resent });
            self.links.attach(&mut self.shared, link, number);
        }
        self.shared.make_ready(number);
        self.window_emptied(number);
    }

    /// The credentials of a session that has come here, or passed, were revoked.
    fn revoke_arrived(&mut self, app_id: &AppId, number: SessionNumber) {
        if let Some((shard, next)) = self.shared.sessions.elsewhere(number) {
            return self.send_part(shard, app_id, next, SessionContent::Revoked);
        }
        let Some(session) = self.shared.session_mut(number) else { return };
        match session.arriving() {
            Some(arriving) => arriving.is_revoked = true,
            None => {
                let link = session.link();
                self.end_revoked(number, link, Duration::ZERO);
            }
        }
    }

    /// Makes a session of all that has come for its number. Returns its number in its former shard.
    fn fill_session(
        &mut self,
        app_id: &AppId,
        number: SessionNumber,
    ) -> Option<(Arriving, SessionNumber)> {
        self.shared.settle();
        let shared = &mut self.shared;
        let now = shared.now();
        let session = shared.sessions.get_mut(number)?;
        let mut arriving = session.take_arriving()?;
        self.resumes.release(arriving.candidate.login);
        let content = arriving.content.take()?;
        let MovedSession { session: former, received, acked, .. } = *content;
        session.heard(now);
        let mut flow = Flow::resumed(now, received, acked);
        let mut has_space = true;
        let early_first = planted(Bug::EarlyFramesFirst);
        if early_first {
            let early = core::mem::replace(&mut session.flow, Flow::resumed(now, 0, 0));
            for (bytes, frames, origin) in early.into_window() {
                has_space &= flow.push_run(bytes, frames, origin);
            }
        }
        for frames in core::mem::take(&mut arriving.frames) {
            let origin = frames.origin.map(|(session, id)| Origin { session, id });
            has_space &= flow.push_run(frames.bytes, frames.frames, origin);
        }
        let used = content.left.used.as_ref();
        let allowance = used.map(|used| Box::new(Allowance::with_used(&shared.config, now, used)));
        let early = session.install(&content, flow, allowance);
        for room in content.rooms.iter().filter(|room| !arriving.removed.contains(*room)) {
            session.rooms.enter(room.clone());
        }
        for (room, ticket, _) in &content.welcomes {
            if arriving.removed.contains(room) {
                // The membership is over: its waiting answer comes before the notice of that.
                let (ticket, state, members) = (*ticket, RoomState::Joined, Vec::new());
                let frame = Frame::JoinAnswer { ticket, state, members };
                has_space &= session.flow.push_run(frame.encode(), 1, None);
            }
        }
        has_space &= !early.has_lost();
        for (bytes, frames, origin) in early.into_window() {
            has_space &= session.flow.push_run(bytes, frames, origin);
        }
        if !has_space {
            shared.outbox.set_overrun(&mut shared.sessions, number);
        }
        let uid = content.uid.clone();
        let left = super::io::LeftBehind { used: None, ..content.left.clone() };
        self.tallies.put_left(shared, app_id, &uid, left);
        self.targets.put(shared, number, content.params.clone(), content.undecided.clone());
        for post in core::mem::take(&mut arriving.posts) {
            self.posts.put(shared, number, post);
        }
        for (room, ticket, answer_bytes) in &content.welcomes {
            if !arriving.removed.contains(room) {
                let bytes = usize::try_from(*answer_bytes).unwrap_or(usize::MAX);
                self.welcomes.put(number, room.clone(), *ticket, bytes);
            }
        }
        arriving.content = Some(content);
        Some((arriving, former))
    }

    /// A login does not get the session that it resumes. Returns whether it was such a login.
    pub(super) fn resume_denied(
        &mut self,
        app_id: &AppId,
        uid: &UserId,
        login: LoginId,
        denial: Denial,
    ) -> bool {
        let Some(number) = self.resumes.reserved(login) else { return false };
        let session = self.shared.session_mut(number);
        let is_here =
            session.and_then(|session| session.arriving()).is_some_and(|a| a.content.is_some());
        if is_here && denial == Denial::NotResumed {
            // It has come meanwhile. The answer to its release decides.
            return true;
        }
        self.end_arriving(app_id, uid, number);
        self.resumes.release(login);
        if let Some((link, asked)) = self.links.end_resume(login) {
            match denial {
                Denial::NotResumed => self.login_without_resume(link, *asked),
                denial => self.deny(link, &asked, denial),
            }
        }
        true
    }

    /// Goes on with a login whose session another shard has not given away. It may be here now.
    fn login_without_resume(&mut self, link: LinkId, asked: Login) {
        if let Some(resume) = &asked.resume
            && let Resumed::Yes = self.try_resume(link, &asked, resume)
        {
            return;
        }
        self.check_login(link, asked);
    }

    /// A session does not arrive. The memberships that know its number wait for the user's next
    /// session.
    fn end_arriving(&mut self, app_id: &AppId, uid: &UserId, number: SessionNumber) {
        let session = self.shared.session_mut(number);
        let Some(arriving) = session.and_then(|session| session.arriving()) else { return };
        if arriving.content.is_some() {
            self.resumes.take_arrived(app_id, uid);
            if self.fill_session(app_id, number).is_some() {
                self.end_session(number, End::Superseded);
            }
            return;
        }
        let rooms = core::mem::take(&mut arriving.rooms);
        let until = self.shared.now() + self.shared.config.session_grace;
        for room in rooms {
            // Where the home of the room says that it waits no longer: at the owner of the user.
            let (shared, tallies) = (&mut self.shared, &mut self.tallies);
            rooms::count_orphan(shared, tallies, app_id, &room, uid, true);
            let end = MemberEnd::WaitsUntil(until);
            match self.shared.homes.other_of_room(app_id, &room) {
                Some(home) => {
                    let entry = Entry::Gone { room, session: number, uid: uid.clone(), end };
                    self.shared.send_in_app(home, app_id, entry);
                }
                None => self.member_gone(app_id, &room, number, uid, end),
            }
        }
        let shared = &mut self.shared;
        shared.sessions.end(number, &mut shared.deadlines);
    }

    /// Nodes were removed: their sessions do not come any more.
    pub(super) fn end_arriving_of_removed(&mut self) {
        for (login, number) in self.resumes.all() {
            let Some(session) = self.shared.sessions.get_mut(number) else { continue };
            let (app_id, uid) = session.user();
            let Some(arriving) = session.arriving() else { continue };
            let is_lost = arriving.content.is_none() && !self.shared.homes.has(arriving.from);
            if is_lost {
                self.resume_denied(&app_id, &uid, login, Denial::NotResumed);
            }
        }
    }

    /// Homes are gone, with what they knew of sessions that move here: asks again.
    pub(super) fn ask_again_to_resume(&mut self) {
        for (_, number) in self.resumes.all() {
            let Some(session) = self.shared.sessions.get_mut(number) else { continue };
            let (app_id, uid) = session.user();
            let Some(arriving) = session.arriving() else { continue };
            let (from, session) = (arriving.from, arriving.session);
            let (is_here, candidate) = (arriving.content.is_some(), arriving.candidate.clone());
            if !self.shared.homes.is_lost_user(&app_id, uid.as_str()) {
                continue;
            }
            if is_here {
                self.claim_user(&app_id, &uid, number);
            } else {
                let asked = Box::new(ResumeAsked { uid, session, candidate });
                self.shared.send_to_any(from, &app_id, Entry::Resume(asked));
            }
        }
    }

    /// Reports the memberships of sessions that are here, and whose users this shard does not own
    /// yet.
    pub(super) fn report_arriving_members(&mut self) {
        for (_, number) in self.resumes.all() {
            let Some(session) = self.shared.sessions.get_mut(number) else { continue };
            let (app_id, uid) = session.user();
            let content = session.arriving().and_then(|arriving| arriving.content.as_ref());
            let rooms = content.map(|content| content.rooms.clone()).unwrap_or_default();
            for room in rooms {
                if self.shared.homes.is_lost_room(&app_id, &room) {
                    self.report_member(&app_id, &uid, &room, MovedMember::Here(number));
                }
            }
        }
    }
}
