//! Fees: the suggestions and the history, by geth's rules, from the blocks of one view.

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
use maidenlane_ethjson::params::Tag;
use maidenlane_ethjson::select::{self, pruned};
use maidenlane_ethjson::unreadable;
use maidenlane_evm::budget::Budget;
use maidenlane_evm::cost;
use maidenlane_json::{Object, push_big, push_list};
use maidenlane_jsonrpc::{Args, Error, Json};
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use serde_json::value::RawValue;
use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

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
/// Blocks in one fee history.
const HISTORY_MAX: u64 = 1_024;
/// Percentiles in one fee history.
const PERCENTILES_MAX: usize = 100;
/// Most blocks of a history with rewards that is made on the IO thread; a longer one is made on the pool.
const HISTORY_INLINE: u64 = 4;
/// Size of the cache of tips.
const CACHE_BYTES: u64 = 32 << 20;

/// Tips that one block paid, lowest first.
#[derive(Debug)]
struct Tips {
    /// Gas used and tip of each transaction.
    all: Vec<(u64, u128)>,
    /// Lowest tips, which count for a suggestion.
    sample: Vec<u128>,
}

#[derive(Clone, Debug)]
struct Weight;

impl Weighter<B256, Arc<Tips>> for Weight {
    fn weight(&self, _: &B256, tips: &Arc<Tips>) -> u64 {
        u64::try_from(tips.all.len()).unwrap_or(u64::MAX).saturating_mul(32).saturating_add(200)
    }
}

/// Cache of tips by block hash, so that no entry can be out of date; and the newest head's suggestion.
#[derive(Debug)]
pub(crate) struct Fees {
    tips: Cache<B256, Arc<Tips>, Weight>,
    suggested: arc_swap::ArcSwap<(B256, u128)>,
}

impl Fees {
    /// Empty cache.
    pub(crate) fn new() -> Self {
        Self {
            tips: Cache::with_weighter(4_096, CACHE_BYTES, Weight),
            suggested: arc_swap::ArcSwap::from_pointee((B256::ZERO, 0)),
        }
    }

