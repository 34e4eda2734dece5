//! The master's pool, in a topic beside the feed: what came, what left, and why, as far as that can be proved.
//!
//! | file | idea |
//! |---|---|
//! | here | the thread: asks geth in turns, appends what changed |
//! | `known` | pure: what was told, and what an observation changes in it |
//! | `source` | questions to geth, on a connection of their own |
//! | `reason` | pure: reasons for which a transaction cannot be in the pool |
//! | `stream` | the topic: numbers of changes, and what stood there before |
//!
//! # Why geth is asked, and not subscribed to
//! geth hands announcements of transactions and of heads out on one goroutine, which waits for every subscriber. One to
//! `newPendingTransactions` that does not read stops the heads behind it, and with them `newPayload`. A filter collects the
//! same announcements in the same order, with their bodies, and waits for nobody.
//!
//! # Why announcements are not enough
//! geth announces what can go into a block, never what waits for a nonce and never what leaves. So its whole pool is read
//! again, as often as costs a twentieth of the time; what is missing there is asked for by its hash. Transactions with
//! blobs are in no listing: they are asked for by hash alone, some at a time, since geth reads each from its disk with its
//! blobs. Of those that came while nobody asked, nothing is known.
//!
//! # Correctness
//! - The main loop never waits for this thread: all they share is [`Owned`].
//! - Nothing is appended but in an epoch that the main loop owns. After an append whose outcome is unknown all is told anew.

mod known;
mod reason;
mod source;
mod stream;

use crate::config::Settings;
use crate::error::Error;
use crate::events::Event;
use crate::tail::Chain;
use known::{Known, Left};
use maidenlane_chain::B256;
use maidenlane_log::Backend;
use maidenlane_service::clock::millis;
use maidenlane_service::{Current, Health, Shutdown, Tracer, with_causes};
use maidenlane_wire::PoolStep;
use serde_json::json;
use source::{Listed, Place, Source};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use stream::Stream;

/// Interval of questions for announcements.
const ASK_EVERY: Duration = Duration::from_millis(100);
/// Shortest interval of readings of the whole pool.
const RECONCILE_MIN: Duration = Duration::from_millis(250);
/// Time between two readings, in times of what one takes.
const RECONCILE_PAUSES: u32 = 19;
/// Transactions with blobs that are asked for in one turn.
const BLOBS_PER_TURN: usize = 16;
/// Interval at which all is told anew, for readers that begin.
const ANEW_EVERY: Duration = Duration::from_secs(300);
/// Longest time without an entry.
const SILENCE_MAX: Duration = Duration::from_secs(1);
/// Changes that wait while geth or the log is away; with more, all is told anew.
const STEPS_MAX: usize = 50_000;
/// Interval of attempts to reach geth or the log.
const TRY_AGAIN: Duration = Duration::from_millis(500);

/// Epoch of the feed that the main loop owns, and the chain of the feed.
#[derive(Clone, Debug, Default)]
pub struct Owned(Arc<Mutex<Option<(u64, Chain)>>>);

impl Owned {
    /// Tells the pool's thread whether it may write.
    pub(crate) fn set(&self, owned: Option<(u64, Chain)>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = owned;
    }

    fn get(&self) -> Option<(u64, Chain)> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The pool's thread.
pub(crate) struct Follower {
    settings: Current<Settings>,
    log: Backend,
    topic: String,
    owned: Owned,
    events: Tracer<Event>,
    health: Health,
    shutdown: Shutdown,
    source: Option<Source>,
    stream: Option<Stream>,
    known: Known,
    /// Changes of it that are not appended yet.
    steps: Vec<PoolStep>,
    /// Transactions with blobs that were told before the start, and may still be in the pool.
    remembered: Vec<B256>,
    /// Epoch in which all was told, and when; `None` if it must be told anew.
    told: Option<(u64, Instant)>,
    next_reconcile: Instant,
    reconcile: Duration,
    last_entry: Instant,
    failure: Option<String>,
}

impl Follower {
    pub(crate) fn new(
        settings: Current<Settings>,
        (log, topic): (Backend, String),
        owned: Owned,
        events: Tracer<Event>,
        health: Health,
        shutdown: Shutdown,
    ) -> Self {
        let now = Instant::now();
        Self {
            settings,
            log,
            topic,
            owned,
            events,
            health,
            shutdown,
            source: None,
            stream: None,
            known: Known::default(),
            steps: Vec::new(),
            remembered: Vec::new(),
            told: None,
            next_reconcile: now,
            reconcile: Duration::ZERO,
            last_entry: now,
            failure: None,
        }
    }

    /// Runs until the shutdown. Whatever is away is tried again: the feed goes on all the same.
    pub(crate) fn run(mut self) {
        while !self.shutdown.is_triggered() {
            let pause = match self.owned.get() {
                None => ASK_EVERY,
                Some((epoch, chain)) => match self.turn(epoch, chain) {
                    Ok(()) => {
                        self.failure = None;
                        ASK_EVERY
                    }
                    Err(error) => {
                        self.failed(&error);
                        TRY_AGAIN
                    }
                },
            };
            self.report();
            std::thread::sleep(pause);
        }
    }

    fn failed(&mut self, error: &Error) {
        if let Error::Master(cause) = error
            && !cause.is_refusal()
        {
            self.source = None;
        }
        let reason = with_causes(error);
        if self.failure.as_ref() != Some(&reason) {
            self.events.emit(&Event::PoolAway { reason: reason.clone() });
        }
        self.failure = Some(reason);
    }

