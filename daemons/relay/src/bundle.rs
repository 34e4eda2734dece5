//! Orders out of requests: fields to an order that may be delivered, or the mistake in them.
//!
//! The steps are those of other builders, so that what one of them takes is not refused here for another reason: the name of the
//! replacement, no transactions as a cancel, version, transactions, refund. Behind them stand the checks that they lack: hashes
//! must name transactions of the bundle, none may stand twice, and bounds must leave room for a block.
//!
//! What depends on the state of the chain, such as nonces and prices, is another's to judge.

use crate::fields::Fields;
use crate::ids::bundle_hash;
use crate::redacted::Redacted;
use crate::refusal::Refusal;
use crate::window::Window;
use alloy::consensus::Transaction as _;
use maidenlane_chain::transaction::signer;
use maidenlane_chain::{Address, B256, Bytes};
use maidenlane_ethjson::raw::{self, Sent};
use maidenlane_wire::{
    Bundle, BundleCancel, BundleKind, BundleTarget, BundleVersion, Cancelled, ContentId, Refund, Taken,
};
use std::collections::HashSet;

/// Length of the name of a replacement that is no UUID.
const NAME_BYTES_MAX: usize = 64;
/// The one place in a block that can be asked for.
const BOTTOM: &str = "BottomOfBlock";

/// Circumstances of a request.
#[derive(Clone, Debug)]
pub struct Circumstances {
    /// How it came.
    pub taken: Taken,
    /// Address whose key signed it.
    pub signer: Address,
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// Number of the next block.
    pub next: u64,
    /// Timestamp of the newest block.
    pub head_s: u64,
    /// Blocks that an order may wait for its own.
    pub ahead_max: u64,
    /// Bytes of its transactions.
    pub bytes_max: usize,
    /// True where private transactions may become public.
    pub mempool: bool,
}

/// Order that a request asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// A bundle to be delivered.
    Bundle(Box<Checked>),
    /// A cancel.
    Cancel(BundleCancel),
}

/// Bundle that may be delivered, and what follows from its transactions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// The bundle.
    pub bundle: Bundle,
    /// Hashes of its transactions.
    pub hashes: Redacted<Vec<B256>>,
    /// Hash by which everybody knows it.
    pub hash: Redacted<B256>,
    /// Most that its transactions pay a builder in tips, in wei: of two with one deadline, the higher goes first.
    pub bid: Redacted<u128>,
    /// Id of its content.
    pub content: ContentId,
}

/// Reads the parameter of `eth_sendBundle`.
///
/// # Errors
/// Naming the mistake.
pub fn read(json: &str, with: &Circumstances) -> Result<Asked, Refusal> {
    asked(Fields::read(json)?, with)
}

/// Reads the parameter of `eth_sendEndOfBlockBundle`: a bundle whose place is told by the method.
///
/// # Errors
/// Naming the mistake.
pub fn read_end_of_block(json: &str, with: &Circumstances) -> Result<Asked, Refusal> {
    let mut fields = Fields::read(json)?;
    fields.place.get_or_insert_with(|| BOTTOM.to_owned());
    asked(fields, with)
}

pub(crate) fn asked(fields: Fields, with: &Circumstances) -> Result<Asked, Refusal> {
    let replacement = replacement(&fields)?;
    if fields.txs.is_empty() {
        let (name, nonce) = replacement.ok_or(Refusal::Empty)?;
        let of = Cancelled::Replacement { name, nonce };
        return Ok(Asked::Cancel(BundleCancel { taken: with.taken.clone(), signer: with.signer, of }));
    }
    let version = version(&fields)?;
    let txs = transactions(&fields.txs, with.bytes_max)?;
    let chain_id = with.chain_id;
    if let Some(index) = txs.iter().position(|sent| sent.tx.chain_id() != Some(chain_id)) {
        return Err(Refusal::Chain { index, chain_id });
    }
    let mut bundle = assemble(fields, replacement, version, &txs, with)?;
    let hashes = hashes(&txs);
    check(&bundle, &hashes, with)?;
    // Their order means nothing, so that it must not make another order of it.
    bundle.reverting.sort_unstable();
    bundle.dropping.sort_unstable();
    Ok(Asked::Bundle(Box::new(Checked::new(bundle, hashes, bid(&txs)))))
}

