//! A map with look-ups in constant time, however many entries it has.
//!
//! It iterates in the order of its keys only. The order of a hash map would be a hidden input.

use alloc::collections::BinaryHeap;
use alloc::vec::Vec;
use core::borrow::Borrow;
use core::hash::{BuildHasher as _, Hash};

use foldhash::fast::FixedState;
use hashbrown::HashMap;

/// `seed` decides where entries lie, so that a user who chooses keys cannot make them collide. It
/// changes nothing visible.
#[derive(Debug)]
pub(crate) struct Table<K, V> {
    map: HashMap<K, V, FixedState>,
}

impl<K: Eq + Hash + Ord, V> Table<K, V> {
    pub(crate) fn new(seed: u64) -> Self {
        // The seed is hashed first, so that a seed of 0 also has set bits.
        let seed = FixedState::with_seed(seed).hash_one(seed);
        Self { map: HashMap::with_hasher(FixedState::with_seed(seed)) }
    }

    pub(crate) fn get<Q: Eq + Hash + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.map.get(key)
    }

    pub(crate) fn get_mut<Q: Eq + Hash + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        self.map.get_mut(key)
    }

    pub(crate) fn contains_key<Q: Eq + Hash + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.map.contains_key(key)
    }

    pub(crate) fn insert(&mut self, key: K, value: V) {
        self.map.insert(key, value);
    }

    pub(crate) fn get_or_insert_with(&mut self, key: &K, make: impl FnOnce() -> V) -> &mut V
    where
        K: Clone,
    {
        self.map.entry_ref(key).or_insert_with(make)
    }

    /// Frees memory when the table becomes nearly empty.
    pub(crate) fn remove<Q: Eq + Hash + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        let value = self.map.remove(key);
        if self.map.capacity() > SHRINK_ABOVE && self.map.len() < self.map.capacity() / 8 {
            self.map.shrink_to(self.map.len() * 2);
        }
        value
    }

    pub(crate) fn len(&self) -> usize {
        self.map.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.map.is_empty()
    }

    /// Values in no order, for sums and counts.
    pub(crate) fn values(&self) -> impl Iterator<Item = &V> {
        self.map.values()
    }

    pub(crate) fn sorted_keys(&self) -> Vec<K>
    where
        K: Clone,
    {
        let mut keys: Vec<K> = self.map.keys().cloned().collect();
        keys.sort_unstable();
        keys
    }

    /// The first `max` keys after `after`, in their order. Looks at each key once. Allocates memory
    /// for `max` keys only.
    pub(crate) fn keys_after(&self, after: Option<&K>, max: usize) -> Vec<&K> {
        let mut first = BinaryHeap::new();
        for key in self.map.keys().filter(|key| after.is_none_or(|after| *key > after)) {
            if first.len() < max {
                first.push(key);
            } else if let Some(mut last) = first.peek_mut()
                && key < *last
            {
                *last = key;
            }
        }
        first.into_sorted_vec()
    }
}

/// Tables up to this capacity do not shrink.
const SHRINK_ABOVE: usize = 1_024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_in_order_for_every_seed() {
        for seed in 0..10 {
            let mut table = Table::new(seed);
            for key in [5_u64, 3, 9, 1] {
                table.insert(key, ());
            }
            assert_eq!(table.sorted_keys(), [1, 3, 5, 9]);
        }
    }

    #[test]
    fn pages_of_keys_contain_all_keys_in_order() {
        for (seed, max) in [(1, 1), (2, 3), (3, 10), (4, 11)] {
            let mut table = Table::new(seed);
            for key in (0..10_u64).rev() {
                table.insert(key, ());
            }
            let mut seen = Vec::new();
            loop {
                let page = table.keys_after(seen.last(), max);
                assert!(page.len() <= max);
                if page.is_empty() {
                    break;
                }
                seen.extend(page.into_iter().copied().collect::<Vec<_>>());
            }
            assert_eq!(seen, (0..10).collect::<Vec<_>>(), "pages of {max}");
            assert!(table.keys_after(None, 0).is_empty());
        }
    }

    #[test]
    fn memory_comes_back_when_entries_go() {
        let mut table = Table::new(1);
        for key in 0..100_000_u64 {
            table.insert(key, ());
        }
        for key in 10..100_000_u64 {
            table.remove(&key);
        }
        assert!(table.map.capacity() <= SHRINK_ABOVE);
        assert!((0..10).all(|key| table.contains_key(&key)));
    }
}
