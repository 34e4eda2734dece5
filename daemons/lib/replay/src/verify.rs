//! Verification of a stopped replica's state against its header, and its dump as text.

use maidenlane_chain::block::{BlockError, decode_header};
use maidenlane_chain::{B256, BlockRef};
use maidenlane_store::{self as store, Audit, Store};
use std::io::Write;
use std::path::{Path, PathBuf};

/// Size of the database's cache: enough for one pass over everything.
const CACHE_BYTES: usize = 64 << 20;

/// Reason why a state cannot be verified, or is wrong.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages name the fields")]
pub enum Error {
    /// Failure of the database.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// Nothing was applied yet.
    #[error("there is no state in {}; `stateDir` may be another, or the replica has not begun", .0.display())]
    Empty(PathBuf),
    /// The header in the database cannot be read.
    #[error("the head's header cannot be read")]
    Header(#[source] BlockError),
    /// The state is not that of the head.
    #[error("the state at block {head} has root {found}, its header says {expected}; restore a snapshot")]
    Differs { head: BlockRef, found: B256, expected: B256 },
    /// The output takes no more.
    #[error("write the dump")]
    Output(#[source] std::io::Error),
}

/// Computes the state root of the database in `state_dir` and compares it with the head's header.
///
/// # Errors
/// [`Error::Differs`], or when the database cannot be read (a running replica holds its lock).
pub fn verify(state_dir: &Path) -> Result<(BlockRef, Audit), Error> {
    let view = view(state_dir)?;
    let expected = decode_header(&view.head_header()?).map_err(Error::Header)?.state_root;
    let audit = store::state_root(&view)?;
    if audit.root == expected {
        return Ok((view.head(), audit));
    }
    Err(Error::Differs { head: view.head(), found: audit.root, expected })
}

/// Writes the whole state as JSON lines sorted by key.
///
/// # Errors
/// When the database cannot be read or `out` takes no more.
pub fn dump(state_dir: &Path, out: &mut impl Write) -> Result<BlockRef, Error> {
    let view = view(state_dir)?;
    store::dump(&view, out)?.map_err(Error::Output)?;
    Ok(view.head())
}

fn view(state_dir: &Path) -> Result<store::View, Error> {
    let path = crate::store_path(state_dir);
    // Opening a missing database would make one.
    if !path.exists() {
        return Err(Error::Empty(path));
    }
    Store::open(&path, CACHE_BYTES)?.view().ok_or(Error::Empty(path))
}
