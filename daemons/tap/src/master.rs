//! Requests of the tap to its master.
//!
//! # Why heads are asked for
//! geth writes to those who subscribe while it holds the lock of its chain, and gives each that does not read 10 s: a
//! stopped or busy reader of `newHeads` would hold up every block. A filter names the same heads in the same order, and
//! costs geth an append to a list; the answers that a stopped tap leaves unread hold up nobody.

use crate::ipc::{Client, Error};
use alloy::primitives::{U64, U256};
use alloy::rpc::types::EIP1186AccountProofResponse;
use maidenlane_chain::{Address, B256, BlockRef, Bytes, keccak256};
use serde::Deserialize;
use serde_json::json;
use std::path::Path;
use std::time::Duration;

/// Timeout of small requests: a master that takes longer counts as silent.
pub const ANSWER_WITHIN: Duration = Duration::from_secs(1);
/// Timeout of requests for whole blocks and proofs, and of `debug_setHead`.
const WORK_WITHIN: Duration = Duration::from_secs(30);

#[derive(Deserialize)]
struct Header {
    number: U64,
    hash: B256,
}

impl From<Header> for BlockRef {
    fn from(header: Header) -> Self {
        Self::new(header.number.to(), header.hash)
    }
}

/// A connection to geth with a filter that collects the heads it announces.
#[derive(Debug)]
pub struct Master {
    client: Client,
    /// Id of the filter. geth forgets one that nobody asks for 5 minutes.
    heads: String,
}

impl Master {
    /// Connects and has heads collected from now on.
    ///
    /// # Errors
    /// When geth is not there.
    pub fn connect(ipc: &Path) -> Result<Self, Error> {
        let mut client = Client::connect(ipc)?;
        let heads = new_filter(&mut client)?;
        Ok(Self { client, heads })
    }

    /// The chain id and the hash of block 0.
    ///
    /// # Errors
    /// When geth does not answer.
    pub fn identity(&mut self) -> Result<(u64, B256), Error> {
        identity(&mut self.client)
    }

    /// Hashes of the heads announced since the last call, oldest first. Those that a forgotten filter had collected are
    /// lost, and only [`Master::head`] says where the master stands.
    ///
    /// # Errors
    /// When geth does not answer.
    pub fn announced(&mut self) -> Result<Vec<B256>, Error> {
        match self.client.call("eth_getFilterChanges", &json!([self.heads]), ANSWER_WITHIN) {
            Err(error) if error.is_refusal() => {
                self.heads = new_filter(&mut self.client)?;
                Ok(Vec::new())
            }
            hashes => hashes,
        }
    }

    /// A block that geth knows, on any branch.
    ///
    /// # Errors
    /// When geth does not answer.
    pub fn block(&mut self, hash: B256) -> Result<Option<BlockRef>, Error> {
        let header: Option<Header> =
            self.client.call("eth_getBlockByHash", &json!([hash, false]), ANSWER_WITHIN)?;
        Ok(header.map(BlockRef::from))
    }

    /// The master's head now.
    ///
    /// # Errors
    /// When geth does not answer.
    pub fn head(&mut self) -> Result<BlockRef, Error> {
        let header: Header =
            self.client.call("eth_getBlockByNumber", &json!(["latest", false]), ANSWER_WITHIN)?;
        Ok(header.into())
    }

    /// The block behind `safe` or `finalized`, if the consensus layer has named one.
    ///
    /// # Errors
    /// When geth does not answer.
    pub fn tagged(&mut self, tag: &str) -> Result<Option<BlockRef>, Error> {
        match self.client.call::<Option<Header>>("eth_getBlockByNumber", &json!([tag, false]), ANSWER_WITHIN)
        {
            Ok(header) => Ok(header.map(BlockRef::from)),
            Err(error) if error.is_refusal() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The id of geth's network, which its operator chooses.
    ///
    /// # Errors
    /// When geth does not answer.
    pub fn network_id(&mut self) -> Result<u64, Error> {
        let method = "net_version";
        let id: String = self.client.call(method, &json!([]), ANSWER_WITHIN)?;
        id.parse().map_err(|_| Error::Nonsense { method: method.to_owned(), what: format!("{id:?}") })
    }

    /// A header's RLP, checked against its hash.
    ///
    /// # Errors
    /// When geth does not have it, does not answer, or answers with another header.
    pub fn raw_header(&mut self, hash: B256) -> Result<Bytes, Error> {
        let raw: Bytes = self.client.call("debug_getRawHeader", &json!([hash]), WORK_WITHIN)?;
        if keccak256(&raw) == hash {
            return Ok(raw);
        }
        let what = format!("the header of {hash} has hash {}", keccak256(&raw));
        Err(Error::Nonsense { method: "debug_getRawHeader".to_owned(), what })
    }

    /// A block's RLP.
    ///
    /// # Errors
    /// When geth does not have it or does not answer.
    pub fn raw_block(&mut self, hash: B256) -> Result<Bytes, Error> {
        self.client.call("debug_getRawBlock", &json!([hash]), WORK_WITHIN)
    }

    /// A block's receipts, each in its consensus encoding.
    ///
    /// # Errors
    /// When geth does not have them or does not answer.
    pub fn raw_receipts(&mut self, hash: B256) -> Result<Vec<Bytes>, Error> {
        self.client.call("debug_getRawReceipts", &json!([hash]), WORK_WITHIN)
    }

    /// Merkle proofs of accounts, each with some of its slots, after block `hash`.
    ///
    /// # Errors
    /// When geth no longer has that state, or does not answer.
    pub fn proofs(
        &mut self,
        wanted: impl Iterator<Item = (Address, Vec<B256>)>,
        hash: B256,
    ) -> Result<Vec<EIP1186AccountProofResponse>, Error> {
        let params: Vec<_> = wanted.map(|(address, slots)| json!([address, slots, hash])).collect();
        self.client.call_all("eth_getProof", &params, WORK_WITHIN)
    }

    /// Moves the master's head back to block `number`, so that what follows is executed again.
    ///
    /// # Errors
    /// When geth refuses or does not answer.
    pub fn set_head(&mut self, number: u64) -> Result<(), Error> {
        self.client.call("debug_setHead", &json!([U256::from(number)]), WORK_WITHIN)
    }
}

/// The chain id and the hash of block 0.
pub(crate) fn identity(client: &mut Client) -> Result<(u64, B256), Error> {
    let id: U64 = client.call("eth_chainId", &json!([]), ANSWER_WITHIN)?;
    // Of its block, a geth whose history has expired has nothing but the header.
    let genesis: Header = client.call("eth_getHeaderByNumber", &json!(["0x0"]), ANSWER_WITHIN)?;
    Ok((id.to(), genesis.hash))
}

fn new_filter(client: &mut Client) -> Result<String, Error> {
    client.call("eth_newBlockFilter", &json!([]), ANSWER_WITHIN)
}
