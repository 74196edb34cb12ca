//! All links, and the phase of each on its way to a session. Only this part sets the link of a
//! session, so that both always agree.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use super::deadlines::{Deadline, Due};
use super::io::{AskedLogin, Opened};
use super::keys::SessionNumber;
use super::placement::ShardId;
use super::shared::Shared;
#[cfg(test)]
use crate::kept::Kept;
use crate::limits::ASK_MAX;
use crate::planted::{Bug, planted};
use crate::table::Table;
use crate::wire::{Cutter, Login, ResumeKey};
use crate::{AppId, Instant, LinkId, LoginId, UserId};

#[derive(Debug)]
pub(super) struct Links {
    table: Table<LinkId, Link>,
    /// The number of links that have not logged in.
    before_login: usize,
    /// Congested links.
    congested: BTreeSet<LinkId>,
    /// Logins that wait for their verdict.
    logins: BTreeMap<LoginId, LinkId>,
    last_login: u64,
    /// The latest frame was a login that belongs to another shard.
    moving: Option<Box<(ShardId, Login)>>,
}

/// Lets this part alone set the link of a session.
struct ByLinks;

impl super::session::SetsLinks for ByLinks {}

/// One link. Nearly all links carry a session and store nothing else.
#[derive(Debug)]
enum Link {
    /// No user has logged in on it.
    Opening(Box<Opening>),
    Attached {
        session: SessionNumber,
        cutter: Cutter,
    },
}

#[derive(Debug)]
struct Opening {
    phase: Phase,
    cutter: Cutter,
    /// The resume key of the session that this link will carry.
    key: ResumeKey,
    login_deadline: Deadline,
}

/// ```text
///            Hello             Login               verdict: accept
/// Greeting ---------> Waiting ---------> Checking -----------------> attached
///                        |                       |                      ^  ^
///                        +----- resume ----------|----------------------+  |
///                        +--> Resuming ----------|----------------------+  |
///                        |                       +--> Queued --------------+
///                        |                       |       v                 |
///                        |                       +--> Asking -- granted ---+
///                        +--> another shard, where it is Waiting
/// ```
#[derive(Debug)]
enum Phase {
    Greeting,
    Waiting,
    Checking {
        login: LoginId,
        asked: Box<Login>,
    },
    /// The login waits for its turn among the logins of its user (§3.9).
    Queued {
        asked: Box<Login>,
        pass: Pass,
    },
    /// In a cluster, the login asks another shard for the session that it resumes.
    Resuming {
        ticket: LoginId,
        asked: Box<Login>,
    },
    /// In a cluster, the login asks the home of its user.
    Asking {
        ticket: LoginId,
        asked: Box<Login>,
        pass: Pass,
    },
}

/// The content of a good verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pass {
    /// The claim of a new login.
    pub(super) clock: u64,
    pub(super) issued_at: u32,
}

/// What a link that has not logged in may send next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expects {
    Hello,
    Login,
    /// Nothing: an answer of the server has to come first.
    Nothing,
}

