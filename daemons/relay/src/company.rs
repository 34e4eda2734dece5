//! Relays that share a log: this one beats, hears the others, and knows how far each of them has read.
//!
//! # Why no group decides who delivers
//! A group of consumers takes seconds to notice that a member died, of a slot's twelve. Beats are entries of the topic of fates: the others
//! know within [`ALIVE_MS`] that one is dead, and send what nobody has told of.
//!
//! # When a cancel counts
//! Once every relay that lives has acted on it. One that stood still, and lives again, has read nothing meanwhile: before it sends something it
//! reads on ([`Company::may_send`]).
//!
//! # Why a relay alone beats seldom
//! A segment log syncs each entry. Whoever comes beats first, and is answered at once.

use crate::fates::Fates;
use crate::peers::{ALIVE_MS, Peers};
use crate::progress::Progress;
use maidenlane_service::{Failure, Shutdown, clock, files, with_causes};
use maidenlane_wire::{ContentId, RelayBeat};
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{Notify, watch};

/// Time between beats beside others, and alone.
const EVERY: Duration = Duration::from_millis(150);
const ALONE_EVERY: Duration = Duration::from_secs(1);
/// Least time between beats that others wait for.
const LEAST: Duration = Duration::from_millis(10);
/// Age of a beat of before the start beyond which its relay is not waited for.
const ANCIENT_MS: u64 = 60_000;
/// Age of what was read beyond which nothing is sent beside others.
const STALE_MS: u64 = 400;
/// Interval of looks at who has died.
const LOOK: Duration = Duration::from_millis(50);

/// Place of an entry: partition and offset.
pub type At = (u32, u64);

/// Name of a relay that keeps its state in `dir`: the same after every start, so that it knows its own orders again.
///
/// # Errors
/// When its file cannot be read or written, or is none.
pub fn name(dir: &Path) -> io::Result<[u8; 16]> {
    let path = dir.join("relay-id");
    match std::fs::read_to_string(&path) {
        Ok(text) => {
            let mut name = [0; 16];
            let read = const_hex::decode_to_slice(text.trim(), &mut name);
            let broken =
                |_| io::Error::other(format!("read {}: no 32 hex digits; remove it", path.display()));
            read.map_err(broken).map(|()| name)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let name: [u8; 16] = rand::random();
            files::write_whole(&path, format!("{}\n", const_hex::encode(name)).as_bytes())?;
            Ok(name)
        }
        Err(error) => Err(error),
    }
}

/// All relays of a log, as one of them sees them. Cheap to clone.
#[derive(Clone)]
pub struct Company(Arc<Shared>);

struct Shared {
    fates: Fates,
    inner: Mutex<Inner>,
    /// Counts whatever may end a wait.
    news: watch::Sender<u64>,
    /// Told when others wait for a beat.
    wanted: Notify,
    /// True if another may live that was not heard since the start.
    may_be_others: AtomicBool,
    born: Instant,
}

struct Inner {
    peers: Peers,
    progress: Progress,
    /// True once this relay has said that it ends.
    has_left: bool,
}

