//! The logs themselves, beside plain files.

use tempfile::TempDir;

use super::runs::{bench, no_broker};
use crate::{
    failure::{Doing, Failure, Outcome},
    kafka::Broker,
    product,
};

/// Starts a broker if that is possible here, and runs the log's benchmark.
pub(super) fn run() -> Outcome<()> {
    println!("log: entries of one size, each append made durable; the best of three");
    if no_broker() {
        return bench("throughput", &[]);
    }
    let dir = TempDir::with_prefix("maidenlane-").doing(|| "create a directory".to_owned())?;
    let broker = Broker::start(&product::cache().join("kafka"), dir.path()).map_err(Failure::new)?;
    bench("throughput", &[&broker.address()])
}
