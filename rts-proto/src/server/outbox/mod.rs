//! All output, in its order: broadcasts into windows first, then other frames of a session. At the
//! end of a burst one acknowledgement, the results in batches (§4.4, §5.8) and the rest of the
//! window follow.
//!
//! What is for a session of another shard becomes an entry for that shard, and so do entries for
//! the shards of users and rooms.
//!
//! Only this part writes to the windows of sessions. A method that adds to a window, sends it or
//! reads its size puts waiting broadcasts into the windows first, so that no caller can forget it.
//! Acknowledging and resuming need not: they concern frames that are in the window already.

mod acks;
mod bundle;
mod fan_out;
mod flow;
mod flush;
mod peers;
mod ready;
mod results;

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use bytes::Bytes;

pub(super) use fan_out::{Audience, Audiences};
pub(super) use flow::Flow;

use super::io::{Deliveries, Entry, Output};
use super::keys::{Origin, SessionNumber};
use super::placement::ShardId;
use super::sessions::Sessions;
#[cfg(test)]
use crate::kept::Kept;
use crate::planted::{Bug, planted};
use crate::{AppId, Instant, LinkId};
use bundle::Bundler;
use fan_out::FanOut;
use peers::{Peers, Receivers};
use ready::{LateAcks, ReadyQueue};

#[derive(Debug, Default)]
pub(super) struct Outbox {
    outputs: VecDeque<Output>,
    fan_out: FanOut,
    ready: ReadyQueue,
    late_acks: LateAcks,
    bundler: Bundler,
    peers: Peers,
    /// Sessions that get a Pong with the next flush.
    pongs: Vec<SessionNumber>,
    /// The senders of newly acknowledged messages, while an acknowledgement is handled.
    acknowledged: Vec<Origin>,
    /// Sessions that had no space for a frame that they must get. They are ended when the input is
    /// handled, because this may be in the middle of a fan-out.
    overrun: Vec<SessionNumber>,
}

impl Outbox {
    /// Adds an output that does not concern a link.
    pub(super) fn put(&mut self, output: Output) {
        self.outputs.push_back(output);
    }

    pub(super) fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Puts a frame into a session's window. The frame goes out at the end of the burst. False when
    /// the window has no space, or the session does not exist.
    pub(super) fn push(
        &mut self,
        sessions: &mut Sessions,
        now: Instant,
        number: SessionNumber,
        frame: Bytes,
        origin: Option<Origin>,
    ) -> bool {
        self.settle(sessions, now);
        let Some(session) = sessions.get_mut(number) else { return false };
        let has_room = session.flow.push(frame, origin);
        self.ready.add(now, number, &mut session.flow);
        has_room
    }

    /// Puts a frame into the window of a session that must get it. A session without space for it
    /// has missed a frame, and ends (§6.8).
    pub(super) fn push_or_end(
        &mut self,
        sessions: &mut Sessions,
        now: Instant,
        number: SessionNumber,
        frame: Bytes,
    ) {
        self.settle(sessions, now);
        let Some(session) = sessions.get_mut(number) else {
            if let Some((shard, session)) = sessions.elsewhere(number) {
                self.ready.begin(now);
                self.peers.add(shard, Entry::Push { session, frame });
            }
            return;
        };
        if session.flow.push(frame, None) {
            self.ready.add(now, number, &mut session.flow);
        } else {
            self.overrun_by(number, &mut session.flow);
        }
    }

    /// Puts a frame into the windows of sessions that must get it.
    pub(super) fn push_to_each(
        &mut self,
        sessions: &mut Sessions,
        now: Instant,
        receivers: impl Iterator<Item = SessionNumber>,
        frame: &Bytes,
    ) {
        let mut elsewhere = Receivers::default();
        for number in receivers {
            match sessions.elsewhere(number) {
                Some((shard, number)) => elsewhere.add(shard, number),
                None => self.push_or_end(sessions, now, number, frame.clone()),
            }
        }
        if !elsewhere.is_empty() {
            // Earlier broadcasts go first, also if all receivers are in other shards.
            self.settle(sessions, now);
            self.ready.begin(now);
            self.peers.push_to_each(elsewhere, || alloc::vec![(None, frame.clone())]);
        }
    }

    /// Accepts a broadcast to all members of an audience but its sender.
    pub(super) fn broadcast(
        &mut self,
        sessions: &mut Sessions,
        now: Instant,
        from: Option<SessionNumber>,
        frame: Bytes,
        audience: Audience,
        members: impl Iterator<Item = SessionNumber>,
    ) {
        if !self.fan_out.takes(audience, &frame) {
            self.settle(sessions, now);
            self.fan_out.begin(audience, members);
        }
        self.ready.begin(now);
        self.fan_out.add(from, frame);
    }

    /// Puts the waiting broadcasts into the windows of the members.
    #[inline]
    pub(super) fn settle(&mut self, sessions: &mut Sessions, now: Instant) {
        // This is checked for each frame, and mostly there are none.
        if !self.fan_out.is_empty() {
            self.fan_out_now(sessions, now);
        }
    }

    fn fan_out_now(&mut self, sessions: &mut Sessions, now: Instant) {
        let mut fan_out = core::mem::take(&mut self.fan_out);
        let all = fan_out.joined();
        let mut elsewhere = Receivers::default();
        for member in fan_out.members() {
            let Some(session) = sessions.get_mut(member) else {
                if let Some((shard, member)) = sessions.elsewhere(member) {
                    elsewhere.add(shard, member);
                }
                continue;
            };
            if fan_out.push_to(member, &mut session.flow, &all) {
                self.ready.add(now, member, &mut session.flow);
            } else {
                self.overrun_by(member, &mut session.flow);
            }
        }
        if !elsewhere.is_empty() && !planted(Bug::BroadcastStaysInShard) {
            self.ready.begin(now);
            self.peers.push_to_each(elsewhere, || fan_out.frames());
        }
        fan_out.clear();
        self.fan_out = fan_out;
    }

