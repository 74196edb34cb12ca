//! Named situations. A run proves nothing about a situation that it never gets into.

macro_rules! situations {
    ($($(#[$doc:meta])* $name:ident,)+) => {
        /// A situation that a large batch of runs must get into.
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
    /// A send while more sends were open than the window of the wire holds.
    MoreOpenThanTheWindow,
    /// An engine refused a send, because its backlog was full.
    RefusedByItsEngine,
    /// A message that was sent then had result 0 or 200.
    ArrivedFromBehindTheWindow,
    /// A message that was sent then had result 0 or 200, after its engine had to reconnect.
    ArrivedFromBehindAReturn,
    /// A message that was sent then had result 0 or 200, after the server was lost.
    ArrivedFromBehindALostSession,
    /// A message had result 0 while earlier messages to another user were open, so many that
    /// further ones had to wait.
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
    /// A member received a broadcast.
    BroadcastHeard,
    /// A broadcast was received by a member that was leaving.
    HeardWhileLeaving,
    /// A membership continued over a break that was reported.
    RoomResumed,
    /// A room was joined again after a reported break.
    Rejoined,
    /// A room was joined again after a break that was not reported, because the session was lost.
    RejoinedAfterQuietBreak,
    /// A user left a room.
    Left,
    /// `leaveRoom` while the join was under way.
    LeaveWhileJoining,
    /// `joinRoom` while leaving.
    JoinWhileLeaving,
    /// `leaveRoom` had its event at once, because there was no link.
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
    /// A live login was displaced.
    Displaced,
    /// A login was ended by the back end.
    PutOut,
    /// A login was ended by the back end while its link was down and its application knew so.
    PutOutWhileAway,
    /// Result -1002 for a user that is banned from logging in.
    LoginOfBarredUser,
    /// Sessions of one user ended because their tokens were revoked.
    TokenOfUserRevoked,
    /// Sessions of a whole app ended because their tokens were revoked.
    TokensOfAppRevoked,
    /// A revocation left sessions with later tokens alone.
    LaterTokenKept,
    /// A revoked token was refused.
    RevokedTokenRefused,
    /// An expired token was refused.
    ExpiredTokenRefused,
    /// A token that was signed with the previous key was accepted.
    PreviousKeyGood,
    /// A token that was signed with an invalid key was refused.
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
    /// A link was closed because its session was resumed over a newer one.
    ClosedReplaced,
    /// A link was closed because another login displaced its login.
    ClosedDisplaced,
    /// A link was closed because the back end put its user out.
    ClosedPutOut,
    /// A link was closed because its token was revoked.
    ClosedLoginAgain,
    /// An engine gave up a link over which frames still arrived, because a ping had no pong.
    DeadWayUpFoundByAPing,
    /// An engine gave up such a link because a frame had no acknowledgement.
    DeadWayUpFoundByAFrame,
    /// A link was congested.
    LinkCongested,
    /// An unreliable message failed because its receiver's link was congested.
    UnreliableRefusedByCongestion,
    /// A link was closed because no bytes arrived.
    ClosedSilent,
    /// A link was closed because its peer did not read.
    ClosedSlowConsumer,
    /// A link was closed by a server that stops.
    ClosedShutdown,
    /// A link was closed because no login came.
    ClosedLoginTimeout,
    /// The server was lost while results were open.
    CrashWithOpenSends,
    /// A process was frozen for longer than the grace period.
    FrozenBeyondGrace,
    /// A peer was closed for a malformed frame.
    AttackBadFrame,
    /// A peer was closed for a frame that is too large.
    AttackTooLarge,
    /// A peer was closed for a frame that is not allowed at this point.
    AttackUnexpected,
    /// A peer was closed for an impossible acknowledgement.
    AttackBadAck,
    /// A peer was closed for an unsupported version.
    AttackBadVersion,
    /// A peer was closed for its silence.
    AttackTimeout,
    /// A peer was closed for more unacknowledged frames than the window.
    AttackWindowExceeded,
    /// A peer was closed for too many logins of one user.
    AttackManyLogins,
    /// A join of a peer over its rate was refused.
    AttackJoinsOverRate,
    /// The peer logged in again, and its join was refused at once.
    AttackLoginRenewedNothing,
    /// Server params came into force.
    ParamsSet,
    /// Server params were refused: malformed, or with a URL that the operator does not list.
    ParamsRefused,
    /// `setServerParams` without a login.
    ParamsNotLoggedIn,
    /// Server params got no answer in time, or were never sent.
    ParamsUnknown,
    /// A message to the app server had result 0.
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
    /// The app server did not answer in time.
    PostGivenUp,
    /// The app server began to answer, and did not end in time.
    PostGivenUpHalfway,
    /// The app server answered an abandoned post.
    AnswerTooLate,
    /// The app server answered, and the sender was logged out.
    AnswerForNobody,
    /// 65,536 bytes of an answer arrived.
    LongestReply,
    /// A reply arrived after its receiver had to reconnect.
    ReplyAfterReconnect,
    /// A server posted with params that it received after a restart.
    PostedAfterRestart,
    /// The server was lost while posts were under way.
    CrashWithPosts,
    /// A user received a message of the app's back end.
    BackEndHeard,
    /// A user received a message of the back end after it had to reconnect.
    BackEndHeardAfterReconnect,
    /// A member received a broadcast of the back end.
    BackEndHeardInRoom,
    /// A member received a unicast of the back end.
    BackEndHeardAlone,
    /// A message of the back end had no receiver.
    BackEndToNobody,
    /// The back end exceeded its app's rate.
    BackEndOverRate,
    /// The back end and the members together exceeded a room's rate.
    BackEndOverRoomRate,
    /// A message of the back end was too long.
    BackEndTooLong,
    /// The back end named too many receivers.
    BackEndTooManyReceivers,
    /// The back end asked for the status of a silent user.
    BackEndSawSilent,
    /// The back end asked for the members of a room that had some.
    BackEndSawMembers,
    /// A member was kicked.
    Kicked,
    /// A member was kicked while its link was down and its application knew so.
    KickedWhileDown,
    /// Others saw a member kicked.
    SawKick,
    /// A room was dismissed.
    Dismissed,
    /// A join was refused because the room is banned.
    JoinOfBannedRoom,
    /// A join was refused because the user is banned.
    JoinOfBannedUser,
    /// A ban was lifted.
    BanLifted,
    /// A ban ended by itself, and a user that had been banned joined.
    JoinedAfterBan,
    /// The back end got a report of a logout.
    ReportedLogout,
    /// The back end got a report of a dropped user.
    ReportedDrop,
    /// The back end got a report of a user that it had put out.
    ReportedPutOut,
    /// The server closed a link because its bytes were corrupted.
    HarmedClosed,
    /// An engine closed a link because a corrupted frame was invalid.
    HarmedGaveUp,
    /// A login failed because a frame was corrupted.
    HarmedRefused,
    /// A hundred engines were cut off in one instant.
    HundredCutOff,
    /// A hundred engines reported within 10 s that they are connected again.
    HundredReturned,
    /// A frame with a field of a newer version arrived at an engine.
    UnknownFieldAtEngine,
    /// A frame with a field of a newer version arrived at the server.
    UnknownFieldAtServer,
    /// A frame of a kind of a newer version arrived at an engine.
    UnknownKindAtEngine,
    /// A frame of a kind of a newer version arrived at the server.
    UnknownKindAtServer,
    /// A link moved to the shard of its user.
    LinkHandedOver,
    /// A message went to a shard of another node.
    SentOverNodes,
    /// A node joined a cluster.
    NodeJoined,
    /// A node was frozen, and went on.
    NodeWentOn,
    /// A node was removed from a cluster.
    NodeRemoved,
    /// A node was removed soon after its end, because another one was certain of that.
    NodeRemovedByCertificate,
    /// A frozen node was removed, and ended.
    FrozenNodeEnded,
    /// The home of a user was lost during a login.
    LoginWhileHomeLost,
    /// A login asked for its user while homes moved.
    LoginWhileHomesMove,
    /// A broadcast reached a home while homes moved.
    BroadcastWhileHomesMove,
    /// A user was reported online twice, because the home was lost.
    OnlineAgainAfterLoss,
    /// A request of a back end went to another node.
    RequestOverNodes,
    /// A request of a back end had no answer.
    RequestUnanswered,
    /// A user that had a session in one node logged in at another one.
    UserChangedNode,
    /// A message reached another shard.
    SentOverShards,
    /// A user joined a room of another shard.
    JoinedOverShards,
    /// A broadcast reached a room of another shard.
    BroadcastOverShards,
    /// A session ended while its join was under way to another shard.
    EndedWhileJoiningOverShards,
    /// A membership in a room of another shard waited for its user's next session, which came.
    BackOverShards,
    /// The back end removed members of a room, or a user, while a join of them was under way.
    RemovalCrossedJoin,
    /// The members of a room of another shard were asked for again.
    NamesAskedAgain,
    /// A session moved to the node where its client came back.
    SessionMoved,
    /// A session was asked for at another shard, and refused.
    MoveRefused,
    /// A session moved twice within ten seconds.
    MovedTwice,
    /// A session moved while a node drained.
    MovedWhileDraining,
    /// A node had another view while a session moved.
    HomesMovedDuringMove,
    /// A drain was taken back.
    DrainTakenBack,
    /// The process of a node ended after it had drained.
    NodeRetired,
    /// Nodes were frozen because the bus was away from all, and went on.
    WentOnAfterOutage,
    /// The view changed while one of the nodes did not reach the register.
    ViewChangedWithoutRegister,
    /// A node was frozen because nobody heard it.
    UnheardNodeFrozen,
    /// A partition of the bus began before another one was over.
    PartitionsOverlap,
    /// The register forgot what it had acknowledged.
    RegisterForgot,
    /// The wall clock of one node was set.
    NodeClockJumped,
    /// A mailbox between shards was congested.
    MailboxCongested,
    /// A message or a broadcast was refused while a mailbox was congested.
    RefusedByMailbox,
}

/// The number of times that each situation was met.
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

    /// Each situation with its count.
    pub fn counts(&self) -> impl Iterator<Item = (Situation, u64)> {
        Situation::ALL.iter().copied().zip(self.counts.iter().copied())
    }

    /// The situations that were met fewer than `times` times.
    #[must_use]
    pub fn rarer_than(&self, times: u64) -> Vec<Situation> {
        self.counts().filter(|(_, count)| *count < times).map(|(situation, _)| situation).collect()
    }
}
