//! A replay has the recorded outputs, whatever happened. A scrubbed trace contains nothing private.

mod pair;
mod steps;

use std::time::Duration;

use proptest::prelude::*;
use rts_proto::client;
use rts_proto::{MessageConfig, Payload};
use rts_trace::{Secrets, TraceError, explain, replay};

use crate::pair::{ENGINES, Memory, Pair};
use crate::steps::{Step, play, steps};

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_trace_is_replayed_to_the_same_outputs(
        steps in steps(),
        piece in prop_oneof![1..20_usize, Just(usize::MAX)],
        keeps in any::<bool>(),
        shards in 1..4_usize,
    ) {
        let secrets = if keeps { Secrets::Kept } else { Secrets::Scrubbed };
        let mut pair = Pair::new(secrets, piece, shards);
        play(&mut pair, steps);
        for trace in &pair.traces {
            let replayed = trace.replayed();
            prop_assert_eq!(&replayed.difference, &None);
            prop_assert!(replayed.compared > 0);
            prop_assert_eq!(replayed.torn_bytes, 0);
        }
    }
}

/// Sends a known text in every payload, as text and as bytes, in every way that a payload can be
/// sent.
fn canaries(secrets: Secrets, piece: usize, shards: usize) -> Pair {
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
    let mut pair = Pair::new(secrets, piece, shards);
    play(&mut pair, steps);
    pair
}

fn contains(trace: &[u8], wanted: &[u8]) -> bool {
    trace.windows(wanted.len()).any(|window| window == wanted)
}

#[test]
fn no_payload_no_token_and_no_key_is_in_a_scrubbed_trace() {
    for (piece, shards) in [(1, 1), (5, 1), (usize::MAX, 1), (1, 2), (5, 2), (usize::MAX, 2)] {
        for (secrets, is_kept) in [(Secrets::Scrubbed, false), (Secrets::Kept, true)] {
            let pair = canaries(secrets, piece, shards);
            let all: Vec<u8> = pair.traces.iter().flat_map(Memory::bytes).collect();
            let case = format!("in pieces of {piece}, {shards} shards");
            // The recorded bytes of a link may cut the text of a call. The calls of the application
            // have it whole.
            assert_eq!(contains(&all, b"canary"), is_kept, "payloads, {case}");
            assert_eq!(contains(&all, b"secret token"), is_kept, "tokens, {case}");
            for link in 1..=4 {
                assert!(!contains(&all, &[100 + link; 4]), "the key of link {link}, {case}");
            }
            assert!(contains(&all, b"alice"), "who talked to whom is no secret");
        }
    }
}

/// The entries that one shard sends another are in the trace of the other one, whole, in whatever
/// pieces the bytes of links came.
#[test]
fn entries_and_links_of_other_shards_are_scrubbed() {
    for piece in [1, usize::MAX] {
        for (secrets, is_kept) in [(Secrets::Scrubbed, false), (Secrets::Kept, true)] {
            let pair = canaries(secrets, piece, 2);
            for trace in &pair.traces[ENGINES..] {
                let trace = trace.bytes();
                for secret in [&b"canary"[..], b"secret token"] {
                    assert_eq!(contains(&trace, secret), is_kept, "in pieces of {piece}");
                }
                let explained = explain([trace.as_slice()]).expect("whole");
                let says = |what| explained.lines.iter().any(|line| line.what.contains(what));
                assert!(says("was handed over") && says("from shard"), "in pieces of {piece}");
                assert_eq!(explained.replayed[0].difference, None);
            }
        }
    }
}

