//! Three conversations, broken off after every single byte, in both directions, at either user,
//! with three kinds of breaks. Each must end well.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rts_proto::client::{Event, RoomEvent};
use rts_proto::server::{Config, Stats};
use rts_proto::{BroadcastCode, LoginCode, LogoutReason, MessageConfig, Payload, SendCode};
use rts_testkit::{APP_SERVER_URL, Break, EngineIndex, Side, World};

const ALICE: EngineIndex = 0;
const BOB: EngineIndex = 1;
const NAMES: [&str; 2] = ["alice", "bob"];
/// The number of sends of each kind.
const EACH: usize = 6;

/// The course of the conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Script {
    /// One call after the other, and one resume.
    Calm,
    /// All messages at once.
    Hurried,
    /// The link is cut repeatedly, and the token is renewed meanwhile.
    Returning,
}

impl Script {
    const ALL: [Self; 3] = [Self::Calm, Self::Hurried, Self::Returning];

    fn pause_ms(self) -> u64 {
        match self {
            Self::Calm => 5,
            Self::Hurried => 0,
            Self::Returning => 20,
        }
    }
}

/// A conversation and the point at which it breaks off.
#[derive(Clone, Copy, Debug)]
struct Cut {
    script: Script,
    who: EngineIndex,
    to: Side,
    bytes: u64,
    how: Break,
}

/// The sends, by the ids that the calls returned.
#[derive(Default)]
struct Asked {
    sends: BTreeMap<u64, (String, MessageConfig)>,
    broadcasts: BTreeMap<u64, String>,
    server_sends: BTreeMap<u64, String>,
}

struct Story {
    world: World,
    asked: Asked,
    events: [Vec<Event>; 2],
    probes: [usize; 2],
}

impl Story {
    fn wait(&mut self, ms: u64) {
        self.world.run_for(Duration::from_millis(ms));
        for who in [ALICE, BOB] {
            let events = self.world.take_events(who);
            self.events[who].extend(events);
        }
    }

    /// An application that logs in again after each failure.
    fn stay_logged_in(&mut self, who: EngineIndex) {
        let token = self.world.token(NAMES[who]);
        let _ = self.world.call(who, |engine, now| engine.login(now, &token, NAMES[who]));
        self.wait(300);
    }

    /// Whether a message reaches the other user.
    fn probe(&mut self, from: EngineIndex) -> bool {
        let id = self.world.send(from, NAMES[1 - from], "probe");
        self.probes[from] += 1;
        self.wait(15_000);
        self.events[from].iter().any(|event| {
            matches!(event, Event::MessageSendResult { id: of, code: SendCode::Ok } if of.0 == id)
        })
    }

    fn send(&mut self, payload: Payload, text: String, config: MessageConfig) {
        let id = self.world.send_as(ALICE, "bob", payload, config);
        self.asked.sends.insert(id, (text, config));
    }
}

