//! What can be called, with the names of its parameters, for `/openrpc.json`.

use maidenlane_jsonrpc::Described;

/// Methods with the same parameters.
type Family = (&'static str, &'static [&'static str]);

const FAMILIES: &[Family] = &[
    (
        "",
        &[
            "web3_clientVersion",
            "net_version",
            "net_listening",
            "net_peerCount",
            "rpc_modules",
            "eth_chainId",
            "eth_syncing",
            "eth_blockNumber",
            "eth_protocolVersion",
            "eth_accounts",
            "eth_pendingTransactions",
            "eth_mining",
            "eth_hashrate",
            "eth_coinbase",
            "eth_gasPrice",
            "eth_maxPriorityFeePerGas",
            "eth_blobBaseFee",
            "eth_baseFee",
            "eth_config",
            "eth_capabilities",
            "txpool_content",
            "txpool_inspect",
            "txpool_status",
            "debug_getBadBlocks",
        ],
    ),
    ("data", &["web3_sha3"]),
    ("address", &["txpool_contentFrom"]),
    ("number", &["debug_setHead"]),
    ("address block", &["eth_getBalance", "eth_getTransactionCount", "eth_getCode"]),
    ("address slot block", &["eth_getStorageAt"]),
    ("slots block", &["eth_getStorageValues"]),
    ("address slots block", &["eth_getProof"]),
    ("block full", &["eth_getBlockByNumber", "eth_getBlockByHash"]),
    (
        "block",
        &[
            "eth_getHeaderByNumber",
            "eth_getHeaderByHash",
            "eth_getBlockReceipts",
            "eth_getBlockTransactionCountByNumber",
            "eth_getBlockTransactionCountByHash",
            "eth_getUncleCountByBlockNumber",
            "eth_getUncleCountByBlockHash",
            "debug_getRawHeader",
            "debug_getRawBlock",
            "debug_getRawReceipts",
            "debug_dumpBlock",
        ],
    ),
    (
        "block index",
        &[
            "eth_getUncleByBlockNumberAndIndex",
            "eth_getUncleByBlockHashAndIndex",
            "eth_getTransactionByBlockNumberAndIndex",
            "eth_getTransactionByBlockHashAndIndex",
            "eth_getRawTransactionByBlockNumberAndIndex",
            "eth_getRawTransactionByBlockHashAndIndex",
        ],
    ),
    (
        "hash",
        &[
            "eth_getTransactionByHash",
            "eth_getTransactionReceipt",
            "eth_getRawTransactionByHash",
            "debug_getRawTransaction",
        ],
    ),
    ("filter", &["eth_getLogs", "eth_newFilter"]),
    ("", &["eth_newBlockFilter"]),
    ("full?", &["eth_newPendingTransactionFilter"]),
    ("id", &["eth_getFilterChanges", "eth_getFilterLogs", "eth_uninstallFilter"]),
    ("call block? stateOverrides? blockOverrides?", &["eth_call", "eth_estimateGas"]),
    ("call block? stateOverrides?", &["eth_createAccessList"]),
    ("calls block? stateOverrides?", &["ethercattle_estimateGasList"]),
    ("transaction", &["eth_fillTransaction"]),
    ("raw", &["eth_sendRawTransaction"]),
    ("raw timeoutMs?", &["eth_sendRawTransactionSync"]),
    ("options block?", &["eth_simulateV1"]),
    ("blocks newest percentiles?", &["eth_feeHistory"]),
    ("hash options?", &["debug_traceTransaction"]),
    ("block options?", &["debug_traceBlockByNumber", "debug_traceBlockByHash"]),
    ("rlp options?", &["debug_traceBlock"]),
    ("call block options?", &["debug_traceCall"]),
    ("block options?", &["debug_traceBadBlock", "debug_intermediateRoots"]),
    ("block", &["debug_executionWitness"]),
    ("block start accountsMax nocode nostorage incompletes", &["debug_accountRange"]),
    ("block transactionIndex address start slotsMax", &["debug_storageRangeAt"]),
    ("start end?", &["debug_getModifiedAccountsByNumber", "debug_getModifiedAccountsByHash"]),
    ("hash", &["trace_transaction"]),
    ("block", &["trace_block"]),
    ("filter", &["trace_filter"]),
    ("call types block?", &["trace_call"]),
    ("calls block?", &["trace_callMany"]),
    ("hash types", &["trace_replayTransaction"]),
    ("block types", &["trace_replayBlockTransactions"]),
];

/// Every method that is served; `others` are those that no family here names, whose parameters are not told.
pub(super) fn all(others: &[&'static str]) -> Vec<Described> {
    let known =
        FAMILIES.iter().flat_map(|(params, names)| names.iter().map(|name| Described { name, params }));
    let mut all: Vec<_> = known.collect();
    for name in others {
        if all.iter().all(|described| described.name != *name) {
            all.push(Described { name, params: "" });
        }
    }
    all
}
