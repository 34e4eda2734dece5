//! Verdicts: what a node's answer to `eth_sendRawTransaction` says of a transaction.
//!
//! # Why by texts
//! Clients agree on neither codes nor their meaning (-32000 is everything in geth, -32003 a full pool in one and any
//! refusal in another), while their texts are stable for years, as wallets match them. So the text decides, and the code
//! only where no text is known. What is in neither table is [`Class::Unclear`]: never a success, never final.

use std::fmt;

/// Class of an answer: who is to blame for it, and so what follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// Taken now.
    Accepted,
    /// In the pool or on the chain before.
    Known,
    /// The account is beyond that nonce: by this transaction or another one, which only its hash tells.
    NonceLow,
    /// Transactions before it are missing there.
    Gap,
    /// Another one with its nonce is in that pool, and pays too much to give way.
    ReplaceUnderpriced,
    /// The node wants a higher price.
    Underpriced,
    /// The fee is below the block's base fee, or above what the node takes for a mistake.
    FeeCap,
    /// No room in that pool, for it or for more of its sender's.
    PoolFull,
    /// The account cannot pay, at that node's head.
    Funds,
    /// No node may ever take it.
    Invalid,
    /// The sender is over a limit of the network's only way in.
    SenderRate,
    /// More requests than the node allows.
    Limited,
    /// The node takes no transactions.
    Unsupported,
    /// An error that nobody has classed.
    Unclear,
    /// No answer: what became of it is unknown.
    Unanswered,
    /// The answer names another transaction.
    Lied,
}

impl Class {
    /// All classes, the most telling first: of several nodes' verdicts the first in this order is told.
    pub const ALL: [Self; 16] = [
        Self::Accepted,
        Self::Known,
        Self::NonceLow,
        Self::Invalid,
        Self::Funds,
        Self::ReplaceUnderpriced,
        Self::Underpriced,
        Self::FeeCap,
        Self::Gap,
        Self::PoolFull,
        Self::SenderRate,
        Self::Unclear,
        Self::Limited,
        Self::Unsupported,
        Self::Lied,
        Self::Unanswered,
    ];

    /// Word for it in outcomes, metrics and `/status`.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Known => "known",
            Self::NonceLow => "nonceLow",
            Self::Gap => "gap",
            Self::ReplaceUnderpriced => "replaceUnderpriced",
            Self::Underpriced => "underpriced",
            Self::FeeCap => "feeCap",
            Self::PoolFull => "poolFull",
            Self::Funds => "funds",
            Self::Invalid => "invalid",
            Self::SenderRate => "senderRate",
            Self::Limited => "limited",
            Self::Unsupported => "unsupported",
            Self::Unclear => "unclear",
            Self::Unanswered => "unanswered",
            Self::Lied => "lied",
        }
    }

    /// Class of this word.
    #[must_use]
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.word() == word)
    }

    /// True if the node has the transaction.
    #[must_use]
    pub const fn has_it(self) -> bool {
        matches!(self, Self::Accepted | Self::Known)
    }

    /// True if the node has looked at the transaction and does not take it. The others say nothing of it: the node is
    /// away, guarded or without room, and may yet take it.
    #[must_use]
    pub const fn refuses(self) -> bool {
        matches!(
            self,
            Self::NonceLow
                | Self::ReplaceUnderpriced
                | Self::Underpriced
                | Self::FeeCap
                | Self::Funds
                | Self::Invalid
                | Self::SenderRate
        )
    }

    /// True for what is no refusal and may pass: the node has looked, and has no room or waits for others.
    #[must_use]
    pub const fn may_pass(self) -> bool {
        matches!(self, Self::Gap | Self::PoolFull | Self::Unclear)
    }

    /// True for what tells that the node, not the transaction, is at fault: only this opens a breaker.
    #[must_use]
    pub const fn is_fault(self) -> bool {
        matches!(self, Self::Unanswered | Self::Lied)
    }
}

