//! Parts that several benchmarks share: the product's own ones, the broker, quantiles.

use crate::{
    failure::{Doing, Failure, Outcome},
    kafka, product,
};

/// Runs one of the product's own benchmarks on the release build that is there already.
pub(super) fn bench(name: &str, arguments: &[&str]) -> Outcome<()> {
    bench_of("bench", name, arguments)
}

/// Runs one of them on the build of a profile.
pub(super) fn bench_of(profile: &str, name: &str, arguments: &[&str]) -> Outcome<()> {
    let mut cargo = product::cargo();
    cargo.args(["bench", "--quiet", "--locked", "--workspace", "--profile", profile, "--bench", name, "--"]);
    cargo.args(arguments);
    let status = cargo.status().doing(|| "run cargo".to_owned())?;
    if status.success() { Ok(()) } else { Err(Failure::new(format!("the benchmark {name} failed"))) }
}

/// Why there is no broker on this machine, said loudly.
pub(super) fn no_broker() -> bool {
    match kafka::missing() {
        Some(missing) => {
            println!("not run: Kafka needs {missing}");
            true
        }
        None => false,
    }
}

/// The sorted values' quantile, by the nearest rank.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "an index into a short list"
)]
pub(super) fn quantile(sorted: &[f64], share: f64) -> f64 {
    let rank = (sorted.len() as f64 * share).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or(f64::NAN)
}
