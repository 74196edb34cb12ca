//! A server core that may be recorded.

use std::fmt;
use std::time::Duration;

use rts_proto::server::{
    AppStats, Ban, CommandError, Config, Input, Output, Page, PostProgress, RoomFigures, Server,
    Stats, Timer, UserFigures, Verdict,
};
use rts_proto::{AppId, CallId, Instant, LinkId, OnlineStatus, Payload, RoomId, UserId};

use crate::record::{CoreConfig, Record, ServerCall, ServerInput, shown};
use crate::recorder::Recorder;
use crate::scrub::Scrubber;

/// [`Server`], with every input and command written down if there is a [`Recorder`]. Without one it
/// is the core and nothing more. Every method is documented there.
pub struct RecordedServer {
    core: Server,
    recorder: Option<Box<Recorder>>,
}

impl RecordedServer {
    /// A core, from the beginning of its life.
    #[must_use]
    pub fn new(config: Config, seed: u64, recorder: Option<Recorder>) -> Self {
        let mut recorder = recorder.map(Box::new);
        if let Some(recorder) = &mut recorder {
            recorder.start(seed, CoreConfig::of_server(&config));
        }
        Self { core: Server::new(config, seed), recorder }
    }

    #[allow(missing_docs)]
    pub fn handle_input(&mut self, now: Instant, input: Input) {
        if let Some(recorder) = &mut self.recorder {
            let input = recorded(&mut recorder.scrubber, &input);
            recorder.happened(now, |after_micros| Record::ServerInput { after_micros, input });
        }
        self.core.handle_input(now, input);
    }

    #[allow(missing_docs)]
    pub fn poll_output(&mut self) -> Output {
        let output = self.core.poll_output();
        if let Some(recorder) = &mut self.recorder {
            let waits = matches!(output, Output::Wait(_));
            // A driver may ask again and again while nothing happens.
            if !waits || recorder.is_fresh {
                recorder.digest.server_output(&mut recorder.scrubber, &output);
            }
            if waits {
                recorder.drained();
            }
        }
        output
    }

    /// Changes nothing that a replay compares, and is not written down.
    pub fn take_notice(&mut self) {
        self.core.take_notice();
    }

    /// Gives a command, and writes it down.
    fn call<R: fmt::Debug>(
        &mut self,
        now: Instant,
        call: impl FnOnce(&Scrubber) -> ServerCall,
        make: impl FnOnce(&mut Server) -> R,
    ) -> R {
        if let Some(recorder) = &mut self.recorder {
            let call = call(&recorder.scrubber);
            recorder.happened(now, |after_micros| Record::ServerCall { after_micros, call });
        }
        let returned = make(&mut self.core);
        if let Some(recorder) = &mut self.recorder {
            recorder.digest.returned(&shown(&returned));
        }
        returned
    }
}

/// The commands.
#[allow(missing_docs)]
impl RecordedServer {
    pub fn shutdown(&mut self, now: Instant, retry_after_max: Duration) {
        let call = |_: &Scrubber| ServerCall::Shutdown { retry_after_max };
        self.call(now, call, |core| core.shutdown(now, retry_after_max));
    }

    pub fn unicast(
        &mut self,
        now: Instant,
        app_id: &AppId,
        from: UserId,
        to: &UserId,
        payload: Payload,
    ) -> Result<usize, CommandError> {
        let sender = from.clone();
        let content = payload.clone();
        let call = |scrubber: &Scrubber| ServerCall::Unicast {
            app_id: app_id.to_string(),
            from: sender.to_string(),
            to: to.to_string(),
            content: scrubber.content(&content),
        };
        self.call(now, call, |core| core.unicast(now, app_id, from, to, payload))
    }

    pub fn broadcast_to_room(
        &mut self,
        now: Instant,
        app_id: &AppId,
        room_id: &RoomId,
        from: UserId,
        payload: Payload,
    ) -> Result<usize, CommandError> {
        let sender = from.clone();
        let content = payload.clone();
        let call = |scrubber: &Scrubber| ServerCall::BroadcastToRoom {
            app_id: app_id.to_string(),
            room: room_id.to_string(),
            from: sender.to_string(),
            content: scrubber.content(&content),
        };
        self.call(now, call, |core| core.broadcast_to_room(now, app_id, room_id, from, payload))
    }

    pub fn unicast_in_room(
        &mut self,
        now: Instant,
        app_id: &AppId,
        room_id: &RoomId,
        from: UserId,
        to: &[UserId],
        payload: Payload,
    ) -> Result<usize, CommandError> {
        let sender = from.clone();
        let content = payload.clone();
        let call = |scrubber: &Scrubber| ServerCall::UnicastInRoom {
            app_id: app_id.to_string(),
            room: room_id.to_string(),
            from: sender.to_string(),
            to: to.iter().map(ToString::to_string).collect(),
            content: scrubber.content(&content),
        };
        self.call(now, call, |core| core.unicast_in_room(now, app_id, room_id, from, to, payload))
    }

    pub fn kick(&mut self, now: Instant, app_id: &AppId, room_id: &RoomId, uid: &UserId) -> bool {
        let call = |_: &Scrubber| ServerCall::Kick {
            app_id: app_id.to_string(),
            room: room_id.to_string(),
            uid: uid.to_string(),
        };
        self.call(now, call, |core| core.kick(now, app_id, room_id, uid))
    }

    pub fn dismiss(&mut self, now: Instant, app_id: &AppId, room_id: &RoomId) -> usize {
        let call = |_: &Scrubber| ServerCall::Dismiss {
            app_id: app_id.to_string(),
            room: room_id.to_string(),
        };
        self.call(now, call, |core| core.dismiss(now, app_id, room_id))
    }

