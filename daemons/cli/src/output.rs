//! Where results go: standard output.

use std::io::{self, IsTerminal as _, Write};

use serde_json::Value;

use crate::error::Error;

/// Takes result lines.
pub(crate) struct Output(io::StdoutLock<'static>);

impl Output {
    pub(crate) fn stdout() -> Self {
        Self(io::stdout().lock())
    }

    /// One line, flushed: whoever follows a tail wants it now.
    pub(crate) fn line(&mut self, text: &str) -> Result<(), Error> {
        writeln!(self.0, "{text}").and_then(|()| self.0.flush()).map_err(Error::Output)
    }

    /// One line of JSON.
    pub(crate) fn json(&mut self, value: &Value) -> Result<(), Error> {
        self.line(&value.to_string())
    }

    /// True if a person reads it at a terminal.
    pub(crate) fn is_terminal(&self) -> bool {
        self.0.is_terminal()
    }

    /// JSON for whoever asked: in lines for a person at a terminal, else in one.
    pub(crate) fn page(&mut self, value: &Value) -> Result<(), Error> {
        if self.is_terminal() { self.line(&format!("{value:#}")) } else { self.json(value) }
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}
