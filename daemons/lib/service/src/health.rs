//! Health of a daemon: readiness and the reason, one status line, progress.

use serde_json::{Map, Value};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// Length of the longest status line that systemd shows on one screen line.
const STATUS_CHARS: usize = 120;
/// Interval at which status lines are sent at most.
const STATUS_EVERY: Duration = Duration::from_secs(1);

/// Health shared by all parts of a daemon; read by the admin listener and reported to the service manager.
#[derive(Clone, Debug)]
pub struct Health {
    ready: watch::Sender<Result<(), String>>,
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    sections: Map<String, Value>,
    status_at: Option<Instant>,
    status: String,
    note: Option<String>,
    /// Work that waits for somebody.
    alarm: Option<String>,
    notified_ready: bool,
    stopping: bool,
    progress_at: Option<Instant>,
    io_answered_at: Option<Instant>,
    watchdog: Option<Duration>,
}

impl State {
    fn whole_status(&self) -> String {
        let before = [&self.note, &self.alarm].into_iter().flatten();
        before.map(|part| format!("{part} | ")).collect::<String>() + &self.status
    }
}

impl Default for Health {
    /// Health that is not fit yet, because the daemon is starting; tests run daemons with one of these.
    fn default() -> Self {
        Self::new()
    }
}

impl Health {
    pub(crate) fn new() -> Self {
        let state = State {
            sections: Map::new(),
            status_at: None,
            status: String::new(),
            note: None,
            alarm: None,
            notified_ready: false,
            stopping: false,
            progress_at: None,
            io_answered_at: None,
            watchdog: sd_notify::watchdog_enabled(),
        };
        Self { ready: watch::Sender::new(Err("starting".to_owned())), state: Arc::new(Mutex::new(state)) }
    }

    /// Marks the daemon as fit to serve. The first call is sent to the service manager as READY=1.
    pub fn set_ready(&self) {
        let mut state = self.lock();
        if state.stopping {
            return;
        }
        self.change(Ok(()));
        if !state.notified_ready {
            state.notified_ready = true;
            notify(&[sd_notify::NotifyState::Ready]);
        }
    }

    /// Marks the daemon as not fit to serve, with the reason.
    pub fn set_unready(&self, reason: impl Into<String>) {
        let state = self.lock();
        if !state.stopping {
            self.change(Err(reason.into()));
        }
    }

    /// Marks the daemon as unready for good: whatever tasks still report while they drain, no balancer may come back.
    pub(crate) fn stop(&self) {
        let mut state = self.lock();
        state.stopping = true;
        self.change(Err("stopping".to_owned()));
        notify(&[sd_notify::NotifyState::Stopping]);
    }

    /// Notifies the service manager that a reload begins; it waits until READY is sent again. A daemon that was not
    /// ready before must not become so by a reload: `false`.
    pub(crate) fn reloading(&self) -> bool {
        let state = self.lock();
        if !state.notified_ready || state.stopping {
            return false;
        }
        let mut states = vec![sd_notify::NotifyState::Reloading];
        states.extend(sd_notify::NotifyState::monotonic_usec_now().ok());
        notify(&states);
        true
    }

    /// Notifies the service manager of a reload's end, with the status line as it is by then.
    pub(crate) fn reloaded(&self) {
        let state = self.lock();
        notify(&[sd_notify::NotifyState::Ready, sd_notify::NotifyState::Status(&state.whole_status())]);
    }

    fn change(&self, ready: Result<(), String>) {
        self.ready.send_if_modified(|now| {
            let changed = *now != ready;
            *now = ready;
            changed
        });
    }

    /// Fitness: `Ok`, or the reason why not.
    ///
    /// # Errors
    /// The reason given to [`Health::set_unready`].
    pub fn ready(&self) -> Result<(), String> {
        self.ready.borrow().clone()
    }

    /// Receiver of changes of fitness.
    #[must_use]
    pub fn watch_ready(&self) -> watch::Receiver<Result<(), String>> {
        self.ready.subscribe()
    }

    /// Puts `value` under `name` in `/status`.
    pub fn set_section(&self, name: &str, value: Value) {
        self.lock().sections.insert(name.to_owned(), value);
    }

    /// Sets the line for `systemctl status`, sent at most once a second and cut to 120 characters.
    pub fn set_status_line(&self, line: &str) {
        let mut state = self.lock();
        let due = state.status_at.is_none_or(|at| at.elapsed() >= STATUS_EVERY);
        if due && state.status != line {
            state.status = line.chars().take(STATUS_CHARS).collect();
            state.status_at = Some(Instant::now());
            notify(&[sd_notify::NotifyState::Status(&state.whole_status())]);
        }
    }

    /// Sets a prefix of every status line, until it is replaced; cut to 120 characters as well.
    pub(crate) fn set_note(&self, note: Option<String>) {
        self.lock().note = note.map(|note| note.chars().take(STATUS_CHARS).collect());
    }

    /// Sets a part of every status line that asks for something to be done, until it is replaced; cut to 120 characters.
    pub fn set_alarm(&self, alarm: Option<String>) {
        let alarm = alarm.map(|alarm| alarm.chars().take(STATUS_CHARS).collect::<String>());
        let mut state = self.lock();
        if let Some(told) = alarm.as_ref().filter(|told| state.alarm.as_ref() != Some(*told)) {
            tracing::warn!("{told}");
        }
        state.alarm = alarm;
    }

    /// Time within which the service manager wants a sign of progress, if it watches.
    pub(crate) fn watchdog(&self) -> Option<Duration> {
        self.lock().watchdog
    }

    /// Notes that the IO threads answer: while they do not, no progress feeds the watchdog.
    pub(crate) fn io_answered(&self) {
        self.lock().io_answered_at = Some(Instant::now());
    }

    /// Notes that work went on: feeds the watchdog. Call it from the loop that matters, never from a timer.
    pub fn progress(&self) {
        let mut state = self.lock();
        let Some(limit) = state.watchdog else { return };
        if state.io_answered_at.is_some_and(|at| at.elapsed() >= limit) {
            return;
        }
        if state.progress_at.is_none_or(|at| at.elapsed() >= limit / 4) {
            state.progress_at = Some(Instant::now());
            notify(&[sd_notify::NotifyState::Watchdog]);
        }
    }

    /// Asks the service manager for more time to start or stop.
    pub fn extend_timeout(&self, by: Duration) {
        notify(&[sd_notify::NotifyState::ExtendTimeoutUsec(
            u32::try_from(by.as_micros()).unwrap_or(u32::MAX),
        )]);
    }

    pub(crate) fn status(&self) -> Value {
        let state = self.lock();
        let mut status = state.sections.clone();
        let ready = self.ready();
        status.insert("ready".to_owned(), Value::Bool(ready.is_ok()));
        status.insert("reason".to_owned(), ready.err().map_or(Value::Null, Value::String));
        Value::Object(status)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Notifies the service manager. Does nothing without one, or when it went away.
pub(crate) fn notify(states: &[sd_notify::NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!("service manager not notified: {error}");
    }
}

#[cfg(test)]
mod tests {
    use super::Health;

    #[test]
    fn fitness_follows_what_is_said_until_the_stop() {
        let health = Health::new();
        assert_eq!(health.ready(), Err("starting".to_owned()));
        health.set_ready();
        assert_eq!(health.ready(), Ok(()));
        health.set_unready("behind");
        assert_eq!(health.status()["reason"], "behind");
        health.set_ready();
        health.stop();
        health.set_ready();
        health.set_unready("behind");
        assert_eq!(health.ready(), Err("stopping".to_owned()));
    }
}
