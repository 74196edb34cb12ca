//! One order of a room's broadcasts for all members.
//!
//! Each member's broadcasts give arrows from one to the next. There is one order for all exactly if
//! the arrows of all members have no circle.

use std::collections::{BTreeMap, HashMap};

use super::violation::{Law, Violation, report};
use crate::promises::history::{History, Message, Room, What};

/// The arrows from a broadcast, each with a member that saw it.
type Arrows = BTreeMap<Message, BTreeMap<Message, usize>>;

pub(super) fn check(history: &History<'_>, found: &mut Vec<Violation>) {
    for (room, arrows) in arrows(history) {
        if let Some(circle) = circle(&arrows) {
            let steps = circle.iter().map(|(member, first, second)| {
                format!("client {member} saw {first:?} before {second:?}")
            });
            let what = format!("{room:?}: {}", steps.collect::<Vec<_>>().join(", "));
            report(found, Law::RoomOrder, what);
        }
    }
}

fn arrows(history: &History<'_>) -> BTreeMap<Room, Arrows> {
    let mut rooms: BTreeMap<Room, Arrows> = BTreeMap::new();
    for (member, client) in history.clients.iter().enumerate() {
        let mut last: HashMap<Room, Message> = HashMap::new();
        for record in client.records {
            let What::Received { room: Some(room), message: Some(message), .. } = record.what
            else {
                continue;
            };
            let last = last.insert(room, message);
            // Law `NotDoubled` reports one that comes twice.
            if let Some(last) = last.filter(|last| *last != message) {
                let arrows = rooms.entry(room).or_default();
                arrows.entry(last).or_default().entry(message).or_insert(member);
            }
        }
    }
    rooms
}

/// A circle: each step with its member, if there is one.
fn circle(arrows: &Arrows) -> Option<Vec<(usize, Message, Message)>> {
    let mut into: BTreeMap<Message, usize> = BTreeMap::new();
    for (from, next) in arrows {
        into.entry(*from).or_default();
        for to in next.keys() {
            *into.entry(*to).or_default() += 1;
        }
    }
    let mut free: Vec<Message> =
        into.iter().filter(|(_, count)| **count == 0).map(|(message, _)| *message).collect();
    while let Some(message) = free.pop() {
        into.remove(&message);
        for to in arrows.get(&message).into_iter().flat_map(BTreeMap::keys) {
            if let Some(count) = into.get_mut(to) {
                *count -= 1;
                if *count == 0 {
                    free.push(*to);
                }
            }
        }
    }
    // Each that is left has an arrow from another one that is left. Going back ends in a circle.
    let mut back: BTreeMap<Message, (usize, Message)> = BTreeMap::new();
    for (from, next) in arrows.iter().filter(|(from, _)| into.contains_key(from)) {
        for (to, member) in next {
            back.insert(*to, (*member, *from));
        }
    }
    let mut path: Vec<Message> = vec![*into.keys().next()?];
    loop {
        let (_, before) = back.get(path.last()?)?;
        if let Some(start) = path.iter().position(|message| message == before) {
            path.drain(..start);
            path.reverse();
            let after = path.iter().cycle().skip(1);
            let steps = path.iter().zip(after).map(|(first, second)| {
                let member = arrows.get(first).and_then(|next| next.get(second));
                (member.copied().unwrap_or_default(), *first, *second)
            });
            return Some(steps.collect());
        }
        path.push(*before);
    }
}
