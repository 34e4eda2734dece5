//! Events of an adoption, for the operator who waits.

use maidenlane_chain::BlockRef;

/// Something that happens during an adoption.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A copy is made.
    Copying,
    /// A copy goes back, below what is on geth's disk.
    Rewinding {
        /// Block whose state is on the disk.
        from: BlockRef,
        /// Block to which it goes back.
        to: BlockRef,
    },
    /// Blocks are executed with the hook.
    Executing {
        /// The last block that is not.
        base: BlockRef,
        /// The last one that is.
        head: u64,
    },
    /// geth is to be started now, with the hook.
    Start {
        /// Time for which it could not run, in milliseconds.
        downtime_ms: u64,
    },
    /// The state is exported, while geth runs.
    Exporting,
}
