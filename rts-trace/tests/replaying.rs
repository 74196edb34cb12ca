//! What was recorded is run again to the same outputs, whatever happened; and nothing private gets into a trace.

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use proptest::prelude::*;
use rts_proto::client::{self, Parameters};
use rts_proto::server::{self, PostProgress, Verdict};
use rts_proto::wire::ResumeKey;
use rts_proto::{
    AppId, Instant, LinkId, LoginCode, MessageConfig, Payload, Reply, RoomKey, UserId,
};
use rts_trace::{
    RecordedClient, RecordedServer, Recorder, Replayed, Secrets, TraceError, explain, replay,
};

const PEOPLE: usize = 2;
const NAMES: [&str; PEOPLE] = ["alice", "bob"];

/// A file in memory.
#[derive(Clone, Default)]
struct Memory(Arc<Mutex<Vec<u8>>>);

impl Memory {
    fn recorder(&self, secrets: Secrets) -> Recorder {
        Recorder::new(self.clone(), secrets, [42; 32]).expect("memory takes everything")
    }

    fn bytes(&self) -> Vec<u8> {
        self.0.lock().expect("not poisoned").clone()
    }

    fn replayed(&self) -> Replayed {
        replay(self.bytes().as_slice(), &mut ()).expect("a whole trace")
    }
}

impl Write for Memory {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("not poisoned").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Recorded cores, with links that pass bytes on at once, in pieces.
struct Pair {
    now: Instant,
    server: RecordedServer,
    engines: Vec<RecordedClient>,
    traces: Vec<Memory>,
    /// The engine's present link, and its number at the server.
    links: Vec<Option<(LinkId, LinkId)>>,
    last_link: u64,
    piece: usize,
    /// Nobody is let in.
    refuses: bool,
}

impl Pair {
    fn new(secrets: Secrets, piece: usize) -> Self {
        let traces: Vec<Memory> = (0..=PEOPLE).map(|_| Memory::default()).collect();
        let engine = |who: usize| {
            let config = client::Config {
                app_id: AppId::new("123456781234567812345678").expect("an app id"),
                parameters: Parameters::default(),
            };
            RecordedClient::new(config, who as u64, Some(traces[who].recorder(secrets)))
        };
        let server = server::Config::default();
        Self {
            now: Instant::from_millis(5),
            engines: (0..PEOPLE).map(engine).collect(),
            server: RecordedServer::new(server, 7, Some(traces[PEOPLE].recorder(secrets))),
            traces,
            links: vec![None; PEOPLE],
            last_link: 0,
            piece,
            refuses: false,
        }
    }

    fn call<R>(&mut self, who: usize, call: impl FnOnce(&mut RecordedClient, Instant) -> R) -> R {
        let returned = call(&mut self.engines[who], self.now);
        self.settle();
        returned
    }

    fn cut(&mut self, who: usize) {
        if let Some((own, other)) = self.links[who].take() {
            self.server.handle_input(self.now, server::Input::Disconnected(other));
            self.engines[who].handle_input(self.now, client::Input::Disconnected(own));
        }
        self.settle();
    }

    fn wait(&mut self, time: Duration) {
        self.now = self.now + time;
        self.server.handle_input(self.now, server::Input::Tick);
        for engine in &mut self.engines {
            engine.handle_input(self.now, client::Input::Tick);
        }
        self.settle();
    }

    /// Passes everything on until nobody has anything to say, then ends the burst.
    fn settle(&mut self) {
        for _ in 0..3 {
            while self.drain_engines() | self.drain_server() {}
            self.server.handle_input(self.now, server::Input::Tick);
            for engine in &mut self.engines {
                engine.handle_input(self.now, client::Input::Tick);
            }
        }
    }

