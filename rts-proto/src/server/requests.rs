//! Requests of an app's back end find the shards that they concern, in a node or a cluster.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::directory::Route;
use super::fences::BehindFence;
use super::figures::Page;
use super::io::{
    Concerns, Entry, PassedOn, Request, RequestId, RequestOnWay, Response, ResponsePart,
};
use super::shard::Server;
use crate::limits::NOTICE_MEMBERS_MAX;
use crate::planted::{Bug, planted};
use crate::{AppId, UserId};

/// Names and figures in one entry. With the longest names it fits into what nodes send each other.
const ITEMS_IN_ENTRY: usize = NOTICE_MEMBERS_MAX;

/// The shard to which a request comes.
impl Server {
    pub(super) fn request_came(&mut self, id: RequestId, app_id: &AppId, request: Request) {
        if self.pending.has(id) {
            return;
        }
        let request = request.clamped();
        let limit = request.limit();
        let origin = self.shared.config.placement.own();
        let on_way = RequestOnWay { origin, id, request, is_charged: false };
        let Concerns::All = on_way.request.concerns() else {
            self.pending.begin(&mut self.shared, id, 1, limit);
            return self.send_request(app_id, on_way);
        };
        let mut shards = self.shared.homes.shards();
        if planted(Bug::RequestOfOneNode) {
            shards.retain(|shard| shard.node() == origin.node());
        }
        self.pending.begin(&mut self.shared, id, shards.len(), limit);
        for shard in shards {
            let entry = Entry::Request(Box::new(on_way.clone()));
            self.shared.send_to_any(shard, app_id, entry);
        }
    }

    /// First to the home of the rate of the app's back end, if the rate is charged, and then to
    /// the home of its user or room.
    fn send_request(&mut self, app_id: &AppId, on_way: RequestOnWay) {
        let homes = &self.shared.homes;
        let home = match on_way.request.concerns() {
            _ if on_way.must_be_charged() => homes.other_of_app(app_id),
            Concerns::HomeOfUser(uid) => homes.other_of_user(app_id, uid.as_str()),
            Concerns::HomeOfRoom(room) => homes.other_of_room(app_id, room),
            Concerns::All => None,
        };
        let entry = Entry::Request(Box::new(on_way));
        match home {
            Some(home) => self.shared.send_in_app(home, app_id, entry),
            None => self.shared.to_self.add(app_id, entry),
        }
    }
}

/// The shards that a request concerns.
impl Server {
    pub(super) fn request_arrived(&mut self, app_id: &AppId, mut on_way: RequestOnWay) {
        if on_way.must_be_charged() {
            let messages = on_way.request.messages().unwrap_or_default();
            match self.back_end_rates.take(&mut self.shared, app_id, messages) {
                Ok(()) => on_way.is_charged = true,
                Err(error) => return self.respond(&on_way, Response::Refused(error)),
            }
            return self.send_request(app_id, on_way);
        }
        if let Concerns::HomeOfUser(uid) = on_way.request.concerns()
            && self.users.find(app_id, uid.as_str()).is_none()
        {
            let uid = uid.clone();
            return self.pass_request_on(app_id, &uid, on_way);
        }
        self.carry_out(app_id, on_way);
    }

    /// To the owner of a user whose home this shard is.
    fn pass_request_on(&mut self, app_id: &AppId, uid: &UserId, on_way: RequestOnWay) {
        match self.shared.directory.route(app_id, uid.as_str()) {
            Route::Owner(owner) if owner != self.shared.config.placement.own() => {
                let passed_on = PassedOn::Request(Box::new(on_way));
                self.shared.send_in_app(owner, app_id, Entry::PassedOn(passed_on));
            }
            Route::Held => {
                let passed_on = PassedOn::Request(Box::new(on_way));
                self.shared.directory.hold(app_id, uid.as_str(), passed_on);
            }
            Route::Owner(_) | Route::Nobody => self.carry_out(app_id, on_way),
        }
    }

