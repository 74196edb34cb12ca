//! Observers of an engine.

use std::fmt::Debug;
use std::mem::take;
use std::sync::{Arc, Mutex};

use rts_proto::client::{Call, Client, Config, Input, Observe, Output};
use rts_proto::{AppId, Instant, MessageConfig, Payload, RoomKey};

/// One line for each observation.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<String>>>);

impl Lines {
    fn add(&self, line: String) {
        self.0.lock().expect("not poisoned").push(line);
    }

    fn take(&self) -> Vec<String> {
        take(&mut *self.0.lock().expect("not poisoned"))
    }
}

impl Observe for Lines {
    fn started(&mut self, config: &Config, seed: u64) {
        self.add(format!("{} {seed}", config.app_id.as_str()));
    }

    fn input(&mut self, now: Instant, input: &Input) {
        self.add(format!("{} {input:?}", now.as_micros()));
    }

    fn call(&mut self, now: Instant, call: &Call<'_>) {
        self.add(format!("{} {call:?}", now.as_micros()));
    }

    fn returned(&mut self, returned: &dyn Debug) {
        self.add(format!("{returned:?}"));
    }

    fn output(&mut self, output: &Output) {
        self.add(format!("{output:?}"));
    }
}

fn observed() -> (Client, Lines) {
    let app_id = AppId::new("123456781234567812345678").expect("a valid id");
    let config = Config::new(app_id);
    let lines = Lines::default();
    (Client::observed(config, 7, Box::new(lines.clone())), lines)
}

#[test]
fn observer_sees_an_engine_from_its_beginning() {
    let (mut client, lines) = observed();
    client.handle_input(Instant::from_micros(5), Input::Tick);
    // An earlier moment counts as the latest one.
    client.handle_input(Instant::from_micros(4), Input::NetworkChanged);
    let _ = client.poll_output();
    assert_eq!(
        lines.take(),
        ["123456781234567812345678 7", "5 Tick", "5 NetworkChanged", "Wait(None)"]
    );
}

#[test]
fn observer_sees_each_call_once_with_its_return_value() {
    let (mut client, lines) = observed();
    lines.take();
    let moments = (9..).map(Instant::from_micros);
    let (key, payload) = (RoomKey(1), &Payload::text("hi"));
    let calls = [
        Call::SetRuntimeParameters { json: "{}" },
        Call::SetBusinessId { id: "tag" },
        Call::CreateRoom { room_id: "lobby" },
        Call::Login { token: "token", uid: "alice" },
        Call::UpdateLoginToken { token: "token" },
        Call::GetPeerOnlineStatus { uid: "bob" },
        Call::SendMessage { uid: "", payload, config: MessageConfig::ReliableOrdered },
        Call::SetServerParams { signature: "signature", url: "http://a/" },
        Call::SendServerMessage { payload },
        Call::JoinRoom { key },
        Call::SendRoomMessage { key, payload },
        Call::LeaveRoom { key },
        Call::DestroyRoom { key },
        Call::Logout,
        Call::Destroy,
    ];
    for (now, call) in moments.zip(calls) {
        let returned = client.call(now, call);
        let called = format!("{} {call:?}", now.as_micros());
        assert_eq!(lines.take(), [called, format!("{returned:?}")]);
    }
}
