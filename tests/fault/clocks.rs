//! Clocks that jump by an hour, or stand still, under tap and replica, through libfaketime.
//!
//! Only the wall clock is anybody's to set, so the monotonic one is left alone. A replica tells a tap's signs of life by
//! their order, so that it stays fit whatever either clock shows.

use std::{fs, path::Path};

use maidenlane_tests::{daemon::Daemon, install};

use crate::{check_everything, driven::Driven, long};

/// Where Debian keeps it.
const LIBRARY: [&str; 2] = [
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1",
];
const BLOCKS: usize = 2;
/// The day of a clock that stands still.
const FROZEN: &str = "2026-01-01";

/// Time that a clock shows.
#[derive(Debug, Clone, Copy)]
enum Shown {
    Right,
    HourAhead,
    HourBehind,
    Frozen,
}

impl Shown {
    /// As libfaketime reads it.
    fn text(self) -> String {
        match self {
            Self::Right => "+0".to_owned(),
            Self::HourAhead => "+3600s".to_owned(),
            Self::HourBehind => "-3600s".to_owned(),
            Self::Frozen => format!("{FROZEN} 00:00:00"),
        }
    }
}

/// Has the daemon's next start take its time from `file`.
fn tie(daemon: &mut Daemon, library: &str, file: &Path) {
    daemon.environment("LD_PRELOAD", library);
    daemon.environment("FAKETIME_TIMESTAMP_FILE", &file.display().to_string());
    daemon.environment("FAKETIME_NO_CACHE", "1");
    daemon.environment("DONT_FAKE_MONOTONIC", "1");
}

fn set(file: &Path, shown: Shown) {
    // Whole or not at all: it is read at every look at the clock.
    let draft = file.with_extension("new");
    fs::write(&draft, shown.text()).unwrap();
    fs::rename(&draft, file).unwrap();
}

#[test]
fn clocks_that_jump_or_stand_still_lose_nothing() {
    if let Err(failure) = install::ensure(&install::CLOCKS) {
        return println!("not run: {failure}");
    }
    let Some(library) = LIBRARY.into_iter().find(|path| Path::new(path).exists()) else {
        return println!("not run: libfaketime is nowhere below /usr/lib");
    };
    let Some(mut driven) = Driven::new() else { return };
    let clocks = ["tap", "replica"].map(|kind| driven.net.dir().join(format!("{kind}.clock")));
    for (kind, clock) in ["tap", "replica"].into_iter().zip(&clocks) {
        set(clock, Shown::Right);
        tie(driven.daemon(kind), library, clock);
    }
    driven.net.start().unwrap();
    driven.grow(0, BLOCKS);
    driven.followed("with right clocks");
    let jumps =
        [Shown::HourAhead, Shown::Right, Shown::HourBehind, Shown::Right, Shown::Frozen, Shown::Right];
    let turns = if long() { 2 } else { 1 };
    for turn in 0..turns {
        for (kind, clock) in ["tap", "replica"].into_iter().zip(&clocks) {
            for shown in jumps {
                jump(&mut driven, kind, clock, shown, turn);
            }
        }
    }
    for kind in ["tap", "replica"] {
        let log = driven.daemon(kind).log_tail(usize::MAX);
        assert!(log.contains(FROZEN), "the clock of the {kind} stood never still: this tests nothing");
    }
    check_everything(&mut driven.net);
}

/// One clock jumps while blocks come: they must all be followed, also after a start.
fn jump(driven: &mut Driven, kind: &str, clock: &Path, shown: Shown, turn: usize) {
    let what = format!("the clock of the {kind}: {shown:?}, turn {turn}");
    set(clock, shown);
    driven.grow(1, BLOCKS);
    driven.followed(&what);
    // A start under a wrong clock is one more way to meet it.
    driven.daemon(kind).stop().unwrap_or_else(|failure| panic!("{what}: {failure}"));
    driven.daemon(kind).launch().unwrap();
    driven.grow(1, BLOCKS);
    driven.followed(&what);
}
