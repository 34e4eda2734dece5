//! Typed tracing: code says *what happened* as a value, and one table per daemon gives its log line and its metrics.
//!
//! A [`Tracer<E>`] consumes events.

use std::fmt;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A consumer of events of type `E`. Cheap to clone.
pub struct Tracer<E>(Arc<dyn Fn(&E) + Send + Sync>);

impl<E> Clone for Tracer<E> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<E> fmt::Debug for Tracer<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tracer")
    }
}

impl<E: 'static> Tracer<E> {
    /// A tracer that does `consume` with every event.
    pub fn new(consume: impl Fn(&E) + Send + Sync + 'static) -> Self {
        Self(Arc::new(consume))
    }

    /// A tracer that drops everything.
    #[must_use]
    pub fn silent() -> Self {
        Self::new(|_| {})
    }

    /// Passes `event` to all consumers.
    pub fn emit(&self, event: &E) {
        (self.0)(event);
    }

    /// A tracer that passes events to both, this one first.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        let (first, second) = (self.clone(), other.clone());
        Self::new(move |event| {
            first.emit(event);
            second.emit(event);
        })
    }
}

/// Log line of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Severity.
    pub level: tracing::Level,
    /// The sentence, lower case, no full stop.
    pub message: String,
}

/// One table per daemon: from event to log line and metric.
pub trait Describe {
    /// The log line; `None` for an event that only metrics count.
    fn line(&self) -> Option<Line>;
}

/// The tracer that writes each event's [`Line`] to the log.
#[must_use]
pub fn logging<E: Describe + 'static>() -> Tracer<E> {
    Tracer::new(|event: &E| {
        let Some(Line { level, message }) = event.line() else { return };
        match level {
            tracing::Level::ERROR => tracing::error!("{message}"),
            tracing::Level::WARN => tracing::warn!("{message}"),
            tracing::Level::INFO => tracing::info!("{message}"),
            tracing::Level::DEBUG => tracing::debug!("{message}"),
            tracing::Level::TRACE => tracing::trace!("{message}"),
        }
    })
}

/// Recorder of events, so that a test can wait for one.
#[derive(Debug)]
pub struct Recorder<E> {
    seen: Arc<(Mutex<Vec<E>>, Condvar)>,
}

impl<E: Clone + Send + 'static> Recorder<E> {
    /// An empty recorder and the tracer that feeds it.
    #[must_use]
    pub fn new() -> (Self, Tracer<E>) {
        let seen: Arc<(Mutex<Vec<E>>, Condvar)> = Arc::new((Mutex::new(Vec::new()), Condvar::new()));
        let sink = Arc::clone(&seen);
        let tracer = Tracer::new(move |event: &E| {
            sink.0.lock().unwrap_or_else(PoisonError::into_inner).push(event.clone());
            sink.1.notify_all();
        });
        (Self { seen }, tracer)
    }

    /// Everything seen so far.
    #[must_use]
    pub fn seen(&self) -> Vec<E> {
        self.seen.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The first event that satisfies `wanted`, seen already or within `deadline`.
    pub fn wait_for(&self, deadline: Duration, wanted: impl Fn(&E) -> bool) -> Option<E> {
        let until = Instant::now() + deadline;
        let mut seen = self.seen.0.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(event) = seen.iter().find(|event| wanted(event)) {
                return Some(event.clone());
            }
            let left = until.checked_duration_since(Instant::now())?;
            seen = self.seen.1.wait_timeout(seen, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Recorder;
    use std::time::Duration;

    #[test]
    fn and_tells_both() {
        let (first, a) = Recorder::new();
        let (second, b) = Recorder::new();
        a.and(&b).emit(&4);
        assert_eq!((first.seen(), second.seen()), (vec![4], vec![4]));
    }

    #[test]
    fn a_recorder_can_be_waited_on() {
        let (recorder, tracer) = Recorder::new();
        let thread = std::thread::spawn(move || tracer.emit(&9));
        assert_eq!(recorder.wait_for(Duration::from_secs(10), |x| *x == 9), Some(9));
        assert_eq!(recorder.wait_for(Duration::ZERO, |x| *x == 8), None);
        thread.join().unwrap();
    }
}
