//! Carries entries between the shards of this node and the cluster.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use rts_cluster::membership::Wish;
use rts_cluster::shards::ShardMap;
use rts_cluster::view::{Epoch, Incarnation, Member, MemberState, View};
use rts_proto::server::{Entry, Input, Request, RequestOnWay, ShardId};
use rts_proto::{AppId, Instant};
use rts_transport_tokio::server::{Node, SendToNodes};
use tokio::sync::{oneshot, watch};

use crate::cluster::{Figures, NodeEvent, NodeSender};
use crate::state::State;
use crate::webhooks::{NodeChange, Queues};

/// The nodes that tell a new one what is in force.
const TELLERS: usize = 2;

/// The way between the shards of this node and the other nodes.
#[derive(Debug)]
pub(super) struct Shards {
    own: Incarnation,
    sender: OnceLock<NodeSender>,
    /// Those of the latest view. Shards read it while they send.
    map: RwLock<Option<Arc<ShardMap>>>,
    inbound: Mutex<Inbound>,
    /// The epoch of the latest view that all shards of this node serve; 0 for none.
    served: watch::Sender<u64>,
}

/// Takes what happens in the cluster.
#[derive(Debug)]
enum Inbound {
    /// There are no shards yet, and this has happened. The first view is passed on.
    Waiting { first: Option<oneshot::Sender<View>>, events: Vec<NodeEvent> },
    /// They get it.
    Attached(Box<Attached>),
    /// Nobody wants it.
    Detached,
}

/// The parts of this node that get what happens.
#[derive(Debug)]
struct Attached {
    node: Node,
    state: Arc<State>,
    webhooks: Queues,
    /// The latest view that they got.
    view: Option<View>,
}

impl Shards {
    /// `first` gets the view in which this node becomes a member.
    pub(super) fn new(own: Incarnation, first: oneshot::Sender<View>) -> Self {
        Self {
            own,
            sender: OnceLock::new(),
            map: RwLock::new(None),
            inbound: Mutex::new(Inbound::Waiting { first: Some(first), events: Vec::new() }),
            served: watch::Sender::new(0),
        }
    }

    /// Entries are sent over this from now on.
    pub(super) fn send_over(&self, sender: NodeSender) {
        self.sender.get_or_init(|| sender);
    }

    /// What the node wants to become.
    pub(super) fn wish(&self, wish: Wish) {
        if let Some(sender) = self.sender.get() {
            sender.wish(wish);
        }
    }

    /// What the node has sent and received.
    pub(super) async fn figures(&self) -> Figures {
        match self.sender.get() {
            Some(sender) => sender.figures().await,
            None => Figures::default(),
        }
    }

    /// The epoch of the latest view that all shards of this node serve.
    pub(super) fn served(&self) -> Option<Epoch> {
        Some(*self.served.borrow()).filter(|epoch| *epoch > 0).map(Epoch)
    }

    /// Waits until this is so of the epoch of the latest view that all shards serve. Cancel safe.
    pub(super) async fn until_served(&self, is_so: impl FnMut(&u64) -> bool) {
        // The sender is in `self`.
        let _ = self.served.subscribe().wait_for(is_so).await;
    }

    /// By the number of a member, of how many slots it is the home.
    pub(super) fn homes(&self) -> BTreeMap<u8, usize> {
        let mut homes = BTreeMap::new();
        for node in self.map().iter().flat_map(|map| map.table().home_nodes()) {
            *homes.entry(node.number() as u8).or_default() += 1;
        }
        homes
    }

    /// Takes an event of the node. Never blocks for long.
    pub(super) fn on_event(&self, event: NodeEvent) {
        match &mut *self.inbound() {
            Inbound::Attached(attached) => self.pass(attached, event),
            Inbound::Detached => {}
            Inbound::Waiting { first, events } => {
                if let NodeEvent::View { view, .. } = &event
                    && let Some(first) = first.take()
                {
                    // Nobody waits for it if the server was stopped.
                    let _ = first.send(view.clone());
                }
                events.push(event);
            }
        }
    }