    fn tips(&self, shared: &Shared, view: &RequestView, at: BlockRef) -> Result<Arc<Tips>, Error> {
        if let Some(tips) = self.tips.get(&at.hash) {
            return Ok(tips);
        }
        let block = shared.blocks.block(view, at)?;
        let receipts = shared.blocks.receipts(view, &block)?;
        let tips = Arc::new(Tips::of(&block, receipts.gas_used()));
        self.tips.insert(at.hash, Arc::clone(&tips));
        Ok(tips)
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
            let sample = self.tips(shared, view, numbered(view, number)?)?;
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

impl Tips {
    fn of(block: &Block, used: impl Iterator<Item = u64>) -> Self {
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
        Self { sample, all: all.into_iter().map(|(used, tip, _)| (used, tip)).collect() }
    }

    /// Tips at percentiles of the block's used gas, which ascend.
    fn rewards(&self, block_gas_used: u64, percentiles: &[f64]) -> Vec<u128> {
        let mut next = self.all.iter();
        let Some((mut sum, mut tip)) = next.next().copied() else { return vec![0; percentiles.len()] };
        let mut rewards = Vec::with_capacity(percentiles.len());
        for percentile in percentiles {
            let threshold = threshold(block_gas_used, *percentile);
            while sum < threshold {
                let Some((used, more)) = next.next() else { break };
                sum += used;
                tip = *more;
            }
            rewards.push(tip);
        }
        rewards
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

fn next_base_fee(view: &RequestView, header: &Header) -> Option<u64> {
    let fee = || header.next_block_base_fee(BaseFeeParams::ethereum()).unwrap_or(INITIAL_BASE_FEE);
    view.head().rules.is_london(header.number.saturating_add(1)).then(fee)
}

fn numbered(view: &RequestView, number: u64) -> Result<BlockRef, Error> {
    if number < view.head().body_floor {
        return Err(pruned());
    }
    let hash = view.source().hash_of(number).map_err(unreadable)?.ok_or_else(pruned)?;
    Ok(BlockRef::new(number, hash))
}

/// Checked parameters of `eth_feeHistory`.
struct HistoryQuery {
    blocks: u64,
    last: u64,
    percentiles: Vec<f64>,
}

/// Parses a JSON number, or a string of decimal or hexadecimal digits.
fn count(json: &str) -> Result<u64, String> {
    let text = json.trim_matches('"');
    let parsed = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        None if text.is_empty() => Ok(0),
        Some(digits) => u64::from_str_radix(digits, 16),
        None => text.parse(),
    };
    parsed.map_err(|_| format!("invalid hex or decimal integer {text:?}"))
}

/// Checks the parameters of `eth_feeHistory` against the head; `None` where the history is empty.
fn wanted(view: &RequestView, params: Option<&RawValue>) -> Result<Option<HistoryQuery>, Error> {
    let mut args = Args::parse(params, 3)?;
    let mut blocks = args.required(count)?;
    let last = args.required(Tag::read)?;
    let percentiles: Option<Vec<Option<f64>>> =
        args.required(|json| serde_json::from_str(json).map_err(|error| error.to_string()))?;
    // As for Go's decoder, null leaves a number what it was.
    let percentiles = percentiles.into_iter().flatten().map(Option::unwrap_or_default).collect::<Vec<_>>();
    if blocks == 0 {
        return Ok(None);
    }
    blocks = blocks.min(HISTORY_MAX);
    check(&percentiles)?;
    let head = view.head();
    let last = match last {
        Tag::Number(number) if number > head.block.number => {
            let text = format!("request beyond head block: requested {number}, head {}", head.block.number);
            return Err(Error::server(text));
        }
        Tag::Number(number) => number,
        Tag::Pending => {
            // There is no pending block here: it is left out at the end.
            blocks -= 1;
            head.block.number
        }
        Tag::Earliest => head.body_floor,
        Tag::Latest => head.block.number,
        Tag::Safe => head.safe.ok_or_else(|| Error::server("safe block not found"))?.number,
        Tag::Finalized => head.finalized.ok_or_else(|| Error::server("finalized block not found"))?.number,
    };
    blocks = blocks.min(last.saturating_add(1));
    Ok((blocks > 0).then_some(HistoryQuery { blocks, last, percentiles }))
}

fn check(percentiles: &[f64]) -> Result<(), Error> {
    let invalid = |what: String| Err(Error::server(format!("invalid reward percentile: {what}")));
    if percentiles.len() > PERCENTILES_MAX {
        return invalid(format!("over the query limit {PERCENTILES_MAX}"));
    }
    if let Some(wrong) = percentiles.iter().find(|percentile| !(0.0..=100.0).contains(*percentile)) {
        return invalid(format!("{wrong:.6}"));
    }
    match percentiles.windows(2).position(|pair| matches!(pair, [a, b] if b <= a)) {
        Some(at) => invalid(format!("#{at} is not below #{}", at + 1)),
        None => Ok(()),
    }
}

/// `eth_feeHistory`.
pub(crate) async fn history(
    shared: &Arc<Shared>,
    view: &Arc<RequestView>,
    params: Option<&RawValue>,
) -> Result<Json, Error> {
    let Some(wanted) = wanted(view, params)? else {
        return Ok(Json::Static("{\"oldestBlock\":\"0x0\",\"gasUsedRatio\":null}"));
    };
    if wanted.percentiles.is_empty() || wanted.blocks <= HISTORY_INLINE {
        return history_of(shared, view, &wanted, &AtomicBool::new(false));
    }
    let (there, seen) = (Arc::clone(shared), Arc::clone(view));
    let job = move |cancelled: Arc<AtomicBool>| history_of(&there, &seen, &wanted, &cancelled);
    shared.pool.run(view.owner(), job).await.map_err(crate::rpc::execute::refused)?
}

/// One block's line in the history.
struct Line {
    rewards: Vec<u128>,
    base_fee: u64,
    used: f64,
    blob_fee: u128,
    blobs_used: f64,
}

#[expect(clippy::cast_precision_loss, reason = "in floating point, as geth has it")]
fn line(
    shared: &Shared,
    view: &RequestView,
    wanted: &HistoryQuery,
    at: BlockRef,
) -> Result<(Line, Header), Error> {
    let header = select::header(view.source(), at)?;
    let rules = &view.head().rules;
    let blobs_max = rules.blobs(header.timestamp).map_or(0, |blobs| blobs.max_blob_gas_per_block());
    let rewards = if wanted.percentiles.is_empty() {
        Vec::new()
    } else {
        shared.fees.tips(shared, view, at)?.rewards(header.gas_used, &wanted.percentiles)
    };
    let blobs_used = header.blob_gas_used.filter(|_| blobs_max > 0);
    let line = Line {
        rewards,
        base_fee: header.base_fee_per_gas.unwrap_or_default(),
        used: header.gas_used as f64 / header.gas_limit as f64,
        blob_fee: rules.blob_price(&header).unwrap_or_default(),
        blobs_used: blobs_used.map_or(0.0, |used| used as f64 / blobs_max as f64),
    };
    Ok((line, header))
}

fn history_of(
    shared: &Shared,
    view: &RequestView,
    wanted: &HistoryQuery,
    cancelled: &AtomicBool,
) -> Result<Json, Error> {
    let oldest = wanted.last + 1 - wanted.blocks;
    let mut lines = Vec::new();
    let mut newest = None;
    for number in oldest..=wanted.last {
        if cancelled.load(Ordering::Relaxed) {
            return Err(Error::server("cancelled"));
        }
        let (line, header) = line(shared, view, wanted, numbered(view, number)?)?;
        lines.push(line);
        newest = Some(header);
    }
    let newest = newest.unwrap_or_default();
    let rules = &view.head().rules;
    let next_fee = next_base_fee(view, &newest).unwrap_or_default();
    let next_blob_fee = rules.next_blob_price(&newest).unwrap_or_default();
    let ratio = |out: &mut String, ratio: f64| {
        // Writing to a String cannot fail.
        let _ = write!(out, "{}", if ratio.is_finite() { ratio } else { 0.0 });
    };
    Ok(Json::object(|object: &mut Object<'_>| {
        object.quantity("oldestBlock", oldest);
        if !wanted.percentiles.is_empty() {
            object.list("reward", &lines, |out, line| {
                push_list(out, &line.rewards, |out, reward| push_big(out, &reward.to_be_bytes()));
            });
        }
        let fees = lines.iter().map(|line| line.base_fee).chain([next_fee]);
        object.list("baseFeePerGas", fees, |out, fee| push_big(out, &fee.to_be_bytes()));
        object.list("gasUsedRatio", &lines, |out, line| ratio(out, line.used));
        let fees = lines.iter().map(|line| line.blob_fee).chain([next_blob_fee]);
        object.list("baseFeePerBlobGas", fees, |out, fee| push_big(out, &fee.to_be_bytes()));
        object.list("blobGasUsedRatio", &lines, |out, line| ratio(out, line.blobs_used));
    }))
}
