//! Questions to an execution client or a replica, over JSON-RPC: one batch a round, mostly.
//!
//! # Why state is not read at the head's hash
//! Hash and paid account of a head are known once it was told. So the account that the head before paid is read along with the chain,
//! at the latest block. Where the two reads of it differ, a block may have come between them: they are made again, at the head's
//! hash, and only that counts.

use super::batch::{Answer, Call, batch, call, parsed, read};
use super::proof;
use super::state::Reads;
use crate::observe::{Asks, Content, Seen, Tip};
use alloy::primitives::U64;
use maidenlane_chain::{Address, B256, BlockRef, U256};
use maidenlane_jsonrpc::client::{Client, Endpoint, Expiry, Link, LinkError, Remote, Subscription};
use maidenlane_service::with_causes;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Blocks whose paid accounts are kept: more than are ever compared at one time.
const KEPT_MAX: usize = 64;
/// Interval of handshakes where certificates are told.
const SHAKE_EVERY: Duration = Duration::from_secs(3_600);
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
    /// Account that the last head paid.
    account: Mutex<Option<Address>>,
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
            account: Mutex::default(),
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
        let account = *self.account();
        let along = account.map(|account| Reads {
            account,
            at: json!("latest"),
            compared: self.compared(asks.content),
        });
        let calls = along.as_ref().map(Reads::calls).unwrap_or_default();
        let (mut seen, head, rest) = self.chain(&client, asks, calls).await?;
        *self.account() = Some(head.miner);
        let told_it = |block: &B256| seen.hashes.iter().any(|(_, hash)| hash == block);
        let compared = self.compared(asks.content.filter(told_it));
        let along = along.filter(|reads| compared.is_none() || reads.compared == compared);
        let told = match along.map(|reads| reads.told(rest)).filter(|told| told.state.is_ok()) {
            Some(told) => told,
            None => {
                let at = json!({ "blockHash": head.hash });
                let reads = Reads { account: head.miner, at, compared: compared.clone() };
                reads.told(batch(&client, reads.calls()).await?)
            }
        };
        seen.state = Some(told.state);
        if let (Some((block, accounts)), Some(balances)) = (compared, told.balances) {
            let proven =
                if asks.prove { self.proven(&client, block, &accounts, &balances).await } else { None };
            let balances = balances.into_iter().map(B256::from).collect();
            seen.content = Some(Content { block, balances, proven });
        }
        seen.certificate_until_s = self.expiry.at_s();
        Ok(seen)
    }

    /// Accounts that are compared at a block; `None` where there are none.
    fn compared(&self, block: Option<B256>) -> Option<(B256, Vec<Address>)> {
        let block = block?;
        let paid = self.paid().get(&block).copied();
        let accounts: Vec<Address> = self.accounts.iter().copied().chain(paid).collect();
        (!accounts.is_empty()).then_some((block, accounts))
    }

    /// The chain as it stands, and the answers to what is asked along with it. Nothing of it is kept for later rounds: a database
    /// may be put in the place of another at any time.
    async fn chain(
        &self,
        client: &Client,
        asks: &Asks,
        along: Vec<Call>,
    ) -> Result<(Seen, Block, Vec<Answer>), String> {
        let mut calls = vec![call("eth_chainId", &json!([])), call("eth_syncing", &json!([]))];
        calls.extend(["latest", "safe", "finalized"].map(block));
        calls.extend(asks.heights.iter().map(|height| block(&format!("{height:#x}"))));
        if self.peers {
            calls.push(call("net_peerCount", &json!([])));
        }
        calls.extend(along);
        let mut answers = batch(client, calls).await?.into_iter();
        let mut next = || answers.next().unwrap_or_else(|| Err("no answer".to_owned()));
        let chain_id: U64 = parsed(&next()).map_err(|reason| format!("eth_chainId: {reason}"))?;
        let syncing =
            read::<serde_json::Value>(&next()).map(|syncing| syncing != serde_json::Value::Bool(false));
        let latest: Block = parsed(&next()).map_err(|reason| format!("the head: {reason}"))?;
        let [safe, finalized] = [next(), next()].map(|answer| read::<Block>(&answer));
        let mut told = Vec::new();
        for height in &asks.heights {
            let block = read::<Block>(&next());
            if let Some(other) = block.filter(|block| block.number != *height) {
                return Err(format!("asked for block {height}, it told block {}", other.number));
            }
            told.extend(block);
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
        Ok((seen, latest, answers.collect()))
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

    fn account(&self) -> std::sync::MutexGuard<'_, Option<Address>> {
        self.account.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn paid(&self) -> std::sync::MutexGuard<'_, BTreeMap<B256, Address>> {
        self.paid.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn block(at: &str) -> Call {
    call("eth_getBlockByNumber", &json!([at, false]))
}
