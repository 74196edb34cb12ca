//! What is lost when nodes are removed from a cluster.

use std::collections::BTreeSet;

use rts_cluster::shards::ShardMap;
use rts_cluster::view::{View, ViewId};
use rts_proto::RoomId;
use rts_proto::server::{HomeTable, NodeNumber, Placement, ShardId};

use super::Run;
use crate::names::{MALLORY, app_id, room_id, uid};
use crate::swarm::APPS_MAX;
use crate::trace::{Entry, Removed};

/// The homes of the latest view, and of those before it.
#[derive(Default)]
pub(super) struct Losses {
    latest: Option<(Placement, HomeTable)>,
    /// The views that some node has had.
    known: BTreeSet<ViewId>,
    /// The tables before it, from the one before the last change that removed no node.
    formers: Vec<HomeTable>,
}

impl Losses {
    /// A node has this view. Returns the homes before it, if it is new and lacks a node. It may
    /// have a lower number than the one before, if the register has forgotten that one.
    fn view(&mut self, view: &View) -> Option<(Placement, &[HomeTable], &HomeTable)> {
        let any = view.members().first()?.incarnation;
        let map = ShardMap::of(view, any)?;
        let (placement, table) = (map.placements().next()?, map.table().clone());
        if view.parent().is_none() {
            let known = BTreeSet::from([view.id()]);
            *self = Self { latest: Some((placement, table)), known, formers: Vec::new() };
            return None;
        }
        let (first, former) = self.latest.as_ref()?;
        if !self.known.insert(view.id()) {
            return None;
        }
        let has = |node: NodeNumber| table.nodes().any(|(other, _)| other == node);
        let lacks_any = former.nodes().any(|(node, _)| !has(node));
        if !lacks_any {
            self.formers.clear();
        }
        self.formers.push(former.clone());
        self.latest = Some((*first, table));
        let (placement, table) = self.latest.as_ref()?;
        lacks_any.then_some((*placement, &self.formers[..], table))
    }
}

impl Run<'_> {
    /// A node has this view. What is lost if it is the first one that lacks a node.
    pub(super) fn losses_of(&mut self, view: &View) -> Option<Entry> {
        let (places, rooms) = (self.places.len(), self.plan.swarm.rooms);
        let (placement, formers, table) = self.losses.view(view)?;
        let has = |node: NodeNumber| table.nodes().any(|(other, _)| other == node);
        let is_lost = |home: &dyn Fn(&HomeTable) -> ShardId| {
            formers.iter().any(|former| !has(home(former).node()))
        };
        let before = formers.last()?.nodes().map(|(node, _)| node);
        let nodes = before.filter(|node| !has(*node)).map(NodeNumber::number).collect();
        let mut removed = Removed { nodes, users: BTreeSet::new(), rooms: BTreeSet::new() };
        for app in 0..APPS_MAX {
            let app_id = app_id(app);
            let users = (0..=places).map(uid).chain([MALLORY.to_owned()]);
            let users =
                users.filter(|uid| is_lost(&|table| table.of_user(&placement, &app_id, uid)));
            removed.users.extend(users.map(|uid| (app, uid)));
            let reported = self.oracles.model.reported.get(&app).map(|known| known.rooms.keys());
            let rooms: BTreeSet<String> =
                (0..rooms).map(room_id).chain(reported.into_iter().flatten().cloned()).collect();
            let rooms = rooms.into_iter().filter(|room| {
                let id = RoomId::new(room).expect("a room id");
                is_lost(&|table| table.of_room(&placement, &app_id, &id))
            });
            removed.rooms.extend(rooms.map(|room| (app, room)));
        }
        Some(Entry::NodesRemoved(removed))
    }
}
