//! Shared value that is replaced while others read it: settings, at a reload.

use arc_swap::ArcSwap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

type Part<T> = Box<dyn Fn(&T) + Send + Sync>;

/// Shared value, read without a lock by any number of holders. A copy keeps the old value: read it where it is used.
pub struct Current<T> {
    value: Arc<ArcSwap<T>>,
    parts: Arc<Mutex<Vec<Part<T>>>>,
}

impl<T: Send + Sync + 'static> Current<T> {
    /// The present value.
    #[must_use]
    pub fn get(&self) -> Arc<T> {
        self.value.load_full()
    }

    /// A part of the value, for holders that need no more; replaced with the whole. It is kept for as long as the
    /// whole: make it once.
    #[must_use]
    pub fn part<U: Send + Sync + 'static>(&self, of: impl Fn(&T) -> U + Send + Sync + 'static) -> Current<U> {
        let mut parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        let part = Current::from(of(&self.get()));
        let kept = part.clone();
        parts.push(Box::new(move |value| kept.set(of(value))));
        part
    }

    /// Replaces the value and all parts of it.
    pub(crate) fn set(&self, value: T) {
        let parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        for part in parts.iter() {
            part(&value);
        }
        self.value.store(Arc::new(value));
    }
}

impl<T> From<T> for Current<T> {
    /// Shared value that nobody replaces.
    fn from(value: T) -> Self {
        Self { value: Arc::new(ArcSwap::from_pointee(value)), parts: Arc::default() }
    }
}

impl<T> Clone for Current<T> {
    fn clone(&self) -> Self {
        Self { value: Arc::clone(&self.value), parts: Arc::clone(&self.parts) }
    }
}

impl<T: fmt::Debug> fmt::Debug for Current<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.value.load().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::Current;

    #[test]
    fn parts_follow_the_whole() {
        let whole = Current::from((1, "a"));
        let number = whole.part(|(number, _)| *number);
        let twice = number.part(|number| number * 2);
        whole.clone().set((4, "b"));
        assert_eq!((*whole.get(), *number.get(), *twice.get()), ((4, "b"), 4, 8));
    }
}
