//! The shard of each user, room and app in a node.

use siphasher::sip::SipHasher13;

use super::keys::SessionNumber;
use crate::limits::{APP_ID_BYTES, ID_BYTES_MAX};
use crate::slab::SLABS_MAX;
use crate::{AppId, RoomId};

/// Bits of the number of a shard in its node.
const SHARD_BITS: u32 = 6;
const NODES_MAX: u16 = SLABS_MAX >> SHARD_BITS;

/// A node of a cluster. Nodes that are in the cluster at the same time have different numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeNumber(u8);

impl NodeNumber {
    /// The number of a node that is in no cluster.
    pub const ALONE: Self = Self(0);
    /// The number of different numbers.
    pub const COUNT: usize = NODES_MAX as usize;

    /// The node with this number, which is below [`COUNT`](Self::COUNT).
    #[must_use]
    pub fn new(number: usize) -> Option<Self> {
        u8::try_from(number).ok().filter(|number| u16::from(*number) < NODES_MAX).map(Self)
    }

    /// Its number.
    #[must_use]
    pub fn number(self) -> usize {
        self.0.into()
    }
}

/// A shard of a node. Shards are counted from 0 in each node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShardId(u16);

impl ShardId {
    /// The first shard of a node that is in no cluster.
    pub const FIRST: Self = Self(0);
    /// The most shards of one node.
    pub const COUNT_MAX: usize = 1 << SHARD_BITS;

    /// The shard with this number of a node that is in no cluster, if a node can have it.
    #[must_use]
    pub fn new(number: usize) -> Option<Self> {
        Self::of_node(NodeNumber::ALONE, number)
    }

    /// The shard of a node with this number, if a node can have it.
    #[must_use]
    pub fn of_node(node: NodeNumber, number: usize) -> Option<Self> {
        let number = u16::try_from(number).ok().filter(|number| *number < 1 << SHARD_BITS)?;
        Some(Self(u16::from(node.0) << SHARD_BITS | number))
    }

    /// Its node.
    #[must_use]
    pub fn node(self) -> NodeNumber {
        NodeNumber((self.0 >> SHARD_BITS) as u8)
    }

    /// Its number in its node.
    #[must_use]
    pub fn number(self) -> usize {
        (self.0 & ((1 << SHARD_BITS) - 1)).into()
    }

    /// Its number among the shards of all nodes.
    pub(super) fn slab(self) -> u16 {
        self.0
    }

    pub(super) fn of_session(session: SessionNumber) -> Self {
        Self(session.slab())
    }
}

/// Serializes as its number among the shards of all nodes.
#[cfg(feature = "serde")]
impl serde::Serialize for ShardId {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u16(self.0)
    }
}

/// Deserializes from the number of a shard among those of all nodes. Other numbers are an error.
#[cfg(feature = "serde")]
impl<'de> serde::Deserialize<'de> for ShardId {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let number = <u16 as serde::Deserialize>::deserialize(from)?;
        let shard = Some(Self(number)).filter(|_| number < SLABS_MAX);
        shard.ok_or_else(|| serde::de::Error::custom("no such shard"))
    }
}

/// Which shard of a node this is, and how users and rooms are distributed over all of them.
///
/// Every shard of a node has the same count and seed. Links of a user belong to the user's shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placement {
    own: ShardId,
    count: u8,
    seed: u64,
}

/// What is distributed over shards.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    App,
    User,
    Room,
}

impl Placement {
    /// The only shard of a node.
    pub const ALONE: Self = Self { own: ShardId::FIRST, count: 1, seed: 0 };

    /// One of `count` shards. Users should not know the seed, or they could choose names that
    /// belong to one shard. `None` if there is no such shard, or if there are too many.
    #[must_use]
    pub fn new(own: ShardId, count: usize, seed: u64) -> Option<Self> {
        let is_valid = own.number() < count && count <= ShardId::COUNT_MAX;
        let count = u8::try_from(count).ok().filter(|_| is_valid)?;
        Some(Self { own, count, seed })
    }

