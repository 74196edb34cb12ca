//! Answers of the driver: verdicts, targets of posts, and progress of posts.

use rts_proto::limits::REPLY_BYTES_MAX;
use rts_proto::server::{Input, PostProgress, Verdict};
use rts_proto::{LoginCode, Reply};

use super::World;
use crate::script::Script;

impl World {
    pub(super) fn judge(&mut self, script: &mut Script<'_>) {
        self.drain();
        let Some((shard, login)) = self.to_judge.pop_front() else { return };
        let verdict = match script.byte() {
            0xFF => Verdict::Accept { claim: u64::MAX, issued_at: u32::MAX },
            // This is no refusal, and must be handled as one.
            0xFE => Verdict::Refuse(LoginCode::Ok),
            byte @ 0xF0.. => {
                Verdict::Refuse(LoginCode::ALL[usize::from(byte) % LoginCode::ALL.len()])
            }
            byte => Verdict::Accept {
                claim: self.node.now.as_micros() + u64::from(byte),
                issued_at: byte.into(),
            },
        };
        self.node.handle(shard, Input::Verdict(login, verdict));
    }

    pub(super) fn answer_about_target(&mut self, script: &mut Script<'_>) {
        self.drain();
        let Some((shard, target)) = self.targets.pop_front() else { return };
        let is_allowed = script.byte() < 0xC0;
        self.node.handle(shard, Input::TargetChecked(target, is_allowed));
    }

    pub(super) fn post_progresses(&mut self, script: &mut Script<'_>) {
        self.drain();
        if self.posts.is_empty() {
            return;
        }
        let (shard, call) = self.posts[usize::from(script.byte()) % self.posts.len()];
        let progress = match script.byte() % 5 {
            0 => PostProgress::Begun,
            1 => PostProgress::Answered(script.reply()),
            2 => PostProgress::Answered(Reply::new(vec![0; REPLY_BYTES_MAX + 1])),
            3 => PostProgress::AnsweredBadly,
            _ => PostProgress::NotReached,
        };
        if progress != PostProgress::Begun {
            self.posts.retain(|under_way| *under_way != (shard, call));
        }
        self.node.handle(shard, Input::AppServerReplied(call, progress));
    }
}
