//! The published chain as far back as it is known; new heads are compared with it.

use maidenlane_chain::{B256, BlockRef};
use maidenlane_log::Offset;
use std::collections::VecDeque;

/// Number of the newest published blocks that are remembered; deeper ones are read from the feed again.
const LINKS_MAX: usize = 100_000;

/// One published block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// The block.
    pub block: BlockRef,
    /// Parent hash.
    pub parent: B256,
    /// State root.
    pub root: B256,
    /// Offset of the block's record (or the first of its parts) in the feed.
    pub offset: Offset,
}

/// Position of a block towards the published chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The published head.
    Head,
    /// An ancestor of the published head.
    Ancestor,
    /// Not on the published chain.
    Elsewhere,
    /// Older than what is remembered: read more of the feed.
    Deeper,
    /// Older than the feed itself, or another block in the place of its first one.
    BelowBase,
}

/// The newest part of the published chain, oldest first, without gaps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Published {
    links: VecDeque<Link>,
    head: Option<BlockRef>,
    /// True if the oldest link is the feed's base.
    from_base: bool,
}

impl Published {
    /// Starts the chain at a feed's base: its GENESIS or START block.
    pub fn begin(&mut self, link: Link) {
        self.links.clear();
        self.links.push_back(link);
        self.head = Some(link.block);
        self.from_base = true;
    }

    /// Takes a head of which nothing but its name is known.
    pub const fn stand_at(&mut self, head: BlockRef) {
        self.head = Some(head);
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// The published head.
    #[must_use]
    pub const fn head(&self) -> Option<BlockRef> {
        self.head
    }

    /// The link of the head; `None` also if it was reached by undoing into the unknown.
    #[must_use]
    pub fn head_link(&self) -> Option<&Link> {
        self.links.back()
    }

    /// Number of remembered blocks.
    #[must_use]
    pub fn len(&self) -> usize {
        self.links.len()
    }

    /// True if nothing is remembered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.links.is_empty()
    }

    /// True if the memory reaches down to the feed's base.
    #[must_use]
    pub const fn from_base(&self) -> bool {
        self.from_base
    }

    /// Marks the oldest link as not the base, as if older blocks had been left behind.
    #[cfg(test)]
    pub(crate) fn forget_base(&mut self) {
        self.from_base = false;
    }

    /// Moves the head to a child. False if it is no child of the head.
    #[must_use]
    pub fn advance(&mut self, link: Link) -> bool {
        if self.head.is_some_and(|head| {
            head.hash != link.parent || head.number.checked_add(1) != Some(link.block.number)
        }) {
            return false;
        }
        self.links.push_back(link);
        if self.links.len() > LINKS_MAX {
            self.links.pop_front();
            self.from_base = false;
        }
        self.head = Some(link.block);
        true
    }

    /// Moves the head back to its parent. False if `block` is not the head.
    #[must_use]
    pub fn undo(&mut self, block: BlockRef, parent: B256) -> bool {
        if self.head.is_some_and(|head| head != block) || (self.from_base && self.links.len() < 2) {
            return false;
        }
        let Some(number) = block.number.checked_sub(1) else { return false };
        self.links.pop_back();
        self.head = Some(BlockRef::new(number, parent));
        true
    }

    /// The published block at `number`, if remembered.
    #[must_use]
    pub fn at(&self, number: u64) -> Option<&Link> {
        let oldest = self.links.front()?.block.number;
        self.links.get(usize::try_from(number.checked_sub(oldest)?).ok()?)
    }

    /// Position of `block` towards the published chain.
    #[must_use]
    pub fn standing(&self, block: BlockRef) -> Standing {
        let Some(head) = self.head else { return Standing::Elsewhere };
        if block == head {
            return Standing::Head;
        }
        if block.number >= head.number {
            return Standing::Elsewhere;
        }
        match self.at(block.number) {
            Some(link) if link.block == block => Standing::Ancestor,
            Some(link) if self.from_base && self.links.front() == Some(link) => Standing::BelowBase,
            Some(_) => Standing::Elsewhere,
            None if self.from_base => Standing::BelowBase,
            None => Standing::Deeper,
        }
    }
}
