//! Broadcasts. Those to one room that come one behind the other in a burst go to each member as one
//! piece, which all members share: what a member costs is then paid once for all of them. §6.5.

use alloc::vec::Vec;

use bytes::Bytes;

use super::bundle::{BUNDLE_BYTES_MAX, joined};
use super::rooms::Room;
use super::session::{Outcome, Session, SessionNumber};
use super::{Rate, Server};
use crate::payload::PayloadRef;
use crate::planted::{Bug, planted};
use crate::{AppId, BroadcastCode, Instant, MessageId, RoomId, wire};

/// Broadcasts to one room that were accepted, and that no member has in its window yet: at most
/// [`BUNDLE_BYTES_MAX`] of them, or one.
///
/// They are put there before anything else changes a member's window, or who is a member. So all
/// that comes in settles them first ([`Server::advance`], timers, frames, breaches), but for two
/// frames: a `Broadcast` to the same room, which joins them, and an `Ack`, which only takes from
/// the front of a window.
#[derive(Debug, Default)]
pub(super) struct FanOut {
    room: Option<(AppId, RoomId)>,
    /// Each with its sender, who does not get it.
    frames: Vec<(SessionNumber, Bytes)>,
    bytes_len: usize,
}

impl FanOut {
    fn takes(&self, app_id: &AppId, room: &RoomId, frame: &Bytes) -> bool {
        let is_same =
            self.room.as_ref().is_some_and(|whose| whose.0 == *app_id && whose.1 == *room);
        is_same && self.bytes_len + frame.len() <= BUNDLE_BYTES_MAX
    }

    pub(super) fn is_empty(&self) -> bool {
        self.room.is_none()
    }

    fn frames_len(&self) -> u32 {
        u32::try_from(self.frames.len()).expect("each has a byte of BUNDLE_BYTES_MAX")
    }

    fn is_by(&self, number: SessionNumber) -> bool {
        self.frames.iter().any(|(sender, _)| *sender == number)
    }

    /// All frames one behind the other.
    fn joined(&self) -> Bytes {
        match &self.frames[..] {
            [(_, frame)] => frame.clone(),
            frames => joined(frames.iter().map(|(_, frame)| frame), self.bytes_len),
        }
    }

    /// Puts into a member's window what others sent; false when it has no room for that.
    fn push_to(&self, member: SessionNumber, session: &mut Session, all: &Bytes) -> bool {
        if !self.is_by(member) || planted(Bug::EchoToSender) {
            return session.push_run(all.clone(), self.frames_len(), None);
        }
        let mut others = self.frames.iter().filter(|(sender, _)| *sender != member);
        others.all(|(_, frame)| session.push(frame.clone(), None))
    }
}

impl Server {
    pub(super) fn broadcast(
        &mut self,
        now: Instant,
        number: SessionNumber,
        id: MessageId,
        room: RoomId,
        payload: PayloadRef<'_>,
    ) {
        let code = self.accept_broadcast(now, number, &room, payload);
        self.add_outcome(now, number, Outcome::Broadcast(room, code, id));
    }

    fn accept_broadcast(
        &mut self,
        now: Instant,
        number: SessionNumber,
        id: &RoomId,
        payload: PayloadRef<'_>,
    ) -> BroadcastCode {
        let Some(session) = self.sessions.get_mut(number) else { return BroadcastCode::Unknown };
        if !session.allowance(now, &self.config).broadcasts.take(now) {
            self.notice_over_rate(now, number, Rate::Broadcasts);
            return BroadcastCode::OverRate;
        }
        if !session.rooms.contains(id) {
            return BroadcastCode::NotInRoom;
        }
        let mut app_id = session.app_id.clone();
        if planted(Bug::RoomOfAnyApp)
            && let Some((any, _)) = self.apps.iter().find(|(_, app)| app.rooms.contains_key(id))
        {
            app_id = any.clone();
        }
        let room = self.apps.get_mut(&app_id).and_then(|app| app.rooms.get_mut(id));
        let Some(room) = room else { return BroadcastCode::NotInRoom };
        if !room.broadcasts.take(now) {
            self.notice_over_rate(now, number, Rate::RoomBroadcasts);
            return BroadcastCode::OverRate;
        }
        let frame = wire::room_delivery(&session.uid, id, payload);
        if !self.fan_out.takes(&app_id, id, &frame) {
            self.settle_broadcasts();
            self.fan_out.room = Some((app_id, id.clone()));
        }
        self.fan_out.bytes_len += frame.len();
        self.fan_out.frames.push((number, frame));
        BroadcastCode::Ok
    }

    /// Puts what was broadcast into the windows of the members.
    #[inline]
    pub(super) fn settle_broadcasts(&mut self) {
        // Asked for each frame, and mostly there are none.
        if self.fan_out.room.is_some() {
            self.fan_out_now();
        }
    }

    fn fan_out_now(&mut self) {
        let Some((app_id, id)) = self.fan_out.room.take() else { return };
        let mut fan_out = core::mem::take(&mut self.fan_out);
        let all = fan_out.joined();
        let room = self.apps.get(&app_id).and_then(|app| app.rooms.get(&id));
        let mut skips = planted(Bug::BroadcastSkipsOne);
        for member in room.into_iter().flat_map(Room::sessions) {
            if skips && !fan_out.is_by(member) {
                skips = false;
                continue;
            }
            let Some(session) = self.sessions.get_mut(member) else { continue };
            if fan_out.push_to(member, session, &all) {
                self.dirty.add(self.now, member, session);
            } else {
                self.overrun.add(member, session);
            }
        }
        // Its memory serves again.
        fan_out.frames.clear();
        self.fan_out.frames = fan_out.frames;
    }
}