impl Checked {
    fn new(bundle: Bundle, hashes: Vec<B256>, bid: u128) -> Self {
        let (hash, content) = (Redacted::new(bundle_hash(&hashes)), bundle.content());
        Self { bundle, hashes: Redacted::new(hashes), hash, bid: Redacted::new(bid), content }
    }

    /// A bundle that was checked when it was taken.
    ///
    /// # Errors
    /// When a transaction of it cannot be read any more.
    pub fn again(bundle: Bundle) -> Result<Self, Refusal> {
        let txs = transactions(&bundle.txs, usize::MAX)?;
        Ok(Self::new(bundle, hashes(&txs), bid(&txs)))
    }

    /// Account that it is counted on: its identity, or else its signer.
    #[must_use]
    pub fn account(&self) -> Redacted<String> {
        let identity = self.bundle.taken.identity.clone();
        Redacted::new(identity.unwrap_or_else(|| self.bundle.signer.to_string()))
    }

    /// Blocks that may hold it.
    #[must_use]
    pub fn window(&self) -> Window {
        Window::new(self.bundle.blocks, self.bundle.min_timestamp, self.bundle.max_timestamp)
    }
}

/// Name and number under which the signer replaces it.
pub(crate) fn replacement(fields: &Fields) -> Result<Option<(String, Option<u64>)>, Refusal> {
    match (&fields.name, fields.nonce) {
        (Some((name, field)), nonce) => {
            let most = NAME_BYTES_MAX;
            let name = name_of(name).ok_or(Refusal::Name { field, most })?;
            Ok(Some((name, nonce.map(|(nonce, _)| nonce))))
        }
        (None, Some((_, field))) => Err(Refusal::NonceWithoutName { field }),
        (None, None) => Ok(None),
    }
}

/// The name of a replacement: a UUID in its usual form, however it was written, or another short word.
pub(crate) fn name_of(text: &str) -> Option<String> {
    if let Ok(uuid) = uuid::Uuid::try_parse(text) {
        return Some(uuid.hyphenated().to_string());
    }
    let fits = |c: char| c.is_ascii_alphanumeric() || "-_.:".contains(c);
    ((1..=NAME_BYTES_MAX).contains(&text.len()) && text.chars().all(fits)).then(|| text.to_owned())
}

/// The version, where no field is of a later one.
fn version(fields: &Fields) -> Result<BundleVersion, Refusal> {
    match fields.version.as_deref() {
        None | Some("v2") => return Ok(BundleVersion::V2),
        Some("v1") => {}
        Some(_) => return Err(Refusal::Version),
    }
    let later = [
        ("droppingTxHashes", !fields.dropping.is_empty()),
        ("refundPercent", fields.refund_percent.is_some()),
        ("refundRecipient", fields.refund_recipient.is_some()),
        ("refundTxHashes", fields.refund_hashes.is_some()),
        ("refundIndex", fields.refund_index.is_some()),
        ("delayedRefund", fields.delayed_refund.is_some()),
        ("desiredState", fields.place.is_some()),
        ("targetAddresses", fields.target_addresses.is_some()),
        ("targetSlots", fields.target_slots.is_some()),
        ("targetPools", fields.target_pools.is_some()),
    ];
    match later.into_iter().find(|(_, is_there)| *is_there) {
        Some((field, _)) => Err(Refusal::Later { field }),
        None => Ok(BundleVersion::V1),
    }
}

