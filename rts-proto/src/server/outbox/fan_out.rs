//! Broadcasts on their way into windows. Consecutive broadcasts of a burst to one room go to each
//! member as one piece, which all members share. The cost of a member is then paid once for all of
//! them. §6.5.

use alloc::vec::Vec;

use bytes::Bytes;

use super::bundle::{BUNDLE_BYTES_MAX, joined};
use super::flow::Flow;
use crate::planted::{Bug, planted};
use crate::server::keys::SessionNumber;

/// The receivers of a broadcast: the members of a room at a moment. The number changes with each
/// change of a room's members, and is never that of another room.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(test, derive(PartialOrd))]
pub(in crate::server) struct Audience(pub(super) u64);

/// Makes the audiences of all rooms. Nothing else makes any, so no two are equal.
#[derive(Debug, Default)]
pub(in crate::server) struct Audiences(u64);

impl Audiences {
    /// A new audience, after a change of a room's members.
    pub(in crate::server) fn next(&mut self) -> Audience {
        self.0 += 1;
        Audience(self.0)
    }
}

impl Audience {
    /// Of frames from another shard, which names the receivers each time.
    pub(super) const OF_PEER: Self = Self(u64::MAX);
}

/// Accepted broadcasts to one audience that are not in the members' windows yet. There is one, or
/// several with at most [`BUNDLE_BYTES_MAX`] bytes together.
///
/// Other frames for a window, and readers of its size, go through the [outbox](super::Outbox),
/// which puts these broadcasts there first.
#[derive(Debug, Default)]
pub(super) struct FanOut {
    audience: Option<Audience>,
    members: Vec<SessionNumber>,
    /// Each frame with its sender, who does not get it.
    frames: Vec<(Option<SessionNumber>, Bytes)>,
    bytes_len: usize,
}

impl FanOut {
    /// Whether it has no frames.
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.audience.is_none()
    }

    /// Whether this frame may join the present ones.
    pub(super) fn takes(&self, audience: Audience, frame: &Bytes) -> bool {
        self.audience == Some(audience) && self.bytes_len + frame.len() <= BUNDLE_BYTES_MAX
    }

    /// Starts with an audience, when it is empty.
    pub(super) fn begin(
        &mut self,
        audience: Audience,
        members: impl Iterator<Item = SessionNumber>,
    ) {
        debug_assert!(self.is_empty() && self.frames.is_empty(), "settled before");
        self.audience = Some(audience);
        self.members.extend(members);
    }

    pub(super) fn add(&mut self, from: Option<SessionNumber>, frame: Bytes) {
        self.bytes_len += frame.len();
        self.frames.push((from, frame));
    }

    /// All frames in one buffer.
    pub(super) fn joined(&self) -> Bytes {
        match &self.frames[..] {
            [(_, frame)] => frame.clone(),
            frames => joined(frames.iter().map(|(_, frame)| frame), self.bytes_len),
        }
    }

    /// Copies of all frames with their senders, for another shard.
    pub(super) fn frames(&self) -> Vec<(Option<SessionNumber>, Bytes)> {
        self.frames.clone()
    }

    pub(super) fn members(&self) -> impl Iterator<Item = SessionNumber> {
        let mut skips = planted(Bug::BroadcastSkipsOne);
        let mut is_skipped = move |member: &SessionNumber| {
            let skipped = skips && !self.is_by(*member);
            skips &= !skipped;
            skipped
        };
        self.members.iter().copied().filter(move |member| !is_skipped(member))
    }

    /// Puts the frames of other senders into a member's window. `all` is [`joined`](Self::joined).
    /// False when the window has no space.
    pub(super) fn push_to(&self, member: SessionNumber, flow: &mut Flow, all: &Bytes) -> bool {
        if !self.is_by(member) || planted(Bug::EchoToSender) {
            return flow.push_run(all.clone(), self.frames_len(), None);
        }
        let mut others = self.frames.iter().filter(|(sender, _)| *sender != Some(member));
        others.all(|(_, frame)| flow.push(frame.clone(), None))
    }

    /// Removes all frames. The memory is used again.
    pub(super) fn clear(&mut self) {
        self.audience = None;
        self.members.clear();
        self.frames.clear();
        self.bytes_len = 0;
    }

    /// Frames and members that are kept.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        let Self { audience, members, frames, bytes_len } = self;
        usize::from(audience.is_some()) + members.len() + frames.len() + bytes_len
    }

    fn frames_len(&self) -> u32 {
        u32::try_from(self.frames.len()).expect("each has a byte of BUNDLE_BYTES_MAX")
    }

    fn is_by(&self, number: SessionNumber) -> bool {
        self.frames.iter().any(|(sender, _)| *sender == Some(number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Instant;
    use crate::server::testing::number;

    fn frame(byte: u8, len: usize) -> Bytes {
        Bytes::from(alloc::vec![byte; len])
    }

    #[test]
    fn accepts_frames_of_one_audience_up_to_a_bundle() {
        let mut fan_out = FanOut::default();
        let small = frame(1, 1);
        assert!(!fan_out.takes(Audience(1), &small));
        fan_out.begin(Audience(1), [number(1), number(2)].into_iter());
        fan_out.add(Some(number(1)), frame(1, BUNDLE_BYTES_MAX - 1));
        assert!(fan_out.takes(Audience(1), &small));
        assert!(!fan_out.takes(Audience(1), &frame(1, 2)));
        assert!(!fan_out.takes(Audience(2), &small));
        fan_out.clear();
        assert!(fan_out.is_empty());
        assert!(!fan_out.takes(Audience(1), &small));
    }

    #[test]
    fn sender_gets_frames_of_others_and_listeners_share_a_piece() {
        let [alice, bob, carol] = [1, 2, 3].map(number);
        let mut fan_out = FanOut::default();
        fan_out.begin(Audience(1), [alice, bob, carol].into_iter());
        fan_out.add(Some(alice), frame(b'a', 1));
        fan_out.add(Some(bob), frame(b'b', 1));
        let all = fan_out.joined();
        assert_eq!(all, "ab");
        let gets = |member| {
            let mut flow = Flow::new(Instant::ORIGIN);
            assert!(fan_out.push_to(member, &mut flow, &all));
            let pieces: Vec<Bytes> = flow.transmit_all().cloned().collect();
            pieces
        };
        assert_eq!(gets(alice), ["b"]);
        assert_eq!(gets(bob), ["a"]);
        assert_eq!(gets(carol), ["ab"]);
        assert_eq!(gets(carol)[0].as_ptr(), all.as_ptr());
    }
}
