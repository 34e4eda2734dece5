//! A disk that refuses many calls of one run of the network: the Nth, with N all over the run.
//!
//! A run is cut into parts, and in each of them one call at a random place is refused. Who was refused has gone on, or was
//! started again, and has the head before the next part begins.

use std::fs::{self, File};

use fastrand::Rng;
use maidenlane_tests::settings;

use crate::{
    check_everything,
    disk::{Call, Disk, Refusal},
    driven::Driven,
    long,
    rig::{Disks, Place},
};

const SEED: u64 = 0x7275_6e21;
/// Blocks of a run.
const BLOCKS: usize = 200;
/// Parts of a run that refuses calls of one kind, under `--long`. In the suite one run has a part for each kind.
const PARTS: usize = 50;
/// Blocks after which the hook syncs those that are old, as these are: a part has so many, and its run is longer.
const SYNCED_BLOCKS: usize = 33;
/// Blocks that a part replaces.
const REPLACED: usize = 1;
/// Segments of the log: a block or two, so that new ones are made all along.
const SEGMENT_BYTES: usize = 3_000;

/// Moments at which calls of a kind are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum When {
    /// With every block or so.
    Always,
    /// At a start alone: there is one in every part.
    Starts,
    /// After a sync that failed, which therefore comes first.
    AfterSync,
}

/// Calls of one kind.
#[derive(Debug, Clone, Copy)]
struct Kind {
    call: Call,
    refusal: Refusal,
    when: When,
}

/// A run on a disk of its own.
struct Run {
    driven: Driven,
    disks: Disks,
    place: Place,
    rng: Rng,
}

impl Run {
    fn begin(place: Place) -> Option<Self> {
        let disks = Disks::mount()?;
        let mut driven = Driven::build(|plan| disks.build(plan))?;
        let topic = driven.net.dir().join("log").join(settings::topic()).join("topic");
        let text = fs::read_to_string(&topic).unwrap();
        let small = text.lines().map(|line| match line.split_once(' ') {
            Some((name @ "segment_max_bytes", _)) => format!("{name} {SEGMENT_BYTES}\n"),
            _ => format!("{line}\n"),
        });
        fs::write(&topic, small.collect::<String>()).and_then(|()| File::open(&topic)?.sync_all()).unwrap();
        driven.net.start().unwrap();
        driven.grow(0, 2);
        driven.followed("the beginning");
        Some(Self { driven, disks, place, rng: Rng::with_seed(SEED) })
    }

    /// Makes the blocks of a part, while `refuse` has the disk refuse something; with a start among them if only starts
    /// make such calls.
    fn blocks(&mut self, what: &str, kind: Kind, blocks: usize, refuse: impl FnOnce(&Disk)) {
        let daemon = self.place.daemon().filter(|_| kind.when == When::Starts);
        if let Some(daemon) = daemon {
            self.driven.daemon(daemon).stop().unwrap_or_else(|failure| panic!("before {what}: {failure}"));
        }
        refuse(self.disks.of(self.place));
        if let Some(daemon) = daemon {
            self.driven.daemon(daemon).launch().unwrap();
        }
        self.driven.grow(REPLACED, blocks);
        if self.place.daemon().is_some() {
            self.driven.followed(what);
        }
    }

    /// One part. True if a call was refused in it.
    fn part(&mut self, kind: Kind, calls: u64, blocks: usize) -> bool {
        let passed = self.rng.u64(..calls.max(1));
        let what = format!("{:?}: {kind:?} after {passed} others", self.place);
        self.blocks(&what, kind, blocks, |disk| {
            let first = if kind.when == When::AfterSync { Call::Sync } else { kind.call };
            disk.refuse(first, passed, if first == kind.call { kind.refusal } else { Refusal::Broken });
            // Refused what it reads ahead, the kernel asks once more before it tells anybody.
            if first != kind.call || first == Call::Read {
                disk.refuse(kind.call, 0, kind.refusal);
            }
        });
        let met = self.disks.of(self.place).heal();
        if self.place.daemon().is_none() {
            // What the disk refused geth is written with the next block.
            self.driven.grow(0, 1);
            self.driven.followed(&what);
        }
        met
    }

    /// Calls that a part makes when nothing is refused.
    fn usual(&mut self, kind: Kind, blocks: usize) -> u64 {
        let counted = if kind.when == When::AfterSync { Call::Sync } else { kind.call };
        let mut before = 0;
        self.blocks("what is usual", kind, blocks, |disk| before = disk.made(counted));
        self.driven.followed("what is usual");
        self.disks.of(self.place).made(counted) - before
    }

    /// Power goes after all of it. What was taken for done is still there.
    fn cut(&mut self, kind: Kind) {
        if self.place.daemon().is_none() {
            return;
        }
        self.driven.net.tap().kill();
        self.driven.daemon("replica").kill();
        self.disks.cut(&[self.place], &mut self.rng);
        self.driven.net.tap().launch().unwrap();
        self.driven.daemon("replica").launch().unwrap();
        self.driven.followed(&format!("{:?}: a power cut after {kind:?}", self.place));
    }
}

/// Runs the network with refusals of all these calls.
fn refuse(place: Place, calls: &[(Call, When)]) {
    let Some(mut run) = Run::begin(place) else { return };
    let both = |(call, when): &(Call, When)| {
        [Refusal::Broken, Refusal::Full].map(|refusal| Kind { call: *call, refusal, when: *when })
    };
    let kinds: Vec<Kind> = calls.iter().flat_map(both).collect();
    let parts = if long() { PARTS } else { 1 };
    let blocks = match place {
        Place::Spool => SYNCED_BLOCKS,
        _ if long() => BLOCKS / PARTS,
        _ => BLOCKS / kinds.len(),
    };
    let (mut all, first) = (0, run.driven.daemon("tap").process().unwrap().id());
    for kind in &kinds {
        let calls = run.usual(*kind, blocks);
        let met = (0..parts).filter(|_| run.part(*kind, calls, blocks)).count();
        println!(
            "{place:?} {:?} {:?}: {met} of {parts} refused, of {calls} in {blocks} blocks",
            kind.call, kind.refusal
        );
        run.cut(*kind);
        all += met;
    }
    if place.daemon().is_none() {
        let last = run.driven.daemon("tap").process().unwrap().id();
        assert_eq!(first, last, "the tap was started again for what its geth's disk refused");
    }
    assert!(all * 2 > parts * kinds.len(), "{place:?}: only {all} calls were refused");
    check_everything(&mut run.driven.net);
}

#[test]
fn a_tap_goes_on_whatever_the_disk_of_the_log_refuses_in_a_long_run() {
    let calls = [Call::Write, Call::Sync, Call::Rename, Call::Create];
    refuse(Place::Log, &calls.map(|call| (call, When::Always)));
}

#[test]
fn a_replica_goes_on_whatever_its_disk_refuses_in_a_long_run() {
    let at_starts = [Call::Sync, Call::Rename, Call::Create].map(|call| (call, When::Starts));
    refuse(Place::Replica, &[&[(Call::Write, When::Always)], at_starts.as_slice()].concat());
}

#[test]
fn no_block_is_lost_whatever_the_disk_of_the_spool_refuses_in_a_long_run() {
    // The tap reads there what geth writes.
    let always = [Call::Write, Call::Sync, Call::Read].map(|call| (call, When::Always));
    refuse(Place::Spool, &[always.as_slice(), &[(Call::Create, When::AfterSync)]].concat());
}
