//! A client core that may be recorded.

use std::fmt;

use rts_proto::client::{
    BroadcastError, BusinessIdError, Client, Config, CreateRoomError, EarlyClose, Input, JoinError,
    LogLevel, LoginError, Output, ParametersError, SendError, Timer,
};
use rts_proto::{
    BroadcastCode, Disconnect, Instant, LinkId, MessageConfig, MessageId, Payload, RoomKey,
};

use crate::record::{ClientCall, ClientInput, CoreConfig, Record, shown};
use crate::recorder::Recorder;
use crate::scrub::Scrubber;

/// [`Client`], with every input and call written down if there is a [`Recorder`]. Without one it is
/// the core and nothing more. Every method is documented there.
pub struct RecordedClient {
    core: Client,
    recorder: Option<Box<Recorder>>,
}

impl RecordedClient {
    /// A core, from the beginning of its life.
    #[must_use]
    pub fn new(config: Config, seed: u64, recorder: Option<Recorder>) -> Self {
        let mut recorder = recorder.map(Box::new);
        if let Some(recorder) = &mut recorder {
            recorder.start(seed, CoreConfig::of_client(&config));
        }
        Self { core: Client::new(config, seed), recorder }
    }

    #[allow(missing_docs)]
    pub fn handle_input(&mut self, now: Instant, input: Input) {
        if let Some(recorder) = &mut self.recorder {
            let input = recorded(&mut recorder.scrubber, &input);
            recorder.happened(now, |after_micros| Record::ClientInput { after_micros, input });
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
                recorder.digest.client_output(&mut recorder.scrubber, &output);
            }
            if waits {
                recorder.drained();
            }
        }
        output
    }

    /// Makes a call, and writes it down.
    fn call<R: fmt::Debug>(
        &mut self,
        now: Instant,
        call: impl FnOnce(&Scrubber) -> ClientCall,
        make: impl FnOnce(&mut Client) -> R,
    ) -> R {
        if let Some(recorder) = &mut self.recorder {
            let call = call(&recorder.scrubber);
            recorder.happened(now, |after_micros| Record::ClientCall { after_micros, call });
        }
        let returned = make(&mut self.core);
        if let Some(recorder) = &mut self.recorder {
            recorder.digest.returned(&shown(&returned));
        }
        returned
    }
}

/// The calls of the contract.
#[allow(missing_docs)]
impl RecordedClient {
    pub fn login(&mut self, now: Instant, token: &str, uid: &str) -> Result<(), LoginError> {
        let call = |scrubber: &Scrubber| ClientCall::Login {
            token: scrubber.token_text(token),
            uid: uid.to_owned(),
        };
        self.call(now, call, |core| core.login(now, token, uid))
    }

    pub fn logout(&mut self, now: Instant) {
        self.call(now, |_| ClientCall::Logout, |core| core.logout(now));
    }

    pub fn update_login_token(&mut self, now: Instant, token: &str) {
        let call = |scrubber: &Scrubber| ClientCall::UpdateLoginToken {
            token: scrubber.token_text(token),
        };
        self.call(now, call, |core| core.update_login_token(now, token));
    }

    pub fn get_peer_online_status(&mut self, now: Instant, uid: &str) {
        let call = |_: &Scrubber| ClientCall::GetPeerOnlineStatus { uid: uid.to_owned() };
        self.call(now, call, |core| core.get_peer_online_status(now, uid));
    }

    pub fn send_message(
        &mut self,
        now: Instant,
        uid: &str,
        payload: Payload,
        config: MessageConfig,
    ) -> Result<MessageId, SendError> {
        let content = self.recorder.as_ref().map(|recorder| recorder.scrubber.content(&payload));
        let call = |_: &Scrubber| ClientCall::SendMessage {
            uid: uid.to_owned(),
            content: content.expect("there is a recorder"),
            config: config.code(),
        };
        self.call(now, call, |core| core.send_message(now, uid, payload, config))
    }

    pub fn create_room(&mut self, now: Instant, room_id: &str) -> Result<RoomKey, CreateRoomError> {
        let call = |_: &Scrubber| ClientCall::CreateRoom { room: room_id.to_owned() };
        self.call(now, call, |core| core.create_room(now, room_id))
    }

