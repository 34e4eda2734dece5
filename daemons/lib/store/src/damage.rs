//! Damage that a request met. The request is answered with an error; the follower, which looks here at every turn, ends
//! the daemon: a replica that knows that its files are damaged serves nothing more from them.

use std::sync::{Arc, OnceLock};

/// The first damage found; clones are the same.
#[derive(Clone, Debug, Default)]
pub(super) struct Damage(Arc<OnceLock<String>>);

impl Damage {
    /// Notes an error of RocksDB, if it says that bytes are not what was written. A disk that does not answer is not
    /// damage.
    pub(super) fn note(&self, error: &rocksdb::Error) {
        if error.kind() == rocksdb::ErrorKind::Corruption {
            self.note_value(error.as_ref());
        }
    }

    /// Notes a value that is not what its table promises.
    pub(super) fn note_value(&self, what: &str) {
        // The first one is what the operator needs.
        let _known = self.0.set(what.to_owned());
    }

    pub(super) fn found(&self) -> Option<&str> {
        self.0.get().map(String::as_str)
    }
}
