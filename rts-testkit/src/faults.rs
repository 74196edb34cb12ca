//! What can happen to an engine, its links, its token, and the clocks.

use std::time::Duration;

use rts_proto::{AppId, Instant, LinkId, LoginCode, UserId};

use crate::net::{Break, Side};
use crate::world::link_of;
use crate::{APP_ID, Person, World};

impl World {
    /// Breaks every link of this engine; both ends are told, and what was under way is lost.
    pub fn cut(&mut self, who: Person) {
        let now = self.now();
        for link in self.links(who) {
            self.net.cut(now, link);
        }
    }

    /// Breaks off the engine's link in the middle of what is written: after so many bytes more
    /// towards `to`, counted over all its links from now on. Once; a later call takes the place of
    /// an earlier one.
    pub fn break_after(&mut self, who: Person, to: Side, bytes: u64, how: Break) {
        self.net.set_fuse(link_of(who, LinkId(0))..link_of(who + 1, LinkId(0)), to, bytes, how);
    }

    /// Takes back [`break_after`](Self::break_after), if it has not taken effect.
    pub fn break_nothing(&mut self) {
        self.net.clear_fuse();
    }

    /// Bytes that can still be written before [`break_after`](Self::break_after) takes effect;
    /// `None` when it has.
    #[must_use]
    pub fn bytes_before_break(&self) -> Option<u64> {
        self.net.fuse()
    }

    /// Breaks every link there is.
    pub fn cut_all(&mut self) {
        let now = self.now();
        for link in self.all_links() {
            self.net.cut(now, link);
        }
    }

    /// The engine's present link carries nothing towards `to` any more, and nobody is told. Links
    /// that it makes later work. What was written comes out if [`unstick`](Self::unstick) is called
    /// before the link is closed: then a link that was replaced long ago speaks again.
    pub fn half_open(&mut self, who: Person, to: Side) {
        if let Some(link) = self.links(who).last() {
            self.net.set_stuck(*link, to, true);
        }
    }

    /// Ends every [`half_open`](Self::half_open).
    pub fn unstick(&mut self) {
        self.net.unstick_all();
    }

    /// Nothing passes between this engine and the server, over whatever link, and nobody is told.
    /// Stalling several engines splits them off.
    pub fn stall(&mut self, who: Person) {
        self.people[who].is_stalled = true;
        self.hold_up(who);
    }

    /// What was held up goes on its way.
    pub fn unstall(&mut self, who: Person) {
        self.people[who].is_stalled = false;
        self.hold_up(who);
    }

    /// Breaks this engine's links and lets it make no new one.
    pub fn keep_out(&mut self, who: Person) {
        self.people[who].is_kept_out = true;
        self.cut(who);
    }

    /// Lets the engine make links again.
    pub fn let_in(&mut self, who: Person) {
        self.people[who].is_kept_out = false;
    }

    /// This engine's process stands still, and nobody is told.
    pub fn freeze(&mut self, who: Person) {
        self.people[who].is_frozen = true;
        self.freeze_deadline(who);
        self.hold_up(who);
    }

    /// The process goes on, and finds that much time has passed.
    pub fn thaw(&mut self, who: Person) {
        self.people[who].is_frozen = false;
        self.hold_up(who);
        self.drain_person(who);
    }

    /// The server stops in an orderly way: it asks every engine to come back at some time up to
    /// `retry_after_max`. [`restart_server`](Self::restart_server) puts another one in its place.
    pub fn shut_down_server(&mut self, retry_after_max: Duration) {
        let now = self.now();
        self.server.shutdown(now, retry_after_max);
        self.drain_server();
    }

    /// The server refuses this user with this code; `Ok` lets it in again.
    pub fn refuse(&mut self, uid: &str, code: LoginCode) {
        self.gate.refuse(uid, code);
    }

    /// A token for the app of [`connect`](Self::connect) and [`new`](Self::new), which never
    /// expires.
    ///
    /// # Panics
    ///
    /// If the user id is none.
    pub fn token(&mut self, uid: &str) -> String {
        self.token_of(&AppId::new(APP_ID).expect("an app id"), uid, 0)
    }

    /// A token for the engine's app. It is good for `lifetime` by the wall clock, in whole seconds.
    ///
    /// # Panics
    ///
    /// If the user id is none.
    pub fn token_for(&mut self, who: Person, uid: &str, lifetime: Duration) -> String {
        let seconds = self.wall_seconds() + lifetime.as_secs();
        let expire_at = u32::try_from(seconds).unwrap_or(u32::MAX).max(1);
        let app = self.people[who].app_id.clone();
        self.token_of(&app, uid, expire_at)
    }

    /// A token for any app of this world, good up to this second of Unix time; 0 is for ever.
    ///
    /// # Panics
    ///
    /// If the user id is none, or no engine is of this app.
    pub fn token_of(&mut self, app: &AppId, uid: &str, expire_at: u32) -> String {
        let issued_at = self.wall_second();
        self.gate.mint(app, uid, issued_at, expire_at)
    }

    /// Tokens of the engine's app are signed with a new key from now on. Those signed with the last
    /// one stay good if `keep_previous`; older ones do not.
    pub fn rotate_key(&mut self, who: Person, keep_previous: bool) {
        let app = self.people[who].app_id.clone();
        self.gate.rotate_key(&app, keep_previous);
    }

    /// Refuses the tokens of an app, or of one of its users, that were issued before this second of
    /// Unix time. A user who is logged in with one stays logged in.
    pub fn revoke(&mut self, app: &AppId, uid: Option<&UserId>, issued_before: u32) {
        self.gate.revoke(app, uid, issued_before);
    }

    /// Takes back every [`revoke`](Self::revoke).
    pub fn forget_revocations(&mut self) {
        self.gate.forget_revocations();
    }

    /// Sets the wall clock, which tokens are checked against. Nothing else follows it.
    pub fn jump_wall(&mut self, seconds: i64) {
        self.clock.jump_wall(seconds);
    }

    /// Unix time, in seconds.
    #[must_use]
    pub fn wall_seconds(&self) -> u64 {
        self.clock.wall_micros() / 1_000_000
    }

    /// The same at an earlier moment, if the clock was not set since.
    #[must_use]
    pub fn wall_seconds_at(&self, moment: Instant) -> u64 {
        let ago = self.now().since(moment).as_micros();
        self.clock.wall_micros().saturating_sub(u64::try_from(ago).unwrap_or(u64::MAX)) / 1_000_000
    }

    /// How long until this moment; zero when it has passed.
    #[must_use]
    pub fn until(&self, moment: Instant) -> Duration {
        moment.since(self.now())
    }

    /// Unix time as tokens have it, which ends in 2106.
    fn wall_second(&self) -> u32 {
        u32::try_from(self.wall_seconds()).unwrap_or(u32::MAX)
    }
}