impl fmt::Display for Class {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.word())
    }
}

/// Words of nodes, in lower case: the first that an error's text holds decides.
///
/// # Correctness
/// The order matters where one text holds another: `transaction gas price below minimum` before what speaks of gas, and
/// every pool's own limit before the bare `limit exceeded` of providers.
const TEXTS: &[(&str, Class)] = &[
    // Holds `known transaction`, and means the contrary.
    ("unknown transaction", Class::Invalid),
    // In the pool already.
    ("already known", Class::Known),
    ("alreadyknown", Class::Known),
    ("known transaction", Class::Known),
    ("existing tx with same hash", Class::Known),
    ("already imported", Class::Known),
    ("already in mempool", Class::Known),
    ("already in the mempool", Class::Known),
    // Not known, though Nethermind's word is often taken for it: any transaction may have used the nonce.
    ("ownnoncealreadyused", Class::NonceLow),
    ("nonce too low", Class::NonceLow),
    ("oldnonce", Class::NonceLow),
    ("nonce has already been used", Class::NonceLow),
    ("nonce is below sender account nonce", Class::NonceLow),
    ("invalid transaction nonce", Class::NonceLow),
    ("incorrect nonce", Class::NonceLow),
    // Of its place in its sender's order.
    ("nonce too high", Class::Gap),
    ("noncegap", Class::Gap),
    ("noncetoofarinfuture", Class::Gap),
    ("too distant from current sender nonce", Class::Gap),
    ("gapped-nonce tx from delegated accounts", Class::Gap),
    ("notcurrentnoncefordelegation", Class::Gap),
    ("lower nonce exists", Class::Gap),
    // Of another one with its nonce.
    ("replacement transaction underpriced", Class::ReplaceUnderpriced),
    ("transaction replacement underpriced", Class::ReplaceUnderpriced),
    ("replacementnotallowed", Class::ReplaceUnderpriced),
    ("could not replace existing tx", Class::ReplaceUnderpriced),
    ("future transaction tries to replace pending", Class::ReplaceUnderpriced),
    ("can't replace blob-txn with a non-blob-txn", Class::ReplaceUnderpriced),
    // Of its price.
    ("gas price below minimum", Class::Underpriced),
    ("gas price below configured minimum", Class::Underpriced),
    ("existing transaction had higher priority", Class::Underpriced),
    ("transaction fee too low", Class::Underpriced),
    ("fee too low", Class::Underpriced),
    ("feetoolow", Class::Underpriced),
    ("less than block base fee", Class::FeeCap),
    ("less than block blob gas fee", Class::FeeCap),
    ("gas price below current base fee", Class::FeeCap),
    ("exceeds the configured cap", Class::FeeCap),
    ("transaction fee cap exceeded", Class::FeeCap),
    ("underpriced", Class::Underpriced),
    // Of room.
    ("txpool is full", Class::PoolFull),
    ("sub-pool is full", Class::PoolFull),
    ("limit in txpool is full", Class::PoolFull),
    ("account limit exceeded", Class::PoolFull),
    ("in-flight transaction limit reached", Class::PoolFull),
    ("delegatorhaspendingtx", Class::PoolFull),
    ("already reserved", Class::PoolFull),
    ("pendingtxsofconflictingtype", Class::PoolFull),
    ("spammer", Class::PoolFull),
    // Of its account.
    ("insufficient funds", Class::Funds),
    ("insufficientfunds", Class::Funds),
    ("upfront cost exceeds account balance", Class::Funds),
    // Of itself.
    ("invalid sender", Class::Invalid),
    ("failedtoresolvesender", Class::Invalid),
    ("invalid signature", Class::Invalid),
    ("intrinsic gas too low", Class::Invalid),
    ("intrinsic gas exceeds gas limit", Class::Invalid),
    ("insufficient gas for floor data gas cost", Class::Invalid),
    ("block gas limit", Class::Invalid),
    ("gaslimitexceeded", Class::Invalid),
    ("gas limit too high", Class::Invalid),
    ("gas limit is too high", Class::Invalid),
    ("gas uint64 overflow", Class::Invalid),
    ("int256overflow", Class::Invalid),
    ("negative value", Class::Invalid),
    ("oversized data", Class::Invalid),
    ("maxtxsizeexceeded", Class::Invalid),
    ("initcode", Class::Invalid),
    ("max priority fee per gas", Class::Invalid),
    ("nonce has max value", Class::Invalid),
    ("sender not an eoa", Class::Invalid),
    ("senderiscontract", Class::Invalid),
    ("replay-protected", Class::Invalid),
    ("replay protected", Class::Invalid),
    ("wrong chainid", Class::Invalid),
    ("invalid chain id", Class::Invalid),
    ("transaction type not supported", Class::Invalid),
    ("unsupportedtxtype", Class::Invalid),
    ("typed transaction too short", Class::Invalid),
    ("failed to decode signed transaction", Class::Invalid),
    ("rlp:", Class::Invalid),
    ("rlp too long", Class::Invalid),
    ("kzg", Class::Invalid),
    ("blob", Class::Invalid),
    ("sidecar", Class::Invalid),
    ("authorization", Class::Invalid),
    // Of who sends, and how often.
    ("sender is over rate limit", Class::SenderRate),
    ("rate limit", Class::Limited),
    ("limit exceeded", Class::Limited),
    ("too many requests", Class::Limited),
    ("capacity exceeded", Class::Limited),
    // Of the method.
    ("does not exist/is not available", Class::Unsupported),
    ("method not found", Class::Unsupported),
    ("method not available", Class::Unsupported),
    ("method not enabled", Class::Unsupported),
    ("method is not whitelisted", Class::Unsupported),
    ("does not take transactions", Class::Unsupported),
];

