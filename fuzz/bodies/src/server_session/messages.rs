//! Messages to users, and the effect of their acknowledgements.

use bytes::Bytes;
use rts_proto::wire::Frame;
use rts_proto::{MessageConfig, MessageId, Payload, SendCode};

use super::{EngineIndex, NAMES, Open, World};
use crate::script::Script;

impl World {
    pub(super) fn send(&mut self, who: EngineIndex, script: &mut Script<'_>) {
        let to = usize::from(script.byte()) % (NAMES.len() + 1);
        let config = script.pick(MessageConfig::ALL);
        let number = self.number();
        let name = NAMES.get(to).copied().unwrap_or("not an id");
        let frame = Frame::Send {
            id: MessageId(number),
            to: Bytes::from_static(name.as_bytes()),
            payload: Payload::text(number.to_string()),
            config,
        };
        if !self.say(who, frame) {
            return;
        }
        let receiver = self.sessions.get_mut(to).map(Option::as_mut);
        let code = match receiver {
            None => Some(SendCode::ReceiverNotFound),
            Some(None) => Some(SendCode::ReceiverNotLoggedIn),
            Some(Some(receiver)) if config.is_reliable() => {
                receiver.due.entry(who).or_default().push_back(number);
                self.open.insert(number, Open { from: who, to });
                None
            }
            Some(Some(receiver)) if receiver.link.is_some() => Some(SendCode::Ok),
            Some(Some(_)) => Some(SendCode::Broken),
        };
        if let (Some(code), Some(sender)) = (code, &mut self.sessions[who]) {
            sender.results.insert(number, code);
        }
    }

    pub(super) fn acknowledge(&mut self, who: EngineIndex) {
        let Some(received) = self.sessions[who].as_ref().map(|session| session.received) else {
            return;
        };
        if self.say(who, Frame::Ack { received }) {
            self.acknowledged(who, received);
        }
    }

    /// An acknowledged message has its result for its sender.
    pub(super) fn acknowledged(&mut self, who: EngineIndex, received: u64) {
        let Some(session) = &mut self.sessions[who] else { return };
        let known = session.unacknowledged.partition_point(|(place, _)| *place <= received);
        let numbers: Vec<u64> = session.unacknowledged.drain(..known).map(|(_, n)| n).collect();
        for number in numbers {
            self.decide(number, SendCode::Ok);
        }
    }

    pub(super) fn decide(&mut self, number: u64, code: SendCode) {
        if let Some(open) = self.open.remove(&number)
            && let Some(sender) = &mut self.sessions[open.from]
        {
            sender.results.insert(number, code);
        }
    }
}
