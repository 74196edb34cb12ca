//! The server core and its driver: verdicts, posts, deadlines.

use std::collections::BTreeSet;

use rts_proto::server::{self, NodeNumber, ShardId, Verdict};
use rts_proto::wire::ResumeKey;
use rts_proto::{CallId, Instant, LinkId, LoginId};

use super::{Happening, Party, World, move_deadline, owner};
use crate::Side;
use crate::node::{Node, Shard};

impl World {
    pub(super) fn tick_shard(&mut self, shard: ShardId) {
        let now = self.now();
        if self.is_frozen(shard) {
            return self.set_shard_deadline(shard, None);
        }
        self.input(shard, server::Input::Tick);
        self.drain_shard(shard);
        let Shard { core, deadline } = self.node.shard(shard);
        assert!(deadline.is_none_or(|next| next > now), "{:?}", core.wake_reason());
    }

    /// A resume key that differs from all others. It is not secret in a simulation.
    pub(super) fn resume_key(&self, link: LinkId) -> ResumeKey {
        let mut key = [0; 16];
        key[..8].copy_from_slice(&link.0.to_le_bytes());
        key[8..].copy_from_slice(&self.restarts.to_le_bytes());
        ResumeKey(key)
    }

    /// Executes the outputs of a shard.
    pub(crate) fn drain_shard(&mut self, shard: ShardId) {
        let now = self.now();
        if !self.node.has(shard) || self.is_frozen(shard) {
            return;
        }
        let deadline = loop {
            match self.node.shard_mut(shard).core.poll_output() {
                server::Output::Transmit(link, bytes) => {
                    self.transmit(link, Side::Client, bytes);
                    self.look_at_congestion(link);
                }
                server::Output::Disconnect(link, code) => {
                    self.log.push((now, Happening::Closed(owner(link).0, code)));
                    self.remember_stale_link(Side::Server, link);
                    self.net.close(now, link, Side::Server);
                    self.congested.remove(&link);
                    self.node.forget(link);
                }
                server::Output::HandOver(link, to, opened) => self.hand_over(link, to, opened),
                server::Output::Peer(to, entries) => self.send_entries(shard, to, entries),
                server::Output::Authenticate(login, credentials) => {
                    let login = LoginId(of_shard(shard, login.0));
                    self.judged.insert(login, *credentials);
                    self.verdicts.insert((now + self.verdict_delay, login));
                    self.give_verdicts();
                }
                server::Output::CheckTarget(target, asked) => {
                    let is_allowed = self.app_server.allows(&asked);
                    self.log.push((now, Happening::TargetChecked(asked, is_allowed)));
                    self.input(shard, server::Input::TargetChecked(target, is_allowed));
                }
                server::Output::PostToAppServer(call, post) => {
                    let call = CallId(of_shard(shard, call.0));
                    self.log.push((now, Happening::Posted(call, post.clone())));
                    self.app_server.post(now, call, *post);
                }
                server::Output::AbandonPost(call) => {
                    let call = CallId(of_shard(shard, call.0));
                    self.log.push((now, Happening::PostAbandoned(call)));
                    self.app_server.abandon(call);
                }
                server::Output::Report(app, report) => {
                    self.log.push((now, Happening::Reported(app, report)));
                }
                server::Output::Respond(id, response) => self.responded(id, *response),
                server::Output::Notice(_) => {}
                server::Output::Wait(deadline) => break deadline,
            }
        };
        let deadline = deadline.map(|deadline| self.moment_of(shard, deadline));
        self.set_shard_deadline(shard, deadline);
        self.look_at_homes(shard);
    }

    pub(super) fn set_shard_deadline(&mut self, shard: ShardId, deadline: Option<Instant>) {
        let before = std::mem::replace(&mut self.node.shard_mut(shard).deadline, deadline);
        move_deadline(&mut self.deadlines, Party::Shard(shard), before, deadline);
    }

