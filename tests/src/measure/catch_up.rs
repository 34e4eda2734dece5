//! How fast a new replica replays a feed, over how fast geth executes the same blocks.

use std::{path::Path, time::Duration};

use super::{hook, runs::bench};
use crate::{
    failure::Outcome,
    master::Tracer,
    product::Product,
    scenario::{Carrier, Chain, Net, Plan},
    settings::{self, Log},
    wait,
};

/// The tap has the whole chain to publish.
const PUBLISH: Duration = Duration::from_secs(300);

/// Imports, has the tap publish everything to a segment log, and runs the replica's benchmark on that.
pub(super) fn run(product: &Product, geth: &Path, chain: &Path, blocks: u32) -> Outcome<()> {
    println!("catch-up: {}", chain.display());
    let import = hook::import(geth, chain, Tracer::None)?;
    let net = published(product, chain)?;
    let Log::Segment(dir) = net.carrier().clone() else { return Ok(()) };
    let rate = f64::from(blocks) / import.as_secs_f64();
    bench(
        "catch_up",
        &[&dir.display().to_string(), &settings::topic(), &settings::proofs_topic(), &format!("{rate:.3}")],
    )
}

/// A network whose tap has published a chain to a segment log, and has ended.
pub(super) fn published(product: &Product, chain: &Path) -> Outcome<Net> {
    let plan = Plan { chain: Chain::Import(chain.to_owned()), carrier: Carrier::Segment, replicas: 0 };
    let mut net = Net::prepare(product.clone(), &plan, true)?;
    net.node().engine()?.announce(&chain.join("headfcu.json"))?;
    let head = net.master().block_number()?;
    net.tap().start()?;
    wait::until("the tap to publish the chain", PUBLISH, || {
        let status = net.tap().status().map_err(|failure| failure.to_string())?;
        let published = status.pointer("/tap/published/number").and_then(serde_json::Value::as_u64);
        if published == Some(head) { Ok(()) } else { Err(status.to_string()) }
    })?;
    net.tap().stop()?;
    Ok(net)
}
