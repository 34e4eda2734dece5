//! `maidenlane health …`: what a checker that runs knows, whom it leaves out, and what availability follows from failures.

mod told;

use std::{collections::BTreeMap, time::Duration};

use clap::{Args, Subcommand};
use maidenlane_health::{
    availability,
    control::{self as desk, NOTE, Question},
};
use serde_json::{Value, json};

use crate::{control, error::Error, output::Output};

/// Checker that is asked.
type Place = control::Place<maidenlane_health::Daemon>;

/// Interval at which `watch` asks.
const LOOK_EVERY: Duration = Duration::from_millis(500);

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Print why a target, or each, has its verdict: text at a terminal, else a line of JSON
    Explain {
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        form: Form,
        /// Name of the target; all of them without one
        target: Option<String>,
    },
    /// Print a line for each change of a verdict, until interrupted: text at a terminal, else JSON
    Watch {
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        form: Form,
    },
    /// Take a target out: balancers send it nothing until `uncordon`, also after a restart of the checker
    Cordon {
        #[command(flatten)]
        place: Place,
        target: String,
        /// Why, for all who wonder: a line of text
        #[arg(long)]
        reason: String,
        /// Let open connections go on
        #[arg(long)]
        drain: bool,
    },
    /// Let a target in again, once its checks pass
    Uncordon {
        #[command(flatten)]
        place: Place,
        target: String,
    },
    /// Print the newest incidents, and what was measured of each target and source
    Incidents {
        #[command(flatten)]
        place: Place,
    },
    /// Print the availability of clusters that share no master: a = 1 - (1 - mtbf/(mttr+mtbf))^N
    Availability {
        /// Mean time between failures: 30d, 12h, 45m, 90s
        #[arg(long, value_parser = longer_than_none)]
        mtbf: Duration,
        /// Mean time to repair, likewise
        #[arg(long, value_parser = duration)]
        mttr: Duration,
        /// Number of clusters
        #[arg(short, long = "clusters", value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
        n: u32,
    },
}

/// Form of what is printed: text for people at a terminal, JSON for everybody else.
#[derive(Debug, Args)]
pub(crate) struct Form {
    /// Print JSON, also at a terminal
    #[arg(long)]
    json: bool,
    /// Print text, also where it goes into a file or a pipe
    #[arg(long, conflicts_with = "json")]
    text: bool,
}

impl Form {
    fn is_text(&self, output: &Output) -> bool {
        self.text || (!self.json && output.is_terminal())
    }
}

pub(crate) fn run(verb: &Verb, output: &mut Output) -> Result<(), Error> {
    match verb {
        Verb::Explain { place, form, target } => {
            let found = place.ask(&Question::Explain { target: target.clone() })?;
            match form.is_text(output) {
                true => told::explained(&found).iter().try_for_each(|line| output.line(line)),
                false => output.page(&found),
            }
        }
        Verb::Watch { place, form } => watch(&place.open()?, form.is_text(output), output),
        Verb::Cordon { place, target, reason, drain } => {
            // Not by the parser of arguments, which repeats all of what it refuses.
            let reason = desk::reason(reason).map_err(|why| Error::Usage(format!("--reason: {why}")))?;
            let (target, drain) = (target.clone(), *drain);
            done(place.ask(&Question::Cordon { target, reason, drain })?, output)
        }
        Verb::Uncordon { place, target } => {
            done(place.ask(&Question::Uncordon { target: target.clone() })?, output)
        }
        Verb::Incidents { place } => {
            let view = place.ask(&Question::Explain { target: None })?;
            output.page(&place.ask(&Question::Incidents { subjects: subjects(&view) })?)
        }
        Verb::Availability { mtbf, mttr, n } => output.page(&json!({
            "availability": availability::formula(*mtbf, *mttr, *n),
            "mtbfSeconds": mtbf.as_secs(),
            "mttrSeconds": mttr.as_secs(),
            "clusters": n,
        })),
    }
}

/// Prints a target after a command, and on standard error what else there is to say of that.
fn done(mut target: Value, output: &mut Output) -> Result<(), Error> {
    let note = target.as_object_mut().and_then(|fields| fields.remove(NOTE));
    if let Some(note) = note.as_ref().and_then(Value::as_str) {
        eprintln!("maidenlane: {note}");
    }
    output.page(&target)
}

fn targets(view: &Value) -> impl Iterator<Item = &Value> {
    view.get("targets").and_then(Value::as_array).into_iter().flatten()
}

/// Targets, and the sources that they speak for.
fn subjects(view: &Value) -> Vec<String> {
    let text = |target: &Value, field: &str| target.get(field).and_then(Value::as_str).map(str::to_owned);
    let mut all: Vec<String> = targets(view).filter_map(|target| text(target, "name")).collect();
    let mut sources: Vec<String> = targets(view)
        .filter_map(|target| text(target, "source"))
        .map(|source| format!("source:{source}"))
        .collect();
    sources.sort_unstable();
    sources.dedup();
    all.extend(sources);
    all
}

fn watch(checker: &control::Asked, text: bool, output: &mut Output) -> Result<(), Error> {
    let everything = || checker.ask(&Question::Explain { target: None });
    let mut known = BTreeMap::new();
    let (mut view, mut is_there) = (everything()?, true);
    loop {
        for target in targets(&view) {
            let field = |name: &str| target.get(name).cloned().unwrap_or_default();
            let verdict = field("verdict");
            if known.insert(field("name").to_string(), verdict.clone()) == Some(verdict.clone()) {
                continue;
            }
            match text {
                true => output.line(&told::changed(target))?,
                false => output.json(&json!({
                    "atMs": view.get("atMs"), "target": field("name"), "verdict": verdict, "reasons": field("reasons"),
                }))?,
            }
        }
        std::thread::sleep(LOOK_EVERY);
        // A checker that is started anew is asked again.
        match everything() {
            Ok(now) => (view, is_there) = (now, true),
            Err(error) if std::mem::take(&mut is_there) => eprintln!("{error}; asking again"),
            Err(_) => {}
        }
    }
}

/// Reads a number with a unit.
fn duration(text: &str) -> Result<Duration, String> {
    let units = [("d", 86_400.0), ("h", 3_600.0), ("m", 60.0), ("s", 1.0)];
    let parsed = units.iter().find_map(|(unit, seconds)| {
        let number: f64 = text.strip_suffix(unit)?.parse().ok()?;
        Duration::try_from_secs_f64(number * seconds).ok()
    });
    parsed.ok_or_else(|| format!("expected a number with d, h, m or s, found `{text}`"))
}

/// Reads a time that is not none.
fn longer_than_none(text: &str) -> Result<Duration, String> {
    let time = duration(text)?;
    if time.is_zero() { Err("expected more than nothing".to_owned()) } else { Ok(time) }
}

#[cfg(test)]
mod tests {
    use super::{duration, longer_than_none};
    use std::time::Duration;

    #[test]
    fn durations_have_units() {
        for (text, seconds) in [("45m", 2_700), ("30d", 2_592_000), ("1.5h", 5_400), ("90s", 90)] {
            assert_eq!(duration(text), Ok(Duration::from_secs(seconds)));
        }
        for bad in ["", "45", "m", "-1s", "1e400d", "x h"] {
            duration(bad).unwrap_err();
        }
        longer_than_none("0s").unwrap_err();
        assert_eq!(longer_than_none("1s"), Ok(Duration::from_secs(1)));
    }
}
