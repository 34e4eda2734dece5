//! `maidenlane config …`: settings before a daemon gets to see them.

mod diff;

use std::path::{Path, PathBuf};

use clap::{Subcommand, ValueEnum};
use maidenlane_config::{Change, Field, Loaded, Settings};

use crate::{error::Error, output::Output};

/// Daemon whose settings a file holds. A new daemon is one variant and one line in [`Daemon::functions`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Daemon {
    Tap,
    Replica,
    Emitter,
    Health,
    Relay,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Say everything that is wrong with a file, as the daemon would at its start; what files it names is not looked at
    Check { daemon: Daemon, file: PathBuf },
    /// Print a file as one expression without imports
    Normalize { daemon: Daemon, file: PathBuf },
    /// Print the Dhall type of a daemon's settings
    Type { daemon: Daemon },
    /// Print what one setting means, or all below it, or all: type, meaning, default, whether it reloads
    Explain {
        daemon: Daemon,
        /// Dotted path, as `rpc.listeners`
        field: Option<String>,
    },
    /// Print what changes between two versions of a file, or of a whole directory like /etc/maidenlane, and which
    /// services must be reloaded or restarted for it
    Diff {
        old: PathBuf,
        new: PathBuf,
        /// Daemon whose settings two files are; otherwise their directory says so: tap/main.dhall
        #[arg(long)]
        daemon: Option<Daemon>,
    },
}

pub(crate) fn run(verb: &Verb, output: &mut Output) -> Result<(), Error> {
    match verb {
        Verb::Check { daemon, file } => (daemon.functions().check)(file),
        Verb::Normalize { daemon, file } => output.line((daemon.functions().normalize)(file)?.trim_end()),
        Verb::Type { daemon } => output.line((daemon.functions().type_text)().trim_end()),
        Verb::Explain { daemon, field } => explain(&(daemon.functions().fields)(), field.as_deref(), output),
        Verb::Diff { old, new, daemon } => diff::run(old, new, *daemon, output),
    }
}

/// Functions on the settings of one daemon.
struct Functions {
    check: fn(&Path) -> Result<(), Error>,
    normalize: fn(&Path) -> Result<String, Error>,
    type_text: fn() -> String,
    fields: fn() -> Vec<Field>,
    changes: fn(&Path, &Path) -> Result<Vec<Change>, Error>,
}

impl Functions {
    const fn of<S: Settings>() -> Self {
        Self {
            check: |file| {
                for doubt in load::<S>(file)?.doubts {
                    eprintln!("maidenlane: warning: {doubt}");
                }
                Ok(())
            },
            normalize: |file| Ok(load::<S>(file)?.version.normal::<S>()),
            type_text: maidenlane_config::type_text::<S::Raw>,
            fields: maidenlane_config::fields::<S>,
            changes: |old, new| {
                let (old, new) = (load::<S>(old)?.version, load::<S>(new)?.version);
                Ok(old.changes::<S>(&new))
            },
        }
    }
}

impl Daemon {
    const fn functions(self) -> Functions {
        match self {
            Self::Tap => Functions::of::<maidenlane_tap::config::Settings>(),
            Self::Replica => Functions::of::<maidenlane_replica::config::Settings>(),
            Self::Emitter => Functions::of::<maidenlane_emitter::config::Settings>(),
            Self::Health => Functions::of::<maidenlane_health::config::Settings>(),
            Self::Relay => Functions::of::<maidenlane_relay::config::Settings>(),
        }
    }

    /// As in the names of its unit and of its directory of settings.
    fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }
}

fn load<S: Settings>(file: &Path) -> Result<Loaded<S>, maidenlane_config::Error> {
    maidenlane_config::load(file)
}

fn explain(fields: &[Field], wanted: Option<&str>, output: &mut Output) -> Result<(), Error> {
    let fits = |field: &&Field| {
        wanted.is_none_or(|wanted| {
            field.path.strip_prefix(wanted).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        })
    };
    let mut found = fields.iter().filter(fits).peekable();
    if found.peek().is_none() {
        let near =
            maidenlane_config::nearest(wanted.unwrap_or_default(), fields.iter().map(|field| &*field.path));
        let hint = near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
        return Err(Error::Usage(format!("no setting is called `{}`{hint}", wanted.unwrap_or_default())));
    }
    found.try_for_each(|field| output.line(&field.to_string()))
}