    /// All shards of a node of this number, in their order. A number that no node can have counts
    /// as the nearest one that it can.
    pub fn of_node(count: usize, seed: u64) -> impl Iterator<Item = Self> {
        let count = count.clamp(1, ShardId::COUNT_MAX) as u8;
        (0..count).map(move |own| Self { own: ShardId(own.into()), count, seed })
    }

    /// The part of this shard of a bound for the whole node, rounded up.
    pub(super) fn share(&self, of_node: usize) -> usize {
        of_node.div_ceil(self.count.into())
    }

    /// Like [`share`](Self::share), and at least this.
    pub(super) fn share_or(&self, of_node: usize, least: usize) -> usize {
        self.share(of_node).max(least)
    }

    /// This shard.
    #[must_use]
    pub fn own(&self) -> ShardId {
        self.own
    }

    /// The number of shards.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count.into()
    }

    /// The seed of the distribution.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// All shards of the node.
    pub fn shards(&self) -> impl Iterator<Item = ShardId> + use<> {
        let first = self.own.slab() - self.own.number() as u16;
        (0..u16::from(self.count)).map(move |number| ShardId(first + number))
    }

    /// The shard of an app: it has the rate of the app's back end.
    #[must_use]
    pub fn of_app(&self, app_id: &AppId) -> ShardId {
        self.of(Kind::App, app_id, "")
    }

    /// The shard of a user.
    #[must_use]
    pub fn of_user(&self, app_id: &AppId, uid: &str) -> ShardId {
        self.of(Kind::User, app_id, uid)
    }

    /// The shard of a room.
    #[must_use]
    pub fn of_room(&self, app_id: &AppId, room: &RoomId) -> ShardId {
        self.of(Kind::Room, app_id, room.as_str())
    }

    /// The shard of a user, if it is another one.
    #[inline]
    pub(super) fn other_of_user(&self, app_id: &AppId, uid: &str) -> Option<ShardId> {
        if self.count == 1 {
            return None;
        }
        Some(self.of_user(app_id, uid)).filter(|shard| *shard != self.own)
    }

    /// The shard of a room, if it is another one.
    #[inline]
    pub(super) fn other_of_room(&self, app_id: &AppId, room: &RoomId) -> Option<ShardId> {
        if self.count == 1 {
            return None;
        }
        Some(self.of_room(app_id, room)).filter(|shard| *shard != self.own)
    }

    fn of(&self, kind: Kind, app_id: &AppId, name: &str) -> ShardId {
        if self.count == 1 {
            return self.own;
        }
        of_hash(self.own.node(), self.count, self.hash(kind, app_id, name))
    }

    /// A keyed hash, so that nobody can aim names at a shard.
    pub(super) fn hash(&self, kind: Kind, app_id: &AppId, name: &str) -> u64 {
        // App ids have one length, so the names behind them begin at one place. What is longer than
        // a name can be counts with its beginning.
        let (app_id, name) = (app_id.as_str().as_bytes(), name.as_bytes());
        let mut text = [0; APP_ID_BYTES + ID_BYTES_MAX];
        let len = APP_ID_BYTES + name.len().min(ID_BYTES_MAX);
        text[..APP_ID_BYTES].copy_from_slice(app_id);
        text[APP_ID_BYTES..len].copy_from_slice(&name[..len - APP_ID_BYTES]);
        SipHasher13::new_with_keys(self.seed, kind as u64).hash(&text[..len])
    }
}