pub(crate) fn transactions(txs: &[Bytes], most: usize) -> Result<Vec<Sent>, Refusal> {
    let bytes: usize = txs.iter().map(|tx| tx.len()).sum();
    if bytes > most {
        return Err(Refusal::TooLarge { bytes, most });
    }
    let decode = |(index, tx): (usize, &Bytes)| {
        let wrong = |error: maidenlane_jsonrpc::Error| {
            let problem = error.message.into_owned();
            Refusal::Transaction { index, problem }
        };
        let sent = raw::decode(tx.clone()).map_err(wrong)?;
        if sent.tx.is_eip4844() && sent.blobs.is_none() {
            return Err(Refusal::BlobsMissing { index });
        }
        Ok(sent)
    };
    txs.iter().enumerate().map(decode).collect()
}

fn hashes(txs: &[Sent]) -> Vec<B256> {
    txs.iter().map(|sent| *sent.tx.tx_hash()).collect()
}

fn bid(txs: &[Sent]) -> u128 {
    let tip = |tx: &maidenlane_chain::Transaction| match tx.max_priority_fee_per_gas() {
        Some(tip) => tip,
        None => tx.max_fee_per_gas(),
    };
    let of = |sent: &Sent| tip(&sent.tx).saturating_mul(u128::from(sent.tx.gas_limit()));
    txs.iter().map(of).fold(0, u128::saturating_add)
}

fn assemble(
    fields: Fields,
    replacement: Option<(String, Option<u64>)>,
    version: BundleVersion,
    txs: &[Sent],
    with: &Circumstances,
) -> Result<Bundle, Refusal> {
    let refund = refund(&fields, txs)?;
    let (kind, targets) = place(&fields)?;
    let block = fields.block.unwrap_or(with.next);
    let (name, nonce) = replacement.unzip();
    Ok(Bundle {
        taken: with.taken.clone(),
        signer: with.signer,
        kind,
        version,
        txs: fields.txs,
        blocks: (block, block),
        min_timestamp: fields.min_timestamp,
        max_timestamp: fields.max_timestamp,
        reverting: fields.reverting,
        dropping: fields.dropping,
        replacement: name,
        nonce: nonce.flatten(),
        refund,
        refund_identity: fields.refund_identity,
        targets,
        builders: fields.builders,
        mempool: false,
    })
}

/// The refund: to the sender of the first transaction, of what the last one earns, where nothing else is said.
fn refund(fields: &Fields, txs: &[Sent]) -> Result<Option<Refund>, Refusal> {
    let percent = match fields.refund_percent {
        Some(0) => return Ok(None),
        Some(percent) => percent,
        None => {
            let others = [
                ("refundRecipient", fields.refund_recipient.is_some()),
                ("refundTxHashes", fields.refund_hashes.as_ref().is_some_and(|hashes| !hashes.is_empty())),
                ("refundIndex", fields.refund_index.is_some()),
            ];
            let without = others.into_iter().find(|(_, is_there)| *is_there);
            return without.map_or(Ok(None), |(field, _)| Err(Refusal::RefundWithoutPercent { field }));
        }
    };
    let percent = u32::try_from(percent).ok().filter(|percent| *percent < 100);
    let percent = percent.ok_or(Refusal::RefundPercent)?;
    let recipient = match fields.refund_recipient {
        Some(recipient) => recipient,
        None => {
            let problem = || "invalid sender: invalid transaction v, r, s values".to_owned();
            let unsigned = || Refusal::Transaction { index: 0, problem: problem() };
            txs.first().and_then(|sent| signer(&sent.tx)).ok_or_else(unsigned)?
        }
    };
    let at = |index: usize| txs.get(index).map(|sent| *sent.tx.tx_hash());
    let by_index = match fields.refund_index {
        Some(index) => {
            let outside =
                Refusal::Type { field: "refundIndex", expected: "the index of a transaction in `txs`" };
            Some(usize::try_from(index).ok().and_then(at).ok_or(outside)?)
        }
        None => None,
    };
    let tx = match (fields.refund_hashes.as_deref().unwrap_or_default(), by_index) {
        ([one], Some(other)) if *one != other => {
            return Err(Refusal::Contradiction { field: "refundIndex", other: "refundTxHashes" });
        }
        ([one], _) => *one,
        ([], Some(one)) => one,
        ([], None) => txs.last().map(|sent| *sent.tx.tx_hash()).ok_or(Refusal::Empty)?,
        _ => return Err(Refusal::RefundHashes),
    };
    let delayed = fields.delayed_refund.unwrap_or_default();
    Ok(Some(Refund { percent, recipient, tx, delayed }))
}

