//! How fast a relay simulates bundles on the state of a generated chain.

use std::path::Path;

use super::{catch_up, runs::bench_of};
use crate::{
    failure::Outcome,
    product::Product,
    settings::{self, Log},
};

/// Has a tap publish the chain, and runs the relay's benchmark on that.
pub(super) fn run(product: &Product, chain: &Path, profile: &str) -> Outcome<()> {
    println!("simulation: {}", chain.display());
    let net = catch_up::published(product, chain)?;
    let Log::Segment(dir) = net.carrier().clone() else { return Ok(()) };
    bench_of(profile, "simulation", &[&dir.display().to_string(), &settings::topic()])
}
