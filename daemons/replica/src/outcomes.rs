//! Fates of transactions, as the topic `<prefix>.<chain>.outcomes` tells them to all replicas of a chain: kept for their
//! time, and told to those who wait for them.
//!
//! | file | idea |
//! |---|---|
//! | here | the start |
//! | `kept` | questions to what was read |
//! | `reader` | one thread that reads the topics of transactions and outcomes |
//! | `places`, `error` | where it begins, and what stops it |
//! | `told` | what is new in what was read |
//! | `notices` | subscribers to rejections and drops |
//! | `verdicts` | senders that wait for the first verdict |
//!
//! # Why a database of its own
//! The chain's database goes forwards and backwards with the feed, which is its only writer's. A fate stays what it is in
//! a reorganisation, and comes from another topic at another time. All of it can be read from the log again: a database
//! that is damaged is begun anew.

mod error;
pub(crate) mod kept;
pub(crate) mod notices;
mod places;
mod reader;
mod told;
pub(crate) mod verdicts;

pub use kept::{Outcomes, Settings};
use maidenlane_log::Backend;
use maidenlane_service::{Exit, Failure, Health, Shutdown, TaskGroup};
use maidenlane_store::fates::Fates;
pub(crate) use reader::Counted;
use reader::Reader;
use std::path::Path;

/// Starts the thread that reads, also what is `counted`.
///
/// # Errors
/// When the database cannot be opened, or the machine gives no thread.
pub(crate) fn start(
    settings: &Settings,
    state_dir: &Path,
    log: Backend,
    counted: Option<Counted>,
    (tasks, health): (&TaskGroup, &Health),
) -> Result<Outcomes, Failure> {
    let (health, shutdown) = (health.clone(), tasks.shutdown().clone());
    let (outcomes, reader) = read(settings, state_dir, (log, counted), health, shutdown)?;
    tasks.spawn_thread("outcomes", move || reader.run())?;
    Ok(outcomes)
}

/// A handle, and the reader to run on a thread of its own.
fn read(
    settings: &Settings,
    state_dir: &Path,
    (log, counted): (Backend, Option<Counted>),
    health: Health,
    shutdown: Shutdown,
) -> Result<(Outcomes, Reader), Failure> {
    let outcomes = Outcomes::new(open(&state_dir.join("fates"))?, settings.keep);
    let reader = Reader::new((log, settings.clone()), outcomes.clone(), counted, health, shutdown);
    Ok((outcomes, reader))
}

/// Opens the database. One that is damaged goes: the log has its entries.
fn open(path: &Path) -> Result<Fates, Failure> {
    use maidenlane_store::Error::Corruption;
    match Fates::open(path) {
        Err(damaged @ Corruption { .. }) => {
            tracing::warn!("the fates of transactions are read anew: {damaged}");
            std::fs::remove_dir_all(path)
                .map_err(|error| Failure::file(format_args!("remove {}", path.display()), &error))?;
            Fates::open(path)
        }
        opened => opened,
    }
    .map_err(|error| Failure::new(Exit::GaveUp, error))
}

#[cfg(test)]
mod tests;
