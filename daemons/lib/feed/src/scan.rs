//! Scanner of the log: reads it from any place.

use crate::position::Position;
use crate::reader::{Reader, Violation};
use maidenlane_chain::BlockRef;
use maidenlane_log::{Entry, From, LogConsumer, Offset};
use std::time::Duration;

/// Bytes of payload that are read at a time.
const READ_BYTES: usize = 4 << 20;
/// Time in which entries must come that the log says it has.
const READ_WITHIN: Duration = Duration::from_secs(10);
/// Number of entries looked at together, going backwards. As many before them show which writer counts: far more than a
/// displaced writer can add before it notices.
const STRIDE: u64 = if cfg!(test) { 4 } else { 4096 };

/// A failure between a reader and its feed.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages name the fields")]
pub enum Error {
    /// Failure between the reader and the log.
    #[error(transparent)]
    Log(#[from] maidenlane_log::Error),
    /// An entry that breaks the protocol.
    #[error("at offset {offset}")]
    Violation {
        offset: u64,
        /// The rule that it breaks.
        #[source]
        source: Violation,
    },
}

/// Reader of a log that is given the offset to begin at with every read.
///
/// # Why
/// A log that goes away for a moment between looking back and going on would leave its consumer somewhere else, and a
/// reader that trusted in its place would take what comes for a gap in the feed.
pub struct Scanner {
    log: Box<dyn LogConsumer>,
    /// Offset at which `log` stands, if known.
    at: Option<Offset>,
}

impl std::fmt::Debug for Scanner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scanner").field("at", &self.at).finish_non_exhaustive()
    }
}

impl Scanner {
    /// Scanner of `log`.
    #[must_use]
    pub fn new(log: Box<dyn LogConsumer>) -> Self {
        Self { log, at: None }
    }

    /// Offset of the oldest retained entry, or the end if there is none.
    ///
    /// # Errors
    /// When the log cannot be reached.
    pub fn earliest(&mut self) -> Result<Offset, maidenlane_log::Error> {
        self.log.earliest()
    }

    /// Offset after the newest entry.
    ///
    /// # Errors
    /// When the log cannot be reached.
    pub fn end(&mut self) -> Result<Offset, maidenlane_log::Error> {
        self.log.end()
    }

    /// Reads entries from `from` on, as [`LogConsumer::read`].
    ///
    /// # Errors
    /// As [`LogConsumer::seek`] and [`LogConsumer::read`].
    pub fn read(
        &mut self,
        from: Offset,
        max_bytes: usize,
        wait: Duration,
    ) -> Result<Vec<Entry>, maidenlane_log::Error> {
        if self.at != Some(from) {
            self.at = None;
            self.log.seek(From::At(from))?;
            self.at = Some(from);
        }
        let entries = self.log.read(max_bytes, wait)?;
        self.at = entries.last().map_or(self.at, |last| Some(behind(last)));
        Ok(entries)
    }