/// Runs the whole conversation. Returns the bytes left before the cut, if the conversation ended
/// first.
fn play(cut: Cut) -> (Story, Option<u64>) {
    let mut world = World::new(Config::default(), 2, 1);
    world.break_after(cut.who, cut.to, cut.bytes, cut.how);
    let mut story =
        Story { world, asked: Asked::default(), events: Default::default(), probes: [0; 2] };
    let [alices, bobs] = [ALICE, BOB].map(|who| {
        story.stay_logged_in(who);
        story.world.call(who, |engine, now| engine.create_room(now, "room")).expect("a good id")
    });
    for (who, key) in [(BOB, bobs), (ALICE, alices)] {
        story.world.call(who, |engine, now| engine.join_room(now, key)).expect("a live handle");
        story.wait(100);
    }
    let configs = MessageConfig::ALL;
    for number in 0..EACH {
        for config in configs {
            let text = format!("{} {number}", config.code());
            story.send(Payload::text(&*text), text, *config);
        }
        let text = format!("binary {number}");
        story.send(Payload::binary(text.clone()), text, MessageConfig::ReliableOrdered);
        story.wait(cut.script.pause_ms());
        if cut.script == Script::Returning && number % 2 == 1 {
            story.world.cut(ALICE);
            let token = story.world.token("alice");
            story.world.call(ALICE, |engine, now| engine.update_login_token(now, &token));
        }
    }
    for number in 0..2 {
        let text = format!("{number}");
        let id = story.world.broadcast(ALICE, alices, &text);
        story.asked.broadcasts.insert(id, text);
    }
    story.wait(50);
    story.world.call(ALICE, |engine, now| {
        engine.set_server_params(now, "signature", APP_SERVER_URL);
    });
    story.wait(50);
    let id = story.world.send_to_server(ALICE, "order");
    story.asked.server_sends.insert(id, "order".into());
    story.wait(100);
    // This conversation includes a resume.
    story.world.cut(ALICE);
    for number in EACH..EACH + 2 {
        let text = format!("0 {number}");
        story.send(Payload::text(&*text), text, MessageConfig::ReliableOrdered);
        story.wait(15);
    }
    story.wait(45_000);
    // After any cut, both users must be back and reach each other.
    for (who, key) in [(ALICE, alices), (BOB, bobs)] {
        story.stay_logged_in(who);
        let _ = story.world.call(who, |engine, now| engine.join_room(now, key));
        story.wait(100);
    }
    for from in [ALICE, BOB] {
        // The break may hit the first probe.
        let is_through = story.probe(from) || story.probe(from);
        assert!(is_through, "{cut:?}: {} reaches nobody", NAMES[from]);
    }
    story.world.call(ALICE, |engine, now| engine.logout(now));
    let at_logout = story.world.take_events(ALICE);
    assert_eq!(at_logout.last(), Some(&Event::Logout(LogoutReason::Own)), "{cut:?}");
    story.events[ALICE].extend(at_logout);
    let seen = story.events[ALICE].len();
    story.wait(40_000);
    assert_eq!(story.events[ALICE].len(), seen, "{cut:?}: something after the logout");
    assert_eq!(story.world.stats().sessions, 1, "{cut:?}: only bob is left");
    assert_eq!(story.world.stats().memberships, 1, "{cut:?}: only bob is left in the room");
    let left = story.world.bytes_before_break();
    story.world.call(BOB, |engine, now| engine.destroy(now));
    story.wait(40_000);
    assert_eq!(story.world.stats(), Stats::default(), "{cut:?}: something is left");
    (story, left)
}

fn text(payload: &Payload) -> String {
    String::from_utf8(payload.as_bytes().to_vec()).expect("it was text")
}

/// Whether the numbers in the texts of one kind rise, without a repetition.
fn counts_up(texts: &[String], kind: &str) -> bool {
    let numbers: Vec<usize> =
        texts.iter().filter_map(|text| text.strip_prefix(kind)?.trim().parse().ok()).collect();
    numbers.is_sorted_by(|a, b| a < b)
}

