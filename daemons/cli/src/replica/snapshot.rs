//! `maidenlane replica snapshot` and `restore`.

use std::path::PathBuf;

use clap::Args;
use maidenlane_replay::{store_path, verify};
use maidenlane_replica::config::Settings;
use maidenlane_snapshot::{Demands, Id, Manifest, Restore, Workshop};
use maidenlane_store::Store;
use serde_json::{Value, json};

use crate::{
    error::Error,
    output::Output,
    snapshot::{Place, Rate, tell},
};

/// Memory of the database for what it has read, in bytes: a checkpoint reads nothing of it.
const CACHE_BYTES: usize = 64 << 20;

#[derive(Debug, Args)]
pub(crate) struct Make {
    /// The stopped replica's settings
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    rate: Rate,
}

#[derive(Debug, Args)]
pub(crate) struct Take {
    /// The replica's settings; their `stateDir` must hold no block
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    rate: Rate,
    /// The snapshot; the newest verified one that suits the settings, if none is named
    #[arg(long, value_name = "ID")]
    snapshot: Option<Id>,
}

pub(crate) fn make(options: &Make, output: &mut Output) -> Result<(), Error> {
    let settings = maidenlane_config::load::<Settings>(&options.config)?.settings;
    let (state_dir, path) = (&settings.daemon.state_dir, store_path(&settings.daemon.state_dir));
    // Opening a missing database would make one.
    if !path.exists() {
        return Err(verify::Error::Empty(path).into());
    }
    let repository = options.place.open()?;
    let store = Store::open(&path, CACHE_BYTES).map_err(maidenlane_snapshot::Error::from)?;
    let made = Workshop::open(state_dir)?.create(&store, &repository, &options.rate.pace(), &tell)?;
    output.json(&row(&made.id, &made.manifest, Some(made.sent)))
}

pub(crate) fn take(options: &Take, output: &mut Output) -> Result<(), Error> {
    let settings = maidenlane_config::load::<Settings>(&options.config)?.settings;
    let repository = options.place.open()?;
    let Settings { chain_id, genesis, keep, .. } = settings;
    let demands = Demands { chain_id, genesis, proofs: keep.proofs.is_some() };
    let what = Restore {
        repository: &repository,
        id: options.snapshot.as_ref(),
        demands,
        pace: &options.rate.pace(),
        report: &tell,
        passed_over: &|reason| eprintln!("passed over: {}", maidenlane_service::with_causes(reason)),
    };
    let (id, manifest) = maidenlane_snapshot::restore(&what, &settings.daemon.state_dir)?;
    output.json(&row(&id, &manifest, None))
}

/// A snapshot that was made or restored, with files and bytes that were sent.
fn row(id: &Id, manifest: &Manifest, sent: Option<(u64, u64)>) -> Value {
    let mut row = json!({
        "id": id.to_string(),
        "number": manifest.head.number,
        "hash": manifest.head.hash.to_string(),
        "files": manifest.files.len(),
        "bytes": manifest.bytes(),
    });
    if let (Some((files, bytes)), Some(row)) = (sent, row.as_object_mut()) {
        row.insert("sentFiles".to_owned(), files.into());
        row.insert("sentBytes".to_owned(), bytes.into());
    }
    row
}
