//! Fees: what blocks paid, and the suggestions from it, by geth's rules.

use crate::rpc::Shared;
use crate::rpc::cold::{Look, Miss};
use crate::rpc::execute::Stop;
use crate::rpc::request_view::RequestView;
use alloy::consensus::Header;
use alloy::eips::eip1559::{BaseFeeParams, INITIAL_BASE_FEE};
use alloy::primitives::B256;
use maidenlane_chain::Block;
use maidenlane_chain::BlockRef;
use maidenlane_chain::transaction::effective_gas_price;
use maidenlane_ethjson::select::pruned;
use maidenlane_ethjson::unreadable;
use maidenlane_evm::budget::Budget;
use maidenlane_evm::cost;
use maidenlane_json::push_big;
use maidenlane_jsonrpc::{Args, Error, Json};
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use serde_json::value::RawValue;
use std::sync::Arc;

/// Blocks that a suggestion samples; up to twice as many where they hold little.
const SAMPLE_BLOCKS: usize = 20;
/// Number of a block's lowest tips that count.
const SAMPLE_TIPS: usize = 3;
/// Percentile of the sampled tips that is suggested.
const SAMPLE_PERCENT: usize = 60;
/// Lowest tip that is sampled.
const TIP_MIN_WEI: u128 = 2;
/// Highest tip that is suggested.
const TIP_MAX_WEI: u128 = 500_000_000_000;
/// Default tip, which an empty chain suggests and an empty block counts as. geth takes its own last suggestion there,
/// which depends on when it was asked; every replica must answer the same.
const TIP_DEFAULT_WEI: u128 = 1_000_000;
/// Size of the cache of what blocks paid.
const CACHE_BYTES: u64 = 32 << 20;

/// Fees of one block.
#[derive(Debug)]
pub(super) struct Paid {
    pub(super) use_of: UseOf,
    /// Tip of each transaction, lowest first, and the gas that it and those before it used.
    tips: Vec<(u64, u128)>,
    /// Lowest tips, which count for a suggestion.
    sample: Vec<u128>,
}

/// Facts of a header that a fee history tells.
#[derive(Clone, Copy, Debug)]
pub(super) struct UseOf {
    /// Hash of the block before.
    pub(super) parent: B256,
    pub(super) gas_used: u64,
    pub(super) base_fee: u64,
    /// Share of the gas limit.
    pub(super) used: f64,
    pub(super) blob_fee: u128,
    /// Share of the most blob gas.
    pub(super) blobs_used: f64,
}

#[derive(Clone, Debug)]
struct Weight;

impl Weighter<B256, Arc<Paid>> for Weight {
    fn weight(&self, _: &B256, paid: &Arc<Paid>) -> u64 {
        u64::try_from(paid.tips.len()).unwrap_or(u64::MAX).saturating_mul(32).saturating_add(300)
    }
}

/// Cache of what blocks paid by their hash, so that no entry can be out of date; and the newest head's suggestion.
#[derive(Debug)]
pub(crate) struct Fees {
    paid: Cache<B256, Arc<Paid>, Weight>,
    suggested: arc_swap::ArcSwap<(B256, u128)>,
}

impl Fees {
    /// Empty cache.
    pub(crate) fn new() -> Self {
        Self {
            paid: Cache::with_weighter(4_096, CACHE_BYTES, Weight),
            suggested: arc_swap::ArcSwap::from_pointee((B256::ZERO, 0)),
        }
    }

    /// Fees of a block that are known already.
    pub(super) fn ready(&self, at: BlockRef) -> Option<Arc<Paid>> {
        self.paid.get(&at.hash)
    }

    /// Fees of a block that is known to exist.
    pub(super) fn paid(&self, shared: &Shared, view: &RequestView, at: BlockRef) -> Result<Arc<Paid>, Error> {
        if let Some(paid) = self.ready(at) {
            return Ok(paid);
        }
        let block = shared.blocks.block(view, at)?;
        let receipts = shared.blocks.receipts(view, &block)?;
        let paid = Arc::new(Paid::of(&block, UseOf::of(&block.header, view), receipts.gas_used()));
        self.paid.insert(at.hash, Arc::clone(&paid));
        Ok(paid)
    }