/// The shard of a node with `count` shards to which a name with this hash belongs.
#[inline]
pub(super) fn of_hash(node: NodeNumber, count: u8, hash: u64) -> ShardId {
    let number = ((hash >> 32) * u64::from(count)) >> 32;
    ShardId(u16::from(node.0) << SHARD_BITS | number as u16)
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;
    use crate::server::testing::{app_id, other_app_id, room_id};

    fn placement(own: usize, count: usize) -> Option<Placement> {
        Placement::new(ShardId::new(own)?, count, 7)
    }

    #[test]
    fn shards_of_different_nodes_differ() {
        let node = |number| NodeNumber::new(number).expect("valid");
        let shard = |of, number| ShardId::of_node(node(of), number).expect("valid");
        assert_eq!((NodeNumber::new(64), ShardId::of_node(node(63), 64)), (None, None));
        for (of, number) in [(0, 0), (0, 63), (1, 0), (63, 63)] {
            let id = shard(of, number);
            assert_eq!((id.node(), id.number()), (node(of), number));
        }
        assert_eq!(shard(0, 5), ShardId::new(5).expect("valid"));
        let placement = Placement::new(shard(3, 1), 2, 7).expect("valid");
        assert_eq!(placement.shards().collect::<Vec<_>>(), [shard(3, 0), shard(3, 1)]);
        let other = (0..100).map(|name| alloc::format!("u{name}"));
        let other = other.filter_map(|name| placement.other_of_user(&app_id(), &name));
        assert!(other.clone().count() > 30 && { other }.all(|other| other == shard(3, 0)));
    }

    #[test]
    fn a_node_has_one_to_64_shards() {
        assert_eq!(placement(0, 0), None);
        assert_eq!(placement(0, 1).map(|placement| placement.count()), Some(1));
        assert_eq!(placement(1, 1), None);
        assert!(placement(63, 64).is_some());
        assert_eq!(placement(63, 65), None);
        assert_eq!(placement(64, 65), None);
    }

    #[test]
    fn all_shards_agree_on_a_home_and_only_the_others_are_elsewhere() {
        let shards: Vec<Placement> = (0..4).filter_map(|own| placement(own, 4)).collect();
        for name in (0..100).map(|name| alloc::format!("u{name}")) {
            let homes = shards.iter().map(|shard| shard.of_user(&app_id(), &name));
            let home = homes.clone().next().expect("four");
            assert!(homes.eq([home; 4]));
            let elsewhere = shards.iter().filter_map(|s| s.other_of_user(&app_id(), &name));
            assert_eq!(elsewhere.collect::<Vec<_>>(), [home; 3]);
        }
    }

    #[test]
    fn names_are_spread_evenly_and_each_kind_and_app_by_itself() {
        let placement = placement(0, 4).expect("valid");
        let mut users = [0; 4];
        let (mut moved_by_kind, mut moved_by_app) = (0, 0);
        for name in (0..4_000).map(|name| alloc::format!("n{name}")) {
            let user = placement.of_user(&app_id(), &name);
            users[user.number()] += 1;
            moved_by_kind += usize::from(placement.of_room(&app_id(), &room_id(&name)) != user);
            moved_by_app += usize::from(placement.of_user(&other_app_id(), &name) != user);
        }
        assert!(users.iter().all(|count| (900..1_100).contains(count)), "{users:?}");
        for moved in [moved_by_kind, moved_by_app] {
            assert!((2_900..3_100).contains(&moved), "{moved}");
        }
    }

    #[test]
    fn another_seed_is_another_distribution() {
        let [one, other] =
            [1, 2].map(|seed| Placement::new(ShardId::FIRST, 2, seed).expect("valid"));
        let differs = |name: &usize| {
            let name = alloc::format!("u{name}");
            one.of_user(&app_id(), &name) != other.of_user(&app_id(), &name)
        };
        let moved = (0..1_000).filter(differs).count();
        assert!((400..600).contains(&moved), "{moved}");
    }

    #[test]
    fn the_only_shard_has_everything() {
        let alone = Placement::ALONE;
        assert_eq!(alone.other_of_user(&app_id(), "alice"), None);
        assert_eq!(alone.other_of_room(&app_id(), &room_id("lobby")), None);
        assert_eq!(alone.of_app(&app_id()), ShardId::FIRST);
        assert_eq!(alone.shards().collect::<Vec<_>>(), [ShardId::FIRST]);
    }
}