    fn drain_engines(&mut self) -> bool {
        let mut busy = false;
        for who in 0..PEOPLE {
            loop {
                match self.engines[who].poll_output() {
                    client::Output::Connect(own) => {
                        self.last_link += 1;
                        let other = LinkId(self.last_link);
                        self.links[who] = Some((own, other));
                        let key = ResumeKey([100 + self.last_link as u8; 16]);
                        let accepted = server::Input::Accepted(other, key);
                        self.server.handle_input(self.now, accepted);
                        self.engines[who].handle_input(self.now, client::Input::Connected(own));
                    }
                    client::Output::Transmit(own, bytes) => {
                        if let Some((_, other)) = self.links[who].filter(|(link, _)| *link == own) {
                            for piece in bytes.chunks(self.piece) {
                                let piece = Bytes::copy_from_slice(piece);
                                let input = server::Input::Received(other, piece);
                                self.server.handle_input(self.now, input);
                            }
                        }
                    }
                    client::Output::Disconnect(own) => {
                        if let Some((_, other)) = self.links[who].take_if(|(link, _)| *link == own)
                        {
                            let input = server::Input::Disconnected(other);
                            self.server.handle_input(self.now, input);
                        }
                    }
                    client::Output::Event(_) => {}
                    client::Output::Wait(_) => break,
                }
                busy = true;
            }
        }
        busy
    }

