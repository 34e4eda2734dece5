//! The feed, followed on a thread of its own: what the chain is, once it is told as it is now.
//!
//! # Correctness
//! Blocks of the past are true only together: one that was read may be undone by the next record. So nothing is said of
//! the chain before the feed's end was reached and its master lives; until then all that came is gathered into one
//! [`Stretch`]. An emitter that stood still for an hour so tells no fate of an hour ago.

use crate::chain::{Change, Gatherer, Stretch, Unreadable};
use crate::error::Error;
use maidenlane_chain::block::decode_header;
use maidenlane_feed::signs::Ends;
use maidenlane_feed::{Reader, Scanner, Violation, scan};
use maidenlane_log::{Backend, Entry, Offset};
use maidenlane_service::{Away, Health, Shutdown, clock};
use maidenlane_wire::{Outline, Record};
use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::{Duration, Instant};
use tokio::sync::mpsc::Sender;

/// Bytes that are read at a time.
const READ_BYTES: usize = 4 << 20;
/// Longest wait for a record, and so for a command or a shutdown.
const WAIT: Duration = Duration::from_millis(100);
/// Entries before the wanted ones that show which writer counts: far more than a displaced writer adds before it notices.
const BEFORE: u64 = 4_096;
/// Time that clocks of blocks, replicas and emitters may differ by.
const CLOCKS_S: u64 = 60;
/// Age of blocks, by the newest one's time, from which on they are read again after the log was away.
const AGAIN_FROM_S: u64 = 600;

/// News of the chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// The chain as it is now.
    Stands {
        /// Blocks.
        stretch: Stretch,
        /// Unix time in seconds from which on they are all; `None`: those since it was last fresh.
        from_s: Option<u64>,
    },
    /// The head changed.
    Changed(Change),
    /// No sign of life for too long: what the chain is now is not known, until it is told.
    Silent,
}

/// Follower of one feed.
pub struct Follower {
    log: Backend,
    topic: String,
    silence_max: Duration,
    news: Sender<News>,
    /// Unix times in seconds from which on blocks are wanted again.
    wanted: Receiver<u64>,
    shutdown: Shutdown,
    health: Health,
    born: Instant,
}

/// Time before the start that signs of life may be from.
const BEFORE_START: Duration = Duration::from_secs(24 * 60 * 60);
/// Blocks that the feed may be behind its master: beyond them it does not tell what is.
const LAG_MAX: u64 = 2;

/// Place in the feed, and what was read since the chain was last told.
struct Reading {
    scanner: Scanner,
    reader: Reader,
    next: Offset,
    ends: Ends,
    gatherer: Gatherer,
    /// Gathered while the chain is not told; `None` while it is.
    stretch: Option<Stretch>,
    /// Unix time in seconds from which on it is read, until it is told for the first time.
    from_s: Option<u64>,
    finalized: u64,
    /// Time of the newest block.
    newest_s: u64,
    /// Time of the last sign of life.
    seen: Option<Duration>,
}

impl Follower {
    /// A follower that begins when it is told from when on.
    #[must_use]
    pub fn new(
        (log, topic): (Backend, String),
        silence_max: Duration,
        (news, wanted): (Sender<News>, Receiver<u64>),
        health: Health,
        shutdown: Shutdown,
    ) -> Self {
        Self { log, topic, silence_max, news, wanted, shutdown, health, born: Instant::now() }
    }

    /// Follows until the shutdown.
    ///
    /// # Errors
    /// When the feed breaks its protocol, or the log is away for too long.
    pub fn run(self) -> Result<(), Error> {
        let mut since_s = clock::now().as_secs();
        let mut reading = None::<Reading>;
        let mut away = Away::default();
        self.tell(News::Silent);
        while !self.shutdown.is_triggered() {
            match self.newest_wanted() {
                Ok(Some(wanted)) => {
                    // What was wanted before and is not told yet is still wanted.
                    let is_told = reading.as_ref().is_some_and(|open| open.stretch.is_none());
                    since_s = if is_told { wanted } else { wanted.min(since_s) };
                    reading = None;
                    self.tell(News::Silent);
                }
                Ok(None) => {}
                // The rest of the daemon is stopping.
                Err(()) => std::thread::sleep(WAIT),
            }
            let done = match reading.take() {
                Some(mut open) => self.turn(&mut open).map(|()| open),
                None => self.open(since_s),
            };
            match done {
                Ok(open) => {
                    away.is_back();
                    // What was told stands: a log that comes back is read from there on.
                    if open.stretch.is_none() {
                        since_s = open.newest_s.saturating_sub(AGAIN_FROM_S);
                    }
                    reading = Some(open);
                }
                Err(Error::Log(error)) if error.may_come() || is_cut(&error) => {
                    // Begun anew: the log may have come back with an older end.
                    if away.note("the feed is away", error)? {
                        self.tell(News::Silent);
                    }
                    std::thread::sleep(Away::TRY_AGAIN);
                }
                Err(error) => return Err(error),
            }
            self.health.progress();
        }
        Ok(())
    }

