//! Segment log: a topic on one machine, as files that many processes append to and read.
//!
//! An entry is acknowledged after its fdatasync; readers never pass the mark that is published after it. Writers
//! take turns under a `flock`, so the order in the file is the order. See `topic` for the layout of the directory
//! and `frame` for that of a file.
//!
//! # Why
//! One machine with one disk gains nothing from a broker that acknowledges before it syncs: a feed at one block a
//! second or ten costs a sync each, and no server has to be run.

mod consumer;
mod files;
mod frame;
mod group;
mod index;
mod inspect;
mod mark;
mod partition;
mod producer;
mod topic;
mod turns;
mod unconsumed;
mod walk;

#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::time::Duration;

pub use consumer::Consumer;
pub use group::Group;
pub use inspect::{PartitionInfo, SegmentInfo, cut, end, inspect, partitions, topics, verify};
pub use producer::Producer;
pub use topic::{check, create, partition_of, shorten};
pub use turns::Turns;
pub use unconsumed::unconsumed;

/// Location of the segment log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Directory that holds one directory per topic.
    pub dir: PathBuf,
    /// Timeout of a wait for other writers of the same topic.
    pub lock_wait: Duration,
}

impl Options {
    /// A log in `dir`, everything else by default.
    #[must_use]
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into(), lock_wait: Duration::from_secs(30) }
    }
}