    /// Whether the shards keep up with what comes from other nodes.
    pub(super) fn keep_up(&self) -> bool {
        match &*self.inbound() {
            Inbound::Attached(attached) => attached.node.keeps_up(),
            Inbound::Waiting { .. } | Inbound::Detached => true,
        }
    }

    pub(super) fn attach(&self, node: Node, state: Arc<State>, webhooks: Queues) {
        let mut inbound = self.inbound();
        let mut attached = Attached { node, state, webhooks, view: None };
        if let Inbound::Waiting { events, .. } = std::mem::replace(&mut *inbound, Inbound::Detached)
        {
            // Shards that have the first view do not take it again.
            events.into_iter().for_each(|event| self.pass(&mut attached, event));
        }
        *inbound = Inbound::Attached(Box::new(attached));
    }

    pub(super) fn detach(&self) {
        *self.inbound() = Inbound::Detached;
    }

    fn pass(&self, attached: &mut Attached, event: NodeEvent) {
        let Attached { node, state, .. } = attached;
        match event {
            NodeEvent::View { view, serve_after } => {
                let serve_after = node.moment(serve_after);
                self.view_changed(node, &view, serve_after);
                if let Some(former) = attached.view.replace(view.clone()) {
                    self.tell_new_nodes(attached, &view, &former);
                    self.report_removed(&attached.webhooks, &view, &former);
                }
            }
            NodeEvent::Entries { from, route, piece } => {
                let Some(map) = self.map() else { return };
                match map.incoming(from, route, piece, node.now()) {
                    Ok(Some((own, input))) => {
                        // Every shard gets what concerns all of them.
                        if own == 0 {
                            keep(state, &input);
                        }
                        if let Some(shard) = own_shards(&map).nth(own) {
                            node.receive(shard, input);
                        }
                    }
                    Ok(None) => {}
                    Err(error) => {
                        tracing::error!(
                            from = format_args!("{:016x}", from.0),
                            "entries of another node cannot be read, and are lost: {error}"
                        );
                    }
                }
            }
            NodeEvent::Congested { node: other, is_congested } => {
                let Some(map) = self.map() else { return };
                for input in map.congested(other, is_congested) {
                    to_all(node, &map, &input);
                }
            }
            NodeEvent::Lease(until) => node.set_lease(until),
            // Senders get a result from their own shard, and shards learn by the next table of
            // homes that the node is gone: see `rts_cluster::shards`.
            NodeEvent::PeerGone { .. } | NodeEvent::NotSent { .. } => {}
        }
    }

    fn view_changed(&self, node: &Node, view: &View, serve_after: Instant) {
        // A node gets only views that it is in.
        let Some(map) = ShardMap::of(view, self.own).map(Arc::new) else { return };
        let mut present = self.map.write().unwrap_or_else(PoisonError::into_inner);
        *present = Some(Arc::clone(&map));
        drop(present);
        to_all(node, &map, &map.homes_changed(serve_after));
    }

    /// Two of the nodes that serve tell a new one of the bans and revocations in force: the first
    /// ones of the former view, in case one of them ends now. They tell it when it is added, so
    /// that it refuses users early, and when it is up. By then all shards of all nodes know it: it
    /// has got by itself what they have not.
    fn tell_new_nodes(&self, attached: &Attached, view: &View, former: &View) {
        let Some(map) = self.map() else { return };
        let is_new = |member: &&Member| {
            let before = former.member(member.incarnation);
            before.is_none_or(|before| before.state == MemberState::Joining)
        };
        let mut tellers = view.members().iter().filter(|member| !is_new(member)).take(TELLERS);
        if tellers.all(|member| member.incarnation != self.own) {
            return;
        }
        let new = view.members().iter().filter(is_new);
        let new: Vec<_> = new.flat_map(|member| map.shards_of(member.incarnation)).collect();
        let Some(own) = own_shards(&map).next().filter(|_| !new.is_empty()) else { return };
        let entries = in_force(&attached.state, own);
        if !entries.is_empty() {
            new.into_iter().for_each(|to| self.send(own, to, entries.clone(), attached.node.now()));
        }
    }