    fn drain_server(&mut self) -> bool {
        let mut busy = false;
        loop {
            match self.server.poll_output() {
                server::Output::Transmit(link, bytes) => {
                    let at = |own: &Option<(LinkId, LinkId)>| own.is_some_and(|own| own.1 == link);
                    let Some(who) = self.links.iter().position(at) else { continue };
                    let Some((own, _)) = self.links[who] else { continue };
                    for piece in bytes.chunks(self.piece) {
                        let piece = Bytes::copy_from_slice(piece);
                        let input = client::Input::Received(own, piece);
                        self.engines[who].handle_input(self.now, input);
                    }
                }
                server::Output::Disconnect(link, _) => {
                    let at = |own: &Option<(LinkId, LinkId)>| own.is_some_and(|own| own.1 == link);
                    let Some(who) = self.links.iter().position(at) else { continue };
                    if let Some((own, _)) = self.links[who].take() {
                        let input = client::Input::Disconnected(own);
                        self.engines[who].handle_input(self.now, input);
                    }
                }
                server::Output::Authenticate(login, _) => {
                    let verdict = match self.refuses {
                        true => Verdict::Refuse(LoginCode::InvalidToken),
                        false => Verdict::Accept { claim: self.now.as_micros() },
                    };
                    self.server.handle_input(self.now, server::Input::Verdict(login, verdict));
                }
                server::Output::CheckTarget(target, _) => {
                    let input = server::Input::TargetChecked(target, true);
                    self.server.handle_input(self.now, input);
                }
                server::Output::PostToAppServer(call, post) => {
                    let progress = match post.payload {
                        Payload::Text(_) => {
                            PostProgress::Answered(Reply(Bytes::from_static(b"canary")))
                        }
                        Payload::Binary(_) => PostProgress::NotReached,
                    };
                    let input = server::Input::AppServerReplied(call, progress);
                    self.server.handle_input(self.now, input);
                }
                server::Output::AbandonPost(_) | server::Output::Report(..) => {}
                server::Output::Wait(_) => return busy,
            }
            busy = true;
        }
    }
}

#[derive(Clone, Debug)]
enum Step {
    Login(usize, u8),
    NewToken(usize, u8),
    Logout(usize),
    Send { from: usize, payload: Vec<u8>, config: u32 },
    Status(usize),
    Join(usize),
    Leave(usize),
    Broadcast(usize, Vec<u8>),
    Parameters(usize),
    ServerParams(usize, String),
    ServerSend(usize, Vec<u8>),
    Backend(u8),
    Cut(usize),
    Refuse(bool),
    Wait(u64),
    Destroy(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let who = || 0..PEOPLE;
    let bytes = || prop::collection::vec(any::<u8>(), 0..40);
    let step = prop_oneof![
        3 => (who(), 0..3_u8).prop_map(|(who, token)| Step::Login(who, token)),
        1 => (who(), 0..3_u8).prop_map(|(who, token)| Step::NewToken(who, token)),
        1 => who().prop_map(Step::Logout),
        8 => (who(), bytes(), 0..3_u32)
            .prop_map(|(from, payload, config)| Step::Send { from, payload, config }),
        1 => who().prop_map(Step::Status),
        2 => who().prop_map(Step::Join),
        1 => who().prop_map(Step::Leave),
        2 => (who(), bytes()).prop_map(|(who, bytes)| Step::Broadcast(who, bytes)),
        1 => who().prop_map(Step::Parameters),
        1 => (who(), any::<String>()).prop_map(|(who, text)| Step::ServerParams(who, text)),
        2 => (who(), bytes()).prop_map(|(who, bytes)| Step::ServerSend(who, bytes)),
        2 => (0..7_u8).prop_map(Step::Backend),
        3 => who().prop_map(Step::Cut),
        1 => any::<bool>().prop_map(Step::Refuse),
        4 => (0..40_000_u64).prop_map(Step::Wait),
        1 => who().prop_map(Step::Destroy),
    ];
    let log_in = [Step::Login(0, 0), Step::Login(1, 0), Step::Join(0), Step::Join(1)];
    prop::collection::vec(step, 0..40).prop_map(move |steps| [log_in.to_vec(), steps].concat())
}

/// Text if it is, bytes otherwise.
fn payload(bytes: Vec<u8>) -> Payload {
    match String::from_utf8(bytes) {
        Ok(text) => Payload::text(text),
        Err(error) => Payload::binary(error.into_bytes()),
    }
}

fn play(pair: &mut Pair, steps: Vec<Step>) {
    let rooms: Vec<RoomKey> = (0..PEOPLE)
        .map(|who| pair.call(who, |engine, now| engine.create_room(now, "room")).expect("a room"))
        .collect();
    for step in steps {
        match step {
            Step::Login(who, token) => {
                let token = format!("secret token {token}");
                let _ = pair.call(who, |engine, now| engine.login(now, &token, NAMES[who]));
            }
            Step::NewToken(who, token) => {
                let token = format!("secret token {token}");
                pair.call(who, |engine, now| engine.update_login_token(now, &token));
            }
            Step::Logout(who) => pair.call(who, |engine, now| engine.logout(now)),
            Step::Send { from, payload: bytes, config } => {
                let config = MessageConfig::from_code(config).expect("one of three");
                let to = NAMES[1 - from];
                let message = payload(bytes);
                let _ = pair.call(from, |e, now| e.send_message(now, to, message, config));
            }
            Step::Status(who) => {
                pair.call(who, |engine, now| engine.get_peer_online_status(now, "bob"));
            }
            Step::Join(who) => {
                let _ = pair.call(who, |engine, now| engine.join_room(now, rooms[who]));
            }
            Step::Leave(who) => pair.call(who, |e, now| e.leave_room(now, rooms[who])),
            Step::Broadcast(who, bytes) => {
                let message = payload(bytes);
                let _ = pair.call(who, |e, now| e.send_room_message(now, rooms[who], message));
            }
            Step::Parameters(who) => {
                let json = r#"{"sendTimeoutMs": 3000, "nonsense": 1}"#;
                let _ = pair.call(who, |engine, now| engine.set_runtime_parameters(now, json));
                let _ = pair.call(who, |engine, _| engine.set_business_id("tag"));
            }
            Step::ServerParams(who, signature) => {
                let url = format!("https://canary/{}", signature.len());
                pair.call(who, |engine, now| engine.set_server_params(now, &signature, &url));
            }
            Step::ServerSend(who, bytes) => {
                let message = payload(bytes);
                let _ = pair.call(who, |engine, now| engine.send_server_message(now, message));
            }
            Step::Backend(what) => backend(pair, what),
            Step::Cut(who) => pair.cut(who),
            Step::Refuse(refuses) => pair.refuses = refuses,
            Step::Wait(ms) => pair.wait(Duration::from_millis(ms)),
            Step::Destroy(who) => pair.call(who, |engine, now| engine.destroy(now)),
        }
    }
}

fn backend(pair: &mut Pair, what: u8) {
    let app = AppId::new("123456781234567812345678").expect("an app id");
    let user = |uid: &str| UserId::new(uid).expect("a user id");
    let room = rts_proto::RoomId::new("room").expect("a room id");
    let (now, server) = (pair.now, &mut pair.server);
    let message = Payload::text("canary of the back end");
    let interval = Duration::from_secs(11);
    let returned = match what {
        0 => server.unicast(now, &app, user("shop"), &user("bob"), message),
        1 => server.broadcast_to_room(now, &app, &room, user("shop"), message),
        2 => {
            let to = [user("alice"), user("bob")];
            server.unicast_in_room(now, &app, &room, user("shop"), &to, message)
        }
        3 => Ok(server.kick(now, &app, &room, &user("bob")).into()),
        4 => Ok(server.dismiss(now, &app, &room)),
        5 => server.ban(now, &app, &server::Ban::UserInRoom(room, user("bob")), interval),
        _ => {
            server.shutdown(now, Duration::from_secs(1));
            Ok(0)
        }
    };
    assert!(returned.is_ok(), "{returned:?}");
    pair.settle();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_trace_is_replayed_to_the_same_outputs(
        steps in steps(),
        piece in prop_oneof![1..20_usize, Just(usize::MAX)],
        keeps in any::<bool>(),
    ) {
        let secrets = if keeps { Secrets::Kept } else { Secrets::Scrubbed };
        let mut pair = Pair::new(secrets, piece);
        play(&mut pair, steps);
        for trace in &pair.traces {
            let replayed = trace.replayed();
            prop_assert_eq!(&replayed.difference, &None);
            prop_assert!(replayed.compared > 0);
            prop_assert_eq!(replayed.torn_bytes, 0);
        }
    }
}

/// Something in every payload, as text and as bytes, over every way that a payload can take.
fn canaries(secrets: Secrets, piece: usize) -> Pair {
    let text = b"canary".to_vec();
    let bytes = [text.clone(), vec![0xFF]].concat();
    let mut steps = vec![Step::Login(0, 0), Step::Login(1, 1), Step::Join(0), Step::Join(1)];
    for payload in [text, bytes] {
        for config in 0..3 {
            steps.push(Step::Send { from: 0, payload: payload.clone(), config });
        }
        steps.push(Step::Broadcast(1, payload.clone()));
        steps.push(Step::ServerParams(0, "signature and canary".into()));
        steps.push(Step::ServerSend(0, payload));
    }
    steps.extend((0..6).map(Step::Backend));
    steps.extend([Step::NewToken(0, 2), Step::Cut(0), Step::Cut(1)]);
    let mut pair = Pair::new(secrets, piece);
    play(&mut pair, steps);
    pair
}

fn contains(trace: &[u8], wanted: &[u8]) -> bool {
    trace.windows(wanted.len()).any(|window| window == wanted)
}

#[test]
fn no_payload_no_token_and_no_key_is_in_a_scrubbed_trace() {
    for piece in [1, 5, usize::MAX] {
        for (secrets, is_kept) in [(Secrets::Scrubbed, false), (Secrets::Kept, true)] {
            let pair = canaries(secrets, piece);
            let all: Vec<u8> = pair.traces.iter().flat_map(Memory::bytes).collect();
            // In the wire's bytes a call's text may be cut up, but what the application said is whole.
            assert_eq!(contains(&all, b"canary"), is_kept, "payloads, in pieces of {piece}");
            assert_eq!(contains(&all, b"secret token"), is_kept, "tokens, in pieces of {piece}");
            for link in 1..=4 {
                assert!(!contains(&all, &[100 + link; 4]), "the key of link {link}");
            }
            assert!(contains(&all, b"alice"), "who talked to whom is no secret");
        }
    }
}

#[test]
fn a_torn_last_record_is_left_out() {
    let trace = canaries(Secrets::Scrubbed, usize::MAX).traces[0].bytes();
    let whole = replay(trace.as_slice(), &mut ()).expect("whole");
    let mut torn = 0;
    for cut in 1..200 {
        let replayed = replay(&trace[..trace.len() - cut], &mut ()).expect("readable");
        assert_eq!(replayed.difference, None, "without the last {cut} bytes");
        assert!(replayed.steps <= whole.steps);
        torn += usize::from(replayed.torn_bytes > 0);
    }
    assert!(torn > 100, "most cuts tear a record");
}

#[test]
fn damage_in_the_middle_is_told() {
    let trace = canaries(Secrets::Scrubbed, usize::MAX).traces[0].bytes();
    for at in (10..trace.len()).step_by(7) {
        let mut damaged = trace.clone();
        damaged[at] ^= 1 << (at / 7 % 8);
        let error = replay(damaged.as_slice(), &mut ()).expect_err("damaged");
        assert!(matches!(error, TraceError::Damaged { .. }), "byte {at}: {error}");
    }
    assert!(matches!(replay(&b"something"[..], &mut ()), Err(TraceError::NoTrace)));
    let mut newer = trace;
    newer[8] = 9;
    let error = replay(newer.as_slice(), &mut ()).expect_err("another version");
    assert!(matches!(error, TraceError::Version { found: 9 }), "{error}");
}

/// Writes a trace again with one thing changed: the last payload is a byte longer.
#[test]
fn another_input_makes_a_difference_and_its_place_is_told() {
    let trace = canaries(Secrets::Scrubbed, usize::MAX).traces[0].bytes();
    let mut rest = &trace[10..];
    let mut changed = trace[..10].to_vec();
    let mut last_filler = None;
    while let Some((len, after)) = rest.split_first_chunk::<4>() {
        let (body, after) = after.split_at(length(*len));
        if contains(body, b"xxxxxx") {
            last_filler = Some(changed.len());
        }
        changed.extend_from_slice(len);
        changed.extend_from_slice(body);
        changed.extend_from_slice(&after[..4]);
        rest = &after[4..];
    }
    let at = last_filler.expect("a payload");
    let len = length(changed[at..at + 4].try_into().expect("four bytes"));
    let body = &mut changed[at + 4..at + 4 + len];
    let filler = body.windows(6).position(|window| window == b"xxxxxx").expect("the payload");
    body[filler] = b'y';
    let sum = crc32(body).to_le_bytes();
    changed[at + 4 + len..at + 8 + len].copy_from_slice(&sum);
    let replayed = replay(changed.as_slice(), &mut ()).expect("readable");
    let difference = replayed.difference.expect("another payload is another output");
    assert!(difference.record > 0 && !difference.since.is_empty(), "{difference:?}");
}

/// Three bytes, and one to check them.
fn length([a, b, c, _]: [u8; 4]) -> usize {
    u32::from_le_bytes([a, b, c, 0]) as usize
}

fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0xEDB8_8320 } else { crc >> 1 };
        }
    }
    !crc
}

