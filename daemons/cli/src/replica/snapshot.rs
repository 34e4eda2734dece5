//! `maidenlane replica snapshot` and `restore`.

use std::{
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
};

use clap::Args;
use maidenlane_replay::{reach::Reach, store_path, verify};
use maidenlane_replica::{
    config::Settings,
    snapshots::control::{Answer, Question},
};
use maidenlane_service::files;
use maidenlane_snapshot::{Demands, Id, Repository, Restore, Source, Workshop};
use maidenlane_store::Store;
use serde_json::Value;

use crate::{
    control,
    error::Error,
    output::Output,
    snapshot::{Rate, tell},
};

/// Memory of the database for what it has read, in bytes: a checkpoint reads nothing of it.
const CACHE_BYTES: usize = 64 << 20;

#[derive(Debug, Args)]
pub(crate) struct Make {
    /// The replica's settings: one that runs is asked for it
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Socket of a replica that runs, for those who may not read its state directory
    #[arg(long, value_name = "PATH", conflicts_with_all = ["repository", "rate_mb_per_s"])]
    socket: Option<PathBuf>,
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

/// Another repository than the settings name.
#[derive(Debug, Args)]
struct Place {
    /// Directory of the repository, in the place of the settings' `snapshots`
    #[arg(long, value_name = "DIR")]
    repository: Option<PathBuf>,
}

impl Place {
    fn or<'a>(
        &self,
        settings: impl IntoIterator<Item = &'a Source>,
        field: &str,
    ) -> Result<Vec<Repository>, Error> {
        let named = self.repository.clone().map(Source::Directory);
        let sources: Vec<_> = match named {
            Some(source) => vec![source],
            None => settings.into_iter().cloned().collect(),
        };
        if sources.is_empty() {
            return Err(Error::Usage(format!("name --repository, or set `snapshots.{field}`")));
        }
        Ok(sources.iter().map(Source::open).collect::<Result<_, _>>()?)
    }
}

pub(crate) fn make(options: &Make, output: &mut Output) -> Result<(), Error> {
    let settings = maidenlane_config::load::<Settings>(&options.config)?.settings;
    let state_dir = &settings.daemon.state_dir;
    let socket = options.socket.clone().or_else(|| control::socket(state_dir));
    if let Some((path, stream)) =
        socket.and_then(|path| control::connect(&path).transpose().map(|open| (path, open)))
    {
        let stream = stream?;
        if options.place.repository.is_some() || options.rate.is_given() {
            let why = "the replica runs, and sends snapshots as its settings say";
            return Err(Error::Usage(format!("{why}: name no --repository and no rate, or stop it")));
        }
        return output.json(&asked(&path, stream)?);
    }
    let path = store_path(state_dir);
    // Opening a missing database would make one.
    if !path.exists() {
        return Err(verify::Error::Empty(path).into());
    }
    let snapshots = &settings.snapshots;
    let repositories = options.place.or(&snapshots.target, "target")?;
    let store = Store::open(&path, CACHE_BYTES).map_err(maidenlane_snapshot::Error::from)?;
    let workshop = Workshop::open(state_dir)?;
    let pace = options.rate.pace(snapshots.bytes_per_s);
    repositories.iter().try_for_each(|repository| {
        let made = workshop.create(&store, repository, &pace, &tell)?;
        output.json(&made.to_json())
    })
}

/// Asks a replica that runs, and waits for its snapshot.
fn asked(path: &Path, stream: UnixStream) -> Result<Value, Error> {
    match control::ask(path, stream, &Question::Snapshot)? {
        Answer::Made(row) => Ok(row),
        Answer::Failed { exit, reason } => Err(Error::Asked { daemon: "replica", exit, reason }),
    }
}

pub(crate) fn take(options: &Take, output: &mut Output) -> Result<(), Error> {
    let settings = maidenlane_config::load::<Settings>(&options.config)?.settings;
    let (demands, snapshots) =
        (Demands { reach: reach(&settings), ..settings.demands() }, &settings.snapshots);
    let (mut refused, pace) = (None, options.rate.pace(snapshots.bytes_per_s));
    for repository in options.place.or(&snapshots.sources, "sources")? {
        let what = Restore {
            repository: &repository,
            id: options.snapshot.as_ref(),
            demands,
            replaces: false,
            pace: &pace,
            report: &tell,
            passed_over: &|reason| eprintln!("passed over: {}", maidenlane_service::with_causes(reason)),
        };
        let restored = maidenlane_snapshot::restore(&what, &settings.daemon.state_dir);
        // Also what a failure leaves: the replica's user goes on with it.
        files::give_all(&settings.daemon.state_dir).map_err(|error| Error::Daemon(error.into()))?;
        match restored {
            Ok((id, manifest)) => return output.json(&manifest.to_json(&id)),
            Err(error) => drop(refused.get_or_insert(error)),
        }
    }
    refused.map_or(Ok(()), |error| Err(error.into()))
}

/// Records that the replica's log holds. A log that cannot be asked judges no snapshot.
fn reach(settings: &Settings) -> Option<Reach> {
    let (topic, proofs) = (&settings.topic, settings.proofs_topic.as_deref());
    let asked = settings.backend().map_err(Into::into).and_then(|log| Reach::of(&log, topic, proofs));
    asked.unwrap_or_else(|error: maidenlane_replay::Error| {
        eprintln!(
            "unchecked is whether the log can be followed from it: {}",
            maidenlane_service::with_causes(&error)
        );
        None
    })
}
