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
    of_slot: Vec<Option<u8>>,
}

impl Homes {
    /// The homes in this view. Only members that are `Up` are homes.
    #[must_use]
    pub fn of(view: &View) -> Self {
        let home = |slot| {
            let members = view.members().iter().enumerate();
            let up = members.filter(|(_, member)| member.state == MemberState::Up);
            let home =
                up.max_by_key(|(index, member)| (greatest(view.seed(), member, slot), *index));
            home.map(|(index, _)| index as u8)
        };
        Self { of_slot: Slot::all().map(home).collect() }
    }

    /// The index of the member that decides about a slot. `None` if no member is up.
    #[must_use]
    pub fn home(&self, slot: Slot) -> Option<usize> {
        self.of_slot.get(usize::from(slot.0)).copied().flatten().map(usize::from)
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
    fn homes(view: &View) -> Vec<Option<String>> {
        let homes = Homes::of(view);
        let name = |index: usize| view.members()[index].name.to_string();
        Slot::all().map(|slot| homes.home(slot).map(name)).collect()
    }

    fn count(homes: &[Option<String>], of: &str) -> usize {
        homes.iter().filter(|home| home.as_deref() == Some(of)).count()
    }

    #[test]
    fn only_the_slots_of_a_node_that_leaves_move() {
        let all = ["a", "b", "c"].map(|name| member(name, name.as_bytes()[0].into()));
        let [before, after] = [&all[..], &all[..2]].map(|members| homes(&view(members.to_vec())));
        let mut moved = 0;
        for (before, after) in before.iter().zip(&after) {
            match before.as_deref() {
                Some("c") => moved += 1,
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
    fn only_members_that_are_up_are_homes() {
        let draining = Member { state: MemberState::Draining, ..member("a", 1) };
        let joining = Member { state: MemberState::Joining, ..member("b", 2) };
        let none = homes(&view(vec![draining.clone(), joining]));
        assert!(none.iter().all(Option::is_none));
        let one = homes(&view(vec![draining, member("c", 3)]));
        assert_eq!(count(&one, "c"), SLOTS);
    }

    #[test]
    fn slot_of_a_hash_is_below_4096() {
        let greatest = Slot::of_hash(u64::MAX);
        assert_eq!(Slot::all().last(), Some(greatest));
        assert_eq!(Slot::of_hash(SLOTS as u64), Slot::of_hash(0));
    }
}
