//! Broadcasts. Those to one room that come one behind the other in a burst go to each member as one piece, which all members
//! share: what a member costs is then paid once for all of them. §6.5.

use alloc::vec::Vec;

use bytes::{Bytes, BytesMut};

use super::Server;
use super::bundle::BUNDLE_BYTES_MAX;
use super::rooms::Room;
use super::session::{Outcome, SessionNumber};
use crate::payload::PayloadRef;
use crate::planted::{Bug, planted};
use crate::wire;
use crate::{AppId, BroadcastCode, Instant, MessageId, RoomId};

/// Broadcasts to one room that were accepted, and that no member has in its window yet. They are put there
/// before anything else happens that a member, or who is one, could tell from the order.
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

    /// All frames one behind the other.
    fn joined(&self) -> Bytes {
        if let [(_, frame)] = &self.frames[..] {
            return frame.clone();
        }
        let mut joined = BytesMut::with_capacity(self.bytes_len);
        self.frames.iter().for_each(|(_, frame)| joined.extend_from_slice(frame));
        joined.freeze()
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
    pub(super) fn settle_broadcasts(&mut self) {
        let Some((app_id, id)) = self.fan_out.room.take() else { return };
        let joined = self.fan_out.joined();
        let frames = &self.fan_out.frames;
        let room = self.apps.get(&app_id).and_then(|app| app.rooms.get(&id));
        let members = room.into_iter().flat_map(Room::sessions);
        for member in members.skip(usize::from(planted(Bug::BroadcastSkipsOne))) {
            let Some(session) = self.sessions.get_mut(member) else { continue };
            let is_others =
                |frame: &&(SessionNumber, Bytes)| frame.0 != member || planted(Bug::EchoToSender);
            let has_room = match frames.iter().all(|frame| is_others(&frame)) {
                true => session.push_run(joined.clone(), frames.len(), None),
                false => frames
                    .iter()
                    .filter(is_others)
                    .all(|(_, frame)| session.push(frame.clone(), None)),
            };
            if has_room {
                self.dirty.add(self.now, member, session);
            } else {
                self.overrun.push(member);
            }
        }
        self.fan_out.frames.clear();
        self.fan_out.bytes_len = 0;
    }
}