#[test]
fn torn_last_record_is_left_out() {
    let trace = canaries(Secrets::Scrubbed, usize::MAX, 1).traces[0].bytes();
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
fn damage_before_the_end_is_an_error() {
    let trace = canaries(Secrets::Scrubbed, usize::MAX, 1).traces[0].bytes();
    for at in (10..trace.len()).step_by(7) {
        let mut damaged = trace.clone();
        damaged[at] ^= 1 << (at / 7 % 8);
        let error = replay(damaged.as_slice(), &mut ()).expect_err("damaged");
        assert!(matches!(error, TraceError::Damaged { .. }), "byte {at}: {error}");
    }
    assert!(matches!(replay(&b"something"[..], &mut ()), Err(TraceError::NoTrace)));
    let mut newer = trace;
    newer[8] = u8::MAX;
    let error = replay(newer.as_slice(), &mut ()).expect_err("another version");
    assert!(matches!(error, TraceError::Version { .. }), "{error}");
}

/// Writes a trace again with one change: the last payload is one byte longer.
#[test]
fn replay_reports_the_first_difference() {
    let trace = canaries(Secrets::Scrubbed, usize::MAX, 1).traces[0].bytes();
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

/// A length of three bytes, followed by its check.
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
fn explains_each_message_up_to_its_result() {
    let mut pair = Pair::new(Secrets::Scrubbed, usize::MAX, 1);
    play(&mut pair, vec![Step::Login(0, 0), Step::Login(1, 0)]);
    let send = |pair: &mut Pair, text: &'static str| {
        pair.call(0, |engine, now| {
            engine.send_message(now, "bob", Payload::text(text), MessageConfig::ReliableOrdered)
        })
        .expect("accepted");
    };
    send(&mut pair, "hi");
    // The second message is written, and its link breaks before the server has read it.
    let now = pair.now;
    pair.engines[0]
        .send_message(now, "bob", Payload::text("again"), MessageConfig::ReliableOrdered)
        .expect("accepted");
    while !matches!(pair.engines[0].poll_output(), client::Output::Wait(_)) {}
    pair.cut(0);
    pair.wait(Duration::from_secs(3));

    let of_alice = explain([pair.traces[0].bytes().as_slice()]).expect("whole");
    let stories: Vec<String> = of_alice.stories.iter().map(ToString::to_string).collect();
    assert_eq!(
        stories,
        [
            "message 1 to bob: sent, at the server, delivered, result 0 after 0.0 s",
            "message 2 to bob: sent, link lost before ack, sent again, at the server, delivered, result 0 after 0.0 s",
        ]
    );
    assert!(of_alice.lines.iter().any(|line| line.what.contains("resumed")));
    let of_server = explain([pair.traces[ENGINES].bytes().as_slice()]).expect("whole");
    let stories: Vec<String> = of_server.stories.iter().map(ToString::to_string).collect();
    assert_eq!(
        stories,
        [
            "message 1 from alice to bob: arrived on link 1, delivered, result 0 after 0.0 s",
            "message 2 from alice to bob: arrived on link 3, delivered, result 0 after 0.0 s",
        ]
    );
}

fn stories(traces: &[Vec<u8>]) -> Vec<String> {
    let explained = explain(traces.iter().map(Vec::as_slice)).expect("of one node");
    assert!(explained.replayed.iter().all(|replayed| replayed.difference.is_none()));
    explained.stories.iter().map(ToString::to_string).collect()
}

#[test]
fn follows_a_message_from_one_shard_to_another() {
    let mut pair = Pair::new(Secrets::Scrubbed, usize::MAX, 2);
    let send = |config| Step::Send { from: 0, payload: b"hi".to_vec(), config };
    let log_in = [Step::Login(0, 0), Step::Login(1, 0)];
    play(&mut pair, [&log_in[..], &[send(0), send(1), Step::Logout(1), send(0)]].concat());
    let [zero, one] = [0, 1].map(|shard| pair.traces[ENGINES + shard].bytes());
    let way = "arrived on link 1 of shard 0, given to shard 1, ";
    let ends = [
        "delivered, result 0 after 0.0 s",
        "delivered, result 0 after 0.0 s",
        "receiver not logged in, result 4 after 0.0 s",
    ];
    let expected = |way: &str| -> Vec<String> {
        let number = |(index, end)| format!("message {} from alice to bob: {way}{end}", index + 1);
        ends.iter().enumerate().map(number).collect()
    };
    let both = expected(&format!("{way}arrived there, answered by shard 1, "));
    assert_eq!(stories(&[zero.clone(), one.clone()]), both);
    assert_eq!(stories(&[one.clone(), zero.clone()]), both);
    assert_eq!(stories(&[zero]), expected(&format!("{way}answered by shard 1, ")));
    assert_eq!(stories(&[one]), expected("came from shard 0, "));
}

/// All happens at one moment, so time alone does not order it.
#[test]
fn effect_follows_its_cause_in_another_shard() {
    let pair = canaries(Secrets::Scrubbed, usize::MAX, 3);
    let traces: Vec<Vec<u8>> = pair.traces[ENGINES..].iter().map(Memory::bytes).collect();
    let mut turned = traces.clone();
    turned.rotate_left(1);
    for traces in [traces, turned] {
        let explained = explain(traces.iter().map(Vec::as_slice)).expect("of one node");
        let mut under_way = Vec::new();
        for line in &explained.lines {
            let own = line.shard.expect("one of three").number();
            if let Some((to, what)) = entry(&line.what, "to shard ") {
                under_way.push((own, to, what.to_owned()));
            } else if let Some((from, what)) = entry(&line.what, "from shard ") {
                let is_it =
                    |(f, t, sent): &(usize, usize, String)| (*f, *t) == (from, own) && sent == what;
                let at = under_way.iter().position(is_it).expect("it was sent before");
                under_way.remove(at);
            }
        }
        assert_eq!(under_way, [], "all that was sent arrives");
    }
}

/// The other shard of an entry and the entry in words, of a line that begins like this.
fn entry<'a>(line: &'a str, begin: &str) -> Option<(usize, &'a str)> {
    let (shard, what) = line.strip_prefix(begin)?.split_once(": ")?;
    Some((shard.parse().ok()?, what))
}

#[test]
fn only_shards_of_one_node_are_read_together() {
    let pair = canaries(Secrets::Scrubbed, usize::MAX, 2);
    let other = canaries(Secrets::Scrubbed, usize::MAX, 3);
    let [zero, one] = [0, 1].map(|shard| pair.traces[ENGINES + shard].bytes());
    let engine = pair.traces[0].bytes();
    for second in [&zero, &other.traces[ENGINES + 1].bytes(), &engine] {
        let error = explain([zero.as_slice(), second.as_slice()]).expect_err("not together");
        assert!(matches!(error.error, TraceError::OtherNode), "{error}");
        assert_eq!(error.trace, 1);
    }
    let torn = &one[..one.len() / 2];
    let error = explain([zero.as_slice(), &one[..20]]).expect_err("no beginning");
    assert_eq!(error.trace, 1);
    let explained = explain([zero.as_slice(), torn]).expect("torn, but readable");
    assert!(explained.replayed[1].torn_bytes > 0, "cut in a record");
    assert!(explained.replayed[0].steps > explained.replayed[1].steps);
}
