//! `maidenlane snapshot …`: snapshots in a repository.

use std::{num::NonZeroU64, path::PathBuf};

use clap::{Args, Subcommand};
use maidenlane_replica::config::Settings;
use maidenlane_service::Shutdown;
use maidenlane_snapshot::{
    Id, Pace, Repository, Rules, Snapshot, Source, collect, progress::Progress, verify_snapshot,
};
use serde_json::{Value, json};

use crate::{error::Error, output::Output};

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Print each snapshot as a line of JSON, the oldest block first
    List(Place),
    /// Restore a snapshot into a scratch directory, compute its state root anew, and mark it: only such ones are restored unasked
    Verify {
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        pace: Rate,
        /// Directory for it, which is made and removed: of the repository's file system, it takes little room
        #[arg(long, value_name = "DIR")]
        scratch: PathBuf,
        /// The snapshot; all that are not verified yet, if none is named
        id: Option<Id>,
    },
    /// Keep a snapshot whatever the rules say
    Pin {
        #[command(flatten)]
        place: Place,
        /// No longer
        #[arg(long)]
        off: bool,
        id: Id,
    },
    /// Remove a snapshot that is not pinned; its files go with the next `collect`
    Delete {
        #[command(flatten)]
        place: Place,
        id: Id,
    },
    /// Remove the snapshots that no rule keeps, and all files that none needs any more
    Collect {
        #[command(flatten)]
        place: Place,
        /// Verified snapshots to keep, the newest ones
        #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
        newest: u32,
        /// Days to keep the newest verified snapshot of
        #[arg(long, value_name = "N", default_value_t = 7)]
        daily: u32,
        /// Weeks to keep the newest verified snapshot of
        #[arg(long, value_name = "N", default_value_t = 4)]
        weekly: u32,
        /// Remove nothing, and tell what would go
        #[arg(long)]
        dry_run: bool,
    },
}

/// Address of a repository.
#[derive(Debug, Args)]
pub(crate) struct Place {
    /// Directory of the repository
    #[arg(long, value_name = "DIR", required_unless_present = "config", conflicts_with = "config")]
    repository: Option<PathBuf>,
    /// Settings of a replica, whose `snapshots.target` it is
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl Place {
    pub(crate) fn open(&self) -> Result<Repository, Error> {
        let target = match (&self.repository, &self.config) {
            (Some(path), _) => Some(Source::Directory(path.clone())),
            (_, Some(config)) => maidenlane_config::load::<Settings>(config)?.settings.snapshots.target,
            (None, None) => None,
        };
        let target =
            target.ok_or_else(|| Error::Usage("name --repository, or set `snapshots.target`".to_owned()))?;
        Ok(target.open()?)
    }
}

/// Bound of what reading and sending take.
#[derive(Debug, Args)]
pub(crate) struct Rate {
    /// MB per second to read and send at most, so that whoever shares the disk is not held up
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=100_000))]
    rate_mb_per_s: Option<u64>,
}

impl Rate {
    pub(crate) const fn is_given(&self) -> bool {
        self.rate_mb_per_s.is_some()
    }

    /// Pace as it was asked for, or as the settings have it.
    pub(crate) fn pace(&self, settings: Option<NonZeroU64>) -> Pace {
        let asked = self.rate_mb_per_s.and_then(|rate| NonZeroU64::new(rate * 1_000_000));
        Pace::new(asked.or(settings), Shutdown::new())
    }
}

/// Tells a person how far it is.
pub(crate) fn tell(progress: Progress) {
    eprintln!("{progress}");
}

pub(crate) fn run(verb: Verb, output: &mut Output) -> Result<(), Error> {
    match verb {
        Verb::List(place) => {
            let repository = place.open()?;
            repository.ids()?.iter().try_for_each(|id| match repository.snapshot(id) {
                Ok(snapshot) => output.json(&row(&snapshot)),
                Err(error) if error.is_of_snapshot() => {
                    let reason = maidenlane_service::with_causes(&error);
                    output.json(&json!({ "id": id.to_string(), "unusable": reason }))
                }
                Err(error) => Err(error.into()),
            })
        }
        Verb::Verify { place, pace, scratch, id } => {
            let repository = place.open()?;
            let ids = match id {
                Some(id) => vec![id],
                None => unverified(&repository)?,
            };
            ids.iter().try_for_each(|id| {
                let verified = verify_snapshot(&repository, id, &scratch, &pace.pace(None), &tell)?;
                output.json(&json!({
                    "id": id.to_string(),
                    "stateRoot": verified.root.to_string(),
                    "accounts": verified.accounts,
                    "slots": verified.slots,
                }))
            })
        }
        Verb::Pin { place, off, id } => {
            Ok(place.open()?.pin(&id, !off, &Pace::new(None, Shutdown::new()))?)
        }
        Verb::Delete { place, id } => Ok(place.open()?.remove(&id)?),
        Verb::Collect { place, newest, daily, weekly, dry_run } => {
            let rules = Rules { newest, daily, weekly };
            let garbage = collect(&place.open()?, Some(&rules), dry_run)?;
            output.json(&json!({
                "snapshots": garbage.snapshots.iter().map(ToString::to_string).collect::<Vec<_>>(),
                "files": garbage.objects.len(),
                "bytes": garbage.objects.iter().map(|(_, bytes)| bytes).sum::<u64>(),
            }))
        }
    }
}

fn unverified(repository: &Repository) -> Result<Vec<Id>, Error> {
    let mut ids = Vec::new();
    for id in repository.ids()? {
        if repository.snapshot(&id)?.verified.is_none() {
            ids.push(id);
        }
    }
    Ok(ids)
}

fn row(snapshot: &Snapshot) -> Value {
    let manifest = &snapshot.manifest;
    json!({
        "id": snapshot.id.to_string(),
        "chainId": manifest.chain_id,
        "number": manifest.head.number,
        "hash": manifest.head.hash.to_string(),
        "finalized": manifest.finalized.map(|block| block.number),
        "madeMs": manifest.made_ms,
        "offset": manifest.position.map(|position| position.offset),
        "proofs": manifest.proofs.is_some(),
        "files": manifest.files.len(),
        "bytes": manifest.bytes(),
        "verifiedMs": snapshot.verified.as_ref().map(|verified| verified.at_ms),
        "pinned": snapshot.pinned,
    })
}
