//! What happened in one phase, in numbers.

use std::collections::BTreeMap;
use std::fmt;

use super::history::{Entry, History, To, What};

/// Counts of the records of one phase.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    messages: u64,
    message_results: BTreeMap<u32, u64>,
    broadcasts: u64,
    broadcast_results: BTreeMap<u32, u64>,
    received: u64,
    broadcasts_received: u64,
    joins: u64,
    joined: u64,
    joined_anew: u64,
    refused: u64,
    left: u64,
    notices: u64,
    logins: u64,
    displaced: u64,
}

impl Figures {
    /// Counts the records from this moment on.
    pub(crate) fn since(history: &History<'_>, from: u64) -> Self {
        let mut figures = Self::default();
        for client in &history.clients {
            let first = client.records.partition_point(|record| record.at < from);
            for record in &client.records[first..] {
                figures.count(record.what);
            }
        }
        figures
    }

    fn count(&mut self, what: What) {
        match what {
            What::LoginResult(_) => self.logins += 1,
            What::LoggedOut(_) => self.displaced += 1,
            What::Sent { to: To::User(_), .. } => self.messages += 1,
            What::Sent { to: To::Room(_), .. } => self.broadcasts += 1,
            What::Result { room: None, code, .. } => {
                *self.message_results.entry(code).or_default() += 1;
            }
            What::Result { room: Some(_), code, .. } => {
                *self.broadcast_results.entry(code).or_default() += 1;
            }
            What::Received { room: None, .. } => self.received += 1,
            What::Received { room: Some(_), .. } => self.broadcasts_received += 1,
            What::JoinCalled(..) => self.joins += 1,
            What::Joined(_, Entry::First) => self.joined += 1,
            What::Joined(_, Entry::Anew) => self.joined_anew += 1,
            What::State(_, state) if state > -2000 => self.refused += 1,
            What::Left(_) => self.left += 1,
            What::UserJoined(..) | What::UserLeft(..) => self.notices += 1,
            What::LoginCalled | What::LeaveCalled(_) | What::Joined(..) | What::State(..) => {}
        }
    }

    /// The numbers of the results of messages, by code.
    pub(crate) fn message_results(&self) -> String {
        listed(&self.message_results)
    }
}

fn listed(results: &BTreeMap<u32, u64>) -> String {
    let each = results.iter().map(|(code, count)| format!("{code}: {count}"));
    each.collect::<Vec<_>>().join(", ")
}

/// Only what there was.
impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (messages, broadcasts) = (self.message_results(), listed(&self.broadcast_results));
        let mut parts = Vec::new();
        let mut count = |count: u64, what: &str| {
            if count > 0 {
                parts.push(format!("{count} {what}"));
            }
        };
        count(self.logins, "logins");
        count(self.displaced, "displaced");
        count(self.messages, &format!("messages ({messages})"));
        count(self.received, "received");
        count(self.broadcasts, &format!("broadcasts ({broadcasts})"));
        count(self.broadcasts_received, "received in rooms");
        count(self.joins, "joins");
        count(self.joined, "joined");
        count(self.joined_anew, "joined anew");
        count(self.refused, "joins refused");
        count(self.left, "left");
        count(self.notices, "notices");
        f.write_str(&parts.join(", "))
    }
}
