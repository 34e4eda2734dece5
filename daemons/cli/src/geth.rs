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

pub(crate) fn run(verb: &Verb, output: &mut Output) -> Result<(), Error> {
    let Verb::Build { version, out } = verb;
    fs::create_dir_all(out).map_err(|source| Error::Install { what: "create", path: out.clone(), source })?;
    let work = out.join(format!(".work-{}", std::process::id()));
    let binary = out.join("geth");
    let built = build::build(version, HOOK, &work, &binary).map_err(Error::Build);
    // Whatever became of it; what cannot be removed is not worth another error.
    let _left = fs::remove_dir_all(&work);
    built?;
    output.line(&binary.display().to_string())
}
