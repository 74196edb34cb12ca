//! Named situations: a run that never gets into one proves nothing about it.

macro_rules! situations {
    ($($(#[$doc:meta])* $name:ident,)+) => {
        /// Something that a large enough batch of runs must get into.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Situation {
            $($(#[$doc])* $name,)+
        }

        impl Situation {
            /// Every situation.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];
        }
    };
}

situations! {
    /// A message had result 0.
    SendOk,
    /// Result 1.
    SendTimeout,
    /// Result 2.
    SendBroken,
    /// Result 3.
    SendReceiverNotFound,
    /// Result 4.
    SendReceiverNotLoggedIn,
    /// Result 5.
    SendOverRate,
    /// Result 103.
    SendTooLong,
    /// Result 101.
    SendWhileLoggingIn,
    /// Result 105.
    SendNotLoggedIn,
    /// A message had result 1000: its sender was banned from all rooms.
    SendOfBannedUser,
    /// A send, while more had no result than the window of the wire has room for.
    MoreOpenThanTheWindow,
    /// An engine took no more sends.
    RefusedByItsEngine,
    /// What had been sent then had result 0 or 200.
    ArrivedFromBehindTheWindow,
    /// The same after its engine had to connect again.
    ArrivedFromBehindAReturn,
    /// The same after the server was lost.
    ArrivedFromBehindALostSession,
    /// A message had result 0, and so much sent before it to somebody else had none that more had
    /// to wait.
    PassedSlowReceiver,
    /// An unreliable message had result 0.
    UnreliableOk,
    /// An unreliable message had result 2.
    UnreliableBroken,
    /// 65,536 bytes arrived.
    LargestPayload,
    /// A message of no bytes arrived.
    EmptyPayload,
    /// A user sent to itself, and received it.
    MessageToSelf,
    /// A message arrived after its result was 1.
    ReceivedAfterTimeout,
    /// A message had result 1, and had been received.
    TimeoutThoughReceived,
    /// Result 0 came after the sender had to connect again.
    ResultAfterReconnect,
    /// A message arrived after its receiver had to connect again.
    ReceivedAfterReconnect,
    /// A message was sent while the application knew that the link was down.
    SendWhileDown,
    /// A result came inside `logout`.
    ResultAtLogout,
    /// A result came inside `destroy`.
    ResultAtDestroy,
    /// Result 0 took more than five seconds.
    SlowResult,
    /// Result 4, and the other user is logged in to another app.
    NamesakeOfAnotherApp,
    /// The status of somebody was 0.
    StatusOffline,
    /// The status of somebody was 1.
    StatusOnline,
    /// The status of somebody was 2.
    StatusUnreachable,
    /// A broadcast had result 200.
    BroadcastOk,
    /// Result 1.
    BroadcastTimeout,
    /// Result 2.
    BroadcastBroken,
    /// Result 5.
    BroadcastOverRate,
    /// Result 100.
    BroadcastNotInRoom,
    /// Result 103.
    BroadcastTooLong,
    /// A broadcast was heard.
    BroadcastHeard,
    /// A broadcast was heard while its hearer was leaving.
    HeardWhileLeaving,
    /// A membership went on over a break that was reported.
    RoomResumed,
    /// A room was joined again after a break that was reported.
    Rejoined,
    /// A room was joined again after a break that was not reported: the session was lost.
    RejoinedAfterQuietBreak,
    /// Really out.
    Left,
    /// `leaveRoom` while the join was under way.
    LeaveWhileJoining,
    /// `joinRoom` while leaving.
    JoinWhileLeaving,
    /// `leaveRoom` called back at once, since there was no link.
    LeftAtOnce,
    /// The server refused a join.
    JoinRefused,
    /// A join without a login.
    JoinWithoutLogin,
    /// A room was destroyed while broadcasts had no result.
    RoomDestroyedWithOpenBroadcasts,
    /// Others saw a member leave.
    SawLeave,
    /// Others saw a member dropped.
    SawDrop,
    /// A login worked.
    LoginOk,
    /// Result -1000 of a first login.
    LoginInvalidToken,
    /// Result -1000 of a live login whose session was lost.
    ReloginInvalidToken,
    /// Result -1001.
    LoginUnknown,
    /// Result -1002.
    LoginBadUser,
    /// Result -1003.
    LoginServerError,
    /// `updateLoginToken` logged in again.
    TokenRenewed,
    /// `login` in a state in which it returns -2.
    LoginTwice,
    /// `logout` while logging in.
    LogoutWhileLoggingIn,
    /// `logout` while the application knew that the link was down.
    LogoutWhileDown,
    /// `destroy` while logging in.
    DestroyWhileLoggingIn,
    /// A live login gave way to another.
    Displaced,
    /// A login was ended by the back end.
    PutOut,
    /// While its link was down, and its application knew.
    PutOutWhileAway,
    /// Result -1002 for a user that is banned from logging in.
    LoginOfBarredUser,
    /// Sessions of one user ended since their token was revoked.
    TokenOfUserRevoked,
    /// Sessions of a whole app.
    TokensOfAppRevoked,
    /// A revocation left sessions alone that began with later tokens.
    LaterTokenKept,
    /// A token that was revoked was refused.
    RevokedTokenRefused,
    /// A token that had expired was refused.
    ExpiredTokenRefused,
    /// A token signed with the key before the last one was good.
    PreviousKeyGood,
    /// A token signed with a key that is no longer good was refused.
    OldKeyRefused,
    /// State 4.
    Reconnecting,
    /// State 1.
    Disconnected,
    /// State 6.
    Lost,
    /// State 5.
    Reconnected,
    /// State 4 before the first success.
    FirstConnectionLate,
    /// A link was closed since the session went on over a newer one.
    ClosedReplaced,
    /// A link was closed since another login took its place.
    ClosedDisplaced,
    /// A link was closed since the back end put its user out.
    ClosedPutOut,
    /// A link was closed since its token was revoked.
    ClosedLoginAgain,
    /// An engine gave up a link over which it heard somebody: a ping had no pong.
    DeadWayUpFoundByAPing,
    /// A frame had no acknowledgement.
    DeadWayUpFoundByAFrame,
    /// So much waited on a link that the server was told.
    LinkCongested,
    /// An unreliable message went nowhere for that reason.
    UnreliableRefusedByCongestion,
    /// A link was closed since nothing had been heard.
    ClosedSilent,
    /// A link was closed since it was not read.
    ClosedSlowConsumer,
    /// A link was closed by a server that stops.
    ClosedShutdown,
    /// A link was closed since nobody logged in.
    ClosedLoginTimeout,
    /// The server was lost while results were open.
    CrashWithOpenSends,
    /// A process stood still for longer than the grace.
    FrozenBeyondGrace,
    /// A peer was closed for a frame that cannot be read.
    AttackBadFrame,
    /// For a frame that is too large.
    AttackTooLarge,
    /// For a frame where none is allowed.
    AttackUnexpected,
    /// For an acknowledgement that cannot be.
    AttackBadAck,
    /// For a version that is not spoken.
    AttackBadVersion,
    /// For saying nothing.
    AttackTimeout,
    /// For more than may be unacknowledged.
    AttackWindowExceeded,
    /// For too many logins of one user.
    AttackManyLogins,
    /// A peer entered rooms faster than it may, and was refused.
    AttackJoinsOverRate,
    /// It logged in again, and was refused at once.
    AttackLoginRenewedNothing,
    /// Server params came into force.
    ParamsSet,
    /// The operator does not list their url, or they are malformed.
    ParamsRefused,
    /// `setServerParams` without a login.
    ParamsNotLoggedIn,
    /// No answer to them in time, or they did not leave.
    ParamsUnknown,
    /// A message to the app's server had result 0.
    PostOk,
    /// Result 1.
    PostTimeout,
    /// Result 2.
    PostBroken,
    /// Result 5.
    PostOverRate,
    /// Result 17.
    PostNotReached,
    /// Result 18.
    PostBadAnswer,
    /// Result 106.
    PostWithoutParams,
    /// The app's server did not answer in time.
    PostGivenUp,
    /// It began to, and did not end in time.
    PostGivenUpHalfway,
    /// It answered what had been given up.
    AnswerTooLate,
    /// It answered, and the sender was logged out.
    AnswerForNobody,
    /// 65,536 bytes of an answer arrived.
    LongestReply,
    /// A reply came after its receiver had to connect again.
    ReplyAfterReconnect,
    /// A server that was told the params of an earlier one posted with them.
    PostedAfterRestart,
    /// The server was lost while posts were under way.
    CrashWithPosts,
    /// A user received a message of the app's back end.
    BackEndHeard,
    /// It received it after it had to connect again.
    BackEndHeardAfterReconnect,
    /// A member heard a broadcast of the back end.
    BackEndHeardInRoom,
    /// A member was told something alone.
    BackEndHeardAlone,
    /// What the back end said reached nobody.
    BackEndToNobody,
    /// The back end sent too much.
    BackEndOverRate,
    /// It and the members together sent too much in one room.
    BackEndOverRoomRate,
    /// A message of it was too long.
    BackEndTooLong,
    /// It named too many receivers.
    BackEndTooManyReceivers,
    /// It asked for the status of a user that had gone silent.
    BackEndSawSilent,
    /// It asked who is in a room, and somebody was.
    BackEndSawMembers,
    /// A member was kicked.
    Kicked,
    /// A member was kicked of whose broken link its application knew.
    KickedWhileDown,
    /// Others saw a member kicked.
    SawKick,
    /// A room was dismissed.
    Dismissed,
    /// A join was refused since the room is banned.
    JoinOfBannedRoom,
    /// A join was refused since the user is.
    JoinOfBannedUser,
    /// A ban was lifted.
    BanLifted,
    /// A ban was over by itself, and somebody joined who had been banned.
    JoinedAfterBan,
    /// The back end was told of a user that logged out.
    ReportedLogout,
    /// It was told of a user that was dropped.
    ReportedDrop,
    /// It was told of a user that it had put out.
    ReportedPutOut,
    /// The server closed a link since its bytes had been changed.
    HarmedClosed,
    /// An engine gave up a link since what it heard cannot be.
    HarmedGaveUp,
    /// A login failed since what was said had been changed.
    HarmedRefused,
    /// A hundred engines were cut off in one instant.
    HundredCutOff,
    /// A hundred engines told within 10 s that they are back.
    HundredReturned,
    /// A frame with a field of a newer version arrived at an engine.
    UnknownFieldAtEngine,
    /// At the server.
    UnknownFieldAtServer,
    /// A frame of a kind of a newer version arrived at an engine.
    UnknownKindAtEngine,
    /// At the server.
    UnknownKindAtServer,
}

/// How often each was met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Situations {
    counts: Vec<u64>,
}

impl Default for Situations {
    fn default() -> Self {
        Self { counts: vec![0; Situation::ALL.len()] }
    }
}

impl Situations {
    pub(crate) fn met(&mut self, situation: Situation) {
        self.counts[situation as usize] += 1;
    }

    pub(crate) fn add(&mut self, other: &Self) {
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count += more;
        }
    }

    /// Each with its count.
    pub fn counts(&self) -> impl Iterator<Item = (Situation, u64)> {
        Situation::ALL.iter().copied().zip(self.counts.iter().copied())
    }

    /// Those that were met fewer times than that.
    #[must_use]
    pub fn rarer_than(&self, times: u64) -> Vec<Situation> {
        self.counts().filter(|(_, count)| *count < times).map(|(situation, _)| situation).collect()
    }
}