/// Texts that mean something only where they are all there is.
const WHOLE: &[(&str, Class)] =
    &[("rejected", Class::Underpriced), ("mined", Class::NonceLow), ("invalid", Class::Invalid)];

/// Codes, for texts that nobody knows: those of JSON-RPC, of the execution APIs' catalogue and of `eth_simulateV1`.
const CODES: &[(i32, Class)] = &[
    (1, Class::NonceLow),
    (2, Class::Gap),
    (800, Class::Invalid),
    (802, Class::Underpriced),
    (803, Class::Invalid),
    (804, Class::Invalid),
    (806, Class::FeeCap),
    (809, Class::Funds),
    (1_000, Class::Known),
    (1_001, Class::Invalid),
    (429, Class::Limited),
    (-32_005, Class::Limited),
    (-32_601, Class::Unsupported),
    (-38_010, Class::NonceLow),
    (-38_011, Class::Gap),
    (-38_012, Class::FeeCap),
    (-38_013, Class::Invalid),
    (-38_014, Class::Funds),
    (-38_015, Class::Invalid),
    (-38_024, Class::Invalid),
    (-38_025, Class::Invalid),
];

/// Class of an error object. `text` is its message, and its data where that is text.
#[must_use]
pub fn of_error(code: i32, text: &str) -> Class {
    let text = text.to_lowercase();
    let held = TEXTS.iter().find(|(words, _)| text.contains(words)).map(|(_, class)| *class);
    let whole = || WHOLE.iter().find(|(word, _)| text.trim() == *word).map(|(_, class)| *class);
    let by_code = || CODES.iter().find(|(known, _)| *known == code).map(|(_, class)| *class);
    held.or_else(whole).or_else(by_code).unwrap_or(Class::Unclear)
}

/// Class of an HTTP status without an error object.
#[must_use]
pub const fn of_status(status: u16) -> Class {
    match status {
        402 | 429 => Class::Limited,
        404 | 405 => Class::Unsupported,
        _ => Class::Unanswered,
    }
}

#[cfg(test)]
mod tests;
