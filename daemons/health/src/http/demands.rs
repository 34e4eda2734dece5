//! Demands of who asks, in the headers that Erigon's health check takes: a proxy that was set up for it is understood.

use crate::observe::Now;
use crate::view::TargetView;
use axum::http::HeaderMap;

/// Header of the demands: any number of values, or one with commas.
const HEADER: &str = "x-erigon-healthcheck";

/// Demands that a target does not meet.
pub(super) fn unmet(headers: &HeaderMap, target: &TargetView, now: Now) -> Vec<String> {
    let values = headers.get_all(HEADER).into_iter().filter_map(|value| value.to_str().ok());
    let demands =
        values.flat_map(|value| value.split(',')).map(str::trim).filter(|demand| !demand.is_empty());
    demands.filter(|demand| !met(&demand.to_ascii_lowercase(), target, now)).map(str::to_owned).collect()
}

/// A demand that nobody knows is not met.
fn met(demand: &str, target: &TargetView, now: Now) -> bool {
    let number = |prefix: &str| demand.strip_prefix(prefix).and_then(|rest| rest.parse::<u64>().ok());
    if demand == "synced" {
        return target.verdict.serves();
    }
    if let Some(least) = number("min_peer_count") {
        return target.peers.is_some_and(|peers| peers >= least);
    }
    if let Some(block) = number("check_block") {
        return target.head.is_some_and(|tip| tip.block.number >= block);
    }
    match number("max_seconds_behind") {
        Some(most) => target.head_age_s(now).is_some_and(|age_s| age_s <= most),
        None => false,
    }
}
