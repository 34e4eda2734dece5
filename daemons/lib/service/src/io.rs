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
        let silent = async {
            timeout(silent_max, &mut pulse).await.is_err() && timeout(SECOND_CHANCE, pulse).await.is_err()
        };
        // From a stop on the drain's own time counts.
        let Some(silent) = shutdown.unless(silent).await else { break };
        if silent {
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::pin::pin;
    use std::sync::mpsc::sync_channel;
    use tokio::runtime::Builder;

    #[test]
    fn a_stop_ends_the_watch_over_threads_that_run_nothing() {
        let io = Builder::new_multi_thread().worker_threads(1).build().expect("a thread");
        let control = Builder::new_current_thread().enable_time().build().expect("no thread");
        let (release, held) = sync_channel::<()>(0);
        let (begun, running) = sync_channel(1);
        io.spawn(async move {
            // Gone only when the test has ended.
            let _ = begun.send(());
            let _ = held.recv();
        });
        running.recv().expect("it runs");
        let shutdown = Shutdown::new();
        control.block_on(async {
            let mut watching = pin!(watch(io.handle().clone(), Health::new(), shutdown.clone()));
            assert!(timeout(Duration::from_millis(1), &mut watching).await.is_err(), "it waits");
            shutdown.trigger();
            watching.await.expect("the drain has its own time");
        });
        drop(release);
    }
}
