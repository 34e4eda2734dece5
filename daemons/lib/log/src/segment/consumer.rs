//! Consumer of one partition behind its mark, in any process, without a lock.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::files::{self, DURABLE, corrupt, segment_path};
use super::mark::{Mark, MarkFile};
use super::partition::Partition;
use super::topic::Topic;
use super::walk::{self, Step, Walk};
use super::{Options, frame::HEADER_BYTES};
use crate::{Entry, Error, From, LogConsumer, Offset, Watch};

/// Consumer of one partition.
#[derive(Debug)]
pub struct Consumer {
    reader: Reader,
    watch: Watch,
}

/// Reader without the waiting, which a group member does for all its partitions at once.
#[derive(Debug)]
pub(super) struct Reader {
    topic: String,
    dir: PathBuf,
    mark: MarkFile,
    lock_wait: Duration,
    /// Offset of the next entry.
    next: u64,
    /// Place of that entry, if known.
    at: Option<At>,
    /// Number of cuts as of the last look: a tail cut off under us makes places invalid.
    cuts: u64,
}

#[derive(Debug)]
struct At {
    base: u64,
    walk: Walk,
}

impl Consumer {
    /// Opens a partition, positioned at its earliest entry.
    ///
    /// # Errors
    /// [`Error::NoTopic`] and the like.
    pub fn open(options: &Options, topic: &str, partition: u32) -> Result<Self, Error> {
        let reader = Reader::open(options, &Topic::open(options, topic)?, partition)?;
        let watch = Watch::new([reader.mark_path().as_path()]);
        Ok(Self { reader, watch })
    }
}

impl LogConsumer for Consumer {
    fn seek(&mut self, from: From) -> Result<(), Error> {
        self.reader.seek(from)
    }

    fn read(&mut self, max_bytes: usize, wait: Duration) -> Result<Vec<Entry>, Error> {
        let deadline = Instant::now() + wait;
        loop {
            let entries = self.reader.take(max_bytes)?;
            if !entries.is_empty() || !self.watch.until(deadline) {
                return Ok(entries);
            }
        }
    }

    fn earliest(&mut self) -> Result<Offset, Error> {
        self.reader.earliest().map(Offset)
    }

    fn end(&mut self) -> Result<Offset, Error> {
        self.reader.mark.read().map(|mark| Offset(mark.end))
    }
}

impl Reader {
    pub(super) fn open(options: &Options, topic: &Topic, partition: u32) -> Result<Self, Error> {
        let dir = topic.partition_dir(partition)?;
        let path = dir.join(DURABLE);
        let mark = match MarkFile::open(&path, false)? {
            Some(mark) => mark,
            None => {
                // Deleted or not restored: settling under the lock rebuilds it.
                drop(Partition::open(&dir)?.lock(options.lock_wait)?);
                MarkFile::open(&path, false)?.ok_or_else(|| corrupt(&path, 0, "vanished"))?
            }
        };
        let cuts = mark.read()?.cuts;
        let (topic, lock_wait) = (topic.name.clone(), options.lock_wait);
        let mut reader = Self { topic, dir, mark, lock_wait, next: 0, at: None, cuts };
        reader.seek(From::Earliest)?;
        Ok(reader)
    }

    pub(super) fn mark_path(&self) -> PathBuf {
        self.dir.join(DURABLE)
    }

    pub(super) fn earliest(&self) -> Result<u64, Error> {
        let mark = self.mark.read()?;
        let bases = files::bases(&self.dir)?;
        // A cut may have come between the two.
        if !bases.contains(&mark.base) && self.mark.read()? == mark {
            return Err(files::missing(&self.dir, mark.base));
        }
        Ok(bases.first().copied().unwrap_or(mark.end).min(mark.end))
    }

    pub(super) fn seek(&mut self, from: From) -> Result<(), Error> {
        let next = match from {
            From::Earliest => self.earliest()?,
            From::End => self.mark.read()?.end,
            From::At(Offset(wanted)) => {
                self.refuse_beyond_end(wanted)?;
                self.refuse_gap(wanted)?;
                wanted
            }
        };
        if next != self.next {
            self.next = next;
            self.at = None;
        }
        Ok(())
    }

    fn refuse_gap(&self, wanted: u64) -> Result<(), Error> {
        match self.earliest()? {
            earliest if wanted < earliest => {
                Err(Error::RetentionGap { topic: self.topic.clone(), wanted, earliest })
            }
            _ => Ok(()),
        }
    }

