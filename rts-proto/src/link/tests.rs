//! The two ends of a channel over a wire that may break at any time. A model lists the frames that
//! were accepted and that arrived.

extern crate std;

use std::collections::VecDeque;
use std::vec::Vec;

use proptest::prelude::*;

use super::*;

const FRAMES_MAX: usize = 6;
const BYTES_MAX: usize = 40;

#[derive(Clone, Debug)]
enum Step {
    /// The sender pushes this number of frames of this length, as one piece.
    Push(u32, usize),
    Transmit,
    /// The oldest frame on the wire arrives.
    Deliver,
    /// The receiver sends an acknowledgement.
    Acknowledge,
    /// The acknowledgement arrives.
    DeliverAck,
    /// Takes back the frame at this place of the window.
    TakeBack(usize),
    /// An acknowledgement with this error: more than was sent, or less than was acknowledged
    /// before.
    Lie {
        by: u64,
        above: bool,
        resumes: bool,
    },
    /// The wire breaks, its frames are lost, and the session is resumed over another wire.
    Resume,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (2..20_usize).prop_map(|len| Step::Push(1, len)),
        2 => (2..4_u32, 2..8_usize).prop_map(|(count, len)| Step::Push(count, len)),
        6 => Just(Step::Transmit),
        5 => Just(Step::Deliver),
        3 => Just(Step::Acknowledge),
        3 => Just(Step::DeliverAck),
        2 => (0..8_usize).prop_map(Step::TakeBack),
        1 => (1..4_u64, any::<bool>(), any::<bool>())
            .prop_map(|(by, above, resumes)| Step::Lie { by, above, resumes }),
        1 => Just(Step::Resume),
    ];
    prop::collection::vec(step, 0..80)
}

/// Both ends, the wire between them, and the model of them.
struct Pair {
    sender: Channel<usize>,
    receiver: Channel<()>,
    wire: VecDeque<usize>,
    acks: VecDeque<u64>,
    /// The length of every frame, by its number in the order of pushing.
    lengths: Vec<usize>,
    /// Whether the frame is the last one of its piece. The number of that frame is the piece's tag.
    is_last: Vec<bool>,
    /// Frames that are accepted, not taken back and not acknowledged, in order.
    window: VecDeque<usize>,
    /// Frames at the front of the window that were transmitted on this wire.
    transmitted: usize,
    arrived: Vec<usize>,
    /// Frames that the sender knows to have arrived.
    acknowledged: Vec<usize>,
    /// The latest acknowledgement of the receiver.
    last_ack: u64,
}

