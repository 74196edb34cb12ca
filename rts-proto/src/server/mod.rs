//! The server: one shard, which owns its links, sessions, users and rooms.
//!
//! [`Server`] has the same four parts as the client core: [`Server::new`],
//! [`Server::handle_input`], commands (those of the app's back end, such as [`Server::unicast`],
//! and [`Server::shutdown`]), and [`Server::poll_output`]. What it cannot know by itself, such as
//! whether a token is good, it asks of its driver as an output and gets back as an input.

mod backend;
mod bans;
mod bundle;
mod config;
mod fan_out;
mod flush;
mod link;
mod lists;
mod login;
mod notice;
mod params;
mod posts;
mod put_out;
mod report;
mod rooms;
mod route;
mod session;
mod tally;
mod timers;
mod welcome;

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use bytes::Bytes;

pub use backend::CommandError;
pub use bans::Ban;
pub use config::Config;
pub use lists::{AppStats, Page, RoomFigures, UserFigures};
pub use notice::{Forbidden, Notice, Rate, Refusal};
pub use posts::{Post, PostProgress};
pub use report::Report;
pub use timers::Timer;

use crate::random::Random;
use crate::slab::Slab;
use crate::table::Table;
use crate::wire::ResumeKey;
use crate::{
    AppId, CallId, CloseCode, Instant, LinkId, LoginCode, LoginId, OnlineStatus, TargetId, Text,
    UserId,
};
use bundle::Bundler;
use fan_out::FanOut;
use flush::{Dirty, LateAck};
use link::Link;
use login::Tombstone;
use posts::Call;
use rooms::App;
use session::{Origin, Overrun, Session, SessionNumber};
use timers::Due;
use welcome::Welcomes;

/// What the world tells the server. Input for what the server has given up, such as a link or a
/// login, changes nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// Time has passed, or a burst of input is over: nearly all that it brings links goes out with
    /// this. Needed at the deadline of [`Output::Wait`]; harmless at any other time.
    Tick,
    /// A link was accepted. The driver numbers links and never uses a number twice; the key is 16
    /// bytes from a secure random source, for the session that this link will carry.
    Accepted(LinkId, ResumeKey),
    /// Bytes arrived.
    Received(LinkId, Bytes),
    /// The link is down.
    Disconnected(LinkId),
    /// So much waits to be written on the link that its peer does not seem to read it, or no
    /// longer. While it is so, nothing goes there that is not sequenced (§2.9): no `Pong`, and
    /// messages with config 1 and 2 get result 2. Where that begins is the driver's to say.
    Congested(LinkId, bool),
    /// The answer to [`Output::Authenticate`].
    Verdict(LoginId, Verdict),
    /// The answer to [`Output::CheckTarget`]: whether messages may be posted there.
    TargetChecked(TargetId, bool),
    /// What becomes of [`Output::PostToAppServer`].
    AppServerReplied(CallId, PostProgress),
}

/// Whether a login is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is. `claim` grows with the driver's clock, and orders the logins of one user (§3.4).
    Accept {
        /// Such as microseconds of Unix time.
        claim: u64,
        /// When what was shown was made, such as the Unix time in a token, in seconds.
        /// [`Server::revoke`] compares with it; nothing else does.
        issued_at: u32,
    },
    /// It is not, and why.
    Refuse(LoginCode),
}

/// What a driver checks.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The app that the client says it belongs to.
    pub app_id: AppId,
    /// The user that it says it is.
    pub uid: UserId,
    /// What it shows for that.
    pub token: Bytes,
}

/// Shows no token.
impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("app_id", &self.app_id)
            .field("uid", &self.uid)
            .finish_non_exhaustive()
    }
}

/// Where a client wants its messages for the app's server to go.
#[derive(Clone, PartialEq, Eq)]
pub struct Target {
    /// Its app.
    pub app_id: AppId,
    /// As the client wrote it: ASCII, and not longer than
    /// [`URL_BYTES_MAX`](crate::limits::URL_BYTES_MAX). Nothing else is known of it.
    pub url: Text,
}

/// Does not show the url, which may hold a secret.
impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target").field("app_id", &self.app_id).finish_non_exhaustive()
    }
}

