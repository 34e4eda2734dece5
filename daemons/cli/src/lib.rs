//! The operator's command: one file per noun, every verb a few lines around a library call.
//!
//! It holds no logic that a library lacks: what it can do, a daemon or a test can do too. Results go to standard
//! output, everything else to standard error; exit codes are those of the daemons.

mod acls;
mod carrier;
mod config;
mod control;
mod decode;
mod error;
mod geth;
mod health;
mod install;
mod log;
mod master;
mod output;
mod relay;
mod replica;
mod snapshot;
mod tap;
mod tx;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use maidenlane_service::{Exit, Failure};

use error::Error;
use output::Output;

#[derive(Debug, Parser)]
#[command(name = "maidenlane", version, about = "Looks after Maidenlane's daemons and their data")]
struct Arguments {
    #[command(subcommand)]
    noun: Noun,
}

#[derive(Debug, Subcommand)]
enum Noun {
    /// Settings files
    #[command(subcommand)]
    Config(config::Verb),
    /// Bytes to JSON
    #[command(subcommand)]
    Decode(decode::Verb),
    /// A geth for a master
    #[command(subcommand)]
    Geth(geth::Verb),
    /// A health checker that runs
    #[command(subcommand)]
    Health(health::Verb),
    /// Put programs, systemd units and settings types in place
    Install(install::Options),
    /// The log that carries feeds
    #[command(subcommand)]
    Log(Box<log::Verb>),
    /// A geth that a feed is to tell of
    #[command(subcommand)]
    Master(master::Verb),
    /// A relay that runs
    #[command(subcommand)]
    Relay(relay::Verb),
    /// A replica that has stopped
    #[command(subcommand)]
    Replica(replica::Verb),
    /// Snapshots of replicas in a repository
    #[command(subcommand)]
    Snapshot(snapshot::Verb),
    /// A tap that has stopped
    #[command(subcommand)]
    Tap(tap::Verb),
    /// A transaction that a replica took
    #[command(subcommand)]
    Tx(Box<tx::Verb>),
}

/// The whole program.
#[must_use]
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // A closed terminal leaves nobody to tell.
            let _unheard = error.print();
            return if error.use_stderr() { Exit::Settings.into() } else { ExitCode::SUCCESS };
        }
    };
    match run(arguments, &mut Output::stdout()) {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever reads has seen enough, as in `maidenlane log tail | head`.
        Err(Error::Output(closed)) if closed.kind() == std::io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            let exit = error.exit();
            eprintln!("maidenlane: {}", Failure::new(exit, error));
            exit.into()
        }
    }
}

fn run(arguments: Arguments, output: &mut Output) -> Result<(), Error> {
    match arguments.noun {
        Noun::Config(verb) => config::run(&verb, output),
        Noun::Decode(verb) => decode::run(&verb, output),
        Noun::Geth(verb) => geth::run(&verb, output),
        Noun::Health(verb) => health::run(&verb, output),
        Noun::Install(options) => install::run(&options, output),
        Noun::Log(verb) => log::run(*verb, output),
        Noun::Master(verb) => master::run(&verb, output),
        Noun::Relay(verb) => relay::run(&verb, output),
        Noun::Replica(verb) => replica::run(&verb, output),
        Noun::Snapshot(verb) => snapshot::run(verb, output),
        Noun::Tap(verb) => tap::run(&verb, output),
        Noun::Tx(verb) => tx::run(*verb, output),
    }
}
