//! Texts of five clients and of providers, as they come: each in its class. geth's are produced by a real geth in the
//! end-to-end tests as well.

use super::{Class, of_error, of_status};

fn check(class: Class, texts: &[&str]) {
    for text in texts {
        assert_eq!(of_error(-32_000, text), class, "{text}");
        assert_eq!(of_error(-32_003, &text.to_uppercase()), class, "in capitals: {text}");
    }
}

#[test]
fn geth() {
    check(Class::Known, &["already known"]);
    check(Class::NonceLow, &["nonce too low: next nonce 5, tx nonce 4"]);
    check(
        Class::Gap,
        &[
            "nonce too high",
            "nonce too high: tx nonce 7, gapped nonce 5",
            "gapped-nonce tx from delegated accounts",
        ],
    );
    check(
        Class::ReplaceUnderpriced,
        &[
            "replacement transaction underpriced",
            "replacement transaction underpriced: new tx gas fee cap 1 < 2 queued + 100% replacement penalty",
            "future transaction tries to replace pending",
        ],
    );
    check(
        Class::Underpriced,
        &[
            "transaction underpriced",
            "transaction underpriced: tip needed 1, tip permitted 0",
            "transaction gas price below minimum: gas tip cap 0, minimum needed 1",
            "transaction gas price below minimum: blob fee cap 0, minimum needed 1",
        ],
    );
    check(
        Class::FeeCap,
        &[
            "max fee per gas less than block base fee: address 0x01, maxFeePerGas: 1, baseFee: 7",
            "tx fee (2.00 ether) exceeds the configured cap (1.00 ether)",
        ],
    );
    check(
        Class::PoolFull,
        &[
            "txpool is full",
            "account limit exceeded: pooled 16 txs",
            "in-flight transaction limit reached for delegated accounts",
            "address already reserved",
            "authority already reserved",
        ],
    );
    check(
        Class::Funds,
        &[
            "insufficient funds for gas * price + value: balance 0, tx cost 1, overshot 1",
            "insufficient funds for transfer",
        ],
    );
}

#[test]
fn geth_of_what_nobody_takes() {
    check(
        Class::Invalid,
        &[
            "invalid sender",
            "invalid sender: invalid chain id for signer: have 1 want 1337",
            "intrinsic gas too low: gas 20999, minimum needed 21000",
            "insufficient gas for floor data gas cost: gas 25000, minimum needed 30000",
            "exceeds block gas limit",
            "transaction gas limit too high (cap: 16777216, tx: 16777217)",
            "negative value",
            "oversized data: transaction size 200000, limit 131072",
            "max initcode size exceeded: code size 49153 limit 49152",
            "max priority fee per gas higher than max fee per gas",
            "only replay-protected (EIP-155) transactions allowed over RPC",
            "transaction type not supported",
            "typed transaction too short",
            "rlp: expected input list for types.LegacyTx",
            "nonce has max value",
            "sender not an eoa: address 0x01, len(code): 23",
            "missing sidecar in blob transaction",
            "blobless blob transaction",
            "KZG verification error: invalid proof",
            "Wrong sidecar format: unexpected sidecar version, want: 1, got: 0",
            "transaction blob limit exceeded: blob count 7, limit 6",
            "set code tx must have at least one authorization tuple",
        ],
    );
    check(Class::Unsupported, &["the method eth_sendRawTransaction does not exist/is not available"]);
}

#[test]
fn reth() {
    check(Class::Known, &["already known"]);
    check(Class::NonceLow, &["nonce too low: next nonce 5, tx nonce 4"]);
    check(Class::Gap, &["nonce too high"]);
    check(Class::ReplaceUnderpriced, &["replacement transaction underpriced"]);
    check(Class::Underpriced, &["transaction underpriced"]);
    check(
        Class::FeeCap,
        &[
            "max fee per gas less than block base fee",
            "tx fee (2000000000000000000 wei) exceeds the configured cap (1000000000000000000 wei)",
        ],
    );
    check(Class::PoolFull, &["txpool is full", "address already reserved"]);
    check(Class::Funds, &["insufficient funds for gas * price + value: have 0 want 21000"]);
    check(
        Class::Invalid,
        &[
            "invalid sender",
            "exceeds block gas limit",
            "intrinsic gas too low",
            "gas uint64 overflow",
            "failed to decode signed transaction",
            "blob sidecar for EIP4844 transaction missing",
            "EIP-7702 authorization list empty",
        ],
    );
}

