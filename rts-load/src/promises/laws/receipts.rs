//! What arrives was sent, arrives once, in order, and not in spite of its result.

use std::collections::{HashMap, HashSet};

use super::sends::{Send, Sends};
use super::violation::{Law, Violation, report};
use crate::promises::history::{History, Message, Outcome, Room, To, User, What};

pub(super) fn check(history: &History<'_>, sends: &Sends, found: &mut Vec<Violation>) {
    // A message to a user arrives at one client of this user only.
    let mut messages = HashSet::new();
    for (client, index) in history.clients.iter().zip(0..) {
        let mut reader = Reader {
            index,
            user: client.user,
            history,
            sends,
            last: HashMap::new(),
            broadcasts: HashSet::new(),
        };
        for record in client.records {
            if let What::Received { room, from, message } = record.what {
                reader.received(room, from, message, &mut messages, found);
            }
        }
    }
}

/// One client that receives.
struct Reader<'a> {
    index: u32,
    user: User,
    history: &'a History<'a>,
    sends: &'a Sends,
    /// The last number of each sender, beside the room.
    last: HashMap<(Option<Room>, u32), u32>,
    broadcasts: HashSet<Message>,
}

impl Reader<'_> {
    fn received(
        &mut self,
        room: Option<Room>,
        from: User,
        message: Option<Message>,
        messages: &mut HashSet<Message>,
        found: &mut Vec<Violation>,
    ) {
        let index = self.index;
        let sent = message.and_then(|message| self.sends.get(message));
        let Some(send) = sent.filter(|send| self.fits(send, room, from)) else {
            let what = format!("client {index}: {message:?} from {from:?} in {room:?}");
            return report(found, Law::NothingInvented, what);
        };
        let is_new = match room {
            None => messages.insert(send.message),
            Some(_) => self.broadcasts.insert(send.message),
        };
        if !is_new {
            let what = format!("client {index}: {:?} arrived twice", send.message);
            return report(found, Law::NotDoubled, what);
        }
        self.check_order(room, send, found);
        if send.outcome() == Outcome::NotDelivered {
            let what = format!("client {index}: received {send:?}");
            report(found, Law::RefusedNotReceived, what);
        }
    }

    fn check_order(&mut self, room: Option<Room>, send: &Send, found: &mut Vec<Violation>) {
        let Message { client, number } = send.message;
        if send.outcome() == Outcome::Unknown && send.meets_fault(self.history) {
            // It may have been under way at a node that was cut off.
            return;
        }
        let last = self.last.insert((room, client), number);
        if let Some(last) = last.filter(|last| *last > number) {
            let index = self.index;
            let what = format!("client {index}: {number} of client {client} came after {last}");
            report(found, Law::NotReordered, what);
        }
    }

    /// Whether this is what was sent, and for this client. A sender does not get its own broadcast.
    fn fits(&self, send: &Send, room: Option<Room>, from: User) -> bool {
        let sender = usize::try_from(send.message.client).ok();
        let is_from = sender.is_some_and(|sender| self.history.clients[sender].user == from);
        is_from
            && match send.to {
                To::User(user) => room.is_none() && user == self.user,
                To::Room(to) => room == Some(to) && send.message.client != self.index,
            }
    }
}
