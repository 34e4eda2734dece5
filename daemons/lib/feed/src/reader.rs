//! Reader of a feed: entries in, whole records out.

use crate::position::Position;
use maidenlane_log::{Entry, Offset};
use maidenlane_wire::{DecodeError, Heading, Id, Joiner, Kind, Outline, Record, Stamp, Stamped};
use std::borrow::Cow;

/// Violation of the protocol, after which a feed cannot be read on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages name the fields")]
pub enum Violation {
    /// A record is missing.
    #[error("record {found} of epoch {epoch} follows record {expected_after}: the feed has a gap")]
    Gap {
        epoch: u64,
        /// Last `seq` that was read.
        expected_after: u64,
        found: u64,
    },
    /// The log does not begin with a writer's OPEN.
    #[error("the log begins in the middle of an epoch")]
    NoOpen,
    /// A record that counts names another feed.
    #[error("the topic holds another feed than before")]
    OtherFeed,
    /// No record, or parts that make none.
    #[error(transparent)]
    Unreadable(#[from] DecodeError),
}

/// Writer whose entries count, and its last sequence number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Owner {
    feed: Id,
    epoch: u64,
    writer: Id,
    seq: u64,
}

/// Certainty about the owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Footing {
    /// All entries that decide were read: only an OPEN of a higher epoch changes the owner.
    Firm,
    /// Reading began in the middle. The owner has won its epoch, but a higher one may have begun before.
    Middle,
    /// Reading began in the middle, and nothing but the owner's OPEN was read: it may have lost.
    Unproven,
}

/// Reader of one feed.
#[derive(Debug)]
pub struct Reader {
    owner: Option<Owner>,
    footing: Footing,
    /// True if the last record left a head change half-way.
    more: bool,
    /// Offset of the first entry of the record that is being put together.
    first: Offset,
    joiner: Joiner,
    /// Value of [`Whole::forget`] for the next record.
    forget: bool,
}

/// A record that counts, whole.
#[derive(Debug)]
pub struct Whole<'a> {
    /// Stamp of its last entry; `more` is corrected, as an OPEN never ends a head change.
    pub stamp: Stamp,
    /// Offset of its first entry.
    pub first: Offset,
    /// True if reading began in the middle, and all records before this one may be of writers that had been displaced.
    pub forget: bool,
    last: &'a Entry,
    bytes: Cow<'a, [u8]>,
}

impl Reader {
    /// Reader that begins with the first entry of a log.
    #[must_use]
    pub fn at_start() -> Self {
        Self::new(None, Footing::Firm, false)
    }

    /// Reader that begins anywhere in a log. A head change may be half-way there, until something else than an OPEN is
    /// read.
    #[must_use]
    pub fn in_middle() -> Self {
        Self::new(None, Footing::Middle, true)
    }

    /// Reader that goes on behind the record at `position`.
    #[must_use]
    pub fn behind(position: &Position) -> Self {
        let Position { feed, epoch, writer, seq, more, .. } = *position;
        Self::new(Some(Owner { feed, epoch, writer, seq }), Footing::Firm, more)
    }

    fn new(owner: Option<Owner>, footing: Footing, more: bool) -> Self {
        Self { owner, footing, more, first: Offset(0), joiner: Joiner::default(), forget: false }
    }

    /// The feed's uuid; `None` before the first entry that counts.
    #[must_use]
    pub fn feed(&self) -> Option<Id> {
        self.owner.map(|owner| owner.feed)
    }

