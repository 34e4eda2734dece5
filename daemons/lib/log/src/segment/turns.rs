//! Consumer of several partitions, each in its turn.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::Options;
use super::consumer::Reader;
use super::topic::Topic;
use crate::{Entry, Error, From, Place, PlacesConsumer, Watch};

/// Readers of several partitions, and the wait for news of any.
#[derive(Debug)]
pub struct Turns {
    readers: Vec<Reader>,
    watch: Watch,
    /// Reader whose turn it is, so that a busy one does not starve the others.
    turn: usize,
}

impl Turns {
    /// Opens the partitions of `places`, each where its place says.
    ///
    /// # Errors
    /// [`Error::NoTopic`], [`Error::RetentionGap`], [`Error::BeyondEnd`] and the like.
    pub fn open(options: &Options, places: &[Place]) -> Result<Self, Error> {
        let open = |place: &Place| {
            let mut reader = Reader::open(options, &Topic::open(options, &place.topic)?, place.partition)?;
            reader.seek(From::At(place.next))?;
            Ok(reader)
        };
        places.iter().map(open).collect::<Result<_, Error>>().map(Self::new)
    }

    pub(super) fn new(readers: Vec<Reader>) -> Self {
        let marks: Vec<PathBuf> = readers.iter().map(Reader::mark_path).collect();
        let watch = Watch::new(marks.iter().map(PathBuf::as_path));
        Self { readers, watch, turn: 0 }
    }

    /// Waits until `deadline` for entries, and takes those of the first reader that has some.
    pub(super) fn read(&mut self, max_bytes: usize, deadline: Instant) -> Result<Vec<(usize, Entry)>, Error> {
        loop {
            let entries = self.take(max_bytes)?;
            if !entries.is_empty() || !self.watch.until(deadline) {
                return Ok(entries);
            }
        }
    }

    /// Takes entries of the first reader that has some, beginning with the one whose turn it is.
    fn take(&mut self, max_bytes: usize) -> Result<Vec<(usize, Entry)>, Error> {
        let count = self.readers.len();
        for step in 0..count {
            let at = (self.turn + step) % count;
            let Some(reader) = self.readers.get_mut(at) else { continue };
            let entries = reader.take(max_bytes)?;
            if !entries.is_empty() {
                self.turn = at + 1;
                return Ok(entries.into_iter().map(|entry| (at, entry)).collect());
            }
        }
        Ok(Vec::new())
    }
}

impl PlacesConsumer for Turns {
    fn read(&mut self, max_bytes: usize, wait: Duration) -> Result<Vec<(usize, Entry)>, Error> {
        Self::read(self, max_bytes, Instant::now() + wait)
    }
}
