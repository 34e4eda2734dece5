//! Fitness of the machine: whether the files that the settings name are there.

use super::Settings;
use crate::probe::{self, Kind};
use maidenlane_config::Checker;
use maidenlane_config::feed::Log;
use maidenlane_jsonrpc::client::Remote;
use maidenlane_jsonrpc::control;
use maidenlane_service::{Exit, Failure, with_causes};
use std::collections::BTreeMap;
use std::path::Path;

/// Notes what is not there: a checker that started all the same would call a target down for a mistake of its own.
pub(super) fn on_machine(settings: &Settings, checker: &mut Checker) {
    control::on_machine(&settings.daemon.state_dir, checker);
    let (mut log, mut places) = (None, BTreeMap::new());
    for target in &settings.targets {
        let group = target.target.group;
        let place: &mut usize = places.entry(group).or_default();
        // Address and admin listener of one target have the same files.
        if let Some(remote) = remotes(target).next() {
            let field = format!("groups[{group}].targets[{place}]");
            checker.inside(&field, |checker| remote.on_machine(checker));
        }
        *place += 1;
        if let Kind::Feed(feed) = &target.kind
            && let Log::Segment { dir } = &feed.log
        {
            log = Some(dir);
        }
    }
    if let Some(dir) = log {
        checker.take("feed.log.dir", directory(dir));
    }
}

fn directory(dir: &Path) -> Result<(), String> {
    match std::fs::read_dir(dir) {
        Ok(_) => Ok(()),
        Err(error) => Err(format!(
            "read {}: {error}: name the directory of the log, which `maidenlane log init --dir` makes",
            dir.display()
        )),
    }
}

/// Checks, at the start, that every secret is there, also those that the service manager hands over.
///
/// # Errors
/// The first that cannot be read.
pub(crate) fn readable(settings: &Settings) -> Result<(), Failure> {
    for target in &settings.targets {
        for remote in remotes(target) {
            let used = remote.address().and_then(|_| remote.options());
            used.map_err(|error| {
                Failure::new(
                    Exit::Settings,
                    format!("target {}: {}", target.target.name, with_causes(&error)),
                )
            })?;
        }
    }
    Ok(())
}

/// Listeners that a target is asked at.
fn remotes(target: &probe::Settings) -> impl Iterator<Item = &Remote> {
    let asked = match &target.kind {
        Kind::Replica(remote) | Kind::Node(remote) | Kind::Daemon(remote) | Kind::Beacon(remote) => {
            Some(remote)
        }
        Kind::Feed(_) => None,
    };
    asked.into_iter().chain(&target.admin)
}
