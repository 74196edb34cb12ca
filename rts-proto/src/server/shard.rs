//! One shard: its parts, and its state as drivers read it.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use super::back_end_rates::BackEndRates;
use super::bans::Bans;
use super::config::Config;
use super::fences::Fences;
use super::io::NoticeLevel;
use super::links::Links;
use super::observe::Observe;
use super::pending::Pending;
use super::placement::Placement;
use super::posts::Posts;
use super::resumes::Resumes;
use super::rooms::Rooms;
use super::shared::Shared;
use super::tallies::Tallies;
use super::targets::Targets;
use super::users::Users;
use super::welcomes::Welcomes;
use crate::LinkId;
use crate::random::Random;

/// One shard.
///
/// Each part owns its fields. The use cases are the `impl Server` blocks in the neighbouring files.
/// They pass a part the other parts that it may use.
pub struct Server {
    pub(super) shared: Shared,
    pub(super) links: Links,
    pub(super) users: Users,
    pub(super) tallies: Tallies,
    pub(super) rooms: Rooms,
    pub(super) welcomes: Welcomes,
    pub(super) bans: Bans,
    pub(super) targets: Targets,
    pub(super) posts: Posts,
    pub(super) pending: Pending,
    pub(super) back_end_rates: BackEndRates,
    pub(super) fences: Fences,
    pub(super) resumes: Resumes,
    pub(super) random: Random,
    /// New links are turned away: set by [`Server::shutdown`] and [`Server::drain`].
    pub(super) retry_after_max: Option<Duration>,
    /// The links that a drain has still to close, the next one last. Some may have ended.
    pub(super) to_drain: Option<Vec<LinkId>>,
    pub(super) observer: Option<Box<dyn Observe + Send>>,
}

impl Server {
    /// A shard without links.
    ///
    /// `seed` feeds the spread of [`shutdown`](Self::shutdown), and the places of entries in
    /// tables. Users should not know it.
    #[must_use]
    pub fn new(config: Config, seed: u64) -> Self {
        Self {
            shared: Shared::new(config),
            links: Links::new(seed),
            users: Users::new(seed),
            tallies: Tallies::new(seed),
            rooms: Rooms::default(),
            welcomes: Welcomes::default(),
            bans: Bans::default(),
            targets: Targets::default(),
            posts: Posts::default(),
            pending: Pending::default(),
            back_end_rates: BackEndRates::default(),
            fences: Fences::default(),
            resumes: Resumes::new(seed),
            random: Random::new(seed),
            retry_after_max: None,
            to_drain: None,
            observer: None,
        }
    }

    /// A shard with an observer, which sees everything from the beginning.
    #[must_use]
    pub fn observed(config: Config, seed: u64, mut observer: Box<dyn Observe + Send>) -> Self {
        observer.started(&config, seed);
        Self { observer: Some(observer), ..Self::new(config, seed) }
    }

    /// Sets the amount of [`Output::Notice`](super::Output::Notice)s. At the beginning there are
    /// none. Changes nothing else.
    pub fn take_notice(&mut self, level: NoticeLevel) {
        self.shared.take_notice(level);
    }

    /// Which shard of its node this is.
    #[must_use]
    pub fn placement(&self) -> Placement {
        self.shared.config.placement
    }

    /// The number of sessions, also of those without a link.
    #[must_use]
    pub fn sessions(&self) -> usize {
        // Numbers are reserved for sessions that have yet to move here.
        self.shared.sessions.len() - self.resumes.len()
    }

    /// Whether a user has logged in over this link.
    #[must_use]
    pub fn is_attached(&self, id: LinkId) -> bool {
        self.links.session_of(id).is_some()
    }
}

/// Shows no token, payload or key; queued frames contain them.
impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("now", &self.shared.now())
            .field("links", &self.links.len())
            .field("sessions", &self.sessions())
            .finish_non_exhaustive()
    }
}
