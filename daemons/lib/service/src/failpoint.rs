//! Failpoints: named points at which a test can kill or hold a process.
//!
//! `MAIDENLANE_FAILPOINT=name[:nth]` aborts the process when it passes the point for the nth time (default 1).
//! `MAIDENLANE_FAILPOINT=pause:name[:nth]` holds the thread there until the file named by
//! `MAIDENLANE_FAILPOINT_RELEASE` exists, and creates `<that file>.reached` on arrival. Always compiled in, so that
//! what is tested is what runs; without the variable a point costs one load.

use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

struct Armed {
    name: String,
    nth: u64,
    pause: Option<PathBuf>,
    passed: AtomicU64,
}

static ARMED: OnceLock<Option<Armed>> = OnceLock::new();

/// Passes the point `name`.
pub fn failpoint(name: &'static str) {
    if let Some(armed) = ARMED.get_or_init(from_environment)
        && armed.name == name
        && armed.passed.fetch_add(1, Ordering::Relaxed) + 1 == armed.nth
    {
        strike(armed);
    }
}

fn from_environment() -> Option<Armed> {
    parse(&crate::env("MAIDENLANE_FAILPOINT")?, crate::env("MAIDENLANE_FAILPOINT_RELEASE"))
}

fn parse(text: &str, release: Option<String>) -> Option<Armed> {
    let (pause, point) = match text.strip_prefix("pause:") {
        Some(point) => (Some(PathBuf::from(release?)), point),
        None => (None, text),
    };
    let (name, nth) = match point.rsplit_once(':') {
        Some((name, nth)) => (name, nth.parse().ok()?),
        None => (point, 1),
    };
    Some(Armed { name: name.to_owned(), nth, pause, passed: AtomicU64::new(0) })
}

fn strike(armed: &Armed) {
    let Some(release) = &armed.pause else { std::process::abort() };
    if let Err(error) = std::fs::write(release.with_extension("reached"), &armed.name) {
        tracing::error!("failpoint {}: {error}", armed.name);
    }
    while !release.exists() {
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[cfg(test)]
mod tests {
    use super::parse;

    fn check(text: &str, expect: Option<(&str, u64, bool)>) {
        let armed = parse(text, Some("/release".to_owned()));
        assert_eq!(armed.as_ref().map(|a| (a.name.as_str(), a.nth, a.pause.is_some())), expect, "{text}");
    }

    #[test]
    fn the_variable_names_point_count_and_kind() {
        check("tap.before_append", Some(("tap.before_append", 1, false)));
        check("tap.before_append:3", Some(("tap.before_append", 3, false)));
        check("pause:tap.before_append:2", Some(("tap.before_append", 2, true)));
        check("tap.before_append:many", None);
    }
}
