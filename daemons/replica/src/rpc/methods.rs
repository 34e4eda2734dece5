//! The table of methods: name, parameters, kind and handler of each. Answers, refusals and `/openrpc.json` follow from
//! it, and a test holds the guide's table of every method to it.

use super::cold::{self, Miss};
use super::debug::walk::Query;
use super::debug::{raw, roots, trace_block, trace_call, walk, witness};
use super::eth::lookup::{hash, number, raw_nth};
use super::eth::{access_list, accounts, call, chain, estimate, facts, fee_history, fees, fill, filters};
use super::eth::{logs, lookup, proof, send, simulate, state};
use super::execute::{self, Start};
use super::request_view::RequestView;
use super::rerun::bounds;
use super::trace::parity;
use super::{Shared, maidenlane, net, txpool, web3};
use Kind::{Always, Call, Constant, LookUp, Mempool, Read, Refused, Subscription, Trace, Wait, Walk};
use Start::{Here, OnPool};
use alloy::primitives::map::HashMap;
use maidenlane_chain::Block;
use maidenlane_jsonrpc::{Args, Described, Error, Json};
use serde_json::value::RawValue;
use std::collections::BTreeSet;
use std::pin::Pin;
use std::sync::{Arc, LazyLock};

type Answer = Result<Json, Error>;
/// Asynchronous answer: the handlers' futures differ in type.
type Answering<'a> = Pin<Box<dyn Future<Output = Answer> + Send + 'a>>;
type Params<'a> = Option<&'a RawValue>;

