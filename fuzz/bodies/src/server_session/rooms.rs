//! The one room: its members, and the notices to them.

use rts_proto::wire::Frame;
use rts_proto::{BroadcastCode, LeaveReason, MessageId, Payload, RoomId, RoomState, UserId};

use super::{EngineIndex, Member, NAMES, World};
use crate::script::Script;

impl World {
    fn room() -> RoomId {
        RoomId::new("room").expect("well formed")
    }

    fn user(who: EngineIndex) -> UserId {
        UserId::new(NAMES[who]).expect("well formed")
    }

    fn push_to_others(&mut self, who: EngineIndex, frame: &Frame) {
        for (other, member) in &self.members {
            if *other != who
                && *member == Member::Present
                && let Some(session) = &mut self.sessions[*other]
            {
                session.others.push(frame.clone());
            }
        }
    }

    pub(super) fn join(&mut self, who: EngineIndex) {
        let ticket = self.number();
        if !self.say(who, Frame::Join { room: Self::room(), ticket, business_id: None }) {
            return;
        }
        let is_new = self.members.insert(who, Member::Present).is_none();
        let session = self.sessions[who].as_mut().expect("it spoke");
        let knows_them = std::mem::replace(&mut session.is_in_room, true);
        let others = self.members.keys().filter(|member| **member != who && !knows_them);
        // In the order of the user ids, which is that of the names.
        let members = others.map(|other| Self::user(*other)).collect();
        session.others.push(Frame::JoinAnswer { ticket, state: RoomState::Joined, members });
        if is_new {
            self.push_to_others(
                who,
                &Frame::MemberJoined { room: Self::room(), uid: Self::user(who) },
            );
        }
    }

    pub(super) fn leave(&mut self, who: EngineIndex) {
        let ticket = self.number();
        if !self.say(who, Frame::Leave { room: Self::room(), ticket }) {
            return;
        }
        let session = self.sessions[who].as_mut().expect("it spoke");
        session.others.push(Frame::LeaveAnswer { ticket });
        if std::mem::take(&mut session.is_in_room) {
            self.gone(who, LeaveReason::Left);
        }
    }

    pub(super) fn gone(&mut self, who: EngineIndex, reason: LeaveReason) {
        self.members.remove(&who);
        let left = Frame::MemberLeft { room: Self::room(), uid: Self::user(who), reason };
        self.push_to_others(who, &left);
    }

    pub(super) fn broadcast(&mut self, who: EngineIndex, script: &mut Script<'_>) {
        let number = self.number();
        let payload = Payload::binary(vec![script.byte(); 3]);
        let (id, room) = (MessageId(number), Self::room());
        let frame = Frame::Broadcast { id, room: room.clone(), payload: payload.clone() };
        if !self.say(who, frame) {
            return;
        }
        let session = self.sessions[who].as_mut().expect("it spoke");
        let is_in = session.is_in_room;
        let code = if is_in { BroadcastCode::Ok } else { BroadcastCode::NotInRoom };
        session.others.push(Frame::BroadcastResults { room: room.clone(), code, ids: vec![id] });
        if is_in {
            let from = Self::user(who);
            self.push_to_others(who, &Frame::RoomDelivery { from, room, payload });
        }
    }
}
