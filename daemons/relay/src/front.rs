//! JSON-RPC: the methods of searchers and wallets, and of builders that pull.
//!
//! Answers say nothing of other people's orders: what is not the caller's is as unknown as what is nowhere.

mod answers;
mod ask;
mod call;
mod called;
mod send;
mod share;
mod simulate;
mod wallet;

use crate::caller::Caller;
use crate::company::Company;
use crate::fates::Fates;
use crate::feeds::{Feed, Feeds};
use crate::metrics::Gauges;
use crate::orders::Orders;
use crate::redacted::Redacted;
use crate::repeats::Repeats;
use crate::simulator::Simulator;
use crate::tips::Tips;
use maidenlane_chain::Address;
use maidenlane_evm::pool::Pool;
use maidenlane_jsonrpc::client::Link;
use maidenlane_jsonrpc::{Api, Described, Error, Events, Json, MinBlock, Owner, codes};
use maidenlane_replay::Live;
use maidenlane_service::clock;
use serde_json::value::RawValue;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// Path of the address that wallets have from other relays for all builders, which here all get it anyway.
const FAST: &str = "/fast";
/// Answers to requests of late that are kept.
const REPEATS_MAX: usize = 262_144;

/// Terms on which orders are taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// Id of this relay.
    pub relay: [u8; 16],
    /// Blocks that an order may wait for its own.
    pub ahead_max: u64,
    /// Bytes of one order's transactions.
    pub order_bytes: usize,
    /// True where private transactions may become public.
    pub mempool: bool,
    /// Time in which a signed request that comes again is answered as before, in milliseconds.
    pub repeat_ms: u64,
    /// Builders by name, with the identity that pulls for each.
    pub builders: Vec<(String, Option<String>)>,
}

/// The methods of a relay.
#[derive(Clone)]
pub struct Front(Arc<Parts>);

/// All that is known of orders.
pub struct Known {
    /// The orders.
    pub orders: Orders,
    /// Fates of all of them.
    pub fates: Fates,
    /// Relays that read them.
    pub company: Company,
    /// Feeds that tell them.
    pub feeds: Feeds,
    /// Tips that they paid.
    pub tips: Tips,
    /// Simulator of them.
    pub simulator: Simulator,
    /// Threads for what callers have simulated.
    pub calls: Pool<Redacted<String>>,
    /// Replica that answers wallets what the relay does not.
    pub replica: Option<Link>,
}

struct Parts {
    orders: Orders,
    fates: Fates,
    company: Company,
    feeds: Feeds,
    tips: Tips,
    simulator: Simulator,
    calls: Pool<Redacted<String>>,
    replica: Option<Link>,
    chain: Arc<dyn Live>,
    terms: Terms,
    repeats: Mutex<Repeats<Json>>,
    gauges: Gauges,
    born: Instant,
}

impl Front {
    /// Methods on these orders and this chain.
    #[must_use]
    pub fn new(known: Known, chain: Arc<dyn Live>, terms: Terms, gauges: Gauges) -> Self {
        let Known { orders, fates, company, feeds, tips, simulator, calls, replica } = known;
        let repeats = Mutex::new(Repeats::new(terms.repeat_ms, REPEATS_MAX));
        Self(Arc::new(Parts {
            orders,
            fates,
            company,
            feeds,
            tips,
            simulator,
            calls,
            replica,
            chain,
            terms,
            repeats,
            gauges,
            born: Instant::now(),
        }))
    }

    /// Answers a call of a signed request that came before as it was answered then.
    async fn once(
        &self,
        caller: &Caller,
        (method, params): (&str, &str),
        answer: impl Future<Output = Result<Json, Error>>,
    ) -> Result<Json, Error> {
        let Some(request) = caller.repeat(method, params) else { return answer.await };
        let repeats = || self.0.repeats.lock().unwrap_or_else(PoisonError::into_inner);
        let now_ms = || clock::millis(self.0.born.elapsed());
        if let Some(before) = repeats().find(&request, now_ms()) {
            return Ok(before.clone());
        }
        let answer = answer.await?;
        // Whoever asks again after that wants to know what has become of it.
        if answers::is_settled(&answer) {
            repeats().keep(request, answer.clone(), now_ms());
        }
        Ok(answer)
    }
}

/// Methods with their parameters, for the OpenRPC document.
const METHODS: [(&str, &str); 21] = [
    ("eth_blockNumber", ""),
    ("eth_callBundle", "bundle"),
    ("eth_cancelBundle", "cancel"),
    ("eth_cancelPrivateTransaction", "cancel"),
    ("eth_chainId", ""),
    ("eth_getTransactionCount", "address block"),
    ("eth_sendBlobs", "blobs"),
    ("eth_sendBundle", "bundle"),
    ("eth_sendEndOfBlockBundle", "bundle"),
    ("eth_sendPrivateRawTransaction", "transaction preferences?"),
    ("eth_sendPrivateTransaction", "transaction"),
    ("eth_sendRawTransaction", "transaction"),
    ("flashbots_getBundleStatsV2", "bundle"),
    ("flashbots_getUserStatsV2", "block"),
    ("maidenlane_bundleFates", "start?"),
    ("maidenlane_bundleStatus", "bundle"),
    ("maidenlane_mevBundles", "block timestamp"),
    ("mev_sendBundle", "bundle"),
    ("mev_simBundle", "bundle block?"),
    ("net_version", ""),
    ("web3_clientVersion", ""),
];