    /// Of the nodes that are left, the first one reports which ones are gone. If it is gone as
    /// well, the next one reports that.
    fn report_removed(&self, webhooks: &Queues, view: &View, former: &View) {
        let is_left = |member: &&Member| former.member(member.incarnation).is_some();
        if view.members().iter().find(is_left).is_none_or(|first| first.incarnation != self.own) {
            return;
        }
        for gone in former.members().iter().filter(|gone| view.member(gone.incarnation).is_none()) {
            let change = match gone.state {
                MemberState::Draining => NodeChange::Drained,
                MemberState::Up | MemberState::Joining => NodeChange::Removed,
            };
            webhooks.cluster_changed(gone.name.clone(), change);
        }
    }

    fn map(&self) -> Option<Arc<ShardMap>> {
        self.map.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// No code that can panic runs under this lock.
    fn inbound(&self) -> MutexGuard<'_, Inbound> {
        self.inbound.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The bans and revocations in force, as requests whose responses nobody awaits.
fn in_force(state: &State, origin: ShardId) -> Vec<Entry> {
    let of_app = |(app_id, request): (AppId, Request)| {
        let on_way = RequestOnWay::told(origin, request);
        [Entry::InApp(app_id), Entry::Request(Box::new(on_way))]
    };
    state.requests().into_iter().flat_map(of_app).collect()
}

/// Keeps the bans and revocations that back ends have asked another node for.
fn keep(state: &Arc<State>, input: &Input) {
    let Input::Peer(_, entries) = input else { return };
    let (mut app_id, mut is_changed) = (None, false);
    for entry in entries {
        match (entry, &app_id) {
            (Entry::InApp(named), _) => app_id = Some(named),
            (Entry::Request(on_way), Some(app_id)) => {
                is_changed |= keep_request(state, app_id, on_way);
            }
            _ => {}
        }
    }
    if is_changed {
        let state = Arc::clone(state);
        tokio::spawn(async move {
            if let Err(error) = state.save().await {
                tracing::error!(
                    %error,
                    "bans and revoked tokens could not be written: the latest are lost on restart"
                );
            }
        });
    }
}

/// Returns whether the request is one to keep.
fn keep_request(state: &State, app_id: &AppId, on_way: &RequestOnWay) -> bool {
    match &on_way.request {
        Request::Ban { ban, interval } if on_way.is_told() => {
            state.told(app_id, ban, *interval);
        }
        Request::Ban { ban, interval } => {
            state.ban(app_id, ban, *interval);
        }
        Request::Unban { ban } => {
            state.ban(app_id, ban, Duration::ZERO);
        }
        Request::Revoke { uid, issued_before } => {
            if let Err(error) = state.revoke(app_id, uid.as_ref(), *issued_before) {
                tracing::error!(app = %app_id, "a revocation of another node is not kept: {error}");
            }
        }
        _ => return false,
    }
    true
}

fn own_shards(map: &ShardMap) -> impl Iterator<Item = ShardId> {
    map.placements().map(|placement| placement.own())
}

fn to_all(node: &Node, map: &ShardMap, input: &Input) {
    own_shards(map).for_each(|shard| node.receive(shard, input.clone()));
}

impl SendToNodes for Shards {
    fn send(&self, from: ShardId, to: ShardId, entries: Vec<Entry>, now: Instant) {
        let map = self.map();
        let outgoing = map.and_then(|map| map.outgoing(from, to, entries, now));
        if let (Some((node, pieces)), Some(sender)) = (outgoing, self.sender.get()) {
            sender.send(node, pieces);
        }
    }

    fn all_serve(&self, epoch: u64) {
        self.served.send_replace(epoch);
        if let Some(sender) = self.sender.get() {
            sender.served(Epoch(epoch));
        }
    }
}
