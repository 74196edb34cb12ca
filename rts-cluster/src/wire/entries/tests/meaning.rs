//! What entries mean, in whichever pieces they are.

use std::collections::BTreeMap;

use bytes::Bytes;
use rts_proto::server::{Deliveries, Entry, Moved, PassedOn, SessionNumber};
use rts_proto::{AppId, UserId};

/// What entries mean: each with its app, with one message or result in each. Frames for sessions
/// are sorted by session.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    One(Option<AppId>, Entry),
    Frames(BTreeMap<u64, Vec<Bytes>>),
}

fn one_by_one(deliveries: &Deliveries) -> impl Iterator<Item = Deliveries> {
    deliveries.iter().map(|message| {
        let to = UserId::new(message.to).expect("a valid id");
        let mut one = Deliveries::default();
        one.push(message.session, message.id, message.config, &to, message.frame);
        one
    })
}

fn moved_one_by_one(moved: &Moved) -> impl Iterator<Item = Moved> {
    let (messages, other) = match moved {
        Moved::Held(PassedOn::Deliver(deliveries)) => (Some(deliveries), None),
        other => (None, Some(other.clone())),
    };
    let messages = messages.into_iter().flat_map(one_by_one);
    messages.map(PassedOn::Deliver).map(Moved::Held).chain(other)
}

/// What these pieces mean. Each of them names its apps.
pub(super) fn meaning(pieces: &[Vec<Entry>]) -> Vec<Meaning> {
    let mut all = Vec::new();
    for piece in pieces {
        let mut app_id = None;
        for entry in piece {
            match entry {
                Entry::InApp(named) => app_id = Some(named.clone()),
                Entry::Deliver(deliveries) => {
                    let each = one_by_one(deliveries).map(Entry::Deliver);
                    all.extend(each.map(|one| Meaning::One(app_id.clone(), one)));
                }
                Entry::PassedOn(PassedOn::Deliver(deliveries)) => {
                    let each = one_by_one(deliveries).map(PassedOn::Deliver).map(Entry::PassedOn);
                    all.extend(each.map(|one| Meaning::One(app_id.clone(), one)));
                }
                Entry::Moved(moved) => {
                    let each = moved_one_by_one(moved).map(Box::new).map(Entry::Moved);
                    all.extend(each.map(|one| Meaning::One(app_id.clone(), one)));
                }
                Entry::Outcomes(outcomes) => {
                    let each =
                        outcomes.iter().map(|outcome| Entry::Outcomes(vec![outcome.clone()]));
                    all.extend(each.map(|one| Meaning::One(app_id.clone(), one)));
                }
                Entry::PushToEach { sessions, frames } => add_frames(&mut all, sessions, frames),
                other => all.push(Meaning::One(app_id.clone(), other.clone())),
            }
        }
    }
    all
}

fn add_frames(
    all: &mut Vec<Meaning>,
    sessions: &[SessionNumber],
    frames: &[(Option<SessionNumber>, Bytes)],
) {
    if sessions.is_empty() || frames.is_empty() {
        return;
    }
    if !matches!(all.last(), Some(Meaning::Frames(_))) {
        all.push(Meaning::Frames(BTreeMap::new()));
    }
    let Some(Meaning::Frames(of_session)) = all.last_mut() else { return };
    for session in sessions {
        let gets = frames.iter().filter(|(except, _)| *except != Some(*session));
        let gets = gets.map(|(_, frame)| frame.clone());
        of_session.entry(session.number()).or_default().extend(gets);
    }
}
