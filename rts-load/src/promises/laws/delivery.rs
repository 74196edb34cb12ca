//! What has the result of a success was received.

use std::collections::{HashMap, HashSet};

use super::sends::{Send, Sends};
use super::violation::{Law, Violation, report};
use crate::promises::history::{Client, Entry, History, Message, Outcome, Room, To, What};
use crate::promises::phase::NOTICES_STOP;

pub(super) fn check(history: &History<'_>, sends: &Sends, found: &mut Vec<Violation>) {
    messages(history, sends, found);
    let mut broadcasts: HashMap<Room, Vec<&Send>> = HashMap::new();
    for send in sends.all().filter(|send| send.outcome() == Outcome::Success) {
        if let To::Room(room) = send.to {
            broadcasts.entry(room).or_default().push(send);
        }
    }
    for sends in broadcasts.values_mut() {
        sends.sort_by_key(|send| send.at);
    }
    for (client, index) in history.clients.iter().zip(0..) {
        for stay in stays(client, sends) {
            let sent = broadcasts.get(&stay.room).map_or(&[][..], Vec::as_slice);
            missing(index, &stay, stay.until(), sent, found);
            unreported(index, &stay, history, found);
        }
    }
}

fn messages(history: &History<'_>, sends: &Sends, found: &mut Vec<Violation>) {
    let records = history.clients.iter().flat_map(|client| client.records);
    let received: HashSet<Message> = records
        .filter_map(|record| match record.what {
            What::Received { room: None, message, .. } => message,
            _ => None,
        })
        .collect();
    for send in sends.all() {
        let is_message = matches!(send.to, To::User(_));
        if is_message && send.outcome() == Outcome::Success && !received.contains(&send.message) {
            report(found, Law::NotLost, format!("{send:?} did not arrive"));
        }
    }
}

/// A client's time in a room, without a break that loses broadcasts.
struct Stay {
    room: Room,
    /// The moment of the call, or of the return to the room.
    asked: u64,
    from: u64,
    /// The newest moment at which a broadcast was sent that arrived here.
    last_sent: u64,
    received: HashSet<Message>,
    end: End,
    ended: u64,
}

#[derive(Clone, Copy)]
enum End {
    /// It lasts until the end of the history.
    None,
    /// It was left over a link that did not break, with the moment of the call.
    Left { called: u64 },
    /// The session ended, or the link broke.
    Lost,
}

impl Stay {
    /// Broadcasts with a result before this moment must have arrived.
    ///
    /// A room's broadcasts arrive in one order. So before a broadcast that arrived, all those
    /// arrived that had their result before it was sent. A client that leaves gets everything that
    /// was queued for it before, unless its link is down. Then it leaves without an answer.
    fn until(&self) -> u64 {
        match self.end {
            End::None => u64::MAX,
            End::Left { called } => called.max(self.last_sent),
            End::Lost => self.last_sent,
        }
    }
}

/// The client's stays in all rooms.
fn stays(client: &Client<'_>, sends: &Sends) -> Vec<Stay> {
    let mut open: HashMap<Room, Stay> = HashMap::new();
    let (mut joins, mut leaves): (HashMap<Room, u64>, HashMap<Room, u64>) = Default::default();
    let mut over = Vec::new();
    for record in client.records {
        let at = record.at;
        let lost = |stay: Stay| Stay { end: End::Lost, ended: at, ..stay };
        match record.what {
            What::JoinCalled(room, true) => drop(joins.insert(room, at)),
            What::Joined(room, Entry::First | Entry::Anew) => {
                let received = HashSet::new();
                // Its event may have waited while the link broke.
                let asked = joins.remove(&room).unwrap_or(at);
                let (end, ended) = (End::None, u64::MAX);
                let stay = Stay { room, asked, from: at, last_sent: at, received, end, ended };
                over.extend(open.insert(room, stay).map(lost));
            }
            // The answer to the join may have been under way then.
            What::LeaveCalled(room) => drop(leaves.entry(room).or_insert(at)),
            What::Left(room) => {
                let called = leaves.remove(&room).unwrap_or(at);
                let is_whole = |stay: &Stay| {
                    let before = client.links.partition_point(|link| *link < stay.asked);
                    client.links.get(before).is_none_or(|link| *link > at)
                };
                let left = |stay| match is_whole(&stay) {
                    true => Stay { end: End::Left { called }, ended: at, ..stay },
                    false => lost(stay),
                };
                over.extend(open.remove(&room).map(left));
            }
            What::State(room, state) if state != NOTICES_STOP => {
                leaves.remove(&room);
                over.extend(open.remove(&room).map(lost));
            }
            What::LoggedOut(_) => over.extend(open.drain().map(|(_, stay)| lost(stay))),
            What::Received { room: Some(room), message: Some(message), .. } => {
                if let (Some(stay), Some(send)) = (open.get_mut(&room), sends.get(message)) {
                    stay.received.insert(message);
                    stay.last_sent = stay.last_sent.max(send.at);
                }
            }
            _ => {}
        }
    }
    over.extend(open.into_values());
    over
}

/// Reports the broadcasts in the stay that did not arrive.
fn missing(index: u32, stay: &Stay, until: u64, sent: &[&Send], found: &mut Vec<Violation>) {
    let first = sent.partition_point(|send| send.at < stay.from);
    for send in sent[first..].iter().take_while(|send| send.at < until) {
        let is_due = send.result.is_some_and(|(result, _)| result < until);
        let is_own = send.message.client == index;
        if is_due && !is_own && !stay.received.contains(&send.message) {
            let what = format!("client {index}, in the room since {}: {send:?}", stay.from);
            report(found, Law::BroadcastNotLost, what);
        }
    }
}

/// Reports a stay that goes on over the end of the server. The next server does not know it, so the
/// client enters the room anew, before this server ends too.
fn unreported(index: u32, stay: &Stay, history: &History<'_>, found: &mut Vec<Violation>) {
    for (place, outage) in history.outages.iter().enumerate() {
        let next = history.outages.get(place + 1).map_or(u64::MAX, |outage| outage.start);
        if stay.from < outage.start && stay.ended >= next {
            let what = format!("client {index}: still in {:?}, after {outage:?}", stay.room);
            report(found, Law::GapReported, what);
        }
    }
}