/// What the server asks of the world.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Write these bytes, after all earlier ones of the link. They are whole frames, one or more.
    Transmit(LinkId, Bytes),
    /// Write what was transmitted before, then close. The code is what the last frame said, if it
    /// was a `Close`.
    Disconnect(LinkId, Option<CloseCode>),
    /// Check these, and answer with [`Input::Verdict`].
    Authenticate(LoginId, Box<Credentials>),
    /// Say whether messages of this app may be posted there, with [`Input::TargetChecked`]. Nothing
    /// is posted yet.
    CheckTarget(TargetId, Target),
    /// Post this, at most once, and say with [`Input::AppServerReplied`] what becomes of it.
    PostToAppServer(CallId, Box<Post>),
    /// This post takes too long: stop it. No answer is expected.
    AbandonPost(CallId),
    /// Tell the app's back end, if the driver has a way. Only of [`Config::reported_apps`].
    Report(AppId, Report),
    /// Log this, if the driver has a log. Only after [`Server::take_notice`].
    Notice(Notice),
    /// Nothing more to do before this moment, if no other input comes. Always the last output.
    Wait(Option<Instant>),
}

/// What a server holds at a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Links, all together.
    pub links: usize,
    /// Links that have not logged in.
    pub links_before_login: usize,
    /// Sessions, with or without a link.
    pub sessions: usize,
    /// Apps of which anything is kept: sessions, rooms, bans, posts, users remembered.
    pub apps: usize,
    /// Rooms with at least one member.
    pub rooms: usize,
    /// Memberships in all rooms.
    pub memberships: usize,
    /// Bans that last.
    pub bans: usize,
    /// Users of whom something is remembered beside a session.
    pub users_remembered: usize,
    /// Bytes kept until they are acknowledged.
    pub window_bytes: usize,
    /// Messages for apps' servers that wait to be posted.
    pub posts_waiting: usize,
    /// Messages that are being posted.
    pub posts_under_way: usize,
    /// Bytes of both: payloads, signatures and urls.
    pub post_bytes: usize,
}

/// One shard.
pub struct Server {
    config: Config,
    seed: u64,
    random: Random,
    /// The latest moment seen: time never goes back.
    now: Instant,
    outputs: VecDeque<Output>,
    links: Table<LinkId, Link>,
    links_before_login: usize,
    /// Those that are not read.
    congested: BTreeSet<LinkId>,
    /// Logins that wait for their verdict.
    logins: BTreeMap<LoginId, LinkId>,
    last_login: u64,
    sessions: Slab<Box<Session>>,
    /// Users and rooms. Nothing reaches them but through their app.
    apps: BTreeMap<AppId, App>,
    /// Tallies in all apps.
    users_remembered: usize,
    tombstones: BTreeMap<SessionNumber, Tombstone>,
    /// Questions about targets that the driver has not answered.
    targets: BTreeMap<TargetId, SessionNumber>,
    last_target: u64,
    /// Messages for apps' servers that have no result.
    calls: BTreeMap<CallId, Call>,
    last_call: u64,
    due: BTreeSet<(Instant, Due)>,
    fan_out: FanOut,
    dirty: Dirty,
    bundler: Bundler,
    late_acks: VecDeque<LateAck>,
    /// Answers to joins that wait.
    welcomes: BTreeMap<SessionNumber, Welcomes>,
    /// Sessions whose pings are answered with the next flush.
    pongs: Vec<SessionNumber>,
    /// Who is told of what an acknowledgement is for, while it is read.
    acknowledged: Vec<Origin>,
    overrun: Overrun,
    takes_notice: bool,
    /// Set by [`Server::shutdown`].
    retry_after_max: Option<Duration>,
}

impl Server {
    /// A shard without links.
    ///
    /// `seed` feeds the spread of [`shutdown`](Self::shutdown), and where tables keep their
    /// entries; nobody who logs in should know it.
    #[must_use]
    pub fn new(config: Config, seed: u64) -> Self {
        Self {
            config,
            seed,
            random: Random::new(seed),
            now: Instant::ORIGIN,
            outputs: VecDeque::new(),
            links: Table::new(seed),
            links_before_login: 0,
            congested: BTreeSet::new(),
            logins: BTreeMap::new(),
            last_login: 0,
            sessions: Slab::new(),
            apps: BTreeMap::new(),
            users_remembered: 0,
            tombstones: BTreeMap::new(),
            targets: BTreeMap::new(),
            last_target: 0,
            calls: BTreeMap::new(),
            last_call: 0,
            due: BTreeSet::new(),
            fan_out: FanOut::default(),
            dirty: Dirty::default(),
            bundler: Bundler::default(),
            late_acks: VecDeque::new(),
            welcomes: BTreeMap::new(),
            pongs: Vec::new(),
            acknowledged: Vec::new(),
            overrun: Overrun::default(),
            takes_notice: false,
            retry_after_max: None,
        }
    }

