//! A map that assigns its own keys. A key holds the position of its value: no hash, no search.

use alloc::vec::Vec;
use core::num::NonZeroU64;

/// The name of a value while it is stored. The first key is 1. Later keys are greater, until 2³²
/// values were stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key(NonZeroU64);

impl Key {
    /// The upper half is the serial number. The lower half is the slot, counted from 1.
    fn new(serial: u32, slot: usize) -> Self {
        let place = u32::try_from(slot + 1).expect("memory ends before");
        let number = NonZeroU64::new(u64::from(serial) << 32 | u64::from(place));
        Self(number.expect("places are counted from 1"))
    }

    /// The key with this number, if such a key can exist.
    pub(crate) fn from_number(number: u64) -> Option<Self> {
        NonZeroU64::new(number).map(Self)
    }

    pub(crate) fn number(self) -> u64 {
        self.0.get()
    }

    fn serial(self) -> u32 {
        (self.number() >> 32) as u32
    }

    /// The slot's index. A key with the lower half 0 has none: its index is out of range.
    fn slot(self) -> usize {
        (self.number() as u32 as usize).wrapping_sub(1)
    }
}

/// The slot of a value depends on earlier inserts and removals only.
#[derive(Debug)]
pub(crate) struct Slab<V> {
    slots: Vec<Slot<V>>,
    /// Slots without a value. The last one is used next.
    free: Vec<u32>,
    next_serial: u32,
}

#[derive(Debug)]
struct Slot<V> {
    serial: u32,
    value: Option<V>,
}

impl<V> Slab<V> {
    pub(crate) fn new() -> Self {
        Self { slots: Vec::new(), free: Vec::new(), next_serial: 0 }
    }

    pub(crate) fn get(&self, key: Key) -> Option<&V> {
        let slot = self.slots.get(key.slot()).filter(|slot| slot.serial == key.serial())?;
        slot.value.as_ref()
    }

    pub(crate) fn get_mut(&mut self, key: Key) -> Option<&mut V> {
        let slot = self.slots.get_mut(key.slot()).filter(|slot| slot.serial == key.serial())?;
        slot.value.as_mut()
    }

    /// Inserts a value that is built from its own key.
    pub(crate) fn insert_with(&mut self, make: impl FnOnce(Key) -> V) -> Key {
        let serial = self.next_serial;
        self.next_serial = serial.wrapping_add(1);
        let slot = self.free.pop().map_or(self.slots.len(), |slot| slot as usize);
        let key = Key::new(serial, slot);
        let filled = Slot { serial, value: Some(make(key)) };
        match self.slots.get_mut(slot) {
            Some(free) => *free = filled,
            None => self.slots.push(filled),
        }
        key
    }

    /// Frees the memory when the slab becomes empty.
    pub(crate) fn remove(&mut self, key: Key) -> Option<V> {
        let slot = self.slots.get_mut(key.slot()).filter(|slot| slot.serial == key.serial())?;
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
        let mut slab = Slab::new();
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
        let mut slab = Slab::new();
        let first = slab.insert_with(|key| key);
        let second = slab.insert_with(|key| key);
        assert_eq!((slab.get(first), slab.get(second)), (Some(&first), Some(&second)));
    }

    #[test]
    fn foreign_number_finds_no_value() {
        let mut slab = Slab::new();
        let key = slab.insert_with(|_| 'a');
        assert_eq!(key.number(), 1);
        for number in [2, 1 << 32, 1 << 32 | 1, u64::MAX] {
            assert_eq!(Key::from_number(number).and_then(|key| slab.get(key)), None);
        }
        assert_eq!(Key::from_number(0), None);
        assert_eq!(Key::from_number(key.number()), Some(key));
    }

    #[test]
    fn memory_comes_back_when_all_are_gone() {
        let mut slab = Slab::new();
        let keys: Vec<Key> = (0..1_000).map(|value| slab.insert_with(|_| value)).collect();
        assert!(keys.into_iter().all(|key| slab.remove(key).is_some()));
        assert_eq!((slab.slots.capacity(), slab.free.capacity()), (0, 0));
    }
}