    /// [`Fees::suggestion`] under a budget.
    pub(crate) fn suggestion_within(
        &self,
        shared: &Shared,
        view: &RequestView,
        budget: &mut Budget,
    ) -> Result<u128, Stop> {
        if self.known(view.block()).is_none() {
            budget.charge(cost::FEES)?;
        }
        Ok(self.suggestion(shared, view)?)
    }

    /// Suggestion at this head, if there was one already.
    fn known(&self, head: BlockRef) -> Option<u128> {
        let known = self.suggested.load();
        (known.0 == head.hash).then_some(known.1)
    }

    /// Suggested tip, which gets a transaction into one of the next blocks.
    pub(crate) fn suggestion(&self, shared: &Shared, view: &RequestView) -> Result<u128, Error> {
        let head = view.block();
        if let Some(known) = self.known(head) {
            return Ok(known);
        }
        let mut seen: Vec<u128> = Vec::new();
        let (mut wanted, mut number) = (SAMPLE_BLOCKS, head.number);
        while wanted > 0 && number > 0 {
            let sample = self.paid(shared, view, numbered(view, number)?)?;
            let sample: &[u128] = if sample.sample.is_empty() { &[TIP_DEFAULT_WEI] } else { &sample.sample };
            wanted -= 1;
            number -= 1;
            // A block with few samples is made up for by an older one.
            if sample.len() == 1 && seen.len() + 1 + wanted < SAMPLE_BLOCKS * 2 {
                wanted += 1;
            }
            seen.extend(sample);
        }
        seen.sort_unstable();
        let at = seen.len().saturating_sub(1) * SAMPLE_PERCENT / 100;
        let tip = seen.get(at).map_or(TIP_DEFAULT_WEI, |tip| *tip).min(TIP_MAX_WEI);
        self.suggested.store(Arc::new((head.hash, tip)));
        Ok(tip)
    }
}

impl Paid {
    fn of(block: &Block, use_of: UseOf, used: impl Iterator<Item = u64>) -> Self {
        let base = block.header.base_fee_per_gas;
        let tip = |tx| effective_gas_price(tx, base).saturating_sub(base.unwrap_or_default().into());
        let mut all: Vec<(u64, u128, usize)> = block
            .transactions
            .iter()
            .zip(used)
            .enumerate()
            .map(|(index, (tx, used))| (used, tip(tx), index))
            .collect();
        // Stable: equal tips stay in the block's order.
        all.sort_by_key(|(_, tip, _)| *tip);
        // The miner pays itself whatever it likes.
        let others = all.iter().filter(|(_, tip, index)| {
            *tip >= TIP_MIN_WEI && block.sender(*index) != Some(block.header.beneficiary)
        });
        let sample = others.map(|(_, tip, _)| *tip).take(SAMPLE_TIPS).collect();
        let sums = all.into_iter().scan(0_u64, |sum, (used, tip, _)| {
            *sum = sum.saturating_add(used);
            Some((*sum, tip))
        });
        Self { use_of, sample, tips: sums.collect() }
    }

    /// Tip at a percentile of the block's used gas; nothing where there are no transactions.
    pub(super) fn reward(&self, percentile: f64) -> u128 {
        let threshold = threshold(self.use_of.gas_used, percentile);
        let at = self.tips.partition_point(|(sum, _)| *sum < threshold);
        self.tips.get(at).or(self.tips.last()).map_or(0, |(_, tip)| *tip)
    }
}

