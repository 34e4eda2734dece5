//! Watch over the IO threads. They run a daemon's work, so work that never returns can hold them; what must
//! outlive that (signals, admin listener, drain) runs on a thread of its own, and so does the watch here.

use crate::{Exit, Failure, Health, Shutdown};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::time::timeout;

/// Interval of pulses. A pulse also wakes an idle IO thread, which then waits for the network: tokio leaves this to one
/// thread at a time, and nobody takes over from one that is held by a task.
const EVERY: Duration = Duration::from_millis(100);
/// Time that IO threads may answer nothing where no service manager watches.
const SILENT_MAX: Duration = Duration::from_secs(20);
/// Additional time after it: a process that was stopped for a while must not take that for silence.
const SECOND_CHANCE: Duration = Duration::from_secs(1);

/// Watches until the shutdown.
///
/// # Errors
/// When no IO thread ran anything for too long.
pub(crate) async fn watch(io: Handle, health: Health, shutdown: Shutdown) -> Result<(), Failure> {
    // Ends before the service manager would end it, and says why.
    let silent_max = health.watchdog().map_or(SILENT_MAX, |limit| limit * 2 / 3);
    while !shutdown.is_triggered() {
        let mut pulse = io.spawn(async {});
        if timeout(silent_max, &mut pulse).await.is_err() && timeout(SECOND_CHANCE, pulse).await.is_err() {
            let text = format!(
                "no IO thread ran anything for {} ms: work holds all of them",
                silent_max.as_millis()
            );
            return Err(Failure::new(Exit::TaskDied, text).at_once());
        }
        health.io_answered();
        shutdown.unless(tokio::time::sleep(EVERY)).await;
    }
    Ok(())
}