fn check(cut: Cut, story: &Story) {
    let received = |who: EngineIndex| -> (Vec<String>, Vec<String>) {
        let (mut users, mut rooms) = (Vec::new(), Vec::new());
        for event in &story.events[who] {
            match event {
                Event::MessageReceived { payload, .. } => users.push(text(payload)),
                Event::Room { event: RoomEvent::MessageReceived { payload, .. }, .. } => {
                    rooms.push(text(payload));
                }
                _ => {}
            }
        }
        (users, rooms)
    };
    let (texts, broadcasts) = received(BOB);
    for kind in ["0 ", "1 ", "binary "] {
        assert!(counts_up(&texts, kind), "{cut:?}: {kind}: {texts:?}");
    }
    assert!(counts_up(&broadcasts, ""), "{cut:?}: {broadcasts:?}");
    let reliable: Vec<_> = texts.iter().filter(|text| !text.starts_with(['1', '2'])).collect();
    let sent: Vec<_> = story.asked.sends.values().map(|(text, _)| text).collect();
    let place = |text: &&String| sent.iter().position(|sent| sent == text);
    assert!(reliable.iter().filter_map(place).is_sorted(), "{cut:?}: text and bytes in one order");
    assert_eq!(received(ALICE).1, Vec::<String>::new(), "{cut:?}: no echo of own broadcasts");

    let (mut sends, mut rooms, mut servers) = (Vec::new(), Vec::new(), Vec::new());
    for event in &story.events[ALICE] {
        match event {
            Event::MessageSendResult { id, code } => sends.push((id.0, *code)),
            Event::Room { event: RoomEvent::MessageSendResult { id, code }, .. } => {
                rooms.push((id.0, *code));
            }
            Event::ServerMessageSendResult { id, code, .. } => servers.push((id.0, *code)),
            _ => {}
        }
    }
    let count = |all: &[String], wanted: &String| all.iter().filter(|text| *text == wanted).count();
    for (id, (text, config)) in &story.asked.sends {
        let results: Vec<SendCode> =
            sends.iter().filter(|(of, _)| of == id).map(|(_, code)| *code).collect();
        let [code] = results.as_slice() else { panic!("{cut:?}: {text} has {results:?}") };
        let arrived = count(&texts, text);
        let is_true = match code {
            SendCode::Ok if config.is_reliable() => arrived == 1,
            SendCode::Ok | SendCode::Timeout => arrived <= 1,
            _ => arrived == 0,
        };
        assert!(is_true, "{cut:?}: {text} has {code:?} and came {arrived} times");
        // A break that is noticed at once costs no reliable message.
        let is_noticed = cut.how != Break::Silent;
        let is_known = matches!(code, SendCode::Ok | SendCode::NotInitialised);
        assert!(!is_noticed || !config.is_reliable() || is_known, "{cut:?}: {text} has {code:?}");
    }
    let asked = story.asked.sends.len() + story.probes[ALICE];
    assert_eq!(sends.len(), asked, "{cut:?}: one result for each send");
    for (id, text) in &story.asked.broadcasts {
        let results: Vec<BroadcastCode> =
            rooms.iter().filter(|(of, _)| of == id).map(|(_, code)| *code).collect();
        let [code] = results.as_slice() else { panic!("{cut:?}: {text} has {results:?}") };
        let arrived = count(&broadcasts, text);
        let is_true = match code {
            BroadcastCode::Ok | BroadcastCode::Timeout => arrived <= 1,
            _ => arrived == 0,
        };
        assert!(is_true, "{cut:?}: broadcast {text} has {code:?} and came {arrived} times");
    }
    let posted = story.world.app_server.texts();
    for (id, text) in &story.asked.server_sends {
        let results: Vec<SendCode> =
            servers.iter().filter(|(of, _)| of == id).map(|(_, code)| *code).collect();
        let [code] = results.as_slice() else { panic!("{cut:?}: {text} has {results:?}") };
        let posts = count(&posted, text);
        let is_true = match code {
            SendCode::Ok => posts == 1,
            SendCode::Timeout => posts <= 1,
            _ => posts == 0,
        };
        assert!(is_true, "{cut:?}: {text} has {code:?} and was posted {posts} times");
    }
    for who in [ALICE, BOB] {
        let logins = story.events[who].iter().filter_map(|event| match event {
            Event::LoginResult { code, .. } => Some(*code),
            _ => None,
        });
        let logins: Vec<_> = logins.collect();
        let failures = logins.iter().filter(|code| **code == LoginCode::Unknown).count();
        let is_good = logins.last() == Some(&LoginCode::Ok) && logins.len() == failures + 1;
        assert!(is_good && failures <= 1, "{cut:?}: {} logged in with {logins:?}", NAMES[who]);
    }
}

/// Cuts one direction of one user's links after every byte, with every kind of break. Threads share
/// the points.
fn cut_everywhere(who: EngineIndex, to: Side) {
    for script in Script::ALL {
        cut_script(script, who, to);
    }
}

fn cut_script(script: Script, who: EngineIndex, to: Side) {
    let never = Cut { script, who, to, bytes: u64::MAX, how: Break::Closed };
    let (story, left) = play(never);
    check(never, &story);
    let total = u64::MAX - left.expect("nothing broke");
    assert!(total > 250, "{total} bytes are no conversation");
    let next = AtomicU64::new(0);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let bytes = next.fetch_add(1, Ordering::Relaxed);
                    if bytes >= total {
                        return;
                    }
                    for how in Break::ALL {
                        let cut = Cut { script, who, to, bytes, how };
                        let (story, left) = play(cut);
                        assert_eq!(left, None, "{cut:?}: no break happened");
                        check(cut, &story);
                    }
                }
            });
        }
    });
    let ways = Break::ALL.len();
    println!("{script:?}: {total} bytes of {} towards {to:?}, {ways} ways", NAMES[who]);
}

#[test]
fn cuts_of_alices_writes_end_well() {
    cut_everywhere(ALICE, Side::Server);
}

#[test]
fn cuts_of_alices_reads_end_well() {
    cut_everywhere(ALICE, Side::Client);
}

#[test]
fn cuts_of_bobs_writes_end_well() {
    cut_everywhere(BOB, Side::Server);
}

#[test]
fn cuts_of_bobs_reads_end_well() {
    cut_everywhere(BOB, Side::Client);
}
