//! `harness`: the demo, the suite and the benchmarks, started through the aliases in `.cargo/config.toml`.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use maidenlane_tests::{clones, demo, differ, geth::record, measure, reproduce, stall, suite};

#[derive(Debug, Parser)]
#[command(name = "harness", about = "Runs Maidenlane on real parts")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Run everything on this machine, for a person to look at
    Demo(demo::Arguments),
    /// Run every check, one line of result each
    Suite(suite::Arguments),
    /// Run the benchmarks, on a release build
    Measure(measure::Arguments),
    /// Ask geth and a replica at random, and tell where they differ
    Differ(differ::Arguments),
    /// Run short programs under every method that executes, and tell how long a client beside them waits
    Stall(stall::Arguments),
    /// Build releases twice, in different places, and compare them byte for byte; takes the better part of an hour
    Reproduce(reproduce::Arguments),
    /// Make the recordings under tests/vectors again, with a real geth
    Record,
}

fn main() -> ExitCode {
    let task = Arguments::parse().task;
    let outcome = clones::claim().and_then(|()| match task {
        Task::Demo(arguments) => demo::run(&arguments),
        Task::Suite(arguments) => suite::run(&arguments),
        Task::Measure(arguments) => measure::run(&arguments),
        Task::Differ(arguments) => differ::run(&arguments),
        Task::Stall(arguments) => stall::run(&arguments),
        Task::Reproduce(arguments) => reproduce::run(&arguments),
        Task::Record => record::run(),
    });
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(failure) => {
            eprintln!("harness: {failure}");
            ExitCode::FAILURE
        }
    }
}
