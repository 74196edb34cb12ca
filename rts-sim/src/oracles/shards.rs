//! The shards of a server agree: each user and each room is in one shard, at its home (I6, I26).
//! Whatever one shard asks another has one answer (I13), and entries keep their order.
//!
//! In a cluster, a user may be in any shard, but in one only. A message goes to its receiver's home
//! and from there to the receiver, whose shard answers. Homes may move while a question is under
//! way, so another shard may answer. A question that overtook another one on its way waits for it
//! at the next home, so the order of arrivals is not that of the answers.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use rts_proto::server::Report;

use super::{Oracle, Violation, ensure};
use crate::model::Model;
use crate::peer_entry::{PeerEntry, Question};
use crate::trace::{Entry, Line, Located, Phase};

/// The shard that asks, and the one that answers. In a cluster any shard may answer.
type Pair = (usize, Option<usize>);

#[derive(Debug, Default)]
pub(super) struct Shards {
    /// How often each message went to another shard without an answer. The receiver's client
    /// decides when the answer comes. Peers that break the rules ask one question several times.
    sends: BTreeMap<(Pair, Question), u32>,
    /// The other questions without an answer. A shard answers them at once, so the answers arrive
    /// in the order of the questions.
    others: BTreeMap<Pair, VecDeque<Question>>,
    /// Questions that were open when a node was lost. It may have had them, or their answers, so
    /// each may be answered or not.
    lost: BTreeSet<Question>,
    /// A session has moved. The windows of sessions that move have messages of others, and former
    /// shards pass results on. From then on, only the clients show whether each message has one
    /// answer.
    has_moved: bool,
    /// Members that must leave because of the latest entries: the app, the room and the user, who
    /// was put out.
    put_out: BTreeSet<(usize, String, String)>,
}

impl Oracle for Shards {
    fn see(&mut self, model: &Model, line: &Line) -> Result<(), Violation> {
        match &line.entry {
            Entry::EntriesArrived { from, to, entries } => {
                self.nobody_stays()?;
                entries.iter().try_for_each(|entry| self.arrived(model, *from, *to, entry))
            }
            Entry::Reported { app, report: Report::MemberLeft { room, uid, .. } } => {
                self.put_out.remove(&(*app, room.as_str().into(), uid.as_str().into()));
                Ok(())
            }
            Entry::Gauges { .. } => self.nobody_stays(),
            Entry::Located(all) => are_at_home(all),
            Entry::Restarted => {
                *self = Self::default();
                Ok(())
            }
            Entry::NodeEnded { .. } | Entry::NodesRemoved(_) => {
                self.may_be_lost();
                Ok(())
            }
            // Each node has sent to the lost one until it has the view without it.
            Entry::NodeHasView { .. } if model.loss_is_new => {
                self.may_be_lost();
                Ok(())
            }
            Entry::Phase(Phase::Empty) => {
                let sends = self.sends.keys().map(|(_, send)| send);
                let open = sends.chain(self.others.values().flatten()).next();
                ensure(open.is_none(), || format!("I13: a shard never got an answer: {open:?}"))
            }
            _ => Ok(()),
        }
    }
}

impl Shards {
    fn arrived(
        &mut self,
        model: &Model,
        from: usize,
        to: usize,
        entry: &PeerEntry,
    ) -> Result<(), Violation> {
        match entry {
            PeerEntry::PutOut { app, room, uid } => {
                let rooms = model.reported.get(app).map(|known| &known.rooms);
                let members = rooms.and_then(|rooms| rooms.get(room));
                if members.is_some_and(|members| members.contains(uid)) {
                    self.put_out.insert((*app, room.clone(), uid.clone()));
                }
                Ok(())
            }
            PeerEntry::Asked(question) | PeerEntry::AskedToJoin { question, .. } => {
                match model.is_cluster() {
                    false => self.asked((from, Some(to)), question),
                    true if from == question.shard() => self.asked((from, None), question),
                    // Passed on to the shard that asked, which has the receiver.
                    true if to == question.shard() => {
                        return self.answered((to, None), question);
                    }
                    true => {}
                }
                Ok(())
            }
            PeerEntry::SessionMoved { .. } => {
                self.has_moved = true;
                self.sends.clear();
                Ok(())
            }
            PeerEntry::Answered(question) | PeerEntry::Joined { question, .. } => {
                match model.is_cluster() {
                    false => self.answered((to, Some(from)), question),
                    true => self.answered((to, None), question),
                }
            }
            _ => Ok(()),
        }
    }

    fn may_be_lost(&mut self) {
        let sends = std::mem::take(&mut self.sends).into_keys().map(|(_, question)| question);
        let others = std::mem::take(&mut self.others).into_values().flatten();
        self.lost.extend(sends.chain(others));
    }

    fn nobody_stays(&self) -> Result<(), Violation> {
        let put_out = &self.put_out;
        ensure(put_out.is_empty(), || format!("I27: put out, and still members: {put_out:?}"))
    }

    fn asked(&mut self, pair: Pair, question: &Question) {
        let question = question.clone();
        match question {
            Question::Send { .. } if self.has_moved => {}
            Question::Send { .. } => *self.sends.entry((pair, question)).or_default() += 1,
            _ => self.others.entry(pair).or_default().push_back(question),
        }
    }

    fn answered(&mut self, pair: Pair, question: &Question) -> Result<(), Violation> {
        if self.lost.contains(question) {
            return Ok(());
        }
        let (asker, other) = pair;
        let not_asked =
            || format!("I13: shard {other:?} answers, and {asker} did not ask {question:?}");
        if let Question::Send { .. } = question {
            let key = (pair, question.clone());
            let Some(times) = self.sends.get_mut(&key) else {
                return if self.has_moved { Ok(()) } else { Err(not_asked()) };
            };
            *times -= 1;
            if *times == 0 {
                self.sends.remove(&key);
            }
            return Ok(());
        }
        let others = self.others.entry(pair).or_default();
        let place = others.iter().position(|asked| asked == question).ok_or_else(not_asked)?;
        if place == 0 || other.is_none() {
            others.remove(place);
            return Ok(());
        }
        let first = others.front();
        Err(format!("order: shard {other:?} answers {question:?} before {first:?} of {asker}"))
    }
}

fn are_at_home(all: &[Located]) -> Result<(), Violation> {
    let mut seen = BTreeSet::new();
    for one in all.iter().filter(|one| one.acts) {
        let law = if one.is_room { "I26" } else { "I6" };
        ensure(one.home.is_none_or(|home| one.shard == home), || {
            format!("{law}: not at its home: {one:?}")
        })?;
        let is_first = seen.insert((one.app, &one.name, one.is_room));
        ensure(is_first, || format!("{law}: in two shards: {one:?}"))?;
    }
    Ok(())
}
