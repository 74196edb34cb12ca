//! The calls of applications, with their effects on handles and futures. The typed methods and the
//! calls given as data have the same effects, because each effect is written once, here.

use std::time::Duration;

use rts_proto::client::{
    BroadcastError, BusinessIdError, Call, Client, CreateRoomError, Input, JoinError, LoginError,
    ParametersError, Returned, SendError, Timing, TimingError,
};
use rts_proto::{
    BroadcastCode, Instant, MessageConfig, MessageId, OnlineStatus, Payload, RoomKey, SendCode,
    ServerParamsCode,
};

use super::State;
use crate::answers::{Answers, JoinEnd};
use crate::login::{LoginId, LoginStatus};
use crate::sent::{Pending, Sent, ServerAnswer};

impl State {
    /// A call of the application begins, for the log.
    pub(crate) fn begin_call(&mut self) {
        self.log.begin_call();
    }

    /// Makes a call that is given as data. Its result comes only as an event.
    pub(crate) fn call(&mut self, now: Instant, call: Call<'_>) -> Returned {
        match call {
            Call::Login { token, uid } => Returned::Login(self.log_in(now, token, uid).map(drop)),
            Call::Logout => {
                self.log_out(now);
                Returned::Nothing
            }
            Call::UpdateLoginToken { token } => {
                self.update_login_token(now, token);
                Returned::Nothing
            }
            Call::CreateRoom { room_id } => Returned::CreateRoom(self.create_room(now, room_id)),
            Call::DestroyRoom { key } => Returned::DestroyRoom(self.destroy_room(now, key)),
            // These change nothing but the core.
            Call::GetPeerOnlineStatus { .. }
            | Call::SendMessage { .. }
            | Call::SetServerParams { .. }
            | Call::SendServerMessage { .. }
            | Call::JoinRoom { .. }
            | Call::LeaveRoom { .. }
            | Call::SendRoomMessage { .. }
            | Call::SetBusinessId { .. }
            | Call::SetRuntimeParameters { .. }
            | Call::Destroy => self.client.call(now, call),
        }
    }

    pub(crate) fn log_in(
        &mut self,
        now: Instant,
        token: &str,
        uid: &str,
    ) -> Result<LoginId, LoginError> {
        self.client.login(now, token, uid)?;
        Ok(self.login.begin())
    }

    pub(crate) fn log_out(&mut self, now: Instant) {
        self.client.logout(now);
        self.login.leave();
    }

    /// Reserves a login whose token is not known yet.
    pub(crate) fn reserve_login(&mut self) -> Result<LoginId, LoginError> {
        match self.login.status() {
            LoginStatus::Destroyed => Err(LoginError::NoEngine),
            LoginStatus::LoggingIn | LoginStatus::LoggedIn => Err(LoginError::AlreadyLoggedIn),
            _ => Ok(self.login.reserve()),
        }
    }

    /// The token of a reserved login is known. Nothing happens if that login was overtaken.
    pub(crate) fn begin_reserved(
        &mut self,
        now: Instant,
        login: LoginId,
        token: &str,
        uid: &str,
    ) -> Result<(), LoginError> {
        if self.login.is_reserved(login) {
            self.client.login(now, token, uid)?;
            self.login.begin_reserved();
        }
        Ok(())
    }

    /// A reserved login ends without a token. Nothing happens if it was overtaken.
    pub(crate) fn cancel_reserved(&mut self, login: LoginId) {
        if self.login.is_reserved(login) {
            self.login.leave();
        }
    }

    pub(crate) fn update_login_token(&mut self, now: Instant, token: &str) {
        self.client.update_login_token(now, token);
        self.login.token_changed();
    }

    pub(crate) fn get_peer_online_status(
        &mut self,
        now: Instant,
        uid: &str,
    ) -> Pending<OnlineStatus> {
        let query = |client: &mut Client| client.get_peer_online_status(now, uid);
        self.ask(now, |answers| answers.ask_status(uid), query)
    }