    /// Puts frames from another shard into the windows of sessions that must get them.
    pub(super) fn push_from_peer(
        &mut self,
        sessions: &mut Sessions,
        now: Instant,
        receivers: Vec<SessionNumber>,
        frames: Vec<(Option<SessionNumber>, Bytes)>,
    ) {
        self.settle(sessions, now);
        self.fan_out.begin(Audience::OF_PEER, receivers.into_iter());
        // Copies, because counting the users of memory of another thread is slow.
        for (from, frame) in frames {
            self.fan_out.add(from, Bytes::copy_from_slice(&frame));
        }
        self.settle(sessions, now);
    }

    /// Sends another shard an entry, behind all earlier frames for its sessions. With an app, the
    /// entry is about that app.
    pub(super) fn send_to_shard(
        &mut self,
        sessions: &mut Sessions,
        now: Instant,
        to: ShardId,
        app_id: Option<&AppId>,
        entry: Entry,
    ) {
        self.settle(sessions, now);
        self.ready.begin(now);
        match app_id {
            Some(app_id) => self.peers.add_in_app(to, app_id, entry),
            None => self.peers.add(to, entry),
        }
    }

    /// The outbox without waiting broadcasts, for a caller that needs sessions at the same time.
    #[inline]
    pub(super) fn settled(&mut self, sessions: &mut Sessions, now: Instant) -> Settled<'_> {
        self.settle(sessions, now);
        Settled { outbox: self, now }
    }

    /// Sets whether too many entries wait for a shard.
    pub(super) fn set_congested(&mut self, shard: ShardId, is_congested: bool) {
        self.peers.set_congested(shard, is_congested);
    }

    /// Whether messages for a shard are refused now.
    pub(super) fn is_congested(&self, shard: ShardId) -> bool {
        self.peers.is_congested(shard)
    }

    /// Whether messages for any shard are refused now.
    pub(super) fn is_any_congested(&self) -> bool {
        self.peers.is_any_congested()
    }

    /// Sends a frame that is not sequenced, after all earlier frames of the session.
    pub(super) fn transmit(
        &mut self,
        sessions: &mut Sessions,
        now: Instant,
        link: LinkId,
        session: Option<SessionNumber>,
        frame: Bytes,
    ) {
        if let Some(number) = session {
            self.settle(sessions, now);
            if let Some(session) = sessions.get_mut(number)
                && let Some(link) = session.link()
            {
                self.bundler.begin().transmit(link, &mut session.flow, &mut self.outputs);
            }
        }
        self.put(Output::Transmit(link, frame));
    }

    /// Bytes that a session has not acknowledged.
    pub(super) fn unacked_bytes(
        &mut self,
        sessions: &mut Sessions,
        now: Instant,
        number: SessionNumber,
    ) -> Option<usize> {
        self.settle(sessions, now);
        Some(sessions.get(number)?.flow.settled_bytes())
    }

    /// The window of a session that moved here had no space.
    pub(super) fn set_overrun(&mut self, sessions: &mut Sessions, number: SessionNumber) {
        if let Some(session) = sessions.get_mut(number) {
            self.overrun_by(number, &mut session.flow);
        }
    }

    fn overrun_by(&mut self, number: SessionNumber, flow: &mut Flow) {
        if !flow.set_lost() {
            self.overrun.push(number);
        }
    }

    /// Whether a session missed a frame that it must get.
    #[inline]
    pub(super) fn has_overrun(&self) -> bool {
        !self.overrun.is_empty()
    }

    /// The next session that missed a frame that it must get. It has to end.
    pub(super) fn pop_overrun(&mut self) -> Option<SessionNumber> {
        self.overrun.pop()
    }

    /// Entries held, so that tests can check for leaks.
    #[cfg(test)]
    pub(super) fn kept(&self) -> Kept {
        let Self {
            outputs,
            fan_out,
            ready,
            late_acks,
            bundler,
            peers,
            pongs,
            acknowledged,
            overrun,
        } = self;
        alloc::vec![
            ("outputs", outputs.len()),
            ("broadcasts", fan_out.len()),
            ("ready sessions", ready.len()),
            ("late acknowledgements", late_acks.len()),
            ("bundles", bundler.len()),
            ("entries for other shards", peers.len()),
            ("pongs", pongs.len()),
            ("acknowledged sends", acknowledged.len()),
            ("overrun sessions", overrun.len()),
        ]
    }
}

/// An outbox without waiting broadcasts.
pub(super) struct Settled<'a> {
    outbox: &'a mut Outbox,
    now: Instant,
}

impl<'a> Settled<'a> {
    /// The messages to users of an app in another shard, to add one. It follows all earlier frames
    /// for sessions of that shard.
    #[inline]
    pub(super) fn deliveries_in(self, shard: ShardId, app_id: &AppId) -> &'a mut Deliveries {
        self.outbox.ready.begin(self.now);
        self.outbox.peers.deliveries_in(shard, app_id)
    }

    /// The messages that are passed on to users of an app in another shard, to add one.
    pub(super) fn passed_on_in(self, shard: ShardId, app_id: &AppId) -> &'a mut Deliveries {
        self.outbox.ready.begin(self.now);
        self.outbox.peers.passed_on_in(shard, app_id)
    }
}

#[cfg(test)]
mod tests;
