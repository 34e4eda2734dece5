//! Events of the tap: one closed type, one table to log lines, one to metrics.

use maidenlane_chain::{BlockRef, UnknownFork};
use maidenlane_service::Metrics;
use maidenlane_service::prometheus_client::metrics::counter::Counter;
use maidenlane_service::prometheus_client::metrics::gauge::Gauge;
use maidenlane_service::tracer::{Describe, Line, Tracer};
use tracing::Level;

/// An event of the tap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Connected to the master; following is *resuming* from here.
    Connected {
        /// The feed's head.
        published: Option<BlockRef>,
    },
    /// The master or the log is away; it is tried again.
    Away {
        /// Why.
        reason: String,
    },
    /// An epoch of ours began.
    Opened {
        /// Number of the epoch.
        epoch: u64,
    },
    /// A head change was published.
    Published {
        /// The new head.
        head: BlockRef,
        /// Blocks undone.
        undone: usize,
        /// Blocks added.
        added: usize,
    },
    /// The master stands at or beyond the published head again.
    Resumed,
    /// Trie nodes were published, and durable before their ADVANCE.
    Nodes {
        /// Sets: one per block.
        sets: usize,
        /// Bytes of their entries.
        bytes: usize,
    },
    /// A head was announced whose frames are missing.
    Waiting {
        /// The block without frames.
        missing: BlockRef,
    },
    /// A new feed is to begin at a block that is not final.
    Unfinal {
        /// The block.
        base: BlockRef,
    },
    /// The frames of the head do not come: the hook may hold them.
    Held {
        /// The block without frames.
        missing: BlockRef,
    },
    /// A block without frames took the rows of one with equal state roots.
    Borrowed {
        /// The block.
        block: BlockRef,
    },
    /// The hook lost frames, or a torn tail was skipped. Whether a block is missing shows later.
    SpoolGap {
        /// HOLE frames.
        holes: usize,
        /// Torn tails.
        torn: usize,
    },
    /// A block was checked before it was announced.
    Ahead {
        /// True if nothing speaks against publishing it.
        fit: bool,
    },
    /// Keys of a block were proved by the master.
    Audited {
        /// Number of keys.
        keys: usize,
    },
    /// The master could not prove keys, for example because it no longer has that state.
    Unaudited {
        /// Why.
        reason: String,
    },
    /// Finality moved.
    Finalized {
        /// The finalized number.
        number: u64,
    },
    /// Spool segments were deleted.
    Reclaimed {
        /// Number of segments.
        segments: usize,
    },
    /// The whole pool of the master was read.
    Pool {
        /// Transactions in it.
        transactions: usize,
        /// Executable transactions that had not been announced.
        missed: usize,
        /// Transactions that had left.
        left: usize,
    },
    /// The master's pool is not told; it is tried again.
    PoolAway {
        /// Why.
        reason: String,
    },
    /// The master's chain config names a fork that this build does not implement, and it is near.
    UnknownFork(UnknownFork),
    /// A heartbeat was published.
    Heartbeat,
}

/// Text for a head whose frames do not come, with the cures.
pub(crate) fn held(missing: BlockRef) -> String {
    format!(
        "no frames of block {missing}: if the hook's spool is full, which geth's log says, free space before the hook's memory is full, too; if geth runs without the hook, start it with `--vmtrace maidenlane` and run `maidenlane tap repair`"
    )
}

impl Describe for Event {
    fn line(&self) -> Option<Line> {
        let (level, message) = match self {
            Self::Connected { published: Some(head) } => {
                (Level::INFO, format!("connected to the master; the feed stands at {head}"))
            }
            Self::Connected { published: None } => {
                (Level::INFO, "connected to the master; the feed is empty".to_owned())
            }
            Self::Away { reason } => (Level::WARN, format!("trying again: {reason}")),
            Self::Opened { epoch } => (Level::INFO, format!("opened epoch {epoch}")),
            Self::Published { head, undone: 0, added } => {
                (Level::DEBUG, format!("published {added} to {head}"))
            }
            Self::Published { head, undone, added } => {
                (Level::INFO, format!("reorganised: {undone} undone, {added} added, head {head}"))
            }
            Self::Resumed => (Level::INFO, "the master stands at or beyond the published head".to_owned()),
            Self::Waiting { missing } => (Level::WARN, format!("no frames yet of announced block {missing}")),
            Self::Unfinal { base } => (
                Level::INFO,
                format!("the feed begins at block {base} once the master says that it is final"),
            ),
            Self::Held { missing } => (Level::ERROR, held(*missing)),
            Self::Borrowed { block } => {
                (Level::WARN, format!("block {block} left no frames; took the rows of one with equal roots"))
            }
            Self::SpoolGap { holes, torn } => {
                (Level::WARN, format!("the spool has {holes} new marked holes and {torn} torn tails"))
            }
            Self::Unaudited { reason } => (Level::WARN, format!("keys not audited: {reason}")),
            Self::PoolAway { reason } => (Level::WARN, format!("the master's pool is not told: {reason}")),
            Self::UnknownFork(fork) => (Level::WARN, fork.to_string()),
            Self::Reclaimed { segments } => (Level::DEBUG, format!("deleted {segments} spool segments")),
            Self::Ahead { .. }
            | Self::Audited { .. }
            | Self::Finalized { .. }
            | Self::Nodes { .. }
            | Self::Pool { .. }
            | Self::Heartbeat => {
                return None;
            }
        };
        Some(Line { level, message })
    }
}