    pub fn set_business_id(&mut self, id: &str) -> Result<(), BusinessIdError> {
        let call = |_: &Scrubber| ClientCall::SetBusinessId { id: id.to_owned() };
        // This call is not told the time: it counts as the latest.
        self.call(Instant::ORIGIN, call, |core| core.set_business_id(id))
    }

    pub fn set_runtime_parameters(
        &mut self,
        now: Instant,
        json: &str,
    ) -> Result<(), ParametersError> {
        let call = |_: &Scrubber| ClientCall::SetRuntimeParameters { json: json.to_owned() };
        self.call(now, call, |core| core.set_runtime_parameters(now, json))
    }

    pub fn join_room(&mut self, now: Instant, key: RoomKey) -> Result<(), JoinError> {
        self.call(now, |_| ClientCall::JoinRoom { key: key.0 }, |core| core.join_room(now, key))
    }

    pub fn leave_room(&mut self, now: Instant, key: RoomKey) {
        self.call(now, |_| ClientCall::LeaveRoom { key: key.0 }, |core| core.leave_room(now, key));
    }

    pub fn destroy_room(&mut self, now: Instant, key: RoomKey) -> Vec<(MessageId, BroadcastCode)> {
        let call = |_: &Scrubber| ClientCall::DestroyRoom { key: key.0 };
        self.call(now, call, |core| core.destroy_room(now, key))
    }

    pub fn send_room_message(
        &mut self,
        now: Instant,
        key: RoomKey,
        payload: Payload,
    ) -> Result<MessageId, BroadcastError> {
        let content = self.recorder.as_ref().map(|recorder| recorder.scrubber.content(&payload));
        let call = |_: &Scrubber| ClientCall::SendRoomMessage {
            key: key.0,
            content: content.expect("there is a recorder"),
        };
        self.call(now, call, |core| core.send_room_message(now, key, payload))
    }

    pub fn set_server_params(&mut self, now: Instant, signature: &str, url: &str) {
        let call = |scrubber: &Scrubber| ClientCall::SetServerParams {
            signature: scrubber.secret_text(signature),
            url: scrubber.secret_text(url),
        };
        self.call(now, call, |core| core.set_server_params(now, signature, url));
    }

    pub fn send_server_message(
        &mut self,
        now: Instant,
        payload: Payload,
    ) -> Result<MessageId, SendError> {
        let content = self.recorder.as_ref().map(|recorder| recorder.scrubber.content(&payload));
        let call = |_: &Scrubber| ClientCall::SendServerMessage {
            content: content.expect("there is a recorder"),
        };
        self.call(now, call, |core| core.send_server_message(now, payload))
    }

    pub fn destroy(&mut self, now: Instant) {
        self.call(now, |_| ClientCall::Destroy, |core| core.destroy(now));
    }
}

/// The views.
#[allow(missing_docs)]
impl RecordedClient {
    #[must_use]
    pub fn wake_reason(&self) -> Option<Timer> {
        self.core.wake_reason()
    }

    #[must_use]
    pub fn last_disconnect(&self) -> Option<Disconnect> {
        self.core.last_disconnect()
    }

    #[must_use]
    pub fn early_close(&self) -> Option<&EarlyClose> {
        self.core.early_close()
    }

    #[must_use]
    pub fn link(&self) -> Option<LinkId> {
        self.core.link()
    }

    #[must_use]
    pub fn log_level(&self) -> LogLevel {
        self.core.log_level()
    }

    #[must_use]
    pub fn is_online(&self) -> bool {
        self.core.is_online()
    }

    #[must_use]
    pub fn sessions_begun(&self) -> u64 {
        self.core.sessions_begun()
    }

    #[must_use]
    pub fn is_destroyed(&self) -> bool {
        self.core.is_destroyed()
    }
}

impl fmt::Debug for RecordedClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.core.fmt(f)
    }
}

fn recorded(scrubber: &mut Scrubber, input: &Input) -> ClientInput {
    match input {
        Input::Tick => ClientInput::Tick,
        Input::Connected(link) => ClientInput::Connected(link.0),
        Input::Received(link, bytes) => {
            ClientInput::Received(link.0, scrubber.received(*link, bytes))
        }
        Input::Disconnected(link) => {
            scrubber.forget(*link);
            ClientInput::Disconnected(link.0)
        }
        Input::NetworkChanged => ClientInput::NetworkChanged,
    }
}
