//! Reach of a log: the records that it still holds, and whether what comes next for a database is among them.

use crate::error::Error;
use maidenlane_feed::Scanner;
use maidenlane_log::{Backend, Error as LogError, Offset};
use maidenlane_store::{Position, Proofs, SetPosition};
use maidenlane_wire::Id;
use std::time::Duration;

/// Time in which the newest record must come.
const READ_WITHIN: Duration = Duration::from_secs(10);

/// Records that a log holds of a feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reach {
    /// The feed's uuid.
    pub feed: Id,
    /// Offset of the oldest record.
    pub earliest: u64,
    /// Offset of the oldest entry with trie nodes, where they are kept.
    pub sets_earliest: Option<u64>,
}

impl Reach {
    /// Asks a log; `None` if it holds nothing.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn of(log: &Backend, blocks: &str, proofs: Option<&str>) -> Result<Option<Self>, Error> {
        let mut feed = Scanner::new(log.consumer(blocks, 0)?);
        let (earliest, end) = (feed.earliest()?, feed.end()?);
        let Some(newest) = end.0.checked_sub(1).filter(|newest| *newest >= earliest.0) else {
            return Ok(None);
        };
        let entries = feed.read(Offset(newest), 1, READ_WITHIN)?;
        let Some(entry) = entries.first() else { return Ok(None) };
        let unreadable = |source| Error::Record { offset: entry.offset.0, source };
        let feed = maidenlane_wire::heading(&entry.payload).map_err(unreadable)?.stamp.feed;
        let sets_earliest = proofs.map(|topic| Ok::<_, Error>(log.consumer(topic, 0)?.earliest()?.0));
        Ok(Some(Self { feed, earliest: earliest.0, sets_earliest: sets_earliest.transpose()? }))
    }

    /// True if the log carries the feed of that position.
    #[must_use]
    pub fn is_of(&self, position: &Position) -> bool {
        self.feed == position.feed
    }

    /// Refuses a database that the log has left behind: what comes next for it is gone. Offsets of another feed say
    /// nothing about that.
    ///
    /// # Errors
    /// [`LogError::RetentionGap`].
    pub fn holds_next(&self, position: Option<&Position>, proofs: Option<&Proofs>) -> Result<(), LogError> {
        // Without a position, the feed's first record comes next.
        let next = match position {
            Some(position) if !self.is_of(position) => return Ok(()),
            Some(position) => position.offset.saturating_add(1),
            None => 0,
        };
        blocks_hold(next, Offset(self.earliest))?;
        match (proofs.and_then(|proofs| proofs.position), self.sets_earliest) {
            (Some(applied), Some(earliest)) => sets_hold(applied, Offset(earliest)),
            _ => Ok(()),
        }
    }
}

/// Refuses a feed without the record at `next`. Of one that retention took, the next one still proves by its `seq` that
/// nothing is missing: so the record applied last may be gone.
pub(crate) fn blocks_hold(next: u64, earliest: Offset) -> Result<(), LogError> {
    hold("the feed", next, earliest)
}

/// Refuses a topic of trie nodes without what comes behind the set that was applied last.
pub(crate) fn sets_hold(applied: SetPosition, earliest: Offset) -> Result<(), LogError> {
    hold("the trie nodes", applied.offset.saturating_add(1), earliest)
}

fn hold(topic: &str, wanted: u64, earliest: Offset) -> Result<(), LogError> {
    if wanted >= earliest.0 {
        return Ok(());
    }
    Err(LogError::RetentionGap { topic: topic.to_owned(), wanted, earliest: earliest.0 })
}

#[cfg(test)]
mod tests {
    use super::Reach;
    use maidenlane_store::{Position, Proofs, SetPosition};
    use maidenlane_wire::Id;

    const OURS: Id = [1; 16];

    fn check(at: Option<(Id, u64)>, set: Option<u64>, expect: Option<&str>) {
        let reach = Reach { feed: OURS, earliest: 100, sets_earliest: Some(50) };
        let position = at.map(|(feed, offset)| Position {
            feed,
            epoch: 1,
            writer: feed,
            seq: 9,
            offset,
            crc32c: 0,
            more: false,
        });
        let position_of = |offset| SetPosition { offset, crc32c: 0 };
        let proofs = Proofs { floor: 0, position: set.map(position_of) };
        let refused = reach.holds_next(position.as_ref(), Some(&proofs)).err().map(|error| error.to_string());
        match expect {
            None => assert_eq!(refused, None, "{at:?} {set:?}"),
            Some(part) => assert!(refused.as_deref().is_some_and(|text| text.contains(part)), "{refused:?}"),
        }
    }

    #[test]
    fn a_database_whose_next_record_is_gone_is_refused() {
        check(Some((OURS, 99)), Some(49), None);
        check(Some((OURS, 98)), Some(49), Some("offset 99 of the feed is gone, the oldest retained is 100"));
        check(Some((OURS, 99)), Some(48), Some("offset 49 of the trie nodes is gone"));
        check(Some((OURS, 99)), None, None);
        check(None, None, Some("offset 0 of the feed is gone"));
        // Of another feed nothing is known.
        check(Some(([2; 16], 3)), Some(3), None);
    }
}
