//! Demands of who asks, in the headers that Erigon's health check takes: a proxy that was set up for it is understood.

use crate::observe::Now;
use crate::view::TargetView;
use axum::http::HeaderMap;

/// Header of the demands: any number of values, or one with commas.
const HEADER: &str = "X-ERIGON-HEALTHCHECK";

/// Demands of a request, as they stand in its headers.
///
/// # Errors
/// A header that is no text: nobody knows what it demands, and a balancer must not take that for met.
pub(super) fn read(headers: &HeaderMap) -> Result<Vec<String>, String> {
    let mut demands = Vec::new();
    for value in headers.get_all(HEADER) {
        let text = value.to_str().map_err(|_| {
            format!("{HEADER}: expected ASCII such as `synced, max_seconds_behind600`, found other bytes")
        })?;
        let each = text.split(',').map(str::trim).filter(|demand| !demand.is_empty());
        demands.extend(each.map(str::to_owned));
    }
    Ok(demands)
}

/// Demands that a target does not meet.
pub(super) fn unmet(demands: &[String], target: &TargetView, now: Now) -> Vec<String> {
    demands.iter().filter(|demand| !met(&demand.to_ascii_lowercase(), target, now)).cloned().collect()
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
