//! What clients see, and the laws that hold for it.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use rts_proto::Payload;
use rts_proto::wire::Frame;

use crate::events::room_id;
use crate::world::Seen;

/// A join or a leave, with its ticket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Asked {
    Join(u64),
    Leave(u64),
}

/// What the clients have seen so far.
#[derive(Default)]
pub(crate) struct Seers {
    /// Results of sends and broadcasts, by id.
    pub(crate) results: BTreeSet<u64>,
    /// Joins and leaves that were answered, by ticket.
    pub(crate) answers: BTreeSet<Asked>,
    /// The latest reliable message from each user to each.
    latest: BTreeMap<(usize, String), u64>,
    /// The broadcasts of each room that its members have seen, as far as one user saw them.
    runs: BTreeMap<(usize, String), Vec<u64>>,
}

impl Seers {
    pub(crate) fn see(&mut self, seen: &Seen) -> Result<(), TestCaseError> {
        for ((who, _), frames) in &seen.frames {
            for frame in frames {
                self.see_frame(*who, frame)?;
            }
        }
        Ok(())
    }

    fn see_frame(&mut self, who: usize, frame: &Frame) -> Result<(), TestCaseError> {
        match frame {
            Frame::SendResults { ids, .. } | Frame::BroadcastResults { ids, .. } => {
                for id in ids {
                    prop_assert!(self.results.insert(id.0), "two results of {}", id.0);
                }
            }
            Frame::JoinAnswer { ticket, .. } => {
                prop_assert!(self.answers.insert(Asked::Join(*ticket)), "two answers of {ticket}");
            }
            Frame::LeaveAnswer { ticket } => {
                prop_assert!(self.answers.insert(Asked::Leave(*ticket)), "two answers of {ticket}");
            }
            // A back end asks now this shard and now that one, and does not wait for responses.
            Frame::Delivery { from, .. } if from.as_str() == "backend" => {}
            Frame::Delivery { from, payload, config } if config.is_reliable() => {
                let key = (who, from.as_str().to_owned());
                let id = number(payload);
                let before = self.latest.insert(key, id).unwrap_or(0);
                prop_assert!(id > before, "{id} to {who} came behind {before}");
            }
            Frame::RoomDelivery { room, payload, .. } => {
                let key = (who, room.as_str().to_owned());
                self.runs.entry(key).or_default().push(number(payload));
            }
            _ => {}
        }
        Ok(())
    }

    /// Whether this was the latest reliable message to a user.
    pub(crate) fn has_arrived(&self, to: usize, id: u64) -> bool {
        self.latest.iter().any(|((who, _), latest)| *who == to && *latest == id)
    }

    /// Whether a user has seen this broadcast in a room.
    pub(crate) fn has_seen(&self, who: usize, room: usize, id: u64) -> bool {
        let run = self.runs.get(&(who, room_id(room).as_str().to_owned()));
        run.is_some_and(|run| run.contains(&id))
    }

    /// §6.6: two members see the broadcasts that both see in one order.
    pub(crate) fn agree(&self) -> Result<(), TestCaseError> {
        for ((_, room), run) in &self.runs {
            let unique: BTreeSet<u64> = run.iter().copied().collect();
            prop_assert_eq!(unique.len(), run.len(), "a broadcast came twice");
            for ((_, other_room), other) in &self.runs {
                if room != other_room {
                    continue;
                }
                let both = |run: &[u64], other: &[u64]| -> Vec<u64> {
                    run.iter().copied().filter(|id| other.contains(id)).collect()
                };
                prop_assert_eq!(both(run, other), both(other, run), "in room {}", room);
            }
        }
        Ok(())
    }
}

/// The number in a payload such as "m7".
fn number(payload: &Payload) -> u64 {
    let Payload::Text(text) = payload else { panic!("tests send texts") };
    text[1..].parse().expect("a letter and a number")
}
