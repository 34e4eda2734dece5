//! `maidenlane config diff`: what an edit changes, and what to do for it to take effect.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use clap::ValueEnum;
use maidenlane_config::Change;

use super::Daemon;
use crate::{error::Error, output::Output};

/// `<daemon>/<instance>.dhall`.
type Instance = (Daemon, String);

pub(super) fn run(old: &Path, new: &Path, daemon: Option<Daemon>, output: &mut Output) -> Result<(), Error> {
    if !old.is_dir() && !new.is_dir() {
        let daemon = daemon.map_or_else(|| daemon_of(new).or_else(|_| daemon_of(old)), Ok)?;
        return (daemon.functions().changes)(old, new)?
            .iter()
            .try_for_each(|change| output.line(&change.to_string()));
    }
    let (olds, news) = (instances(old)?, instances(new)?);
    let (mut reload, mut restart) = (Vec::new(), Vec::new());
    for instance in olds.keys().chain(news.keys()).collect::<BTreeSet<_>>() {
        let (daemon, name) = instance;
        let unit = format!("maidenlane-{}@{name}", daemon.name());
        let (old, new) = match (olds.get(instance), news.get(instance)) {
            (Some(old), Some(new)) => (old, new),
            (None, _) => {
                (daemon.functions().check)(news.get(instance).map_or(new, PathBuf::as_path))?;
                output.line(&format!("{unit}: new"))?;
                continue;
            }
            (_, None) => {
                output.line(&format!("{unit}: gone"))?;
                continue;
            }
        };
        let changes = (daemon.functions().changes)(old, new)?;
        for change in &changes {
            output.line(&format!("{unit}: {change}"))?;
        }
        match verb(&changes) {
            Some(Effect::Reload) => reload.push(unit),
            Some(Effect::Restart) => restart.push(unit),
            None => {}
        }
    }
    for (verb, units) in [("reload", reload), ("restart", restart)] {
        if !units.is_empty() {
            output.line(&format!("systemctl {verb} {}", units.join(" ")))?;
        }
    }
    Ok(())
}

/// Reload or restart that a service needs for changes to take effect.
#[derive(Debug, PartialEq, Eq)]
enum Effect {
    Reload,
    Restart,
}

fn verb(changes: &[Change]) -> Option<Effect> {
    match changes {
        [] => None,
        changes if changes.iter().all(|change| change.reloads) => Some(Effect::Reload),
        _ => Some(Effect::Restart),
    }
}

/// The settings below a directory like `/etc/maidenlane`.
fn instances(root: &Path) -> Result<BTreeMap<Instance, PathBuf>, Error> {
    let mut found = BTreeMap::new();
    if !root.is_dir() {
        let root = root.display();
        return Err(Error::Usage(format!("{root} is no directory; compare two directories or two files")));
    }
    for daemon in Daemon::value_variants() {
        let dir = root.join(daemon.name());
        if !dir.is_dir() {
            continue;
        }
        let failed = |source| Error::Read { path: dir.clone(), source };
        for entry in fs::read_dir(&dir).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            if path.extension().is_some_and(|extension| extension == "dhall")
                && let Some(name) = path.file_stem()
            {
                found.insert((*daemon, name.to_string_lossy().into_owned()), path);
            }
        }
    }
    if found.is_empty() {
        let root = root.display();
        return Err(Error::Usage(format!(
            "{root} has no settings; expected {root}/<daemon>/<instance>.dhall"
        )));
    }
    Ok(found)
}

/// Daemon whose settings a file is, by its directory.
fn daemon_of(file: &Path) -> Result<Daemon, Error> {
    let dir = file.parent().and_then(Path::file_name).unwrap_or_default().to_string_lossy();
    Daemon::from_str(&dir, false)
        .map_err(|_| Error::Usage(format!("whose settings is {}? Say so with --daemon", file.display())))
}
