//! A map that assigns its own keys. A key holds the position of its value: no hash, no search.

use alloc::vec::Vec;
use core::num::NonZeroU64;

/// Bits of a key that hold the slot, counted from 1.
const SLOT_BITS: u32 = 26;
/// Bits of a key that hold the number of its slab.
const SLAB_BITS: u32 = 12;
/// Bits of a key that hold its serial number.
const SERIAL_BITS: u32 = 64 - SLAB_BITS - SLOT_BITS;
const SLOT_MASK: u64 = (1 << SLOT_BITS) - 1;

/// Slabs whose keys differ from one another.
pub(crate) const SLABS_MAX: u16 = 1 << SLAB_BITS;

/// The name of a value while it is stored. The first key of slab 0 is 1. Later keys of a slab are
/// greater, until 2²⁶ values were stored. Keys of two slabs with different numbers differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Key(NonZeroU64);

impl Key {
    /// From the top: 26 bits of serial number, 12 of the slab, 26 of the slot.
    fn new(serial: u32, slab: u16, slot: usize) -> Self {
        let place = slot as u64 + 1;
        assert!(place <= SLOT_MASK, "a slab is not that large");
        let above = u64::from(serial) << SLAB_BITS | u64::from(slab);
        let number = above << SLOT_BITS | place;
        Self(NonZeroU64::new(number).expect("places are counted from 1"))
    }

    /// The key with this number, if such a key can exist.
    #[must_use]
    pub fn from_number(number: u64) -> Option<Self> {
        NonZeroU64::new(number).map(Self)
    }

    /// The number of this key.
    #[must_use]
    pub fn number(self) -> u64 {
        self.0.get()
    }

    /// The number of the slab that made the key.
    pub(crate) fn slab(self) -> u16 {
        (self.number() >> SLOT_BITS) as u16 & (SLABS_MAX - 1)
    }

    /// The slot's index. A key without a slot has an index that is out of range.
    fn slot(self) -> usize {
        ((self.number() & SLOT_MASK) as usize).wrapping_sub(1)
    }
}

/// The slot of a value depends on earlier inserts and removals only.
#[derive(Debug)]
pub(crate) struct Slab<V> {
    slots: Vec<Slot<V>>,
    /// Slots without a value. The last one is used next.
    free: Vec<u32>,
    next_serial: u32,
    /// In all keys of this slab.
    number: u16,
}

/// A slot keeps the key of its latest value.
#[derive(Debug)]
struct Slot<V> {
    key: Key,
    value: Option<V>,
}

impl<V> Slab<V> {
    /// An empty slab with a number below [`SLABS_MAX`].
    pub(crate) fn new(number: u16) -> Self {
        assert!(number < SLABS_MAX, "a key has no room for it");
        Self { slots: Vec::new(), free: Vec::new(), next_serial: 0, number }
    }

    /// The number in its keys.
    pub(crate) fn number(&self) -> u16 {
        self.number
    }

    pub(crate) fn get(&self, key: Key) -> Option<&V> {
        let slot = self.slots.get(key.slot()).filter(|slot| slot.key == key)?;
        slot.value.as_ref()
    }

    pub(crate) fn get_mut(&mut self, key: Key) -> Option<&mut V> {
        let slot = self.slots.get_mut(key.slot()).filter(|slot| slot.key == key)?;
        slot.value.as_mut()
    }

    /// Inserts a value that is built from its own key.
    pub(crate) fn insert_with(&mut self, make: impl FnOnce(Key) -> V) -> Key {
        let serial = self.next_serial;
        self.next_serial = (serial + 1) % (1 << SERIAL_BITS);
        let slot = self.free.pop().map_or(self.slots.len(), |slot| slot as usize);
        let key = Key::new(serial, self.number, slot);
        let filled = Slot { key, value: Some(make(key)) };
        match self.slots.get_mut(slot) {
            Some(free) => *free = filled,
            None => self.slots.push(filled),
        }
        key
    }

    /// Frees the memory when the slab becomes empty.
    pub(crate) fn remove(&mut self, key: Key) -> Option<V> {
        let slot = self.slots.get_mut(key.slot()).filter(|slot| slot.key == key)?;
        let value = slot.value.take()?;
        self.free.push(key.slot() as u32);
        if self.is_empty() {
            (self.slots, self.free) = (Vec::new(), Vec::new());
        }
        Some(value)
    }

    pub(crate) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(crate) fn values(&self) -> impl Iterator<Item = &V> {
        self.slots.iter().filter_map(|slot| slot.value.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_never_finds_the_next_value_of_its_slot() {
        let mut slab = Slab::new(0);
        let first = slab.insert_with(|_| 'a');
        let second = slab.insert_with(|_| 'b');
        assert_eq!(slab.remove(first), Some('a'));
        let third = slab.insert_with(|_| 'c');
        assert_eq!(third.slot(), first.slot());
        assert_eq!(slab.get(first), None);
        assert_eq!(slab.get_mut(first), None);
        assert_eq!(slab.remove(first), None);
        assert_eq!((slab.get(second), slab.get(third)), (Some(&'b'), Some(&'c')));
        assert_eq!(slab.len(), 2);
        assert!(first < second && second < third);
    }

    #[test]
    fn a_value_is_made_with_the_key_that_finds_it() {
        let mut slab = Slab::new(0);
        let first = slab.insert_with(|key| key);
        let second = slab.insert_with(|key| key);
        assert_eq!((slab.get(first), slab.get(second)), (Some(&first), Some(&second)));
    }

    #[test]
    fn foreign_number_finds_no_value() {
        let mut slab = Slab::new(0);
        let key = slab.insert_with(|_| 'a');
        assert_eq!(key.number(), 1);
        for number in [2, 1 << 38, 1 << 38 | 1, u64::MAX] {
            assert_eq!(Key::from_number(number).and_then(|key| slab.get(key)), None);
        }
        assert_eq!(Key::from_number(0), None);
        assert_eq!(Key::from_number(key.number()), Some(key));
    }

    #[test]
    fn keys_of_two_slabs_differ_and_find_nothing_in_the_other() {
        let (mut first, mut last) = (Slab::new(0), Slab::new(SLABS_MAX - 1));
        for value in 0..100 {
            let (one, other) = (first.insert_with(|_| value), last.insert_with(|_| value));
            assert_eq!((one.slab(), other.slab()), (0, SLABS_MAX - 1));
            assert_eq!((first.get(one), last.get(other)), (Some(&value), Some(&value)));
            assert_eq!((first.get(other), last.get(one)), (None, None));
        }
    }

    #[test]
    fn memory_comes_back_when_all_are_gone() {
        let mut slab = Slab::new(0);
        let keys: Vec<Key> = (0..1_000).map(|value| slab.insert_with(|_| value)).collect();
        assert!(keys.into_iter().all(|key| slab.remove(key).is_some()));
        assert_eq!((slab.slots.capacity(), slab.free.capacity()), (0, 0));
    }
}
