//! Explains traces in words.

use std::io::Read;

use crate::format::TraceError;
use crate::message::Story;
use crate::narrator::{Line, Narrator, Voice};
use crate::replay::{Recording, Replay, Replayed};

/// Traces in words.
#[derive(Clone, Debug)]
pub struct Explained {
    /// The results of the replays, in the order of the traces.
    pub replayed: Vec<Replayed>,
    /// All events, in order.
    pub lines: Vec<Line>,
    /// The story of each message to a user: those that this engine sent, or those that passed this
    /// server.
    pub stories: Vec<Story>,
}

/// Why traces cannot be explained.
#[derive(Debug, thiserror::Error)]
#[error("trace {trace}: {error}")]
pub struct ExplainError {
    /// The trace with the error, counted from 0.
    pub trace: usize,
    /// The error.
    pub error: TraceError,
}

/// Replays one trace, or several of the shards of one node, and explains them together.
///
/// The shards of a node share one clock, which orders their events. An event of one shard that
/// another one caused comes after it. A message that goes from one shard to another is one story.
///
/// # Errors
///
/// A trace cannot be replayed, see [`replay`](crate::replay). Traces are not of different shards of
/// one node.
pub fn explain<R: Read>(traces: impl IntoIterator<Item = R>) -> Result<Explained, ExplainError> {
    let mut replays: Vec<Replay<R>> = Vec::new();
    for (trace, input) in traces.into_iter().enumerate() {
        let failed = |error| ExplainError { trace, error };
        let replay = Replay::begin(input).map_err(failed)?;
        if !replays.iter().all(|other| belong_together(other.recording(), replay.recording())) {
            return Err(failed(TraceError::OtherNode));
        }
        replays.push(replay);
    }
    let mut narrator = Narrator::default();
    while let Some(trace) = narrator.mesh.next(&replays) {
        let replay = &mut replays[trace];
        let shard = replay.recording().shard();
        let mut voice = Voice { narrator: &mut narrator, shard };
        replay.step(&mut voice).map_err(|error| ExplainError { trace, error })?;
    }
    let Narrator { lines, messages, .. } = narrator;
    let replayed = replays.into_iter().map(Replay::end).collect();
    Ok(Explained { replayed, lines, stories: messages.into_stories() })
}

/// Whether the traces are of two shards of one node. Another node has another seed of its
/// placement.
fn belong_together(one: &Recording, other: &Recording) -> bool {
    match (one.placement, other.placement) {
        (Some(one), Some(other)) => {
            one.own() != other.own() && (one.count(), one.seed()) == (other.count(), other.seed())
        }
        _ => false,
    }
}
