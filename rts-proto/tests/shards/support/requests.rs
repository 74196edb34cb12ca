//! The back end of a cluster asks any shard.

use rts_proto::server::{
    Command, CommandError, Entry, Input, Request, RequestId, RequestOnWay, Response, Returned,
    ShardId,
};

use super::{Node, app};

impl Node {
    /// The response to a request at a shard, if all that it takes has arrived.
    pub(crate) fn ask(&mut self, shard: usize, request: Request) -> Option<Response> {
        self.last_request += 1;
        let (id, own) = (RequestId(self.last_request), self.ids[shard]);
        self.input(own, Input::Request(id, app(), Box::new(request)));
        self.end_burst();
        self.response(shard, id)
    }

    /// A node tells the shard of another one of a request. Nobody awaits the response.
    pub(crate) fn tell(&mut self, by: usize, shard: usize, request: Request) {
        let (origin, own) = (self.ids[by], self.ids[shard]);
        let on_way = RequestOnWay::told(origin, request);
        let entries = vec![Entry::InApp(app()), Entry::Request(Box::new(on_way))];
        self.input(own, Input::Peer(origin, entries));
        self.end_burst();
    }

    /// The response to an earlier request at a shard, once.
    pub(crate) fn response(&mut self, shard: usize, id: RequestId) -> Option<Response> {
        let own = self.ids[shard];
        let is_meant =
            |response: &(ShardId, RequestId, Response)| (response.0, response.1) == (own, id);
        let at = self.responses.iter().position(is_meant)?;
        Some(self.responses.remove(at).2)
    }

    /// Like a command of one node.
    pub(crate) fn command_by(&mut self, shard: usize, command: Command<'_>) -> Option<Returned> {
        let request = match request(command) {
            Ok(request) => request,
            Err(error) => return Some(Returned::Result(Err(error))),
        };
        let response = self.ask(shard, request)?;
        Some(match (command, response) {
            (_, Response::Refused(error)) => Returned::Result(Err(error)),
            (
                Command::Kick { .. } | Command::PutOut { .. } | Command::Unban { .. },
                Response::Done(count),
            ) => Returned::Whether(count > 0),
            (Command::Dismiss { .. } | Command::Revoke { .. }, Response::Done(count)) => {
                Returned::Count(count as usize)
            }
            (_, Response::Done(count)) => Returned::Result(Ok(count as usize)),
            (_, response) => panic!("{response:?} is no response to a command"),
        })
    }
}

/// The request for a command.
fn request(command: Command<'_>) -> Result<Request, CommandError> {
    Ok(match command {
        Command::Unicast { from, to, payload, .. } => {
            return Request::unicast(from.clone(), to.clone(), payload.clone());
        }
        Command::BroadcastToRoom { from, room_id, payload, .. } => {
            return Request::broadcast_to_room(from.clone(), room_id.clone(), payload.clone());
        }
        Command::UnicastInRoom { from, room_id, to, payload, .. } => {
            let (from, room) = (from.clone(), room_id.clone());
            return Request::unicast_in_room(from, room, to.to_vec(), payload.clone());
        }
        Command::Kick { room_id, uid, .. } => {
            Request::Kick { room: room_id.clone(), uid: uid.clone() }
        }
        Command::Dismiss { room_id, .. } => Request::Dismiss { room: room_id.clone() },
        Command::Ban { ban, interval, .. } => Request::Ban { ban: ban.clone(), interval },
        Command::Unban { ban, .. } => Request::Unban { ban: ban.clone() },
        Command::PutOut { uid, .. } => Request::PutOut { uid: uid.clone() },
        Command::Revoke { uid, issued_before, .. } => {
            Request::Revoke { uid: uid.cloned(), issued_before }
        }
        Command::Shutdown { .. }
        | Command::Drain { .. }
        | Command::Reopen
        | Command::Charge { .. } => panic!("for one node: {command:?}"),
    })
}
