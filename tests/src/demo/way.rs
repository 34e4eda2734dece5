//! The way of the demo's transactions: the replica takes them, an emitter delivers them to geth, and says how far they have come.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::Duration,
};

use crate::{daemon::Daemon, failure::Outcome, interrupt::Interrupt, scenario::Net};

/// Between two looks at the emitter's counts.
const LOOK: Duration = Duration::from_millis(250);

/// Transactions that were sent, that geth has accepted, and that blocks hold.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) sent: AtomicU64,
    accepted: AtomicU64,
    mined: AtomicU64,
}

impl Counts {
    /// The counts for a line of the view.
    pub(super) fn line(&self) -> String {
        let [sent, accepted, mined] =
            [&self.sent, &self.accepted, &self.mined].map(|count| count.load(Ordering::Relaxed));
        format!("   transactions sent {sent:>6}, accepted {accepted:>6}, mined {mined:>6}")
    }

    /// Asks the emitter until interrupted.
    pub(super) fn watch(&self, emitter: &mut Daemon, stop: &Interrupt) {
        while !stop.raised() {
            if let Ok(metrics) = emitter.admin("metrics") {
                self.accepted.store(told(&metrics, "Accepted"), Ordering::Relaxed);
                self.mined.store(told(&metrics, "Mined"), Ordering::Relaxed);
            }
            thread::sleep(LOOK);
        }
    }
}

/// Number of outcomes of this fate that an emitter has told.
fn told(metrics: &str, fate: &str) -> u64 {
    let name = format!("maidenlane_emitter_outcomes_total{{fate=\"{fate}\"}} ");
    metrics.lines().find_map(|line| line.strip_prefix(&name)?.trim().parse().ok()).unwrap_or(0)
}

/// Starts an emitter that sends to the master.
pub(super) fn start(net: &Net) -> Outcome<Daemon> {
    let mut emitter = net.emitter("emitter", &[("master", &net.master_ipc())])?;
    emitter.start()?;
    Ok(emitter)
}

#[cfg(test)]
mod tests {
    use super::told;

    #[test]
    fn counts_are_read_from_metrics() {
        let metrics = "# HELP x\nmaidenlane_emitter_outcomes_total{fate=\"Mined\"} 12\n";
        assert_eq!((told(metrics, "Mined"), told(metrics, "Accepted")), (12, 0));
    }
}
