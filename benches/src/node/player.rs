//! What a client sends, and what it must get. Messages have a lane and a number in it: the messages
//! of a lane come in the order of their numbers.

use std::sync::Arc;

use rts_proto::wire::Frame;
use rts_proto::{RoomId, UserId};

use super::tally::Tally;
use super::wire::{Message, Results, Template};

/// What a client does.
#[derive(Debug)]
pub(super) enum Role {
    /// Keeps this number of messages to a user under way.
    Sender { to: UserId, window: u64 },
    /// Receives the messages of one sender.
    Receiver,
    /// A member of a room. The members broadcast in turn: in each lane, who gets the broadcast of
    /// the member before is next. So no member gets ahead of another.
    Member { room: u64, place: u64, members: u64, lanes: u64 },
}

/// A client's part of the traffic, with all checks.
#[derive(Debug)]
pub(super) struct Player {
    role: Role,
    tally: Arc<Tally>,
    template: Option<Template>,
    sent: u64,
    results: u64,
    /// The sum of the ids of all results.
    result_ids: u64,
    /// By lane, the number of the next message to receive.
    expected: Vec<u64>,
    /// Messages to send as soon as possible.
    due: Vec<Message>,
}

impl Player {
    pub(super) fn new(role: Role, tally: Arc<Tally>) -> Self {
        let (template, lanes) = match &role {
            Role::Sender { to, .. } => (Some(Template::send(to)), 0),
            Role::Receiver => (None, 1),
            Role::Member { room, lanes, .. } => {
                (Some(Template::broadcast(room_id(*room))), *lanes as usize)
            }
        };
        let expected = vec![0; lanes];
        let mut player = Self {
            role,
            tally,
            template,
            sent: 0,
            results: 0,
            result_ids: 0,
            expected,
            due: vec![],
        };
        (0..lanes as u64).for_each(|lane| player.take_turn(lane));
        player
    }

    /// The frame with which this client enters its room, if it has one.
    pub(super) fn join(&self) -> Option<Frame> {
        let Role::Member { room, .. } = self.role else { return None };
        Some(Frame::Join { room: room_id(room), ticket: 1, business_id: None })
    }

    /// Sends all that may be sent now.
    pub(super) fn send(&mut self, out: &mut Vec<u8>) {
        let Some(template) = &mut self.template else { return };
        let before = self.sent;
        if let Role::Sender { window, .. } = self.role {
            while self.sent - self.results < window {
                template.put(self.sent, Message { lane: 0, number: self.sent }, out);
                self.sent += 1;
            }
        }
        for message in self.due.drain(..) {
            template.put(self.sent, message, out);
            self.sent += 1;
        }
        self.tally.sent(self.sent - before);
    }

    /// Checks a message that arrived.
    pub(super) fn delivered(&mut self, payload: &[u8]) -> Result<(), String> {
        let message = Message::read(payload)?;
        let expected = self.expected.get_mut(message.lane as usize);
        let expected = expected.ok_or_else(|| format!("no such lane: {message:?}"))?;
        if message.number != *expected {
            return Err(format!("number {expected} was expected: {message:?}"));
        }
        *expected += 1;
        self.tally.delivered();
        self.take_turn(message.lane);
        Ok(())
    }

    /// Broadcasts next in this lane, if it is this member's turn.
    fn take_turn(&mut self, lane: u64) {
        let Role::Member { place, members, .. } = self.role else { return };
        let expected = &mut self.expected[lane as usize];
        if (lane + *expected) % members == place {
            self.due.push(Message { lane, number: *expected });
            // The member does not get its own broadcast.
            *expected += 1;
        }
    }

    /// Checks results that arrived. When all have come, each has come once.
    pub(super) fn resulted(&mut self, results: Results) -> Result<(), String> {
        if !results.are_good {
            return Err("a message was refused".to_owned());
        }
        self.results += results.count;
        self.result_ids += results.id_sum;
        let ids_sum_of = |count: u64| count * count.saturating_sub(1) / 2;
        if self.results == self.sent && self.result_ids != ids_sum_of(self.sent) {
            return Err("a result came twice".to_owned());
        }
        self.tally.results(results.count);
        Ok(())
    }
}

fn room_id(room: u64) -> RoomId {
    RoomId::new(&format!("room-{room}")).expect("well formed")
}

#[cfg(test)]
mod tests {
    use super::super::tally::Tallies;
    use super::*;
    use crate::PAYLOAD_BYTES;

    fn player(role: Role) -> (Player, Tallies) {
        let tallies = Tallies::new(1);
        (Player::new(role, tallies.of_client(0)), tallies)
    }

    fn payload(lane: u64, number: u64) -> Vec<u8> {
        let mut payload = [lane.to_le_bytes(), number.to_le_bytes()].concat();
        payload.resize(PAYLOAD_BYTES, 0);
        payload
    }

    fn results(count: u64, id_sum: u64) -> Results {
        Results { are_good: true, count, id_sum }
    }

    fn sender(window: u64) -> (Player, Tallies) {
        player(Role::Sender { to: UserId::new("bob").expect("well formed"), window })
    }

    #[test]
    fn lost_repeated_and_swapped_messages_are_faults() {
        let (mut receiver, _) = player(Role::Receiver);
        assert_eq!(receiver.delivered(&payload(0, 0)), Ok(()));
        assert!(receiver.delivered(&payload(0, 0)).is_err(), "repeated");
        assert!(receiver.delivered(&payload(0, 2)).is_err(), "one is lost, or later");
        assert!(receiver.delivered(&payload(1, 1)).is_err(), "of nobody");
        assert!(receiver.delivered(&payload(0, 1)[1..]).is_err(), "too short");
        assert_eq!(receiver.delivered(&payload(0, 1)), Ok(()));
    }

    #[test]
    fn sender_keeps_its_window_full_and_wants_one_result_for_each_message() {
        let (mut sender, tallies) = sender(3);
        let mut out = Vec::new();
        sender.send(&mut out);
        let frame_len = out.len() / 3;
        assert!(!tallies.is_over(0));
        assert_eq!(sender.resulted(results(2, 1)), Ok(()));
        out.clear();
        sender.send(&mut out);
        assert_eq!(out.len(), 2 * frame_len);
        assert_eq!(sender.resulted(results(3, 2 + 3 + 4)), Ok(()));
        assert!(tallies.is_over(0));
    }

    #[test]
    fn refused_messages_and_repeated_results_are_faults() {
        let (mut sender, _) = sender(2);
        sender.send(&mut Vec::new());
        assert!(sender.resulted(Results { are_good: false, ..results(1, 0) }).is_err());
        assert_eq!(sender.resulted(results(1, 0)), Ok(()));
        assert!(sender.resulted(results(1, 0)).is_err(), "the second has none");
    }

    #[test]
    fn members_broadcast_in_turn() {
        let (mut member, _) = player(Role::Member { room: 0, place: 1, members: 3, lanes: 2 });
        let mut sent = Vec::new();
        let mut send = |member: &mut Player| {
            sent.clear();
            member.send(&mut sent);
            !sent.is_empty()
        };
        assert!(send(&mut member), "the first of lane 1");
        assert!(!send(&mut member));
        assert_eq!(member.delivered(&payload(0, 0)), Ok(()));
        assert!(send(&mut member), "the second of lane 0");
        for number in [2, 3] {
            assert_eq!(member.delivered(&payload(0, number)), Ok(()));
        }
        assert!(send(&mut member), "the fifth");
        assert_eq!(member.delivered(&payload(1, 1)), Ok(()));
        assert!(!send(&mut member), "two others broadcast before");
    }
}
