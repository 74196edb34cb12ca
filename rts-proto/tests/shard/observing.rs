//! Observers of a shard, and commands as data.

use std::fmt::Debug;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rts_proto::server::{Ban, Command, Config, Input, Observe, Output, Returned, Server};
use rts_proto::wire::ResumeKey;
use rts_proto::{AppId, Instant, LinkId, Payload, RoomId, UserId};

use crate::support::{APP, user};

const NOW: Instant = Instant::from_millis(5);
const MINUTE: Duration = Duration::from_secs(60);

/// One line for each observation.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Vec<String>>>);

impl Seen {
    fn add(&self, what: &str, shown: &dyn Debug) {
        self.0.lock().expect("not poisoned").push(format!("{what} {shown:?}"));
    }

    /// The lines since the last call.
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().expect("not poisoned"))
    }
}

impl Observe for Seen {
    fn started(&mut self, config: &Config, seed: u64) {
        self.add("started", &(config.room_members_max, seed));
    }

    fn input(&mut self, now: Instant, input: &Input) {
        self.add("input", &(now, input));
    }

    fn command(&mut self, now: Instant, command: &Command<'_>) {
        self.add("command", &(now, command));
    }

    fn returned(&mut self, returned: &dyn Debug) {
        self.add("returned", returned);
    }

    fn output(&mut self, output: &Output) {
        self.add("output", output);
    }
}

/// A shard that has begun, and its later observations.
fn observed() -> (Server, Seen) {
    let seen = Seen::default();
    let server = Server::observed(Config::default(), 7, Box::new(seen.clone()));
    seen.take();
    (server, seen)
}

/// Calls the method of a command. Returns what it returned, as text.
fn by_method(server: &mut Server, command: Command<'_>) -> String {
    match command {
        Command::Shutdown { retry_after_max } => shown(&server.shutdown(NOW, retry_after_max)),
        Command::Drain { links_max, retry_after_max } => {
            shown(&server.drain(NOW, links_max, retry_after_max))
        }
        Command::Reopen => shown(&server.reopen(NOW)),
        Command::Charge { app_id, count } => shown(&server.charge(NOW, app_id, count)),
        Command::Unicast { app_id, from, to, payload } => {
            shown(&server.unicast(NOW, app_id, from.clone(), to, payload.clone()))
        }
        Command::BroadcastToRoom { app_id, room_id, from, payload } => {
            shown(&server.broadcast_to_room(NOW, app_id, room_id, from.clone(), payload.clone()))
        }
        Command::UnicastInRoom { app_id, room_id, from, to, payload } => {
            shown(&server.unicast_in_room(NOW, app_id, room_id, from.clone(), to, payload.clone()))
        }
        Command::Kick { app_id, room_id, uid } => shown(&server.kick(NOW, app_id, room_id, uid)),
        Command::Dismiss { app_id, room_id } => shown(&server.dismiss(NOW, app_id, room_id)),
        Command::Ban { app_id, ban, interval } => shown(&server.ban(NOW, app_id, ban, interval)),
        Command::Unban { app_id, ban } => shown(&server.unban(NOW, app_id, ban)),
        Command::PutOut { app_id, uid } => shown(&server.put_out(NOW, app_id, uid)),
        Command::Revoke { app_id, uid, issued_before } => {
            shown(&server.revoke(NOW, app_id, uid, issued_before))
        }
    }
}

fn shown(returned: &impl Debug) -> String {
    format!("{returned:?}")
}

/// Calls `check` with each command.
fn with_commands(check: impl Fn(Command<'_>)) {
    let app_id = &AppId::new(APP).expect("well formed");
    let room_id = &RoomId::new("lobby").expect("well formed");
    let (from, uid): (&UserId, &UserId) = (&user("shop"), &user("bob"));
    let payload = &Payload::text("a secret");
    let too_long = &Payload::binary(vec![0; 1_000_000]);
    let to = &[user("alice"), user("bob")];
    let (room, login) = (&Ban::Room(room_id.clone()), &Ban::Login(uid.clone()));
    for command in [
        Command::Charge { app_id, count: 7 },
        Command::Unicast { app_id, from, to: uid, payload },
        Command::Unicast { app_id, from, to: uid, payload: too_long },
        Command::BroadcastToRoom { app_id, room_id, from, payload },
        Command::UnicastInRoom { app_id, room_id, from, to, payload },
        Command::Kick { app_id, room_id, uid },
        Command::Dismiss { app_id, room_id },
        Command::Ban { app_id, ban: room, interval: MINUTE },
        Command::Ban { app_id, ban: login, interval: MINUTE },
        Command::Unban { app_id, ban: login },
        Command::PutOut { app_id, uid },
        Command::Revoke { app_id, uid: Some(uid), issued_before: 8 },
        Command::Revoke { app_id, uid: None, issued_before: 8 },
        Command::Shutdown { retry_after_max: MINUTE },
        Command::Drain { links_max: 3, retry_after_max: MINUTE },
        Command::Reopen,
    ] {
        check(command);
    }
}

#[test]
fn command_as_data_equals_its_method_and_is_observed_once() {
    with_commands(|command| {
        let (mut server, seen) = observed();
        let returned = by_method(&mut server, command);
        let once = [format!("command {:?}", (NOW, command)), format!("returned {returned}")];
        assert_eq!(seen.take(), once);
        let (mut server, seen) = observed();
        assert_eq!(shown(&server.command(NOW, command)), returned);
        assert_eq!(seen.take(), once);
    });
}

#[test]
fn a_command_shows_no_payload() {
    with_commands(|command| {
        let shown = shown(&command);
        assert!(!shown.contains("secret"), "{shown}");
    });
}

#[test]
fn commands_as_data_return_their_effect() {
    let (mut server, _) = observed();
    let (app_id, uid) = (&AppId::new(APP).expect("well formed"), &user("bob"));
    let ban = &Ban::Login(uid.clone());
    let mut give = |command| server.command(NOW, command);
    assert_eq!(give(Command::Unban { app_id, ban }), Returned::Whether(false));
    assert_eq!(give(Command::Ban { app_id, ban, interval: MINUTE }), Returned::Result(Ok(0)));
    assert_eq!(give(Command::Unban { app_id, ban }), Returned::Whether(true));
}

#[test]
fn observer_sees_start_inputs_and_outputs_in_order() {
    let seen = Seen::default();
    let mut config = Config::default();
    config.room_members_max = NonZeroUsize::new(3).expect("not 0");
    let mut server = Server::observed(config, 42, Box::new(seen.clone()));
    assert_eq!(seen.take(), ["started (3, 42)"]);
    let accepted = Input::Accepted(LinkId(1), ResumeKey([1; 16]));
    for input in [accepted, Input::Disconnected(LinkId(1)), Input::Tick] {
        server.handle_input(NOW, input.clone());
        let mut expected = vec![format!("input {:?}", (NOW, input))];
        loop {
            let output = server.poll_output();
            expected.push(format!("output {output:?}"));
            if matches!(output, Output::Wait(_)) {
                break;
            }
        }
        assert_eq!(seen.take(), expected);
    }
}
