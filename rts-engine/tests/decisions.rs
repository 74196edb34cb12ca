//! What the log says of an engine's decisions: the questions that a developer asks, each with the
//! line that answers it.

mod common;

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use bytes::Bytes;
use common::APP_ID;
use rts_engine::{Clock, Driver, Engine, Events, LinkOutput, Room};
use rts_proto::client::{Config, Input};
use rts_proto::wire::{Accepted, Frame, LoginAnswer, ResumeKey};
use rts_proto::{
    AppId, CloseCode, LinkId, LoginCode, MessageConfig, MessageId, Payload, RoomState, SendCode,
    ServerParamsCode,
};
use tracing::Dispatch;
use tracing::subscriber::NoSubscriber;
use tracing_subscriber::EnvFilter;

/// In every payload, token, signature and url that these tests use.
const SECRET: &str = "hush";
const RELIABLE: MessageConfig = MessageConfig::ReliableOrdered;

/// A second subscriber that ignores all events. With only one, `tracing` caches whether a line is
/// enabled from the first thread that reaches it, which may be another test's.
static SECOND: LazyLock<Dispatch> = LazyLock::new(|| Dispatch::new(NoSubscriber::default()));

/// What was logged, without times.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("nobody panics with it").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Runs this with a log at the filter's levels, which is written to this writer.
fn logging<W: io::Write>(
    filter: &str,
    writer: impl Fn() -> W + Send + Sync + 'static,
    run: impl FnOnce(),
) {
    LazyLock::force(&SECOND);
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(filter))
        .with_writer(writer)
        .with_ansi(false)
        .without_time()
        .finish();
    tracing::subscriber::with_default(subscriber, run);
}

/// An engine of alice, whose server sends the frames of the test, and its log.
struct Story {
    engine: Engine,
    events: Events,
    driver: Driver,
    micros: Arc<AtomicU64>,
    lines: Lines,
}

impl Story {
    fn new(parameters: &str, lines: Lines) -> Self {
        let micros = Arc::new(AtomicU64::new(0));
        let clock = Clock::manual(Arc::clone(&micros));
        let app_id = AppId::new(APP_ID).expect("an app id");
        let config = Config::new(app_id);
        let (engine, driver) = Engine::with_clock(config, 1, clock);
        engine.set_runtime_parameters(parameters).expect("a JSON object");
        let events = engine.events();
        Self { engine, events, driver, micros, lines }
    }

    /// Logged in over the first link. The lines about it are taken.
    fn logged_in(lines: Lines) -> Self {
        let mut story = Self::new("{}", lines);
        story.log_in();
        let answer = story.answer(1, false, 0);
        story.hears(1, answer);
        story.take_lines();
        story
    }

    fn log_in(&self) {
        self.engine.login(SECRET, "alice").expect("not logged in");
        self.connect(1);
    }

    /// Opens the link that the engine requests.
    fn connect(&self, link: u64) {
        let outputs = std::iter::from_fn(|| self.driver.poll_link_output());
        let last = outputs.filter(|output| matches!(output, LinkOutput::Connect(_))).last();
        assert_eq!(last, Some(LinkOutput::Connect(LinkId(link))));
        self.driver.handle_input(Input::Connected(LinkId(link)));
        self.hears(link, Frame::Hello { version: 1, features: 0 });
    }

    fn hears(&self, link: u64, frame: Frame) {
        self.driver.handle_input(Input::Received(LinkId(link), frame.encode()));
    }

    fn answer(&self, session: u64, resumed: bool, received: u64) -> Frame {
        Frame::LoginAnswer(LoginAnswer::Accepted(Accepted {
            session,
            key: ResumeKey([1; 16]),
            resumed,
            received,
            claim: 1,
            sends_per_second: 0,
            broadcasts_per_second: 0,
            server_sends_per_second: 0,
        }))
    }

    fn send(&self, to: &str) {
        drop(self.engine.send_message(to, SECRET, RELIABLE).expect("a receiver"));
    }