    fn turn(&mut self, epoch: u64, chain: Chain) -> Result<(), Error> {
        self.observe(chain)?;
        self.open(epoch)?;
        let begun = self.told.is_some_and(|(of, _)| of == epoch) && self.steps.len() <= STEPS_MAX;
        let anew = !begun || self.told.is_some_and(|(_, at)| at.elapsed() >= ANEW_EVERY);
        if anew {
            // Only a pool that was just read whole is told whole.
            self.reconcile()?;
            if !begun {
                self.steps.clear();
            }
            self.steps.append(&mut self.known.whole());
        } else if self.steps.is_empty() && self.last_entry.elapsed() >= SILENCE_MAX {
            self.steps.push(PoolStep::Alive);
        }
        let steps = std::mem::take(&mut self.steps);
        let Some(stream) = self.stream.as_mut().filter(|_| !steps.is_empty()) else { return Ok(()) };
        let appended = stream.append(&steps);
        if appended.is_err() {
            self.told = None;
        }
        appended?;
        self.last_entry = Instant::now();
        if anew {
            self.told = Some((epoch, self.last_entry));
        }
        Ok(())
    }

    /// Takes announcements, and reads the whole pool where it is time to.
    fn observe(&mut self, chain: Chain) -> Result<(), Error> {
        if self.source.is_none() {
            self.source = Some(Source::connect(&self.settings.get().ipc, chain)?);
            self.next_reconcile = Instant::now();
        }
        let Some(source) = &mut self.source else { return Ok(()) };
        let announced = source.announced()?;
        if announced.lost {
            self.next_reconcile = Instant::now();
        }
        for seen in announced.transactions {
            self.known.add(seen, false, &mut self.steps);
        }
        if Instant::now() >= self.next_reconcile { self.reconcile() } else { Ok(()) }
    }

    fn open(&mut self, epoch: u64) -> Result<(), Error> {
        if self.stream.is_none() {
            let (stream, remembered) = Stream::open(&self.log, &self.topic)?;
            (self.stream, self.remembered) = (Some(stream), remembered);
        }
        if let Some(stream) = &mut self.stream {
            stream.enter(epoch);
        }
        Ok(())
    }

    /// Reads the whole pool, and finds out what became of what is not there.
    fn reconcile(&mut self) -> Result<(), Error> {
        let Some(source) = &mut self.source else { return Ok(()) };
        let begun = Instant::now();
        let listing = source.listing(|hash| self.known.has(hash))?;
        let listed: BTreeSet<B256> = listing.iter().map(|listed| listed.hash).collect();
        let mut missed = 0;
        for Listed { hash, queued, new } in listing {
            match new {
                Some(seen) => {
                    missed += usize::from(!queued);
                    self.known.add(seen, queued, &mut self.steps);
                }
                None => self.known.stands(hash, queued, &mut self.steps),
            }
        }
        let mut doubtful = self.known.absent(&listed);
        doubtful.append(&mut self.known.blobs(BLOBS_PER_TURN));
        doubtful.extend_from_slice(&self.remembered);
        doubtful.sort_unstable();
        doubtful.dedup();
        let left = self.whereabouts(&doubtful)?;
        self.remembered.clear();
        self.reconcile = begun.elapsed();
        let pause = self.reconcile.saturating_mul(RECONCILE_PAUSES).max(RECONCILE_MIN);
        self.next_reconcile = Instant::now() + pause;
        self.events.emit(&Event::Pool { transactions: self.known.len(), missed, left });
        Ok(())
    }

    /// Asks for each of some transactions by its hash; the number of those that have left.
    fn whereabouts(&mut self, hashes: &[B256]) -> Result<usize, Error> {
        let Some(source) = self.source.as_mut().filter(|_| !hashes.is_empty()) else { return Ok(0) };
        let (mut mined, mut gone) = (Vec::new(), Vec::new());
        for (hash, place) in hashes.iter().zip(source.places(hashes)?) {
            match place {
                // Executable or not, which by its hash nobody says: as it was.
                Place::Pool(seen) if self.known.has(&seen.pooled.hash) => {}
                Place::Pool(seen) => self.known.add(*seen, false, &mut self.steps),
                Place::Block(block) => mined.push((*hash, block)),
                Place::Nowhere => gone.extend(self.known.get(hash)),
            }
        }
        let reasons = source.reasons(&gone)?;
        let mined = mined.into_iter().map(|(hash, block)| (hash, Left::Mined(block)));
        let gone = gone.iter().map(|held| held.pooled.hash).zip(reasons.into_iter().map(Left::Dropped));
        let left = mined.chain(gone).filter(|(hash, why)| self.known.leave(*hash, why, &mut self.steps));
        Ok(left.count())
    }

    fn report(&self) {
        let state = match (&self.failure, self.told) {
            (Some(_), _) => "away",
            (None, Some(_)) => "told",
            (None, None) => "waits for the feed",
        };
        self.health.set_section(
            "pool",
            json!({
                "state": state,
                "reason": self.failure,
                "transactions": self.known.len(),
                "bytes": self.known.bytes(),
                "leftOut": self.known.left_out(),
                "seq": self.stream.as_ref().map(Stream::next_seq),
                "reconcile_ms": millis(self.reconcile),
            }),
        );
    }
}
