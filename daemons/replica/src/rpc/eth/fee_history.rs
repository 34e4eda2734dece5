//! `eth_feeHistory`, by geth's rules.

use super::fees::{Paid, UseOf, next_base_fee, numbered};
use crate::rpc::Shared;
use crate::rpc::cold::Miss;
use crate::rpc::execute::refused;
use crate::rpc::request_view::RequestView;
use alloy::consensus::Header;
use maidenlane_chain::BlockRef;
use maidenlane_chain::block::decode_header;
use maidenlane_ethjson::params::Tag;
use maidenlane_ethjson::select::pruned;
use maidenlane_ethjson::unreadable;
use maidenlane_json::{Object, push_big, push_list};
use maidenlane_jsonrpc::{Args, Error, Json};
use serde_json::value::RawValue;
use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Blocks in one fee history.
const HISTORY_MAX: u64 = 1_024;
/// Percentiles in one fee history.
const PERCENTILES_MAX: usize = 100;
/// Most blocks of a history with rewards that is made on the IO thread, where all of them are known.
const READY_MAX: u64 = 128;

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

/// `eth_feeHistory`. Where all blocks' fees are known it is answered at once, else on the pool.
pub(crate) async fn history(
    shared: &Arc<Shared>,
    view: &Arc<RequestView>,
    params: Option<&RawValue>,
) -> Result<Json, Error> {
    let Some(wanted) = wanted(view, params)? else {
        return Ok(Json::Static("{\"oldestBlock\":\"0x0\",\"gasUsedRatio\":null}"));
    };
    if wanted.percentiles.is_empty() || wanted.blocks <= READY_MAX {
        let ready = |at| match wanted.percentiles.is_empty() {
            true => Ok(Line::of_header(&header(view, at)?, view)),
            false => shared.fees.ready(at).map(|paid| wanted.line(&paid)).ok_or(Miss::Cold),
        };
        match wanted.answer(view, ready) {
            Err(Miss::Cold) => (),
            Err(Miss::Refused(error)) => return Err(error),
            Ok(json) => return Ok(json),
        }
    }
    let (there, seen) = (Arc::clone(shared), Arc::clone(view));
    let job = move |cancelled: Arc<AtomicBool>| {
        wanted.answer(&seen, |at| {
            if cancelled.load(Ordering::Relaxed) {
                return Err(Error::server("cancelled"));
            }
            Ok(wanted.line(&*there.fees.paid(&there, &seen, at)?))
        })
    };
    shared.pool.run(view.owner(), job).await.map_err(refused)?
}

fn header(view: &RequestView, at: BlockRef) -> Result<Header, Error> {
    let bytes = view.source().header(at).map_err(unreadable)?.ok_or_else(pruned)?;
    decode_header(&bytes).map_err(|error| Error::internal(format!("header of {at} in the store: {error}")))
}

/// One block's line in the history.
struct Line {
    rewards: Vec<u128>,
    use_of: UseOf,
}

impl Line {
    fn of_header(header: &Header, view: &RequestView) -> Self {
        Self { rewards: Vec::new(), use_of: UseOf::of(header, view) }
    }
}

impl HistoryQuery {
    fn line(&self, paid: &Paid) -> Line {
        let rewards = self.percentiles.iter().map(|percentile| paid.reward(*percentile)).collect();
        Line { rewards, use_of: paid.use_of }
    }

    /// The history, with a line for each block.
    fn answer<E: From<Error>>(
        &self,
        view: &RequestView,
        line: impl Fn(BlockRef) -> Result<Line, E>,
    ) -> Result<Json, E> {
        let oldest = self.last + 1 - self.blocks;
        let last = numbered(view, self.last)?;
        let (mut lines, mut at) = (Vec::new(), last);
        // By their parents, which are known where the block is: a look at the canonical chain takes longer.
        for before in (oldest..=self.last).rev().map(|number| number.saturating_sub(1)) {
            let line = line(at)?;
            at = BlockRef::new(before, line.use_of.parent);
            lines.push(line);
        }
        lines.reverse();
        let newest = header(view, last)?;
        let next_fee = next_base_fee(view, &newest).unwrap_or_default();
        let next_blob_fee = view.head().rules.next_blob_price(&newest).unwrap_or_default();
        let ratio = |out: &mut String, ratio: f64| {
            // Writing to a String cannot fail.
            let _ = write!(out, "{}", if ratio.is_finite() { ratio } else { 0.0 });
        };
        Ok(Json::object(|object: &mut Object<'_>| {
            object.quantity("oldestBlock", oldest);
            if !self.percentiles.is_empty() {
                object.list("reward", &lines, |out, line| {
                    push_list(out, &line.rewards, |out, reward| push_big(out, &reward.to_be_bytes()));
                });
            }
            let fees = lines.iter().map(|line| line.use_of.base_fee).chain([next_fee]);
            object.list("baseFeePerGas", fees, |out, fee| push_big(out, &fee.to_be_bytes()));
            object.list("gasUsedRatio", &lines, |out, line| ratio(out, line.use_of.used));
            let fees = lines.iter().map(|line| line.use_of.blob_fee).chain([next_blob_fee]);
            object.list("baseFeePerBlobGas", fees, |out, fee| push_big(out, &fee.to_be_bytes()));
            object.list("blobGasUsedRatio", &lines, |out, line| ratio(out, line.use_of.blobs_used));
        }))
    }
}
