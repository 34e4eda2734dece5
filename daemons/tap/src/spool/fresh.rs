//! Cache of frames that were just written, kept until their block is asked for.
//!
//! # Why
//! At the head a block is published a moment after it was found: its frames were read and checked then, and need be
//! read neither from the disk nor checked again. Of a backlog, only the newest fit; the others are read when their turn
//! comes.

use maidenlane_chain::B256;
use maidenlane_wire::frame::{Checked, Frame, FrameError};
use std::collections::VecDeque;

/// The checked frames of one block, undecoded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Frames(Vec<(u8, Vec<u8>)>);

impl Frames {
    pub(super) fn push(&mut self, frame: Checked<'_>) {
        self.0.push((frame.kind, frame.payload.to_vec()));
    }

    pub(super) fn decode(&self) -> Result<Vec<Frame>, FrameError> {
        self.0.iter().map(|(kind, payload)| Checked { kind: *kind, payload }.decode()).collect()
    }

    fn bytes(&self) -> usize {
        self.0.iter().map(|(_, payload)| payload.len()).sum()
    }
}

/// The newest blocks' frames, up to a number of bytes.
#[derive(Debug)]
pub(super) struct Fresh {
    blocks: VecDeque<(B256, Frames)>,
    bytes: usize,
    bytes_max: usize,
}

impl Fresh {
    pub(super) const fn new(bytes_max: usize) -> Self {
        Self { blocks: VecDeque::new(), bytes: 0, bytes_max }
    }

    /// Adds a block's frames, in place of what its last execution left; drops the oldest beyond the limit.
    pub(super) fn push(&mut self, block: B256, frames: Frames) {
        self.take(&block);
        self.bytes = self.bytes.saturating_add(frames.bytes());
        self.blocks.push_back((block, frames));
        while self.bytes > self.bytes_max
            && let Some((_, oldest)) = self.blocks.pop_front()
        {
            self.bytes = self.bytes.saturating_sub(oldest.bytes());
        }
    }

    pub(super) fn take(&mut self, block: &B256) -> Option<Frames> {
        let at = self.blocks.iter().rposition(|(hash, _)| hash == block)?;
        let (_, frames) = self.blocks.remove(at)?;
        self.bytes = self.bytes.saturating_sub(frames.bytes());
        Some(frames)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_are_kept_as_far_as_they_fit() {
        let mut fresh = Fresh::new(10);
        let frames = |len: usize| Frames(vec![(3, vec![0; len]), (4, Vec::new())]);
        let block = B256::repeat_byte;
        for (name, len) in [(1, 4), (2, 4), (3, 4)] {
            fresh.push(block(name), frames(len));
        }
        assert_eq!(fresh.take(&block(1)), None);
        assert_eq!((fresh.take(&block(3)), fresh.bytes), (Some(frames(4)), 4));
        assert_eq!(fresh.take(&block(3)), None);
        fresh.push(block(2), frames(3));
        assert_eq!(fresh.bytes, 3);
        fresh.push(block(4), frames(11));
        assert_eq!((fresh.take(&block(2)), fresh.take(&block(4)), fresh.bytes), (None, None, 0));
    }
}
