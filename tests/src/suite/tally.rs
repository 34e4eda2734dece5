//! Counting what ran, from the words of cargo's test runner.

use std::fmt;

use super::excerpt;

/// Passes, failures, and what could not run with the reasons.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) passed: usize,
    pub(super) failed: usize,
    pub(super) skipped: usize,
    pub(super) reasons: Vec<String>,
    /// Excerpts of failed commands' output.
    pub(super) excerpt: Vec<String>,
}

impl Tally {
    /// Counts the tests in a command's output. A command without tests counts as one check; one that failed without
    /// a failed test (it did not build, it crashed) as one failure.
    pub(super) fn read(output: &str, succeeded: bool) -> Self {
        let mut tally = Self::default();
        let mut results = 0;
        for line in output.lines() {
            if let Some(reason) = line.trim_start().strip_prefix("not run: ") {
                tally.skip(reason.to_owned());
            } else if let Some(counts) = line.strip_prefix("test result: ") {
                results += 1;
                tally.passed += count(counts, " passed");
                tally.failed += count(counts, " failed");
                tally.skipped += count(counts, " ignored");
            }
        }
        // A test that could not run has returned early and was counted as passed.
        tally.passed = tally.passed.saturating_sub(tally.reasons.len());
        match (succeeded, results, tally.failed) {
            (true, 0, _) => tally.passed += 1,
            (false, _, 0) => tally.failed += 1,
            _ => {}
        }
        if !succeeded {
            tally.excerpt = excerpt::of(output);
        }
        tally
    }

    pub(super) fn skip(&mut self, reason: String) {
        self.skipped += 1;
        self.reasons.push(reason);
    }

    /// Reasons, each with the number of tests that gave it, in the order in which they came first.
    pub(super) fn counted_reasons(&self) -> Vec<(&str, usize)> {
        let mut counted: Vec<(&str, usize)> = Vec::new();
        for reason in &self.reasons {
            match counted.iter_mut().find(|(known, _)| known == reason) {
                Some((_, count)) => *count += 1,
                None => counted.push((reason, 1)),
            }
        }
        counted
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
        self.reasons.extend_from_slice(&other.reasons);
        self.excerpt.extend_from_slice(&other.excerpt);
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped)
    }
}

/// The number in front of `word` in `ok. 3 passed; 0 failed; …`.
fn count(text: &str, word: &str) -> usize {
    let before = text.split_once(word).map_or("", |(before, _)| before);
    before.rsplit(' ').next().and_then(|number| number.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(output: &str, succeeded: bool, expect: &str) {
        assert_eq!(Tally::read(output, succeeded).to_string(), expect);
    }

    #[test]
    fn counts_what_the_runner_says() {
        let two = "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 2 filtered out; finished in 0.1s\n\
                   test result: FAILED. 10 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out";
        check(two, false, "13 passed, 2 failed, 1 skipped");
        check("", true, "1 passed, 0 failed, 0 skipped");
        check("error: could not compile", false, "0 passed, 1 failed, 0 skipped");
        check("test result: ok. 3 passed; 0 failed; 0 ignored", false, "3 passed, 1 failed, 0 skipped");
    }

    #[test]
    fn a_reason_is_told_once() {
        let output =
            "not run: no broker\nnot run: no geth\nnot run: no broker\ntest result: ok. 3 passed; 0 failed";
        let tally = Tally::read(output, true);
        assert_eq!(tally.counted_reasons(), [("no broker", 2), ("no geth", 1)]);
    }

    #[test]
    fn a_test_that_could_not_run_is_no_pass() {
        check(
            "not run: no broker\ntest result: ok. 3 passed; 0 failed; 0 ignored",
            true,
            "2 passed, 0 failed, 1 skipped",
        );
    }
}
