//! Logging in: resuming, verdicts, turns, and the order of two logins of one user. Section 3 of the
//! protocol.

use alloc::boxed::Box;

use super::closing::reason_for;
use super::io::{
    AskedLogin, Credentials, Denial, Notice, Output, Refusal, Report, Resumption, Verdict,
};
use super::keys::SessionNumber;
use super::links::Pass;
use super::placement::ShardId;
use super::session::Begin;
use super::shard::Server;
use super::tallies::Turn;
use crate::limits::BUSY_RETRY_AFTER_MAX;
use crate::planted::{Bug, planted};
use crate::slab::Key;
use crate::wire::{Frame, Login, LoginAnswer, Resume};
use crate::{AppId, CloseCode, LinkId, LoginCode, LoginId, UserId};

pub(super) enum Resumed {
    Yes,
    /// The session ended. Its client has to know this reason.
    Ended(CloseCode),
    /// The session may be in this shard, with this number.
    Elsewhere(ShardId, SessionNumber),
    No,
}

impl Server {
    pub(super) fn login_asked(&mut self, link: LinkId, login: Login) {
        if self.is_overtaken(&login) {
            return self.close_overtaken(link, &login);
        }
        if let Some(resume) = &login.resume {
            match self.try_resume(link, &login, resume) {
                Resumed::Yes => return,
                Resumed::Ended(code) => {
                    return self.close_login(link, &login, code, reason_for(code));
                }
                Resumed::Elsewhere(shard, session) => {
                    let resume = resume.clone();
                    return self.ask_to_resume(link, login, &resume, (shard, session));
                }
                Resumed::No => {}
            }
        }
        self.check_login(link, login);
    }

    /// Asks the driver about the login's credentials.
    pub(super) fn check_login(&mut self, link: LinkId, login: Login) {
        let credentials = Box::new(Credentials::from(&login));
        let id = self.links.begin_check(link, login);
        self.shared.outbox.put(Output::Authenticate(id, credentials));
    }

    /// §3.8: whether the user's session belongs to a later login of the same engine.
    fn is_overtaken(&self, login: &Login) -> bool {
        let present = self.users.find(&login.app_id, login.uid.as_str());
        let session = present.and_then(|number| self.shared.session(number));
        session.is_some_and(|session| session.overtakes(login.engine, login.attempt))
    }

    /// §4.8. A session that cannot be resumed stays unchanged.
    pub(super) fn try_resume(&mut self, link: LinkId, login: &Login, resume: &Resume) -> Resumed {
        let shared = &mut self.shared;
        let Some(asked) = Key::from_number(resume.session) else { return Resumed::No };
        if let Some(buried) = shared.sessions.buried(asked, &resume.key) {
            return buried.map_or(Resumed::No, Resumed::Ended);
        }
        let Some(number) = self.session_to_resume(asked, login, resume) else {
            return self.elsewhere(asked);
        };
        let Some(key) = self.links.key(link) else { return Resumed::No };
        let shared = &mut self.shared;
        let (now, sessions) = (shared.now(), &mut shared.sessions);
        let Ok(frames_resent) = shared.outbox.resume(sessions, now, number, resume.received) else {
            return Resumed::No;
        };
        let Some(session) = sessions.get_mut(number) else { return Resumed::No };
        session.heard(now);
        session.resumed_by(login, resume.key, key);
        if !planted(Bug::ZombieHeard)
            // The old link must not carry the frames that the client lacks.
            && let Some(old) = self.links.detach(&mut self.shared, number)
        {
            self.close(old, CloseCode::Replaced, "the session goes on over a newer link");
        }
        self.answer_accepted(link, number, Resumption::Resumed { frames_resent });
        self.links.attach(&mut self.shared, link, number);
        self.shared.make_ready(number);
        self.window_emptied(number);
        Resumed::Yes
    }

    /// The session of this shard that a login may resume. Its number may be that of another shard
    /// from which it has moved.
    fn session_to_resume(
        &self,
        asked: SessionNumber,
        login: &Login,
        resume: &Resume,
    ) -> Option<SessionNumber> {
        let of_user = || self.users.find(&login.app_id, login.uid.as_str());
        let number = match self.shared.session(asked) {
            Some(_) => asked,
            None => of_user()?,
        };
        let session = self.shared.session(number)?;
        let is_same = session.keys().accept(&resume.key)
            && *session.app_id() == login.app_id
            && *session.uid() == login.uid
            || planted(Bug::ResumeOfAnybody) && number == asked;
        (is_same && !session.is_leaving() && !session.is_arriving()).then_some(number)
    }

