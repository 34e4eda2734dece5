//! Settings of the back-fill.

use maidenlane_backfill::{Address, Plan};
use maidenlane_config::{Checker, StaticType, shapes};
use maidenlane_jsonrpc::client::Endpoint;
use serde::Deserialize;
use std::path::PathBuf;

/// Back-fill: blocks and receipts from before the database's beginning, brought behind the head.
#[derive(Clone, Debug, Deserialize, StaticType)]
#[expect(non_snake_case, reason = "the names of the Dhall fields")]
pub struct BackfillRaw {
    /// Block down to which they are brought; what is below is answered as pruned.
    pub from: u64,
    /// Sources, asked for each block in this order.
    pub sources: Vec<BlockSourceRaw>,
    /// Most kilobytes a second, of blocks and receipts.
    pub rate_kBps: u64,
}

/// Source of blocks.
#[derive(Clone, Debug, Deserialize, StaticType)]
pub enum BlockSourceRaw {
    /// Path of a node's IPC socket, or its URL, with `debug_getRaw*`.
    Node(String),
    /// Directory of `era1` and `ere` archives.
    Era(String),
    /// File of `geth export`; others have the receipts.
    Export(String),
}

/// Plan of a back-fill, if there is to be one.
pub(super) fn plan(raw: Option<&BackfillRaw>, checker: &mut Checker) -> Option<Option<Plan>> {
    let Some(raw) = raw else { return Some(None) };
    if raw.sources.is_empty() {
        checker.wrong("sources", "expected one or more");
    }
    let sources: Vec<_> = raw.sources.iter().map(|source| address(source, checker)).collect();
    let kilobytes = checker.within::<u64>("rate_kBps", raw.rate_kBps, 1..=10_000_000);
    let sources = sources.into_iter().collect::<Option<Vec<_>>>().filter(|all| !all.is_empty())?;
    Some(Some(Plan { from: raw.from, sources, bytes_per_s: kilobytes? * 1_000 }))
}

fn address(raw: &BlockSourceRaw, checker: &mut Checker) -> Option<Address> {
    let mut path = |text: &str| -> Option<PathBuf> { shapes::path("sources", text, checker) };
    match raw {
        BlockSourceRaw::Era(dir) => path(dir).map(Address::Era),
        BlockSourceRaw::Export(file) => path(file).map(Address::Export),
        BlockSourceRaw::Node(text) => checker.take("sources", text.parse::<Endpoint>()).map(Address::Node),
    }
}
