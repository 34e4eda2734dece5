//! Pace of reading and sending: beside a replica that serves, a snapshot takes no more of the disk than it is given.

use crate::digest::{Digest, Sum};
use crate::error::{Error, io};
use maidenlane_service::Shutdown;
use std::fs::File;
use std::io::Read as _;
use std::num::NonZeroU64;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Bytes that are read at a time: a disk that serves others is theirs again soon.
const CHUNK_BYTES: usize = 1 << 18;
/// Longest sleep before the shutdown is looked at again.
const NAP: Duration = Duration::from_millis(100);

/// Called with every piece that passes.
pub type Pulse = Box<dyn Fn() + Send + Sync>;

/// Bytes per second of all lanes together, and the end of all work.
pub struct Pace {
    bytes_per_s: Option<NonZeroU64>,
    shutdown: Shutdown,
    /// Time from which the next bytes may pass.
    free: Mutex<Instant>,
    pulse: Option<Pulse>,
}

impl std::fmt::Debug for Pace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pace").field("bytes_per_s", &self.bytes_per_s).finish_non_exhaustive()
    }
}

impl Pace {
    /// A pace of so many bytes per second, or of as many as there are.
    #[must_use]
    pub fn new(bytes_per_s: Option<NonZeroU64>, shutdown: Shutdown) -> Self {
        Self { bytes_per_s, shutdown, free: Mutex::new(Instant::now()), pulse: None }
    }

    /// The same with a pulse: a sign of life of work that takes long.
    #[must_use]
    pub fn with_pulse(self, pulse: Pulse) -> Self {
        Self { pulse: Some(pulse), ..self }
    }

    /// Waits until so many bytes may pass.
    ///
    /// # Errors
    /// [`Error::Stopped`].
    pub(crate) fn pass(&self, bytes: usize) -> Result<(), Error> {
        let due = self.bytes_per_s.map(|rate| {
            let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
            let from = (*free).max(Instant::now());
            let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
            *free = from + Duration::from_micros(bytes.saturating_mul(1_000_000) / rate);
            from
        });
        self.go_on()?;
        if let Some(pulse) = &self.pulse {
            pulse();
        }
        while let Some(left) = due.and_then(|due| due.checked_duration_since(Instant::now())) {
            std::thread::sleep(left.min(NAP));
            self.go_on()?;
        }
        Ok(())
    }

    /// Reads a file to its end, for its digest.
    pub(crate) fn digest(&self, path: &Path) -> Result<Digest, Error> {
        let mut file = File::open(path).map_err(|error| io("open", path, error))?;
        let (mut sum, mut chunk) = (Sum::default(), vec![0; CHUNK_BYTES]);
        loop {
            let read = file.read(&mut chunk).map_err(|error| io("read", path, error))?;
            let Some(bytes) = chunk.get(..read).filter(|bytes| !bytes.is_empty()) else { break };
            self.pass(read)?;
            sum.add(bytes);
        }
        Ok(sum.end())
    }

    /// Checks that nobody wants the work to end.
    pub(crate) fn go_on(&self) -> Result<(), Error> {
        if self.shutdown.is_triggered() { Err(Error::Stopped) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::{Error, Pace, Shutdown};
    use std::num::NonZeroU64;
    use std::time::{Duration, Instant};

    #[test]
    fn all_lanes_share_one_pace() {
        let pace = Pace::new(NonZeroU64::new(100_000), Shutdown::new());
        let begun = Instant::now();
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| (0..3).for_each(|_| pace.pass(5_000).unwrap()));
            }
        });
        // The first passes at once; five more of 50 ms each come after it.
        assert!(begun.elapsed() >= Duration::from_millis(250), "{:?}", begun.elapsed());
    }

    #[test]
    fn a_shutdown_ends_the_longest_wait() {
        let shutdown = Shutdown::new();
        let pace = Pace::new(NonZeroU64::new(1), shutdown.clone());
        pace.pass(1_000_000).unwrap();
        shutdown.trigger();
        assert!(matches!(pace.pass(1), Err(Error::Stopped)));
    }
}