impl Company {
    /// Company of a relay whose fates these are, on a topic of orders with so many partitions.
    #[must_use]
    pub fn new(fates: Fates, partitions: usize) -> Self {
        let (peers, progress) = (Peers::new(fates.relay()), Progress::new(partitions));
        Self(Arc::new(Shared {
            fates,
            inner: Mutex::new(Inner { peers, progress, has_left: false }),
            news: watch::Sender::new(0),
            wanted: Notify::new(),
            may_be_others: AtomicBool::new(false),
            born: Instant::now(),
        }))
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now_ms(&self) -> u64 {
        clock::millis(self.0.born.elapsed())
    }

    fn tell(&self) {
        self.0.news.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// Notes an entry of the topic of orders that was acted on: whose it is, and which order it cancelled.
    pub fn acted(&self, at: At, cancelled: Option<ContentId>) {
        self.inner().progress.read(place(at), cancelled);
        self.tell();
    }

    /// Beats as soon as it may: another relay waits for that.
    pub fn hurry(&self) {
        self.0.wanted.notify_one();
    }

    /// Notes that a partition was read to its end, as of then.
    pub fn reached(&self, partition: u32, as_of: Instant) {
        let as_of_ms = clock::millis(as_of.saturating_duration_since(self.0.born));
        self.inner().progress.is_fresh(place((partition, 0)).0, as_of_ms);
    }

    /// Takes a beat. What was there before the start says only that there may be others.
    pub fn hear(&self, beat: &RelayBeat, is_new: bool) {
        if is_new {
            if self.inner().peers.hear(beat, self.now_ms()) {
                self.hurry();
            }
            self.tell();
        } else if beat.relay != self.0.fates.relay() {
            let may_live = !beat.ends && beat.at_ms.saturating_add(ANCIENT_MS) > clock::now_ms();
            self.0.may_be_others.fetch_or(may_live, Ordering::Relaxed);
        }
    }

    /// True for this relay, and for any that was heard of late.
    #[must_use]
    pub fn lives(&self, relay: [u8; 16]) -> bool {
        self.inner().peers.lives(relay, self.now_ms())
    }

    /// Says if something may be sent: beside others, only who has read of late what they wrote.
    ///
    /// # Errors
    /// The time, in milliseconds, after which to ask again.
    pub fn may_send(&self) -> Result<(), u64> {
        let now_ms = self.now_ms();
        let Inner { peers, progress, .. } = &mut *self.inner();
        let is_stale = now_ms.saturating_sub(progress.fresh_ms()) > STALE_MS;
        if is_stale && peers.has_company(now_ms) { Err(clock::millis(LOOK)) } else { Ok(()) }
    }

    /// Notes that an order goes to a builder for the first time. To be called before it is looked up whether it counts.
    pub fn begin(&self, content: ContentId) {
        self.inner().progress.begin(content);
    }

    /// Notes that it is no longer on its way.
    pub fn end(&self, content: ContentId) {
        if self.inner().progress.end(content) {
            self.hurry();
            self.tell();
        }
    }

    /// Waits until all relays that live have acted on an entry; false if they have not within that time.
    pub async fn have_acted(&self, at: At, within: Duration) -> bool {
        let (until, mut news) = (Instant::now() + within, self.0.news.subscribe());
        loop {
            news.borrow_and_update();
            {
                let (now_ms, inner) = (self.now_ms(), self.inner());
                if inner.progress.has_read(place(at)) && inner.peers.have_read(place(at), now_ms) {
                    return true;
                }
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            // Late or told, there may be something new; whoever tells lives as long as this does.
            let _ = tokio::time::timeout(left.min(LOOK), news.changed()).await;
        }
    }

    fn beat(&self, ends: bool) {
        let read = {
            let mut inner = self.inner();
            if std::mem::replace(&mut inner.has_left, ends) {
                return;
            }
            inner.progress.positions()
        };
        let beat = RelayBeat { relay: self.0.fates.relay(), read, ends, at_ms: clock::now_ms() };
        if let Err(error) = self.0.fates.beat(&beat) {
            tracing::warn!("a beat is not in the log: {}", with_causes(&error));
        }
    }

    /// Comes in: beats, and gives those who may live the time to hear it and to be heard.
    pub async fn join(&self) {
        self.beat(false);
        if self.0.may_be_others.load(Ordering::Relaxed) {
            tokio::time::sleep(Duration::from_millis(ALIVE_MS)).await;
        }
    }

    /// Says that this relay sends nothing more.
    pub fn leave(&self) {
        self.beat(true);
    }

    /// Beats until the end.
    ///
    /// # Errors
    /// None.
    pub async fn run(self, ended: Shutdown, stop: Shutdown) -> Result<(), Failure> {
        loop {
            let has_company = self.inner().peers.has_company(self.now_ms());
            let every = if has_company { EVERY } else { ALONE_EVERY };
            let waited = async {
                tokio::time::sleep(LEAST).await;
                // Late or wanted, it is time.
                let _ = tokio::time::timeout(every.saturating_sub(LEAST), self.0.wanted.notified()).await;
            };
            if stop.unless(waited).await.is_none() {
                break;
            }
            self.beat(false);
        }
        // From the shutdown on it still sends what is due, and is still waited for.
        while ended.unless(tokio::time::sleep(EVERY)).await.is_some() {
            self.beat(false);
        }
        Ok(())
    }
}

fn place((partition, offset): At) -> (usize, u64) {
    (usize::try_from(partition).unwrap_or(usize::MAX), offset)
}

#[cfg(test)]
mod tests {
    use super::name;

    #[test]
    fn a_relay_keeps_its_name() {
        let dir = tempfile::tempdir().unwrap();
        let first = name(dir.path()).unwrap();
        assert_eq!(name(dir.path()).unwrap(), first);
        std::fs::write(dir.path().join("relay-id"), "0102").unwrap();
        assert!(name(dir.path()).unwrap_err().to_string().contains("remove it"));
    }
}
