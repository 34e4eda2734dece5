//! The suite: every check as one step, one line of result each.

mod excerpt;
mod room;
mod steps;
mod tally;

use std::{
    env,
    fs::{self, File},
    path::Path,
    time::Instant,
};

use crate::{
    failure::{Doing, Failure, Outcome},
    install, product,
};
use steps::Step;
use tally::Tally;

/// Tells a step's tests that the full counts are wanted.
const LONG_ENV: &str = "MAIDENLANE_LONG";

/// True under `--long`.
#[must_use]
pub fn long() -> bool {
    env::var_os(LONG_ENV).is_some()
}

/// Steps to run, and how thoroughly.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Run the full counts: 1,060 kill rounds instead of 30
    #[arg(long)]
    long: bool,
    /// Only these steps
    #[arg(value_name = "STEP")]
    only: Vec<String>,
}

/// Runs the steps in order, all of them even when one fails, and says whether all passed.
///
/// # Errors
/// The suite itself cannot run.
pub fn run(arguments: &Arguments) -> Outcome<bool> {
    install::ensure(&install::BUILD)?;
    let logs = product::target().join("suite");
    fs::create_dir_all(&logs).doing(|| format!("create {}", logs.display()))?;
    room::make(&product::target())?;
    let steps = chosen(&arguments.only)?;
    let mut total = Tally::default();
    for step in steps {
        total.add(&run_step(&step, &logs, arguments.long)?);
    }
    println!("{total}");
    Ok(total.failed == 0)
}

fn chosen(only: &[String]) -> Outcome<Vec<Step>> {
    let steps = steps::all();
    if let Some(unknown) = only.iter().find(|name| steps.iter().all(|step| step.name != name.as_str())) {
        let names: Vec<&str> = steps.iter().map(|step| step.name).collect();
        return Err(Failure::new(format!("no step is called {unknown}; there are: {}", names.join(", "))));
    }
    let wanted = |step: &Step| only.is_empty() || only.iter().any(|name| name == step.name);
    Ok(steps.into_iter().filter(wanted).collect())
}

fn run_step(step: &Step, logs: &Path, long: bool) -> Outcome<Tally> {
    let log = logs.join(format!("{}.log", step.name));
    let started = Instant::now();
    let mut tally = Tally::default();
    if let Some(missing) = step.needs.iter().find(|need| !need.met()) {
        tally.skip(format!("no {}", missing.name));
    } else {
        fs::write(&log, "").doing(|| format!("write {}", log.display()))?;
        for command in &step.commands {
            tally.add(&run_command(command, step, &log, long)?);
        }
    }
    report(step.name, &tally, started.elapsed().as_secs_f32(), &log);
    Ok(tally)
}

fn run_command(command: &[&str], step: &Step, log: &Path, long: bool) -> Outcome<Tally> {
    let before = fs::metadata(log).map_or(0, |meta| meta.len());
    let out = File::options().append(true).open(log).doing(|| format!("open {}", log.display()))?;
    let err = out.try_clone().doing(|| format!("open {}", log.display()))?;
    let mut cargo = product::cargo();
    cargo.args(command).stdout(out).stderr(err);
    for (name, value) in step.environment {
        cargo.env(name, value);
    }
    if long {
        cargo.env(LONG_ENV, "1");
    }
    let passed = cargo.status().doing(|| "run cargo".to_owned())?.success();
    let bytes = fs::read(log).doing(|| format!("read {}", log.display()))?;
    let fresh = bytes.get(usize::try_from(before).unwrap_or(0)..).unwrap_or_default();
    Ok(Tally::read(&String::from_utf8_lossy(fresh), passed))
}

fn report(name: &str, tally: &Tally, seconds: f32, log: &Path) {
    let word = match (tally.failed, tally.passed) {
        (1.., _) => "FAILED",
        (0, 0) => "not run",
        _ => "passed",
    };
    println!("{word:<8} {name:<12} {seconds:>7.1} s  {tally}");
    for (reason, count) in tally.counted_reasons() {
        let times = if count > 1 { format!(" ({count} tests)") } else { String::new() };
        println!("         not run: {reason}{times}");
    }
    if tally.failed > 0 {
        for line in &tally.excerpt {
            println!("         | {line}");
        }
        println!("         whole log: {}", log.display());
    }
}