#[test]
fn erigon() {
    check(Class::Known, &["already known", "existing tx with same hash"]);
    check(Class::NonceLow, &["nonce too low", "mined"]);
    check(
        Class::ReplaceUnderpriced,
        &[
            "replacement transaction underpriced",
            "could not replace existing tx",
            "can't replace blob-txn with a non-blob-txn",
        ],
    );
    check(Class::Underpriced, &["underpriced", "fee too low", "transaction fee too low"]);
    check(
        Class::PoolFull,
        &[
            "pending sub-pool is full",
            "baseFee sub-pool is full",
            "queued sub-pool is full",
            "blobs limit in txpool is full",
            "spammer",
        ],
    );
    check(Class::Funds, &["insufficient funds"]);
    check(
        Class::Invalid,
        &[
            "rlp too long",
            "oversized data",
            "initcode too large",
            "gas limit is too high",
            "blob transaction must have at least one blob",
        ],
    );
}

#[test]
fn nethermind() {
    check(Class::Known, &["AlreadyKnown"]);
    check(Class::NonceLow, &["OldNonce, Current nonce: 5, nonce of rejected tx: 4", "OwnNonceAlreadyUsed"]);
    check(
        Class::Gap,
        &["NonceGap, Future nonce. Expected nonce: 5", "NonceTooFarInFuture", "NotCurrentNonceForDelegation"],
    );
    check(Class::ReplaceUnderpriced, &["ReplacementNotAllowed"]);
    check(Class::Underpriced, &["FeeTooLow, EffectivePriorityFeePerGas too low", "FeeTooLowToCompete"]);
    check(Class::PoolFull, &["PendingTxsOfConflictingType", "DelegatorHasPendingTx"]);
    check(Class::Funds, &["InsufficientFunds, Balance is 0 less than sending value 1"]);
    check(
        Class::Invalid,
        &[
            "Invalid",
            "GasLimitExceeded",
            "Int256Overflow",
            "SenderIsContract",
            "FailedToResolveSender",
            "MaxTxSizeExceeded",
            "UnsupportedTxType",
        ],
    );
}

#[test]
fn besu() {
    check(Class::Known, &["Known transaction"]);
    check(Class::NonceLow, &["Nonce too low", "Transaction nonce is below sender account nonce"]);
    check(
        Class::Gap,
        &[
            "Transaction nonce is too distant from current sender nonce",
            "An invalid transaction with a lower nonce exists",
        ],
    );
    check(Class::ReplaceUnderpriced, &["Replacement transaction underpriced"]);
    check(Class::Underpriced, &["Gas price below configured minimum gas price"]);
    check(Class::FeeCap, &["Gas price below current base fee", "Transaction fee cap exceeded"]);
    check(Class::Funds, &["Upfront cost exceeds account balance"]);
    check(
        Class::Invalid,
        &[
            "Invalid signature",
            "Intrinsic gas exceeds gas limit",
            "Transaction gas limit exceeds block gas limit",
            "Initcode size exceeds maximum size",
            "Max priority fee per gas exceeds max fee per gas",
            "Wrong chainId",
            "Replay protected signatures required",
            "Total blob gas too high",
        ],
    );
}

#[test]
fn providers() {
    check(Class::SenderRate, &["sender is over rate limit"]);
    check(
        Class::Limited,
        &[
            "rate limit reached",
            "daily request limit exceeded",
            "Too Many Requests",
            "Your app has exceeded its compute units per second capacity. Capacity exceeded",
        ],
    );
    check(Class::Unsupported, &["method not found", "method is not whitelisted"]);
    check(Class::Underpriced, &["rejected"]);
    check(Class::Known, &["transaction already in mempool", "Transaction already imported."]);
    check(Class::Invalid, &["unknown transaction type: 4"]);
}

#[test]
fn codes_count_where_no_text_is_known() {
    for (code, class) in [
        (1, Class::NonceLow),
        (1_000, Class::Known),
        (809, Class::Funds),
        (-32_005, Class::Limited),
        (-32_601, Class::Unsupported),
        (-38_014, Class::Funds),
        (-32_000, Class::Unclear),
        (-32_003, Class::Unclear),
    ] {
        assert_eq!(of_error(code, "computer says no"), class, "{code}");
    }
    assert_eq!(of_error(1_000, "txpool is full"), Class::PoolFull, "the text first");
    assert_eq!(of_error(-32_000, "transaction was rejected by nobody in particular"), Class::Unclear);
}

#[test]
fn statuses() {
    let classes = [402, 429, 404, 500, 503].map(of_status);
    let expect = [Class::Limited, Class::Limited, Class::Unsupported, Class::Unanswered, Class::Unanswered];
    assert_eq!(classes, expect);
}

#[test]
fn words_are_the_classes() {
    for (index, class) in Class::ALL.into_iter().enumerate() {
        assert_eq!(Class::of_word(class.word()), Some(class));
        assert_eq!(Class::ALL.into_iter().position(|one| one == class), Some(index), "each once");
        let kinds = [class.has_it(), class.refuses(), class.may_pass(), class.is_fault()];
        assert!(kinds.into_iter().filter(|is| *is).count() <= 1, "{class}");
    }
    assert_eq!(Class::of_word("happy"), None);
}