impl Pair {
    fn new() -> Self {
        Self {
            sender: Channel::new(),
            receiver: Channel::new(),
            wire: VecDeque::new(),
            acks: VecDeque::new(),
            lengths: Vec::new(),
            is_last: Vec::new(),
            window: VecDeque::new(),
            transmitted: 0,
            arrived: Vec::new(),
            acknowledged: Vec::new(),
            last_ack: 0,
        }
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Push(count, len) => self.push(count, len),
            Step::Transmit => self.transmit(),
            Step::Deliver => self.deliver(),
            Step::Acknowledge => self.acknowledge(),
            Step::DeliverAck => {
                if let Some(count) = self.acks.pop_front() {
                    let mut tags = Vec::new();
                    let done = self.sender.acknowledge(count, |tag| tags.push(tag));
                    let tags = done.map(|()| tags);
                    self.settle(count, tags);
                }
            }
            Step::TakeBack(place) => self.take_back(place),
            Step::Lie { by, above, resumes } => self.lie(by, above, resumes),
            Step::Resume => self.resume(),
        }
        self.check();
    }

    fn window_bytes(&self) -> usize {
        self.window.iter().map(|frame| self.lengths[*frame]).sum()
    }

    fn push(&mut self, count: u32, len: usize) {
        let (frames, bytes_len) = (count as usize, count as usize * len);
        let has_room = self.window.len() + frames <= FRAMES_MAX
            && self.window_bytes() + bytes_len <= BYTES_MAX;
        assert_eq!(self.sender.has_room(count, bytes_len, FRAMES_MAX, BYTES_MAX), has_room);
        if has_room {
            let first = self.lengths.len();
            let last = first + frames - 1;
            let bytes: Vec<u8> = (first..=last).flat_map(|frame| encoded(frame, len)).collect();
            self.sender.push_run(bytes.into(), count, last);
            for frame in first..=last {
                self.lengths.push(len);
                self.is_last.push(frame == last);
                self.window.push_back(frame);
            }
        }
    }

    /// The frames whose numbers are tags.
    fn tags<'a>(&self, frames: impl IntoIterator<Item = &'a usize>) -> Vec<usize> {
        frames.into_iter().copied().filter(|frame| self.is_last[*frame]).collect()
    }

    fn transmit(&mut self) {
        let waiting = self.window.range(self.transmitted..);
        assert_eq!(self.sender.peek(), self.tags(waiting.clone()).first());
        let frames = self.sender.transmit().map(|bytes| decoded(&bytes)).unwrap_or_default();
        assert!(frames.iter().eq(waiting.take(frames.len())));
        assert_eq!(frames.is_empty(), self.transmitted == self.window.len());
        self.transmitted += frames.len();
        self.wire.extend(frames);
    }

    fn deliver(&mut self) {
        if let Some(frame) = self.wire.pop_front() {
            self.receiver.count_received();
            assert!(self.arrived.last().is_none_or(|last| *last < frame), "twice, or late");
            self.arrived.push(frame);
        }
    }

    fn acknowledge(&mut self) {
        let owed = self.arrived.len() as u64 - self.last_ack;
        assert_eq!(self.receiver.unacknowledged(), owed);
        assert_eq!(self.receiver.owes_ack(), owed > 0);
        let count = self.receiver.take_ack();
        assert_eq!(count, (owed > 0).then_some(self.arrived.len() as u64));
        assert!(!self.receiver.owes_ack());
        if let Some(count) = count {
            self.last_ack = count;
            self.acks.push_back(count);
        }
    }

    /// The sender got an acknowledgement of `count` frames. It returns the tags of the new ones.
    fn settle(&mut self, count: u64, tags: Result<Vec<usize>, ProtocolError>) {
        let tags = tags.expect("the receiver does not lie");
        let done = self.acknowledged.len();
        let known = usize::try_from(count).expect("small");
        let frames = &self.arrived[done..known];
        assert_eq!(tags, self.tags(frames));
        for frame in frames {
            assert_eq!(self.window.pop_front(), Some(*frame));
            self.transmitted = self.transmitted.saturating_sub(1);
            self.acknowledged.push(*frame);
        }
    }

    /// Takes a frame back, if it is a piece of its own.
    fn take_back(&mut self, place: usize) {
        let Some(frame) = self.window.get(place).copied() else { return };
        let before = frame.checked_sub(1);
        if !self.is_last[frame] || before.is_some_and(|before| !self.is_last[before]) {
            return;
        }
        let taken = self.sender.take_back(|tag| *tag == frame);
        if place < self.transmitted {
            assert_eq!(taken, None, "it has left");
        } else {
            assert_eq!(taken, Some(frame));
            self.window.remove(place);
        }
    }

    fn lie(&mut self, by: u64, above: bool, resumes: bool) {
        let (acked, sent) =
            (self.acknowledged.len() as u64, (self.acknowledged.len() + self.transmitted) as u64);
        let received = if above { Some(sent + by) } else { acked.checked_sub(by) };
        let Some(received) = received else { return };
        let answer = match resumes {
            true => self.sender.resume(received, drop).map(|_| ()),
            false => self.sender.acknowledge(received, drop),
        };
        assert_eq!(answer, Err(ProtocolError::BadAck { received, acked, sent }));
    }

    fn resume(&mut self) {
        self.wire.clear();
        self.acks.clear();
        let count = self.receiver.received();
        assert_eq!(count, self.arrived.len() as u64);
        let mut tags = Vec::new();
        let done = self.sender.resume(count, |tag| tags.push(tag));
        self.settle(count, done.map(|_| tags));
        let again = u32::try_from(self.transmitted).expect("fewer steps than the type holds");
        assert_eq!(done, Ok(again));
        self.transmitted = 0;
        self.receiver.resume(0, drop).expect("it has sent nothing");
        self.last_ack = count;
    }

    fn check(&self) {
        assert_eq!(self.sender.unacked_bytes(), self.window_bytes());
        assert_eq!(self.sender.received(), 0);
    }

    /// At the end, every accepted frame has arrived, and the sender knows it.
    fn finish(mut self) {
        while !self.window.is_empty() {
            for step in [Step::Transmit, Step::Deliver, Step::Acknowledge, Step::DeliverAck] {
                self.step(step);
            }
        }
        assert_eq!(self.acknowledged, self.arrived);
        assert_eq!(self.sender.transmit(), None);
        assert_eq!(self.sender.into_unacked().count(), 0);
    }

    /// The session ends. Frames that it reports as unsent have not arrived, and every piece is
    /// returned.
    fn break_off(self) {
        let mut named = VecDeque::new();
        for (bytes, tag, may_have_left) in self.sender.into_unacked() {
            let frames = decoded(&bytes);
            assert_eq!(frames.last(), Some(&tag));
            for frame in frames {
                assert_eq!(may_have_left, named.len() < self.transmitted);
                assert!(may_have_left || !self.arrived.contains(&frame));
                named.push_back(frame);
            }
        }
        assert_eq!(named, self.window);
    }
}

