//! Questions to geth about its pool, on a connection of their own: what takes long there delays no head.

use super::known::Held;
use super::reason::{self, Standing};
use crate::error::Error as TapError;
use crate::ipc::{Client, Error};
use crate::master::{ANSWER_WITHIN, identity};
use crate::tail::Chain;
use alloy::consensus::Transaction as _;
use alloy::eips::eip2718::Encodable2718 as _;
use alloy::primitives::{U64, U256};
use alloy::rpc::types::Transaction as RpcTransaction;
use maidenlane_chain::{B256, BlockRef, Bytes, Transaction, keccak256};
use maidenlane_wire::Pooled;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

/// Timeout of questions whose answers have tens of megabytes.
const WORK_WITHIN: Duration = Duration::from_secs(30);
/// Questions that wait for their answers at one time: geth answers each on a goroutine of its own.
const AT_ONCE: usize = 256;

/// Accounts, and their transactions by nonce.
type BySender = BTreeMap<String, BTreeMap<String, Box<RawValue>>>;

#[derive(Deserialize)]
struct Content {
    pending: BySender,
    queued: BySender,
}

#[derive(Deserialize)]
struct Named {
    hash: B256,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Placed {
    block_hash: Option<B256>,
    block_number: Option<U64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Header {
    gas_limit: U64,
}

/// Announcements since the last question.
#[derive(Default)]
pub(super) struct Announced {
    pub(super) transactions: Vec<Held>,
    /// True if geth had forgotten the filter, and what it had collected.
    pub(super) lost: bool,
}

/// A transaction of geth's listing. Only one that was not known has been read.
pub(super) struct Listed {
    pub(super) hash: B256,
    pub(super) queued: bool,
    pub(super) new: Option<Held>,
}

/// Place of a transaction.
pub(super) enum Place {
    Pool(Box<Held>),
    Block(BlockRef),
    Nowhere,
}

/// A connection to geth with a filter that collects transactions as geth announces them.
pub(super) struct Source {
    client: Client,
    /// Id of the filter. geth forgets one that nobody asks for 5 minutes.
    filter: String,
    /// True once it was told that a transaction cannot be read.
    warned: bool,
}

impl Source {
    /// Connects and has announcements collected from now on.
    pub(super) fn connect(ipc: &Path, chain: Chain) -> Result<Self, TapError> {
        let mut client = Client::connect(ipc)?;
        let (id, genesis) = identity(&mut client)?;
        if (id, genesis) != (chain.id, chain.genesis) {
            let (wanted_id, wanted) = (chain.id, chain.genesis);
            return Err(TapError::WrongChain { wanted_id, wanted, found_id: id, found: genesis });
        }
        let filter = new_filter(&mut client)?;
        Ok(Self { client, filter, warned: false })
    }

    /// Announcements since the last question.
    pub(super) fn announced(&mut self) -> Result<Announced, Error> {
        let asked: Result<Vec<Box<RawValue>>, _> =
            self.client.call("eth_getFilterChanges", &json!([self.filter]), WORK_WITHIN);
        match asked {
            Err(error) if error.is_refusal() => {
                self.filter = new_filter(&mut self.client)?;
                Ok(Announced { transactions: Vec::new(), lost: true })
            }
            Err(error) => Err(error),
            Ok(told) => {
                let transactions = told.iter().filter_map(|json| self.read(json)).collect();
                Ok(Announced { transactions, lost: false })
            }
        }
    }

    /// All of geth's pool but transactions with blobs, which `txpool_content` leaves out.
    pub(super) fn listing(&mut self, is_known: impl Fn(&B256) -> bool) -> Result<Vec<Listed>, Error> {
        let method = "txpool_content";
        let Content { pending, queued } = self.client.call(method, &json!([]), WORK_WITHIN)?;
        let mut listed = Vec::new();
        for (senders, queued) in [(pending, false), (queued, true)] {
            for json in senders.values().flat_map(BTreeMap::values) {
                let Named { hash } = serde_json::from_str(json.get()).map_err(|error| Error::Nonsense {
                    method: method.to_owned(),
                    what: error.to_string(),
                })?;
                let new = if is_known(&hash) { None } else { self.read(json) };
                listed.push(Listed { hash, queued, new });
            }
        }
        Ok(listed)
    }

    /// The places of some transactions.
    pub(super) fn places(&mut self, hashes: &[B256]) -> Result<Vec<Place>, Error> {
        let method = "eth_getTransactionByHash";
        let params = hashes.iter().map(|hash| json!([hash]));
        let found: Vec<Option<Box<RawValue>>> = self.ask_all(method, params)?;
        let place = |json: Option<Box<RawValue>>| {
            let Some(json) = json else { return Ok(Place::Nowhere) };
            let Placed { block_hash, block_number } = serde_json::from_str(json.get())
                .map_err(|error| Error::Nonsense { method: method.to_owned(), what: error.to_string() })?;
            Ok(match block_hash.zip(block_number) {
                Some((hash, number)) => Place::Block(BlockRef::new(number.to(), hash)),
                None => self.read(&json).map_or(Place::Nowhere, |held| Place::Pool(Box::new(held))),
            })
        };
        found.into_iter().map(place).collect()
    }

    /// Why each of some transactions is in no pool and no block, where the newest state proves it.
    pub(super) fn reasons(&mut self, gone: &[Held]) -> Result<Vec<Option<&'static str>>, Error> {
        if gone.is_empty() {
            return Ok(Vec::new());
        }
        let of_senders = || gone.iter().map(|held| json!([held.pooled.sender, "latest"]));
        let nonces: Vec<U64> = self.ask_all("eth_getTransactionCount", of_senders())?;
        let balances: Vec<U256> = self.ask_all("eth_getBalance", of_senders())?;
        let latest = json!(["latest", false]);
        let Header { gas_limit } = self.client.call("eth_getBlockByNumber", &latest, ANSWER_WITHIN)?;
        let standings = nonces.iter().zip(balances);
        let standings = standings.map(|(nonce, balance)| Standing { nonce: nonce.to(), balance });
        Ok(gone.iter().zip(standings).map(|(held, at)| reason::of(held, at, gas_limit.to())).collect())
    }

    fn ask_all<T: DeserializeOwned>(
        &mut self,
        method: &str,
        params: impl Iterator<Item = Value>,
    ) -> Result<Vec<T>, Error> {
        let params: Vec<Value> = params.collect();
        let mut answers = Vec::with_capacity(params.len());
        for some in params.chunks(AT_ONCE) {
            answers.append(&mut self.client.call_all(method, some, WORK_WITHIN)?);
        }
        Ok(answers)
    }

    /// A transaction of an answer. One that cannot be read, as of a type that this build does not know, is left out.
    fn read(&mut self, json: &RawValue) -> Option<Held> {
        let read = read(json);
        if let Err(what) = &read
            && !std::mem::replace(&mut self.warned, true)
        {
            tracing::warn!("a transaction of the master's pool is left out, and others like it: {what}");
        }
        read.ok()
    }
}

fn new_filter(client: &mut Client) -> Result<String, Error> {
    client.call("eth_newPendingTransactionFilter", &json!([true]), ANSWER_WITHIN)
}

/// Reads a transaction as geth writes it. Its bytes must have the hash that geth gives it.
fn read(json: &RawValue) -> Result<Held, String> {
    let told: RpcTransaction<Transaction> =
        serde_json::from_str(json.get()).map_err(|error| error.to_string())?;
    let (tx, sender) = told.inner.into_parts();
    let raw = Bytes::from(tx.encoded_2718());
    let hash = keccak256(&raw);
    if hash != *tx.tx_hash() {
        return Err(format!("{} has the bytes of {hash}", tx.tx_hash()));
    }
    let gas_cost = U256::from(tx.gas_limit()).saturating_mul(U256::from(tx.max_fee_per_gas()));
    let blob_gas = U256::from(tx.blob_gas_used().unwrap_or_default());
    let blob_cost = blob_gas.saturating_mul(U256::from(tx.max_fee_per_blob_gas().unwrap_or_default()));
    Ok(Held {
        pooled: Pooled { hash, sender, raw },
        nonce: tx.nonce(),
        cost: gas_cost.saturating_add(blob_cost).saturating_add(tx.value()),
        gas: tx.gas_limit(),
        is_blob: tx.is_eip4844(),
        queued: false,
    })
}

#[cfg(test)]
mod tests;
