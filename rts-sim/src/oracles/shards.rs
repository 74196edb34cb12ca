//! The shards of a server agree: each user and each room is in one shard, at its home (I6, I26),
//! and whatever one shard asks another has one answer (I13).

use std::collections::{BTreeMap, BTreeSet};

use super::{Oracle, Violation, ensure};
use crate::model::Model;
use crate::peer_entry::{PeerEntry, Question};
use crate::trace::{Entry, Line, Located, Phase};

#[derive(Debug, Default)]
pub(super) struct Shards {
    /// How often each question was asked without an answer, by the shard that asks and the other.
    /// Peers that break the rules ask one question several times.
    open: BTreeMap<(usize, usize, Question), u32>,
}

impl Oracle for Shards {
    fn see(&mut self, _: &Model, line: &Line) -> Result<(), Violation> {
        match &line.entry {
            Entry::EntriesArrived { from, to, entries } => {
                entries.iter().try_for_each(|entry| self.arrived(*from, *to, entry))
            }
            Entry::Located(all) => are_at_home(all),
            Entry::Restarted => {
                self.open.clear();
                Ok(())
            }
            Entry::Phase(Phase::Empty) => {
                let open = self.open.keys().next();
                ensure(open.is_none(), || format!("I13: a shard never got an answer: {open:?}"))
            }
            _ => Ok(()),
        }
    }
}

impl Shards {
    fn arrived(&mut self, from: usize, to: usize, entry: &PeerEntry) -> Result<(), Violation> {
        match entry {
            PeerEntry::Asked(question) | PeerEntry::AskedToJoin { question, .. } => {
                *self.open.entry((from, to, question.clone())).or_default() += 1;
                Ok(())
            }
            PeerEntry::Answered(question) | PeerEntry::Joined { question, .. } => {
                let key = (to, from, question.clone());
                let Some(times) = self.open.get_mut(&key) else {
                    return Err(format!(
                        "I13: shard {from} answers, and {to} did not ask {question:?}"
                    ));
                };
                *times -= 1;
                if *times == 0 {
                    self.open.remove(&key);
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

fn are_at_home(all: &[Located]) -> Result<(), Violation> {
    let mut seen = BTreeSet::new();
    for one in all {
        let law = if one.is_room { "I26" } else { "I6" };
        ensure(one.shard == one.home, || format!("{law}: not at its home: {one:?}"))?;
        let is_first = seen.insert((one.app, &one.name, one.is_room));
        ensure(is_first, || format!("{law}: in two shards: {one:?}"))?;
    }
    Ok(())
}
