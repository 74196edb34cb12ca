//! Faults of engines, links, tokens and clocks.

use std::time::Duration;

use rts_proto::server::{Command, Shards as _};
use rts_proto::{AppId, Instant, LinkId, LoginCode, UserId};

use crate::net::{Break, Side};
use crate::world::link_of;
use crate::{APP_ID, EngineIndex, World};

impl World {
    /// Breaks every link of this engine. Both ends are notified, and bytes in transit are lost.
    pub fn cut(&mut self, who: EngineIndex) {
        let now = self.now();
        for link in self.links(who) {
            self.net.cut(now, link);
        }
    }

    /// Breaks off the engine's link after `bytes` more bytes towards `to`, also in the middle of a
    /// frame. The bytes are counted over all links of the engine from now on. It happens once, and
    /// a later call replaces an earlier one.
    pub fn break_after(&mut self, who: EngineIndex, to: Side, bytes: u64, how: Break) {
        self.net.plan_break(link_of(who, LinkId(0))..link_of(who + 1, LinkId(0)), to, bytes, how);
    }

    /// Cancels [`break_after`](Self::break_after), if it has not taken effect.
    pub fn break_nothing(&mut self) {
        self.net.cancel_break();
    }

    /// Bytes that can still be written before [`break_after`](Self::break_after) takes effect;
    /// `None` when it has.
    #[must_use]
    pub fn bytes_before_break(&self) -> Option<u64> {
        self.net.bytes_before_break()
    }

    /// Breaks every link.
    pub fn cut_all(&mut self) {
        let now = self.now();
        for link in self.all_links() {
            self.net.cut(now, link);
        }
    }

    /// Stops all bytes towards `to` on the engine's present link, without a notice to either end.
    /// Links that the engine opens later work. If [`end_half_open`](Self::end_half_open) is called
    /// before the link is closed, the bytes written meanwhile arrive, perhaps after the link was
    /// replaced.
    pub fn half_open(&mut self, who: EngineIndex, to: Side) {
        if let Some(link) = self.links(who).last() {
            self.net.set_half_open(*link, to, true);
        }
    }

    /// Ends every [`half_open`](Self::half_open).
    pub fn end_half_open(&mut self) {
        self.net.end_all_half_open();
    }

    /// Stops all bytes between this engine and the server, on every link, without a notice to
    /// either end. Several stalled engines make a network partition.
    pub fn stall(&mut self, who: EngineIndex) {
        self.engines[who].is_stalled = true;
        self.hold_up(who);
    }

    /// Ends [`stall`](Self::stall): the bytes written meanwhile arrive.
    pub fn unstall(&mut self, who: EngineIndex) {
        self.engines[who].is_stalled = false;
        self.hold_up(who);
    }

    /// Breaks this engine's links and makes its attempts to connect fail.
    pub fn block_connects(&mut self, who: EngineIndex) {
        self.engines[who].connects_blocked = true;
        self.cut(who);
    }

    /// Ends [`block_connects`](Self::block_connects).
    pub fn allow_connects(&mut self, who: EngineIndex) {
        self.engines[who].connects_blocked = false;
    }

    /// Stops this engine's process, without a notice to its peers.
    pub fn freeze(&mut self, who: EngineIndex) {
        self.engines[who].is_frozen = true;
        self.freeze_deadline(who);
        self.hold_up(who);
    }

    /// Ends [`freeze`](Self::freeze): the process runs again, at the present time.
    pub fn thaw(&mut self, who: EngineIndex) {
        self.engines[who].is_frozen = false;
        self.hold_up(who);
        self.drain_engine(who);
    }

    /// Shuts the server down in an orderly way. It asks every engine to reconnect after a random
    /// delay of up to `retry_after_max`. [`restart_server`](Self::restart_server) starts the next
    /// server.
    pub fn shut_down_server(&mut self, retry_after_max: Duration) {
        for shard in self.all_shards() {
            let shutdown = Command::Shutdown { retry_after_max };
            self.shard(shard, |server, now| server.command(now, shutdown));
        }
    }

    /// Makes the server refuse logins of this user with `code`. [`LoginCode::Ok`] ends that.
    pub fn refuse(&mut self, uid: &str, code: LoginCode) {
        self.gate.refuse(uid, code);
    }

    /// A token for the app of [`connect`](Self::connect) and [`new`](Self::new), which never
    /// expires.
    ///
    /// # Panics
    ///
    /// If the user id is invalid.
    pub fn token(&mut self, uid: &str) -> String {
        self.token_of(&AppId::new(APP_ID).expect("an app id"), uid, 0)
    }

    /// A token for the engine's app, valid for `lifetime` by the wall clock, in whole seconds.
    ///
    /// # Panics
    ///
    /// If the user id is invalid.
    pub fn token_for(&mut self, who: EngineIndex, uid: &str, lifetime: Duration) -> String {
        let seconds = self.wall_seconds() + lifetime.as_secs();
        let expire_at = u32::try_from(seconds).unwrap_or(u32::MAX).max(1);
        let app = self.engines[who].app_id.clone();
        self.token_of(&app, uid, expire_at)
    }

    /// A token for any app of this world, valid up to this second of Unix time. Zero is for ever.
    ///
    /// # Panics
    ///
    /// If the user id is invalid, or no engine belongs to this app.
    pub fn token_of(&mut self, app: &AppId, uid: &str, expire_at: u32) -> String {
        let issued_at = self.wall_second();
        self.gate.mint(app, uid, issued_at, expire_at)
    }

    /// Replaces the key that signs tokens of the engine's app. Tokens signed with the previous key
    /// stay valid if `keep_previous`. Tokens signed with older keys do not.
    pub fn rotate_key(&mut self, who: EngineIndex, keep_previous: bool) {
        let app = self.engines[who].app_id.clone();
        self.gate.rotate_key(&app, keep_previous);
    }

    /// Revokes the tokens of an app, or of one of its users, that were issued before this second of
    /// Unix time. Sessions that began with such a token continue.
    pub fn revoke(&mut self, app: &AppId, uid: Option<&UserId>, issued_before: u32) {
        self.gate.revoke(app, uid, issued_before);
    }

    /// Undoes every [`revoke`](Self::revoke).
    pub fn forget_revocations(&mut self) {
        self.gate.forget_revocations();
    }

    /// Moves the wall clock, which only the checks of tokens follow.
    pub fn jump_wall(&mut self, seconds: i64) {
        self.clock.jump_wall(seconds);
    }

    /// Unix time, in seconds.
    #[must_use]
    pub fn wall_seconds(&self) -> u64 {
        self.clock.wall_micros() / 1_000_000
    }

    /// The time until this moment; zero if it has passed.
    #[must_use]
    pub fn until(&self, moment: Instant) -> Duration {
        moment.since(self.now())
    }

    /// Unix time in seconds as tokens hold it, up to the year 2106.
    fn wall_second(&self) -> u32 {
        u32::try_from(self.wall_seconds()).unwrap_or(u32::MAX)
    }
}