    /// True if the log still holds the entry at `offset` that had this checksum.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn holds(&mut self, offset: u64, crc32c: u32) -> Result<bool, maidenlane_log::Error> {
        let at = Offset(offset);
        if at < self.earliest()? {
            return Ok(false);
        }
        // Not `end`: a log that a power cut made forget its last entries finds them when one goes there.
        self.at = None;
        match self.log.seek(From::At(Offset(offset.saturating_add(1)))) {
            Ok(()) => {}
            Err(maidenlane_log::Error::BeyondEnd { .. }) => return Ok(false),
            Err(error) => return Err(error),
        }
        let entries = self.read(at, 1, READ_WITHIN)?;
        let entry = entries.first().ok_or_else(|| late(at))?;
        Ok(entry.offset == at && crc32c::crc32c(&entry.payload) == crc32c)
    }

    /// Passes the entries from `from` up to just before `end`, which must exist already, to `take`, one at a time.
    ///
    /// # Errors
    /// Errors of the log and of `take`.
    pub fn each<E: std::convert::From<maidenlane_log::Error>>(
        &mut self,
        from: Offset,
        end: Offset,
        mut take: impl FnMut(&Entry) -> Result<(), E>,
    ) -> Result<(), E> {
        self.find(from, end, |entry| take(entry).map(|()| None::<()>)).map(drop)
    }

    /// Passes entries to `take` as [`Scanner::each`], until it has found something.
    ///
    /// # Errors
    /// As [`Scanner::each`].
    pub fn find<T, E: std::convert::From<maidenlane_log::Error>>(
        &mut self,
        from: Offset,
        end: Offset,
        mut take: impl FnMut(&Entry) -> Result<Option<T>, E>,
    ) -> Result<Option<T>, E> {
        let mut next = from;
        while next < end {
            let entries = self.read(next, READ_BYTES, READ_WITHIN)?;
            if entries.is_empty() {
                return Err(late(next).into());
            }
            for entry in entries.iter().filter(|entry| entry.offset < end) {
                if let Some(found) = take(entry)? {
                    return Ok(Some(found));
                }
            }
            next = entries.last().map_or(next, behind);
        }
        Ok(None)
    }

    /// Offset of the first entry that is not older than `since`; the end if there is none. `time_of` tells an entry's time,
    /// where it has one, by clocks that differ a little; times grow with the offsets, so that halving finds the place.
    ///
    /// # Errors
    /// Errors of the log.
    pub fn first_since(
        &mut self,
        since: u64,
        time_of: impl Fn(&Entry) -> Option<u64>,
    ) -> Result<Offset, maidenlane_log::Error> {
        let (mut low, end) = (self.earliest()?.0, self.end()?.0);
        let mut high = end;
        while low < high {
            let middle = low + (high - low) / 2;
            let found = self.find(Offset(middle), Offset(end), |entry| {
                Ok::<_, maidenlane_log::Error>(time_of(entry).map(|time| (entry.offset.0, time)))
            })?;
            match found {
                Some((at, time)) if time < since => low = at.saturating_add(1),
                _ => high = middle,
            }
        }
        Ok(Offset(low))
    }

    /// The newest record before `end` that counts and after which no head change is half-way and the feed's head is
    /// `ours`: a reader whose own record is no longer in the log goes on there, once it stands at that head.
    ///
    /// # Errors
    /// Errors of the log, of the protocol and of `ours`.
    pub fn newest<E: std::convert::From<Error>>(
        &mut self,
        mut end: Offset,
        mut ours: impl FnMut(BlockRef) -> Result<bool, E>,
    ) -> Result<Option<(Position, BlockRef)>, E> {
        let earliest = self.earliest().map_err(Error::from)?.0;
        while end.0 > earliest {
            let start = end.0.saturating_sub(STRIDE).max(earliest);
            let before = start.saturating_sub(STRIDE).max(earliest);
            let (mut reader, mut newest) = (Reader::in_middle(), None);
            let found = self.each(Offset(before), end, |entry| {
                let offset = entry.offset.0;
                let broken = |source| Error::Violation { offset, source };
                let Some(whole) = reader.read(entry).map_err(broken)? else { return Ok(()) };
                if whole.forget {
                    newest = None;
                }
                // Nobody may begin in the middle of a head change.
                if whole.stamp.more || offset < start {
                    return Ok(());
                }
                let outline = whole.outline().map_err(|error| broken(error.into()))?;
                if let Some(head) = outline.head()
                    && ours(head).map_err(Stop::Ours)?
                {
                    newest = Some((whole.position(), head));
                }
                Ok(())
            });
            match found {
                Err(Stop::Ours(error)) => return Err(error),
                Err(Stop::Scan(error)) => return Err(error.into()),
                Ok(()) if newest.is_some() => return Ok(newest),
                Ok(()) => end = Offset(start),
            }
        }
        Ok(None)
    }
}

/// Error that ends a search early: the caller's, or ours.
enum Stop<E> {
    Ours(E),
    Scan(Error),
}

impl<E, F: Into<Error>> std::convert::From<F> for Stop<E> {
    fn from(error: F) -> Self {
        Self::Scan(error.into())
    }
}

const fn behind(entry: &Entry) -> Offset {
    Offset(entry.offset.0.saturating_add(1))
}

/// Error for entries that the log says it has and that do not come: it went away meanwhile, which says nothing about
/// what it holds.
fn late(offset: Offset) -> maidenlane_log::Error {
    let waited_ms = u64::try_from(READ_WITHIN.as_millis()).unwrap_or(u64::MAX);
    maidenlane_log::Error::Timeout { what: format!("reading offset {}", offset.0), waited_ms }
}

#[cfg(test)]
mod tests {
    use super::Scanner;
    use maidenlane_log::{Append, Backend, TopicOptions, segment};

    #[test]
    fn the_place_of_a_time_is_found_between_entries_without_one() {
        let dir = tempfile::tempdir().unwrap();
        let log = Backend::Segment(segment::Options::new(dir.path()));
        log.create("t", &TopicOptions::default()).unwrap();
        let times: Vec<[u8; 1]> = [0, 10, 0, 0, 20, 20, 0, 30, 0].map(|time| [time]).to_vec();
        let entries: Vec<_> = times.iter().map(|payload| Append { key: None, payload }).collect();
        let offsets = log.producer("t").unwrap().append(&entries).unwrap();
        let mut scanner = Scanner::new(log.consumer("t", 0).unwrap());
        let time_of = |entry: &maidenlane_log::Entry| {
            entry.payload.first().copied().map(u64::from).filter(|time| *time > 0)
        };
        let mut place = |since| {
            let found = scanner.first_since(since, time_of).unwrap();
            offsets.iter().position(|offset| *offset >= found).unwrap_or(offsets.len())
        };
        assert_eq!([5, 10, 11, 20, 25].map(&mut place), [0, 0, 2, 2, 6]);
        assert!(place(31) >= 8, "at or behind the last that is older");
    }
}
