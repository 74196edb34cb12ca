//! Carries out checked calls with the shards of all nodes of a cluster.

use std::time::Duration;

use rts_openapi::{Call, Command, Error, ErrorCode};
use rts_proto::limits::REQUEST_TIMEOUT;
use rts_proto::server::{Ban, Request, Response, Shards as _};
use rts_proto::{AppId, OnlineStatus, RoomId, UserId};
use rts_transport_tokio::server::Node;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

use super::super::given::{Given, banned, ended, moment, removed, revoked, sent, unbanned};
use super::super::lists;
use crate::state::State;

/// Beyond the time that the shards have. A node that is frozen answers later, or never.
const PATIENCE: Duration = Duration::from_secs(1);

pub(super) async fn carry_out(node: &Node, state: &State, call: &Call) -> Result<Given, Error> {
    let cluster = Cluster { node, app_id: &call.app_id, state };
    match call.command.clone() {
        Command::Unicast { from, to, payload } => {
            cluster.count(Request::unicast(from, to, payload)?).await.map(sent)
        }
        Command::Broadcast { room, from, payload } => {
            cluster.count(Request::broadcast_to_room(from, room, payload)?).await.map(sent)
        }
        Command::RoomUnicast { room, from, to, payload } => {
            cluster.count(Request::unicast_in_room(from, room, to, payload)?).await.map(sent)
        }
        Command::Kick { room, uid, interval: Duration::ZERO } => {
            cluster.count(Request::Kick { room, uid }).await.map(removed)
        }
        Command::Kick { room, uid, interval } => {
            cluster.ban(Ban::UserInRoom(room, uid), interval).await.map(removed)
        }
        Command::Dismiss { room, interval } => cluster.dismiss(room, interval).await.map(removed),
        Command::Ban { ban, interval } => cluster.ban(ban, interval).await.map(|_| banned()),
        Command::Disconnect { uid } => cluster.count(Request::PutOut { uid }).await.map(ended),
        Command::BanLogin { uid, interval } => {
            cluster.ban(Ban::Login(uid), interval.unwrap_or(Duration::MAX)).await.map(ended)
        }
        Command::Unban { ban } => cluster.unban(ban).await.map(unbanned),
        Command::Revoke { uid, issued_before } => cluster.revoke(uid, issued_before).await,
        Command::OnlineUsers { room } => match cluster.ask(Request::Members { room }).await? {
            Response::Members(members) => Ok(Given::OnlineUsers(lists::members(members))),
            other => Err(unexpected(&other)),
        },
        Command::Statuses { uids } => cluster.statuses(&uids).await,
        Command::Users { after, limit } => {
            match cluster.ask(Request::Users { after, limit: page(limit) }).await? {
                Response::Users(page) => Ok(Given::Users(lists::users(page))),
                other => Err(unexpected(&other)),
            }
        }
        Command::Rooms { after, limit } => {
            match cluster.ask(Request::Rooms { after, limit: page(limit) }).await? {
                Response::Rooms(page) => Ok(Given::Rooms(lists::rooms(page))),
                other => Err(unexpected(&other)),
            }
        }
        Command::Stats => match cluster.ask(Request::Stats).await? {
            Response::Stats(stats) => Ok(Given::Stats(lists::stats(stats))),
            other => Err(unexpected(&other)),
        },
    }
}

/// The nodes as this one reaches them.
struct Cluster<'a> {
    node: &'a Node,
    app_id: &'a AppId,
    state: &'a State,
}

impl Cluster<'_> {
    /// Asks the shards that the request concerns.
    async fn ask(&self, request: Request) -> Result<Response, Error> {
        self.begin(request).await
    }

    /// The request is under way when this returns.
    fn begin(&self, request: Request) -> impl Future<Output = Result<Response, Error>> + use<> {
        let (answer, answered) = oneshot::channel();
        // Nobody waits for the response if the connection was closed.
        self.node.ask(self.app_id.clone(), request, move |response| drop(answer.send(response)));
        let deadline = Instant::now() + REQUEST_TIMEOUT + PATIENCE;
        async move {
            match timeout_at(deadline, answered).await {
                Ok(Ok(Response::Refused(error))) => Err(error.into()),
                Ok(Ok(Response::Unanswered) | Err(_)) | Err(_) => {
                    let message = "a node of the cluster did not answer in time: a command may have \
                                   been carried out, or may be later; ask again";
                    Err(Error::new(ErrorCode::ResultUnknown, message))
                }
                Ok(Ok(response)) => Ok(response),
            }
        }
    }

    /// The number of receivers of a command, or of what it ended.
    async fn count(&self, request: Request) -> Result<usize, Error> {
        match self.ask(request).await? {
            Response::Done(count) => Ok(usize::try_from(count).unwrap_or(usize::MAX)),
            other => Err(unexpected(&other)),
        }
    }

    /// All nodes put the ban into their state when the request comes, not when it is answered: a
    /// shard that does not answer may have it as well.
    async fn ban(&self, ban: Ban, interval: Duration) -> Result<usize, Error> {
        self.node.commands().check_ban(self.app_id, &ban)?;
        self.state.ban(self.app_id, &ban, ban.length_for(interval));
        self.count(Request::Ban { ban, interval }).await
    }

    async fn dismiss(&self, room: RoomId, interval: Duration) -> Result<usize, Error> {
        let ban = Ban::Room(room.clone());
        if !interval.is_zero() {
            // The room is dismissed first, because a ban would give its members another state.
            self.node.commands().check_ban(self.app_id, &ban)?;
        }
        let members = self.count(Request::Dismiss { room }).await?;
        if !interval.is_zero() {
            self.ban(ban, interval).await?;
        }
        Ok(members)
    }

    /// Returns whether the ban was in force.
    async fn unban(&self, ban: Ban) -> Result<bool, Error> {
        self.state.ban(self.app_id, &ban, Duration::ZERO);
        Ok(self.count(Request::Unban { ban }).await? > 0)
    }

    async fn revoke(&self, uid: Option<UserId>, asked: Option<u32>) -> Result<Given, Error> {
        let moment = moment(asked)?;
        // Tokens are revoked first, so that the users cannot log in here again in between.
        let issued_before = self
            .state
            .revoke(self.app_id, uid.as_ref(), moment)
            .map_err(|error| Error::new(ErrorCode::UserCountOverLimit, error.to_string()))?;
        // The others decide by their own state what is in force then.
        let sessions = self.count(Request::Revoke { uid, issued_before: moment }).await?;
        Ok(revoked(sessions, issued_before))
    }

    async fn statuses(&self, uids: &[UserId]) -> Result<Given, Error> {
        let asked: Vec<_> =
            uids.iter().map(|uid| self.begin(Request::Status { uid: uid.clone() })).collect();
        let mut statuses = Vec::new();
        for answer in asked {
            // Nobody knows the status of a user whose home does not answer.
            statuses.push(match answer.await {
                Ok(Response::Status(status)) => status,
                Ok(_) | Err(_) => OnlineStatus::Unreachable,
            });
        }
        let mut statuses = statuses.into_iter();
        let status_of = |_: &UserId| statuses.next().unwrap_or(OnlineStatus::Unreachable);
        Ok(Given::UserStatuses(lists::statuses(uids, status_of)))
    }
}

fn page(limit: usize) -> u32 {
    u32::try_from(limit).unwrap_or(u32::MAX)
}

fn unexpected(response: &Response) -> Error {
    Error::new(ErrorCode::InternalError, format!("another response than expected: {response:?}"))
}
