//! Every bound of the system, by name. `docs/protocol.md` section 8 lists the same numbers.

use core::time::Duration;

/// Largest payload of one message, in bytes; for text, bytes of UTF-8.
pub const PAYLOAD_BYTES_MAX: usize = 65_536;
/// Longest user id, room id or business id, in bytes.
pub const ID_BYTES_MAX: usize = 128;
/// Length of an app id, in bytes.
pub const APP_ID_BYTES: usize = 24;
/// Longest login token, in bytes.
pub const TOKEN_BYTES_MAX: usize = 3_072;
/// Length of a session's resume key, in bytes.
pub const RESUME_KEY_BYTES: usize = 16;
/// Longest signature for the app server, in bytes.
pub const SIGNATURE_BYTES_MAX: usize = 1_024;
/// Longest URL of an app server, in bytes.
pub const URL_BYTES_MAX: usize = 2_048;
/// Largest answer of an app server, in bytes.
pub const REPLY_BYTES_MAX: usize = 65_536;

/// Largest frame before login succeeded, in bytes, without its length prefix.
pub const FRAME_BYTES_MAX_BEFORE_LOGIN: usize = 4_096;
/// Largest frame after login, in bytes, without its length prefix.
pub const FRAME_BYTES_MAX: usize = PAYLOAD_BYTES_MAX + FRAME_HEAD_BYTES_MAX;
/// Bytes of a frame beside its payload: two ids, numbers and tags.
pub const FRAME_HEAD_BYTES_MAX: usize = 512;

/// Unacknowledged sequenced frames that a client may have.
pub const CLIENT_WINDOW_FRAMES_MAX: usize = 1_024;
/// Unacknowledged sequenced frames that the server keeps for one session.
pub const SERVER_WINDOW_FRAMES_MAX: usize = 4_096;
/// Bytes of unacknowledged sequenced frames that either side keeps for one session.
pub const WINDOW_BYTES_MAX: usize = 1_048_576;
/// Over this many unacknowledged bytes, the server drops unreliable messages to a session.
pub const UNRELIABLE_MARK_BYTES: usize = WINDOW_BYTES_MAX / 4;
/// Bytes of unreliable messages to one session among the entries of one input from another shard.
/// The driver cannot report before the next input that the session's link is congested.
pub const UNRELIABLE_BURST_BYTES_MAX: usize = WINDOW_BYTES_MAX / 8;

/// Largest delay of an acknowledgement that the other side does not wait for (§4.4).
pub const ACK_DELAY: Duration = Duration::from_millis(250);
/// From this number of unacknowledged sequenced frames on, acknowledgements have no delay.
pub const ACK_FRAMES_MAX: u64 = 64;
/// From this number of unacknowledged bytes on, acknowledgements have no delay.
pub const ACK_BYTES_MAX: usize = WINDOW_BYTES_MAX / 8;

/// The longest time for which a session waits to move to another shard of a cluster. After that its
/// client logs in afresh. A node that hangs is removed earlier, and clients wait longer for logins.
pub const LEAVING_MAX: Duration = Duration::from_secs(8);
/// The time that a login has for the answers of other shards of a cluster, like in engines.
pub const ASK_MAX: Duration = Duration::from_secs(10);
/// Logins of one user that may wait at once to resume its session in other shards of a cluster.
pub const RESUMES_PER_USER_MAX: usize = 4;

/// Rooms that one user may be in.
pub const ROOMS_PER_USER_MAX: usize = 128;
/// Room handles that one engine may have.
pub const ROOM_HANDLES_MAX: usize = 1_024;
/// Messages and broadcasts of one engine that have no result yet. Enough for every rate of a client
/// during the longest time to a result.
pub const OPEN_SENDS_MAX: usize = 2_048;
/// Bytes of payload of these messages and broadcasts.
pub const OPEN_SEND_BYTES_MAX: usize = 8 * 1_048_576;
/// Most bytes that an engine keeps for its link: the window, the backlog behind it, and an
/// incomplete received frame.
pub const ENGINE_BYTES_MAX: usize = WINDOW_BYTES_MAX
    + OPEN_SEND_BYTES_MAX
    + (OPEN_SENDS_MAX + OPEN_QUERIES_MAX) * FRAME_HEAD_BYTES_MAX
    + OPEN_SERVER_PARAMS_MAX * FRAME_BYTES_MAX_BEFORE_LOGIN
    + FRAME_BYTES_MAX;
