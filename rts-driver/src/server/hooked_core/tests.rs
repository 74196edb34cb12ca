//! What the core asks is answered by its hooks, and what is for links is passed on.

use std::sync::Mutex;

use rts_proto::limits::FRAME_BYTES_MAX;
use rts_proto::server::{Config, Report};
use rts_proto::wire::{Decoder, Frame, Login, LoginAnswer, ResumeKey, SetServerParams, VERSION};
use rts_proto::{AppId, ServerParamsCode};

use super::*;
use crate::server::hooks::{Begun, Posting};

const LINK: LinkId = LinkId(1);
const NOW: Instant = Instant::from_millis(1);

struct Judge(fn() -> Verdict);

impl Authenticate for Judge {
    fn authenticate(&self, _: &Credentials) -> Verdict {
        (self.0)()
    }
}

struct Allows(fn() -> bool);

impl PostToAppServer for Allows {
    fn allows(&self, _: &Target) -> bool {
        (self.0)()
    }

    fn post(&self, _: rts_proto::server::Post, _: Begun) -> Posting {
        unreachable!("no message is sent")
    }
}

#[derive(Default)]
struct Seen(Mutex<Vec<Report>>);

impl Watch for Seen {
    fn happened(&self, _: ShardId, _: AppId, report: Report) {
        self.0.lock().expect("no panic").push(report);
    }
}

fn accept() -> Verdict {
    Verdict::Accept { claim: 1, issued_at: 0 }
}

fn app_id() -> AppId {
    "123456781234567812345678".parse().expect("well formed")
}

fn core(judge: fn() -> Verdict, allows: fn() -> bool) -> HookedCore {
    let mut config = Config::default();
    config.reported_apps = [app_id()].into();
    let server = Server::new(config, 1);
    HookedCore::new(server, Arc::new(Judge(judge)), Arc::new(Allows(allows)))
}

/// The frames that the core sends on the link after these frames, and whether it closes the link.
fn say(core: &mut HookedCore, frames: &[Frame]) -> (Vec<Frame>, bool) {
    let (mut decoder, mut sent) = (Decoder::new(), Vec::new());
    let mut is_closed = false;
    let mut apply = |output| {
        match output {
            LinkOutput::Transmit(_, bytes) => {
                decoder.push(bytes);
                let next = || decoder.next(FRAME_BYTES_MAX).expect("frames");
                sent.extend(std::iter::from_fn(next));
            }
            LinkOutput::Close(_) => is_closed = true,
            LinkOutput::HandOver(..) => panic!("there is one shard"),
        }
        None
    };
    for frame in frames {
        core.server.handle_input(NOW, Input::Received(LINK, frame.clone().encode()));
        core.drain(NOW, &mut apply);
    }
    core.end_burst(NOW, &mut apply);
    (sent, is_closed)
}

/// The core's frames after a login, and whether it closes the link.
fn log_in(core: &mut HookedCore) -> (Vec<Frame>, bool) {
    let login = Login {
        app_id: app_id(),
        uid: "alice".parse().expect("well formed"),
        token: Bytes::new(),
        resume: None,
        claim: 0,
        engine: 0,
        attempt: 0,
    };
    core.server.handle_input(NOW, Input::Accepted(LINK, ResumeKey([1; 16])));
    say(core, &[Frame::Hello { version: VERSION, features: 0 }, Frame::Login(login)])
}

#[test]
fn authenticator_judges_logins_and_its_panic_is_a_server_error() {
    let refuse = || Verdict::Refuse(LoginCode::InvalidToken);
    for (judge, code) in [
        (accept as fn() -> Verdict, None),
        (refuse, Some(LoginCode::InvalidToken)),
        (|| panic!("a bug of the embedder"), Some(LoginCode::ServerError)),
    ] {
        let (frames, is_closed) = log_in(&mut core(judge, || true));
        let refused = frames.iter().find_map(|frame| match frame {
            Frame::LoginAnswer(LoginAnswer::Refused(code)) => Some(*code),
            _ => None,
        });
        assert_eq!((refused, is_closed), (code, code.is_some()), "{frames:?}");
    }
}

#[test]
fn poster_decides_on_targets_and_its_panic_refuses_them() {
    for (allows, code) in [
        ((|| true) as fn() -> bool, ServerParamsCode::Ok),
        (|| false, ServerParamsCode::Unknown),
        (|| panic!("a bug of the embedder"), ServerParamsCode::Unknown),
    ] {
        let mut core = core(accept, allows);
        log_in(&mut core);
        let (signature, url) = ("s".into(), "https://app.example/".into());
        let set = SetServerParams { ticket: 7, signature, url };
        let (frames, _) = say(&mut core, &[Frame::SetServerParams(set)]);
        let answer = Frame::ServerParamsAnswer { ticket: 7, code };
        assert!(frames.contains(&answer), "{frames:?}");
    }
}

#[test]
fn watcher_gets_reports_from_when_it_is_set() {
    let mut core = core(accept, || true);
    log_in(&mut core);
    let seen = Arc::new(Seen::default());
    core.watch(Arc::clone(&seen) as Arc<dyn Watch>);
    say(&mut core, &[Frame::Logout]);
    let reports = seen.0.lock().expect("no panic");
    assert!(matches!(&reports[..], [Report::UserOffline { .. }]), "{reports:?}");
}

#[test]
fn input_for_an_output_comes_before_the_next_output() {
    let mut core = core(accept, || true);
    core.server.handle_input(NOW, Input::Accepted(LINK, ResumeKey([1; 16])));
    let hello = Frame::Hello { version: VERSION, features: 0 };
    core.server.handle_input(NOW, Input::Received(LINK, hello.encode()));
    let mut outputs = 0;
    core.drain(NOW, &mut |_| {
        outputs += 1;
        Some(Input::Disconnected(LINK))
    });
    assert_eq!((outputs, core.server.stats().links), (1, 0));
}

#[test]
fn burst_ends_only_when_the_core_waits_for_it() {
    let mut core = core(accept, || true);
    log_in(&mut core);
    let ping = Input::Received(LINK, Frame::Ping.encode());
    core.server.handle_input(NOW, ping);
    let mut sent = 0;
    let mut count = |_| {
        sent += 1;
        None
    };
    core.drain(NOW, &mut count);
    core.end_burst(NOW, &mut count);
    core.end_burst(NOW, &mut count);
    assert_eq!(sent, 1, "one Pong");
    assert!(core.deadline.is_some_and(|deadline| deadline > NOW));
}
