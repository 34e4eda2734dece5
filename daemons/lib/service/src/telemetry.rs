//! The log on stderr: plain lines, with the journal's priority prefix when journald reads them, or JSON.

use crate::{Exit, Failure};
use std::fmt;
use std::io::IsTerminal;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// Parses the filter, which only this crate can judge.
pub(crate) fn filter(text: &str) -> Result<EnvFilter, Failure> {
    EnvFilter::try_new(text)
        .map_err(|error| Failure::new(Exit::Settings, format!("logging.filter `{text}`: {error}")))
}

pub(crate) fn init(filter: EnvFilter, json: bool) -> Result<(), Failure> {
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // Colours in a file are noise.
    let builder = builder.with_ansi(std::io::stderr().is_terminal());
    let done = if json {
        builder.json().try_init()
    } else if crate::env("JOURNAL_STREAM").is_some() {
        builder.event_format(Journal).try_init()
    } else {
        builder.with_target(false).try_init()
    };
    done.map_err(|error| Failure::new(Exit::TaskDied, error))
}

/// An error from before the settings said how to log.
pub(crate) fn refuse(text: &str) {
    let journal = crate::env("JOURNAL_STREAM").is_some();
    for line in text.lines() {
        // journald takes the priority of each line by itself.
        let prefix = if journal { format!("<{}>", priority(Level::ERROR)) } else { String::new() };
        eprintln!("{prefix}{line}");
    }
}

/// `<3>message`: journald keeps time, unit and process itself and reads the priority from the prefix.
struct Journal;

impl<S, N> FormatEvent<S, N> for Journal
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        write!(writer, "<{}>", priority(*event.metadata().level()))?;
        context.field_format().format_fields(writer.by_ref(), event)?;
        writeln!(writer)
    }
}

const fn priority(level: Level) -> u8 {
    match level {
        Level::ERROR => 3,
        Level::WARN => 4,
        Level::INFO => 6,
        _ => 7,
    }
}
