//! Requests of back ends that wait for their responses.

use std::collections::BTreeMap;

use rts_proto::server::{RequestId, Response};

/// Takes the response to a request.
pub(crate) type Answer = Box<dyn FnOnce(Response) + Send>;

/// Those of one shard.
#[derive(Default)]
pub(crate) struct Asked {
    last: u64,
    waiting: BTreeMap<RequestId, Answer>,
}

impl Asked {
    /// Returns the number for a new request.
    pub(crate) fn add(&mut self, answer: Answer) -> RequestId {
        self.last += 1;
        let id = RequestId(self.last);
        self.waiting.insert(id, answer);
        id
    }

    pub(crate) fn respond(&mut self, id: RequestId, response: Response) {
        if let Some(answer) = self.waiting.remove(&id) {
            answer(response);
        }
    }
}
