//! Logging in: resume, verdict, and who wins when one user logs in twice. Section 3 of the
//! protocol.

use alloc::boxed::Box;

use super::link::{Link, Phase};
use super::rooms::App;
use super::session::{End, Engine, Keys, Session, SessionNumber};
use super::tally::Tally;
use super::timers::Due;
use super::{Credentials, Notice, Output, Refusal, Report, Server, Verdict};
use crate::planted::{Bug, planted};
use crate::slab::Key;
use crate::wire::{Frame, Login, LoginAnswer, Resume};
use crate::{CloseCode, Instant, LinkId, LoginCode, LoginId};

/// What is left of a session whose client must not come back by itself, so that it can be told
/// (§3.6, §3.10).
#[derive(Debug)]
pub(super) struct Tombstone {
    keys: Keys,
    code: CloseCode,
}

/// What a good verdict says of a login.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pass {
    /// The claim that it would get.
    pub(super) clock: u64,
    pub(super) issued_at: u32,
}

enum Resumed {
    Yes,
    /// The session is over, and this is what its client must know.
    Ended(CloseCode),
    No,
}

impl Server {
    pub(super) fn login_asked(&mut self, now: Instant, link: LinkId, login: Login) {
        if self.is_overtaken(&login) {
            return self.close_overtaken(link, &login);
        }
        if let Some(resume) = &login.resume {
            match self.try_resume(now, link, &login, resume) {
                Resumed::Yes => return,
                Resumed::Ended(code) => {
                    return self.close_login(link, &login, code, words(code));
                }
                Resumed::No => {}
            }
        }
        self.last_login += 1;
        let id = LoginId(self.last_login);
        let credentials = Credentials::from(&login);
        if let Some(opening) = self.opening(link) {
            opening.phase = Phase::Checking { login: id, asked: Box::new(login) };
        }
        self.logins.insert(id, link);
        self.outputs.push_back(Output::Authenticate(id, Box::new(credentials)));
    }

    /// §3.8: the user's session is of a later login of the same engine.
    fn is_overtaken(&self, login: &Login) -> bool {
        let app = self.apps.get(&login.app_id);
        let present = app.and_then(|app| app.users.get(&login.uid));
        present
            .and_then(|number| self.sessions.get(*number))
            .is_some_and(|session| Engine::of(login).is_overtaken_by(session.engine))
    }

    /// §4.8. What is not resumed is left as it was.
    fn try_resume(
        &mut self,
        now: Instant,
        link: LinkId,
        login: &Login,
        resume: &Resume,
    ) -> Resumed {
        debug_assert!(self.fan_out.is_empty(), "the former link's session may be a member");
        let Some(number) = Key::from_number(resume.session) else { return Resumed::No };
        if let Some(tombstone) = self.tombstones.get(&number) {
            return if tombstone.keys.accept(&resume.key) {
                Resumed::Ended(tombstone.code)
            } else {
                Resumed::No
            };
        }
        let Some(session) = self.sessions.get_mut(number) else { return Resumed::No };
        let is_same = session.keys.accept(&resume.key)
            && session.app_id == login.app_id
            && session.uid == login.uid
            || planted(Bug::ResumeOfAnybody);
        let Some(Link::Opening(opening)) = self.links.get(&link).filter(|_| is_same) else {
            return Resumed::No;
        };
        let key = opening.key;
        let origins = &mut self.acknowledged;
        let resumed = session.channel.resume(resume.received, |origin| origins.extend(origin));
        if resumed.is_err() {
            return Resumed::No;
        }
        session.last_heard = now;
        session.keys.renew(resume.key, key);
        session.engine = Engine::of(login);
        if !planted(Bug::ZombieHeard)
            // Not for the old link is what the client does not have.
            && let Some(old) = session.link.take()
        {
            self.close(old, CloseCode::Replaced, "the session goes on over a newer link");
        }
        self.answer_accepted(link, number, true);
        self.attach(link, number);
        self.tell_acknowledged(now);
        self.mark_dirty(now, number);
        self.window_emptied(now, number);
        Resumed::Yes
    }

    pub(super) fn login_judged(&mut self, now: Instant, id: LoginId, verdict: Verdict) {
        let Some(link_id) = self.logins.remove(&id) else { return };
        let Some(opening) = self.opening(link_id) else { return };
        let Phase::Checking { asked, .. } = core::mem::replace(&mut opening.phase, Phase::Waiting)
        else {
            return;
        };
        match verdict {
            Verdict::Refuse(_) if planted(Bug::RefusalIgnored) => {
                let pass = Pass { clock: now.as_micros() + 1, issued_at: 0 };
                self.accept(now, link_id, *asked, pass);
            }
            Verdict::Refuse(code) => {
                let code = if code == LoginCode::Ok { LoginCode::Unknown } else { code };
                self.refuse(link_id, &asked, code, Refusal::Verdict);
            }
            // A stranger is not told which ids are reserved.
            Verdict::Accept { .. } if self.config.reserved_uids.contains(&asked.uid) => {
                self.refuse(link_id, &asked, LoginCode::BadUserId, Refusal::ReservedUid);
            }
            Verdict::Accept { claim, issued_at } => {
                self.admit(now, link_id, asked, Pass { clock: claim, issued_at });
            }
        }
    }

