//! Laws for every sequence of calls and faults. A failure prints its script, which replays it.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::time::Duration;

use proptest::prelude::*;
use rts_proto::client::{Event, RoomEvent};
use rts_proto::server::Ban;
use rts_proto::{
    AppId, BroadcastCode, Instant, MessageConfig, Payload, RoomId, RoomKey, SendCode,
    ServerParamsCode, UserId,
};
use rts_testkit::{APP_SERVER_URL, DriverOptions, Manner, World};
use rts_tests::without_rates;

const ENGINES: usize = 3;

/// One step of a script.
#[derive(Clone, Copy, Debug)]
enum Step {
    Login(usize),
    Logout(usize),
    Send { from: usize, to: usize, reliable: bool },
    Status { from: usize, to: usize },
    Params { who: usize, allowed: bool },
    SendToServer(usize),
    Behave(Manner),
    Join(usize),
    Leave(usize),
    Broadcast(usize),
    Kick(usize),
    Dismiss,
    Ban { who: usize, seconds: u64 },
    Cut(usize),
    Silence(bool),
    Refuse(bool),
    Restart,
    Destroy(usize),
    Wait { ms: u64 },
}

fn step() -> impl Strategy<Value = Step> {
    let who = 0..ENGINES;
    prop_oneof![
        3 => who.clone().prop_map(Step::Login),
        1 => who.clone().prop_map(Step::Logout),
        12 => (who.clone(), who.clone(), prop::bool::weighted(0.8))
            .prop_map(|(from, to, reliable)| Step::Send { from, to, reliable }),
        2 => (who.clone(), who.clone()).prop_map(|(from, to)| Step::Status { from, to }),
        2 => (who.clone(), prop::bool::weighted(0.8))
            .prop_map(|(who, allowed)| Step::Params { who, allowed }),
        6 => who.clone().prop_map(Step::SendToServer),
        1 => prop::sample::select(vec![
            Manner::Echoes,
            Manner::AnswersAtLength,
            Manner::Fails,
            Manner::Drips,
            Manner::IsSilent,
            Manner::IsAway,
        ])
        .prop_map(Step::Behave),
        3 => who.clone().prop_map(Step::Join),
        1 => who.clone().prop_map(Step::Leave),
        6 => who.clone().prop_map(Step::Broadcast),
        1 => who.clone().prop_map(Step::Kick),
        1 => Just(Step::Dismiss),
        1 => (who.clone(), 0..30_u64).prop_map(|(who, seconds)| Step::Ban { who, seconds }),
        4 => who.clone().prop_map(Step::Cut),
        1 => any::<bool>().prop_map(Step::Silence),
        1 => any::<bool>().prop_map(Step::Refuse),
        1 => Just(Step::Restart),
        1 => who.prop_map(Step::Destroy),
        10 => prop_oneof![0..60_u64, 0..15_000_u64].prop_map(|ms| Step::Wait { ms }),
    ]
}

fn script() -> impl Strategy<Value = Vec<Step>> {
    prop::collection::vec(step(), 1..80)
}

/// The calls of a run, and their results.
#[derive(Debug, Default, PartialEq)]
struct Played {
    events: Vec<Vec<(Instant, Event)>>,
    /// The sender and id of each message, its receiver, and whether it is reliable.
    sends: BTreeMap<(usize, u64), (usize, bool)>,
    broadcasts: BTreeMap<(usize, u64), ()>,
    queries: Vec<usize>,
    /// The sender and id of each message to the app server, and its text.
    server_sends: BTreeMap<(usize, u64), String>,
    params: Vec<usize>,
    /// The texts that the app server received.
    posted: Vec<String>,
}

fn name(who: usize) -> String {
    format!("user-{who}")
}

fn user(who: usize) -> UserId {
    UserId::new(&name(who)).expect("well formed")
}

fn app() -> AppId {
    AppId::new("123456781234567812345678").expect("well formed")
}

fn room() -> RoomId {
    RoomId::new("room").expect("well formed")
}

