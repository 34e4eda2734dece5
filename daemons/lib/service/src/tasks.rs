//! Named tasks under one roof: any unexpected end of one stops the process.

use crate::{Exit, Failure};
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

/// Interval at which a thread polls the token.
const NAP: Duration = Duration::from_millis(50);

/// Shutdown token. Cheap to clone; can be awaited, or polled from a blocking thread.
#[derive(Clone, Debug, Default)]
pub struct Shutdown(CancellationToken);

impl Shutdown {
    /// A token that nobody has triggered yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Requests a stop of all tasks.
    pub fn trigger(&self) {
        self.0.cancel();
    }

    /// True once a stop was requested.
    #[must_use]
    pub fn is_triggered(&self) -> bool {
        self.0.is_cancelled()
    }

    /// Completes once a stop is requested.
    pub async fn triggered(&self) {
        self.0.cancelled().await;
    }

    /// Waits, on a thread, until a stop is requested: at the end of work whose clients have gone for a reason that they report
    /// themselves, so that this end is not reported as the failure.
    pub fn wait(&self) {
        while !self.is_triggered() {
            std::thread::sleep(NAP);
        }
    }

    /// Runs `future` until it ends or a stop is requested (`None`).
    pub async fn unless<F: Future>(&self, future: F) -> Option<F::Output> {
        self.0.run_until_cancelled(future).await
    }
}

type Ended = (String, Result<(), Failure>);

/// Owner of every task of a daemon. The first failure wins and triggers the shutdown of all others.
#[derive(Clone, Debug)]
pub struct TaskGroup {
    shutdown: Shutdown,
    /// Runtime of the tasks.
    runtime: Handle,
    /// Runtime that reports their ends, also when tasks hold all threads of the other one.
    control: Handle,
    ended: tokio::sync::mpsc::Sender<Ended>,
    running: Arc<Mutex<Vec<String>>>,
}

/// Supervisor of a [`TaskGroup`], which waits for all tasks.
#[derive(Debug)]
pub struct Supervisor {
    group: TaskGroup,
    ends: tokio::sync::mpsc::Receiver<Ended>,
}

impl TaskGroup {
    /// An empty group under `shutdown`, and its supervisor, on the runtime that the caller is on.
    #[must_use]
    pub fn new(shutdown: Shutdown) -> (Self, Supervisor) {
        let (ended, ends) = tokio::sync::mpsc::channel(64);
        let (runtime, control) = (Handle::current(), Handle::current());
        let group = Self { shutdown, runtime, control, ended, running: Arc::default() };
        (group.clone(), Supervisor { group, ends })
    }

    /// The same group, for tasks on another runtime.
    pub(crate) fn on(&self, runtime: Handle) -> Self {
        Self { runtime, ..self.clone() }
    }

    /// The token that all tasks of this group obey.
    #[must_use]
    pub fn shutdown(&self) -> &Shutdown {
        &self.shutdown
    }

    /// Runs an async task. It may end with `Ok` only after the shutdown was triggered.
    pub fn spawn<F>(&self, name: &str, future: F)
    where
        F: Future<Output = Result<(), Failure>> + Send + 'static,
    {
        let (name, ended, shutdown) = (self.enter(name), self.ended.clone(), self.shutdown.clone());
        let handle = self.runtime.spawn(future);
        // Carries the task's end, panic included, to the supervisor.
        self.control.spawn(async move {
            let result = handle.await.unwrap_or_else(|panic| Err(Failure::new(Exit::TaskDied, panic)));
            let failed = result.is_err();
            // The supervisor outlives its tasks; if it is gone the process is ending anyway.
            let _ = ended.send((name, result)).await;
            // It may not listen yet: a start that hangs must end, too.
            if failed {
                shutdown.trigger();
            }
        });
    }

    /// Runs a blocking loop on a thread of its own. It polls the [`Shutdown`] it was given.
    ///
    /// # Errors
    /// When the operating system refuses a thread.
    pub fn spawn_thread<F>(&self, name: &str, work: F) -> Result<(), Failure>
    where
        F: FnOnce() -> Result<(), Failure> + Send + 'static,
    {
        let (name, ended, shutdown) = (self.enter(name), self.ended.clone(), self.shutdown.clone());
        let thread_name = name.clone();
        std::thread::Builder::new()
            .name(thread_name)
            .spawn(move || {
                let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work))
                    .unwrap_or_else(|panic| Err(Failure::new(Exit::TaskDied, panic_text(panic.as_ref()))));
                let failed = result.is_err();
                let _ = ended.blocking_send((name, result));
                if failed {
                    shutdown.trigger();
                }
            })
            .map(drop)
            .map_err(|error| Failure::new(Exit::TaskDied, error))
    }

    fn enter(&self, name: &str) -> String {
        self.running.lock().unwrap_or_else(PoisonError::into_inner).push(name.to_owned());
        name.to_owned()
    }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text =
        panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    format!("panicked: {}", text.unwrap_or("no message"))
}

