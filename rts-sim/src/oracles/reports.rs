//! Reports to back ends: their order is possible, and in the end they describe the true state (I27,
//! I42).

use std::collections::{BTreeMap, BTreeSet};

use rts_proto::limits::{ASK_MAX, LOGIN_DEADLINE};
use rts_proto::server::{Report, Stats};
use rts_proto::{Instant, LeaveReason, LoginCode};

use super::{Oracle, Violation, ensure};
use crate::engine::Login;
use crate::model::Model;
use crate::names::MALLORY;
use crate::reported::Reported;
use crate::swarm::APPS_REPORTED;
use crate::trace::{Call, Entry, Line, Phase};

#[derive(Debug, Default)]
pub(super) struct Reports {
    /// The last accepted login as this user of this app.
    judged: BTreeMap<(usize, String), Instant>,
    /// Users of an app that logged out at least once.
    left: BTreeSet<(usize, String)>,
    /// When this user of this app was last reported offline.
    offline: BTreeMap<(usize, String), Instant>,
    /// The previous line, if it was a report.
    before: Option<(usize, Report)>,
}

impl Oracle for Reports {
    fn see(&mut self, model: &Model, line: &Line) -> Result<(), Violation> {
        let before = self.before.take();
        match &line.entry {
            Entry::Reported { app, report } => {
                self.before = Some((*app, report.clone()));
                let nothing = Reported::default();
                let known = model.reported.get(app).unwrap_or(&nothing);
                let before = before.filter(|(other, _)| other == app).map(|(_, report)| report);
                ensure(*app < APPS_REPORTED, || {
                    format!("I46: app {app} got a report, and wants none: {report:?}")
                })?;
                let can_be = self.can_be(model, known, line.at, *app, before.as_ref(), report);
                if let Report::UserOffline { uid, .. } = report {
                    self.offline.insert((*app, uid.as_str().to_owned()), line.at);
                }
                ensure(can_be, || {
                    format!("I27: app {app} got {report:?} after {before:?}, and knew {known:?}")
                })
            }
            Entry::Judged { app, uid, code: LoginCode::Ok, .. } => {
                self.judged.insert((*app, uid.clone()), line.at);
                Ok(())
            }
            Entry::Call { who, call: Call::Logout | Call::Destroy, .. } => {
                let engine = &model.engines[*who];
                if let Login::LoggedIn(uid) | Login::LoggingIn(uid) | Login::Rejected(uid) =
                    &engine.login
                {
                    self.left.insert((engine.app, uid.clone()));
                }
                Ok(())
            }
            Entry::Gauges { server, homes_move, .. } => as_held(model, server, *homes_move),
            Entry::Phase(Phase::Settled | Phase::Empty) => as_believed(model),
            _ => Ok(()),
        }
    }
}

