//! Store of a chain's state and blocks in RocksDB: the only crate that knows it.
//!
//! | file | idea |
//! |---|---|
//! | `tables` | every table, key and value on one page |
//! | `facts` | facts that are written with every batch: head, feed position, finality |
//! | `gaps` | blocks that may lack their senders |
//! | `keep` | retention |
//! | `write` | one batch per step: data, undo, indexes, head and position |
//! | `log_index_row` | one row of the log index |
//! | `index` | transactions by hash, logs by address and topic |
//! | `senders` | senders of transactions, told or recovered |
//! | `nodes` | trie nodes: the latest, their past, and the undo of a block's |
//! | `tuning` | options of RocksDB for each table |
//! | `below` | blocks from before that, written behind the head |
//! | `past` | beginning of a database whose chain began before its feed |
//! | `read` | [`View`]: one block's immutable view |
//! | `walk` | a state in the order of its keys |
//! | `damage` | damage that a view met, for the loop that ends the daemon |
//! | `logs` | the search in the log index |
//! | `audit` | the state root of the flat state; the dump |
//! | `peek` | facts of a database that nobody writes to |
//! | [`fates`] | fates of transactions, in a database of their own |
//! | [`bulk`] | sorted rows into files that a database takes over |
//! | `batch_stats` | content of a batch, for benchmarks |

mod audit;
mod batch_stats;
mod below;
pub mod bulk;
mod damage;
mod facts;
pub mod fates;
mod floors;
mod gaps;
mod index;
mod keep;
mod log_index_row;
mod logs;
mod nodes;
mod past;
mod peek;
mod read;
mod senders;
mod tables;
#[cfg(test)]
mod tests;
mod tuning;
mod walk;
mod write;

pub use audit::{Audit, Row, canonical_rows, dump, state_root};
pub use batch_stats::TableRows;
pub use below::{Group, LogRows, PastBlock, Piece};
pub use facts::{Facts, Position, Proofs, SetPosition};
pub use gaps::Gaps;
pub use keep::{Keep, Past};
pub use logs::{Positions, Visitor};
pub use past::{Base, Codes};
pub use peek::{Peek, peek};
pub use read::View;
pub use tables::FORMAT;
pub use write::{Batch, Store};

use std::path::{Path, PathBuf};

/// A store that cannot be used.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages name the fields")]
pub enum Error {
    /// RocksDB failed: disk, permissions, or damage that its checksums found.
    #[error("{what} in {}", path.display())]
    Rocks {
        what: &'static str,
        path: PathBuf,
        #[source]
        source: rocksdb::Error,
    },
    /// The database is open in another process.
    #[error("the database in {} is in use; stop the replica that runs on it", path.display())]
    InUse { path: PathBuf },
    /// A file that cannot be linked.
    #[error("link a file for the database in {}; its directory must be of one file system", path.display())]
    Link {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    /// Another version of the layout.
    #[error("{} has format {found}, this build reads {expected}; restore a snapshot of this version or bootstrap anew", path.display())]
    Format { path: PathBuf, found: u32, expected: u32 },
    /// RocksDB found damage: nothing of this database can be trusted any more.
    #[error("{found} in {}; restore a snapshot or bootstrap anew", path.display())]
    Corruption {
        /// Damage that was found, with its file.
        found: String,
        path: PathBuf,
    },
    /// A value is not what its table promises.
    #[error("{what} in {} is damaged; restore a snapshot or bootstrap anew", path.display())]
    Malformed { what: &'static str, path: PathBuf },
}

impl Error {
    fn rocks(what: &'static str, path: &Path, source: rocksdb::Error) -> Self {
        let path = path.to_owned();
        match source.kind() {
            rocksdb::ErrorKind::Corruption => Self::Corruption { found: format!("{what}: {source}"), path },
            // RocksDB has no kind of its own for it. A disk may refuse the file of the lock as any other.
            rocksdb::ErrorKind::IOError if is_locked(source.as_ref()) => Self::InUse { path },
            _ => Self::Rocks { what, path, source },
        }
    }

    /// True if the disk refused to write or sync: full, or failing. RocksDB writes nothing more then until it is opened
    /// anew, and what is written can be read on. A file that is gone is none of that.
    #[must_use]
    pub fn is_disk(&self) -> bool {
        matches!(self, Self::Rocks { source, .. } if source.kind() == rocksdb::ErrorKind::IOError
            && !source.as_ref().contains("No such file"))
    }
}

fn is_locked(message: &str) -> bool {
    message.contains("/LOCK: Resource temporarily unavailable")
        || message.contains("lock hold by current process")
}