/// Plays the script, then ends all faults.
fn play(script: &[Step], driver_options: DriverOptions, chunk_bytes: NonZeroUsize) -> Played {
    // The laws do not cover rates, which depend on the times of arrival.
    let mut world = World::new(without_rates(), ENGINES, 7);
    world.driver_options = driver_options;
    world.net.chunk_bytes = chunk_bytes;
    let mut played =
        Played { queries: vec![0; ENGINES], params: vec![0; ENGINES], ..Played::default() };
    let rooms: Vec<RoomKey> = (0..ENGINES)
        .map(|who| world.call(who, |engine, now| engine.create_room(now, "room")).expect("room"))
        .collect();
    for (number, step) in script.iter().enumerate() {
        match *step {
            Step::Login(who) => {
                // The call is refused after a login and after `destroy`. Another law checks that.
                let token = world.token(&name(who));
                let _ = world.call(who, |e, now| e.login(now, &token, &name(who)));
            }
            Step::Logout(who) => world.call(who, |engine, now| engine.logout(now)),
            Step::Send { from, to, reliable } => {
                let config = match reliable {
                    true => MessageConfig::ReliableOrdered,
                    false => MessageConfig::UnreliableOrdered,
                };
                let payload = Payload::text(&*format!("{from} {number}"));
                let sent =
                    world.call(from, |e, now| e.send_message(now, &name(to), payload, config));
                if let Ok(id) = sent {
                    played.sends.insert((from, id.0), (number, reliable));
                }
            }
            Step::Status { from, to } => {
                world.call(from, |engine, now| {
                    if !engine.is_destroyed() {
                        played.queries[from] += 1;
                    }
                    engine.get_peer_online_status(now, &name(to));
                });
            }
            Step::Params { who, allowed } => {
                let url = if allowed { APP_SERVER_URL } else { "https://elsewhere.example/" };
                world.call(who, |engine, now| {
                    if !engine.is_destroyed() {
                        played.params[who] += 1;
                    }
                    engine.set_server_params(now, "signature", url);
                });
            }
            Step::SendToServer(who) => {
                let text = format!("{who} {number}");
                let payload = Payload::text(&*text);
                if let Ok(id) = world.call(who, |e, now| e.send_server_message(now, payload)) {
                    played.server_sends.insert((who, id.0), text);
                }
            }
            Step::Behave(manner) => world.app_server.manner = manner,
            Step::Join(who) => {
                let _ = world.call(who, |engine, now| engine.join_room(now, rooms[who]));
            }
            Step::Leave(who) => world.call(who, |e, now| e.leave_room(now, rooms[who])),
            Step::Broadcast(who) => {
                let payload = Payload::text(&*format!("{who} {number}"));
                let sent = world.call(who, |e, now| e.send_room_message(now, rooms[who], payload));
                if let Ok(id) = sent {
                    played.broadcasts.insert((who, id.0), ());
                }
            }
            Step::Kick(who) => {
                world.backend(|server, now| server.kick(now, &app(), &room(), &user(who)));
            }
            Step::Dismiss => {
                world.backend(|server, now| server.dismiss(now, &app(), &room()));
            }
            Step::Ban { who, seconds } => {
                let (ban, interval) = (Ban::User(user(who)), Duration::from_secs(seconds));
                world.backend(|server, now| server.ban(now, &app(), &ban, interval)).expect("few");
            }
            Step::Cut(who) => world.cut(who),
            Step::Silence(on) => world.net.is_silent = on,
            Step::Refuse(on) => world.net.refuses = on,
            Step::Restart => world.restart_server(without_rates()),
            Step::Destroy(who) => world.call(who, |engine, now| engine.destroy(now)),
            Step::Wait { ms } => world.run_for(Duration::from_millis(ms)),
        }
    }
    world.net.is_silent = false;
    world.net.refuses = false;
    world.run_for(Duration::from_secs(60));
    played.posted = world.app_server.texts();
    played.events = (0..ENGINES).map(|who| world.take_timed_events(who)).collect();
    for who in 0..ENGINES {
        world.call(who, |engine, now| engine.destroy(now));
        assert_eq!(world.call(who, |engine, _| engine.open_questions()), 0);
    }
    world.run_for(Duration::from_secs(60));
    assert_eq!(world.stats(), rts_proto::server::Stats::default(), "nothing is left");
    played
}

