//! Two taps on one feed, held at every point at which one can overtake the other: one history, one survivor.

use std::{fs, path::PathBuf};

use maidenlane_tests::{daemon::Daemon, failure::Outcome, kafka, scenario::Carrier, wait};

use crate::{
    consensus::{Consensus, PATIENCE},
    long,
};

/// Between reading the tail and the first block published, in the order in which they are passed.
const POINTS: [&str; 8] = [
    "tap.before_tail_read",
    "tap.after_tail_read",
    "tap.before_spool_read",
    "tap.before_open",
    "tap.after_open",
    "tap.before_append",
    "tap.between_undo_and_advance",
    "tap.after_acknowledge",
];
/// From this point on, the undos are in the feed.
const UNDONE: usize = 6;
const DISPLACED: i32 = 78;

/// The second tap's part while the first is held.
#[derive(Debug, Clone, Copy)]
enum Other {
    /// Runs freely.
    Free,
    /// Is held too, and let go before the first.
    HeldAndFirst(&'static str),
    /// Is held too, and let go after the first.
    HeldAndLast(&'static str),
}

/// A tap and the file that lets it go on from where it is held.
struct Held<'a> {
    tap: &'a mut Daemon,
    release: PathBuf,
}

impl<'a> Held<'a> {
    /// Starts `tap` and waits until it has come to `point`.
    fn at(tap: &'a mut Daemon, point: &str) -> Self {
        let release = tap.config().with_extension("release");
        let reached = release.with_extension("reached");
        for file in [&release, &reached] {
            let _absent = fs::remove_file(file);
        }
        tap.environment("MAIDENLANE_FAILPOINT", &format!("pause:{point}"));
        tap.environment("MAIDENLANE_FAILPOINT_RELEASE", release.to_str().unwrap());
        tap.launch().unwrap();
        wait::until(&format!("a tap at {point}"), PATIENCE, || {
            if reached.exists() { Ok(()) } else { Err(tap.log_tail(5)) }
        })
        .unwrap();
        Self { tap, release }
    }

    /// Lets it go on.
    fn release(self) -> &'a mut Daemon {
        fs::write(&self.release, "").unwrap();
        self.tap
    }
}

/// True while the process runs.
fn runs(tap: &mut Daemon) -> bool {
    tap.process().is_some_and(|process| process.ended().is_none())
}

fn free(tap: &mut Daemon) -> Outcome<()> {
    tap.environment("MAIDENLANE_FAILPOINT", "");
    tap.launch()
}

/// One round with a head change to publish: both taps start, one of them is displaced and says so, the other goes on.
fn round(consensus: &mut Consensus, second: &mut Daemon, heads: [&str; 2], point: &str, other: Other) {
    consensus.choose(heads[0]);
    let first = Held::at(consensus.net.tap(), point);
    match other {
        Other::Free => {
            free(second).unwrap();
            second.ready(PATIENCE).unwrap();
            first.release();
        }
        Other::HeldAndFirst(point) => {
            Held::at(second, point).release();
            first.release();
        }
        Other::HeldAndLast(point) => {
            let second = Held::at(second, point);
            first.release();
            second.release();
        }
    }
    let context = || format!("{point}, {other:?}");
    let loser = wait::until("one tap to be displaced", PATIENCE, || {
        match (runs(consensus.net.tap()), runs(second)) {
            (true, true) => Err("both run".to_owned()),
            (first, second) => Ok((first, second)),
        }
    });
    let loser =
        loser.unwrap_or_else(|failure| panic!("{}: {failure}\n{}", context(), consensus.net.last_words()));
    assert_ne!(loser, (false, false), "{}: none survived\n{}", context(), consensus.net.last_words());
    let displaced = if loser.0 { &mut *second } else { consensus.net.tap() };
    let (status, said) = (displaced.wait(PATIENCE).unwrap(), displaced.log_tail(3));
    assert_eq!(status.code(), Some(DISPLACED), "{}: {said}", context());
    assert!(said.contains("belongs to another tap; run one tap per feed"), "{}: {said}", context());
    consensus.followed();
    consensus.choose(heads[1]);
    consensus.followed();
    for tap in [consensus.net.tap(), second] {
        tap.kill();
    }
}

/// Points with the second tap's part at each: in the suite two of three at each, in the long run all pairs of points.
fn rounds() -> Vec<(&'static str, Other)> {
    let mut rounds = Vec::new();
    for (index, point) in POINTS.into_iter().enumerate() {
        rounds.push((point, Other::Free));
        // A second tap finds nothing to undo when the first has done it.
        let undone = index >= UNDONE;
        let others = POINTS.into_iter().enumerate().filter(|(other, _)| *other != UNDONE || !undone);
        let same = if undone { "tap.before_append" } else { point };
        if long() {
            let both = others.flat_map(|(_, other)| [Other::HeldAndFirst(other), Other::HeldAndLast(other)]);
            rounds.extend(both.map(|other| (point, other)));
        } else {
            let both = [Other::HeldAndFirst(same), Other::HeldAndLast(same)];
            rounds.extend(both.get(index % 2).map(|other| (point, *other)));
        }
    }
    rounds
}

/// Starts two taps on the chain's feed, again and again.
fn survive(consensus: &mut Consensus, rounds: &[(&str, Other)]) {
    let base = consensus.head();
    let one = consensus.branch(&base, 2, 1);
    consensus.followed();
    let two = consensus.branch(&base, 2, 2);
    consensus.followed();
    consensus.net.tap().kill();
    let mut second = consensus.net.another_tap().unwrap();
    for (point, other) in rounds {
        round(consensus, &mut second, [&one, &two], point, *other);
    }
    free(consensus.net.tap()).unwrap();
}

#[test]
fn of_two_taps_on_one_feed_one_survives() {
    let Some(mut consensus) = Consensus::new(Carrier::Segment) else { return };
    survive(&mut consensus, &rounds());
    consensus.end();
}

/// A branch is switched to and back over Kafka too, by one tap and by two.
#[test]
fn of_two_taps_over_kafka_one_survives() {
    if let Some(missing) = kafka::missing() {
        return println!("not run: no {missing}");
    }
    let Some(mut consensus) = Consensus::new(Carrier::Kafka) else { return };
    let base = consensus.head();
    let one = consensus.branch(&base, 8, 1);
    consensus.followed();
    consensus.net.tap().kill();
    let two = consensus.branch(&base, 8, 2);
    consensus.net.tap().start().unwrap();
    for head in [&two, &one, &base, &two] {
        consensus.choose(head);
        consensus.followed();
    }
    let rounds = [
        ("tap.after_tail_read", Other::Free),
        ("tap.before_open", Other::HeldAndLast("tap.before_open")),
        ("tap.after_open", Other::HeldAndFirst("tap.after_open")),
        ("tap.between_undo_and_advance", Other::Free),
    ];
    survive(&mut consensus, &rounds);
    consensus.end();
}
