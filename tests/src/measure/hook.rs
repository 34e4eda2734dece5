//! The hook's cost to the master: importing one chain without a tracer, with geth's own `noop`, and with the hook.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use tempfile::TempDir;

use crate::{
    failure::{Doing, Outcome},
    master::{Node, Tracer},
    scenario::Chain,
};

const WAYS: [(Tracer, &str); 3] =
    [(Tracer::None, "no tracer"), (Tracer::Noop, "noop tracer"), (Tracer::Hook, "hook")];

/// Imports the chain `rounds` times in each way, taking turns so that a slow moment of the machine hits all alike.
pub(super) fn run(geth: &Path, chain: &Path, rounds: u32) -> Outcome<()> {
    println!("hook cost: geth import of {}, {rounds} rounds each", chain.display());
    let mut times = WAYS.map(|_| Vec::new());
    for _ in 0..rounds.max(1) {
        for ((tracer, _), times) in WAYS.iter().zip(&mut times) {
            times.push(import(geth, chain, *tracer)?);
        }
    }
    for ((_, name), times) in WAYS.iter().zip(&mut times) {
        times.sort();
        println!("  {name:<12} best {:>6.2} s  median {:>6.2} s", best(times), median(times));
    }
    let [none, noop, hook] = &times;
    println!(
        "  hook / noop tracer   best {:.3}  median {:.3}  (goal: at most 1.03)",
        best(hook) / best(noop),
        median(hook) / median(noop)
    );
    println!(
        "  hook / no tracer     best {:.3}  median {:.3}  (goal: at most 1.10)",
        best(hook) / best(none),
        median(hook) / median(none)
    );
    Ok(())
}

/// The time of one import into a new database.
pub(super) fn import(geth: &Path, chain: &Path, tracer: Tracer) -> Outcome<Duration> {
    let dir = TempDir::with_prefix("maidenlane-").doing(|| "create a directory".to_owned())?;
    let node = Node::new(geth, dir.path(), &Chain::Import(chain.to_owned()))?;
    node.init(&chain.join("genesis.json"))?;
    let begun = Instant::now();
    node.import(&chain.join("chain.rlp"), tracer)?;
    Ok(begun.elapsed())
}

fn best(sorted: &[Duration]) -> f64 {
    sorted.first().map_or(f64::NAN, Duration::as_secs_f64)
}

fn median(sorted: &[Duration]) -> f64 {
    sorted.get(sorted.len() / 2).map_or(f64::NAN, Duration::as_secs_f64)
}