    /// Takes in what happened. An earlier `now` than before counts as the latest one.
    pub fn handle_input(&mut self, now: Instant, input: Input) {
        let now = match input {
            // Broadcasts in it may go on with those of the input before.
            Input::Received(..) => self.pass_time(now),
            _ => self.advance(now),
        };
        match input {
            Input::Tick => self.flush(now),
            Input::Accepted(link, key) => self.link_accepted(now, link, key),
            Input::Received(link, bytes) => self.link_received(now, link, &bytes),
            Input::Disconnected(link) => self.link_disconnected(link),
            Input::Congested(link, is_congested) => self.link_congested(link, is_congested),
            Input::Verdict(login, verdict) => self.login_judged(now, login, verdict),
            Input::TargetChecked(target, is_allowed) => {
                self.target_checked(now, target, is_allowed);
            }
            Input::AppServerReplied(call, progress) => self.post_progressed(now, call, progress),
        }
        self.end_overrun(now);
    }

    /// The next thing to do. [`Output::Wait`] ends a drain.
    pub fn poll_output(&mut self) -> Output {
        match self.outputs.pop_front() {
            Some(output) => output,
            None => Output::Wait(self.next_timer().map(|(deadline, _)| deadline)),
        }
    }

    /// Closes every link, each with its own wish of when to come back, from zero to
    /// `retry_after_max`, so that the clients do not come back together. Links that are accepted
    /// afterwards are closed in the same way.
    pub fn shutdown(&mut self, now: Instant, retry_after_max: Duration) {
        self.advance(now);
        self.retry_after_max = Some(retry_after_max);
        for link in self.links.sorted_keys() {
            self.turn_away(link, CloseCode::Shutdown, retry_after_max);
        }
    }

    /// What came in before is done with, broadcasts too; then time moves on.
    fn advance(&mut self, now: Instant) -> Instant {
        self.settle_broadcasts();
        self.end_overrun(self.now);
        self.pass_time(now)
    }

    /// Time moves on, and what is due by now has happened before anything that comes in now.
    /// Broadcasts may go on waiting.
    fn pass_time(&mut self, now: Instant) -> Instant {
        self.now = self.now.max(now);
        self.fire_timers(self.now);
        self.now
    }

    /// §7.1, for the app's back end.
    #[must_use]
    pub fn online_status(&self, now: Instant, app_id: &AppId, uid: &UserId) -> OnlineStatus {
        self.status_of(now.max(self.now), app_id, uid.as_str())
    }

    /// Which timer the deadline of [`Output::Wait`] is for.
    #[must_use]
    pub fn wake_reason(&self) -> Option<Timer> {
        self.next_timer().map(|(_, timer)| timer)
    }

    /// What the server holds now. Walks over all sessions and rooms.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let posts_under_way = self.calls.values().filter(|call| call.is_under_way()).count();
        let rooms = || self.apps.values().flat_map(|app| app.rooms.values());
        Stats {
            links: self.links.len(),
            links_before_login: self.links_before_login,
            sessions: self.sessions.len(),
            apps: self.apps.len(),
            rooms: rooms().count(),
            memberships: rooms().map(|room| room.members.len()).sum(),
            bans: self.apps.values().map(|app| app.bans.len()).sum(),
            users_remembered: self.users_remembered,
            window_bytes: self
                .sessions
                .values()
                .map(|session| session.channel.unacked_bytes())
                .sum(),
            posts_waiting: self.calls.len() - posts_under_way,
            posts_under_way,
            post_bytes: self.calls.values().map(Call::bytes).sum(),
        }
    }
}

/// Shows no token, payload or key: what is queued has them.
impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("now", &self.now)
            .field("stats", &self.stats())
            .field("wake_reason", &self.wake_reason())
            .finish_non_exhaustive()
    }
}
