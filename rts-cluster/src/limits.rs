//! Every bound of the cluster, and the relations between them.

use std::time::Duration;

/// Nodes of a cluster.
pub const MEMBERS_MAX: usize = 32;
/// Different numbers of nodes. Those of members differ.
pub const NODE_NUMBERS: u8 = 64;
/// Bytes of the name of a node or of a cluster.
pub const NAME_BYTES_MAX: usize = 32;
/// Shards of a node.
pub const SHARDS_MAX: u8 = 64;
/// Shards of a cluster.
pub const SHARDS_OF_CLUSTER_MAX: usize = MEMBERS_MAX * SHARDS_MAX as usize;
/// Parts of all users and rooms, each of which has one home.
pub const SLOTS: usize = 4_096;
/// The time between two beats of a node.
pub const BEAT: Duration = Duration::from_millis(500);
/// A beat has at most this many echoes, votes, and dead nodes: those of members and of nodes that
/// join.
pub const BEAT_LIST_MAX: usize = 4 * MEMBERS_MAX;
/// The time for which a grant lets a node act, from the moment of the beat that it answers.
pub const LEASE: Duration = Duration::from_secs(5);
/// The silence of a node after which others vote to remove it, from the arrival of its last beat.
/// The clocks of two nodes may differ in speed by a tenth. Also the time for which entries may wait
/// for a node that acknowledges none.
pub const SUSPECT: Duration = Duration::from_millis(5_500);
/// The time without a lease after which a node ends its sessions.
pub const FROZEN_MAX: Duration = Duration::from_secs(25);
/// The time after which a node ends because another one acknowledges nothing, and the others do not
/// agree to remove it. Without the grants of this node, the other one may have ended before.
pub const STALLED_MAX: Duration = Duration::from_secs(45);
/// The time for which a node listens for members before it founds a cluster.
pub const FOUNDING_SILENCE: Duration = Duration::from_millis(1_500);
/// Members propose a decided change one after the other, with this time between them.
pub const PROPOSAL_STEP: Duration = Duration::from_millis(250);
/// The time without an answer to a beat after which a node wants another connection to the bus.
/// Three beats are then lost, and its lease goes on for long enough. Also the time for which a node
/// counts as heard, when that shows that the bus works.
pub const UNHEARD: Duration = Duration::from_millis(1_500);
/// The longest such time. It doubles while another connection does not help.
pub const UNHEARD_MAX: Duration = Duration::from_secs(30);
/// The time for an answer of the register.
pub const REGISTER_TIMEOUT: Duration = Duration::from_secs(5);
/// The time between two reads of the register.
pub const READ_EVERY: Duration = Duration::from_millis(500);
/// The least time after a read before the next one, when a beat names a view that the node does not
/// know. It is frozen until it has that view.
pub const READ_NEWS_EVERY: Duration = Duration::from_millis(50);
/// The bytes of entries in one batch. A NATS server takes payloads of 1 MiB.
pub const BATCH_BYTES_MAX: usize = 256 * 1_024;
/// The bytes of an entry of a trunk.
pub const ENTRIES_BYTES_MAX: usize = BATCH_BYTES_MAX / 2;
/// Sessions of another node that get frames by one entry. More need several entries.
pub const SESSIONS_OF_ENTRY_MAX: usize = 4_096;
/// Entries of a trunk that are not acknowledged.
pub const TRUNK_ENTRIES_MAX: usize = 65_536;
/// Bytes of entries of a trunk that are not acknowledged.
pub const TRUNK_BYTES_MAX: usize = 8 * 1_024 * 1_024;
/// Bytes of entries of all trunks of a node that are not acknowledged. A NATS server holds 64 MiB
/// for a client that reads too slowly.
pub const BUS_BYTES_MAX: usize = 48 * 1_024 * 1_024;
/// What each entry of a trunk counts besides its bytes.
pub const ENTRY_OVERHEAD_BYTES: usize = 32;
/// An acknowledgement waits this long for a batch that can carry it.
pub const ACK_DELAY: Duration = Duration::from_millis(10);
/// Removed nodes that a view knows. This is a number of removals, and no time: after this number
/// of others, the view does not tell that a node was removed. So a node that waits to join ends
/// when it sees more than this number of views pass: it may have been a member meanwhile.
pub const REMOVED_MAX: usize = 64;
/// Received entries after which an acknowledgement no longer waits.
pub const ACK_ENTRIES_MAX: u64 = 128;
/// The least time between two requests to send from a gap on.
pub const NACK_EVERY: Duration = Duration::from_millis(50);
/// The time without progress after which a trunk sends again.
pub const RESEND_AFTER: Duration = Duration::from_millis(250);
/// The longest such time. It doubles while there is no progress.
pub const RESEND_AFTER_MAX: Duration = Duration::from_secs(2);

