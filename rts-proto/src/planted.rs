//! Bugs that are planted on purpose, to test whether the simulator finds them.
//!
//! Only a build with `RUSTFLAGS="--cfg rts_planted"` has them. This is not a Cargo feature, because
//! any crate of a graph can enable a feature for all others. Without the cfg [`planted`] is a
//! constant `false`, and the compiler removes each use of it.

macro_rules! bugs {
    ($($(#[$doc:meta])* $name:ident,)+) => {
        /// A plausible bug of the core.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        #[cfg_attr(
            not(rts_planted),
            expect(unreachable_pub, reason = "public where bugs can be planted"),
            expect(dead_code, reason = "some are bugs of other crates")
        )]
        pub enum Bug {
            $($(#[$doc])* $name,)+
        }

        #[cfg(rts_planted)]
        impl Bug {
            /// Every bug.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];
        }
    };
}

bugs! {
    /// An obvious bug: every result 0 is called back twice. A simulation that does not find it is
    /// broken.
    Canary,
    /// After a resume, the peer is taken to have one frame more than it acknowledged.
    ResumeDropsOneMore,
    /// At a resume, the client acknowledges one frame less than it has.
    ResumeCountsShort,
    /// Nothing is sent again after a resume.
    NoReplayAfterResume,
    /// The first two frames after a resume are swapped.
    NoFifoAfterResume,
    /// A client never acknowledges.
    AckNeverSent,
    /// At its deadline a frame is taken back although it was transmitted. Its result is "not sent".
    TakesBackWhatLeft,
    /// When a session is lost, transmitted frames count as not sent, and go out on the next one.
    ForgetsWhatLeft,
    /// Events of a room are called back after its handle was destroyed.
    DestroyedRoomHeard,
    /// The number of unacknowledged frames has no bound.
    WindowUnbounded,
    /// A send gets a result at its deadline, and another one from a late answer.
    ResultTwice,
    /// The deadline of a broadcast is not armed.
    BroadcastDeadlineNotArmed,
    /// Rooms are not joined again on a new session.
    RoomsNotRejoined,
    /// A logout leaves the rooms as they were.
    LogoutKeepsRooms,
    /// A displaced login logs in again by itself.
    DisplacedComesBack,
    /// Attempts to connect follow each other without a wait.
    NoBackoff,
    /// The back-off has no jitter.
    NoJitter,
    /// A token that arrives during a login is not used.
    RefreshIgnored,
    /// No heartbeat is sent.
    NoHeartbeat,
    /// Refused messages skip an id.
    IdSkipped,
    /// The server gets no frame for a leave that was called without a link.
    LeaveForgotten,
    /// Frames that are held back for the server's rate are not released.
    PaceNotRearmed,
    /// An engine accepts only as many sends as fit into the window.
    WindowIsTheStore,
    /// An engine accepts any number of open sends.
    OpenSendsUnbounded,
    /// The first message of the backlog is overtaken by later ones.
    BacklogOvertakes,
    /// The backlog is lost with the session.
    BacklogNotCarriedOver,
    /// The bytes on their way to one receiver have no bound.
    LanesIgnored,
    /// Frames that arrived still count as on their way.
    LaneNotFreed,
    /// A missing pong has no effect.
    PingUnansweredIgnored,
    /// A missing acknowledgement has no effect.
    AckUnansweredIgnored,
    /// After a room is joined again on a new session, it is reported as without a gap.
    GapNotReported,
    /// Every return is reported as the first connection.
    ConnectedTwice,
    /// A return is reported although the break was not.
    QuietReturnReported,
    /// State 1 is reported a second late.
    SilenceMarkLate,
    /// The largest payload is refused.
    PayloadLimitOffByOne,
    /// Text arrives as bytes.
    TextBecomesBytes,
    /// The server answers 0 as soon as it has queued a message.
    ResultBeforeAck,
    /// The receiver of a message is searched in all apps.
    UserOfAnyApp,
    /// The user of a status query is searched in all apps.
    StatusOfAnyApp,
    /// The room of a broadcast is searched in all apps.
    RoomOfAnyApp,
    /// The sender receives its own broadcast.
    EchoToSender,
    /// A broadcast skips one member.
    BroadcastSkipsOne,
    /// Frames on a link that was replaced by a resume are still processed.
    ZombieHeard,
    /// Any client can resume any session by its number.
    ResumeOfAnybody,
    /// A displaced login displaces its successor when it reconnects.
    ClaimIgnored,
    /// A membership whose session was superseded never ends.
    OrphansForEver,
    /// A session that is dropped stays in its rooms.
    DroppedStaysInRooms,
    /// Joins are not announced.
    JoinNotAnnounced,
    /// A join that continues a membership is announced.
    JoinAnnouncedTwice,
    /// The rate of joins has no bound.
    JoinRateIgnored,
    /// A login restores the user's used-up rates.
    LoginRenewsRates,
    /// All logins of a user are accepted at once.
    LoginPaceIgnored,
    /// The server continues to write to a congested link.
    CongestionIgnored,
    /// Leaves are not announced.
    LeaveNotAnnounced,
    /// The list of members for a joiner contains the joiner.
    SelfAmongMembers,
    /// A refused token logs in.
    RefusalIgnored,
    /// A message to the app server is posted twice.
    PostedTwice,
    /// A message to the app server has result 0 as soon as an answer begins.
    PostOkBeforeAnswer,
    /// A message to the app server has result 0 whatever the status was.
    AnyStatusIsOk,
    /// Later messages of a user are posted before earlier ones.
    PostsOvertake,
    /// A post that takes too long is not given up.
    PostNeverGivenUp,
    /// The server posts to a URL that the operator does not allow.
    RefusedTargetUsed,
    /// Later server params change nothing.
    FirstParamsStay,
    /// The params in force are not set again on a new session.
    ParamsNotSetAgain,
    /// A login begins with the params of the login before.
    ParamsOutliveLogin,
    /// A message of the back end to a user arrives twice.
    BackEndSaysItTwice,
    /// The user of a back end's message is searched in all apps.
    BackEndReachesAnyApp,
    /// A message to some members of a room goes to all members.
    RoomUnicastToAll,
    /// A user that is kicked from a room gets no event.
    KickWithoutNotice,
    /// A banned room keeps its members.
    BanLeavesMembers,
    /// A ban refuses nothing.
    BanIgnored,
    /// A user that is banned from logins logs in.
    BannedLogsIn,
    /// A user that is banned from all rooms can send to users.
    BannedSends,
    /// A user that was put out while its link was down resumes its session.
    PutOutForgotten,
    /// A session without a link survives the revocation of its token.
    RevokedAwayStays,
    /// A revocation also ends sessions with later tokens.
    LaterTokenRevoked,
    /// Bans do not expire.
    BanForEver,
    /// The back end gets a report that a user is online at each new session.
    OnlineReportedAgain,
    /// The back end gets no reports of the members who leave a dismissed room.
    DismissalNotReported,
    /// The back end gets the report of an empty room before that of the last leave.
    EmptiedReportedFirst,
    /// The back end gets a report that a dropped user logged out.
    DropReportedAsLogout,
    /// A frame with an unknown field cannot be read.
    UnknownFieldRefused,
    /// The room id of a frame is not checked.
    RoomTrusted,
    /// A frame of an unknown kind that is skipped is counted.
    UnknownKindCounted,
    /// An entry for another shard overtakes the one before it.
    EntryOvertakes,
    /// The shard of a room gets no report that a session ended while its join was open.
    JoiningForgotten,
    /// The result of a message from another shard is forgotten.
    OutcomeForgotten,
    /// The result of a message from another shard is sent twice.
    OutcomeSentTwice,
    /// A broadcast from another shard is accepted from sessions that are no members.
    BroadcasterTrusted,
    /// A membership in another shard that waits for its user is counted for ever.
    OrphanCountKept,
    /// Only one shard has a ban.
    BanOfOneShard,
    /// A link moves to another shard without the bytes behind its login.
    BytesBehindLoginLost,
    /// The receiver's shard is looked up without the app.
    HomeOfAnyApp,
    /// Broadcasts do not reach members of other shards.
    BroadcastStaysInShard,
    /// A membership in another shard that waits for its user remains when that user is put out.
    PutOutStaysElsewhere,
    /// A mailbox that was full once remains full.
    MailboxFullForEver,
    /// In a cluster, a home grants a user that another shard owns.
    GrantWithoutRevoke,
    /// What waited for the next owner of a user is lost.
    HeldForOwnerLost,
    /// A shard takes the steps of a change of homes without the other shards.
    HomesNotAwaited,
    /// The next home of a user is not told who owns it, after the last one was lost.
    OwnersNotReported,
    /// The next home of a room is not told of its members, after the last one was lost.
    MembersNotReported,
    /// Only the shards of one node get a request for all shards.
    RequestOfOneNode,
    /// The response to a request is lost.
    ResponseForgotten,
    /// A session moves before all that it has sent has arrived.
    MoveBeforeFence,
    /// A session moves before its rooms have said that they send nothing more to its shard.
    MoveBeforeSwitch,
    /// The rooms of a session that moves are not told its next number.
    RoomsNotSwitched,
    /// A session moves without the frames that its client has not acknowledged.
    WindowLeftBehind,
    /// What rooms send to the next number of a session overtakes the frames that move.
    EarlyFramesFirst,
    /// A node that joins is not told of the bans.
    BansNotTold,
    /// The former shard of a session never learns that the session has moved.
    TakenForgotten,
    /// A trunk takes entries behind a gap.
    TrunkTakesGap,
    /// A trunk takes repeated entries again.
    TrunkTakesTwice,
    /// A trunk sends each entry once.
    TrunkSendsOnce,
    /// A lease lasts twice as long as its grants.
    LeaseTooLong,
    /// A lease counts from the last beat, and not from the one that was answered.
    LeaseFromLastBeat,
    /// A grant counts whatever view its author has.
    GrantOfAnyView,
    /// A node goes on granting a member that it votes to remove.
    VoteWithoutPromise,
    /// A node votes to remove a silent member while that may still have a lease.
    SuspectTooEarly,
    /// One vote changes the view.
    MinorityDecides,
    /// The certificate of a former node counts for the member that came last.
    DeathOfAnother,
}

#[cfg(rts_planted)]
impl Bug {
    /// Bugs that need faults in an order that random runs have too seldom. The exhaustive model of
    /// leases in `rts-cluster` finds them.
    pub const OF_LEASE_MODEL: &'static [Self] = &[Self::VoteWithoutPromise, Self::MinorityDecides];
}

#[cfg(not(rts_planted))]
pub(crate) const fn planted(_: Bug) -> bool {
    false
}

#[cfg(rts_planted)]
mod chosen {
    use core::sync::atomic::{AtomicU8, Ordering};

    use super::Bug;

    /// No bug.
    const NONE: u8 = u8::MAX;

    static CHOSEN: AtomicU8 = AtomicU8::new(NONE);

    /// Plants this bug in every core of the process, and removes an earlier one.
    pub fn plant(bug: Option<Bug>) {
        CHOSEN.store(bug.map_or(NONE, |bug| bug as u8), Ordering::Relaxed);
    }

    /// Whether this bug is planted.
    pub fn planted(bug: Bug) -> bool {
        CHOSEN.load(Ordering::Relaxed) == bug as u8
    }
}

#[cfg(rts_planted)]
pub use chosen::{plant, planted};
