//! A state that is far larger than a chain of tests has: reads that nobody made before, over geth's, and what keeping
//! snapshots of it costs.

mod kept;
mod reads;

use std::path::Path;

use super::rpc::cold;
use crate::{
    failure::Outcome,
    interrupt::Interrupt,
    product::Product,
    scenario::{Carrier, Chain, Net, Plan},
};

/// Imports the chain, lets a replica with trie nodes catch up, and asks both; then keeps snapshots of that replica.
pub(super) fn run(product: &Product, chain: &Path, seed: u64, wanted: &str, stop: &Interrupt) -> Outcome<()> {
    println!("large: {}, seed {seed}", chain.display());
    let plan = Plan { chain: Chain::Import(chain.to_owned()), carrier: Carrier::Segment, replicas: 1 };
    let mut net = Net::prepare(product.clone(), &plan, true)?;
    net.node().engine()?.announce(&chain.join("headfcu.json"))?;
    net.replica_daemon(0)?.edit(|text| text.replace("storeCache_MB = 64", "storeCache_MB = 1024"))?;
    net.start()?;
    net.caught_up(0)?;
    let rows = reads::draw(chain, seed)?;
    cold::run(&mut net, chain, &rows, wanted, stop)?;
    if !stop.raised() {
        kept::run(&mut net, &rows)?;
    }
    net.stop()
}
