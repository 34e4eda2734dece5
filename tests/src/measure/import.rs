//! How fast the state that a geth exports becomes a replica's.

use super::runs::bench;
use crate::failure::Outcome;

/// Makes a state of so many rows, and imports it.
pub(super) fn run(rows: u64) -> Outcome<()> {
    println!("import: a state of {rows} rows, two thirds of the slots those of four contracts");
    bench("import", &[&rows.to_string()])
}
