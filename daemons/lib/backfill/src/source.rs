//! Door for sources of blocks, whatever they are.

use crate::error::Error;
use maidenlane_chain::{BlockRef, Bytes};
use maidenlane_jsonrpc::client::Endpoint;
use std::fmt;
use std::path::PathBuf;

/// Address of a source, as the settings name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// A node with `debug_getRaw*`.
    Node(Endpoint),
    /// A directory of `era1` and `ere` archives.
    Era(PathBuf),
    /// A file of `geth export`, not compressed.
    Export(PathBuf),
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Node(endpoint) => endpoint.fmt(f),
            Self::Era(path) | Self::Export(path) => path.display().fmt(f),
        }
    }
}

/// Content of a block as a source has it, unchecked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// RLP of the header.
    pub header: Bytes,
    /// RLP of the body.
    pub body: Bytes,
    /// Consensus receipts, one RLP list; `None` where the source has none.
    pub receipts: Option<Bytes>,
}

/// Source of blocks. Asked downward, block after block; nothing that it says is believed.
pub trait Source {
    /// The block at this number or with this hash; `None` where the source has it not.
    ///
    /// # Errors
    /// When the source is away or damaged.
    fn block(&mut self, at: BlockRef) -> Result<Option<Found>, Error>;

    /// Receipts alone, for a block of another source.
    ///
    /// # Errors
    /// As [`Source::block`].
    fn receipts(&mut self, at: BlockRef) -> Result<Option<Bytes>, Error>;
}
