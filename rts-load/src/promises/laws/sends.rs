//! All messages and broadcasts, with their results.

use std::collections::HashMap;

use super::violation::{Law, Violation, report};
use crate::promises::history::{History, Message, Outcome, Record, Room, To, What};

/// A message or a broadcast.
#[derive(Clone, Copy, Debug)]
pub(super) struct Send {
    pub(super) message: Message,
    pub(super) to: To,
    /// The moment of the call.
    pub(super) at: u64,
    /// The moment and the code of the result.
    pub(super) result: Option<(u64, u32)>,
    /// The call was refused.
    is_refused: bool,
}

/// By client, in the order of the calls.
pub(super) struct Sends(Vec<Vec<Send>>);

impl Send {
    /// Without a result nothing is known.
    pub(super) fn outcome(&self) -> Outcome {
        match self.result {
            _ if self.is_refused => Outcome::NotDelivered,
            Some((_, code)) => Outcome::of(self.to, code),
            None => Outcome::Unknown,
        }
    }

    /// Whether a part of a cluster failed while it was under way.
    pub(super) fn meets_fault(&self, history: &History<'_>) -> bool {
        history.has_fault(self.at, self.result.map_or(u64::MAX, |(at, _)| at))
    }
}

impl Sends {
    /// Reads a history. Reports wrong ids, and sends without exactly one result.
    pub(super) fn read(history: &History<'_>, found: &mut Vec<Violation>) -> Self {
        let clients = history.clients.iter().zip(0..);
        Self(clients.map(|(client, index)| of_client(index, client.records, found)).collect())
    }

    pub(super) fn get(&self, message: Message) -> Option<&Send> {
        let sends = self.0.get(usize::try_from(message.client).ok()?)?;
        sends.get(usize::try_from(message.number.checked_sub(1)?).ok()?)
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Send> {
        self.0.iter().flatten()
    }
}

fn of_client(client: u32, records: &[Record], found: &mut Vec<Violation>) -> Vec<Send> {
    let mut sends: Vec<Send> = Vec::new();
    let mut by_id: HashMap<(Option<Room>, u32), usize> = HashMap::new();
    let mut last_ids: HashMap<Option<Room>, u32> = HashMap::new();
    for record in records {
        match record.what {
            What::Sent { to, number, id } => {
                let is_refused = id.is_none();
                if let Some(id) = id {
                    let last = last_ids.entry(to.room()).or_default();
                    if id != *last + 1 {
                        let what = format!("client {client}: id {id} follows {last} to {to:?}");
                        report(found, Law::Ids, what);
                    }
                    *last = id;
                    by_id.insert((to.room(), id), sends.len());
                }
                let message = Message { client, number };
                sends.push(Send { message, to, at: record.at, result: None, is_refused });
            }
            What::Result { room, id, code } => {
                let Some(place) = by_id.get(&(room, id)) else {
                    let what = format!("client {client}: result {code} of no send: {room:?} {id}");
                    report(found, Law::OneResult, what);
                    continue;
                };
                let send = &mut sends[*place];
                match send.result {
                    None => send.result = Some((record.at, code)),
                    Some((_, first)) => {
                        let what = format!("{send:?}: a second result, {code} after {first}");
                        report(found, Law::OneResult, what);
                    }
                }
            }
            _ => {}
        }
    }
    for send in sends.iter().filter(|send| send.result.is_none() && !send.is_refused) {
        report(found, Law::OneResult, format!("{send:?}: no result"));
    }
    sends
}