impl Reports {
    fn can_be(
        &self,
        model: &Model,
        known: &Reported,
        now: Instant,
        app: usize,
        before: Option<&Report>,
        report: &Report,
    ) -> bool {
        let members = |room: &rts_proto::RoomId| known.rooms.get(room.as_str());
        match report {
            Report::UserOnline { uid } => {
                let key = (app, uid.as_str().to_owned());
                // The login may have been queued (§3.9). Logins of peers that break rules are not
                // in the trace.
                let judged = self.judged.get(&key);
                let max = if model.is_cluster() { ASK_MAX } else { LOGIN_DEADLINE };
                // The clock of a frozen node stands still.
                let is_in_time =
                    |at: &Instant| now.since(*at) <= max || model.was_frozen_since(*at);
                let is_let_in = judged.is_some_and(is_in_time) || uid.as_str() == MALLORY;
                !known.is_surely_online(uid.as_str()) && is_let_in
            }
            Report::UserOffline { uid, reason } => {
                // Calls of peers that break rules are not in the trace.
                let has_left =
                    self.left.contains(&(app, uid.as_str().to_owned())) || uid.as_str() == MALLORY;
                let is_reason = match reason {
                    LeaveReason::Left => has_left,
                    LeaveReason::Dropped => true,
                    // `oracles/back_end.rs` checks whether a command removed the user.
                    LeaveReason::Kicked => true,
                };
                let was_lost = *reason == LeaveReason::Dropped && known.may_go(uid.as_str());
                is_reason && (known.online.contains(uid.as_str()) || was_lost)
            }
            Report::RoomCreated { room } => {
                // Its members may be gone without a report, but not a room without members.
                let is_left = members(room).is_some_and(BTreeSet::is_empty);
                !is_left && known.sure_members(room.as_str()).next().is_none()
            }
            Report::RoomEmptied { room } => {
                let was_last =
                    matches!(before, Some(Report::MemberLeft { room: left, .. }) if left == room);
                let has_nobody = known.sure_members(room.as_str()).next().is_none();
                was_last && has_nobody
            }
            Report::MemberJoined { room, uid, business_id } => {
                let is_new =
                    matches!(before, Some(Report::RoomCreated { room: new }) if new == room);
                let tag = business_id.as_ref().map(|tag| tag.as_str());
                let can_join = members(room).is_some_and(|members| {
                    let is_in = known.is_sure_member(room.as_str(), uid.as_str());
                    members.is_empty() == is_new && !is_in
                });
                // The room may have members of which nobody was told.
                let is_known_empty = members(room).is_none_or(BTreeSet::is_empty);
                let can_join = can_join || is_known_empty && known.may_have_members(room.as_str());
                // The join of a session that ended may be under way to the room's shard.
                let offline = self.offline.get(&(app, uid.as_str().to_owned()));
                let was_online = model.has_mailboxes
                    && offline.is_some_and(|at| {
                        now.since(*at) <= model.under_way_max || model.was_frozen_since(*at)
                    });
                let is_online = known.online.contains(uid.as_str()) || was_online;
                can_join && is_online && tag.is_none_or(|tag| tag == "a.tag")
            }
            Report::MemberLeft { room, uid, .. } => {
                known.is_member(room.as_str(), uid.as_str())
                    || known.may_be_member(room.as_str(), uid.as_str())
            }
        }
    }
}

/// The reports agree with the server's state, for apps that have reports. In a cluster, the home of
/// a user reports it, and while the user moves from one shard to another, none has a session of it.
/// While homes move, rooms are under way from one to the other.
fn as_held(model: &Model, server: &Stats, homes_move: bool) -> Result<(), Violation> {
    if homes_move && model.loss_is_new {
        // Others have yet to report what a lost node had, and it may still hold that.
        return Ok(());
    }
    let sum = |of: fn(&Reported) -> (usize, usize, usize)| {
        model
            .reported
            .values()
            .map(of)
            .fold((0, 0, 0), |all, one| (all.0 + one.0, all.1 + one.1, all.2 + one.2))
    };
    let (sure, reported) = (sum(Reported::sure_counts), sum(Reported::counts));
    let held = (server.sessions, server.rooms, server.memberships);
    let all_have_reports = model.engines.iter().all(|engine| engine.app < APPS_REPORTED);
    let has_at_most = |reported: (usize, usize, usize)| {
        reported.0 >= held.0 && reported.1 >= held.1 && reported.2 >= held.2
    };
    let has_at_least = |sure: (usize, usize, usize)| {
        (sure.0 <= held.0 || model.is_cluster()) && sure.1 <= held.1 && sure.2 <= held.2
    };
    // Peers that break rules belong to these apps too.
    let holds = (!all_have_reports || has_at_most(reported)) && (homes_move || has_at_least(sure));
    ensure(holds, || {
        format!(
            "I27: reported were {reported:?} sessions, rooms and memberships, {sure:?} of them sure, \
             the server holds {held:?}"
        )
    })
}

/// After every grace period, the reports agree with the engines' state.
fn as_believed(model: &Model) -> Result<(), Violation> {
    for app in 0..APPS_REPORTED {
        let (mut online, mut rooms) = (BTreeSet::new(), BTreeMap::<_, BTreeSet<_>>::new());
        for (who, uid) in model.live(app) {
            online.insert(uid.to_owned());
            for (_, room) in model.engines[who].joined() {
                rooms.entry(room.to_owned()).or_default().insert(uid.to_owned());
            }
        }
        let reported = model.reported.get(&app).cloned().unwrap_or_default();
        ensure(reported.can_be(&online, &rooms), || {
            format!(
                "I27: the back end of app {app} got {reported:?}, the engines believe {online:?} \
                 and {rooms:?}"
            )
        })?;
    }
    Ok(())
}
