//! The part of a failed command's output that says why it failed.

/// At most this many lines of one command; the log has the rest.
const MOST_LINES: usize = 80;
/// Of a command that names no failed test (it did not build, it crashed), its last lines.
const LAST_LINES: usize = 40;

/// The lines that explain why the command with this output failed: what failed tests printed, without backtraces.
pub(super) fn of(output: &str) -> Vec<String> {
    let (mut found, mut inside, mut trace) = (Vec::new(), false, false);
    for line in output.lines() {
        match line {
            "failures:" => inside = true,
            _ if line.starts_with("test result: ") => inside = false,
            "stack backtrace:" => trace = true,
            _ => trace = trace && line.starts_with(' '),
        }
        if inside && !trace {
            found.push(line.to_owned());
        }
    }
    if found.is_empty() {
        let lines: Vec<&str> = output.lines().collect();
        let last = lines.get(lines.len().saturating_sub(LAST_LINES)..).unwrap_or_default();
        return last.iter().map(|line| (*line).to_owned()).collect();
    }
    found.truncate(MOST_LINES);
    found
}

#[cfg(test)]
mod tests {
    fn check(output: &str, expect: &[&str]) {
        assert_eq!(super::of(output), expect);
    }

    #[test]
    fn failed_tests_are_told_wherever_they_stand() {
        let output = "test a ... FAILED\n\nsuccesses:\n    b\n\nfailures:\n\n---- a stdout ----\npanicked\nstack backtrace:\n   \
                      0: x\n             at y\nnote: z\n\nfailures:\n    a\n\ntest result: FAILED. 1 passed; 1 failed\n\
                      successes:\n    c\ntest result: ok. 1 passed";
        check(
            output,
            &["failures:", "", "---- a stdout ----", "panicked", "note: z", "", "failures:", "    a", ""],
        );
    }

    #[test]
    fn without_a_failed_test_the_end_is_told() {
        let output: String = (0..50).map(|line| format!("{line}\n")).collect();
        assert_eq!(super::of(&output).first().unwrap(), "10");
        check("error: could not compile", &["error: could not compile"]);
    }
}
