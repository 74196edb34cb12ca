//! Requests of back ends that came to this shard, until all shards that they concern have
//! responded.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;

use super::deadlines::{Deadline, Due};
use super::figures::joined;
use super::io::{Output, RequestId, Response, ResponsePart};
use super::shared::Shared;
#[cfg(test)]
use crate::kept::Kept;
use crate::limits::REQUEST_TIMEOUT;

#[derive(Debug, Default)]
pub(super) struct Pending {
    requests: BTreeMap<RequestId, Waiting>,
}

#[derive(Debug)]
struct Waiting {
    /// Shards that have not responded.
    missing: usize,
    /// Most items of a page.
    limit: usize,
    so_far: Option<Response>,
    deadline: Deadline,
}

impl Pending {
    /// A request goes to this number of shards.
    pub(super) fn begin(
        &mut self,
        shared: &mut Shared,
        id: RequestId,
        shards: usize,
        limit: usize,
    ) {
        let deadline = shared.deadlines.arm(shared.now() + REQUEST_TIMEOUT, Due::Request(id));
        let waiting = Waiting { missing: shards, limit, so_far: None, deadline };
        self.requests.insert(id, waiting);
    }

    /// Whether a request with this number has no response yet.
    pub(super) fn has(&self, id: RequestId) -> bool {
        self.requests.contains_key(&id)
    }

    /// A shard has responded, or has sent a part of its response.
    pub(super) fn responded(&mut self, shared: &mut Shared, part: ResponsePart) {
        let ResponsePart { id, response, is_last } = part;
        let Some(waiting) = self.requests.get_mut(&id) else { return };
        waiting.so_far = Some(match waiting.so_far.take() {
            Some(before) => together(before, response, waiting.limit),
            None => response,
        });
        waiting.missing -= usize::from(is_last);
        if waiting.missing == 0 {
            self.end(shared, id, |so_far| so_far.unwrap_or(Response::Unanswered));
        }
    }

    pub(super) fn timed_out(&mut self, shared: &mut Shared, id: RequestId) {
        self.end(shared, id, |_| Response::Unanswered);
    }

    fn end(
        &mut self,
        shared: &mut Shared,
        id: RequestId,
        response: impl FnOnce(Option<Response>) -> Response,
    ) {
        let Some(Waiting { so_far, deadline, .. }) = self.requests.remove(&id) else { return };
        shared.deadlines.disarm(deadline, Due::Request(id));
        shared.outbox.put(Output::Respond(id, Box::new(response(so_far))));
    }

    /// Entries held, so that tests can check for leaks.
    #[cfg(test)]
    pub(super) fn kept(&self) -> Kept {
        let Self { requests } = self;
        alloc::vec![("requests of back ends", requests.len())]
    }
}

/// The responses of two shards, or two parts of one.
fn together(one: Response, other: Response, limit: usize) -> Response {
    use Response::{Done, Members, Refused, Rooms, Stats, Unanswered, Users};
    match (one, other) {
        (Unanswered, _) | (_, Unanswered) => Unanswered,
        (Refused(error), _) | (_, Refused(error)) => Refused(error),
        (Done(one), Done(other)) => Done(one + other),
        (Members(Some(mut one)), Members(Some(other))) => {
            one.extend(other);
            Members(Some(one))
        }
        (Users(one), Users(other)) => Users(joined([one, other], limit, |user| &user.uid)),
        (Rooms(one), Rooms(other)) => Rooms(joined([one, other], limit, |room| &room.room)),
        (Stats(one), Stats(other)) => Stats(one.plus(other)),
        (one, _) => one,
    }
}
