//! Exit codes, and the failure that chooses one.

use std::error::Error;
use std::fmt;
use std::process::ExitCode;

/// Reason why the process ends, as its exit code. 65 and 78 need a person, so units do not restart on them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// 65: hole, corruption, wrong chain.
    Data,
    /// 70: a task ended that must not.
    TaskDied,
    /// 75: gave up on a dependency; a restart may help.
    GaveUp,
    /// 78: settings are wrong, or another instance took over.
    Settings,
}

impl Exit {
    /// Number that the operating system sees.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Data => 65,
            Self::TaskDied => 70,
            Self::GaveUp => 75,
            Self::Settings => 78,
        }
    }

    /// Exit code of that number; of any other, a restart may help.
    #[must_use]
    pub fn of_number(number: u8) -> Self {
        let all = [Self::Data, Self::TaskDied, Self::Settings];
        all.into_iter().find(|exit| exit.number() == number).unwrap_or(Self::GaveUp)
    }

    /// Exit code for a file that cannot be used: settings if it is not there or not ours, and one that may pass if it is
    /// the disk's.
    #[must_use]
    pub const fn of_file(error: std::io::ErrorKind) -> Self {
        if maidenlane_log::is_misplaced(error) { Self::Settings } else { Self::GaveUp }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.number())
    }
}

/// A fatal error together with the exit code it deserves. Logged once, by [`crate::main`].
#[derive(Debug)]
pub struct Failure {
    /// Exit code.
    pub exit: Exit,
    /// True if nothing can be drained after it.
    pub(crate) at_once: bool,
    source: Box<dyn Error + Send + Sync>,
}

impl Failure {
    /// Failure of `what` with a file, as [`Exit::of_file`] has it.
    pub fn file(what: impl std::fmt::Display, error: &std::io::Error) -> Self {
        Self::new(Exit::of_file(error.kind()), format!("{what}: {error}"))
    }

    /// A failure that ends the process with `exit`.
    pub fn new(exit: Exit, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { exit, at_once: false, source: source.into() }
    }

    /// Marks the failure as one after which no task can end in order.
    pub(crate) fn at_once(self) -> Self {
        Self { at_once: true, ..self }
    }

    /// Adds the name of the task that failed.
    pub(crate) fn in_task(self, name: &str) -> Self {
        Self { source: format!("task {name}: {self}").into(), ..self }
    }
}

/// Text of an error and all its causes, separated by colons; what an error has already said of its cause is said once.
#[must_use]
pub fn with_causes(error: &dyn Error) -> String {
    let causes = std::iter::successors(error.source(), |&cause| cause.source());
    causes.map(ToString::to_string).fold(error.to_string(), |text, cause| {
        if text.contains(&cause) { text } else { format!("{text}: {cause}") }
    })
}

impl fmt::Display for Failure {
    /// Text of the error by [`with_causes`].
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&with_causes(&*self.source))
    }
}

impl Error for Failure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.source()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Layer(&'static str, Option<Box<Layer>>);

    impl fmt::Display for Layer {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }
    }

    impl Error for Layer {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            self.1.as_deref().map(|cause| cause as _)
        }
    }

    #[test]
    fn every_cause_is_told_once() {
        let chain = || {
            Layer(
                "no log",
                Some(Box::new(Layer("no socket: refused", Some(Box::new(Layer("refused", None)))))),
            )
        };
        let failure = Failure::new(Exit::GaveUp, chain());
        assert_eq!(failure.to_string(), "no log: no socket: refused");
        assert_eq!(Failure::new(Exit::GaveUp, failure).to_string(), "no log: no socket: refused");
    }
}