    fn pass(&self, time: Duration) {
        let micros = u64::try_from(time.as_micros()).expect("short");
        self.micros.fetch_add(micros, Ordering::Relaxed);
        self.driver.tick();
    }

    fn room(&self) -> Room {
        self.engine.create_room("lobby").expect("a good id")
    }

    /// The lines since this was asked last, each without the engine's number, which depends on
    /// other tests.
    fn take_lines(&mut self) -> Vec<String> {
        let number = format!("engine={} ", self.driver.engine_number());
        let bytes = std::mem::take(&mut *self.lines.0.lock().expect("nobody panics with it"));
        let text = String::from_utf8(bytes).expect("a log is text");
        text.lines()
            .map(|line| {
                assert!(line.contains(&number), "{line}");
                line.replace(&number, "")
            })
            .collect()
    }
}

fn with_log_at(filter: &str, story: impl FnOnce(Lines)) {
    let lines = Lines::default();
    let to = lines.clone();
    logging(filter, move || to.clone(), || story(lines));
}

#[test]
fn log_has_loss_reason_retry_time_and_resume() {
    with_log_at("debug", |lines| {
        let mut story = Story::logged_in(lines);
        story.send("bob");
        story.send("bob");
        story.driver.link_ended(LinkId(1), "broken: connection reset");
        let why = "why=\"broken: connection reset\"";
        let lost = format!("DEBUG rts::engine: link lost link=1 user=alice {why}");
        assert_eq!(story.take_lines(), [lost]);
        story.connect(2);
        story.hears(2, story.answer(1, true, 1));
        let resumed = "session resumed link=2 user=alice resumed=true frames_resent=1";
        assert_eq!(story.take_lines(), [format!("DEBUG rts::engine: {resumed}")]);

        // The server is about to stop, and requests a wait.
        let (code, reason) = (CloseCode::Shutdown.code(), Bytes::new());
        story.hears(2, Frame::Close { code, reason, retry_after_ms: 3_000 });
        let lines = story.take_lines();
        let [lost, waiting] = &lines[..] else { panic!("{lines:#?}") };
        let closed = "link lost link=2 user=alice why=\"the server closed the connection: ";
        assert!(lost.starts_with(&format!("DEBUG rts::engine: {closed}")), "{lost}");
        let asked_for = "why=\"the server asked for 3000 ms; the rest is back-off\"";
        let text = "waiting for the next attempt to connect user=alice in_ms=3";
        assert!(waiting.starts_with(&format!("DEBUG rts::engine: {text}")), "{waiting}");
        assert!(waiting.ends_with(asked_for), "{waiting}");

        story.pass(Duration::from_secs(4));
        story.connect(3);
        story.hears(3, story.answer(2, false, 0));
        let anew = "session lost, and a new one begun link=3 user=alice resumed=false";
        let lines = story.take_lines();
        assert_eq!(lines[0], format!("DEBUG rts::engine: {anew}"));
        // What was on its way over the lost session.
        for (line, id) in lines[1..].iter().zip(1..=2) {
            let unknown = format!("result of a message link=3 user=alice id={id} code=1 ");
            assert!(line.starts_with(&format!("DEBUG rts::engine: {unknown}")), "{lines:#?}");
        }
        assert_eq!(lines.len(), 3, "{lines:#?}");
    });
}

#[test]
fn log_names_the_timer_that_ended_a_link() {
    with_log_at("debug", |lines| {
        let mut story = Story::logged_in(lines);
        story.pass(Duration::from_secs(10));
        let lines = story.take_lines();
        let lost = "link lost link=1 user=alice why=\"the server did not answer in time: nothing was \
                    heard (reconnectingAfterMs)\"";
        assert!(lines.contains(&format!("DEBUG rts::engine: {lost}")), "{lines:#?}");
    });
}

