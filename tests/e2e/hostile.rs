//! Clients that mean harm, as `cargo measure hostile` has them and smaller: nobody else goes without an answer.

use std::time::Duration;

use maidenlane_tests::{
    interrupt::Interrupt,
    measure::hostile::{self, Figures, Size},
    product::Product,
};

const SMALL: Size = Size {
    connections: 256,
    answer_bytes: 2_000_000,
    subscribed: 10_000,
    transactions: 100,
    time: Duration::from_secs(4),
};
/// A client beside them waits no longer: of a hundred requests the slowest may. Alone it takes 10 ms, on a machine that builds
/// something 70; behind what one of them has queued it took seconds.
const WAIT_MAX_MS: f64 = 1_000.0;
/// Growth is bounded by what may wait for one address: 16 of the largest answers, notifications, filters.
const GROWTH_MAX_MB: u64 = 300;

#[test]
fn others_are_served_beside_every_hostile_client() {
    let mut problems = Vec::new();
    let check = |figures: &Figures| {
        println!("{figures:?}");
        let Figures { name, beside, before_mb, health, .. } = figures;
        let growth_mb = health.peak_mb.saturating_sub(*before_mb);
        let is_fine = beside.most_ms < WAIT_MAX_MS && beside.failed == 0 && growth_mb < GROWTH_MAX_MB;
        if !is_fine || health.ready != health.looks || health.looks == 0 {
            problems.push(format!("{name}: {figures:?}"));
        }
    };
    hostile::observe(Product::build().unwrap(), SMALL, "", &Interrupt::default(), check).unwrap();
    assert!(problems.is_empty(), "{problems:#?}");
}
