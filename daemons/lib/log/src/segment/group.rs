//! Consumer groups: the holder of a `flock` beside the committed positions is the one active member.
//!
//! The kernel frees the lock when its holder dies in whatever way, so a standby takes over at once and no member
//! that lost its share can commit.

use std::fs::{File, TryLockError};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::Options;
use super::consumer::Reader;
use super::files::{self, LOCK, failed};
use super::mark::{Mark, MarkFile};
use super::topic::{Topic, refuse_bad_name};
use crate::{Entry, Error, From, GroupConsumer, Offset, Share as Held, Watch};

/// Interval at which a standby tries for the lock.
const STANDBY_LOOK_EVERY: Duration = Duration::from_millis(20);

/// A member of a consumer group.
#[derive(Debug)]
pub struct Group {
    options: Options,
    topic: Topic,
    dir: PathBuf,
    lock: File,
    /// Partitions and positions of an active member.
    active: Option<Active>,
}

#[derive(Debug)]
struct Active {
    shares: Vec<Share>,
    watch: Watch,
    /// Partition whose turn it is, so that a busy one does not starve the others.
    turn: usize,
}

#[derive(Debug)]
struct Share {
    partition: u32,
    reader: Reader,
    position: MarkFile,
}

impl Group {
    /// Joins `group`, as a standby first.
    ///
    /// # Errors
    /// [`Error::NoTopic`] and the like.
    pub fn open(options: &Options, topic: &str, group: &str) -> Result<Self, Error> {
        refuse_bad_name(group)?;
        let topic = Topic::open(options, topic)?;
        let groups = topic.dir.join("groups");
        let dir = groups.join(group);
        files::make_dir(&dir, true)?;
        files::sync_dir(&groups)?;
        let lock = files::open_lock(&dir.join(LOCK))?;
        Ok(Self { options: options.clone(), topic, dir, lock, active: None })
    }

    /// The active member's share, if this member is the active one.
    fn activate(&mut self) -> Result<Option<&mut Active>, Error> {
        if self.active.is_none() {
            match self.lock.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(error)) => return Err(failed("lock", &self.dir, error)),
            }
            self.active = Some(self.load().inspect_err(|_| drop(self.lock.unlock()))?);
        }
        Ok(self.active.as_mut())
    }

    fn load(&self) -> Result<Active, Error> {
        let mut shares = Vec::new();
        for partition in 0..self.topic.settings.partitions {
            let mut reader = Reader::open(&self.options, &self.topic, partition)?;
            let path = self.dir.join(partition.to_string());
            let position = match MarkFile::open(&path, true)? {
                Some(position) => {
                    reader.seek(From::At(Offset(position.read()?.end)))?;
                    position
                }
                // Written down at once: retention must be noticed from now on, not skipped.
                None => MarkFile::create(&path, Mark { end: reader.earliest()?, ..Mark::default() })?,
            };
            shares.push(Share { partition, reader, position });
        }
        let marks: Vec<PathBuf> = shares.iter().map(|share| share.reader.mark_path()).collect();
        let watch = Watch::new(marks.iter().map(PathBuf::as_path));
        Ok(Active { shares, watch, turn: 0 })
    }
}

impl Active {
    /// Takes entries of the first partition that has some, beginning with the one whose turn it is.
    fn take(&mut self, max_bytes: usize) -> Result<Vec<(u32, Entry)>, Error> {
        let count = self.shares.len();
        for step in 0..count {
            let at = (self.turn + step) % count;
            let Some(share) = self.shares.get_mut(at) else { continue };
            let entries = share.reader.take(max_bytes)?;
            if !entries.is_empty() {
                let partition = share.partition;
                self.turn = at + 1;
                return Ok(entries.into_iter().map(|entry| (partition, entry)).collect());
            }
        }
        Ok(Vec::new())
    }
}

impl GroupConsumer for Group {
    fn read(&mut self, max_bytes: usize, wait: Duration) -> Result<Vec<(u32, Entry)>, Error> {
        let deadline = Instant::now() + wait;
        loop {
            let Some(active) = self.activate()? else {
                let left = deadline.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    return Ok(Vec::new());
                }
                std::thread::sleep(left.min(STANDBY_LOOK_EVERY));
                continue;
            };
            let entries = active.take(max_bytes)?;
            if !entries.is_empty() || !active.watch.until(deadline) {
                return Ok(entries);
            }
        }
    }

    fn share(&mut self) -> Result<Held, Error> {
        // Once active, a member stays so until it ends.
        let Some(active) = &self.active else { return Ok(Held::default()) };
        let partitions = active.shares.iter().map(|share| share.partition).collect();
        Ok(Held { turn: 1, partitions })
    }

    fn commit(&mut self, partition: u32, offset: Offset) -> Result<(), Error> {
        let share = self
            .active
            .as_ref()
            .and_then(|active| active.shares.iter().find(|one| one.partition == partition));
        let Some(share) = share else {
            let what = format!("partition {partition} of {} is not held by this member", self.topic.name);
            return Err(Error::Refused { what });
        };
        let now = share.position.read()?;
        let end = offset.0.saturating_add(1);
        if end <= now.end {
            return Ok(());
        }
        share.position.publish(Mark { serial: now.serial + 1, end, ..now })?;
        share.position.sync()
    }
}