impl UseOf {
    #[expect(clippy::cast_precision_loss, reason = "in floating point, as geth has it")]
    pub(super) fn of(header: &Header, view: &RequestView) -> Self {
        let rules = &view.head().rules;
        let blobs_max = rules.blobs(header.timestamp).map_or(0, |blobs| blobs.max_blob_gas_per_block());
        let blobs_used = header.blob_gas_used.filter(|_| blobs_max > 0);
        Self {
            parent: header.parent_hash,
            gas_used: header.gas_used,
            base_fee: header.base_fee_per_gas.unwrap_or_default(),
            used: header.gas_used as f64 / header.gas_limit as f64,
            blob_fee: rules.blob_price(header).unwrap_or_default(),
            blobs_used: blobs_used.map_or(0.0, |used| used as f64 / blobs_max as f64),
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "in floating point, as geth has it"
)]
fn threshold(gas: u64, percentile: f64) -> u64 {
    (gas as f64 * percentile / 100.0) as u64
}

/// `eth_gasPrice`.
pub(crate) fn gas_price(look: &Look<'_>, params: Option<&RawValue>) -> Result<Json, Miss> {
    Args::parse(params, 0)?;
    let tip = suggested(look)?;
    Ok(big(tip.saturating_add(look.view.head().header.base_fee_per_gas.unwrap_or_default().into())))
}

/// `eth_maxPriorityFeePerGas`.
pub(crate) fn tip(look: &Look<'_>, params: Option<&RawValue>) -> Result<Json, Miss> {
    Args::parse(params, 0)?;
    suggested(look).map(big)
}

/// Suggested tip. The first at a head reads its block, and after a start those before it.
fn suggested(look: &Look<'_>) -> Result<u128, Miss> {
    let fees = &look.shared.fees;
    look.allow(fees.known(look.view.block()).is_some())?;
    Ok(fees.suggestion(look.shared, look.view)?)
}

/// `eth_baseFee`.
pub(crate) fn base_fee(view: &RequestView, params: Option<&RawValue>) -> Result<Json, Error> {
    Args::parse(params, 0)?;
    Ok(next_base_fee(view, &view.head().header).map_or(Json::NULL, Json::quantity))
}

/// `eth_blobBaseFee`.
pub(crate) fn blob_base_fee(view: &RequestView, params: Option<&RawValue>) -> Result<Json, Error> {
    Args::parse(params, 0)?;
    let head = view.head();
    Ok(head.rules.blob_price(&head.header).map_or(Json::NULL, big))
}

fn big(n: u128) -> Json {
    let mut out = String::with_capacity(40);
    push_big(&mut out, &n.to_be_bytes());
    Json::Owned(out)
}

pub(super) fn next_base_fee(view: &RequestView, header: &Header) -> Option<u64> {
    let fee = || header.next_block_base_fee(BaseFeeParams::ethereum()).unwrap_or(INITIAL_BASE_FEE);
    view.head().rules.is_london(header.number.saturating_add(1)).then(fee)
}

pub(super) fn numbered(view: &RequestView, number: u64) -> Result<BlockRef, Error> {
    if number < view.head().body_floor {
        return Err(pruned());
    }
    let hash = view.source().hash_of(number).map_err(unreadable)?.ok_or_else(pruned)?;
    Ok(BlockRef::new(number, hash))
}

#[cfg(test)]
mod tests {
    use super::{B256, Paid, UseOf};

    #[test]
    fn a_percentile_is_the_tip_at_which_so_much_gas_was_used() {
        let use_of =
            UseOf { parent: B256::ZERO, gas_used: 100, base_fee: 0, used: 0.0, blob_fee: 0, blobs_used: 0.0 };
        let rewards = |tips: &[(u64, u128)]| {
            let paid = Paid { use_of, tips: tips.to_vec(), sample: Vec::new() };
            [0.0, 20.0, 20.5, 21.0, 70.0, 99.9, 100.0].map(|percentile| paid.reward(percentile))
        };
        assert_eq!(rewards(&[(20, 1), (70, 2), (100, 3)]), [1, 1, 1, 2, 2, 3, 3]);
        assert_eq!(rewards(&[(20, 1), (70, 2), (99, 3)]), [1, 1, 1, 2, 2, 3, 3], "receipts that lack gas");
        assert_eq!(rewards(&[]), [0; 7], "no transactions");
    }
}
