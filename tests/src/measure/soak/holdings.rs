//! Holdings of each daemon under load: memory, descriptors, threads, disk. How fast they may grow stands here.

use std::{
    fmt, fs,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use super::slope::{Bound, Sample, settled, slope};
use crate::{
    daemon::Daemon,
    failure::{Doing, Failure, Outcome},
    interrupt::Interrupt,
    measure::load::Server,
    rpc::Client,
    scenario::Net,
};

/// Readings of a run, however long it is: all pairs of them are looked at.
const SAMPLES: u32 = 600;
const PERIOD_MIN: Duration = Duration::from_secs(1);

/// Names and units of what is held, in the order of [`Watched::bounds`].
const KINDS: [(&str, &str); 4] =
    [("resident", "MB/hour"), ("descriptors", "/hour"), ("threads", "/hour"), ("disk", "kB/block")];

/// One daemon to watch: a name, its process, the paths below the network's directory that it fills or empties, and how
/// fast each kind may grow.
struct Watched {
    name: &'static str,
    daemon: fn(&mut Net) -> Outcome<&mut Daemon>,
    paths: &'static [&'static str],
    bounds: [Bound; 4],
}

const fn at_most(slope_max: f64, noise: f64) -> Bound {
    Bound { slope_max, noise }
}

/// Every daemon that there is. Disk is of blocks with 250 transactions; the spool is geth's to fill and the tap's to empty.
static DAEMONS: [Watched; 2] = [
    Watched {
        name: "tap",
        daemon: |net| Ok(net.tap()),
        paths: &["tap", "log", "geth/spool"],
        bounds: [at_most(10.0, 32.0), at_most(1.0, 8.0), at_most(1.0, 4.0), at_most(600.0, 1_000.0)],
    },
    Watched {
        name: "replica",
        daemon: |net| net.replica_daemon(0),
        paths: &["replica-0"],
        bounds: [at_most(40.0, 128.0), at_most(10.0, 64.0), at_most(1.0, 16.0), at_most(400.0, 150_000.0)],
    },
];

/// One daemon's readings, by kind.
struct Holdings {
    watched: &'static Watched,
    server: Server,
    paths: Vec<PathBuf>,
    samples: [Vec<Sample>; 4],
}

/// All daemons' readings.
pub(super) struct Ledger {
    replica: Client,
    all: Vec<Holdings>,
}

impl Ledger {
    /// Finds the processes.
    pub(super) fn open(net: &mut Net) -> Outcome<Self> {
        let mut all = Vec::new();
        for watched in &DAEMONS {
            let process = (watched.daemon)(net)?.process();
            let pid = process.ok_or_else(|| Failure::new(format!("{} is gone", watched.name)))?.id();
            let paths = watched.paths.iter().map(|path| net.dir().join(path)).collect();
            let server = Server { address: String::new(), pid };
            all.push(Holdings { watched, server, paths, samples: Default::default() });
        }
        Ok(Self { replica: net.replica(0)?, all })
    }

    /// Takes readings over a run of so many minutes, until `over`.
    pub(super) fn watch(&mut self, minutes: u32, over: &Interrupt) -> Outcome<()> {
        let period = (Duration::from_secs(60) * minutes / SAMPLES).max(PERIOD_MIN);
        let (begun, mut turn) = (Instant::now(), 0);
        while !over.raised() {
            let hours = begun.elapsed().as_secs_f64() / 3_600.0;
            let block = number(self.replica.block_number()?);
            for holdings in &mut self.all {
                holdings.read(hours, block)?;
            }
            turn += 1;
            // A pace, in steps that an end does not wait for.
            while !over.raised() && begun.elapsed() < period * turn {
                thread::sleep(PERIOD_MIN / 10);
            }
        }
        Ok(())
    }

    /// Prints the slopes. False if one is beyond its bound.
    pub(super) fn tell(&self) -> bool {
        println!("  growth in the later half of the run, and the most that is allowed beyond noise:");
        let mut is_fine = true;
        for growth in self.all.iter().flat_map(Holdings::growth) {
            println!("  {growth}");
            is_fine &= !growth.is_exceeded;
        }
        is_fine
    }
}

impl Holdings {
    fn read(&mut self, hours: f64, block: f64) -> Outcome<()> {
        let fds = format!("/proc/{}/fd", self.server.pid);
        let descriptors = fs::read_dir(&fds).doing(|| format!("read {fds}"))?.count();
        let values = [
            (hours, number(self.server.resident_kb()?) / 1_024.0),
            (hours, number(u64::try_from(descriptors).unwrap_or(u64::MAX))),
            (hours, number(self.server.threads()?)),
            (block, number(self.paths.iter().map(|path| bytes_below(path)).sum()) / 1_000.0),
        ];
        for (samples, value) in self.samples.iter_mut().zip(values) {
            samples.push(value);
        }
        Ok(())
    }

    fn growth(&self) -> impl Iterator<Item = Growth<'_>> {
        let kinds = self.samples.iter().zip(self.watched.bounds).zip(KINDS);
        kinds.map(|((samples, bound), (kind, unit))| {
            let samples = settled(samples);
            let last = samples.last().map_or(0.0, |(_, value)| *value);
            let (slope, is_exceeded) = (slope(samples), bound.is_exceeded(samples));
            Growth { daemon: self.watched.name, kind, unit, last, slope, bound, is_exceeded }
        })
    }
}

/// Growth of one kind in one daemon.
struct Growth<'a> {
    daemon: &'a str,
    kind: &'a str,
    unit: &'a str,
    last: f64,
    slope: Option<f64>,
    bound: Bound,
    is_exceeded: bool,
}

impl fmt::Display for Growth<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { daemon, kind, unit, last, slope, bound, is_exceeded } = self;
        let Bound { slope_max, noise } = bound;
        let slope =
            slope.map_or_else(|| "unknown: too few readings".to_owned(), |slope| format!("{slope:.1}"));
        let verdict = if *is_exceeded { "  GROWS TOO FAST" } else { "" };
        write!(
            f,
            "{daemon:<8} {kind:<11} {last:>9.0} in the end, {slope:>8} {unit} (at most {slope_max}, noise {noise}){verdict}"
        )
    }
}

/// Bytes of all files below a path; those that go meanwhile count as none.
fn bytes_below(path: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(path) else { return fs::metadata(path).map_or(0, |file| file.len()) };
    entries.flatten().map(|entry| bytes_below(&entry.path())).sum()
}

#[expect(clippy::cast_precision_loss, reason = "sizes and counts, far below 2^52")]
const fn number(value: u64) -> f64 {
    value as f64
}