#[test]
fn log_has_reason_of_failed_and_ended_logins() {
    with_log_at("debug", |lines| {
        let mut story = Story::new("{}", lines);
        story.log_in();
        story.hears(1, Frame::LoginAnswer(LoginAnswer::Refused(LoginCode::InvalidToken)));
        let expired = "the token is invalid, expired, or for another user or app (-1000)";
        assert_eq!(
            story.take_lines(),
            [
                "DEBUG rts::engine: connection state link=1 user=alice code=2 \
                 why=\"connecting (2)\""
                    .to_owned(),
                format!("DEBUG rts::engine: login failed user=alice code=-1000 why=\"{expired}\""),
            ]
        );
        story.engine.update_login_token(&format!("fresh {SECRET}"));
        story.connect(2);
        story.hears(2, story.answer(1, false, 0));
        story.take_lines();
        let (code, reason) = (CloseCode::Displaced.code(), Bytes::new());
        story.hears(2, Frame::Close { code, reason, retry_after_ms: 0 });
        let lines = story.take_lines();
        let over = "the login is over user=alice code=1 why=\"displaced by another login of the same \
                    user (1)\"";
        assert!(lines.contains(&format!("DEBUG rts::engine: {over}")), "{lines:#?}");
    });
}

#[test]
fn log_has_reason_of_results() {
    with_log_at("debug", |lines| {
        let mut story = Story::logged_in(lines);
        let room = story.room();
        room.join().expect("not joined");
        let state = RoomState::JoinFailed;
        story.hears(1, Frame::JoinAnswer { ticket: 1, state, members: Vec::new() });
        story.send("dave");
        let (code, ids) = (SendCode::ReceiverNotLoggedIn, vec![MessageId(1)]);
        story.hears(1, Frame::SendResults { code, ids });
        drop(room.send_message(SECRET).expect("an engine"));
        drop(story.engine.set_server_params(SECRET, &format!("https://{SECRET}.example/")));
        let code = ServerParamsCode::Unknown;
        story.hears(1, Frame::ServerParamsAnswer { ticket: 2, code });
        let lines = story.take_lines();
        for line in [
            "state of a room link=1 user=alice room=lobby code=-1001 why=\"the join failed (-1001)\"",
            "result of a message link=1 user=alice id=1 code=4 why=\"the receiver is not logged in \
             (4)\"",
            "result of a broadcast link=1 user=alice room=lobby id=1 code=100 why=\"not in the room \
             (100)\"",
            "result of setting server params link=1 user=alice code=1000 why=\"the signature or the \
             URL is invalid, or the URL is not allowed (1000)\"",
        ] {
            assert!(lines.contains(&format!("DEBUG rts::engine: {line}")), "{line}: {lines:#?}");
        }
    });
}

/// Result 5 of the engine differs from that of the server.
#[test]
fn log_distinguishes_bounds_of_engine_and_server() {
    with_log_at("debug", |lines| {
        let mut story = Story::logged_in(lines);
        (0..2_049).for_each(|_| story.send("bob"));
        let own = "result of a message link=1 user=alice id=2049 code=5 why=\"2048 sends or 8 MiB \
                   have no result: slow down\"";
        assert_eq!(story.take_lines(), [format!("DEBUG rts::engine: {own}")]);
        let (code, ids) = (SendCode::OverRate, vec![MessageId(1)]);
        story.hears(1, Frame::SendResults { code, ids });
        let servers = "result of a message link=1 user=alice id=1 code=5 why=\"over the rate, or too \
                       many sends without a result (5)\"";
        assert_eq!(story.take_lines(), [format!("DEBUG rts::engine: {servers}")]);
    });
}