    /// Gives a shard an input, which waits if the shard may not act.
    pub(crate) fn input(&mut self, shard: ShardId, input: server::Input) {
        if !self.node.has(shard) {
            return;
        }
        if self.is_frozen(shard) {
            return self.hold(shard, input);
        }
        let time = self.time_of(shard);
        self.node.shard_mut(shard).core.handle_input(time, input);
    }

    /// Gives a link's input to its shard, and returns that shard.
    pub(super) fn input_of(&mut self, link: LinkId, input: server::Input) -> Option<ShardId> {
        let (shard, input) = self.node.shard_for(link, input)?;
        self.input(shard, input);
        Some(shard)
    }

    pub(super) fn let_app_server_answer(&mut self) {
        while let Some((call, progress)) = self.app_server.take(self.now()) {
            let said = Happening::AppServerSaid(call, progress.clone());
            self.log.push((self.now(), said));
            let (shard, call) = own_number(call.0);
            self.input(shard, server::Input::AppServerReplied(CallId(call), progress));
            self.drain_shard(shard);
        }
    }

    pub(super) fn give_verdicts(&mut self) {
        let now = self.now();
        let mut shards = BTreeSet::new();
        while let Some((_, login)) = self.verdicts.first().copied().filter(|(at, _)| *at <= now) {
            self.verdicts.pop_first();
            let Some(credentials) = self.judged.remove(&login) else { continue };
            let (shard, login) = own_number(login.0);
            let wall_micros = self.wall_micros_of(shard);
            let verdict = match self.gate.judge(wall_micros, &credentials) {
                Ok(issued_at) => Verdict::Accept { claim: self.next_claim(shard), issued_at },
                Err(code) => Verdict::Refuse(code),
            };
            let wall_seconds = wall_micros / 1_000_000;
            self.log.push((now, Happening::Judged(credentials, verdict, wall_seconds)));
            self.input(shard, server::Input::Verdict(LoginId(login), verdict));
            shards.insert(shard);
        }
        shards.into_iter().for_each(|shard| self.drain_shard(shard));
    }

    /// Replaces the server by a new one without any state, with as many shards.
    pub fn restart_server(&mut self, config: server::Config) {
        self.cut_all();
        self.restarts += 1;
        self.verdicts.clear();
        self.judged.clear();
        self.stale_links.clear();
        self.gate.restart();
        self.app_server.forget_callers(|_| true);
        self.congested.clear();
        self.mailboxes.clear();
        self.log.push((self.now(), Happening::Restarted));
        self.requests_end(|_| true);
        match self.cluster {
            None => self.replace_node(config, self.node.len()),
            Some(_) => self.restart_cluster(config),
        }
    }

    /// Puts a new server in the place of the last one.
    pub(super) fn replace_node(&mut self, config: server::Config, shards: usize) {
        self.node.ids().for_each(|shard| self.set_shard_deadline(shard, None));
        let seed = self.seed.wrapping_add(self.restarts);
        self.node = Node::new(config, shards, self.seed, seed);
        self.node.ids().for_each(|shard| self.drain_shard(shard));
    }
}

/// Bits of a world's number of a login or a post that hold the shard's own number.
const OWN_BITS: u32 = 48;

/// The world's number of a login or a post that the shard counts for itself.
fn of_shard(shard: ShardId, own: u64) -> u64 {
    let number = shard.node().number() * ShardId::COUNT_MAX + shard.number();
    (number as u64) << OWN_BITS | own
}

/// The shard that makes a post.
#[must_use]
pub fn shard_of_call(call: CallId) -> ShardId {
    own_number(call.0).0
}

/// The shard and its own number of a login or a post.
fn own_number(number: u64) -> (ShardId, u64) {
    let above = usize::try_from(number >> OWN_BITS).expect("made from a shard");
    let node = NodeNumber::new(above / ShardId::COUNT_MAX);
    let shard = node.and_then(|node| ShardId::of_node(node, above % ShardId::COUNT_MAX));
    (shard.expect("made from a shard"), number & ((1 << OWN_BITS) - 1))
}
