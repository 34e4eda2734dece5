//! Writing end of one partition, held by one process at a time under a `flock`.
//!
//! # Correctness
//! Everything that changes a partition happens between [`Partition::lock`] and the end of its guard, in this order:
//! settle (look at what the last holder did and repair it), write, fdatasync, publish the mark. A frame behind the
//! mark may be torn; a frame before it never is. An append that fails is cut off again before the lock is freed, so
//! that the next holder finds either nothing of it or, if this process is killed, a tail that it repairs.

use std::fs::{File, TryLockError};
use std::io::ErrorKind;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::files::{self, DURABLE, LOCK, failed, segment_path};
use super::frame::HEADER_BYTES;
use super::mark::{Mark, MarkFile};
use super::{index, walk};
use crate::{Error, TopicOptions};

const LOCK_PAUSE_MAX: Duration = Duration::from_millis(2);

/// One partition, not locked.
#[derive(Debug)]
pub(super) struct Partition {
    dir: PathBuf,
    lock: File,
    mark: Option<MarkFile>,
    open: Option<Open>,
    /// The mark of a failed append that the disk did not even let be cut off.
    uncut: Option<Mark>,
}

/// The active segment as this process left it.
#[derive(Debug)]
struct Open {
    mark: Mark,
    file: File,
    created_ms: u64,
    index: index::Writer,
}

/// A partition that no one else writes to.
#[derive(Debug)]
pub(super) struct Locked<'a> {
    partition: &'a mut Partition,
}

/// Frames of one append, encoded.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) bytes: Vec<u8>,
    /// Offset and place in `bytes` of each frame.
    pub(super) starts: Vec<(u64, u64)>,
}

impl Drop for Locked<'_> {
    fn drop(&mut self) {
        drop(self.partition.lock.unlock());
    }
}

impl Partition {
    pub(super) fn open(dir: &Path) -> Result<Self, Error> {
        let lock = files::open_lock(&dir.join(LOCK))?;
        Ok(Self { dir: dir.to_owned(), lock, mark: None, open: None, uncut: None })
    }

    /// Waits for its turn, then repairs what a killed holder left.
    pub(super) fn lock(&mut self, wait: Duration) -> Result<Locked<'_>, Error> {
        lock_file(&self.lock, &self.dir, wait)?;
        let mut locked = Locked { partition: self };
        locked.settle()?;
        Ok(locked)
    }

    /// Waits for its turn, and cuts the log off at `end` whatever stands behind it, be it damaged.
    pub(super) fn cut(&mut self, end: u64, wait: Duration) -> Result<(), Error> {
        lock_file(&self.lock, &self.dir, wait)?;
        let mut locked = Locked { partition: self };
        match locked.settle() {
            Ok(()) | Err(Error::Corrupt { .. }) => locked.cut(end),
            Err(error) => Err(error),
        }
    }
}

/// Takes a `flock` with a deadline, which the system call has not.
fn lock_file(lock: &File, dir: &Path, wait: Duration) -> Result<(), Error> {
    let deadline = Instant::now() + wait;
    let mut pause = Duration::from_micros(50);
    loop {
        match lock.try_lock() {
            Ok(()) => return Ok(()),
            Err(TryLockError::WouldBlock) if Instant::now() < deadline => std::thread::sleep(pause),
            Err(TryLockError::WouldBlock) => {
                let waited_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
                return Err(Error::Timeout { what: format!("locking {}", dir.display()), waited_ms });
            }
            Err(TryLockError::Error(error)) => return Err(failed("lock", dir, error)),
        }
        pause = (pause * 2).min(LOCK_PAUSE_MAX);
    }
}

