//! A feed, read from its log as replicas read it: its head, and whether its master lives.

use crate::observe::{Asks, Seen, Tip};
use maidenlane_chain::{B256, BlockRef};
use maidenlane_config::feed::Feed;
use maidenlane_feed::{Reader, Scanner, Whole};
use maidenlane_log::{Backend, Offset};
use maidenlane_service::{Exit, Failure, Shutdown, TaskGroup, with_causes};
use maidenlane_wire::{Outline, Record};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Entries before the end that are read at the start, to know the head: some minutes of heartbeats.
const BACK: u64 = 4_096;
/// Hashes that are kept: more than targets are ever asked to compare.
const KEPT_MAX: usize = 256;
/// Bytes that are read at a time.
const READ_BYTES: usize = 4 << 20;
/// Time that one read waits for news.
const READ_WAIT: Duration = Duration::from_millis(200);
/// Interval of attempts to read a log that is away.
const AGAIN: Duration = Duration::from_secs(1);
/// Interval at which a waiting thread looks for the shutdown.
const NAP: Duration = Duration::from_millis(50);

/// Ear at a feed: what was heard of it.
#[derive(Debug, Default)]
pub(super) struct Heard(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    head: Option<BlockRef>,
    finalized: Option<u64>,
    /// Hashes of its newest blocks.
    blocks: BTreeMap<u64, B256>,
    /// Moment of the last sign of life that came while it was listened to.
    alive: Option<Instant>,
    /// Reason why nothing is read.
    obstacle: Option<String>,
    /// Moment of the first look.
    began: Option<Instant>,
}

/// Starts to listen.
///
/// # Errors
/// A secret of the settings cannot be read, or the machine gives no thread.
pub(super) fn start(name: &str, feed: &Feed, tasks: &TaskGroup) -> Result<Arc<Heard>, Failure> {
    let log = maidenlane_service::log_backend(&feed.log, "health")
        .map_err(|error| Failure::new(Exit::Settings, error))?;
    let heard = Arc::new(Heard::default());
    let (told, topic, shutdown) = (Arc::clone(&heard), feed.blocks_topic.clone(), tasks.shutdown().clone());
    tasks.spawn_thread(&format!("feed {name}"), move || {
        while !shutdown.is_triggered() {
            if let Err(reason) = told.listen(&log, &topic, &shutdown) {
                told.lock().obstacle = Some(reason);
                let until = Instant::now() + AGAIN;
                while Instant::now() < until && !shutdown.is_triggered() {
                    std::thread::sleep(NAP);
                }
            }
        }
        Ok(())
    })?;
    Ok(heard)
}

impl Heard {
    /// Answers of a round.
    ///
    /// # Errors
    /// Nothing was heard yet, or the log cannot be read.
    pub(super) fn tell(&self, asks: &Asks) -> Result<Seen, String> {
        let state = self.lock();
        let head = match (&state.obstacle, state.head) {
            (Some(reason), _) => return Err(reason.clone()),
            (None, None) => return Err("the feed has no head yet: is its tap running?".to_owned()),
            (None, Some(head)) => head,
        };
        Ok(Seen {
            latest: Some(Tip { block: head, time_s: None }),
            finalized: state.finalized,
            hashes: asks
                .heights
                .iter()
                .filter_map(|height| Some((*height, *state.blocks.get(height)?)))
                .collect(),
            silent: state.alive.or(state.began).map(|alive| alive.elapsed()),
            ..Seen::default()
        })
    }

    /// Reads until the shutdown, or until the log is away or breaks the protocol.
    fn listen(&self, log: &Backend, topic: &str, shutdown: &Shutdown) -> Result<(), String> {
        let away = |error: maidenlane_log::Error| with_causes(&error);
        let mut scanner = Scanner::new(log.consumer(topic, 0).map_err(away)?);
        let (earliest, end) = (scanner.earliest().map_err(away)?, scanner.end().map_err(away)?);
        let mut next = Offset(end.0.saturating_sub(BACK).max(earliest.0));
        let mut reader = Reader::in_middle();
        self.lock().began.get_or_insert_with(Instant::now);
        while !shutdown.is_triggered() {
            let entries = scanner.read(next, READ_BYTES, READ_WAIT).map_err(away)?;
            for entry in &entries {
                let whole = reader.read(entry).map_err(|error| with_causes(&error))?;
                if let Some(whole) = whole {
                    self.take(&whole, entry.offset >= end)?;
                }
                next = Offset(entry.offset.0.saturating_add(1));
            }
            self.lock().obstacle = None;
        }
        Ok(())
    }

    /// Takes a record; `new` if it came while it was listened to.
    fn take(&self, whole: &Whole<'_>, new: bool) -> Result<(), String> {
        let outline = whole.outline().map_err(|error| with_causes(&error))?;
        let mut state = self.lock();
        if let Some(head) = outline.head() {
            state.blocks.split_off(&head.number);
            state.blocks.insert(head.number, head.hash);
            if state.blocks.len() > KEPT_MAX {
                state.blocks.pop_first();
            }
            if !whole.stamp.more {
                state.head = Some(head);
            }
        }
        match outline {
            Outline::Final(told) => {
                state.finalized = told.finalized.map(|block| block.number).or(state.finalized);
            }
            Outline::Heartbeat => {
                let Ok(Record::Heartbeat(beat)) = whole.record() else { return Ok(()) };
                if !whole.stamp.more {
                    state.head = Some(beat.published);
                }
                // A master that catches up with itself shows no life.
                if new && !beat.resuming {
                    state.alive = Some(Instant::now());
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
