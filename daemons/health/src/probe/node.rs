//! Questions to an execution client or a replica, over JSON-RPC: two batches a round.

use super::batch::{Answer, batch, call, parsed, read};
use super::proof;
use crate::observe::{Asks, Content, Seen, Tip};
use alloy::primitives::U64;
use maidenlane_chain::{Address, B256, BlockRef, Bytes, U256};
use maidenlane_jsonrpc::client::{Client, Endpoint, Expiry, Link, LinkError, Remote, Subscription};
use maidenlane_service::with_causes;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::json;
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Blocks whose paid accounts are kept: more than are ever compared at one time.
const KEPT_MAX: usize = 64;
/// Interval of handshakes where certificates are told.
const SHAKE_EVERY: Duration = Duration::from_secs(3_600);
/// Code that answers with the balance of the block's own account: `COINBASE BALANCE 0 MSTORE 32 0 RETURN`. Its answer comes
/// out of the EVM, and equals that of `eth_getBalance` where both read the same state.
const BALANCE_OF_COINBASE: &str = "0x413160005260206000f3";

/// Execution client or replica.
#[derive(Debug)]
pub(super) struct Node {
    link: Link,
    /// True if its connection can have subscriptions.
    announces: bool,
    expiry: Expiry,
    /// Moment of the last handshake, as far as it is known.
    shaken: Mutex<Instant>,
    /// True if it has peers.
    peers: bool,
    accounts: Vec<Address>,
    /// Accounts that blocks paid, by the hashes of those that it told of.
    paid: Mutex<BTreeMap<B256, Address>>,
    /// Time for a proof, which is asked for beside everything else and must not cost the round.
    proof_within: Duration,
}

/// Block, as far as it is looked at.
#[derive(Clone, Copy, Debug, Deserialize)]
struct Block {
    #[serde(with = "alloy::serde::quantity")]
    number: u64,
    hash: B256,
    #[serde(with = "alloy::serde::quantity")]
    timestamp: u64,
    miner: Address,
}

impl Node {
    pub(super) fn new(remote: &Remote, peers: bool, accounts: &[Address]) -> Self {
        let expiry = Expiry::default();
        Self {
            link: Link::noting(remote.clone(), expiry.clone()),
            announces: !matches!(remote.endpoint, Endpoint::Http(_)),
            expiry,
            shaken: Mutex::new(Instant::now()),
            peers,
            accounts: accounts.to_vec(),
            paid: Mutex::default(),
            proof_within: remote.timeout / 2,
        }
    }

    /// True if it may announce its heads.
    pub(super) fn announces(&self) -> bool {
        self.announces
    }

    /// Subscribes to its heads.
    pub(super) async fn subscribe(&self) -> Result<Subscription<IgnoredAny>, LinkError> {
        let client = self.link.client().await?;
        Ok(Box::pin(client.subscribe("eth", ["newHeads"])).await?)
    }

    /// Drops its connection: what it owes may never come, and would be waited for as long as that lives.
    pub(super) async fn forget(&self) {
        *self.shaken.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        self.link.forget().await;
    }

    /// Shakes hands anew from time to time: a connection that is kept knows only the certificate that it began with.
    async fn shake(&self) {
        let last = *self.shaken.lock().unwrap_or_else(PoisonError::into_inner);
        if self.expiry.at_s().is_some() && last.elapsed() >= SHAKE_EVERY {
            self.forget().await;
        }
    }

    /// Answers of a round.
    ///
    /// # Errors
    /// The server is away, or does not tell its chain or its head: whoever answers every call with an error says nothing else
    /// that could be held against it.
    pub(super) async fn ask(&self, asks: &Asks) -> Result<Seen, String> {
        self.shake().await;
        let client = self.link.client().await.map_err(|error| with_causes(&error))?;
        let (mut seen, head) = self.chain(&client, asks).await?;
        self.state(&client, asks, head, &mut seen).await?;
        seen.certificate_until_s = self.expiry.at_s();
        Ok(seen)
    }

