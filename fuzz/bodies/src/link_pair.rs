//! Two engines and a server over links that break anywhere.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::time::Duration;

use rts_proto::client::Event;
use rts_proto::server::{Config, Stats};
use rts_proto::{MessageConfig, Payload, SendCode};
use rts_testkit::{Break, EngineIndex, Side, World};

use crate::script::Script;

const NAMES: [&str; 2] = ["alice", "bob"];
/// Enough steps for every situation.
const STEPS_MAX: usize = 200;

/// The input is a script of sends, of faults of links, and of time.
///
/// However the links are cut, stalled or broken off in the middle of a frame, each send has exactly
/// one true result. Reliable messages arrive once and in order. In the end both users are back, and
/// then the server is empty.
pub fn link_pair(data: &[u8]) {
    let mut script = Script::new(data);
    let mut world = World::new(without_rates(), NAMES.len(), 1);
    let mut sent: [BTreeMap<u64, MessageConfig>; 2] = Default::default();
    for (who, name) in NAMES.into_iter().enumerate() {
        world.log_in(who, name);
    }
    for _ in 0..STEPS_MAX {
        if script.is_over() {
            break;
        }
        step(&mut world, &mut script, &mut sent);
    }
    heal(&mut world);
    check(&mut world, &sent);
}

fn without_rates() -> Config {
    let mut config = Config::default();
    config.sends_per_second = 0;
    config
}

fn step(world: &mut World, script: &mut Script<'_>, sent: &mut [BTreeMap<u64, MessageConfig>; 2]) {
    let who: EngineIndex = usize::from(script.byte() % 2);
    match script.byte() % 16 {
        0..=4 => {
            let config = script.pick(MessageConfig::ALL);
            // The text of a message is its number.
            let text = (sent[who].len() + 1).to_string();
            let id = world.send_as(who, NAMES[1 - who], Payload::text(text), config);
            sent[who].insert(id, config);
        }
        5..=7 => world.run_for(Duration::from_millis(script.byte().into())),
        8 => world.run_for(Duration::from_millis(u64::from(script.short()) / 4)),
        9 => world.cut(who),
        10 => {
            let to = script.pick(&Side::BOTH);
            world.break_after(who, to, script.byte().into(), script.pick(&Break::ALL));
        }
        11 => world.half_open(who, script.pick(&Side::BOTH)),
        12 => world.end_half_open(),
        13 => world.stall(who),
        14 => world.unstall(who),
        _ => {
            world.net.chunk_bytes =
                NonZeroUsize::new(script.byte().into()).unwrap_or(NonZeroUsize::MIN);
            world.net.latency = Duration::from_millis(script.byte().into());
        }
    }
}

/// Ends all faults.
fn heal(world: &mut World) {
    world.net.latency = Duration::from_millis(10);
    world.end_half_open();
    for who in 0..NAMES.len() {
        world.unstall(who);
        // A planned break that has not happened never does.
        world.break_after(who, Side::Server, u64::MAX, Break::Closed);
    }
    world.run_for(Duration::from_secs(60));
}

fn check(world: &mut World, sent: &[BTreeMap<u64, MessageConfig>; 2]) {
    let events = [0, 1].map(|who| world.take_events(who));
    for (who, sent) in sent.iter().enumerate() {
        let arrived: Vec<u64> = events[1 - who]
            .iter()
            .filter_map(|event| match event {
                Event::MessageReceived { payload: Payload::Text(text), .. } => text.parse().ok(),
                _ => None,
            })
            .collect();
        let is_reliable = |id: &&u64| sent[*id].is_reliable();
        let reliable: Vec<_> = arrived.iter().filter(is_reliable).collect();
        assert!(reliable.is_sorted_by(|a, b| a < b), "doubled or out of order: {reliable:?}");
        let results: Vec<(u64, SendCode)> = events[who]
            .iter()
            .filter_map(|event| match event {
                Event::MessageSendResult { id, code } => Some((id.0, *code)),
                _ => None,
            })
            .collect();
        assert_eq!(results.len(), sent.len(), "one result for each send");
        for (id, config) in sent {
            let of_this = results.iter().find(|(of, _)| of == id);
            let (_, code) = of_this.expect("each has its result");
            let times = arrived.iter().filter(|arrived| *arrived == id).count();
            let is_true = match code {
                SendCode::Ok if config.is_reliable() => times == 1,
                SendCode::Ok | SendCode::Timeout => times <= 1,
                _ => times == 0,
            };
            assert!(is_true, "{id} has {code:?} and came {times} times");
        }
    }
    for who in [0, 1] {
        world.send(who, NAMES[1 - who], "probe");
    }
    world.run_for(Duration::from_secs(1));
    for who in [0, 1] {
        let code = world.results(who).first().map(|(_, code)| *code);
        assert_eq!(code, Some(SendCode::Ok), "{} reaches nobody", NAMES[who]);
        world.call(who, |engine, now| engine.destroy(now));
    }
    world.run_for(Duration::from_secs(70));
    assert_eq!(world.stats(), Stats::default(), "something is left");
}
