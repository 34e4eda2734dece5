//! `maidenlane replica import`: the state of a geth that had no hook.

use std::path::{Path, PathBuf};

use clap::Args;
use maidenlane_backfill::{Address, Archives};
use maidenlane_bootstrap::{
    Error as ImportError, Files, Plan, import,
    master::{Blocks, Master},
    progress::Progress,
};
use maidenlane_jsonrpc::client::Endpoint;
use maidenlane_replica::config::Settings;
use maidenlane_service::{Failure, files};
use serde_json::json;

use crate::{error::Error, output::Output};

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The replica's settings; their `stateDir` must hold no block
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Output of `geth db export snapshot FILE` on a stopped node, gzip or not
    #[arg(long, value_name = "FILE", requires = "code", required_unless_present = "dump")]
    snapshot: Option<PathBuf>,
    /// Output of `geth db export code FILE` after that
    #[arg(long, value_name = "FILE", requires = "snapshot")]
    code: Option<PathBuf>,
    /// Output of `geth snapshot dump`, in the place of both, gzip or not
    #[arg(long, value_name = "FILE", conflicts_with_all = ["snapshot", "code"])]
    dump: Option<PathBuf>,
    /// Number or hash of the block whose state that is; the feed must begin there
    #[arg(long, value_name = "BLOCK", value_parser = block)]
    block: String,
    /// A node that has this block and the 256 before it, with `debug_getRaw*`: IPC path or URL
    #[arg(long, value_name = "ADDRESS", required_unless_present = "era")]
    node: Option<Endpoint>,
    /// Directory of `era1` and `ere` archives that have them, in the place of a node; may be named several times. The block is
    /// named by its number then
    #[arg(long, value_name = "DIR", conflicts_with = "node")]
    era: Vec<PathBuf>,
    /// File of `geth export` with bodies of them, asked before the archives, which have the receipts; may be named several times
    #[arg(long, value_name = "FILE", requires = "era")]
    export: Vec<PathBuf>,
    /// Rows between two entries of the journal from which a killed import goes on
    #[arg(long, value_name = "ROWS", default_value_t = Plan::ROUND_ROWS)]
    journal_rows: u64,
    /// Forget what an import before this one has left; otherwise it goes on
    #[arg(long)]
    restart: bool,
}

/// Length of a hash, 0x and 64 digits.
const HASH_LENGTH: usize = 66;

/// A block as a node takes it.
fn block(text: &str) -> Result<String, String> {
    if let Ok(number) = text.parse::<u64>() {
        return Ok(format!("{number:#x}"));
    }
    match text.strip_prefix("0x") {
        Some(hash) if text.len() == HASH_LENGTH && hash.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
            Ok(text.to_owned())
        }
        _ => Err("a block is a decimal number, or a hash of 0x and 64 digits".to_owned()),
    }
}

pub(crate) fn run(options: &Options, output: &mut Output) -> Result<(), Error> {
    let settings = maidenlane_config::load::<Settings>(&options.config)?.settings;
    // The journal names them, and the next start may be from another directory.
    let whole =
        |path: &Path| path.canonicalize().map_err(|source| Error::Read { path: path.to_owned(), source });
    if !options.era.is_empty() && options.block.len() == HASH_LENGTH {
        return Err(Error::Usage(
            "archives know blocks by their numbers: name --block by its number".to_owned(),
        ));
    }
    let files = match (&options.snapshot, &options.code, &options.dump) {
        (Some(snapshot), Some(code), _) => Files::Export { snapshot: whole(snapshot)?, code: whole(code)? },
        (_, _, Some(dump)) => Files::Dump(whole(dump)?),
        _ => return Err(Error::Usage("name --snapshot and --code, or --dump".to_owned())),
    };
    let plan = Plan {
        files,
        state_dir: settings.daemon.state_dir.clone(),
        block: options.block.clone(),
        chain_id: settings.chain_id,
        genesis: settings.genesis,
        proofs: settings.keep.proofs.is_some(),
        restart: options.restart,
        round_rows: options.journal_rows.max(1),
    };
    let imported = options.blocks().and_then(|blocks| {
        import(&plan, blocks.as_ref(), Box::new(|progress| eprintln!("{}", line(&progress))))
    });
    // Also what a failure leaves: the replica's user goes on with it, or removes it.
    let given = files::give_all(&plan.state_dir);
    let done = imported.map_err(|error| Error::Daemon(Failure::from(error)))?;
    given.map_err(|error| Error::Daemon(error.into()))?;
    output.json(&json!({
        "number": done.block.number,
        "hash": done.block.hash.to_string(),
        "oldestBlock": done.floor,
        "accounts": done.counts.accounts,
        "slots": done.counts.slots,
    }))
}

impl Options {
    /// Where blocks come from.
    fn blocks(&self) -> Result<Box<dyn Blocks>, ImportError> {
        if let Some(node) = &self.node {
            return Ok(Box::new(Master::connect(node.clone())?));
        }
        let exports = self.export.iter().cloned().map(Address::Export);
        let addresses: Vec<_> = exports.chain(self.era.iter().cloned().map(Address::Era)).collect();
        Ok(Box::new(Archives::open(&addresses)?))
    }
}

/// A line of progress.
fn line(progress: &Progress) -> String {
    let Progress { rows, rows_per_s, bytes, bytes_total, left_s } = progress;
    let (percent, minutes) = (bytes.saturating_mul(100) / bytes_total.max(&1), left_s.div_ceil(60));
    format!("{rows} rows, {percent} % of the files, {rows_per_s:.0} rows/s, {minutes} min left")
}

#[cfg(test)]
mod tests {
    use super::{Progress, block, line};

    #[test]
    fn blocks_are_numbers_or_hashes() {
        let hash = format!("0x{}", "aB".repeat(32));
        assert_eq!(block("255"), Ok("0xff".to_owned()));
        assert_eq!(block(&hash), Ok(hash.clone()));
        for bad in ["", "latest", "0xff", "-1", &hash[1..], &hash[..65]] {
            assert!(block(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn progress_is_a_line() {
        let progress = Progress { rows: 9_000, rows_per_s: 1234.5, bytes: 30, bytes_total: 120, left_s: 61 };
        assert_eq!(line(&progress), "9000 rows, 25 % of the files, 1234 rows/s, 2 min left");
    }
}