/// Bytes of messages to one receiver that are on their way at a time. Less than the receiver's
/// window at the server, which other senders use too.
pub const FLIGHT_BYTES_MAX: usize = WINDOW_BYTES_MAX / 2;
/// Messages to one receiver are held back for this long while nothing arrives. The result of a
/// message takes four ways over the network. On paths of 2.5 s each way, the receiver's
/// acknowledgement reaches the server 7.5 s after the send. A message that leaves after this wait
/// arrives later than that.
pub const FLIGHT_WAIT: Duration = Duration::from_secs(6);
/// Status queries that one engine may have open.
pub const OPEN_QUERIES_MAX: usize = 128;
/// Up to this many frames, messages and queries go into a client's window. The rest is reserved for
/// joins and leaves, so that a full window never blocks a leave.
pub const CLIENT_WINDOW_MESSAGES_MAX: usize = 632;
/// Up to this many frames in its window, a client accepts joins.
pub const CLIENT_WINDOW_JOINS_MAX: usize = CLIENT_WINDOW_FRAMES_MAX - ROOMS_PER_USER_MAX;
/// Up to this many bytes, messages go into a client's window. The rest is reserved for frames that
/// set up a new session again.
pub const CLIENT_WINDOW_MESSAGE_BYTES_MAX: usize = WINDOW_BYTES_MAX - 2 * FRAME_BYTES_MAX;
/// Calls of `setServerParams` that one session may have open.
pub const OPEN_SERVER_PARAMS_MAX: usize = 4;
/// Leaves of one room without an answer up to which another one waits for results of broadcasts,
/// though the user is in the room no more.
pub const REPEATED_LEAVES_MAX: u32 = 8;
/// Members up to which joins and leaves are announced in a room.
pub const NOTICE_MEMBERS_MAX: usize = 500;
/// Members of one room, unless configured otherwise.
pub const ROOM_MEMBERS_MAX: usize = 10_000;

/// Point-to-point messages a second from one user.
pub const SENDS_PER_SECOND: u32 = 100;
/// Broadcasts a second from one user.
pub const BROADCASTS_PER_SECOND: u32 = 65;
/// Messages to the app server a second from one user.
pub const SERVER_SENDS_PER_SECOND: u32 = 20;
/// Status queries a second from one user.
pub const STATUS_QUERIES_PER_SECOND: u32 = 10;
/// Rooms a second that one user may enter.
pub const JOINS_PER_SECOND: u32 = 20;
/// Rooms that one user may enter at once after a pause, whatever its rate.
pub const JOINS_BURST_MIN: u32 = 256;
/// Bytes a second of join answers, which list members, for one user.
pub const MEMBER_LIST_BYTES_PER_SECOND: u32 = 131_072;
/// Bytes of join answers at once after a pause: the members of all rooms of a user, for rooms of
/// any size.
pub const MEMBER_LIST_BYTES_BURST: u32 = 64 * MEMBER_LIST_BYTES_PER_SECOND;
/// Up to this many unacknowledged bytes of a session, members are listed. The rest is reserved for
/// messages and notices of the rooms.
pub const MEMBER_LISTS_WINDOW_BYTES_MAX: usize = WINDOW_BYTES_MAX / 2;
/// Logins a second of one user. A resume does not count.
pub const LOGINS_PER_SECOND: u32 = 5;
/// Logins of one user that may wait for their turn.
pub const LOGINS_WAITING_MAX: usize = 5;
/// Logins of one user that may wait at a shard of a cluster until the user's home decides.
pub const ASKS_PER_USER_MAX: usize = 16;
/// Bytes of messages that may wait at a shard, in a cluster, until it is decided who owns their
/// users.
pub const HELD_BYTES_MAX: usize = 8 << 20;
/// Time for the shards of a cluster to answer a request of a back end.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);
/// Answers a second to the pings of one session.
pub const PONGS_PER_SECOND: u32 = 4;
/// Users of one shard whose used-up rates are remembered without a session, unless configured
/// otherwise.
pub const USERS_REMEMBERED_MAX: usize = 100_000;
/// Broadcasts a second in one room, of all senders together, below [`NOTICE_MEMBERS_MAX`] members.
pub const ROOM_BROADCASTS_PER_SECOND: u32 = 100;
/// Broadcasts a second in one room from [`NOTICE_MEMBERS_MAX`] members on.
pub const LARGE_ROOM_BROADCASTS_PER_SECOND: u32 = 80;
/// Messages a second from the back end of one app.
pub const BACKEND_SENDS_PER_SECOND: u32 = 500;
/// Messages that the back end of one app may send at once after a pause, whatever its rate. One
/// message to members of a room may have this many receivers.
pub const BACKEND_BURST_MIN: u32 = 600;
/// Receivers of one message of the back end to members of a room.
pub const ROOM_UNICAST_RECEIVERS_MAX: usize = BACKEND_BURST_MIN as usize;
/// Largest payload of a message of the back end to members of a room, in bytes.
pub const ROOM_UNICAST_PAYLOAD_BYTES_MAX: usize = 20 * 1_024;
/// Bans of one app that are in force at a time.
pub const BANS_PER_APP_MAX: usize = 100_000;

/// A ban lasts at least this long.
pub const BAN_MIN: Duration = Duration::from_secs(10);
/// A ban lasts at most this long: seven days.
pub const BAN_MAX: Duration = Duration::from_secs(604_800);