impl Supervisor {
    /// Waits until the shutdown is triggered or a task ends; then gives all others `drain` to finish.
    ///
    /// # Errors
    /// The first failure of any task, an end before the shutdown, or the names of tasks that did not drain.
    pub async fn join(mut self, drain: Duration) -> Result<(), Failure> {
        let mut first = Ok(());
        let shutdown = self.group.shutdown.clone();
        tokio::select! {
            () = shutdown.triggered() => {}
            end = self.ends.recv() => first = self.settle(end, shutdown.is_triggered()),
        }
        shutdown.trigger();
        let drained = tokio::time::timeout(drain, async {
            while !self.idle() && !first.as_ref().is_err_and(|failure| failure.at_once) {
                let end = self.ends.recv().await;
                let result = self.settle(end, true);
                if first.is_ok() {
                    first = result;
                }
            }
        });
        if drained.await.is_err() && first.is_ok() {
            let names = self.group.running.lock().unwrap_or_else(PoisonError::into_inner).join(", ");
            let text = format!("did not stop within {} ms: {names}", drain.as_millis());
            return Err(Failure::new(Exit::TaskDied, text));
        }
        first
    }

    fn idle(&self) -> bool {
        self.group.running.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    fn settle(&self, end: Option<Ended>, expected: bool) -> Result<(), Failure> {
        let Some((name, result)) = end else { return Ok(()) };
        let mut running = self.group.running.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(index) = running.iter().position(|running| *running == name) {
            running.swap_remove(index);
        }
        match result {
            Ok(()) if expected => Ok(()),
            Ok(()) => Err(Failure::new(Exit::TaskDied, format!("task {name} ended by itself"))),
            Err(failure) => Err(failure.in_task(&name)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Shutdown, TaskGroup};
    use crate::{Exit, Failure};
    use std::time::Duration;

    /// Starts tasks with `start`, stops them if `stop`, and compares the end.
    fn check(start: impl FnOnce(&TaskGroup), stop: bool, expect: Result<(), (Exit, &str)>) {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        let ended = runtime.block_on(async {
            let (group, supervisor) = TaskGroup::new(Shutdown::new());
            start(&group);
            if stop {
                group.shutdown().trigger();
            }
            supervisor.join(Duration::from_millis(500)).await
        });
        runtime.shutdown_background();
        let ended = ended.map_err(|failure| (failure.exit, failure.to_string()));
        assert_eq!(ended, expect.map_err(|(exit, text)| (exit, text.to_owned())));
    }

    /// Runs until the shutdown, then ends with `result`.
    fn obedient(group: &TaskGroup, name: &str, result: Result<(), Failure>) {
        let shutdown = group.shutdown().clone();
        group.spawn(name, async move {
            shutdown.triggered().await;
            result
        });
    }

    #[test]
    fn a_stop_is_clean_when_all_tasks_obey() {
        check(|_| {}, true, Ok(()));
        check(|group| obedient(group, "a", Ok(())), true, Ok(()));
    }

    #[test]
    fn the_first_failure_stops_all_and_is_told() {
        let died = |exit| Err(Failure::new(exit, "no more"));
        check(
            |group| {
                obedient(group, "a", died(Exit::GaveUp));
                group.spawn("b", std::future::ready(died(Exit::Data)));
            },
            false,
            Err((Exit::Data, "task b: no more")),
        );
        check(|group| obedient(group, "a", died(Exit::GaveUp)), true, Err((Exit::GaveUp, "task a: no more")));
    }

    #[test]
    fn an_end_before_the_stop_is_a_failure() {
        let expect = Err((Exit::TaskDied, "task a ended by itself"));
        check(|group| group.spawn("a", std::future::ready(Ok(()))), false, expect);
        check(|group| group.spawn_thread("a", || Ok(())).unwrap(), false, expect);
    }

    #[test]
    fn a_panic_in_a_thread_is_caught_and_named() {
        let expect = Err((Exit::TaskDied, "task a: panicked: boo"));
        check(|group| group.spawn_thread("a", || panic!("boo")).unwrap(), false, expect);
    }

    #[test]
    fn a_task_that_does_not_drain_is_named() {
        check(
            |group| {
                obedient(group, "good", Ok(()));
                group.spawn("deaf", std::future::pending());
            },
            true,
            Err((Exit::TaskDied, "did not stop within 500 ms: deaf")),
        );
    }
}
