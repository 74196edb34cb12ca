//! Outputs about links, until the driver takes them.

use std::collections::VecDeque;

use rts_proto::LinkId;

use crate::link_output::LinkOutput;

/// A link is given up when this number of bytes waits for the driver. This is more than the whole
/// window of a session, so only a flood of unreliable messages reaches it.
const LINK_BYTES_MAX: usize = 4 * 1_048_576;

/// Events must not wait for the driver, so all outputs are taken from the core as soon as they
/// exist. Those about links wait here.
#[derive(Default)]
pub(crate) struct LinkQueue {
    outputs: VecDeque<LinkOutput>,
    /// Bytes to transmit among `outputs`.
    bytes: usize,
}

impl LinkQueue {
    pub(crate) fn push(&mut self, output: LinkOutput) {
        self.bytes += bytes_of(&output);
        self.outputs.push_back(output);
    }

    pub(crate) fn pop(&mut self) -> Option<LinkOutput> {
        let output = self.outputs.pop_front()?;
        self.bytes -= bytes_of(&output);
        Some(output)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.outputs.is_empty()
    }

    /// Whether so many bytes wait that their link must be given up.
    pub(crate) fn is_over_full(&self) -> bool {
        self.bytes > LINK_BYTES_MAX
    }

    /// Discards the bytes of a link that wait, and closes the link.
    pub(crate) fn give_up(&mut self, link: LinkId) {
        self.outputs.retain(|output| {
            let stays = !matches!(output, LinkOutput::Transmit(id, _) if *id == link);
            if !stays {
                self.bytes -= bytes_of(output);
            }
            stays
        });
        self.push(LinkOutput::Disconnect(link));
    }
}

fn bytes_of(output: &LinkOutput) -> usize {
    match output {
        LinkOutput::Transmit(_, bytes) => bytes.len(),
        LinkOutput::Connect(_) | LinkOutput::Disconnect(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    const OLD: LinkId = LinkId(1);
    const NEW: LinkId = LinkId(2);

    fn bytes(link: LinkId, len: usize) -> LinkOutput {
        LinkOutput::Transmit(link, Bytes::from(vec![0; len]))
    }

    #[test]
    fn takes_4_mebibytes_and_not_one_byte_more() {
        let mut queue = LinkQueue::default();
        queue.push(bytes(OLD, 4 * 1_048_576));
        assert!(!queue.is_over_full());
        queue.push(bytes(OLD, 1));
        assert!(queue.is_over_full());
        assert_eq!(queue.pop(), Some(bytes(OLD, 4 * 1_048_576)));
        assert!(!queue.is_over_full());
    }

    #[test]
    fn link_given_up_is_closed_and_the_outputs_of_others_stay() {
        let mut queue = LinkQueue::default();
        queue.push(LinkOutput::Connect(OLD));
        queue.push(bytes(OLD, 5 * 1_048_576));
        queue.push(bytes(NEW, 1));
        queue.give_up(OLD);
        assert!(!queue.is_over_full());
        let left: Vec<_> = std::iter::from_fn(|| queue.pop()).collect();
        let closed = LinkOutput::Disconnect(OLD);
        assert_eq!(left, [LinkOutput::Connect(OLD), bytes(NEW, 1), closed]);
        assert!(queue.is_empty());
    }
}
