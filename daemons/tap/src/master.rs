//! Requests of the tap to its master.

use crate::ipc::{Client, Error};
use alloy::primitives::{U64, U256};
use alloy::rpc::types::EIP1186AccountProofResponse;
use maidenlane_chain::{Address, B256, BlockRef, Bytes, keccak256};
use maidenlane_log::Watch;
use serde::Deserialize;
use serde_json::json;
use std::os::fd::AsFd as _;
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

/// A connection to geth with a subscription to its heads.
#[derive(Debug)]
pub struct Master(Client);

impl Master {
    /// Connects and subscribes.
    ///
    /// # Errors
    /// When geth is not there.
    pub fn connect(ipc: &Path) -> Result<Self, Error> {
        let mut client = Client::connect(ipc)?;
        client.call::<String>("eth_subscribe", &json!(["newHeads"]), ANSWER_WITHIN)?;
        Ok(Self(client))
    }

    /// The chain id and the hash of block 0.
    ///
    /// # Errors
    /// When geth does not answer.
    pub fn identity(&mut self) -> Result<(u64, B256), Error> {
        let id: U64 = self.0.call("eth_chainId", &json!([]), ANSWER_WITHIN)?;
        let genesis: Header = self.0.call("eth_getBlockByNumber", &json!(["0x0", false]), ANSWER_WITHIN)?;
        Ok((id.to(), genesis.hash))
    }

    /// Waits until a head may have been announced or a file was written, at most `most`. True if a file was written.
    ///
    /// # Errors
    /// When the connection broke.
    pub fn wait(&mut self, watch: &Watch, most: Duration) -> Result<bool, Error> {
        let most = if self.0.has_notification()? { Duration::ZERO } else { most };
        Ok(watch.wait(Some(self.0.as_fd()), most))
    }

    /// The next head that has been announced by now.
    ///
    /// # Errors
    /// When the connection broke.
    pub fn announced(&mut self) -> Result<Option<BlockRef>, Error> {
        Ok(self.0.notification::<Header>(Duration::ZERO)?.map(BlockRef::from))
    }

    /// The master's head now.
    ///
    /// # Errors
    /// When geth does not answer.
    pub fn head(&mut self) -> Result<BlockRef, Error> {
        let header: Header = self.0.call("eth_getBlockByNumber", &json!(["latest", false]), ANSWER_WITHIN)?;
        Ok(header.into())
    }

    /// The block behind `safe` or `finalized`, if the consensus layer has named one.
    ///
    /// # Errors
    /// When geth does not answer.
    pub fn tagged(&mut self, tag: &str) -> Result<Option<BlockRef>, Error> {
        match self.0.call::<Option<Header>>("eth_getBlockByNumber", &json!([tag, false]), ANSWER_WITHIN) {
            Ok(header) => Ok(header.map(BlockRef::from)),
            Err(error) if error.is_refusal() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// geth's name and version.
    ///
    /// # Errors
    /// When geth does not answer.
    pub fn client_version(&mut self) -> Result<String, Error> {
        self.0.call("web3_clientVersion", &json!([]), ANSWER_WITHIN)
    }

    /// A header's RLP, checked against its hash.
    ///
    /// # Errors
    /// When geth does not have it, does not answer, or answers with another header.
    pub fn raw_header(&mut self, hash: B256) -> Result<Bytes, Error> {
        let raw: Bytes = self.0.call("debug_getRawHeader", &json!([hash]), WORK_WITHIN)?;
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
        self.0.call("debug_getRawBlock", &json!([hash]), WORK_WITHIN)
    }

    /// A block's receipts, each in its consensus encoding.
    ///
    /// # Errors
    /// When geth does not have them or does not answer.
    pub fn raw_receipts(&mut self, hash: B256) -> Result<Vec<Bytes>, Error> {
        self.0.call("debug_getRawReceipts", &json!([hash]), WORK_WITHIN)
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
        self.0.call_all("eth_getProof", &params, WORK_WITHIN)
    }

    /// Moves the master's head back to block `number`, so that what follows is executed again.
    ///
    /// # Errors
    /// When geth refuses or does not answer.
    pub fn set_head(&mut self, number: u64) -> Result<(), Error> {
        self.0.call("debug_setHead", &json!([U256::from(number)]), WORK_WITHIN)
    }
}