impl Links {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            table: Table::new(seed),
            before_login: 0,
            congested: BTreeSet::new(),
            logins: BTreeMap::new(),
            last_login: 0,
            moving: None,
        }
    }

    /// Adds a link, and arms its login deadline. False when it exists already.
    pub(super) fn begin(&mut self, shared: &mut Shared, id: LinkId, key: ResumeKey) -> bool {
        if self.table.contains_key(&id) {
            return false;
        }
        let until = shared.now() + shared.config.login_deadline;
        self.insert(shared, id, Phase::Greeting, key, until);
        true
    }

    /// Adds a link of another shard that sent its Hello there. False when it exists already.
    pub(super) fn begin_handed_over(
        &mut self,
        shared: &mut Shared,
        id: LinkId,
        opened: &Opened,
    ) -> bool {
        if self.table.contains_key(&id) {
            return false;
        }
        self.insert(shared, id, Phase::Waiting, opened.key, opened.login_deadline);
        true
    }

    fn insert(
        &mut self,
        shared: &mut Shared,
        id: LinkId,
        phase: Phase,
        key: ResumeKey,
        until: Instant,
    ) {
        let login_deadline = shared.deadlines.arm(until, Due::LoginDeadline(id));
        let opening = Opening { phase, cutter: Cutter::default(), key, login_deadline };
        self.table.insert(id, Link::Opening(Box::new(opening)));
        self.before_login += 1;
    }

    /// The login belongs to another shard. [`take_move`](Self::take_move) follows at the end of the
    /// frame.
    pub(super) fn begin_move(&mut self, shard: ShardId, login: Login) {
        self.moving = Some(Box::new((shard, login)));
    }

    /// The move that the latest frame began, if it was such a login.
    #[inline]
    pub(super) fn take_move(&mut self) -> Option<Box<(ShardId, Login)>> {
        self.moving.take()
    }

    /// Removes a link that goes to another shard. Returns its key and its login deadline.
    pub(super) fn hand_over(
        &mut self,
        shared: &mut Shared,
        id: LinkId,
    ) -> Option<(ResumeKey, Instant)> {
        let opening = self.opening(id)?;
        let moves = (opening.key, opening.login_deadline.at());
        self.end(shared, id);
        Some(moves)
    }

    /// Removes a link. Returns its login if that waited for its turn.
    pub(super) fn end(&mut self, shared: &mut Shared, id: LinkId) -> Option<Box<Login>> {
        self.congested.remove(&id);
        let opening = match self.table.remove(&id)? {
            Link::Attached { session, .. } => {
                if let Some(session) = shared.session_mut(session)
                    && session.link() == Some(id)
                {
                    session.set_link(ByLinks, None);
                }
                return None;
            }
            Link::Opening(opening) => *opening,
        };
        self.before_login -= 1;
        shared.deadlines.disarm(opening.login_deadline, Due::LoginDeadline(id));
        match opening.phase {
            Phase::Greeting | Phase::Waiting => None,
            Phase::Checking { login, .. }
            | Phase::Resuming { ticket: login, .. }
            | Phase::Asking { ticket: login, .. } => {
                self.logins.remove(&login);
                None
            }
            Phase::Queued { asked, .. } => Some(asked),
        }
    }

    /// The link carries this session from now on.
    pub(super) fn attach(&mut self, shared: &mut Shared, id: LinkId, session: SessionNumber) {
        let Some(link) = self.table.get_mut(&id) else { return };
        let Link::Opening(opening) = link else { return };
        let cutter = core::mem::take(&mut opening.cutter);
        let attached = Link::Attached { session, cutter };
        if let Link::Opening(opening) = core::mem::replace(link, attached) {
            shared.deadlines.disarm(opening.login_deadline, Due::LoginDeadline(id));
        }
        self.before_login -= 1;
        if let Some(session) = shared.session_mut(session) {
            session.set_link(ByLinks, Some(id));
        }
    }

    /// The session is about to get another link. Returns its present one.
    pub(super) fn detach(&self, shared: &mut Shared, session: SessionNumber) -> Option<LinkId> {
        shared.session_mut(session)?.set_link(ByLinks, None)
    }

    pub(super) fn contains(&self, id: LinkId) -> bool {
        self.table.contains_key(&id)
    }

    /// The session that the link carries.
    pub(super) fn session_of(&self, id: LinkId) -> Option<SessionNumber> {
        match self.table.get(&id)? {
            Link::Opening(_) => None,
            Link::Attached { session, .. } => Some(*session),
        }
    }

    /// Takes the cutter of the link's stream, and the session on the link. The cutter comes back
    /// with [`put_cutter`](Self::put_cutter), unless it is empty or a frame ended the link.
    pub(super) fn take_cutter(&mut self, id: LinkId) -> Option<(Cutter, Option<SessionNumber>)> {
        match self.table.get_mut(&id)? {
            Link::Opening(opening) => Some((core::mem::take(&mut opening.cutter), None)),
            Link::Attached { session, cutter } => Some((core::mem::take(cutter), Some(*session))),
        }
    }

    pub(super) fn put_cutter(&mut self, id: LinkId, put: Cutter) {
        match self.table.get_mut(&id) {
            Some(Link::Opening(opening)) => opening.cutter = put,
            Some(Link::Attached { cutter, .. }) => *cutter = put,
            None => {}
        }
    }

    /// What a link that has not logged in may send next.
    pub(super) fn expects(&self, id: LinkId) -> Option<Expects> {
        Some(match self.opening(id)?.phase {
            Phase::Greeting => Expects::Hello,
            Phase::Waiting => Expects::Login,
            Phase::Checking { .. }
            | Phase::Queued { .. }
            | Phase::Resuming { .. }
            | Phase::Asking { .. } => Expects::Nothing,
        })
    }

    /// The client has sent its Hello.
    pub(super) fn greeted(&mut self, id: LinkId) {
        self.set_phase(id, Phase::Waiting);
    }

    /// The resume key for the session that the link will carry.
    pub(super) fn key(&self, id: LinkId) -> Option<ResumeKey> {
        Some(self.opening(id)?.key)
    }

    /// The login waits for its verdict from now on.
    pub(super) fn begin_check(&mut self, id: LinkId, asked: Login) -> LoginId {
        let login = self.next_login();
        self.set_phase(id, Phase::Checking { login, asked: Box::new(asked) });
        self.logins.insert(login, id);
        login
    }

    fn next_login(&mut self) -> LoginId {
        self.last_login += 1;
        LoginId(self.last_login)
    }

    /// The login has its verdict. Returns its link.
    pub(super) fn end_check(&mut self, login: LoginId) -> Option<(LinkId, Box<Login>)> {
        let id = self.logins.remove(&login)?;
        match self.take_phase(id, |phase| matches!(phase, Phase::Checking { .. }))? {
            Phase::Checking { asked, .. } => Some((id, asked)),
            _ => None,
        }
    }

    /// The login asks another shard for the session that it resumes, from now on.
    pub(super) fn begin_resume(
        &mut self,
        shared: &mut Shared,
        id: LinkId,
        asked: Login,
    ) -> LoginId {
        self.wait_for_nodes(shared, id);
        let ticket = self.next_login();
        self.set_phase(id, Phase::Resuming { ticket, asked: Box::new(asked) });
        self.logins.insert(ticket, id);
        ticket
    }

    /// The other shard has answered. Returns the link of the login.
    pub(super) fn end_resume(&mut self, ticket: LoginId) -> Option<(LinkId, Box<Login>)> {
        let id = self.logins.remove(&ticket)?;
        match self.take_phase(id, |phase| matches!(phase, Phase::Resuming { .. }))? {
            Phase::Resuming { asked, .. } => Some((id, asked)),
            _ => None,
        }
    }

    /// The login waits for other nodes, which may take longer than its client.
    fn wait_for_nodes(&mut self, shared: &mut Shared, id: LinkId) {
        let until = shared.now() + ASK_MAX;
        if let Some(Link::Opening(opening)) = self.table.get_mut(&id)
            && opening.login_deadline.at() < until
        {
            let due = || Due::LoginDeadline(id);
            let later = shared.deadlines.arm(until, due());
            let former = core::mem::replace(&mut opening.login_deadline, later);
            shared.deadlines.disarm(former, due());
        }
    }

    /// The login is good, and asks the home of its user from now on.
    pub(super) fn begin_ask(
        &mut self,
        shared: &mut Shared,
        id: LinkId,
        asked: Login,
        pass: Pass,
    ) -> LoginId {
        self.wait_for_nodes(shared, id);
        let ticket = self.next_login();
        self.set_phase(id, Phase::Asking { ticket, asked: Box::new(asked), pass });
        self.logins.insert(ticket, id);
        ticket
    }

    /// The home of the user has answered. Returns the link of the login.
    pub(super) fn end_ask(&mut self, ticket: LoginId) -> Option<(LinkId, Box<Login>, Pass)> {
        let id = self.logins.remove(&ticket)?;
        match self.take_phase(id, |phase| matches!(phase, Phase::Asking { .. }))? {
            Phase::Asking { asked, pass, .. } => Some((id, asked, pass)),
            _ => None,
        }
    }

    /// The links whose logins ask the home of this user, or of any user of the app, and have such a
    /// verdict.
    pub(super) fn asking_with(
        &self,
        app_id: &AppId,
        uid: Option<&UserId>,
        is_meant: impl Fn(Pass) -> bool,
    ) -> Vec<LinkId> {
        let asks = |link: &&LinkId| match self.opening(**link).map(|opening| &opening.phase) {
            Some(Phase::Asking { asked, pass, .. }) => {
                let is_user = uid.is_none_or(|uid| *uid == asked.uid);
                asked.app_id == *app_id && is_user && is_meant(*pass)
            }
            _ => false,
        };
        self.logins.values().filter(asks).copied().collect()
    }

    /// What a login asks the home of its user.
    pub(super) fn asking(&self, login: LoginId) -> Option<AskedLogin> {
        match &self.opening(*self.logins.get(&login)?)?.phase {
            Phase::Asking { asked, pass, .. } => Some(AskedLogin::new(asked, pass.clock)),
            _ => None,
        }
    }

    /// The login is good, and waits for its turn from now on.
    pub(super) fn queue(&mut self, id: LinkId, asked: Box<Login>, pass: Pass) {
        self.set_phase(id, Phase::Queued { asked, pass });
    }

    /// The login has its turn.
    pub(super) fn end_queue(&mut self, id: LinkId) -> Option<(Box<Login>, Pass)> {
        match self.take_phase(id, |phase| matches!(phase, Phase::Queued { .. }))? {
            Phase::Queued { asked, pass } => Some((asked, pass)),
            _ => None,
        }
    }

    /// The verdict on a login that waits for its turn.
    pub(super) fn queued_pass(&self, id: LinkId) -> Option<Pass> {
        match self.opening(id)?.phase {
            Phase::Queued { pass, .. } => Some(pass),
            _ => None,
        }
    }

    /// The login that was asked for on the link and not answered.
    pub(super) fn asked(&self, id: LinkId) -> Option<&Login> {
        match &self.opening(id)?.phase {
            Phase::Greeting | Phase::Waiting => None,
            Phase::Checking { asked, .. }
            | Phase::Queued { asked, .. }
            | Phase::Resuming { asked, .. }
            | Phase::Asking { asked, .. } => Some(asked),
        }
    }

    /// Sets whether the link is congested: its unwritten bytes exceed those of a link that is read.
    pub(super) fn set_congested(&mut self, id: LinkId, is_congested: bool) {
        if is_congested && self.contains(id) && !planted(Bug::CongestionIgnored) {
            self.congested.insert(id);
        } else {
            self.congested.remove(&id);
        }
    }

    pub(super) fn is_congested(&self, id: LinkId) -> bool {
        self.congested.contains(&id)
    }

    pub(super) fn len(&self) -> usize {
        self.table.len()
    }

    pub(super) fn before_login(&self) -> usize {
        self.before_login
    }

    /// All links in the order of their numbers.
    pub(super) fn sorted(&self) -> Vec<LinkId> {
        self.table.sorted_keys()
    }

    fn opening(&self, id: LinkId) -> Option<&Opening> {
        match self.table.get(&id)? {
            Link::Opening(opening) => Some(opening),
            Link::Attached { .. } => None,
        }
    }

    fn set_phase(&mut self, id: LinkId, phase: Phase) {
        if let Some(Link::Opening(opening)) = self.table.get_mut(&id) {
            opening.phase = phase;
        }
    }

    /// Takes this phase of the link, which waits for a login from now on. Another phase stays.
    fn take_phase(&mut self, id: LinkId, is_it: impl FnOnce(&Phase) -> bool) -> Option<Phase> {
        match self.table.get_mut(&id)? {
            Link::Opening(opening) if is_it(&opening.phase) => {
                Some(core::mem::replace(&mut opening.phase, Phase::Waiting))
            }
            Link::Opening(_) | Link::Attached { .. } => None,
        }
    }

    /// Entries held, so that tests can check for leaks.
    #[cfg(test)]
    pub(super) fn kept(&self) -> Kept {
        let Self { table, before_login, congested, logins, last_login: _, moving } = self;
        alloc::vec![
            ("links", table.len()),
            ("links before login", *before_login),
            ("congested links", congested.len()),
            ("logins without a verdict", logins.len()),
            ("moving links", moving.iter().len()),
        ]
    }
}

#[cfg(test)]
mod tests;
