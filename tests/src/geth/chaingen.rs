//! Chains of our own, made by the Go program in `tests/geth/chaingen`.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::{AtomicU32, Ordering},
};

use crate::{
    failure::{Doing, Failure, Outcome},
    product,
};

/// Makes a chain directory in the cache, unless it is there, and returns it. Equal arguments give equal bytes.
///
/// # Errors
/// Go is missing or the generator failed.
pub fn chain(blocks: u32, transactions: u32) -> Outcome<PathBuf> {
    let out = product::cache().join("chains").join(format!("{blocks}x{transactions}"));
    if out.join("headfcu.json").exists() {
        return Ok(out);
    }
    // Tests run side by side: each writes its own draft, and the first to be done wins.
    static DRAFTS: AtomicU32 = AtomicU32::new(0);
    let draft = DRAFTS.fetch_add(1, Ordering::Relaxed);
    let draft = out.with_extension(format!("draft-{}-{draft}", std::process::id()));
    write(&draft, blocks, transactions)?;
    if let Err(failure) = fs::rename(&draft, &out) {
        fs::remove_dir_all(&draft).doing(|| format!("remove {}", draft.display()))?;
        if !out.join("headfcu.json").exists() {
            return Err(failure).doing(|| format!("rename {} to {}", draft.display(), out.display()));
        }
    }
    Ok(out)
}

/// Makes a chain directory: genesis.json, chain.rlp and headfcu.json.
///
/// # Errors
/// Go is missing or the generator failed.
pub fn write(out: &Path, blocks: u32, transactions: u32) -> Outcome<()> {
    let mut go = Command::new("go");
    go.args(["run", ".", "-out"]).arg(out).current_dir(product::root().join("tests/geth/chaingen"));
    go.args(["-blocks", &blocks.to_string(), "-txs", &transactions.to_string()]);
    let output = go.output().doing(|| "run go, which makes the chain".to_owned())?;
    if output.status.success() {
        return Ok(());
    }
    Err(Failure::new(format!("chaingen failed: {}", String::from_utf8_lossy(&output.stderr))))
}
