//! Node that is asked for blocks by their hashes.

use crate::error::Error;
use crate::source::{Found, Source};
use maidenlane_bootstrap::master::Master;
use maidenlane_chain::{BlockRef, Bytes};
use maidenlane_jsonrpc::client::Endpoint;

/// A connected node.
#[derive(Debug)]
pub(crate) struct Node(Master);

impl Node {
    /// Connects.
    pub(crate) fn connect(endpoint: &Endpoint) -> Result<Self, Error> {
        Ok(Self(Master::connect(endpoint.clone())?))
    }
}

impl Source for Node {
    fn block(&mut self, at: BlockRef) -> Result<Option<Found>, Error> {
        let Some((header, body)) = self.0.block(at)? else { return Ok(None) };
        Ok(Some(Found { header, body, receipts: self.0.receipts(at)? }))
    }

    fn receipts(&mut self, at: BlockRef) -> Result<Option<Bytes>, Error> {
        Ok(self.0.receipts(at)?)
    }
}