    /// Carries out the part of this shard, and responds.
    pub(super) fn carry_out(&mut self, app_id: &AppId, on_way: RequestOnWay) {
        if let Some(ban) = on_way.request.ban()
            && self.shared.homes.are_being_joined()
        {
            // What others tell is older than what a back end asks meanwhile, and may come later.
            match on_way.is_told() {
                true if self.bans.is_decided(app_id, ban) => return,
                true => {}
                false => self.bans.decided(app_id, ban),
            }
        }
        // Behind the broadcasts of this burst.
        self.shared.settle();
        let response = self.response_to(app_id, &on_way.request);
        let is_done = matches!(response, Response::Done(count) if count > 0);
        if is_done && self.shared.homes.are_in_cluster() && on_way.request.goes_to_members() {
            return self.fences.add(BehindFence::Response(Box::new((on_way, response))));
        }
        self.respond(&on_way, response);
    }

    fn response_to(&mut self, app_id: &AppId, request: &Request) -> Response {
        let now = self.shared.now();
        let done = match request {
            Request::Unicast { to, frame } => Ok(self.unicast_here(app_id, to, frame.clone())),
            Request::BroadcastToRoom { room, frame } => {
                self.broadcast_to_room_here(app_id, room, frame)
            }
            Request::UnicastInRoom { room, to, frame } => {
                self.unicast_in_room_here(app_id, room, to, frame)
            }
            Request::Kick { room, uid } => Ok(self.expel(app_id, room, uid).into()),
            Request::Dismiss { room } => Ok(self.dismiss_here(app_id, room)),
            Request::Ban { ban, interval } => self.ban_here(app_id, ban, *interval),
            Request::Unban { ban } => Ok(self.unban_here(app_id, ban).into()),
            Request::PutOut { uid } => Ok(self.end_login(app_id, uid).into()),
            Request::Revoke { uid, issued_before } => {
                Ok(self.revoke_here(app_id, uid.as_ref(), *issued_before))
            }
            Request::Status { uid } => {
                return Response::Status(self.status_of(now, app_id, uid.as_str()));
            }
            Request::Members { room } => {
                let members = self.room_members(app_id, room);
                return Response::Members(members.map(|members| members.cloned().collect()));
            }
            Request::Users { after, limit } => {
                let limit = *limit as usize;
                return Response::Users(self.users_page(now, app_id, after.as_ref(), limit));
            }
            Request::Rooms { after, limit } => {
                return Response::Rooms(self.rooms_page(app_id, after.as_ref(), *limit as usize));
            }
            Request::Stats => return Response::Stats(self.app_stats(app_id)),
        };
        match done {
            Ok(count) => Response::Done(count as u64),
            Err(error) => Response::Refused(error),
        }
    }

    pub(super) fn respond(&mut self, on_way: &RequestOnWay, response: Response) {
        let (origin, id) = (on_way.origin, on_way.id);
        if planted(Bug::ResponseForgotten)
            && origin.node() != self.shared.config.placement.own().node()
        {
            return;
        }
        let mut parts = in_parts(response).into_iter().peekable();
        while let Some(response) = parts.next() {
            let part = ResponsePart { id, response, is_last: parts.peek().is_none() };
            if origin == self.shared.config.placement.own() {
                self.pending.responded(&mut self.shared, part);
            } else {
                self.shared.send_to_shard(origin, Entry::Response(Box::new(part)));
            }
        }
    }
}

/// A long list in parts of a bounded size.
fn in_parts(response: Response) -> Vec<Response> {
    match response {
        Response::Members(Some(members)) if members.len() > ITEMS_IN_ENTRY => {
            let parts = members.chunks(ITEMS_IN_ENTRY);
            parts.map(|part| Response::Members(Some(part.to_vec()))).collect()
        }
        Response::Users(page) => pages(page).map(Response::Users).collect(),
        Response::Rooms(page) => pages(page).map(Response::Rooms).collect(),
        response => alloc::vec![response],
    }
}

/// A page in parts, which together are the page.
fn pages<T>(page: Page<T>) -> impl Iterator<Item = Page<T>> {
    let Page { items, has_more, total } = page;
    let count = items.len().div_ceil(ITEMS_IN_ENTRY).max(1);
    let mut items = items.into_iter();
    (0..count).map(move |number| {
        let items = items.by_ref().take(ITEMS_IN_ENTRY).collect();
        match number {
            0 => Page { items, has_more, total },
            _ => Page { items, has_more: false, total: 0 },
        }
    })
}