fn counter(metrics: &Metrics, name: &'static str, help: &'static str) -> Counter {
    let counter = Counter::<u64>::default();
    metrics.register(|registry| registry.register(name, help, counter.clone()));
    counter
}

fn gauge(metrics: &Metrics, name: &'static str, help: &'static str) -> Gauge {
    let gauge = Gauge::<i64>::default();
    metrics.register(|registry| registry.register(name, help, gauge.clone()));
    gauge
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn many(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

/// A tracer that keeps the metrics.
#[must_use]
pub fn counting(metrics: &Metrics) -> Tracer<Event> {
    counting_feed(metrics).and(&counting_pool(metrics))
}

fn counting_pool(metrics: &Metrics) -> Tracer<Event> {
    let counter = |name, help| counter(metrics, name, help);
    let transactions = gauge(metrics, "pool_transactions", "Transactions in the master's pool");
    let missed = counter(
        "pool_missed",
        "Executable transactions of the pool that were found before they were announced",
    );
    let left = counter("pool_left", "Transactions that left the pool, other than by being replaced");
    let readings = counter("pool_readings", "Readings of the whole pool");
    let away = counter("pool_away", "Failures for which the pool was not told");
    Tracer::new(move |event| match event {
        Event::Pool { transactions: held, missed: new, left: gone } => {
            transactions.set(signed(many(*held)));
            missed.inc_by(many(*new));
            left.inc_by(many(*gone));
            readings.inc();
        }
        Event::PoolAway { .. } => drop(away.inc()),
        _ => {}
    })
}

fn counting_feed(metrics: &Metrics) -> Tracer<Event> {
    let counter = |name, help| counter(metrics, name, help);
    let gauge = |name, help| gauge(metrics, name, help);
    let head = gauge("head_number", "Published head");
    let finalized = gauge("finalized_number", "Published finalized block");
    let epoch = gauge("epoch", "Epoch of the feed that this tap owns");
    let connects = counter("master_connections", "Connections made to the master");
    let away = counter("away", "Failures of master or log that were tried again");
    let added = counter("blocks_advanced", "Blocks published");
    let undone = counter("blocks_undone", "Blocks taken back");
    let borrowed = counter("blocks_borrowed", "Blocks published with the rows of an equal one");
    let sets = counter("node_sets", "Sets of trie nodes published, of one block each");
    let set_bytes = counter("node_set_bytes", "Bytes of the entries that carry them");
    let gaps = counter("spool_gaps", "Marked holes and torn tails in the spool");
    let ahead = counter("blocks_checked_ahead", "Blocks checked before they were announced");
    let audited = counter("keys_audited", "Changed keys proved by the master");
    let unaudited = counter("audits_failed", "Audits that the master could not answer");
    let heartbeats = counter("heartbeats", "Heartbeats published");
    let fork = gauge(
        "unknown_fork_time_seconds",
        "Unix time of the next fork that this build does not implement, from 30 days before it on; 0 without one",
    );
    Tracer::new(move |event| match event {
        Event::Connected { .. } => drop(connects.inc()),
        Event::Away { .. } => drop(away.inc()),
        Event::Opened { epoch: number } => drop(epoch.set(signed(*number))),
        Event::Published { head: block, undone: out, added: new } => {
            head.set(signed(block.number));
            undone.inc_by(many(*out));
            added.inc_by(many(*new));
        }
        Event::Borrowed { .. } => drop(borrowed.inc()),
        Event::Nodes { sets: new, bytes } => {
            sets.inc_by(many(*new));
            set_bytes.inc_by(many(*bytes));
        }
        Event::SpoolGap { holes, torn } => drop(gaps.inc_by(many(*holes).saturating_add(many(*torn)))),
        Event::Ahead { .. } => drop(ahead.inc()),
        Event::Audited { keys } => drop(audited.inc_by(many(*keys))),
        Event::Unaudited { .. } => drop(unaudited.inc()),
        Event::Finalized { number } => drop(finalized.set(signed(*number))),
        Event::Heartbeat => drop(heartbeats.inc()),
        Event::UnknownFork(unknown) => drop(fork.set(signed(unknown.time_s))),
        Event::Resumed
        | Event::Waiting { .. }
        | Event::Held { .. }
        | Event::Unfinal { .. }
        | Event::Pool { .. }
        | Event::PoolAway { .. }
        | Event::Reclaimed { .. } => {}
    })
}
