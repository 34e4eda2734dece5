//! The file that says where a daemon listens.

use crate::{Exit, Failure, Health, Shutdown};
use serde_json::{Map, Value};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;

/// Interval of attempts to write to a disk that refuses.
const WRITE_AGAIN: Duration = Duration::from_secs(1);

/// Addresses that a daemon really bound, in `<state dir>/addresses.json` while it runs. No work waits for the file: on a
/// disk that is full or fails, it comes later.
#[derive(Clone, Debug)]
pub struct Addresses {
    path: PathBuf,
    bound: Arc<Mutex<Map<String, Value>>>,
    /// True while the disk refuses the file.
    late: watch::Sender<bool>,
    health: Health,
}

impl Addresses {
    pub(crate) fn new(state_dir: &Path, health: Health) -> Self {
        let path = state_dir.join("addresses.json");
        Self { path, bound: Arc::default(), late: watch::Sender::default(), health }
    }

    /// Notes that `name` listens on `address`.
    ///
    /// # Errors
    /// When the file cannot be written where it belongs, and waiting does not mend that.
    pub fn add(&self, name: &str, address: impl std::fmt::Display) -> Result<(), Failure> {
        tracing::info!("{name} listens on {address}");
        self.lock().insert(name.to_owned(), address.to_string().into());
        self.health.set_section("addresses", Value::Object(self.lock().clone()));
        match self.write() {
            Err(refused) if refused.exit == Exit::GaveUp => {
                tracing::warn!("{refused}; trying again");
                Ok(())
            }
            written => written,
        }
    }

    /// Writes what the disk refused, once it no longer does, until the shutdown.
    pub(crate) async fn write_later(self, shutdown: Shutdown) -> Result<(), Failure> {
        let mut late = self.late.subscribe();
        // The sender is here, so that the wait has no other end.
        while shutdown.unless(late.wait_for(|late| *late)).await.is_some() {
            if self.write().is_err() {
                shutdown.unless(tokio::time::sleep(WRITE_AGAIN)).await;
            }
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Map<String, Value>> {
        self.bound.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> Result<(), Failure> {
        let (bound, draft) = (self.lock(), self.path.with_extension("json.new"));
        let written = std::fs::write(&draft, Value::Object(bound.clone()).to_string())
            .and_then(|()| std::fs::rename(&draft, &self.path));
        self.late.send_replace(written.is_err());
        written.map_err(|error| Failure::file(format_args!("write {}", self.path.display()), &error))
    }

    pub(crate) fn remove(&self) {
        if let Err(error) = std::fs::remove_file(&self.path)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            tracing::warn!("remove {}: {error}", self.path.display());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_delays_the_file_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let draft = dir.path().join("addresses.json.new");
        std::os::unix::fs::symlink("/dev/full", &draft).unwrap();
        let (addresses, shutdown) = (Addresses::new(dir.path(), Health::new()), Shutdown::new());
        addresses.add("admin", "here:1").unwrap();
        assert!(!addresses.path.exists());
        std::fs::remove_file(&draft).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut late = addresses.late.subscribe();
            tokio::select! {
                _ = addresses.clone().write_later(shutdown) => {}
                _ = late.wait_for(|late| !late) => {}
            }
        });
        assert_eq!(std::fs::read_to_string(&addresses.path).unwrap(), r#"{"admin":"here:1"}"#);
    }
}
