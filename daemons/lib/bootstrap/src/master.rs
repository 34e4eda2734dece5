//! Headers, bodies and receipts from a node, as consensus bytes, each held against its hash; the door for other sources of
//! these.

use crate::error::Error;
use maidenlane_chain::block::{self, block_hash, decode_header};
use maidenlane_chain::{B256, BlockRef, Bytes, receipts};
use maidenlane_jsonrpc::client::{Client, Endpoint, Options};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::runtime::{Builder, Runtime};

/// Headers below a block that its state can ask for, by BLOCKHASH.
pub const ANCESTORS: usize = 256;

/// Where blocks from before the feed come from.
pub trait Blocks {
    /// Checks that they are of this chain, and returns the hash of block 0.
    ///
    /// # Errors
    /// [`Error::Chain`] and [`Error::Genesis`].
    fn genesis(&self, chain_id: u64, genesis: Option<B256>) -> Result<B256, Error>;

    /// Header of a block: a hash, a number as 0x and hexadecimal digits, or a tag.
    ///
    /// # Errors
    /// When there is none, or it cannot be had.
    fn header(&self, block: &str) -> Result<Header, Error>;

    /// Body and receipts of a block; none where they were dropped.
    ///
    /// # Errors
    /// When they cannot be had, or are not what the header says.
    fn content(&self, header: &Header) -> Result<Option<Content>, Error>;

    /// Header of the block before another, as that names it.
    ///
    /// # Errors
    /// As [`Blocks::header`].
    fn parent(&self, of: &Header) -> Result<Header, Error> {
        self.header(&of.parent.to_string())
    }

    /// Headers of a block and of those that its state can ask for, the newest first.
    ///
    /// # Errors
    /// As [`Blocks::header`].
    fn ancestry(&self, block: Header) -> Result<Vec<Header>, Error> {
        let mut all = vec![block];
        while all.len() <= ANCESTORS
            && let Some(last) = all.last().filter(|last| last.at.number > 0)
        {
            let (at, header) = (last.before(), self.parent(last)?);
            if header.at != at {
                return Err(Error::NoBlock(at.to_string()));
            }
            all.push(header);
        }
        Ok(all)
    }
}

/// A node that is asked, one question at a time.
pub struct Master {
    client: Client,
    runtime: Runtime,
}

/// RLP of a block's body, and of its receipts.
pub type Content = (Bytes, Bytes);

/// Header of a block, decoded as far as anything here needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// Number and hash.
    pub at: BlockRef,
    /// Hash of the block before.
    pub parent: B256,
    /// Root of the state after it.
    pub state_root: B256,
    /// RLP.
    pub raw: Bytes,
}

impl std::fmt::Debug for Master {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Master").field("client", &self.client).finish_non_exhaustive()
    }
}

impl Master {
    /// Connects.
    ///
    /// # Errors
    /// When the node is not there.
    pub fn connect(endpoint: Endpoint) -> Result<Self, Error> {
        // A thread of its own answers the node's pings in the hours in which nothing is asked.
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.map_err(Error::Thread)?;
        // A block of a busy chain with its receipts has some megabytes, twice as much in hexadecimal.
        let options = Options { answer_bytes_max: 256 << 20, ..Options::default() };
        let client = runtime.block_on(Client::connect(endpoint, options))?;
        Ok(Self { client, runtime })
    }

    /// Header and body of a block, unchecked; none where they were dropped.
    ///
    /// # Errors
    /// When they cannot be had.
    pub fn block(&self, at: BlockRef) -> Result<Option<(Bytes, Bytes)>, Error> {
        let Some(raw) = self.raw::<Bytes>("debug_getRawBlock", &at.hash.to_string())? else {
            return Ok(None);
        };
        block::split(&raw).map(Some).map_err(|source| Error::Block { block: at, source })
    }

    /// Receipts of a block, unchecked; none where they were dropped.
    ///
    /// # Errors
    /// When they cannot be had.
    pub fn receipts(&self, at: BlockRef) -> Result<Option<Bytes>, Error> {
        let list = self.raw::<Vec<Bytes>>("debug_getRawReceipts", &at.hash.to_string())?;
        Ok(list.map(|list| receipts::list_of(&list)))
    }

    /// Calls any method.
    ///
    /// # Errors
    /// As the node answers.
    pub fn call<R: DeserializeOwned>(&self, method: &str, params: Value) -> Result<R, Error> {
        Ok(self.runtime.block_on(self.client.call(method, params))?)
    }

    /// Answer about one block; none where the node has it not.
    fn raw<R: DeserializeOwned>(&self, method: &str, block: &str) -> Result<Option<R>, Error> {
        match self.runtime.block_on(self.client.call(method, json!([block]))) {
            Ok(found) => Ok(Some(found)),
            Err(error) if error.rpc().is_some_and(is_unknown) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

impl Blocks for Master {
    fn genesis(&self, chain_id: u64, genesis: Option<B256>) -> Result<B256, Error> {
        let id: alloy::primitives::U64 = self.call("eth_chainId", json!([]))?;
        if id.to::<u64>() != chain_id {
            return Err(Error::Chain { expected: chain_id, found: id.to() });
        }
        let found = self.header("0x0")?.at.hash;
        match genesis {
            Some(expected) if expected != found => Err(Error::Genesis { expected, found }),
            _ => Ok(found),
        }
    }

    fn header(&self, block: &str) -> Result<Header, Error> {
        let raw: Option<Bytes> = self.raw("debug_getRawHeader", block)?;
        // geth has an empty answer for a number that it has not reached.
        match raw.filter(|raw| !raw.is_empty()) {
            Some(raw) => Header::of(raw),
            None => Err(Error::NoBlock(block.to_owned())),
        }
    }

    fn content(&self, header: &Header) -> Result<Option<Content>, Error> {
        let at = header.at;
        let Some((_, body)) = self.block(at)? else { return Ok(None) };
        let Some(receipts) = self.receipts(at)? else { return Ok(None) };
        let checked = block::check(at.hash, &header.raw, &body, &receipts);
        checked.map_err(|source| Error::Block { block: at, source })?;
        Ok(Some((body, receipts)))
    }
}

impl Header {
    /// The block before.
    #[must_use]
    pub const fn before(&self) -> BlockRef {
        BlockRef::new(self.at.number.saturating_sub(1), self.parent)
    }

    /// Decodes a header.
    ///
    /// # Errors
    /// When it is none.
    pub fn of(raw: Bytes) -> Result<Self, Error> {
        let hash = block_hash(&raw);
        let decoded =
            decode_header(&raw).map_err(|source| Error::Block { block: BlockRef::new(0, hash), source })?;
        let at = BlockRef::new(decoded.number, hash);
        Ok(Self { at, parent: decoded.parent_hash, state_root: decoded.state_root, raw })
    }
}

/// True if the node says that it has no such block, or no longer. A method that it lacks is another matter.
fn is_unknown(error: &maidenlane_jsonrpc::Error) -> bool {
    const PRUNED: i32 = 4444;
    const SERVER: i32 = -32_000;
    error.code == PRUNED || error.code == SERVER && error.message.contains("not found")
}

#[cfg(test)]
mod tests {
    use super::is_unknown;
    use maidenlane_jsonrpc::Error;

    #[test]
    fn a_method_that_a_node_lacks_is_no_block_that_it_lacks() {
        let error = |code, message: &'static str| Error { code, message: message.into(), data: None };
        assert!(is_unknown(&error(-32_000, "header #17 not found")));
        assert!(is_unknown(&error(4444, "pruned history unavailable")));
        assert!(!is_unknown(&error(-32_601, "Method not found")));
    }
}
