//! Questions to an execution client or a replica, over JSON-RPC: two batches a round.

use super::proof;
use crate::observe::{Asks, Content, Seen, Tip};
use maidenlane_chain::{Address, B256, BlockRef, Bytes, U256};
use maidenlane_jsonrpc::client::{Client, Link, LinkError, Remote};
use serde::Deserialize;
use serde_json::json;
use serde_json::value::{RawValue, to_raw_value};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// Hashes that are kept: those of blocks that are final need no second question.
const KEPT_MAX: usize = 64;
/// Code that answers with the balance of the block's own account: `COINBASE BALANCE 0 MSTORE 32 0 RETURN`. Its answer comes
/// out of the EVM, and equals that of `eth_getBalance` where both read the same state.
const BALANCE_OF_COINBASE: &str = "0x413160005260206000f3";

/// Execution client or replica.
#[derive(Debug)]
pub(super) struct Node {
    link: Link,
    /// True if it has peers.
    peers: bool,
    accounts: Vec<Address>,
    known: Mutex<Known>,
}

/// Blocks that it told of.
#[derive(Debug, Default)]
struct Known {
    final_hashes: BTreeMap<u64, B256>,
    /// Accounts that blocks paid, by hash.
    paid: BTreeMap<B256, Address>,
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

type Answer = Result<Box<RawValue>, String>;

impl Node {
    pub(super) fn new(remote: &Remote, peers: bool, accounts: &[Address]) -> Self {
        Self { link: Link::new(remote.clone()), peers, accounts: accounts.to_vec(), known: Mutex::default() }
    }

    pub(super) async fn ask(&self, asks: &Asks) -> Result<Seen, LinkError> {
        let client = self.link.client().await?;
        let (mut seen, head) = self.chain(&client, asks).await?;
        self.state(&client, asks, head, &mut seen).await?;
        Ok(seen)
    }

    /// First batch: the chain as it stands.
    async fn chain(&self, client: &Client, asks: &Asks) -> Result<(Seen, Option<Block>), LinkError> {
        let mut calls = vec![call("eth_chainId", &json!([])), call("eth_syncing", &json!([]))];
        calls.extend(["latest", "safe", "finalized"].map(block));
        let unknown: Vec<u64> = {
            let known = self.known();
            asks.heights.iter().copied().filter(|height| !known.final_hashes.contains_key(height)).collect()
        };
        calls.extend(unknown.iter().map(|height| block(&format!("{height:#x}"))));
        if self.peers {
            calls.push(call("net_peerCount", &json!([])));
        }
        let mut answers = batch(client, calls).await?.into_iter();
        let mut next = || answers.next().unwrap_or_else(|| Err("no answer".to_owned()));
        let chain_id = read::<alloy::primitives::U64>(&next());
        let syncing =
            read::<serde_json::Value>(&next()).map(|syncing| syncing != serde_json::Value::Bool(false));
        let [latest, safe, finalized] = [next(), next(), next()].map(|answer| read::<Block>(&answer));
        let mut told = Vec::new();
        for height in unknown {
            told.extend(read::<Block>(&next()).filter(|block| block.number == height));
        }
        let peers = self.peers.then(|| read::<alloy::primitives::U64>(&next())).flatten();
        let mut seen = Seen {
            chain_id: chain_id.map(|id| id.to()),
            syncing,
            latest: latest.map(|block| Tip {
                block: BlockRef::new(block.number, block.hash),
                time_s: Some(block.timestamp),
            }),
            safe: safe.map(|block| block.number),
            finalized: finalized.map(|block| block.number),
            peers: peers.map(|peers| peers.to()),
            ..Seen::default()
        };
        seen.hashes = self.note(&asks.heights, &told, seen.finalized);
        Ok((seen, latest))
    }

    /// Notes what it told, and returns the hashes that are known of it at the heights that were asked for.
    fn note(&self, heights: &[u64], told: &[Block], finalized: Option<u64>) -> Vec<(u64, B256)> {
        let mut known = self.known();
        for block in told {
            if finalized.is_some_and(|finalized| block.number <= finalized) || block.number == 0 {
                known.final_hashes.insert(block.number, block.hash);
            }
            known.paid.insert(block.hash, block.miner);
        }
        // The genesis stays.
        while known.final_hashes.len() > KEPT_MAX {
            let Some(oldest) = known.final_hashes.keys().copied().find(|number| *number > 0) else { break };
            known.final_hashes.remove(&oldest);
        }
        while known.paid.len() > KEPT_MAX {
            known.paid.pop_first();
        }
        let hash = |height: &u64| {
            let fresh = told.iter().find(|block| block.number == *height).map(|block| block.hash);
            fresh.or_else(|| known.final_hashes.get(height).copied()).map(|hash| (*height, hash))
        };
        heights.iter().filter_map(hash).collect()
    }

    /// Second batch: state at its head, and at the block that all are asked about.
    async fn state(
        &self,
        client: &Client,
        asks: &Asks,
        head: Option<Block>,
        seen: &mut Seen,
    ) -> Result<(), LinkError> {
        let Some(head) = head else { return Ok(()) };
        let common = asks.content.filter(|_| seen.hashes.iter().any(|(_, hash)| Some(*hash) == asks.content));
        let paid = common.and_then(|block| self.known().paid.get(&block).copied());
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
        let proven =
            if asks.prove { proof::proven(client, block, &accounts, &balances).await? } else { None };
        let balances = balances.into_iter().map(B256::from).collect();
        seen.content = Some(Content { block, balances, proven });
        Ok(())
    }

    fn known(&self) -> std::sync::MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
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

fn call(method: &'static str, params: &serde_json::Value) -> (&'static str, Box<RawValue>) {
    (method, to_raw_value(params).unwrap_or_else(|_| RawValue::NULL.to_owned()))
}

fn block(at: &str) -> (&'static str, Box<RawValue>) {
    call("eth_getBlockByNumber", &json!([at, false]))
}

fn balance(of: Address, block: B256) -> (&'static str, Box<RawValue>) {
    call("eth_getBalance", &json!([of, {"blockHash": block}]))
}

async fn batch(client: &Client, calls: Vec<(&'static str, Box<RawValue>)>) -> Result<Vec<Answer>, LinkError> {
    let answers = Box::pin(client.batch::<Box<RawValue>>(calls)).await?;
    Ok(answers.into_iter().map(|answer| answer.map_err(|error| error.to_string())).collect())
}

fn parsed<T: serde::de::DeserializeOwned>(answer: &Answer) -> Result<T, String> {
    let text = answer.as_ref().map_err(Clone::clone)?;
    serde_json::from_str(text.get()).map_err(|error| error.to_string())
}

/// Value of an answer; `None` where there is none, or it is something else.
fn read<T: serde::de::DeserializeOwned>(answer: &Answer) -> Option<T> {
    parsed(answer).ok()
}
