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
use super::turns::Turns;
use crate::{Entry, Error, From, GroupConsumer, Offset, Share};

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
    /// Readers of all partitions, by number.
    readers: Turns,
    /// Positions of all partitions, by number.
    positions: Vec<MarkFile>,
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
        let (mut readers, mut positions) = (Vec::new(), Vec::new());
        for partition in 0..self.topic.settings.partitions {
            let mut reader = Reader::open(&self.options, &self.topic, partition)?;
            let path = self.dir.join(partition.to_string());
            let position = match MarkFile::open(&path, true)? {
                Some(position) => {
                    resume(&mut reader, &position)?;
                    position
                }
                // Written down at once: retention must be noticed from now on, not skipped.
                None => MarkFile::create(&path, Mark { end: reader.earliest()?, ..Mark::default() })?,
            };
            readers.push(reader);
            positions.push(position);
        }
        Ok(Active { readers: Turns::new(readers), positions })
    }
}

/// Moves a reader to the committed position. One whose entry is gone is moved to the oldest there is, and told.
fn resume(reader: &mut Reader, position: &MarkFile) -> Result<(), Error> {
    let now = position.read()?;
    let sought = reader.seek(From::At(Offset(now.end)));
    if let Err(Error::RetentionGap { earliest, .. }) = &sought {
        position.publish(Mark { serial: now.serial + 1, end: *earliest, ..now })?;
        position.sync()?;
    }
    sought
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
            let entries = active.readers.read(max_bytes, deadline)?;
            let numbered = entries.into_iter().map(|(at, entry)| Some((u32::try_from(at).ok()?, entry)));
            return Ok(numbered.flatten().collect());
        }
    }

    fn share(&mut self) -> Result<Share, Error> {
        // Once active, a member stays so until it ends.
        let Some(active) = &self.active else { return Ok(Share::default()) };
        let count = u32::try_from(active.positions.len()).unwrap_or(u32::MAX);
        Ok(Share { turn: 1, partitions: (0..count).collect() })
    }

    fn commit(&mut self, partition: u32, offset: Offset) -> Result<(), Error> {
        let at = usize::try_from(partition).unwrap_or(usize::MAX);
        let Some(position) = self.active.as_ref().and_then(|active| active.positions.get(at)) else {
            let what = format!("partition {partition} of {} is not held by this member", self.topic.name);
            return Err(Error::Refused { what });
        };
        let now = position.read()?;
        let end = offset.0.saturating_add(1);
        if end <= now.end {
            return Ok(());
        }
        position.publish(Mark { serial: now.serial + 1, end, ..now })?;
        position.sync()
    }
}