    /// First batch: the chain as it stands. Nothing of it is kept for later rounds: a database may be put in the place of
    /// another at any time.
    async fn chain(&self, client: &Client, asks: &Asks) -> Result<(Seen, Block), String> {
        let mut calls = vec![call("eth_chainId", &json!([])), call("eth_syncing", &json!([]))];
        calls.extend(["latest", "safe", "finalized"].map(block));
        calls.extend(asks.heights.iter().map(|height| block(&format!("{height:#x}"))));
        if self.peers {
            calls.push(call("net_peerCount", &json!([])));
        }
        let mut answers = batch(client, calls).await?.into_iter();
        let mut next = || answers.next().unwrap_or_else(|| Err("no answer".to_owned()));
        let chain_id: U64 = parsed(&next()).map_err(|reason| format!("eth_chainId: {reason}"))?;
        let syncing =
            read::<serde_json::Value>(&next()).map(|syncing| syncing != serde_json::Value::Bool(false));
        let latest: Block = parsed(&next()).map_err(|reason| format!("the head: {reason}"))?;
        let [safe, finalized] = [next(), next()].map(|answer| read::<Block>(&answer));
        let mut told = Vec::new();
        for height in &asks.heights {
            told.extend(read::<Block>(&next()).filter(|block| block.number == *height));
        }
        let peers = self.peers.then(|| read::<U64>(&next())).flatten();
        self.note(&told);
        let seen = Seen {
            chain_id: Some(chain_id.to()),
            syncing,
            latest: Some(Tip {
                block: BlockRef::new(latest.number, latest.hash),
                time_s: Some(latest.timestamp),
            }),
            safe: safe.map(|block| block.number),
            finalized: finalized.map(|block| block.number),
            peers: peers.map(|peers| peers.to()),
            hashes: told.iter().map(|block| (block.number, block.hash)).collect(),
            ..Seen::default()
        };
        Ok((seen, latest))
    }

    /// Notes whom blocks paid.
    fn note(&self, told: &[Block]) {
        let mut paid = self.paid();
        paid.extend(told.iter().map(|block| (block.hash, block.miner)));
        while paid.len() > KEPT_MAX {
            let Some(other) = paid.keys().copied().find(|hash| told.iter().all(|block| block.hash != *hash))
            else {
                break;
            };
            paid.remove(&other);
        }
    }

    /// Second batch: state at its head, and at the block that all are asked about.
    async fn state(&self, client: &Client, asks: &Asks, head: Block, seen: &mut Seen) -> Result<(), String> {
        let common = asks.content.filter(|_| seen.hashes.iter().any(|(_, hash)| Some(*hash) == asks.content));
        let paid = common.and_then(|block| self.paid().get(&block).copied());
        let accounts: Vec<Address> = self.accounts.iter().copied().chain(paid).collect();
        let mut calls = vec![balance(head.miner, head.hash)];
        let input = json!({"data": BALANCE_OF_COINBASE});
        calls.push(call("eth_call", &json!([input, {"blockHash": head.hash}])));
        let compared = common.filter(|_| !accounts.is_empty());
        if let Some(block) = compared {
            calls.extend(accounts.iter().map(|account| balance(*account, block)));
        }
        let mut answers = batch(client, calls).await?.into_iter();
        let mut next = || answers.next().unwrap_or_else(|| Err("no answer".to_owned()));
        seen.state = Some(agree(&next(), &next()));
        let Some(block) = compared else { return Ok(()) };
        let balances: Option<Vec<U256>> = accounts.iter().map(|_| read::<U256>(&next())).collect();
        let Some(balances) = balances else { return Ok(()) };
        let proven = if asks.prove { self.proven(client, block, &accounts, &balances).await } else { None };
        let balances = balances.into_iter().map(B256::from).collect();
        seen.content = Some(Content { block, balances, proven });
        Ok(())
    }

    async fn proven(
        &self,
        client: &Client,
        block: B256,
        accounts: &[Address],
        balances: &[U256],
    ) -> Option<bool> {
        let proving = Box::pin(proof::proven(client, block, accounts, balances));
        tokio::time::timeout(self.proof_within, proving).await.ok().flatten()
    }

    fn paid(&self) -> std::sync::MutexGuard<'_, BTreeMap<B256, Address>> {
        self.paid.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Two reads of one balance: by the database, and by the EVM.
fn agree(database: &Answer, evm: &Answer) -> Result<(), String> {
    let balance: U256 = parsed(database)?;
    let returned: Bytes = parsed(evm)?;
    if returned.len() == 32 && U256::from_be_slice(&returned) == balance {
        return Ok(());
    }
    Err(format!("eth_getBalance says {balance}, eth_call {returned}"))
}

fn block(at: &str) -> (&'static str, Box<RawValue>) {
    call("eth_getBlockByNumber", &json!([at, false]))
}

fn balance(of: Address, block: B256) -> (&'static str, Box<RawValue>) {
    call("eth_getBalance", &json!([of, {"blockHash": block}]))
}
