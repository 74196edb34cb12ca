//! The slots: which node decides about which users and rooms.
//!
//! A user or room belongs to one of 4,096 slots. Each slot has a home: the node that decides about
//! its users and rooms. The home is found by rendezvous hashing: each shard of each node draws a
//! number for the slot, and the greatest one wins. So a node that leaves gives up its own slots and
//! no others move, and a node with twice the shards has twice the slots.

use std::hash::Hasher as _;

use siphasher::sip::SipHasher13;

use crate::limits::SLOTS;
use crate::view::{Member, MemberState, View};

/// A part of all users and rooms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot(u16);

impl Slot {
    /// The slot of a user or room, whose keyed hash this is.
    #[must_use]
    pub fn of_hash(hash: u64) -> Self {
        Self((hash % SLOTS as u64) as u16)
    }

    /// All slots.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..SLOTS).map(|slot| Self(slot as u16))
    }
}

/// The homes of all slots in a view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Homes {
    /// By slot, the index of a member of the view.
    of_slot: Vec<u8>,
}

impl Homes {
    /// The homes in this view. Members that are `Up` are homes. If none is, those that drain are,
    /// because their users still need them. If all members join, one is the home of all slots, and
    /// not the one that came last: a node has to learn the homes before its first view. In each
    /// case, if one member is removed, only its slots move.
    #[must_use]
    pub fn of(view: &View) -> Self {
        let home = |slot| {
            let members = view.members().iter().enumerate();
            let home = members.max_by_key(|(index, member)| match member.state {
                MemberState::Up => (2, greatest(view.seed(), member, slot), *index),
                MemberState::Draining => (1, greatest(view.seed(), member, slot), *index),
                MemberState::Joining => (0, view.seniority(member.incarnation).into(), *index),
            });
            home.map_or(0, |(index, _)| index as u8)
        };
        Self { of_slot: Slot::all().map(home).collect() }
    }

    /// The index of the member that decides about a slot.
    #[must_use]
    pub fn home(&self, slot: Slot) -> usize {
        self.of_slot[usize::from(slot.0)].into()
    }
}

/// The greatest number that a shard of the member draws for the slot.
fn greatest(seed: u64, member: &Member, slot: Slot) -> u64 {
    let number = |shard: u8| {
        let mut hasher = SipHasher13::new_with_keys(seed, slot.0.into());
        hasher.write(member.name.as_str().as_bytes());
        hasher.write(&[0, shard]);
        hasher.finish()
    };
    (0..member.shards).map(number).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::member;
    use crate::view::ViewId;

    fn view(members: Vec<Member>) -> View {
        View::first(ViewId(1), 7, members).expect("a valid view")
    }

    /// By slot, the name of the home.
    fn homes(view: &View) -> Vec<String> {
        let homes = Homes::of(view);
        Slot::all().map(|slot| view.members()[homes.home(slot)].name.to_string()).collect()
    }

    fn count(homes: &[String], of: &str) -> usize {
        homes.iter().filter(|home| *home == of).count()
    }

    #[test]
    fn only_the_slots_of_a_node_that_leaves_move() {
        let all = ["a", "b", "c"].map(|name| member(name, name.as_bytes()[0].into()));
        let [before, after] = [&all[..], &all[..2]].map(|members| homes(&view(members.to_vec())));
        let mut moved = 0;
        for (before, after) in before.iter().zip(&after) {
            match before.as_str() {
                "c" => moved += 1,
                _ => assert_eq!(before, after),
            }
        }
        assert_eq!(moved, count(&before, "c"));
        assert!((1_200..1_530).contains(&moved), "{moved}");
        assert_eq!(count(&after, "c"), 0);
    }

    #[test]
    fn slots_are_spread_by_the_number_of_shards() {
        let large = Member { shards: 3, ..member("large", 1) };
        let homes = homes(&view(vec![large, member("small", 2)]));
        let of_large = count(&homes, "large");
        assert!((2_950..3_200).contains(&of_large), "{of_large} of {SLOTS}");
        assert_eq!(count(&homes, "small"), SLOTS - of_large);
    }

    #[test]
    fn homes_survive_a_restart_and_depend_on_the_seed() {
        let members = |incarnation| vec![member("a", incarnation), member("b", incarnation + 1)];
        let restarted = homes(&view(members(10)));
        assert_eq!(homes(&view(members(1))), restarted);
        let other = View::first(ViewId(1), 8, members(1)).expect("a valid view");
        assert_ne!(homes(&other), restarted);
    }

    #[test]
    fn homes_are_up_or_drain_if_none_is_up() {
        let in_state = |name, state| Member { state, ..member(name, name.as_bytes()[0].into()) };
        let joining = ["a", "b"].map(|name| in_state(name, MemberState::Joining));
        let draining = ["c", "d"].map(|name| in_state(name, MemberState::Draining));
        let up = ["e", "f"].map(|name| in_state(name, MemberState::Up));
        let mut present = joining.to_vec();
        for group in [draining, up] {
            let names = group.clone().map(|member| member.name.to_string());
            present.extend(group);
            let homes = homes(&view(present.clone()));
            assert!(names.iter().all(|name| count(&homes, name) > 1_500), "{present:?}");
            assert!(homes.iter().all(|home| names.contains(home)), "{present:?}");
        }
    }

    #[test]
    fn of_members_that_all_join_one_is_home_and_never_the_last_one() {
        let joining =
            |n: u64| Member { state: MemberState::Joining, ..member(&format!("n{n}"), n) };
        let mut present = view(vec![joining(1)]);
        for last in 2..200 {
            // The two latest ones stay.
            let mut members = present.members().to_vec();
            members.retain(|member| member.incarnation.0 + 2 >= last);
            members.push(joining(last));
            present = present.next(ViewId(last.into()), members).expect("a valid view");
            let homes = homes(&present);
            assert_eq!(count(&homes, &homes[0]), SLOTS);
            assert_ne!(homes[0], format!("n{last}"));
        }
    }

    #[test]
    fn removal_moves_the_slots_of_the_removed_member_only_whatever_the_states_are() {
        let all_states = [MemberState::Joining, MemberState::Up, MemberState::Draining];
        for n in 0..27 {
            let states = [n / 9, n / 3 % 3, n % 3].map(|state| all_states[state]);
            let all = ["a", "b", "c"].into_iter().zip(states).zip(1..);
            let all: Vec<_> = all
                .map(|((name, state), incarnation)| Member { state, ..member(name, incarnation) })
                .collect();
            let before = homes(&view(all.clone()));
            for removed in &all {
                let rest = all.iter().filter(|member| *member != removed).cloned().collect();
                for (before, after) in before.iter().zip(homes(&view(rest))) {
                    assert!(*before == after || before == removed.name.as_str(), "{states:?}");
                }
            }
        }
    }

    #[test]
    fn slot_of_a_hash_is_below_4096() {
        let greatest = Slot::of_hash(u64::MAX);
        assert_eq!(Slot::all().last(), Some(greatest));
        assert_eq!(Slot::of_hash(SLOTS as u64), Slot::of_hash(0));
    }
}
