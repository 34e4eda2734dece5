//! Errors of settings: all problems of a file, reported at once.

use std::fmt;
use std::path::PathBuf;

/// One problem of a settings file, with the dotted path of the field.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// `rpc.bodyMax_bytes`; empty for the file as a whole.
    pub path: String,
    /// The problem, and the cure.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() {
            f.write_str(&self.message)
        } else {
            write!(f, "{}: {}", self.path, self.message)
        }
    }
}

/// A settings file that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Error {
    /// The file as it was named.
    pub file: PathBuf,
    /// All problems of the file.
    pub problems: Vec<Problem>,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "settings {} cannot be used:", self.file.display())?;
        for problem in &self.problems {
            write!(f, "\n  {problem}")?;
        }
        Ok(())
    }
}

/// Collects problems while raw settings are validated.
#[derive(Debug, Default)]
pub struct Checker {
    path: Vec<String>,
    problems: Vec<Problem>,
    doubts: Vec<Problem>,
}

impl Checker {
    /// Notes that `field` is wrong.
    pub fn wrong(&mut self, field: &str, message: impl fmt::Display) {
        let problem = self.problem(field, message);
        self.problems.push(problem);
    }

    /// Notes that `field` works as it is, and most likely is not meant so: a warning for whoever checks or starts.
    pub fn doubt(&mut self, field: &str, message: impl fmt::Display) {
        let problem = self.problem(field, message);
        self.doubts.push(problem);
    }

    fn problem(&self, field: &str, message: impl fmt::Display) -> Problem {
        let path = self.path.iter().map(String::as_str).chain([field]).collect::<Vec<_>>().join(".");
        Problem { path, message: message.to_string() }
    }

    /// `Some` if `result` is fine, else notes the error for `field`.
    pub fn take<T, E: fmt::Display>(&mut self, field: &str, result: Result<T, E>) -> Option<T> {
        result.map_err(|error| self.wrong(field, error)).ok()
    }

    /// A number within `range`, narrowed to the type that holds it.
    pub fn within<T: TryFrom<u64>>(
        &mut self,
        field: &str,
        value: u64,
        range: std::ops::RangeInclusive<u64>,
    ) -> Option<T> {
        if !range.contains(&value) {
            self.wrong(field, format_args!("expected {} to {}, found {value}", range.start(), range.end()));
            return None;
        }
        T::try_from(value).ok()
    }

    /// Validates a part whose paths start with `field`.
    pub fn inside<T>(&mut self, field: &str, validate: impl FnOnce(&mut Self) -> T) -> T {
        self.path.push(field.to_owned());
        let value = validate(self);
        self.path.pop();
        value
    }

    /// Problems, and doubts.
    #[must_use]
    pub fn finish(self) -> (Vec<Problem>, Vec<Problem>) {
        (self.problems, self.doubts)
    }
}