    pub(crate) fn send_message(
        &mut self,
        now: Instant,
        uid: &str,
        payload: Payload,
        config: MessageConfig,
    ) -> Result<Sent<SendCode>, SendError> {
        let id = self.client.send_message(now, uid, payload, config)?;
        Ok(Sent::new(id, self.answers.wait_for_send(id)))
    }

    pub(crate) fn set_server_params(
        &mut self,
        now: Instant,
        signature: &str,
        url: &str,
    ) -> Pending<ServerParamsCode> {
        let set = |client: &mut Client| client.set_server_params(now, signature, url);
        self.ask(now, Answers::ask_for_params, set)
    }

    pub(crate) fn send_server_message(
        &mut self,
        now: Instant,
        payload: Payload,
    ) -> Result<Sent<ServerAnswer>, SendError> {
        let id = self.client.send_server_message(now, payload)?;
        Ok(Sent::new(id, self.answers.wait_for_server_send(id)))
    }

    pub(crate) fn create_room(
        &mut self,
        now: Instant,
        room_id: &str,
    ) -> Result<RoomKey, CreateRoomError> {
        let key = self.client.create_room(now, room_id)?;
        self.delivery.add_room(key);
        Ok(key)
    }

    pub(crate) fn join_room(
        &mut self,
        now: Instant,
        key: RoomKey,
    ) -> Result<Pending<JoinEnd>, JoinError> {
        self.client.join_room(now, key)?;
        Ok(self.answers.wait_for_join(key))
    }

    /// Leaves the room if this was the last join of the handle.
    pub(crate) fn take_back_join(&mut self, now: Instant, key: RoomKey, join: &Pending<JoinEnd>) {
        if self.answers.is_last_join(key, join) {
            self.client.leave_room(now, key);
        }
    }

    pub(crate) fn leave_room(&mut self, now: Instant, key: RoomKey) -> Pending<()> {
        self.client.leave_room(now, key);
        self.answers.wait_for_leave(key)
    }

    /// Returns the results of the broadcasts that were open.
    pub(crate) fn destroy_room(
        &mut self,
        now: Instant,
        key: RoomKey,
    ) -> Vec<(MessageId, BroadcastCode)> {
        let results = self.client.destroy_room(now, key);
        self.room_destroyed(key, &results);
        results
    }

    /// Destroys the rooms that the engine is not in, is not joining and is not leaving.
    pub(crate) fn destroy_idle_rooms(&mut self, now: Instant) {
        for key in self.client.idle_rooms() {
            self.destroy_room(now, key);
        }
    }

    pub(crate) fn send_room_message(
        &mut self,
        now: Instant,
        key: RoomKey,
        payload: Payload,
    ) -> Result<Sent<BroadcastCode>, BroadcastError> {
        let id = self.client.send_room_message(now, key, payload)?;
        Ok(Sent::new(id, self.answers.wait_for_broadcast(key, id)))
    }

    pub(crate) fn set_business_id(
        &mut self,
        now: Instant,
        id: &str,
    ) -> Result<(), BusinessIdError> {
        self.client.set_business_id(now, id)
    }

    pub(crate) fn set_runtime_parameters(
        &mut self,
        now: Instant,
        json: &str,
    ) -> Result<(), ParametersError> {
        self.client.set_runtime_parameters(now, json)
    }

    pub(crate) fn set_timing(
        &mut self,
        now: Instant,
        timing: Timing,
        time: Duration,
    ) -> Result<(), TimingError> {
        self.client.set_timing(now, timing, time)
    }

    pub(crate) fn network_changed(&mut self, now: Instant) {
        self.client.handle_input(now, Input::NetworkChanged);
    }

    pub(crate) fn destroy(&mut self, now: Instant) {
        self.client.destroy(now);
    }

    /// Makes a call whose answer may come at once, and delivers that answer.
    fn ask<T>(
        &mut self,
        now: Instant,
        wait: impl FnOnce(&mut Answers) -> T,
        call: impl FnOnce(&mut Client),
    ) -> T {
        let pending = wait(&mut self.answers);
        call(&mut self.client);
        self.drain(now);
        self.answers.made();
        pending
    }
}
