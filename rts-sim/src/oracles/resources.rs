//! Resources are in use only as needed, and all are free in the end (I27, I38, I42).

use std::collections::BTreeSet;

use rts_proto::limits::WINDOW_BYTES_MAX;
use rts_proto::server::Stats;

use super::{Oracle, Violation, ensure};
use crate::model::Model;
use crate::trace::{Entry, Line, Phase};

/// The bound of a link's write queue: a fuller link is closed before the server's core fills it.
const LINK_BYTES_MAX: usize = 2 * 1_048_576;

#[derive(Debug, Default)]
pub(super) struct Resources {
    phase: Option<Phase>,
}

impl Oracle for Resources {
    fn see(&mut self, model: &Model, line: &Line) -> Result<(), Violation> {
        match &line.entry {
            Entry::Phase(phase) => self.phase = Some(*phase),
            Entry::Gauges { server, open_links, open_questions, waiting_bytes_most, .. } => {
                ensure(*waiting_bytes_most <= LINK_BYTES_MAX, || {
                    format!("§2.9: {waiting_bytes_most} bytes waited on a link")
                })?;
                // A session that has moved to another node has its window, and counts when the
                // user's home has agreed. Each engine has one at most.
                let moving = if model.is_cluster() { model.engines.len() } else { 0 };
                let windows = server.sessions + moving;
                ensure(server.window_bytes <= windows * WINDOW_BYTES_MAX, || {
                    format!("I38: {server:?}")
                })?;
                match self.phase {
                    Some(Phase::Settled) => as_believed(model, server, *open_links)?,
                    Some(Phase::Empty) => {
                        let is_empty =
                            *server == Stats::default() && (*open_links, *open_questions) == (0, 0);
                        ensure(is_empty, || {
                            format!(
                                "I42: left are {server:?}, {open_links} links, {open_questions} questions"
                            )
                        })?;
                    }
                    _ => {}
                }
            }
            _ => {}
        }
        Ok(())
    }
}

/// I27: the sessions, rooms and memberships are those of the engines, and no others.
fn as_believed(model: &Model, server: &Stats, open_links: usize) -> Result<(), Violation> {
    let (mut sessions, mut rooms, mut memberships) = (0, BTreeSet::new(), 0);
    for engine in &model.engines {
        if engine.login.live().is_some() {
            sessions += 1;
            for (_, room) in engine.joined() {
                memberships += 1;
                rooms.insert((engine.app, room));
            }
        }
    }
    let believed = Stats {
        links: sessions,
        links_before_login: 0,
        sessions,
        rooms: rooms.len(),
        memberships,
        ..*server
    };
    ensure(believed == *server && open_links == sessions, || {
        format!(
            "I27: the server holds {server:?} and {open_links} links, the engines believe {believed:?}"
        )
    })?;
    let is_idle = (server.window_bytes, server.posts_waiting, server.posts_under_way) == (0, 0, 0);
    ensure(is_idle, || format!("I42: nothing is said, and {server:?}"))
}