/// Kind of a method's answer. All but the first three and the last need a fresh view; of the pool, where one is kept.
enum Kind {
    /// Answered by a stale replica, too: nothing is read that could be out of date.
    Always(fn(&RequestView, Params<'_>) -> Answer),
    /// Answered by a stale replica, too, with one constant and without parameters.
    Constant(&'static str),
    /// Refused always, with an error after the parameters are read. Not in `/openrpc.json`.
    Refused(fn(Params<'_>) -> Answer),
    /// Answered at once, by reads of the view.
    Read(fn(&Shared, &RequestView, Params<'_>) -> Answer),
    /// Answered at once from the cache of blocks or by a short read, else on the pool.
    LookUp(cold::Method),
    /// Answered from the master's pool, as a look-up; where none is kept, by a stale replica, too, as for an empty one.
    Mempool(fn(Params<'_>) -> Answer, cold::Method),
    /// Answered after waiting for something.
    Wait(for<'a> fn(&'a Arc<Shared>, &'a Arc<RequestView>, Params<'a>) -> Answering<'a>),
    /// Answered by the EVM, under one budget.
    Call(Start, execute::Method),
    /// Answered by running transactions or calls again under a tracer, on the pool.
    Trace(bounds::Method),
    /// Answered by a walk through the state, on the pool.
    Walk(walk::Question),
    /// Answered by the connection, where it can keep subscriptions; elsewhere unknown. Not in `/openrpc.json`.
    Subscription,
}

/// Line of the table.
pub(super) struct Method {
    name: &'static str,
    /// Parameter names, as in [`Described`].
    params: &'static str,
    kind: Kind,
}

const fn m(name: &'static str, params: &'static str, kind: Kind) -> Method {
    Method { name, params, kind }
}

/// An asynchronous handler.
macro_rules! wait {
    ($handler:path) => {
        Wait(|shared, view, params| Box::pin($handler(shared, view, params)))
    };
}

static METHODS: &[Method] = &[
    m("web3_clientVersion", "", Always(web3::client_version)),
    m("web3_sha3", "data", Always(|_, p| web3::sha3(p))),
    m("net_version", "", Always(net::version)),
    // As of a geth without peers: the master has them.
    m("net_listening", "", Constant("true")),
    m("net_peerCount", "", Constant("\"0x0\"")),
    m("rpc_modules", "", Always(|_, p| modules(p))),
    m("txpool_content", "", Mempool(txpool::nothing, txpool::content)),
    m("txpool_contentFrom", "address", Mempool(txpool::nothing_from, txpool::content_from)),
    m("txpool_inspect", "", Mempool(txpool::nothing, txpool::inspect)),
    m("txpool_status", "", Mempool(txpool::no_numbers, txpool::status)),
    // The chain and this replica.
    m("eth_chainId", "", Always(chain::id)),
    m("eth_syncing", "", Always(chain::syncing)),
    m("eth_blockNumber", "", Read(|_, v, p| chain::block_number(v, p))),
    m("eth_config", "", Read(|_, v, p| facts::config(v, p))),
    m("eth_capabilities", "", Read(|_, v, p| facts::capabilities(v, p))),
    // The original design's answer: no protocol is spoken.
    m("eth_protocolVersion", "", Constant("\"-0x1\"")),
    m("eth_accounts", "", Constant("[]")),
    m("eth_pendingTransactions", "", Constant("[]")),
    m("eth_mining", "", Constant("false")),
    m("eth_hashrate", "", Constant("\"0x0\"")),
    m("eth_coinbase", "", Always(|_, p| accounts::coinbase(p))),
    m("eth_sign", "address data", Refused(accounts::sign)),
    m("eth_signTransaction", "transaction", Refused(accounts::transaction)),
    m("eth_sendTransaction", "transaction", Refused(accounts::transaction)),
    m("eth_resend", "transaction gasPrice? gas?", Refused(accounts::resend)),
    // Fees.
    m("eth_gasPrice", "", LookUp(fees::gas_price)),
    m("eth_maxPriorityFeePerGas", "", LookUp(fees::tip)),
    m("eth_baseFee", "", Read(|_, v, p| fees::base_fee(v, p))),
    m("eth_blobBaseFee", "", Read(|_, v, p| fees::blob_base_fee(v, p))),
    m("eth_feeHistory", "blocks newest percentiles?", wait!(fee_history::history)),
    // State.
    m("eth_getBalance", "address block", Read(|_, v, p| state::balance(v, p))),
    m("eth_getTransactionCount", "address block", Read(state::transaction_count)),
    m("eth_getCode", "address block", Read(|_, v, p| state::code(v, p))),
    m("eth_getStorageAt", "address slot block", Read(|_, v, p| state::storage_at(v, p))),
    m("eth_getStorageValues", "slots block", Read(|_, v, p| state::storage_values(v, p))),
    m("eth_getProof", "address slots block", wait!(proof::get)),
    // Blocks, transactions, receipts.
    m("eth_getBlockByNumber", "block full", LookUp(|l, p| lookup::block(l, p, number))),
    m("eth_getBlockByHash", "block full", LookUp(|l, p| lookup::block(l, p, hash))),
    m("eth_getHeaderByNumber", "block", Read(|_, v, p| lookup::header(v, p, number))),
    m("eth_getHeaderByHash", "block", Read(|_, v, p| lookup::header(v, p, hash))),
    m("eth_getBlockReceipts", "block", LookUp(lookup::receipts)),
    m("eth_getBlockTransactionCountByNumber", "block", LookUp(|l, p| lookup::count(l, p, number, TXS))),
    m("eth_getBlockTransactionCountByHash", "block", LookUp(|l, p| lookup::count(l, p, hash, TXS))),
    m("eth_getUncleCountByBlockNumber", "block", LookUp(|l, p| lookup::count(l, p, number, UNCLES))),
    m("eth_getUncleCountByBlockHash", "block", LookUp(|l, p| lookup::count(l, p, hash, UNCLES))),
    m("eth_getUncleByBlockNumberAndIndex", "block index", LookUp(|l, p| lookup::uncle(l, p, number))),
    m("eth_getUncleByBlockHashAndIndex", "block index", LookUp(|l, p| lookup::uncle(l, p, hash))),
    m("eth_getTransactionByBlockNumberAndIndex", "block index", LookUp(|l, p| lookup::nth(l, p, number))),
    m("eth_getTransactionByBlockHashAndIndex", "block index", LookUp(|l, p| lookup::nth(l, p, hash))),
    m("eth_getRawTransactionByBlockNumberAndIndex", "block index", LookUp(|l, p| raw_nth(l, p, number))),
    m("eth_getRawTransactionByBlockHashAndIndex", "block index", LookUp(|l, p| raw_nth(l, p, hash))),
    m("eth_getTransactionByHash", "hash", LookUp(lookup::transaction)),
    m("eth_getTransactionReceipt", "hash", LookUp(lookup::receipt)),
    m("eth_getRawTransactionByHash", "hash", LookUp(lookup::raw_transaction)),
    // Logs, filters and subscriptions.
    m("eth_getLogs", "filter", wait!(logs::get)),
    m("eth_newFilter", "filter", wait!(filters::new_logs)),
    m("eth_newBlockFilter", "", wait!(filters::new_blocks)),
    m("eth_newPendingTransactionFilter", "full?", wait!(filters::new_pending)),
    m("eth_getFilterChanges", "id", wait!(filters::changes)),
    m("eth_getFilterLogs", "id", wait!(filters::logs)),
    m("eth_uninstallFilter", "id", Wait(|s, _, p| Box::pin(filters::uninstall(s, p)))),
    m("eth_subscribe", "kind", Subscription),
    m("eth_unsubscribe", "id", Subscription),
    // What executes.
    m("eth_call", "call block? stateOverrides? blockOverrides?", Call(Here, call::eth_call)),
    m("eth_estimateGas", "call block? stateOverrides? blockOverrides?", Call(Here, estimate::one)),
    m("eth_createAccessList", "call block? stateOverrides?", Call(Here, access_list::create)),
    m("eth_fillTransaction", "transaction", Call(Here, fill::transaction)),
    m("eth_simulateV1", "options block?", Call(OnPool, simulate::call)),
    m("ethercattle_estimateGasList", "calls block? stateOverrides?", Call(OnPool, estimate::list)),
    // Transactions.
    m("eth_sendRawTransaction", "raw", wait!(send::send)),
    m("eth_sendRawTransactionSync", "raw timeoutMs?", wait!(send::send_sync)),
    m("maidenlane_transactionStatus", "hash", Read(|s, _, p| maidenlane::transaction_status(s, p))),
    // Consensus bytes, and walks through the state.
    m("debug_getRawHeader", "block", Read(|_, v, p| raw::header(v, p))),
    m("debug_getRawBlock", "block", Read(|_, v, p| raw::block(v, p))),
    m("debug_getRawReceipts", "block", Read(|_, v, p| raw::receipts(v, p))),
    m("debug_getRawTransaction", "hash", Read(raw::transaction)),
    m("debug_setHead", "number", Always(|_, p| raw::set_head(p))),
    m("debug_getBadBlocks", "", Constant("[]")),
    m("debug_accountRange", "block start accountsMax nocode nostorage incompletes", Walk(Query::accounts)),
    m("debug_dumpBlock", "block", Walk(Query::whole)),
    m("debug_storageRangeAt", "block transactionIndex address start slotsMax", Walk(Query::slots)),
    m("debug_getModifiedAccountsByNumber", "start end?", Walk(Query::modified_by_number)),
    m("debug_getModifiedAccountsByHash", "start end?", Walk(Query::modified_by_hash)),
    // Traces.
    m("debug_traceTransaction", "hash options?", Trace(trace_block::transaction)),
    m("debug_traceBlockByNumber", "block options?", Trace(trace_block::by_number)),
    m("debug_traceBlockByHash", "block options?", Trace(trace_block::by_hash)),
    m("debug_traceBlock", "rlp options?", Trace(trace_block::brought)),
    m("debug_traceBadBlock", "block options?", Trace(trace_block::bad)),
    m("debug_traceCall", "call block options?", Trace(trace_call::call)),
    m("debug_intermediateRoots", "block options?", Trace(roots::answer)),
    m("debug_executionWitness", "block", Trace(witness::answer)),
    m("debug_traceChain", "start end options?", Subscription),
    m("trace_transaction", "hash", Trace(parity::transaction)),
    m("trace_block", "block", Trace(parity::block)),
    m("trace_filter", "filter", Trace(parity::filter)),
    m("trace_call", "call types block?", Trace(parity::call)),
    m("trace_callMany", "calls block?", Trace(parity::call_many)),
    m("trace_replayTransaction", "hash types", Trace(parity::replay_transaction)),
    m("trace_replayBlockTransactions", "block types", Trace(parity::replay_block)),
];

const TXS: fn(&Block) -> usize = |block| block.transactions.len();
const UNCLES: fn(&Block) -> usize = |block| block.uncles.len();

/// Looks a method up by name.
pub(super) fn find(name: &str) -> Option<&'static Method> {
    static BY_NAME: LazyLock<HashMap<&str, &Method>> =
        LazyLock::new(|| METHODS.iter().map(|method| (method.name, method)).collect());
    BY_NAME.get(name).copied()
}

/// Methods that are served, for `/openrpc.json`.
pub(super) fn described() -> Vec<Described> {
    let served = METHODS.iter().filter(|method| !matches!(method.kind, Refused(_) | Subscription));
    served.map(|method| Described { name: method.name, params: method.params }).collect()
}

/// `rpc_modules`: all namespaces; the server names those that the listener serves.
fn modules(params: Params<'_>) -> Answer {
    Args::parse(params, 0)?;
    let names: BTreeSet<&str> = METHODS.iter().filter_map(|method| method.name.split('_').next()).collect();
    Ok(Json::object(|object| names.into_iter().for_each(|name| object.raw(name, "\"1.0\""))))
}

/// Names of all methods, refused ones too.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    METHODS.iter().map(|method| method.name)
}

impl Method {
    /// Answers a request, unless the method needs a fresh view and this one is not.
    pub(super) async fn answer(
        &self,
        shared: &Arc<Shared>,
        view: &Arc<RequestView>,
        params: Params<'_>,
    ) -> Answer {
        if let Mempool(nothing, _) = self.kind
            && shared.mempool.is_none()
        {
            return nothing(params);
        }
        if !matches!(self.kind, Always(_) | Constant(_) | Refused(_) | Subscription) {
            view.fit()?;
        }
        match self.kind {
            Always(answer) => answer(view, params),
            Constant(answer) => Args::parse(params, 0).map(|_| Json::Static(answer)),
            Refused(answer) => answer(params),
            Subscription => Err(Error::no_method(self.name)),
            Read(answer) => answer(shared, view, params),
            LookUp(method) | Mempool(_, method) => match cold::here(shared, view, params, method) {
                Ok(answer) => Ok(answer),
                Err(Miss::Refused(error)) => Err(error),
                Err(Miss::Cold) => Box::pin(cold::on_pool(shared, view, params, method)).await,
            },
            Wait(answer) => answer(shared, view, params).await,
            Call(start, method) => Box::pin(execute::answer(shared, view, params, start, method)).await,
            Trace(method) => {
                let time = shared.settings.get().limits.answer;
                Box::pin(bounds::on_pool(shared, view, params, time, method)).await
            }
            Walk(question) => Box::pin(walk::answer(shared, view, params, question)).await,
        }
    }
}