    /// §3.4: of two logins of one user the one with the greater claim wins.
    pub(super) fn accept(&mut self, now: Instant, link: LinkId, asked: Login, pass: Pass) {
        // Only who has shown that it is this user learns of it.
        if self.may_not_log_in(now, &asked.app_id, &asked.uid) {
            return self.refuse(link, &asked, LoginCode::BadUserId, Refusal::Banned);
        }
        let Pass { clock, issued_at } = pass;
        // The present session may be newer than the question to the driver.
        if self.is_overtaken(&asked) {
            return self.close_overtaken(link, &asked);
        }
        let asked_claim = asked.claim;
        let present =
            self.apps.get(&asked.app_id).and_then(|app| app.users.get(&asked.uid)).copied();
        let present_claim =
            present.and_then(|number| self.sessions.get(number)).map_or(0, |s| s.claim);
        let continues = asked_claim > 0 && asked_claim <= clock;
        if continues && present_claim > asked_claim && !planted(Bug::ClaimIgnored) {
            let code = CloseCode::Displaced;
            return self.close_login(link, &asked, code, words(code));
        }
        let claim = match present_claim.checked_add(1) {
            _ if continues => asked_claim,
            Some(next) => clock.max(next),
            // There is no greater claim, and without one nobody would know which login is newer.
            None => {
                let code = LoginCode::ServerError;
                return self.refuse(link, &asked, code, Refusal::NoGreaterClaim);
            }
        };
        if let Some(number) = present {
            self.supersede(now, number, claim, link);
        }
        let Some(key) = self.opening(link).map(|opening| opening.key) else { return };
        let entry = self.apps.entry(asked.app_id);
        // One text for all sessions of an app.
        let asked = Login { app_id: entry.key().clone(), ..asked };
        let app = entry.or_insert_with(|| App::new(self.seed));
        let allowance = app.tallies.get_mut(&asked.uid).and_then(Tally::take_allowance);
        let session = Session::new(&self.config, &asked, key, claim, issued_at, now, allowance);
        let grace_at = session.grace_at;
        let number = self.sessions.insert(Box::new(session));
        self.due.insert((grace_at, Due::SessionGrace(number)));
        let Login { app_id, uid, .. } = asked;
        app.users.insert(uid.clone(), number);
        if present.is_none() || planted(Bug::OnlineReportedAgain) {
            self.report(&app_id, || Report::UserOnline { uid });
        }
        self.answer_accepted(link, number, false);
        self.attach(link, number);
    }

    /// §3.5: the user's session gives way: to another login, or to the same one, which lost it.
    fn supersede(&mut self, now: Instant, number: SessionNumber, claim: u64, by: LinkId) {
        let Some(session) = self.sessions.get(number) else { return };
        let is_same_login = session.claim == claim;
        let link = session.link;
        if !is_same_login {
            self.notice_of(number, |app_id, uid| Notice::Displaced { link, by, app_id, uid });
        }
        if let Some(link) = link {
            let code = if is_same_login { CloseCode::Replaced } else { CloseCode::Displaced };
            self.close(link, code, words(CloseCode::Displaced));
        }
        if !is_same_login {
            self.remember_ended(now, number, CloseCode::Displaced);
        }
        self.end_session(now, number, End::Superseded);
    }

    /// For as long as its client may ask to resume this session, it is told why it is over.
    pub(super) fn remember_ended(&mut self, now: Instant, number: SessionNumber, code: CloseCode) {
        let Some(session) = self.sessions.get(number) else { return };
        let keys = session.keys.clone();
        self.tombstones.insert(number, Tombstone { keys, code });
        self.due.insert((now + self.config.session_grace, Due::Tombstone(number)));
    }

    /// Before the link is the session's, so that nothing of the session comes before this.
    fn answer_accepted(&mut self, link: LinkId, number: SessionNumber, resumed: bool) {
        let Some(session) = self.sessions.get(number) else { return };
        let accepted = session.accepted(number, resumed, &self.config);
        let notice = |app_id, uid| Notice::LoggedIn { link, app_id, uid, resumed };
        self.notice_of(number, notice);
        self.transmit(link, Frame::LoginAnswer(LoginAnswer::Accepted(accepted)));
    }

    fn close_overtaken(&mut self, link: LinkId, login: &Login) {
        let reason = "a later login of this engine is here";
        self.close_login(link, login, CloseCode::Replaced, reason);
    }

    fn refuse(&mut self, link: LinkId, login: &Login, code: LoginCode, refusal: Refusal) {
        self.notice(|_| {
            let credentials = Box::new(Credentials::from(login));
            Notice::LoginRefused { link, credentials, code, refusal }
        });
        self.transmit(link, Frame::LoginAnswer(LoginAnswer::Refused(code)));
        self.disconnect(link, None);
    }
}

/// Why a client must not come back by itself, for people.
pub(super) fn words(code: CloseCode) -> &'static str {
    match code {
        CloseCode::PutOut => "put out by the app's back end",
        _ => "logged in elsewhere",
    }
}