impl Locked<'_> {
    /// Brings file and mark into line, whatever the last holder left.
    fn settle(&mut self) -> Result<(), Error> {
        let mark = self.read_mark()?;
        self.cut_off(mark)?;
        let is_mine = self.partition.open.as_ref().is_some_and(|open| open.mark == mark);
        if !is_mine {
            self.partition.open = None;
        }
        let path = segment_path(&self.partition.dir, mark.base);
        let bytes = match &self.partition.open {
            Some(open) => open.file.metadata(),
            None => std::fs::metadata(&path),
        };
        let bytes = bytes.map_err(|error| match error.kind() {
            ErrorKind::NotFound => files::missing(&self.partition.dir, mark.base),
            _ => failed("stat", &path, error),
        })?;
        let bytes = bytes.len();
        let rotated = mark.end > mark.base && segment_path(&self.partition.dir, mark.end).exists();
        let settled = self.partition.mark.is_some() && bytes == mark.pos && !rotated;
        let mark = if settled { mark } else { self.repair(mark)? };
        if self.partition.open.is_none() {
            let (file, header) = files::open_segment(&self.partition.dir, mark.base, true)?;
            let index = index::Writer::open(&self.partition.dir, mark.base, mark.pos);
            self.partition.open = Some(Open { mark, file, created_ms: header.created_ms, index });
        }
        Ok(())
    }

    /// Cuts off what is left of a failed append, unless another process has settled it meanwhile.
    fn cut_off(&mut self, mark: Mark) -> Result<(), Error> {
        if self.partition.uncut.is_some_and(|before| before == mark) {
            let (file, _) = files::open_segment(&self.partition.dir, mark.base, true)?;
            let path = segment_path(&self.partition.dir, mark.base);
            file.set_len(mark.pos).map_err(|error| failed("cut", &path, error))?;
        }
        self.partition.uncut = None;
        Ok(())
    }

    /// The mark; the front where there is none, because an operator deleted it or did not restore it: everything is read
    /// again from there before it is made anew, or readers would meet a log that lost its entries.
    fn read_mark(&mut self) -> Result<Mark, Error> {
        let path = self.partition.dir.join(DURABLE);
        if self.partition.mark.is_none() {
            self.partition.mark = MarkFile::open(&path, true)?;
        }
        if let Some(file) = &self.partition.mark {
            return file.read();
        }
        match files::bases(&self.partition.dir)?.first() {
            Some(&base) => Ok(Mark { serial: 0, end: base, base, pos: HEADER_BYTES, cuts: 0 }),
            None => Err(files::corrupt(&path, 0, "neither a mark nor a segment is there")),
        }
    }

    /// Keeps the whole frames behind the mark, whose writer may have been killed before it could acknowledge them, and
    /// cuts the rest off.
    fn repair(&mut self, mark: Mark) -> Result<Mark, Error> {
        self.partition.open = None;
        let dir = &self.partition.dir;
        let tail = walk::find_tail(dir, &mark)?;
        for base in files::bases(dir)?.into_iter().filter(|base| (mark.base..=tail.base).contains(base)) {
            let (file, _) = files::open_segment(dir, base, true)?;
            let path = segment_path(dir, base);
            if base == tail.base && tail.torn_bytes > 0 {
                file.set_len(tail.pos).map_err(|error| failed("cut", &path, error))?;
            }
            let from = if base == mark.base { mark.pos } else { 0 };
            files::rewrite(&file, from).map_err(|error| failed("write", &path, error))?;
            file.sync_all().map_err(|error| failed("sync", &path, error))?;
        }
        files::sync_dir(dir)?;
        let next =
            Mark { serial: mark.serial + 1, end: tail.end, base: tail.base, pos: tail.pos, cuts: mark.cuts };
        self.publish(next)?;
        Ok(next)
    }

    fn publish(&mut self, mark: Mark) -> Result<(), Error> {
        match &self.partition.mark {
            Some(file) => file.publish(mark),
            None => {
                self.partition.mark = Some(MarkFile::create(&self.partition.dir.join(DURABLE), mark)?);
                Ok(())
            }
        }
    }

    /// The present mark.
    pub(super) fn mark(&self) -> Mark {
        self.partition.open.as_ref().map(|open| open.mark).unwrap_or_default()
    }

    /// Appends a batch: writes, syncs and publishes; after an error nothing of it is there.
    pub(super) fn append(&mut self, batch: &Batch, entries: u64) -> Result<(), Error> {
        let Some(open) = self.partition.open.as_mut() else { return Ok(()) };
        let (before, path) = (open.mark, segment_path(&self.partition.dir, open.mark.base));
        let after = Mark {
            serial: before.serial + 1,
            end: before.end + entries,
            pos: before.pos + batch.bytes.len() as u64,
            ..before
        };
        let done = open
            .file
            .write_all_at(&batch.bytes, before.pos)
            .map_err(|error| failed("write", &path, error))
            .and_then(|()| open.file.sync_data().map_err(|error| failed("sync", &path, error)))
            .and_then(|()| self.partition.mark.as_ref().map_or(Ok(()), |file| file.publish(after)));
        match done {
            Ok(()) => {
                open.mark = after;
                for (offset, start) in &batch.starts {
                    open.index.note(*offset, before.pos + start);
                }
                Ok(())
            }
            Err(error) => {
                // After a failed sync the kernel may hold pages as clean that the disk has not: never trust them, and
                // above all not a second sync. Cut off, they are written again by who tries again.
                self.partition.uncut = open.file.set_len(before.pos).is_err().then_some(before);
                self.partition.open = None;
                Err(error)
            }
        }
    }

    /// Begins a new segment if the active one is full or, under a retention by age, old.
    pub(super) fn rotate_if_due(&mut self, settings: &TopicOptions, now_ms: u64) -> Result<(), Error> {
        let Some(open) = &self.partition.open else { return Ok(()) };
        let old = settings.retention_max_age.is_some_and(|age| {
            u128::from(now_ms.saturating_sub(open.created_ms)) >= (age.as_millis() / 4).max(1_000)
        });
        let empty = open.mark.end == open.mark.base;
        if empty || !(old || open.mark.pos >= settings.segment_max_bytes) {
            return Ok(());
        }
        let base = open.mark.end;
        let mark = Mark { serial: open.mark.serial + 1, base, pos: HEADER_BYTES, ..open.mark };
        let file = files::create_segment(&self.partition.dir, base, now_ms)?;
        // An index of an earlier life of this name would only mislead.
        drop(std::fs::remove_file(files::index_path(&self.partition.dir, base)));
        self.publish(mark)?;
        let index = index::Writer::open(&self.partition.dir, base, HEADER_BYTES);
        self.partition.open = Some(Open { mark, file, created_ms: now_ms, index });
        self.retain(settings, now_ms)
    }

    /// Deletes the oldest segments that the settings no longer keep; never the active one.
    pub(super) fn retain(&mut self, settings: &TopicOptions, now_ms: u64) -> Result<(), Error> {
        if settings.retention_max_bytes.is_none() && settings.retention_max_age.is_none() {
            return Ok(());
        }
        let dir = &self.partition.dir;
        let mut kept = Vec::new();
        for base in files::bases(dir)? {
            let (file, header) = files::open_segment(dir, base, false)?;
            let path = segment_path(dir, base);
            kept.push((base, header, file.metadata().map_err(|error| failed("stat", &path, error))?.len()));
        }
        let mut total: u64 = kept.iter().map(|(_, _, bytes)| bytes).sum();
        let mut deleted = false;
        for (one, next) in kept.iter().zip(kept.iter().skip(1)) {
            // Everything in a segment is older than the segment after it.
            let age_ms = u128::from(now_ms.saturating_sub(next.1.created_ms));
            let too_old = settings.retention_max_age.is_some_and(|most| age_ms > most.as_millis());
            // What remains must still be as much as was promised.
            let too_much =
                settings.retention_max_bytes.is_some_and(|most| total.saturating_sub(one.2) >= most);
            if !(too_old || too_much) {
                break;
            }
            if !deleted {
                // A mark that a power cut sets back must not point at what is gone.
                self.partition.mark.as_ref().map_or(Ok(()), MarkFile::sync)?;
            }
            let path = segment_path(dir, one.0);
            std::fs::remove_file(&path).map_err(|error| failed("delete", &path, error))?;
            drop(std::fs::remove_file(files::index_path(dir, one.0)));
            total = total.saturating_sub(one.2);
            deleted = true;
        }
        if deleted { files::sync_dir(dir) } else { Ok(()) }
    }

    /// Cuts the log off at `end`, which must be the offset of a retained entry or the end.
    fn cut(&mut self, end: u64) -> Result<(), Error> {
        let mark = self.read_mark()?;
        let dir = self.partition.dir.clone();
        let bases = files::bases(&dir)?;
        // The segment that `end` begins is not needed, and may be damaged.
        let before = bases.iter().copied().rfind(|base| *base < end);
        let base = before.or_else(|| bases.iter().copied().find(|base| *base == end));
        let Some(base) = base.filter(|_| end <= mark.end) else {
            let from = bases.first().copied().unwrap_or(mark.end);
            let what = format!("{} has offsets {from} to {}, not {end}", dir.display(), mark.end);
            return Err(Error::Refused { what });
        };
        let pos = walk::at_offset(&dir, base, end, &mark)?.pos();
        self.partition.open = None;
        // The mark first: were a file shortened before it, a power cut would leave a mark that claims too much.
        self.publish(Mark { serial: mark.serial + 1, end, base, pos, cuts: mark.cuts + 1 })?;
        self.partition.mark.as_ref().map_or(Ok(()), MarkFile::sync)?;
        // Newest first: killed on the way, what is left is a log without a gap.
        for gone in bases.iter().rev().filter(|gone| **gone > base) {
            let path = segment_path(&dir, *gone);
            std::fs::remove_file(&path).map_err(|error| failed("delete", &path, error))?;
            drop(std::fs::remove_file(files::index_path(&dir, *gone)));
        }
        drop(std::fs::remove_file(files::index_path(&dir, base)));
        let (file, _) = files::open_segment(&dir, base, true)?;
        let path = segment_path(&dir, base);
        file.set_len(pos).and_then(|()| file.sync_all()).map_err(|error| failed("cut", &path, error))?;
        files::sync_dir(&dir)
    }
}