#[test]
fn log_says_when_reading_is_paused() {
    with_log_at("debug", |lines| {
        let mut story = Story::logged_in(lines);
        (0..1_024).for_each(|_| drop(story.engine.get_peer_online_status("bob")));
        let from = rts_proto::UserId::new("bob").expect("well formed");
        for _ in 0..1_024 {
            let (from, payload) = (from.clone(), Payload::text(SECRET));
            story.hears(1, Frame::Delivery { from, payload, config: RELIABLE });
        }
        assert!(!story.driver.wants_read());
        let why = "why=\"too many events wait; take them, or drop `Events`\"";
        let not_read = format!("DEBUG rts::engine: the link is not read link=1 user=alice {why}");
        assert_eq!(story.take_lines().pop(), Some(not_read));
        assert!(!story.driver.wants_read());
        assert_eq!(story.take_lines(), [""; 0], "once");
        common::take_all(&mut story.events);
        assert!(story.driver.wants_read());
        let again = "DEBUG rts::engine: the link is read again link=1 user=alice";
        assert_eq!(story.take_lines(), [again]);
    });
}

/// The engine's own level says how loud a line is; who chooses lines by target gets each once.
#[test]
fn log_level_selects_callback_lines() {
    let login = |filter: &str, parameters: &str| {
        let lines = Lines::default();
        let to = lines.clone();
        let mut logged = Vec::new();
        logging(
            filter,
            move || to.clone(),
            || {
                let mut story = Story::new(parameters, lines);
                story.log_in();
                story.hears(1, Frame::LoginAnswer(LoginAnswer::Refused(LoginCode::BadUserId)));
                logged = story.take_lines();
            },
        );
        logged.iter().map(|line| line.split(" user=").next().unwrap_or("").to_owned()).collect()
    };
    let lines: Vec<String> = login("rts::engine=debug", r#"{"logLevel":"error"}"#);
    let state = "DEBUG rts::engine: connection state link=1";
    assert_eq!(lines, [state, "ERROR rts::engine::log: login failed"]);
    let lines: Vec<String> = login("warn", r#"{"logLevel":"debug"}"#);
    assert_eq!(lines, ["ERROR rts::engine::log: login failed"]);
    assert_eq!(login("info", "{}"), [""; 0], "all is called back");
}

#[test]
fn log_omits_payload_token_and_signature() {
    with_log_at("trace", |lines| {
        let mut story = Story::logged_in(lines);
        let room = story.room();
        room.join().expect("not joined");
        drop(room.send_message(SECRET).expect("an engine"));
        story.send("bob");
        drop(story.engine.set_server_params(SECRET, &format!("https://{SECRET}.example/")));
        drop(story.engine.send_server_message(SECRET).expect("an engine"));
        story.engine.update_login_token(&format!("fresh {SECRET}"));
        let from = rts_proto::UserId::new("bob").expect("well formed");
        let payload = Payload::text(SECRET);
        story.hears(1, Frame::Delivery { from, payload, config: RELIABLE });
        story.driver.handle_input(Input::Disconnected(LinkId(1)));
        story.engine.destroy();
        let lines = story.take_lines();
        assert!(lines.len() > 4, "{lines:#?}");
        assert!(lines.iter().all(|line| !line.contains(SECRET)), "{lines:#?}");
    });
}

/// A log that asks the engine about itself whenever a line is written.
struct Asks(Arc<Mutex<Option<Engine>>>);

impl io::Write for Asks {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Some(engine) = &*self.0.lock().expect("nobody panics with it") {
            assert!(!engine.is_online());
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// It would wait for the lock for ever if that were held.
#[test]
fn log_subscriber_may_call_the_engine() {
    let asked = Arc::new(Mutex::new(None));
    let to = Arc::clone(&asked);
    logging(
        "debug",
        move || Asks(Arc::clone(&to)),
        || {
            let story = Story::new("{}", Lines::default());
            let Story { engine, driver, .. } = story;
            *asked.lock().expect("nobody panics with it") = Some(engine.clone());
            engine.login(SECRET, "alice").expect("not logged in");
            driver.link_ended(LinkId(1), "broken");
            engine.destroy();
            // It is an engine's handle too, which must not be dropped in a line.
            drop(asked.lock().expect("nobody panics with it").take());
        },
    );
}
