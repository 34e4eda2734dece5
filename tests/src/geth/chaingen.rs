//! Chains of our own, made by the Go program in `tests/geth/chaingen`.

use std::{
    fs,
    hash::{DefaultHasher, Hash, Hasher},
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
    cached(&format!("{blocks}x{transactions}"), |draft| write(draft, blocks, transactions))
}

/// The same with more kinds of contracts and calls.
///
/// # Errors
/// As [`chain`].
pub fn varied(blocks: u32, transactions: u32) -> Outcome<PathBuf> {
    cached(&format!("{blocks}x{transactions}-varied"), |draft| {
        generate(draft, blocks, transactions, &["-varied"])
    })
}

/// A chain of blocks to import, and so many more in `payloads.jsonl` to feed: a line each, the parameters of
/// `engine_newPayloadV4`.
///
/// # Errors
/// As [`chain`].
pub fn fed(blocks: u32, fed: u32, transactions: u32) -> Outcome<PathBuf> {
    cached(&format!("{blocks}+{fed}x{transactions}"), |draft| {
        generate(draft, blocks, transactions, &["-fed", &fed.to_string()])
    })
}

/// The same as [`chain`] on a genesis of about so many accounts and slots, which `large.json` counts.
///
/// # Errors
/// As [`chain`].
pub fn large(blocks: u32, transactions: u32, rows: u64) -> Outcome<PathBuf> {
    cached(&format!("{blocks}x{transactions}-{rows}"), |draft| {
        generate(draft, blocks, transactions, &["-rows", &rows.to_string()])
    })
}

/// A chain of blocks to import, and transactions that nodes take on top of it in `signed.txt`, one on each line: the first
/// of every account, then the second of every account, and so on.
///
/// # Errors
/// As [`chain`].
pub fn signed(blocks: u32, transactions: u32) -> Outcome<PathBuf> {
    cached(&format!("{blocks}-signed-{transactions}"), |draft| {
        generate(draft, blocks, 3, &["-signed", &transactions.to_string()])
    })
}

fn cached(name: &str, write: impl FnOnce(&Path) -> Outcome<()>) -> Outcome<PathBuf> {
    let out = product::cache().join("chains").join(format!("{name}-{:016x}", generator()?));
    if out.join("headfcu.json").exists() {
        return Ok(out);
    }
    // Tests run side by side: each writes its own draft, and the first to be done wins.
    static DRAFTS: AtomicU32 = AtomicU32::new(0);
    let draft = DRAFTS.fetch_add(1, Ordering::Relaxed);
    let draft = out.with_extension(format!("draft-{}-{draft}", std::process::id()));
    write(&draft)?;
    if let Err(failure) = fs::rename(&draft, &out) {
        fs::remove_dir_all(&draft).doing(|| format!("remove {}", draft.display()))?;
        if !out.join("headfcu.json").exists() {
            return Err(failure).doing(|| format!("rename {} to {}", draft.display(), out.display()));
        }
    }
    Ok(out)
}

fn home() -> PathBuf {
    product::root().join("tests/geth/chaingen")
}

/// Stands for the generator as it is now: another one makes other chains.
fn generator() -> Outcome<u64> {
    let listed = fs::read_dir(home()).doing(|| format!("list {}", home().display()))?;
    let mut files = listed.map(|entry| Ok(entry?.path())).collect::<Outcome<Vec<_>>>()?;
    files.sort();
    let mut hasher = DefaultHasher::new();
    for file in files {
        fs::read(&file).doing(|| format!("read {}", file.display()))?.hash(&mut hasher);
    }
    Ok(hasher.finish())
}

/// Makes a chain directory: genesis.json, chain.rlp and headfcu.json.
///
/// # Errors
/// Go is missing or the generator failed.
pub fn write(out: &Path, blocks: u32, transactions: u32) -> Outcome<()> {
    generate(out, blocks, transactions, &[])
}

fn generate(out: &Path, blocks: u32, transactions: u32, more: &[&str]) -> Outcome<()> {
    let mut go = Command::new("go");
    go.args(["run", ".", "-out"]).arg(out).current_dir(home());
    go.args(["-blocks", &blocks.to_string(), "-txs", &transactions.to_string()]).args(more);
    let output = go.output().doing(|| "run go, which makes the chain".to_owned())?;
    if output.status.success() {
        return Ok(());
    }
    Err(Failure::new(format!("chaingen failed: {}", String::from_utf8_lossy(&output.stderr))))
}