    /// The newest epoch, 0 before the first.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.owner.map_or(0, |owner| owner.epoch)
    }

    /// The writer of the newest epoch.
    #[must_use]
    pub fn writer(&self) -> Option<Id> {
        self.owner.map(|owner| owner.writer)
    }

    /// The sequence number that is due.
    #[must_use]
    pub fn next_seq(&self) -> u64 {
        self.owner.map_or(0, |owner| owner.seq.saturating_add(1))
    }

    /// True if the last whole record left a head change half-way.
    #[must_use]
    pub const fn more(&self) -> bool {
        self.more
    }

    /// Takes the next entry of the log; returns the record that it makes whole, if it counts.
    ///
    /// # Errors
    /// When it breaks the protocol.
    pub fn read<'a>(&mut self, entry: &'a Entry) -> Result<Option<Whole<'a>>, Violation> {
        let heading = maidenlane_wire::heading(&entry.payload)?;
        if !self.admit(&heading)? {
            return Ok(None);
        }
        let Heading { kind, mut stamp } = heading;
        let bytes = if kind == Kind::Part {
            let Stamped { record: Record::Part(part), .. } = maidenlane_wire::decode(&entry.payload)? else {
                return Err(DecodeError::Invalid { what: "part" }.into());
            };
            if part.index == 0 {
                self.first = entry.offset;
            }
            let Some(whole) = self.joiner.join(&stamp, &part)? else { return Ok(None) };
            Cow::Owned(whole)
        } else {
            self.joiner.interrupt(&stamp)?;
            self.first = entry.offset;
            Cow::Borrowed(entry.payload.as_slice())
        };
        stamp.more |= kind == Kind::Open && self.more;
        self.more = stamp.more;
        let forget = std::mem::take(&mut self.forget);
        Ok(Some(Whole { stamp, first: self.first, forget, last: entry, bytes }))
    }

    /// True if an entry counts.
    ///
    /// # Correctness
    /// The owner of the newest epoch comes first, and everything else is asked only of the owner's entries: the others
    /// may say what they like.
    fn admit(&mut self, heading: &Heading) -> Result<bool, Violation> {
        let (stamp, is_open) = (&heading.stamp, heading.kind == Kind::Open);
        let Some(owner) = self.owner else {
            if !is_open && self.footing == Footing::Firm {
                return Err(Violation::NoOpen);
            }
            self.follow(stamp, is_open);
            return Ok(true);
        };
        let is_owner = (stamp.epoch, stamp.writer) == (owner.epoch, owner.writer);
        let is_new_owner = match self.footing {
            _ if is_open => stamp.epoch > owner.epoch,
            Footing::Firm => false,
            Footing::Middle => stamp.epoch > owner.epoch,
            Footing::Unproven => stamp.epoch >= owner.epoch && !is_owner,
        };
        if !is_new_owner && (is_open || !is_owner || stamp.seq <= owner.seq) {
            return Ok(false);
        }
        // A losing OPEN of an empty feed may be all that was read of the owner before.
        if stamp.feed != owner.feed && (is_owner || self.footing != Footing::Unproven) {
            return Err(Violation::OtherFeed);
        }
        if is_new_owner {
            self.follow(stamp, is_open);
            return Ok(true);
        }
        let (epoch, expected_after, found) = (stamp.epoch, owner.seq, stamp.seq);
        if expected_after.checked_add(1) != Some(found) {
            return Err(Violation::Gap { epoch, expected_after, found });
        }
        self.owner = Some(Owner { seq: found, ..owner });
        if self.footing == Footing::Unproven {
            // Had a higher epoch begun before its OPEN, the owner would have read it there.
            self.footing = Footing::Firm;
        }
        Ok(true)
    }

    fn follow(&mut self, stamp: &Stamp, is_open: bool) {
        let Stamp { feed, epoch, writer, seq, .. } = *stamp;
        self.owner = Some(Owner { feed, epoch, writer, seq });
        if self.footing == Footing::Firm {
            return;
        }
        self.footing = if is_open { Footing::Unproven } else { Footing::Middle };
        if !is_open {
            // Its OPEN stands before the first entry that was read, and displaced all others that were.
            (self.forget, self.more, self.joiner) = (true, true, Joiner::default());
        }
    }
}

impl Whole<'_> {
    /// Decodes the record.
    ///
    /// # Errors
    /// When the bytes are none.
    pub fn record(&self) -> Result<Record, DecodeError> {
        Ok(maidenlane_wire::decode(&self.bytes)?.record)
    }

    /// Decodes the record without bodies, receipts and rows.
    ///
    /// # Errors
    /// When the bytes are none.
    pub fn outline(&self) -> Result<Outline, DecodeError> {
        maidenlane_wire::outline(&self.bytes)
    }

    /// Position behind which to go on once this record is dealt with.
    #[must_use]
    pub fn position(&self) -> Position {
        let Stamp { feed, epoch, writer, seq, more, .. } = self.stamp;
        let crc32c = crc32c::crc32c(&self.last.payload);
        Position { feed, epoch, writer, seq, offset: self.last.offset.0, crc32c, more }
    }
}

#[cfg(test)]
mod tests;
