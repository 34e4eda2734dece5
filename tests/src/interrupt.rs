//! The flag that ends a run early.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use crate::failure::{Doing, Outcome};

/// Raised by Ctrl-C, SIGTERM, or from inside. Clones are the same flag.
#[derive(Debug, Clone, Default)]
pub struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// A flag that SIGINT and SIGTERM raise instead of ending the process.
    ///
    /// # Errors
    /// The handlers cannot be installed.
    pub fn on_signals() -> Outcome<Self> {
        let flag = Self::default();
        for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
            signal_hook::flag::register(signal, Arc::clone(&flag.0)).doing(|| "catch signals".to_owned())?;
        }
        Ok(flag)
    }

    /// True once it is time to stop.
    #[must_use]
    pub fn raised(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Makes it time to stop.
    pub fn raise(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
