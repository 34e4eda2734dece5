//! Telemetry on stderr: plain log lines, with the journal's priority prefix when journald reads them, or JSON.

use crate::{Exit, Failure};
use std::fmt;
use std::io::IsTerminal;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, reload};

/// Handle that replaces the log's filter while it is in use.
pub(crate) struct Filter(Box<dyn Fn(EnvFilter) -> Result<(), reload::Error> + Send + Sync>);

impl Filter {
    pub(crate) fn set(&self, text: &str) -> Result<(), String> {
        let filter = EnvFilter::try_new(text).map_err(|error| format!("logging.filter: {error}"))?;
        (self.0)(filter).map_err(|error| format!("logging.filter: {error}"))
    }
}

pub(crate) fn init(filter: &str, json: bool) -> Result<Filter, Failure> {
    let filter = EnvFilter::try_new(filter).map_err(|error| Failure::new(Exit::Settings, error))?;
    let (filter, handle) = reload::Layer::new(filter);
    // Colours in a file are noise.
    let layer = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    let registry = tracing_subscriber::registry().with(filter);
    let done = if json {
        registry.with(layer.json()).try_init()
    } else if crate::env("JOURNAL_STREAM").is_some() {
        registry.with(layer.event_format(Journal)).try_init()
    } else {
        registry.with(layer.with_target(false)).try_init()
    };
    done.map_err(|error| Failure::new(Exit::TaskDied, error))?;
    Ok(Filter(Box::new(move |filter| handle.reload(filter))))
}

/// Reports an error from before the settings said how to log.
pub(crate) fn refuse(text: &str) {
    let journal = crate::env("JOURNAL_STREAM").is_some();
    for line in text.lines() {
        // journald takes the priority of each line by itself.
        let prefix = if journal { format!("<{}>", priority(Level::ERROR)) } else { String::new() };
        eprintln!("{prefix}{line}");
    }
}

/// Log format `<3>message`: journald keeps time, unit and process itself and reads the priority from the prefix.
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
        let mut text = String::new();
        context.field_format().format_fields(Writer::new(&mut text), event)?;
        // journald takes the priority of each line by itself.
        for line in text.lines() {
            writeln!(writer, "<{}>{line}", priority(*event.metadata().level()))?;
        }
        Ok(())
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
