//! Batches of results: one frame for consecutive results with one code (§5.8).

use bytes::Bytes;

use crate::MessageId;
use crate::limits::{FRAME_BYTES_MAX, ID_BYTES_MAX};
use crate::server::keys::Outcome;
use crate::wire;

/// A burst of unreliable messages has as many results as frames fit into it. They may exceed the
/// length of one frame of results (§1.2).
const RESULTS_PER_FRAME_MAX: usize = 4_096;
/// The longest varint of 64 bits.
const NUMBER_BYTES_MAX: usize = 10;
const _: () =
    assert!(RESULTS_PER_FRAME_MAX * NUMBER_BYTES_MAX + ID_BYTES_MAX + 32 < FRAME_BYTES_MAX);

/// The frames for these outcomes, in their order.
pub(super) fn results(outcomes: &[Outcome]) -> impl Iterator<Item = Bytes> {
    let runs = outcomes.chunk_by(goes_with);
    runs.flat_map(|run| run.chunks(RESULTS_PER_FRAME_MAX)).map(frame)
}

/// Whether both outcomes fit into one frame.
fn goes_with(one: &Outcome, other: &Outcome) -> bool {
    match (one, other) {
        (Outcome::Send(code, _), Outcome::Send(other, _)) => code == other,
        (Outcome::Broadcast(room, code, _), Outcome::Broadcast(other_room, other, _)) => {
            room == other_room && code == other
        }
        (Outcome::Send(..), Outcome::Broadcast(..))
        | (Outcome::Broadcast(..), Outcome::Send(..)) => false,
    }
}

fn frame(batch: &[Outcome]) -> Bytes {
    let ids = batch.iter().map(id);
    match &batch[0] {
        Outcome::Send(code, _) => wire::send_results(*code, ids),
        Outcome::Broadcast(room, code, _) => wire::broadcast_results(room, *code, ids),
    }
}

fn id(outcome: &Outcome) -> MessageId {
    match outcome {
        Outcome::Send(_, id) | Outcome::Broadcast(_, _, id) => *id,
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;
    use crate::wire::{Decoder, Frame};
    use crate::{BroadcastCode, RoomId, SendCode};

    fn decoded(outcomes: &[Outcome]) -> Vec<Frame> {
        let mut decoder = Decoder::new();
        let mut frames = Vec::new();
        for frame in results(outcomes) {
            decoder.push(frame);
            while let Some(frame) = decoder.next(FRAME_BYTES_MAX).expect("well-formed") {
                frames.push(frame);
            }
        }
        frames
    }

    #[test]
    fn consecutive_results_with_one_code_share_a_frame() {
        let room = RoomId::new("r").expect("a valid id");
        let id = MessageId;
        let outcomes = [
            Outcome::Send(SendCode::Ok, id(1)),
            Outcome::Send(SendCode::Ok, id(2)),
            Outcome::Send(SendCode::Timeout, id(3)),
            Outcome::Broadcast(room.clone(), BroadcastCode::Ok, id(4)),
            Outcome::Send(SendCode::Ok, id(5)),
        ];
        let expected = [
            Frame::SendResults { code: SendCode::Ok, ids: [id(1), id(2)].into() },
            Frame::SendResults { code: SendCode::Timeout, ids: [id(3)].into() },
            Frame::BroadcastResults { room, code: BroadcastCode::Ok, ids: [id(4)].into() },
            Frame::SendResults { code: SendCode::Ok, ids: [id(5)].into() },
        ];
        assert_eq!(decoded(&outcomes), expected);
    }

    #[test]
    fn more_results_than_a_frame_holds_take_two() {
        let outcome = |id| Outcome::Send(SendCode::Broken, MessageId(id));
        let most: Vec<_> = (0..RESULTS_PER_FRAME_MAX as u64).map(outcome).collect();
        assert_eq!(results(&most).count(), 1);
        let one_more: Vec<_> = (0..=RESULTS_PER_FRAME_MAX as u64).map(outcome).collect();
        assert_eq!(results(&one_more).count(), 2);
    }
}