    /// Where a session is that is not in this shard.
    fn elsewhere(&self, asked: SessionNumber) -> Resumed {
        let homes = &self.shared.homes;
        match self.shared.sessions.elsewhere(asked) {
            Some((shard, session)) if homes.are_in_cluster() && homes.has(shard) => {
                Resumed::Elsewhere(shard, session)
            }
            Some(_) | None => Resumed::No,
        }
    }

    /// The session has acknowledged frames: its window has space for waiting output.
    #[inline]
    pub(super) fn window_emptied(&mut self, number: SessionNumber) {
        if self.welcomes.has(number) {
            self.welcomes.go_on(&mut self.shared, &self.rooms, number);
        }
        self.posts.window_emptied(&mut self.shared, number);
    }

    pub(super) fn login_judged(&mut self, id: LoginId, verdict: Verdict) {
        let Some((link, asked)) = self.links.end_check(id) else { return };
        match verdict {
            Verdict::Refuse(_) if planted(Bug::RefusalIgnored) => {
                let pass = Pass { clock: self.shared.now().as_micros() + 1, issued_at: 0 };
                self.accept(link, *asked, pass);
            }
            Verdict::Refuse(code) => {
                let code = if code == LoginCode::Ok { LoginCode::Unknown } else { code };
                self.refuse(link, &asked, code, Refusal::Verdict);
            }
            // Only a user with a valid token learns that its id is reserved.
            Verdict::Accept { .. } if self.shared.config.reserved_uids.contains(&asked.uid) => {
                self.refuse(link, &asked, LoginCode::BadUserId, Refusal::ReservedUid);
            }
            Verdict::Accept { claim, issued_at } => {
                self.admit(link, asked, Pass { clock: claim, issued_at });
            }
        }
    }

    /// §3.9: the login is good, and continues now or at its turn.
    fn admit(&mut self, link: LinkId, asked: Box<Login>, pass: Pass) {
        if self.shared.config.logins_per_second == 0 {
            return self.accept(link, *asked, pass);
        }
        let (app_id, uid) = (asked.app_id.clone(), asked.uid.clone());
        match self.tallies.turn_of(&self.shared, &app_id, &uid, link) {
            Turn::Now => self.accept(link, *asked, pass),
            // Links of other shards come with their logins, which must not wait without a bound.
            Turn::Later if self.has_too_many_before_login() => {
                self.tallies.leave_queue(&app_id, &uid, link);
                self.turn_away(link, CloseCode::Busy, BUSY_RETRY_AFTER_MAX);
            }
            Turn::Later => {
                self.links.queue(link, asked, pass);
                self.notice_queued(link, &app_id, &uid);
            }
            Turn::Never => self.turn_away_login(link, &asked),
        }
        self.tallies.arm(&mut self.shared, &app_id, &uid);
    }

    fn notice_queued(&mut self, link: LinkId, app_id: &AppId, uid: &UserId) {
        self.shared.notice(|_| {
            let (app_id, uid) = (app_id.clone(), uid.clone());
            Notice::LoginQueued { link, app_id, uid }
        });
    }

    /// The next waiting logins of a user have their turn, or all of its rates are full again.
    pub(super) fn tally_due(&mut self, app_id: &AppId, uid: &UserId) {
        self.tallies.has_come_due(app_id, uid);
        while let Some(link) = self.tallies.next_in_queue(&self.shared, app_id, uid) {
            if let Some((asked, pass)) = self.links.end_queue(link) {
                self.accept(link, *asked, pass);
            }
        }
        self.tallies.look_again(&mut self.shared, app_id, uid);
    }

    /// §3.4: of two logins of one user the one with the greater claim wins.
    fn accept(&mut self, link: LinkId, asked: Login, pass: Pass) {
        match self.must_ask_home(&asked) {
            // Only a user with a valid token learns of its ban.
            _ if self.is_banned(&asked) => self.refuse_banned(link, &asked),
            true => self.ask_home(link, asked, pass),
            false => self.begin_session(link, asked, pass, None),
        }
    }

