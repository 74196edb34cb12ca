//! The shards of a server agree: each user and each room is in one shard, at its place (I6, I26),
//! and whatever one shard asks another has one answer (I13).

use std::collections::{BTreeMap, BTreeSet};

use super::{Oracle, Violation, ensure};
use crate::model::Model;
use crate::told::{Question, Told};
use crate::trace::{Entry, Home, Line, Phase};

#[derive(Debug, Default)]
pub(super) struct Shards {
    /// How often each question was asked without an answer, by the shard that asks and the other.
    /// Peers that break the rules ask one question several times.
    open: BTreeMap<(usize, usize, Question), u32>,
}

impl Oracle for Shards {
    fn see(&mut self, _: &Model, line: &Line) -> Result<(), Violation> {
        match &line.entry {
            Entry::Told { from, to, told } => {
                told.iter().try_for_each(|told| self.told(*from, *to, told))
            }
            Entry::Homes(homes) => are_at_their_places(homes),
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
    fn told(&mut self, from: usize, to: usize, told: &Told) -> Result<(), Violation> {
        match told {
            Told::Asked(question) | Told::AskedToJoin { question, .. } => {
                *self.open.entry((from, to, question.clone())).or_default() += 1;
                Ok(())
            }
            Told::Answered(question) | Told::Joined { question, .. } => {
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

fn are_at_their_places(homes: &[Home]) -> Result<(), Violation> {
    let mut seen = BTreeSet::new();
    for home in homes {
        let law = if home.is_room { "I26" } else { "I6" };
        ensure(home.shard == home.place, || format!("{law}: not at its place: {home:?}"))?;
        let is_first = seen.insert((home.app, &home.name, home.is_room));
        ensure(is_first, || format!("{law}: in two shards: {home:?}"))?;
    }
    Ok(())
}