    fn refuse_beyond_end(&self, wanted: u64) -> Result<(), Error> {
        if wanted <= self.mark.read()?.end {
            return Ok(());
        }
        // A mark may have lost its last writings in a power cut, though not the entries. A reader that may write looks.
        match Partition::open(&self.dir).and_then(|mut partition| partition.lock(self.lock_wait).map(drop)) {
            Ok(()) => {}
            Err(Error::Io { source, .. }) if source.kind() == std::io::ErrorKind::PermissionDenied => {}
            Err(error) => return Err(error),
        }
        match self.mark.read()?.end {
            end if wanted > end => Err(Error::BeyondEnd { topic: self.topic.clone(), wanted, end }),
            _ => Ok(()),
        }
    }

    /// Takes the entries that are there now, at least one if any is.
    pub(super) fn take(&mut self, max_bytes: usize) -> Result<Vec<Entry>, Error> {
        let mark = self.mark.read()?;
        if mark.cuts != self.cuts {
            self.at = None;
            self.cuts = mark.cuts;
        }
        if self.next > mark.end {
            return Err(Error::BeyondEnd { topic: self.topic.clone(), wanted: self.next, end: mark.end });
        }
        let (mut entries, mut bytes) = (Vec::new(), 0usize);
        while self.next < mark.end {
            match self.next_entry(&mark, |size| bytes == 0 || bytes.saturating_add(size) <= max_bytes) {
                Ok(Some(entry)) => {
                    bytes = bytes.saturating_add(size_of(&entry)).max(1);
                    entries.push(entry);
                }
                Ok(None) => break,
                // Reported at the next read, after the good entries have been taken.
                Err(_) if !entries.is_empty() => {
                    self.at = None;
                    break;
                }
                Err(error) => {
                    self.at = None;
                    return Err(error);
                }
            }
        }
        Ok(entries)
    }

    /// The next entry, or none if it does not fit.
    fn next_entry(&mut self, mark: &Mark, fits: impl Fn(usize) -> bool) -> Result<Option<Entry>, Error> {
        loop {
            let At { base, mut walk } = match self.at.take() {
                Some(at) => at,
                None => self.locate(mark)?,
            };
            let limit = if base == mark.base { mark.pos } else { walk.file_bytes()? };
            let pos = walk.pos();
            let step = walk.step(limit)?;
            let what = match step {
                Step::Frame(frame) if frame.offset == self.next => {
                    if !fits(frame.payload.len()) {
                        // Stepping back costs one more read of this frame, at the next call.
                        walk.back_to(pos);
                        self.at = Some(At { base, walk });
                        return Ok(None);
                    }
                    let key = frame.key.map(<[u8]>::to_vec);
                    let entry = Entry { offset: Offset(self.next), key, payload: frame.payload.to_vec() };
                    self.next += 1;
                    self.at = Some(At { base, walk });
                    return Ok(Some(entry));
                }
                // The next segment bears the next offset in its name.
                Step::End if base < mark.base && self.next > base => continue,
                Step::End => "ends before the mark".to_owned(),
                Step::Frame(frame) => format!("offset {} where {} belongs", frame.offset, self.next),
                Step::Bad(what) => what,
            };
            return Err(corrupt(walk.path(), pos, what));
        }
    }

    fn locate(&self, mark: &Mark) -> Result<At, Error> {
        let found = |bases: &[u64]| bases.iter().copied().rfind(|base| *base <= self.next);
        let Some(base) = found(&files::bases(&self.dir)?) else {
            self.refuse_gap(self.next)?;
            return Err(corrupt(&self.dir, 0, format!("no segment holds offset {}", self.next)));
        };
        let walk = self.or_gap(walk::at_offset(&self.dir, base, self.next, mark), base)?;
        if walk.pos() > HEADER_BYTES && base < mark.base && walk.pos() >= walk.file_bytes()? {
            // All of the segment was walked, yet the offset should be in it: its successor is missing.
            return Err(corrupt(
                &segment_path(&self.dir, base),
                walk.pos(),
                "the segment after this one is missing",
            ));
        }
        Ok(At { base, walk })
    }

    /// Replaces an error by [`Error::RetentionGap`] where retention has deleted a segment just before it was opened.
    fn or_gap<T>(&self, result: Result<T, Error>, base: u64) -> Result<T, Error> {
        if let Err(Error::Io { source, .. }) = &result
            && source.kind() == std::io::ErrorKind::NotFound
            && !Path::exists(&segment_path(&self.dir, base))
        {
            self.refuse_gap(self.next)?;
        }
        result
    }
}

fn size_of(entry: &Entry) -> usize {
    entry.payload.len()
}
