//! Bugs that are planted on purpose, for the simulator to find: a test of the tests.
//!
//! Only a build with `RUSTFLAGS="--cfg rts_planted"` has them. It is no Cargo feature, because any
//! crate of a graph can switch a feature on for all others. Without the cfg [`planted`] is a
//! constant `false`, and the compiler removes each place that asks for it.

macro_rules! bugs {
    ($($(#[$doc:meta])* $name:ident,)+) => {
        /// A bug that somebody could have made.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        #[cfg_attr(
            not(rts_planted),
            expect(unreachable_pub, reason = "public where bugs can be planted")
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
    /// Not a subtle one: every result 0 is called back twice. A simulation that does not fail is
    /// broken.
    Canary,
    /// After a resume the peer is taken to have one frame more than it says.
    ResumeDropsOneMore,
    /// A client says at a resume that it has one frame less than it has.
    ResumeCountsShort,
    /// After a resume nothing is sent again.
    NoReplayAfterResume,
    /// After a resume the first two frames change places.
    NoFifoAfterResume,
    /// A client never acknowledges.
    AckNeverSent,
    /// At its deadline a frame is taken back though it was transmitted, so that the result is "not
    /// sent".
    TakesBackWhatLeft,
    /// When a session is lost, what was transmitted counts as not sent, and goes out on the next
    /// one.
    ForgetsWhatLeft,
    /// What happened in a room is called back after its handle was destroyed.
    DestroyedRoomHeard,
    /// No bound on what waits for an acknowledgement.
    WindowUnbounded,
    /// A deadline answers a send, and so does what comes later.
    ResultTwice,
    /// The deadline of a broadcast is not armed.
    BroadcastDeadlineNotArmed,
    /// Rooms are not joined again on a new session.
    RoomsNotRejoined,
    /// A logout leaves the rooms as they were.
    LogoutKeepsRooms,
    /// A displaced login comes back by itself.
    DisplacedComesBack,
    /// No wait between attempts to connect.
    NoBackoff,
    /// The waits are the same for all.
    NoJitter,
    /// A token that comes while logging in is not used.
    RefreshIgnored,
    /// No heartbeat.
    NoHeartbeat,
    /// An id is skipped when messages are refused.
    IdSkipped,
    /// Leaving a room without a link is never told to the server.
    LeaveForgotten,
    /// What is held back for the server's rate is not released.
    PaceNotRearmed,
    /// An engine takes no more sends than go into the window of the wire.
    WindowIsTheStore,
    /// It takes any number.
    OpenSendsUnbounded,
    /// The first that waits behind the window waits as long as there are others.
    BacklogOvertakes,
    /// What waits behind the window is forgotten with the session.
    BacklogNotCarriedOver,
    /// However much is on its way to a receiver, more follows.
    LanesIgnored,
    /// What has arrived still counts as on its way.
    LaneNotFreed,
    /// A ping without its pong means nothing.
    PingUnansweredIgnored,
    /// A frame without its acknowledgement means nothing.
    AckUnansweredIgnored,
    /// A room that was joined again on a new session is said to have missed nothing.
    GapNotTold,
    /// Every return is the first.
    ConnectedTwice,
    /// A return is told though the break was not.
    QuietReturnTold,
    /// State 1 comes a second late.
    SilenceMarkLate,
    /// The largest payload is refused.
    PayloadLimitOffByOne,
    /// Text arrives as bytes.
    TextBecomesBytes,
    /// The server says 0 when it has queued a message.
    ResultBeforeAck,
    /// The receiver of a message is looked for in all apps.
    UserOfAnyApp,
    /// The status is looked for in all apps.
    StatusOfAnyApp,
    /// The room of a broadcast is looked for in all apps.
    RoomOfAnyApp,
    /// The sender hears its own broadcast.
    EchoToSender,
    /// One member is left out.
    BroadcastSkipsOne,
    /// A link that was replaced by a resume is still listened to.
    ZombieHeard,
    /// Whoever names a session goes on with it.
    ResumeOfAnybody,
    /// A login that was displaced displaces its successor when it comes back.
    ClaimIgnored,
    /// A membership whose session was superseded never ends.
    OrphansForEver,
    /// A dropped session stays in its rooms.
    DroppedStaysInRooms,
    /// Joins are not told to the others.
    JoinNotAnnounced,
    /// A join that goes on with a membership is told to the others.
    JoinAnnouncedTwice,
    /// Rooms may be entered as fast as one likes.
    JoinRateIgnored,
    /// What a user used of its rates is there again after a login.
    LoginRenewsRates,
    /// All logins of a user are let in at once.
    LoginPaceIgnored,
    /// A link that is not read is written on.
    CongestionIgnored,
    /// Leaves are not told to the others.
    LeaveNotAnnounced,
    /// A joiner is told that it is there itself.
    SelfAmongMembers,
    /// A refused token logs in.
    RefusalIgnored,
    /// A message to the app's server is posted twice.
    PostedTwice,
    /// It has result 0 as soon as an answer begins.
    PostOkBeforeAnswer,
    /// It has result 0 whatever the status was.
    AnyStatusIsOk,
    /// Later messages of a user are posted first.
    PostsOvertake,
    /// A post that takes too long is not given up.
    PostNeverGivenUp,
    /// What the operator does not list is posted to.
    RefusedTargetUsed,
    /// Server params that come later change nothing.
    FirstParamsStay,
    /// A new session is not told the params that are in force.
    ParamsNotToldAgain,
    /// A login begins with the params of the one before.
    ParamsOutliveLogin,
    /// What the back end sends to a user arrives twice.
    BackEndSaysItTwice,
    /// The user is looked for in all apps.
    BackEndReachesAnyApp,
    /// What is for some members goes to all.
    RoomUnicastToAll,
    /// Who is kicked from a room is not told.
    KickNotTold,
    /// A banned room keeps its members.
    BanLeavesMembers,
    /// A ban keeps nobody out.
    BanIgnored,
    /// A user that may not log in does.
    BannedLogsIn,
    /// A user that is banned from all rooms sends to users.
    BannedSends,
    /// A user that was put out while its link was down comes back.
    PutOutForgotten,
    /// A session without a link is not ended when its token is revoked.
    RevokedAwayStays,
    /// One that began with a later token is ended too.
    LaterTokenRevoked,
    /// Bans do not end.
    BanForEver,
    /// The back end is told that users are online each time they get a new session.
    OnlineReportedAgain,
    /// It is not told who left when a room is dismissed.
    DismissalNotReported,
    /// It is told first that a room is empty, and then who left.
    EmptiedReportedFirst,
    /// It is told that a dropped user logged out.
    DropReportedAsLogout,
    /// A frame with a field that is not known cannot be read.
    UnknownFieldRefused,
    /// A room in a frame is taken to be well-formed.
    RoomTrusted,
    /// A kind of frame that is skipped is counted.
    UnknownKindCounted,
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

    /// Plants this bug in every core of the process, in place of the one before.
    pub fn plant(bug: Option<Bug>) {
        CHOSEN.store(bug.map_or(NONE, |bug| bug as u8), Ordering::Relaxed);
    }

    pub(crate) fn planted(bug: Bug) -> bool {
        CHOSEN.load(Ordering::Relaxed) == bug as u8
    }
}

#[cfg(rts_planted)]
pub use chosen::plant;
#[cfg(rts_planted)]
pub(crate) use chosen::planted;