    /// The home has granted the user of a login, who may have been banned meanwhile. `displaced` is
    /// the claim of the session that another shard has ended for it.
    pub(super) fn login_granted(
        &mut self,
        link: LinkId,
        asked: Login,
        pass: Pass,
        displaced: Option<u64>,
    ) {
        match self.is_banned(&asked) {
            true => self.refuse_banned(link, &asked),
            false => self.begin_session(link, asked, pass, displaced),
        }
    }

    fn is_banned(&self, asked: &Login) -> bool {
        self.bans.forbid_login(self.shared.now(), &asked.app_id, &asked.uid)
    }

    fn refuse_banned(&mut self, link: LinkId, asked: &Login) {
        self.refuse(link, asked, LoginCode::BadUserId, Refusal::Banned);
    }

    fn begin_session(&mut self, link: LinkId, asked: Login, pass: Pass, displaced: Option<u64>) {
        let now = self.shared.now();
        let present = self.users.find(&asked.app_id, asked.uid.as_str());
        let session = present.and_then(|number| self.shared.session(number));
        let login = AskedLogin::new(&asked, pass.clock);
        let claim = match login.claim_after(session, displaced) {
            Ok(claim) => claim,
            Err(denial) => return self.deny(link, &asked, denial),
        };
        if let Some(number) = present {
            self.supersede(number, claim, Some(link));
        }
        let issued_at = pass.issued_at;
        let Some(key) = self.links.key(link) else { return };
        let app_id = self.users.shared_app_id(asked.app_id.clone());
        let uid = asked.uid.clone();
        let resumption = match asked.resume {
            Some(_) => Resumption::Impossible,
            None => Resumption::NotAsked,
        };
        let allowance = self.tallies.take_allowance(&app_id, &uid);
        let login = Login { app_id: app_id.clone(), ..asked };
        let begin = Begin { login, key, claim, issued_at, allowance };
        let shared = &mut self.shared;
        let grace_at = now + shared.config.session_grace;
        let number = shared.sessions.begin(begin, &mut shared.deadlines, now, grace_at);
        self.users.insert(&app_id, uid.clone(), number);
        if present.is_none() && displaced.is_none() || planted(Bug::OnlineReportedAgain) {
            shared.report(&app_id, || Report::UserOnline { uid });
        }
        self.answer_accepted(link, number, resumption);
        self.links.attach(&mut self.shared, link, number);
    }

    /// Must run before the link carries the session, so that no frame of the session comes first.
    pub(super) fn answer_accepted(
        &mut self,
        link: LinkId,
        number: SessionNumber,
        resumption: Resumption,
    ) {
        let Some(session) = self.shared.session(number) else { return };
        let is_resumed = matches!(resumption, Resumption::Resumed { .. });
        let accepted = session.accepted(number, is_resumed, &self.shared.config);
        let notice = |app_id, uid| Notice::LoggedIn { link, app_id, uid, resumption };
        self.shared.notice_of(number, notice);
        self.transmit(link, Frame::LoginAnswer(LoginAnswer::Accepted(accepted)));
    }

    /// The login does not get its user.
    pub(super) fn deny(&mut self, link: LinkId, asked: &Login, denial: Denial) {
        match denial {
            // The present session may have begun after the driver was asked.
            Denial::Overtaken => self.close_overtaken(link, asked),
            Denial::Displaced => {
                let code = CloseCode::Displaced;
                self.close_login(link, asked, code, reason_for(code));
            }
            Denial::PutOut => {
                let code = CloseCode::PutOut;
                self.close_login(link, asked, code, reason_for(code));
            }
            // Only logins that resume are denied so. They go on without that.
            Denial::NotResumed | Denial::NoGreaterClaim => {
                self.refuse(link, asked, LoginCode::ServerError, Refusal::NoGreaterClaim);
            }
        }
    }

    fn close_overtaken(&mut self, link: LinkId, login: &Login) {
        let reason = "a later login of this engine is here";
        self.close_login(link, login, CloseCode::Replaced, reason);
    }

    fn refuse(&mut self, link: LinkId, login: &Login, code: LoginCode, refusal: Refusal) {
        self.shared.notice(|_| {
            let credentials = Box::new(Credentials::from(login));
            Notice::LoginRefused { link, credentials, code, refusal }
        });
        self.transmit(link, Frame::LoginAnswer(LoginAnswer::Refused(code)));
        self.disconnect(link, None);
    }
}
