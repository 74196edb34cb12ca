//! Answers to joins and leaves, and the notices of the joins and leaves of others.

use std::collections::HashMap;

use super::violation::{Law, Violation, report};
use crate::promises::history::{Client, Entry, History, Room, User, What};
use crate::promises::phase::{NOTICES_STOP, Phase};

/// Others in a room from which on there are no notices: with this member they are more than 500.
const OTHERS_WITHOUT_NOTICES: usize = 500;

pub(super) fn check(history: &History<'_>, found: &mut Vec<Violation>) {
    for (index, client) in history.clients.iter().enumerate() {
        answers(index, client, found);
        notices(index, client, history, found);
    }
}

fn answers(index: usize, client: &Client<'_>, found: &mut Vec<Violation>) {
    let mut phases: HashMap<Room, Phase> = HashMap::new();
    for record in client.records {
        if let What::LoggedOut(_) = record.what {
            phases.clear();
        }
        let Some(room) = record.what.membership_of() else { continue };
        let phase = phases.entry(room).or_default();
        match phase.after(record.what) {
            Some(next) => *phase = next,
            None => {
                let what = format!("client {index}: {:?} while {phase:?}", record.what);
                report(found, Law::OneAnswer, what);
            }
        }
    }
    for (room, phase) in phases.iter().filter(|(_, phase)| phase.is_waiting()) {
        report(found, Law::OneAnswer, format!("client {index}: {room:?} stays {phase:?}"));
    }
}

/// Follows the others in each room that a client knows of. A room without notices is missing until
/// the client joins it again. What a node had yet to report when it failed is missing.
fn notices(index: usize, client: &Client<'_>, history: &History<'_>, found: &mut Vec<Violation>) {
    // With the moments at which they joined.
    let mut rooms: HashMap<Room, HashMap<User, u64>> = HashMap::new();
    for record in client.records {
        match record.what {
            What::Joined(room, Entry::First | Entry::Anew) => {
                rooms.insert(room, HashMap::new());
            }
            What::State(room, NOTICES_STOP) => {
                rooms.remove(&room);
            }
            What::UserJoined(room, user) => {
                let Some(others) = rooms.get_mut(&room) else { continue };
                let before = others.insert(user, record.at);
                if before.is_some_and(|before| !history.has_fault(before, record.at)) {
                    let what = format!("client {index}: {user:?} joined {room:?} a second time");
                    report(found, Law::NoticesAlternate, what);
                }
                if others.len() >= OTHERS_WITHOUT_NOTICES {
                    rooms.remove(&room);
                }
            }
            What::UserLeft(room, user) => {
                let Some(others) = rooms.get_mut(&room) else { continue };
                if others.remove(&user).is_none() {
                    let what = format!("client {index}: {user:?} left {room:?} and was not there");
                    report(found, Law::NoticesAlternate, what);
                }
            }
            _ => {}
        }
    }
}
