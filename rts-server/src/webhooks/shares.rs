//! A queue of events with their owners. When it is full, the owner with most events loses one.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap, VecDeque};

use rts_proto::UserId;

use super::event::Event;

/// The user who caused an event. `None`: the server itself.
pub(super) type Owner = Option<UserId>;

/// Events by ascending number.
#[derive(Debug, Default)]
pub(super) struct Shares {
    events: BTreeMap<u64, (Event, Owner)>,
    /// The numbers of each owner's events, in order. Owners without events have no entry.
    shares: HashMap<Owner, VecDeque<u64>>,
    /// Owners by their number of events. Of two owners with equal numbers, the one with the older
    /// oldest event is last.
    by_size: BTreeMap<(usize, Reverse<u64>), Owner>,
}

impl Shares {
    pub(super) fn len(&self) -> usize {
        self.events.len()
    }

    /// The events in the order of their numbers.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Event> {
        self.events.values().map(|(event, _)| event)
    }

    #[cfg(test)]
    pub(super) fn owners(&self) -> impl Iterator<Item = &Owner> {
        self.events.values().map(|(_, owner)| owner)
    }

    pub(super) fn first(&self) -> Option<&Event> {
        self.events.first_key_value().map(|(_, (event, _))| event)
    }

    pub(super) fn push(&mut self, event: Event, owner: Owner) {
        let number = event.number;
        self.change(&owner, |share| share.push_back(number));
        self.events.insert(number, (event, owner));
    }

    pub(super) fn drop_first(&mut self) {
        let Some((_, (_, owner))) = self.events.pop_first() else { return };
        self.change(&owner, drop_oldest);
    }

    /// Drops the oldest event of the owner with most events.
    pub(super) fn drop_of_largest(&mut self) {
        let Some(((_, Reverse(number)), owner)) = self.by_size.last_key_value() else { return };
        let (number, owner) = (*number, owner.clone());
        self.events.remove(&number);
        self.change(&owner, drop_oldest);
    }

    fn change(&mut self, owner: &Owner, change: impl FnOnce(&mut VecDeque<u64>)) {
        let share = self.shares.entry(owner.clone()).or_default();
        if let Some(size) = size_of(share) {
            self.by_size.remove(&size);
        }
        change(share);
        match size_of(share) {
            Some(size) => drop(self.by_size.insert(size, owner.clone())),
            None => drop(self.shares.remove(owner)),
        }
    }
}

fn drop_oldest(share: &mut VecDeque<u64>) {
    share.pop_front();
}

/// The position of a share in `by_size`. `None` if the share is empty.
fn size_of(share: &VecDeque<u64>) -> Option<(usize, Reverse<u64>)> {
    share.front().map(|oldest| (share.len(), Reverse(*oldest)))
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;
    use crate::webhooks::event::What;

    fn shares(of: &str) -> Shares {
        let mut shares = Shares::default();
        for (number, owner) in (1..).zip(of.chars()) {
            let event = Event { number, at: SystemTime::UNIX_EPOCH, what: What::ServerStarted };
            shares.push(event, UserId::new(&owner.to_string()).ok());
        }
        shares
    }

    fn numbers(shares: &Shares) -> Vec<u64> {
        shares.iter().map(|event| event.number).collect()
    }

    #[test]
    fn drops_oldest_event_of_largest_owner() {
        let mut shares = shares("abbcbca");
        shares.drop_of_largest();
        assert_eq!(numbers(&shares), [1, 3, 4, 5, 6, 7]);
    }

    #[test]
    fn drops_oldest_event_among_equal_owners() {
        let mut shares = shares("abab");
        for left in [vec![2, 3, 4], vec![3, 4], vec![4], vec![]] {
            shares.drop_of_largest();
            assert_eq!(numbers(&shares), left);
        }
        shares.drop_of_largest();
        assert!(shares.shares.is_empty() && shares.by_size.is_empty());
    }

    #[test]
    fn taken_events_no_longer_count() {
        let mut shares = shares("aaab");
        (0..3).for_each(|_| shares.drop_first());
        shares.drop_of_largest();
        assert_eq!((shares.len(), shares.shares.len(), shares.by_size.len()), (0, 0, 0));
    }
}