/// Texts that arrived: the sender of each, and the number of the step that sent it.
type Arrivals = Vec<(usize, usize)>;

/// The texts that an engine received from users, and in rooms.
fn received(events: &[(Instant, Event)]) -> (Arrivals, Arrivals) {
    let parse = |payload: &Payload| match payload {
        Payload::Text(text) => {
            let (from, number) = text.split_once(' ').expect("what was sent");
            (from.parse().expect("a number"), number.parse().expect("a number"))
        }
        Payload::Binary(_) => panic!("no bytes were sent"),
    };
    let (mut users, mut rooms) = (Vec::new(), Vec::new());
    for (_, event) in events {
        match event {
            Event::MessageReceived { payload, .. } => users.push(parse(payload)),
            Event::Room { event: RoomEvent::MessageReceived { payload, .. }, .. } => {
                rooms.push(parse(payload));
            }
            _ => {}
        }
    }
    (users, rooms)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn chunk_size_changes_nothing(script in script(), chunk_bytes in 1..100_usize) {
        let whole = play(&script, DriverOptions::default(), NonZeroUsize::MAX);
        let chunk_bytes = NonZeroUsize::new(chunk_bytes).expect("not 0");
        prop_assert_eq!(&play(&script, DriverOptions::default(), chunk_bytes), &whole);
    }

    #[test]
    fn early_ticks_and_late_drains_change_nothing(
        script in script(),
        ticks_always in any::<bool>(),
        drains_late in any::<bool>(),
    ) {
        let mut other = DriverOptions::default();
        (other.ticks_always, other.drains_late) = (ticks_always, drains_late);
        let whole = play(&script, DriverOptions::default(), NonZeroUsize::MAX);
        prop_assert_eq!(&play(&script, other, NonZeroUsize::MAX), &whole);
    }

    #[test]
    fn frames_of_ended_links_change_nothing(script in script()) {
        let mut stale_links = DriverOptions::default();
        stale_links.stale_links_send = true;
        let whole = play(&script, DriverOptions::default(), NonZeroUsize::MAX);
        prop_assert_eq!(&play(&script, stale_links, NonZeroUsize::MAX), &whole);
    }

    #[test]
    fn every_call_has_exactly_one_result(script in script()) {
        let played = play(&script, DriverOptions::default(), NonZeroUsize::MAX);
        for (who, events) in played.events.iter().enumerate() {
            let (mut sends, mut broadcasts, mut statuses) = (Vec::new(), Vec::new(), 0);
            let (mut server_sends, mut params) = (Vec::new(), 0);
            for (_, event) in events {
                match event {
                    Event::MessageSendResult { id, .. } => sends.push((who, id.0)),
                    Event::Room { event: RoomEvent::MessageSendResult { id, .. }, .. } => {
                        broadcasts.push((who, id.0));
                    }
                    Event::PeerOnlineStatus { .. } => statuses += 1,
                    Event::ServerMessageSendResult { id, .. } => server_sends.push((who, id.0)),
                    Event::ServerParamsSetResult(_) => params += 1,
                    _ => {}
                }
            }
            sends.sort_unstable();
            broadcasts.sort_unstable();
            let asked: Vec<_> = played.sends.keys().filter(|(from, _)| *from == who).copied().collect();
            prop_assert_eq!(sends, asked);
            let asked: Vec<_> =
                played.broadcasts.keys().filter(|(from, _)| *from == who).copied().collect();
            prop_assert_eq!(broadcasts, asked);
            prop_assert_eq!(statuses, played.queries[who]);
            server_sends.sort_unstable();
            let asked: Vec<_> =
                played.server_sends.keys().filter(|(from, _)| *from == who).copied().collect();
            prop_assert_eq!(server_sends, asked);
            prop_assert_eq!(params, played.params[who]);
        }
    }

    #[test]
    fn results_are_true_and_delivery_in_order_once(script in script()) {
        let played = play(&script, DriverOptions::default(), NonZeroUsize::MAX);
        let mut arrivals: BTreeMap<usize, usize> = BTreeMap::new();
        for events in &played.events {
            let (users, rooms) = received(events);
            for from in 0..ENGINES {
                let reliable = |number: &usize| {
                    played.sends.iter().any(|(_, (step, reliable))| step == number && *reliable)
                };
                let numbers: Vec<_> = users
                    .iter()
                    .filter(|(sender, number)| *sender == from && reliable(number))
                    .map(|(_, number)| *number)
                    .collect();
                prop_assert!(numbers.is_sorted_by(|a, b| a < b), "{:?}", numbers);
                let numbers: Vec<_> =
                    rooms.iter().filter(|(sender, _)| *sender == from).map(|(_, n)| *n).collect();
                prop_assert!(numbers.is_sorted_by(|a, b| a < b), "{:?}", numbers);
            }
            for (_, number) in users {
                *arrivals.entry(number).or_default() += 1;
            }
        }
        for (who, events) in played.events.iter().enumerate() {
            for (_, event) in events {
                let Event::MessageSendResult { id, code } = event else { continue };
                let (number, reliable) = played.sends[&(who, id.0)];
                let arrived = arrivals.get(&number).copied().unwrap_or(0);
                match code {
                    SendCode::Ok if reliable => prop_assert_eq!(arrived, 1),
                    SendCode::Ok | SendCode::Timeout => prop_assert!(arrived <= 1),
                    _ => prop_assert_eq!(arrived, 0, "{:?} {:?}", id, code),
                }
            }
        }
    }

    #[test]
    fn post_results_are_true_and_posts_happen_once(script in script()) {
        let played = play(&script, DriverOptions::default(), NonZeroUsize::MAX);
        for (who, events) in played.events.iter().enumerate() {
            for (_, event) in events {
                let Event::ServerMessageSendResult { id, code, reply } = event else { continue };
                let text = &played.server_sends[&(who, id.0)];
                let posted = played.posted.iter().filter(|posted| *posted == text).count();
                match code {
                    SendCode::Ok | SendCode::ServerBadAnswer => prop_assert_eq!(posted, 1),
                    SendCode::Timeout | SendCode::ServerNotReached => prop_assert!(posted <= 1),
                    _ => prop_assert_eq!(posted, 0, "{:?} {:?}", id, code),
                }
                prop_assert!(*code == SendCode::Ok || reply.is_empty());
            }
        }
    }

    #[test]
    fn only_answers_are_called_back_after_logout(script in script()) {
        let played = play(&script, DriverOptions::default(), NonZeroUsize::MAX);
        for events in &played.events {
            let mut is_out = true;
            for (at, event) in events {
                match event {
                    Event::Logout(_) => is_out = true,
                    Event::ConnectionStateChanged(state) if state.code() == 2 => is_out = false,
                    Event::MessageSendResult { code, .. } if is_out => {
                        prop_assert_eq!(*code, SendCode::NotLoggedIn);
                    }
                    Event::Room { event: RoomEvent::MessageSendResult { code, .. }, .. } if is_out => {
                        prop_assert_eq!(*code, BroadcastCode::NotInRoom);
                    }
                    Event::PeerOnlineStatus { .. } => {}
                    Event::ServerMessageSendResult { code, .. } if is_out => {
                        prop_assert_eq!(*code, SendCode::NotLoggedIn);
                    }
                    Event::ServerParamsSetResult(code) if is_out => {
                        prop_assert_eq!(*code, ServerParamsCode::NotLoggedIn);
                    }
                    Event::Room { event: RoomEvent::StateChanged { uid: None, .. }, .. } => {}
                    other => prop_assert!(!is_out, "{} {:?}", at, other),
                }
            }
        }
    }
}
