//! Refusals of orders: each mistake its own, with a word for programs and the cure in the text.
//!
//! No refusal repeats what an order says: texts end in logs of clients and of proxies between. Fields and places in lists are
//! named, their contents are not.

use maidenlane_jsonrpc::json::{Json, push_str};
use maidenlane_jsonrpc::{Error, codes};

/// Mistake in an order.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "fields are named in the texts")]
pub enum Refusal {
    /// Not an object.
    #[error("send the bundle as one JSON object, the first and only parameter")]
    NotAnObject,
    /// A field that no dialect has, and that would have no effect.
    #[error("leave out the {number}. field, which is unknown{}", .hint.map(|hint| format!(", or call it `{hint}`")).unwrap_or_default())]
    UnknownField { number: usize, hint: Option<&'static str> },
    /// A field of another type.
    #[error("write `{field}` as {expected}")]
    Type { field: &'static str, expected: &'static str },
    /// Two fields that mean the same and say different things.
    #[error("leave out `{field}` or `{other}`: they differ and mean the same")]
    Contradiction { field: &'static str, other: &'static str },
    /// A list that is too long.
    #[error("shorten `{field}` to {most}")]
    TooMany { field: &'static str, most: usize },
    /// Transactions that are too large together.
    #[error("send at most {most} bytes of transactions in one bundle, not {bytes}")]
    TooLarge { bytes: usize, most: usize },
    /// Neither transactions nor a name.
    #[error("send `txs`, or to cancel a bundle its `replacementUuid`")]
    Empty,
    /// No transactions with blobs.
    #[error("send `txs`, each with blobs")]
    NoBlobs,
    /// A transaction without blobs among those of which one is to land.
    #[error("leave out `txs[{index}]`, which has no blobs, or send it by eth_sendPrivateTransaction")]
    WithoutBlobs { index: usize },
    /// A transaction that can land beside the first.
    #[error("sign `txs[{index}]` by the account and for the nonce of the first: one of them is to land")]
    OtherNonce { index: usize },
    /// No transactions to simulate, in the words of the family.
    #[error("bundle missing txs")]
    NoTransactions,
    /// No block to simulate in, likewise.
    #[error("bundle missing blockNumber")]
    NoBlock,
    /// A block that is no later than the one before it.
    #[error("raise `timestamp` above {parent_s}, that of the block before")]
    NotAfterParent { parent_s: u64 },
    /// A transaction that is none.
    #[error("correct `txs[{index}]`: {problem}")]
    Transaction { index: usize, problem: String },
    /// A transaction of another chain, or of any.
    #[error("sign `txs[{index}]` for chain id {chain_id}")]
    Chain { index: usize, chain_id: u64 },
    /// A blob transaction in the form of blocks.
    #[error("send `txs[{index}]` with its blobs, commitments and proofs, as to eth_sendRawTransaction")]
    BlobsMissing { index: usize },
    /// A transaction that stands twice.
    #[error("leave out `txs[{index}]`, which stands before it already")]
    TransactionTwice { index: usize },
    /// A hash that names no transaction of the bundle.
    #[error(
        "leave out `{field}[{index}]`, or send its transaction: no transaction of the bundle has that hash"
    )]
    NotInBundle { field: &'static str, index: usize },
    /// A hash that stands twice.
    #[error("leave out `{field}[{index}]`, which stands before it already")]
    HashTwice { field: &'static str, index: usize },
    /// A transaction that both may stay reverted and must be left out.
    #[error("decide for `droppingTxHashes[{index}]`: it stands in `revertingTxHashes` too")]
    RevertingAndDropping { index: usize },
    /// A version that nobody has described.
    #[error("write `version` as \"v1\" or \"v2\"")]
    Version,
    /// A field of a later version.
    #[error("leave out `{field}`, or write `version` as \"v2\"")]
    Later { field: &'static str },
    /// A least timestamp above the greatest.
    #[error("raise `maxTimestamp` to at least `minTimestamp`")]
    TimesReversed,
    /// A greatest timestamp that no block can have any more.
    #[error("raise `maxTimestamp` above {head_s}, the timestamp of the newest block")]
    Expired { head_s: u64 },
    /// A block that is there already.
    #[error("set `blockNumber` to {next} or later: that block is the next one")]
    Past { next: u64 },
    /// A block too far away.
    #[error("set `blockNumber` to at most {most}, or send the bundle later")]
    TooFar { most: u64 },
    /// A percentage that leaves the builder nothing.
    #[error("set `refundPercent` to 1 to 99")]
    RefundPercent,
    /// A refund without a percentage.
    #[error("leave out `{field}`, or set `refundPercent`")]
    RefundWithoutPercent { field: &'static str },
    /// Several transactions that a refund is computed from.
    #[error("send at most one hash in `refundTxHashes`")]
    RefundHashes,
    /// A place that builders do not know.
    #[error("write `desiredState` as \"BottomOfBlock\"")]
    Place,
    /// Targets without a place.
    #[error("leave out `{field}`, or write `desiredState` as \"BottomOfBlock\"")]
    TargetsWithoutPlace { field: &'static str },
    /// Lists of slots that belong to no address.
    #[error("send as many lists in `targetSlots` as addresses in `targetAddresses`")]
    Targets,
    /// A name that cannot be one.
    #[error("write `{field}` as a UUID, or as 1 to {most} letters, digits and any of - _ . :")]
    Name { field: &'static str, most: usize },
    /// A number without a name.
    #[error("leave out `{field}`, or send `replacementUuid`")]
    NonceWithoutName { field: &'static str },
    /// A wish that this relay does not fulfil.
    #[error("leave out `{field}`: this relay does not do that")]
    Unsupported { field: &'static str },
    /// A builder that the settings do not name.
    #[error("leave out `builders[{index}]`: no builder here has that name")]
    Builder { index: usize },
}

impl Refusal {
    /// Word for programs.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::NotAnObject => "notAnObject",
            Self::UnknownField { .. } => "unknownField",
            Self::Type { .. } => "wrongType",
            Self::Contradiction { .. } => "contradiction",
            Self::TooMany { .. } => "tooMany",
            Self::TooLarge { .. } => "tooLarge",
            Self::Empty => "emptyBundle",
            Self::NoBlobs | Self::WithoutBlobs { .. } => "withoutBlobs",
            Self::OtherNonce { .. } => "differentNonces",
            Self::NoTransactions => "missingTransactions",
            Self::NoBlock => "missingBlock",
            Self::NotAfterParent { .. } => "timestampNotAfterParent",
            Self::Transaction { .. } => "invalidTransaction",
            Self::Chain { .. } => "otherChain",
            Self::BlobsMissing { .. } => "blobsMissing",
            Self::TransactionTwice { .. } => "duplicateTransaction",
            Self::NotInBundle { .. } => "hashNotInBundle",
            Self::HashTwice { .. } => "duplicateHash",
            Self::RevertingAndDropping { .. } => "revertingAndDropping",
            Self::Version => "unsupportedVersion",
            Self::Later { .. } => "fieldOfLaterVersion",
            Self::TimesReversed => "timestampsReversed",
            Self::Expired { .. } => "timestampPast",
            Self::Past { .. } => "blockPast",
            Self::TooFar { .. } => "blockTooFar",
            Self::RefundPercent => "invalidRefundPercent",
            Self::RefundWithoutPercent { .. } => "refundWithoutPercent",
            Self::RefundHashes => "severalRefundHashes",
            Self::Place => "unknownPlace",
            Self::TargetsWithoutPlace { .. } => "targetsWithoutPlace",
            Self::Targets => "targetsDiffer",
            Self::Name { .. } => "invalidReplacementUuid",
            Self::NonceWithoutName { .. } => "nonceWithoutUuid",
            Self::Unsupported { .. } => "unsupported",
            Self::Builder { .. } => "unknownBuilder",
        }
    }

    /// Field that is meant, where there is one.
    #[must_use]
    pub const fn field(&self) -> Option<&'static str> {
        match self {
            Self::Type { field, .. }
            | Self::Contradiction { field, .. }
            | Self::TooMany { field, .. }
            | Self::NotInBundle { field, .. }
            | Self::HashTwice { field, .. }
            | Self::Later { field }
            | Self::RefundWithoutPercent { field }
            | Self::TargetsWithoutPlace { field }
            | Self::Name { field, .. }
            | Self::NonceWithoutName { field }
            | Self::Unsupported { field } => Some(*field),
            Self::TooLarge { .. }
            | Self::Empty
            | Self::NoBlobs
            | Self::WithoutBlobs { .. }
            | Self::OtherNonce { .. }
            | Self::NoTransactions
            | Self::Transaction { .. }
            | Self::Chain { .. }
            | Self::BlobsMissing { .. }
            | Self::TransactionTwice { .. } => Some("txs"),
            Self::RevertingAndDropping { .. } => Some("droppingTxHashes"),
            Self::Version => Some("version"),
            Self::TimesReversed | Self::Expired { .. } => Some("maxTimestamp"),
            Self::Past { .. } | Self::TooFar { .. } | Self::NoBlock => Some("blockNumber"),
            Self::NotAfterParent { .. } => Some("timestamp"),
            Self::RefundPercent => Some("refundPercent"),
            Self::RefundHashes => Some("refundTxHashes"),
            Self::Place => Some("desiredState"),
            Self::Targets => Some("targetSlots"),
            Self::Builder { .. } => Some("builders"),
            Self::NotAnObject | Self::UnknownField { .. } => None,
        }
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        let data = Json::object(|object| {
            push_str(object.value("reason"), refusal.reason());
            if let Some(field) = refusal.field() {
                push_str(object.value("field"), field);
            }
        });
        Self::new(codes::INVALID_PARAMS, refusal.to_string()).with_data(data)
    }
}

#[cfg(test)]
mod tests {
    use super::Refusal;
    use maidenlane_jsonrpc::Error;

    #[test]
    fn programs_get_a_word_and_the_field() {
        let error = Error::from(Refusal::NotInBundle { field: "revertingTxHashes", index: 2 });
        let data = error.data.map(|data| data.as_str().to_owned());
        assert_eq!(data.as_deref(), Some(r#"{"reason":"hashNotInBundle","field":"revertingTxHashes"}"#));
        assert_eq!(error.code, -32602);
        assert!(error.message.contains("leave out `revertingTxHashes[2]`"), "{}", error.message);
    }

    /// Read from the sources, so that a new mistake cannot be left out.
    #[test]
    fn the_readme_has_a_cure_for_every_reason() {
        let readme = include_str!("../README.md");
        for source in [include_str!("refusal.rs"), include_str!("signature.rs")] {
            let body =
                source.split("pub const fn reason").nth(1).and_then(|rest| rest.split("\n    }\n").next());
            let reasons: Vec<&str> = body.unwrap_or_default().split('"').skip(1).step_by(2).collect();
            assert!(reasons.len() > 8, "{reasons:?}");
            for reason in reasons {
                assert!(readme.contains(&format!("`{reason}`")), "README.md has no `{reason}`");
            }
        }
    }
}