    /// The earliest of the times that were asked for since the last look.
    fn newest_wanted(&self) -> Result<Option<u64>, ()> {
        let mut wanted = None;
        loop {
            match self.wanted.try_recv() {
                Ok(since) => wanted = Some(wanted.map_or(since, |before: u64| before.min(since))),
                Err(TryRecvError::Empty) => return Ok(wanted),
                Err(TryRecvError::Disconnected) if wanted.is_some() => return Ok(wanted),
                Err(TryRecvError::Disconnected) => return Err(()),
            }
        }
    }

    fn open(&self, since_s: u64) -> Result<Reading, Error> {
        let mut scanner = Scanner::new(self.log.consumer(&self.topic, 0)?);
        let first = scanner.first_since(since_s.saturating_sub(CLOCKS_S), time_s)?;
        let next = Offset(first.0.saturating_sub(BEFORE)).max(scanner.earliest()?);
        Ok(Reading {
            scanner,
            reader: Reader::in_middle(),
            next,
            ends: Ends::default(),
            gatherer: Gatherer::default(),
            stretch: Some(Stretch::default()),
            from_s: Some(since_s),
            finalized: 0,
            newest_s: since_s,
            seen: None,
        })
    }

    /// Reads what is there, and tells what follows.
    fn turn(&self, reading: &mut Reading) -> Result<(), Error> {
        let now = self.now();
        if reading.ends.is_due(now) {
            let end = reading.scanner.end();
            reading.ends.note(end.ok().map(|end| end.0), now);
        }
        let entries = reading.scanner.read(reading.next, READ_BYTES, WAIT)?;
        for entry in &entries {
            reading.next = Offset(entry.offset.0.saturating_add(1));
            if let Some(change) = self.take(reading, entry)? {
                self.changed(reading, change);
            }
        }
        let now = self.now();
        let is_fresh = reading.seen.is_some_and(|seen| now.saturating_sub(seen) <= self.silence_max);
        match (is_fresh, &reading.stretch) {
            (true, Some(_)) => {
                if let Some(stretch) = reading.stretch.take() {
                    reading.finalized = stretch.finalized;
                    let from_s = reading.from_s.take();
                    self.tell(News::Stands { stretch, from_s });
                }
            }
            (false, None) => {
                reading.stretch = Some(Stretch { finalized: reading.finalized, ..Stretch::default() });
                self.tell(News::Silent);
            }
            _ => {}
        }
        Ok(())
    }

    fn changed(&self, reading: &mut Reading, change: Change) {
        match &mut reading.stretch {
            Some(stretch) => stretch.take(change),
            None => {
                let is_news = !change.undone.is_empty()
                    || !change.added.is_empty()
                    || change.finalized > reading.finalized;
                reading.finalized = reading.finalized.max(change.finalized);
                if is_news {
                    self.tell(News::Changed(change));
                }
            }
        }
    }

    /// Takes an entry; returns the change of the head that it completes.
    fn take(&self, reading: &mut Reading, entry: &Entry) -> Result<Option<Change>, Error> {
        let offset = entry.offset.0;
        let broken = |source| Error::Feed(scan::Error::Violation { offset, source });
        reading.newest_s = reading.newest_s.max(time_s(entry).unwrap_or_default());
        let Some(whole) = reading.reader.read(entry).map_err(broken)? else { return Ok(None) };
        if whole.forget
            && let Some(stretch) = &mut reading.stretch
        {
            *stretch = Stretch::default();
        }
        if matches!(whole.outline(), Ok(Outline::Heartbeat)) {
            let record = whole.record().map_err(|error| broken(Violation::Unreadable(error)))?;
            if let Record::Heartbeat(beat) = record
                && !beat.resuming
                && beat.master.number <= beat.published.number.saturating_add(LAG_MAX)
            {
                let (now, seen) = (clock::now(), Duration::from_millis(beat.master_seen_ms));
                let claimed = now.checked_sub(seen).ok_or_else(|| seen.saturating_sub(now));
                let now = self.now();
                if let Some(age) = reading.ends.age(offset, claimed, now) {
                    reading.seen = reading.seen.max(Some(now.saturating_sub(age)));
                }
            }
        }
        reading.gatherer.take(&whole).map_err(|error| match error {
            Unreadable::Record(error) => broken(Violation::Unreadable(error)),
            error @ Unreadable::Block { .. } => Error::Block(error),
        })
    }

    fn now(&self) -> Duration {
        self.born.elapsed().saturating_add(BEFORE_START)
    }

    fn tell(&self, news: News) {
        // Gone only when the daemon is stopping.
        let _ = self.news.blocking_send(news);
    }
}

const fn is_cut(error: &maidenlane_log::Error) -> bool {
    use maidenlane_log::Error::{BeyondEnd, Forbidden, RetentionGap};
    matches!(error, BeyondEnd { .. } | Forbidden { .. } | RetentionGap { .. })
}

/// Time of the block that an entry brings, where it is one that brings one whole.
fn time_s(entry: &Entry) -> Option<u64> {
    match maidenlane_wire::outline(&entry.payload).ok()? {
        Outline::Advance { header, .. } | Outline::Base { header, .. } => {
            decode_header(&header).ok().map(|header| header.timestamp)
        }
        _ => None,
    }
}
