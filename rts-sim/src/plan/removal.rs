//! Commands that remove users, and the reactions of these users.

use std::time::Duration;

use super::draw::Draw;
use super::{Banned, Command, Slot, Step, TokenKind};

/// Broadcasts of a user around its removal.
const CROSSINGS: usize = 6;

impl Draw<'_> {
    /// Broadcasts and a join that are under way to another shard cross the removal of their user.
    fn crossings(&mut self, removed_at: Duration, who: Slot, room: usize) {
        let just_before = removed_at.saturating_sub(Duration::from_millis(60));
        for _ in 0..CROSSINGS {
            let at = just_before + Duration::from_millis(self.rng.u64(0..80));
            let step = Step::Broadcast { who, room, bytes: 40, is_binary: false };
            self.steps.push((at, step));
        }
        if self.rng.bool() {
            let at = just_before + Duration::from_millis(self.rng.u64(0..60));
            self.steps.push((at, Step::Leave { who, room }));
            self.steps.push((at, Step::Join { who, room }));
        }
    }

    /// A removed user mostly tries to return, during a ban and after it.
    pub(super) fn removal(
        &mut self,
        at: Duration,
        app: usize,
        user: usize,
        room: usize,
    ) -> Command {
        let seconds = self.rng.u64(1..60);
        let whom = match self.rng.u32(0..4) {
            0 => Banned::Room(room),
            1 => Banned::UserInRoom(room, user),
            2 => Banned::User(user),
            _ => Banned::Login(user),
        };
        let everybody = self.rng.bool();
        let command = match self.rng.u32(0..11) {
            9 | 10 => Command::Revoke { user: (!everybody).then_some(user) },
            0..3 => Command::Kick { room, user },
            3 | 4 => Command::Dismiss { room },
            5 => Command::Disconnect { user },
            _ => Command::Ban { whom, seconds },
        };
        if matches!(command, Command::Ban { .. }) && self.rng.u32(0..3) == 0 {
            let lifted = at + Duration::from_millis(self.rng.u64(0..seconds * 1_000));
            let command = Command::Ban { whom, seconds: 0 };
            self.steps.push((lifted, Step::Command { app, command }));
        }
        // Sometimes the user is offline when it is put out, and returns soon.
        let is_away = matches!(command, Command::Disconnect { .. }) && self.rng.bool();
        let (before, after) = (Duration::from_secs(12), Duration::from_secs(6));
        for who in 0..self.swarm.engines.len() {
            if is_away && self.swarm.engines[who] == (app, user) {
                let begin = at.saturating_sub(before);
                self.steps.push((begin, Step::Stall { who, on: true }));
                self.steps.push((at + after, Step::Stall { who, on: false }));
            }
            let (of, own) = self.swarm.engines[who];
            // A user with a revoked token mostly gets another one.
            if of == app && command.revokes(own) && self.rng.u32(0..4) > 0 {
                let soon = at + Duration::from_millis(self.rng.u64(0..20_000));
                self.steps.push((soon, Step::Refresh { who, token: TokenKind::Good }));
            }
            if self.swarm.shape.has_mailboxes() && self.swarm.engines[who] == (app, user) {
                self.crossings(at, who, room);
            }
            if self.swarm.engines[who] == (app, user) && self.rng.u32(0..4) > 0 {
                if command.puts_out(user) {
                    let again = at + Duration::from_millis(self.rng.u64(0..60_000));
                    self.steps.push((again, Step::Login { who, token: TokenKind::Good }));
                }
                let soon = at + Duration::from_millis(self.rng.u64(0..8_000));
                let later = at + Duration::from_millis(self.rng.u64(8_000..90_000));
                self.steps.push((soon, Step::Join { who, room }));
                self.steps.push((later, Step::Join { who, room }));
            }
        }
        command
    }
}
