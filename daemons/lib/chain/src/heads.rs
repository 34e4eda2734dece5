//! From one head to another: which blocks leave the canonical chain, and which join it.

use crate::{B256, BlockRef};

/// One step of a head change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// The head goes back from this block to its parent.
    Undo(BlockRef),
    /// The head goes on to this block, a child of the one before.
    Advance(BlockRef),
}

/// Why there is no way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoWay {
    /// The parent of a block on the way is not known.
    #[error("the parent of block {0} is not known")]
    Unknown(BlockRef),
    /// The chains do not share their block 0.
    #[error("the two heads have different genesis blocks")]
    Strangers,
    /// More steps than allowed.
    #[error("more than {steps_max} steps lie between the two heads")]
    TooFar {
        /// The limit.
        steps_max: usize,
    },
}

/// The shortest way from one head to another: first undo down to the last common block, then advance.
///
/// # Errors
/// When an ancestor is unknown, or the way longer than `steps_max`.
pub fn steps(
    from: BlockRef,
    to: BlockRef,
    steps_max: usize,
    mut parent_of: impl FnMut(&BlockRef) -> Option<B256>,
) -> Result<Vec<Step>, NoWay> {
    let mut below = |block: BlockRef| {
        let number = block.number.checked_sub(1).ok_or(NoWay::Strangers)?;
        parent_of(&block).map(|hash| BlockRef { number, hash }).ok_or(NoWay::Unknown(block))
    };
    let (mut old, mut new) = (from, to);
    let (mut undone, mut advanced) = (Vec::new(), Vec::new());
    while old != new {
        if undone.len() + advanced.len() >= steps_max {
            return Err(NoWay::TooFar { steps_max });
        }
        // The higher one goes down; at equal height the old one first, the new one in the next round.
        if old.number >= new.number {
            undone.push(Step::Undo(old));
            old = below(old)?;
        } else {
            advanced.push(Step::Advance(new));
            new = below(new)?;
        }
    }
    undone.extend(advanced.into_iter().rev());
    Ok(undone)
}

#[cfg(test)]
mod tests;