/// The place in the block, and the contracts that it depends on.
fn place(fields: &Fields) -> Result<(BundleKind, Vec<BundleTarget>), Refusal> {
    let kind = match fields.place.as_deref() {
        None => BundleKind::Bundle,
        Some(place) if place.eq_ignore_ascii_case(BOTTOM) => BundleKind::EndOfBlock,
        Some(_) => return Err(Refusal::Place),
    };
    let (addresses, field) = match (&fields.target_addresses, &fields.target_pools) {
        (Some(addresses), Some(pools)) if addresses != pools => {
            return Err(Refusal::Contradiction { field: "targetPools", other: "targetAddresses" });
        }
        (Some(addresses), _) => (addresses.as_slice(), "targetAddresses"),
        (None, Some(pools)) => (pools.as_slice(), "targetPools"),
        (None, None) if fields.target_slots.is_some() => (&[][..], "targetSlots"),
        (None, None) => return Ok((kind, Vec::new())),
    };
    if kind == BundleKind::Bundle {
        return Err(Refusal::TargetsWithoutPlace { field });
    }
    let slots = match &fields.target_slots {
        Some(slots) if slots.len() != addresses.len() => return Err(Refusal::Targets),
        Some(slots) => slots.clone(),
        None => vec![Vec::new(); addresses.len()],
    };
    let targets =
        addresses.iter().zip(slots).map(|(address, slots)| BundleTarget { address: *address, slots });
    Ok((kind, targets.collect()))
}

/// Checks a bundle against its transactions and the chain's height.
fn check(bundle: &Bundle, hashes: &[B256], with: &Circumstances) -> Result<(), Refusal> {
    let mut known = HashSet::with_capacity(hashes.len());
    for (index, hash) in hashes.iter().enumerate() {
        if !known.insert(*hash) {
            return Err(Refusal::TransactionTwice { index });
        }
    }
    let lists = [("revertingTxHashes", &bundle.reverting), ("droppingTxHashes", &bundle.dropping)];
    for (field, list) in lists {
        let mut seen = HashSet::with_capacity(list.len());
        for (index, hash) in list.iter().enumerate() {
            if !known.contains(hash) {
                return Err(Refusal::NotInBundle { field, index });
            }
            if !seen.insert(hash) {
                return Err(Refusal::HashTwice { field, index });
            }
        }
    }
    let both = bundle.dropping.iter().position(|hash| bundle.reverting.contains(hash));
    if let Some(index) = both {
        return Err(Refusal::RevertingAndDropping { index });
    }
    if bundle.refund.is_some_and(|refund| !known.contains(&refund.tx)) {
        return Err(Refusal::NotInBundle { field: "refundTxHashes", index: 0 });
    }
    times(bundle, with)
}

fn times(bundle: &Bundle, with: &Circumstances) -> Result<(), Refusal> {
    let window = Window::new(bundle.blocks, bundle.min_timestamp, bundle.max_timestamp);
    if window.times.0 > window.times.1 {
        return Err(Refusal::TimesReversed);
    }
    if window.times.1 <= with.head_s {
        return Err(Refusal::Expired { head_s: with.head_s });
    }
    if window.blocks.1 < with.next {
        return Err(Refusal::Past { next: with.next });
    }
    let most = with.next.saturating_add(with.ahead_max);
    if window.blocks.0 > most { Err(Refusal::TooFar { most }) } else { Ok(()) }
}

#[cfg(test)]
mod tests;
