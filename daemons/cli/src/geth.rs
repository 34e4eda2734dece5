//! `maidenlane geth build`: a master's geth, without Nix.

mod build;

use std::{fs, path::PathBuf};

use clap::Subcommand;

use crate::{error::Error, output::Output};

/// The one file of ours inside geth.
const HOOK: &str = include_str!("../../tap/geth/hook.go");

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Take go-ethereum's source from the Go module proxy, add the hook, and build geth; takes some minutes
    Build {
        /// go-ethereum's version
        #[arg(long, default_value = build::VERSION, long_help = supported())]
        version: String,
        /// Where `geth` goes
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
    },
}

fn supported() -> String {
    let [oldest, newest] = build::SUPPORTED;
    format!("go-ethereum's version; {oldest} to {newest} are supported")
}

/// Numbers of a version, as `1.17.5` or `v1.17.5-unstable`.
fn numbers(version: &str) -> Option<Vec<u64>> {
    let parts = version.trim_start_matches('v').split(['.', '-', '+']);
    parts.take(3).map(|part| part.parse().ok()).collect()
}

/// Refuses what the hook does not build with, before minutes are spent on it. What is newer may be right.
fn refuse_older(version: &str) -> Result<(), Error> {
    let [oldest, newest] = build::SUPPORTED;
    match numbers(version) {
        None => Err(Error::Usage(format!("expected a version such as {newest}, found `{version}`"))),
        wanted if wanted < numbers(oldest) => Err(Error::Usage(format!(
            "the hook does not build with geth {version}; {oldest} is the oldest: give --version {newest}"
        ))),
        _ => Ok(()),
    }
}

pub(crate) fn run(verb: &Verb, output: &mut Output) -> Result<(), Error> {
    let Verb::Build { version, out } = verb;
    refuse_older(version)?;
    fs::create_dir_all(out).map_err(|source| Error::Install { what: "create", path: out.clone(), source })?;
    let work = out.join(format!(".work-{}", std::process::id()));
    let binary = out.join("geth");
    let built = build::build(version, HOOK, &work, &binary).map_err(Error::Build);
    // Whatever became of it; what cannot be removed is not worth another error.
    let _left = fs::remove_dir_all(&work);
    built?;
    output.line(&binary.display().to_string())
}
