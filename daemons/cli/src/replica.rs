//! `maidenlane replica …`: a stopped replica's state.

mod import;
mod snapshot;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use maidenlane_replay::verify;
use maidenlane_replica::config::Settings;
use serde_json::json;

use crate::{error::Error, output::Output};

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Compute the state root of the whole state anew and compare it with the head's header
    Verify(Which),
    /// Print the whole state, one account per line of JSON, sorted by hashed address
    Dump(Which),
    /// Begin with the state of a geth that had no hook: read what it exported, and hold it against its block
    Import(Box<import::Options>),
    /// Keep the whole state and all blocks in a repository, while the replica runs or not: only what is not there yet is sent
    Snapshot(snapshot::Make),
    /// Begin with a snapshot
    Restore(snapshot::Take),
}

#[derive(Debug, Args)]
pub(crate) struct Which {
    /// The stopped replica's settings
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

pub(crate) fn run(verb: &Verb, output: &mut Output) -> Result<(), Error> {
    match verb {
        Verb::Verify(which) => {
            let (head, audit) = verify::verify(&which.state_dir()?)?;
            output.json(&json!({
                "number": head.number,
                "hash": head.hash.to_string(),
                "stateRoot": audit.root.to_string(),
                "accounts": audit.accounts,
                "slots": audit.slots,
            }))
        }
        Verb::Import(options) => import::run(options, output),
        Verb::Snapshot(options) => snapshot::make(options, output),
        Verb::Restore(options) => snapshot::take(options, output),
        Verb::Dump(which) => Ok(verify::dump(&which.state_dir()?, output).map(drop)?),
    }
}

impl Which {
    fn state_dir(&self) -> Result<PathBuf, Error> {
        Ok(maidenlane_config::load::<Settings>(&self.config)?.settings.daemon.state_dir)
    }
}
