//! Events in order, and whose doing each is: when there is no room for all, who has most gives way.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap, VecDeque};

use rts_proto::UserId;

use super::event::Event;

/// `None`: the server's own.
pub(super) type Owner = Option<UserId>;

/// Events by their numbers, which grow.
#[derive(Debug, Default)]
pub(super) struct Shares {
    events: BTreeMap<u64, (Event, Owner)>,
    /// The numbers of each one's events, in order; nobody without any is here.
    shares: HashMap<Owner, VecDeque<u64>>,
    /// The same by how many they are; of two that have as many, the one whose oldest is older comes
    /// last.
    by_size: BTreeMap<(usize, Reverse<u64>), Owner>,
}

impl Shares {
    pub(super) fn len(&self) -> usize {
        self.events.len()
    }

    /// In the order of their numbers.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Event> {
        self.events.values().map(|(event, _)| event)
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

    /// Drops the oldest event of the one who has most.
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

/// Where a share stands among the others, if there is anything in it.
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
    fn who_has_most_loses_its_oldest() {
        let mut shares = shares("abbcbca");
        shares.drop_of_largest();
        assert_eq!(numbers(&shares), [1, 3, 4, 5, 6, 7]);
    }

    #[test]
    fn of_those_who_have_as_many_the_oldest_event_goes() {
        let mut shares = shares("abab");
        for left in [vec![2, 3, 4], vec![3, 4], vec![4], vec![]] {
            shares.drop_of_largest();
            assert_eq!(numbers(&shares), left);
        }
        shares.drop_of_largest();
        assert!(shares.shares.is_empty() && shares.by_size.is_empty());
    }

    #[test]
    fn what_was_taken_counts_no_more() {
        let mut shares = shares("aaab");
        (0..3).for_each(|_| shares.drop_first());
        shares.drop_of_largest();
        assert_eq!((shares.len(), shares.shares.len(), shares.by_size.len()), (0, 0, 0));
    }
}