const _: () = assert!(MEMBERS_MAX <= u8::MAX as usize && SLOTS <= u16::MAX as usize + 1);
const _: () = assert!(2 * MEMBERS_MAX <= NODE_NUMBERS as usize);
const _: () = assert!(SHARDS_MAX as usize == rts_proto::server::ShardId::COUNT_MAX);
const _: () = assert!(NODE_NUMBERS as usize == rts_proto::server::NodeNumber::COUNT);
const _: () = assert!(SLOTS == rts_proto::server::SLOTS);
// A vote on each member to remove it, one on its state, and votes to add others.
const _: () = assert!(3 * MEMBERS_MAX <= BEAT_LIST_MAX);
const _: () = assert!(4 * BEAT.as_millis() < LEASE.as_millis());
const _: () = assert!(2 * UNHEARD.as_millis() < LEASE.as_millis());
// When the bus goes away from all nodes, none of them hears others for so long that it votes.
const _: () = assert!(BEAT.as_millis() + UNHEARD.as_millis() < SUSPECT.as_millis());
const _: () = assert!(2 * BEAT.as_millis() < FOUNDING_SILENCE.as_millis());
const _: () = assert!(SUSPECT.as_millis() * 10 >= LEASE.as_millis() * 11);
// A session that moves, and a login that waits, outlast a node that hangs.
const _: () = assert!(SUSPECT.as_millis() + 1_000 < rts_proto::limits::LEAVING_MAX.as_millis());
const _: () =
    assert!(rts_proto::limits::LEAVING_MAX.as_millis() < rts_proto::limits::ASK_MAX.as_millis());
const _: () = assert!(
    SUSPECT.as_millis() + LEASE.as_millis() + FROZEN_MAX.as_millis() < STALLED_MAX.as_millis()
);
const _: () = assert!(FROZEN_MAX.as_millis() < rts_proto::limits::SESSION_GRACE.as_millis());
const _: () = assert!(
    rts_proto::limits::FRAME_BYTES_MAX + 8 * SESSIONS_OF_ENTRY_MAX + 1_024 <= ENTRIES_BYTES_MAX
);
// The names of members, and the ids and numbers beside them.
const _: () = assert!(
    rts_proto::limits::NOTICE_MEMBERS_MAX * (rts_proto::limits::ID_BYTES_MAX + 3) + 1_024
        <= ENTRIES_BYTES_MAX
);
// The members of a room that moves, each with a session or a time.
const _: () = assert!(
    rts_proto::limits::NOTICE_MEMBERS_MAX * (rts_proto::limits::ID_BYTES_MAX + 17) + 1_024
        <= ENTRIES_BYTES_MAX
);
// A user who moves, with a login of each shard, those that resume its session, and the rooms in
// which memberships wait.
const _: () = assert!(
    SHARDS_OF_CLUSTER_MAX * 52
        + rts_proto::limits::RESUMES_PER_USER_MAX * 100
        + rts_proto::limits::ROOMS_PER_USER_MAX * (rts_proto::limits::ID_BYTES_MAX + 12)
        + 1_024
        <= ENTRIES_BYTES_MAX
);
// A message of a back end to some members of a room, and a part of a list of users.
const _: () = assert!(
    rts_proto::limits::ROOM_UNICAST_RECEIVERS_MAX * (rts_proto::limits::ID_BYTES_MAX + 3)
        + rts_proto::limits::ROOM_UNICAST_PAYLOAD_BYTES_MAX
        + 1_024
        <= ENTRIES_BYTES_MAX
);
const _: () = assert!(
    rts_proto::limits::NOTICE_MEMBERS_MAX * (rts_proto::limits::ID_BYTES_MAX + 48) + 1_024
        <= ENTRIES_BYTES_MAX
);
// A session that moves, besides its frames: three lists of rooms, and params.
const _: () = assert!(
    4 * rts_proto::limits::ROOMS_PER_USER_MAX * (rts_proto::limits::ID_BYTES_MAX + 32)
        + (rts_proto::limits::OPEN_SERVER_PARAMS_MAX + 1)
            * (rts_proto::limits::SIGNATURE_BYTES_MAX + rts_proto::limits::URL_BYTES_MAX + 24)
        + 1_024
        <= ENTRIES_BYTES_MAX
);
// A batch waits for room in a trunk at most, also in the largest cluster.
const _: () = assert!(BATCH_BYTES_MAX < BUS_BYTES_MAX / MEMBERS_MAX);
const _: () = assert!(BATCH_BYTES_MAX < TRUNK_BYTES_MAX);
const _: () = assert!(ACK_DELAY.as_millis() < RESEND_AFTER.as_millis());
const _: () = assert!(NACK_EVERY.as_millis() < RESEND_AFTER.as_millis());