    pub fn ban(
        &mut self,
        now: Instant,
        app_id: &AppId,
        ban: &Ban,
        interval: Duration,
    ) -> Result<usize, CommandError> {
        let call = |_: &Scrubber| {
            let app_id = app_id.to_string();
            match whom(ban) {
                Whom::Login(uid) => ServerCall::BanLogin { app_id, uid, interval },
                Whom::Rooms(room, uid) => ServerCall::Ban { app_id, room, uid, interval },
            }
        };
        self.call(now, call, |core| core.ban(now, app_id, ban, interval))
    }

    pub fn unban(&mut self, now: Instant, app_id: &AppId, ban: &Ban) -> bool {
        let call = |_: &Scrubber| {
            let app_id = app_id.to_string();
            match whom(ban) {
                Whom::Login(uid) => ServerCall::UnbanLogin { app_id, uid },
                Whom::Rooms(room, uid) => ServerCall::Unban { app_id, room, uid },
            }
        };
        self.call(now, call, |core| core.unban(now, app_id, ban))
    }

    pub fn put_out(&mut self, now: Instant, app_id: &AppId, uid: &UserId) -> bool {
        let call =
            |_: &Scrubber| ServerCall::PutOut { app_id: app_id.to_string(), uid: uid.to_string() };
        self.call(now, call, |core| core.put_out(now, app_id, uid))
    }

    pub fn revoke(
        &mut self,
        now: Instant,
        app_id: &AppId,
        uid: Option<&UserId>,
        issued_before: u32,
    ) -> usize {
        let call = |_: &Scrubber| ServerCall::Revoke {
            app_id: app_id.to_string(),
            uid: uid.map(ToString::to_string),
            issued_before,
        };
        self.call(now, call, |core| core.revoke(now, app_id, uid, issued_before))
    }
}

/// The views.
#[allow(missing_docs)]
impl RecordedServer {
    #[must_use]
    pub fn online_status(&self, now: Instant, app_id: &AppId, uid: &UserId) -> OnlineStatus {
        self.core.online_status(now, app_id, uid)
    }

    #[must_use]
    pub fn room_members(
        &self,
        app_id: &AppId,
        room_id: &RoomId,
    ) -> Option<impl ExactSizeIterator<Item = &UserId> + use<'_>> {
        self.core.room_members(app_id, room_id)
    }

    #[must_use]
    pub fn is_attached(&self, link: LinkId) -> bool {
        self.core.is_attached(link)
    }

    #[must_use]
    pub fn users_page(
        &self,
        now: Instant,
        app_id: &AppId,
        after: Option<&UserId>,
        limit: usize,
    ) -> Page<UserFigures> {
        self.core.users_page(now, app_id, after, limit)
    }

    #[must_use]
    pub fn rooms_page(
        &self,
        app_id: &AppId,
        after: Option<&RoomId>,
        limit: usize,
    ) -> Page<RoomFigures> {
        self.core.rooms_page(app_id, after, limit)
    }

    #[must_use]
    pub fn app_stats(&self, app_id: &AppId) -> AppStats {
        self.core.app_stats(app_id)
    }

    #[must_use]
    pub fn wake_reason(&self) -> Option<Timer> {
        self.core.wake_reason()
    }

    #[must_use]
    pub fn stats(&self) -> Stats {
        self.core.stats()
    }
}

/// A core that was made already, and is not recorded.
impl From<Server> for RecordedServer {
    fn from(core: Server) -> Self {
        Self { core, recorder: None }
    }
}

impl fmt::Debug for RecordedServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.core.fmt(f)
    }
}

fn recorded(scrubber: &mut Scrubber, input: &Input) -> ServerInput {
    match input {
        Input::Tick => ServerInput::Tick,
        Input::Accepted(link, key) => {
            scrubber.open(*link);
            ServerInput::Accepted(link.0, scrubber.key(key))
        }
        Input::Received(link, bytes) => {
            ServerInput::Received(link.0, scrubber.received(*link, bytes))
        }
        Input::Disconnected(link) => {
            scrubber.forget(*link);
            ServerInput::Disconnected(link.0)
        }
        Input::Verdict(login, Verdict::Accept { claim, issued_at }) => {
            ServerInput::Accept { login: login.0, claim: *claim, issued_at: *issued_at }
        }
        Input::Verdict(login, Verdict::Refuse(code)) => {
            ServerInput::Refuse { login: login.0, code: code.code() }
        }
        Input::Congested(link, is_congested) => {
            ServerInput::Congested { link: link.0, is_congested: *is_congested }
        }
        Input::TargetChecked(target, allowed) => {
            ServerInput::TargetChecked { target: target.0, allowed: *allowed }
        }
        Input::AppServerReplied(CallId(call), progress) => match progress {
            PostProgress::Begun => ServerInput::PostBegun { call: *call },
            PostProgress::Answered(reply) => {
                ServerInput::PostAnswered { call: *call, reply: scrubber.reply(reply) }
            }
            PostProgress::AnsweredBadly => ServerInput::PostAnsweredBadly { call: *call },
            PostProgress::NotReached => ServerInput::PostNotReached { call: *call },
        },
    }
}

/// What a ban is about, as it is recorded.
enum Whom {
    Login(String),
    /// A room, a user or both.
    Rooms(Option<String>, Option<String>),
}

fn whom(ban: &Ban) -> Whom {
    match ban {
        Ban::Room(room) => Whom::Rooms(Some(room.to_string()), None),
        Ban::UserInRoom(room, uid) => Whom::Rooms(Some(room.to_string()), Some(uid.to_string())),
        Ban::User(uid) => Whom::Rooms(None, Some(uid.to_string())),
        Ban::Login(uid) => Whom::Login(uid.to_string()),
    }
}