#[test]
fn the_story_of_a_message_says_what_became_of_it() {
    let mut pair = Pair::new(Secrets::Scrubbed, usize::MAX);
    play(&mut pair, vec![Step::Login(0, 0), Step::Login(1, 0)]);
    let send = |pair: &mut Pair, text: &'static str| {
        pair.call(0, |engine, now| {
            engine.send_message(now, "bob", Payload::text(text), MessageConfig::ReliableOrdered)
        })
        .expect("accepted");
    };
    send(&mut pair, "hi");
    // The second is written, and its link breaks before the server has read it.
    let now = pair.now;
    pair.engines[0]
        .send_message(now, "bob", Payload::text("again"), MessageConfig::ReliableOrdered)
        .expect("accepted");
    while !matches!(pair.engines[0].poll_output(), client::Output::Wait(_)) {}
    pair.cut(0);
    pair.wait(Duration::from_secs(3));

    let of_alice = explain(pair.traces[0].bytes().as_slice()).expect("whole");
    let told: Vec<String> = of_alice.stories.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "message 1 to bob: sent, at the server, delivered, result 0 after 0.0 s",
            "message 2 to bob: sent, link lost before ack, sent again, at the server, delivered, result 0 after 0.0 s",
        ]
    );
    assert!(of_alice.lines.iter().any(|line| line.what.contains("resumed")));
    let of_server = explain(pair.traces[PEOPLE].bytes().as_slice()).expect("whole");
    let told: Vec<String> = of_server.stories.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "message 1 from alice to bob: arrived on link 1, delivered, result 0 after 0.0 s",
            "message 2 from alice to bob: arrived on link 3, delivered, result 0 after 0.0 s",
        ]
    );
}
