//! `maidenlane config …`: settings before a daemon gets to see them.

use std::path::PathBuf;

use clap::{Subcommand, ValueEnum};
use maidenlane_config::Settings;

use crate::{error::Error, output::Output};

/// Whose settings.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Daemon {
    Tap,
    Replica,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Say everything that is wrong with a file, as the daemon would at its start
    Check { daemon: Daemon, file: PathBuf },
    /// Print a file as one expression without imports
    Normalize { daemon: Daemon, file: PathBuf },
    /// Print the Dhall type of a daemon's settings
    Type { daemon: Daemon },
}

pub(crate) fn run(verb: &Verb, output: &mut Output) -> Result<(), Error> {
    match verb {
        Verb::Check { daemon: Daemon::Tap, file } => check::<maidenlane_tap::config::Settings>(file),
        Verb::Check { daemon: Daemon::Replica, file } => check::<maidenlane_replica::config::Settings>(file),
        Verb::Normalize { daemon: Daemon::Replica, file } => {
            normalize::<maidenlane_replica::config::Settings>(file, output)
        }
        Verb::Normalize { daemon: Daemon::Tap, file } => {
            normalize::<maidenlane_tap::config::Settings>(file, output)
        }
        Verb::Type { daemon: Daemon::Replica } => print_type::<maidenlane_replica::config::Settings>(output),
        Verb::Type { daemon: Daemon::Tap } => print_type::<maidenlane_tap::config::Settings>(output),
    }
}

fn check<S: Settings>(file: &std::path::Path) -> Result<(), Error> {
    Ok(maidenlane_config::load::<S>(file).map(drop)?)
}

fn normalize<S: Settings>(file: &std::path::Path, output: &mut Output) -> Result<(), Error> {
    output.line(maidenlane_config::normalize::<S>(file)?.trim_end())
}

fn print_type<S: Settings>(output: &mut Output) -> Result<(), Error> {
    output.line(maidenlane_config::type_text::<S::Raw>().trim_end())
}