/// Longest wait that a client is asked for when the server is busy.
pub const BUSY_RETRY_AFTER_MAX: Duration = Duration::from_secs(1);
/// Longest wait before a client reconnects, whatever a server asks for.
pub const RETRY_AFTER_MAX: Duration = Duration::from_secs(60);
/// The clients of a whole app whose tokens were revoked reconnect within this time.
pub const REVOKED_RETURN_SPREAD: Duration = Duration::from_secs(5);

/// From accepting a link to a successful login.
pub const LOGIN_DEADLINE: Duration = Duration::from_secs(5);
/// Silence of a peer after which its status is "unreachable".
pub const UNREACHABLE_AFTER: Duration = Duration::from_secs(15);
/// Silence of a session after which it ends.
pub const SESSION_GRACE: Duration = Duration::from_secs(30);

/// Posts to the app server that may be under way for one user.
pub const POSTS_PER_USER_MAX: usize = 4;
/// Posts that may be under way for one app. Each shard has an equal part, and at least
/// [`POSTS_PER_APP_OF_SHARD_MIN`].
pub const POSTS_PER_APP_MAX: usize = 64;
/// Posts of one app that may wait for others to end. Each shard has an equal part, and at least
/// [`POSTS_WAITING_OF_SHARD_MIN`].
pub const POSTS_WAITING_MAX: usize = 256;
/// The least part of a shard: two users of one shard do not wait for each other. Beyond eight
/// shards this is more than [`POSTS_PER_APP_MAX`] for all together.
pub const POSTS_PER_APP_OF_SHARD_MIN: usize = 2 * POSTS_PER_USER_MAX;
/// The least part of a shard. Beyond four shards this is more than [`POSTS_WAITING_MAX`] for all
/// together.
pub const POSTS_WAITING_OF_SHARD_MIN: usize = 64;
/// Longest wait of a post before it begins.
pub const POST_WAIT: Duration = Duration::from_secs(4);
/// Shortest time between two notices to operators about a user over a rate or against a ban.
pub const REFUSAL_NOTICE_EVERY: Duration = Duration::from_secs(10);
/// Longest time of a post, from its beginning to the whole answer.
pub const POST_TIMEOUT: Duration = Duration::from_secs(5);

// Relations between the limits.
const _: () =
    assert!(TOKEN_BYTES_MAX + APP_ID_BYTES + ID_BYTES_MAX + 64 < FRAME_BYTES_MAX_BEFORE_LOGIN);
const _: () = assert!(2 * (ID_BYTES_MAX + 3) + 32 < FRAME_HEAD_BYTES_MAX);
const _: () = assert!(NOTICE_MEMBERS_MAX * (ID_BYTES_MAX + 3) < FRAME_BYTES_MAX);
const _: () = assert!(
    ROOMS_PER_USER_MAX * (NOTICE_MEMBERS_MAX * (ID_BYTES_MAX + 3) + 24)
        <= MEMBER_LIST_BYTES_BURST as usize
);
const _: () = assert!(FRAME_BYTES_MAX < MEMBER_LISTS_WINDOW_BYTES_MAX);
const _: () = assert!(REPLY_BYTES_MAX <= PAYLOAD_BYTES_MAX);
// A user may enter all its rooms at once, and once more.
const _: () = assert!(JOINS_BURST_MIN as usize >= 2 * ROOMS_PER_USER_MAX);
const _: () = assert!(WINDOW_BYTES_MAX > 8 * FRAME_BYTES_MAX);
// Frames that wait for an acknowledgement do not fill a window.
const _: () = assert!(ACK_FRAMES_MAX as usize <= CLIENT_WINDOW_MESSAGES_MAX / 8);
const _: () = assert!(WINDOW_BYTES_MAX > 2 * POSTS_PER_USER_MAX * FRAME_BYTES_MAX);
// After a fresh login, the window holds a join of every room, every query, the server params, and
// messages.
const _: () = assert!(
    ROOMS_PER_USER_MAX + OPEN_QUERIES_MAX + OPEN_SERVER_PARAMS_MAX + 1 + CLIENT_WINDOW_MESSAGES_MAX
        <= CLIENT_WINDOW_JOINS_MAX
);
const _: () = assert!(
    ROOMS_PER_USER_MAX * (2 * ID_BYTES_MAX + 32)
        + OPEN_QUERIES_MAX * (ID_BYTES_MAX + 32)
        + (OPEN_SERVER_PARAMS_MAX + 1) * (SIGNATURE_BYTES_MAX + URL_BYTES_MAX + 32)
        + CLIENT_WINDOW_MESSAGE_BYTES_MAX
        <= WINDOW_BYTES_MAX
);
const _: () = assert!(2 * ROOMS_PER_USER_MAX * (ID_BYTES_MAX * 2 + 32) < WINDOW_BYTES_MAX);
const _: () = assert!(
    OPEN_SENDS_MAX
        > 10 * (SENDS_PER_SECOND + BROADCASTS_PER_SECOND + SERVER_SENDS_PER_SECOND) as usize
);
const _: () = assert!(FLIGHT_BYTES_MAX > FRAME_BYTES_MAX);
