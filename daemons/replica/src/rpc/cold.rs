//! Look-ups of blocks and of what is in them, on the thread that they need.
//!
//! # Why
//! What the cache has is answered in microseconds, and no hand-over to another thread is worth that. A block that nobody
//! asked for lately is read, decoded and rendered, and its senders recovered where the feed did not tell them: milliseconds
//! for a full one, in which an IO thread answers nobody else, `/live` and `/ready` neither. Its header tells beforehand what to expect: a block whose
//! gas pays for no more than [`SMALL_TXS`] transactions is read at once, any other on the pool, as long calls are.

use super::blocks::Whole;
use super::execute;
use super::mined::Mined;
use super::{Shared, request_view::RequestView};
use maidenlane_chain::{Block, BlockRef};
use maidenlane_ethjson::select;
use maidenlane_evm::budget::Budget;
use maidenlane_jsonrpc::{Error, Json, codes};
use serde_json::value::RawValue;
use std::sync::Arc;

/// Transactions that a block may have to be read on an IO thread: together what a hand-over is worth, and not more.
const SMALL_TXS: u64 = 5;
/// Gas that every transaction costs at least.
const TX_GAS: u64 = 21_000;

/// Reason for which a look-up has no answer.
pub(super) enum Miss {
    /// Work that would hold the IO thread for too long.
    Cold,
    /// Refusal, with the client's error.
    Refused(Error),
}

impl From<Error> for Miss {
    fn from(error: Error) -> Self {
        Self::Refused(error)
    }
}

/// Handler of a look-up: the same answer on every thread.
pub(super) type Method = fn(&Look<'_>, Option<&RawValue>) -> Result<Json, Miss>;

/// Access of a look-up to the chain and the caches.
pub(super) struct Look<'a> {
    pub(super) shared: &'a Shared,
    pub(super) view: &'a RequestView,
    /// True on the pool.
    may_last: bool,
}

impl Look<'_> {
    /// Refuses work on an IO thread that is ready neither in a cache nor soon.
    pub(super) fn allow(&self, is_ready: bool) -> Result<(), Miss> {
        if self.may_last || is_ready { Ok(()) } else { Err(Miss::Cold) }
    }

    fn allow_reading(&self, at: BlockRef) -> Result<(), Miss> {
        let is_small = || {
            let header = select::header(self.view.source(), at)?;
            Ok::<_, Error>(header.gas_used <= SMALL_TXS * TX_GAS)
        };
        let allowed = self.may_last || is_small()?;
        self.allow(allowed)
    }

    /// A block that is known to exist, decoded.
    pub(super) fn block(&self, at: BlockRef) -> Result<Arc<Block>, Miss> {
        match self.shared.blocks.decoded(at) {
            Some(block) => Ok(block),
            None => {
                self.allow_reading(at)?;
                Ok(self.shared.blocks.block(self.view, at)?)
            }
        }
    }

    /// Whole-block answer.
    pub(super) fn whole(&self, at: BlockRef, what: Whole) -> Result<Json, Miss> {
        match self.shared.blocks.ready(at, what) {
            Some(json) => Ok(json),
            None => {
                self.allow_reading(at)?;
                Ok(self.shared.blocks.whole(self.view, at, what)?)
            }
        }
    }

    /// The transaction at `index` of a block that is known to exist.
    pub(super) fn transaction(&self, at: BlockRef, index: usize) -> Result<Option<Mined>, Miss> {
        match self.shared.blocks.decoded(at) {
            Some(block) => Ok(Mined::within(block, index)),
            None => {
                self.allow_reading(at)?;
                Ok(self.shared.blocks.transaction(self.view, at, index)?)
            }
        }
    }

    /// JSON of one receipt of a block.
    pub(super) fn receipt(&self, at: BlockRef, mined: &Mined) -> Result<Json, Miss> {
        if !self.shared.blocks.has_receipts(at) {
            self.allow_reading(at)?;
        }
        Ok(self.shared.blocks.receipt(self.view, mined)?)
    }
}

/// Answers a look-up on this thread; [`Miss::Cold`] if it belongs on the pool.
pub(super) fn here(
    shared: &Shared,
    view: &RequestView,
    params: Option<&RawValue>,
    method: Method,
) -> Result<Json, Miss> {
    method(&Look { shared, view, may_last: false }, params)
}

/// Answers a look-up on the pool.
pub(super) async fn on_pool(
    shared: &Arc<Shared>,
    view: &Arc<RequestView>,
    params: Option<&RawValue>,
    method: Method,
) -> Result<Json, Error> {
    let time = shared.settings.get().limits.answer;
    let job = move |shared: &Shared, view: &RequestView, params: Option<&RawValue>, _: Budget| {
        method(&Look { shared, view, may_last: true }, params).map_err(|miss| match miss {
            Miss::Refused(error) => error,
            Miss::Cold => Error::internal("a look-up that is never ready"),
        })
    };
    let late = || Err(Error::new(codes::TIMEOUT, "request timed out"));
    execute::on_pool(shared, view, params, time, job).await.unwrap_or_else(late)
}

#[cfg(test)]
mod tests;
