//! Apps are isolated, and online statuses are true (I46, I47).

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use rts_proto::client::Event;
use rts_proto::limits::SESSION_GRACE;
use rts_proto::{Instant, LoginCode, OnlineStatus};
use rts_testkit::EngineIndex;

use super::{Oracle, Violation, ensure};
use crate::model::Model;
use crate::plan::Step;
use crate::trace::{Call, Entry, Line, Phase};

/// The time after the grace period by which a session has ended.
const SLACK: Duration = Duration::from_secs(1);

/// A status query, and its time.
#[derive(Debug)]
struct Asked {
    uid: String,
    at: Instant,
    /// An engine was logged in as the user at that time.
    was_live: bool,
    must_be_online: bool,
}

#[derive(Debug, Default)]
pub(super) struct Isolation {
    open: BTreeMap<EngineIndex, VecDeque<Asked>>,
    /// The last time at which a login as this user of this app was accepted or known to be live.
    alive: BTreeMap<(usize, String), Instant>,
    /// Whether the network is so slow that frames may still be in transit long after their sender
    /// is gone.
    is_slow: bool,
}

impl Oracle for Isolation {
    fn see(&mut self, model: &Model, line: &Line) -> Result<(), Violation> {
        match &line.entry {
            Entry::Call { who, call: Call::Status { uid }, .. } => {
                let engine = &model.engines[*who];
                let was_live = model.live(engine.app).any(|(_, live)| live == uid);
                let must_be_online = model.is_asking() && engine.login.live().is_some() && was_live;
                let asked = Asked { uid: uid.clone(), at: line.at, was_live, must_be_online };
                self.open.entry(*who).or_default().push_back(asked);
                Ok(())
            }
            Entry::Event { who, event: Event::PeerOnlineStatus { uid, status } } => {
                self.answered(model, line.at, *who, uid, *status)
            }
            // At another node of a cluster, a session cannot be resumed, and a login with an old
            // token is refused. The session goes on for its grace period.
            Entry::Event { who, event: Event::Logout(_) | Event::LoginResult { .. } } => {
                let engine = &model.engines[*who];
                if let Some(uid) = engine.login.live() {
                    self.alive.insert((engine.app, uid.to_owned()), line.at);
                }
                Ok(())
            }
            Entry::Judged { app, uid, code: LoginCode::Ok, .. } => {
                self.alive.insert((*app, uid.clone()), line.at);
                Ok(())
            }
            Entry::Fault(
                Step::Weather(_)
                | Step::Stall { .. }
                | Step::Silence { .. }
                | Step::HalfOpen { .. },
            ) => {
                self.is_slow = true;
                Ok(())
            }
            Entry::Phase(Phase::Empty) => {
                let open = self.open.iter().find(|(_, asked)| !asked.is_empty());
                ensure(open.is_none(), || format!("I47: never answered: {open:?}"))
            }
            _ => Ok(()),
        }
    }
}

impl Isolation {
    fn answered(
        &mut self,
        model: &Model,
        now: Instant,
        who: EngineIndex,
        uid: &str,
        status: OnlineStatus,
    ) -> Result<(), Violation> {
        let open = self.open.entry(who).or_default();
        let Some(place) = open.iter().position(|asked| asked.uid == uid) else {
            return Err(format!("I47: #{who} got the status of {uid}, and did not ask"));
        };
        let asked = open.remove(place).ok_or("I47: no such question")?;
        ensure(!asked.must_be_online || status == OnlineStatus::Online, || {
            format!("I47: with nothing wrong #{who} got {status:?} for {uid}")
        })?;
        if self.is_slow || status != OnlineStatus::Online {
            return Ok(());
        }
        // For the status online, an engine of this app must have had a session as this user at some
        // moment between question and answer, or shortly before.
        let app = model.engines[who].app;
        let is_live = model.live(app).any(|(_, live)| live == uid);
        let was_alive = self.alive.get(&(app, uid.to_owned()));
        let recently = was_alive.is_some_and(|at| asked.at.since(*at) <= SESSION_GRACE + SLACK);
        ensure(is_live || asked.was_live || recently, || {
            format!(
                "I47: at {now} #{who} got the answer that {uid} is online, last seen {was_alive:?}"
            )
        })
    }
}
