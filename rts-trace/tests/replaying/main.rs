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

/// Sends a known text in every payload, as text and as bytes, in every way that a payload can be
/// sent.
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
            // The recorded bytes of a link may cut the text of a call. The calls of the application
            // have it whole.
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
fn torn_last_record_is_left_out() {
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
fn damage_before_the_end_is_an_error() {
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
    assert!(matches!(error, TraceError::Version { found: 9, .. }), "{error}");
}

/// Writes a trace again with one change: the last payload is one byte longer.
#[test]
fn replay_reports_the_first_difference() {
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
    let mut pair = Pair::new(Secrets::Scrubbed, usize::MAX);
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
    let of_server = explain(pair.traces[ENGINES].bytes().as_slice()).expect("whole");
    let told: Vec<String> = of_server.stories.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "message 1 from alice to bob: arrived on link 1, delivered, result 0 after 0.0 s",
            "message 2 from alice to bob: arrived on link 3, delivered, result 0 after 0.0 s",
        ]
    );
}