impl Api for Front {
    type Pin = Caller;

    fn pin(&self, _: Option<Result<MinBlock, Error>>) -> impl Future<Output = Caller> + Send {
        std::future::ready(Caller::default())
    }

    fn owned(pin: Caller, owner: Owner) -> Caller {
        pin.owned(owner)
    }

    fn of_request(pin: Caller, head: &http::request::Parts, body: &[u8]) -> Caller {
        pin.signed(&head.headers, body).asking(&head.uri)
    }

    fn serves(path: &str) -> bool {
        path == "/" || path == FAST
    }

    fn block(_: &Caller) -> Option<(u64, String)> {
        None
    }

    async fn call(
        &self,
        caller: &Arc<Caller>,
        method: &str,
        params: Option<&RawValue>,
    ) -> Result<Json, Error> {
        let begun = Instant::now();
        let answer = self.answer(caller, method, params).await;
        // A label is a name of ours: what a client calls may be anything.
        if let Some((known, _)) = METHODS.iter().find(|(known, _)| *known == method) {
            self.0.gauges.called(known, answer.as_ref().err().map(|error| error.code), begun.elapsed());
        }
        answer
    }

    async fn subscribe(
        &self,
        caller: &Arc<Caller>,
        namespace: &str,
        kind: &str,
        params: Option<&RawValue>,
    ) -> Result<Events, Error> {
        match (namespace, kind) {
            ("maidenlane", "bundleFates") => self.subscribe_to(Feed::Fates, caller, params),
            ("eth", "droppedTransactions") => self.subscribe_to(Feed::Dropped, caller, params),
            ("eth", "rejectedTransactions") => self.subscribe_to(Feed::Rejected, caller, params),
            _ => Err(Error::no_subscription(namespace, kind)),
        }
    }

    fn methods(&self) -> Vec<Described> {
        METHODS.iter().map(|(name, params)| Described { name, params }).collect()
    }
}

impl Front {
    async fn answer(&self, caller: &Caller, method: &str, params: Option<&RawValue>) -> Result<Json, Error> {
        let call = (method, params.map_or("null", RawValue::get));
        match method {
            "eth_chainId" => Ok(Json::quantity(self.0.terms.chain_id)),
            "eth_blockNumber" => Ok(Json::quantity(self.0.chain.view().head().block.number)),
            "net_version" => Ok(Json::string(&self.0.terms.chain_id.to_string())),
            "web3_clientVersion" => {
                Ok(Json::Static(concat!("\"maidenlane-relay/", env!("CARGO_PKG_VERSION"), "\"")))
            }
            "eth_sendBundle" | "eth_sendEndOfBlockBundle" | "eth_sendBlobs" => {
                self.once(caller, call, self.send_bundle(caller, method, params)).await
            }
            "eth_callBundle" => self.call_bundle(caller, params).await,
            "mev_sendBundle" => self.once(caller, call, self.send_share(caller, params)).await,
            "mev_simBundle" => self.sim_share(caller, params).await,
            "eth_cancelBundle" => self.once(caller, call, self.cancel_bundle(caller, params)).await,
            "eth_sendPrivateTransaction" => self.once(caller, call, self.send_private(caller, params)).await,
            "eth_sendPrivateRawTransaction" => {
                self.once(caller, call, self.send_private_raw(caller, params)).await
            }
            "eth_cancelPrivateTransaction" => {
                self.once(caller, call, self.cancel_private(caller, params)).await
            }
            "flashbots_getBundleStatsV2" => self.bundle_stats(caller, params),
            "flashbots_getUserStatsV2" => self.user_stats(caller, params),
            "maidenlane_bundleFates" => self.bundle_fates(caller, params),
            "maidenlane_bundleStatus" => self.bundle_status(caller, params),
            "maidenlane_mevBundles" => self.mev_bundles(caller, params),
            "eth_getTransactionCount" => self.transaction_count(caller, params).await,
            "eth_sendRawTransaction" => self.once(caller, call, self.send_from_wallet(caller, params)).await,
            other => self.passed(other, params).await,
        }
    }
}

/// Address that the orders of a caller belong to.
fn signer(caller: &Caller) -> Result<Address, Error> {
    Ok(caller.signer()?)
}

/// Error with a word for programs.
fn refused(code: i32, reason: &str, text: String) -> Error {
    let data = Json::object(|object| maidenlane_jsonrpc::json::push_str(object.value("reason"), reason));
    Error::new(code, text).with_data(data)
}

/// Error where the chain's head is not known well enough to say what is due.
fn stale(reason: &str) -> Error {
    refused(codes::STALE, "stale", format!("the chain is not followed, send it to another relay: {reason}"))
}
