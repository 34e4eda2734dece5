//! The parameter of `trace_filter`.

use crate::rpc::request_view::RequestView;
use crate::rpc::rerun::calls::Picked;
use alloy::primitives::{Address, map::AddressSet};
use maidenlane_ethjson::params::{Selector, Tag};
use maidenlane_ethjson::select;
use maidenlane_jsonrpc::Error;
use serde::Deserialize;
use std::ops::RangeInclusive;

/// Relation of the two address lists of a filter. Union by default, as in reth and Erigon.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Mode {
    #[default]
    Union,
    Intersection,
}

/// The parameter of `trace_filter`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub(super) struct Filter {
    from_block: Option<Tag>,
    to_block: Option<Tag>,
    from_address: Option<Vec<Address>>,
    to_address: Option<Vec<Address>>,
    mode: Option<Mode>,
    after: Option<u64>,
    count: Option<u64>,
}

impl Filter {
    /// Resolves the range of blocks, and which of their frames are picked.
    pub(super) fn resolve(self, view: &RequestView) -> Result<(RangeInclusive<u64>, Picked), Error> {
        let resolve = |tag: Option<Tag>| {
            let at = select::block(view.source(), Selector::Tag(tag.unwrap_or(Tag::Latest)))?;
            at.map(|at| at.number).ok_or_else(|| Error::server("block not found"))
        };
        let (first, last) = (resolve(self.from_block)?, resolve(self.to_block)?);
        if first > last {
            return Err(Error::params("invalid block range params"));
        }
        let set = |addresses: Option<Vec<Address>>| {
            addresses.unwrap_or_default().into_iter().collect::<AddressSet>()
        };
        let picked = Picked {
            from: set(self.from_address),
            to: set(self.to_address),
            both: self.mode == Some(Mode::Intersection),
            after: self.after.unwrap_or_default(),
            count: self.count.unwrap_or(u64::MAX),
            ..Picked::default()
        };
        // Genesis has no transactions, and no state before it.
        Ok((first.max(1)..=last, picked))
    }
}
