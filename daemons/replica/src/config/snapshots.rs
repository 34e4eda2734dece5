//! Settings of snapshots.

use crate::snapshots::Settings;
use maidenlane_config::{Checker, StaticType, shapes};
use maidenlane_snapshot::Source;
use serde::Deserialize;
use std::num::NonZeroU64;

/// Snapshots: those that an empty replica begins with, and those that are made of it.
#[derive(Clone, Debug, Deserialize, StaticType)]
#[expect(non_snake_case, reason = "the names of the Dhall fields")]
pub struct SnapshotsRaw {
    /// Repositories in which a replica without a block looks for a snapshot, in order; it begins with the newest verified one.
    pub sources: Vec<RepositoryRaw>,
    /// Repository that takes snapshots of this replica; `None` makes none while it runs.
    pub target: Option<RepositoryRaw>,
    /// Bytes that snapshots read and send per second; `None` for as many as there are.
    pub maxRate_MB_per_s: Option<u64>,
}

/// A repository of snapshots.
#[derive(Clone, Debug, Deserialize, StaticType)]
pub enum RepositoryRaw {
    /// A directory, which exists.
    Directory(String),
}

pub(super) fn validate(raw: &SnapshotsRaw, checker: &mut Checker) -> Option<Settings> {
    let place = |field: &str, raw: &RepositoryRaw, checker: &mut Checker| match raw {
        RepositoryRaw::Directory(path) => shapes::path(field, path, checker).map(Source::Directory),
    };
    let sources: Vec<_> = raw.sources.iter().map(|raw| place("sources", raw, checker)).collect();
    let target = raw.target.as_ref().map(|raw| place("target", raw, checker));
    let rate = raw.maxRate_MB_per_s.map(|rate| checker.within::<u64>("maxRate_MB_per_s", rate, 1..=100_000));
    let bytes_per_s = match rate {
        Some(rate) => NonZeroU64::new(rate? * 1_000_000),
        None => None,
    };
    let target = match target {
        Some(target) => Some(target?),
        None => None,
    };
    Some(Settings { sources: sources.into_iter().collect::<Option<_>>()?, target, bytes_per_s })
}