/// The first byte is the length of the rest. Each further byte is the frame's number.
fn encoded(frame: usize, len: usize) -> Vec<u8> {
    let number = u8::try_from(frame).expect("fewer steps than the type holds");
    let mut bytes = std::vec![number; len];
    bytes[0] = u8::try_from(len - 1).expect("short");
    bytes
}

/// The numbers of the frames.
fn decoded(mut bytes: &[u8]) -> Vec<usize> {
    let mut frames = Vec::new();
    while let [len, rest @ ..] = bytes {
        let (frame, after) = rest.split_at(usize::from(*len));
        frames.push(usize::from(frame[0]));
        bytes = after;
    }
    frames
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn accepted_frames_arrive_once_and_in_order(steps in steps(), ends in any::<bool>()) {
        let mut pair = Pair::new();
        for step in steps {
            pair.step(step);
        }
        if ends {
            pair.break_off();
        } else {
            pair.finish();
        }
    }
}

#[test]
fn channel_is_full_at_the_last_number() {
    let mut channel = Channel::new();
    channel.acked = NUMBERS_MAX - 1;
    channel.received = NUMBERS_MAX - 1;
    assert!(channel.has_room(1, 1, FRAMES_MAX, BYTES_MAX));
    channel.push(Bytes::from_static(b"x"), ());
    assert_eq!(channel.transmit_all().count(), 1);
    let mut acknowledged = 0;
    channel.acknowledge(NUMBERS_MAX, |()| acknowledged += 1).expect("it was sent");
    assert_eq!((acknowledged, channel.acked), (1, NUMBERS_MAX));
    assert!(!channel.has_room(1, 1, FRAMES_MAX, BYTES_MAX));
    // A frame that needs no space, such as a Leave, still has a number.
    for _ in 0..SERVER_WINDOW_FRAMES_MAX {
        channel.push(Bytes::from_static(b"x"), ());
    }
    assert_eq!(channel.transmit_all().count(), SERVER_WINDOW_FRAMES_MAX);
    let all = NUMBERS_MAX + SERVER_WINDOW_FRAMES_MAX as u64;
    let too_much = ProtocolError::BadAck { received: u64::MAX, acked: NUMBERS_MAX, sent: all };
    assert_eq!(channel.acknowledge(u64::MAX, |()| acknowledged += 1), Err(too_much));
    channel.acknowledge(all, |()| acknowledged += 1).expect("it was sent");
    assert_eq!(acknowledged, 1 + SERVER_WINDOW_FRAMES_MAX);
}
