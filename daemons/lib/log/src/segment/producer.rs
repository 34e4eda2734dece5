//! Producer of the partitions of a topic.

use std::time::Duration;

use super::frame::Frame;
use super::partition::{Batch, Partition};
use super::topic::Topic;
use super::{Options, files};
use crate::{Append, Error, LogProducer, Offset};

/// Producer of one topic, next to any number of others in other threads and processes.
///
/// All entries of one call share one write and one fdatasync per partition. With several partitions an error leaves
/// open which of them took their entries.
#[derive(Debug)]
pub struct Producer {
    topic: Topic,
    partitions: Vec<Own>,
    lock_wait: Duration,
}

/// A partition and how often it was cut when this producer last looked: after a cut, its next entries may no longer fit
/// what is there.
#[derive(Debug)]
struct Own {
    partition: Partition,
    cuts: u64,
}

impl Producer {
    /// Opens `topic` and repairs what a killed writer left.
    ///
    /// # Errors
    /// [`Error::NoTopic`], [`Error::Corrupt`] and the like.
    pub fn open(options: &Options, topic: &str) -> Result<Self, Error> {
        let topic = Topic::open(options, topic)?;
        files::close_to_others(&topic.dir);
        let mut partitions = Vec::new();
        for number in 0..topic.settings.partitions {
            let mut partition = Partition::open(&topic.partition_dir(number)?)?;
            let mut locked = partition.lock(options.lock_wait)?;
            locked.retain(&topic.settings, files::now_ms())?;
            let cuts = locked.mark().cuts;
            drop(locked);
            partitions.push(Own { partition, cuts });
        }
        Ok(Self { topic, partitions, lock_wait: options.lock_wait })
    }

    fn refuse_too_large(&self, entries: &[Append<'_>]) -> Result<(), Error> {
        let max_bytes = self.topic.settings.entry_max_bytes;
        let size = |entry: &Append<'_>| entry.payload.len() + entry.key.map_or(0, <[u8]>::len);
        match entries.iter().map(size).find(|bytes| *bytes > max_bytes) {
            Some(bytes) => Err(Error::TooLarge { topic: self.topic.name.clone(), bytes, max_bytes }),
            None => Ok(()),
        }
    }
}

impl LogProducer for Producer {
    fn append(&mut self, entries: &[Append<'_>]) -> Result<Vec<Offset>, Error> {
        self.refuse_too_large(entries)?;
        let homes: Vec<u32> = entries.iter().map(|entry| self.topic.partition_of(entry.key)).collect();
        let mut offsets = vec![Offset(0); entries.len()];
        for (number, Own { partition, cuts }) in (0u32..).zip(&mut self.partitions) {
            let of_home =
                || entries.iter().zip(&homes).filter(|(_, home)| **home == number).map(|(entry, _)| entry);
            if of_home().next().is_none() {
                continue;
            }
            let now_ms = files::now_ms();
            let mut locked = partition.lock(self.lock_wait)?;
            let mark = locked.mark();
            if std::mem::replace(cuts, mark.cuts) != mark.cuts {
                return Err(Error::Cut { topic: self.topic.name.clone(), end: mark.end });
            }
            locked.rotate_if_due(&self.topic.settings, now_ms)?;
            let first = locked.mark().end;
            let (batch, count) = encode(of_home(), first, now_ms)?;
            locked.append(&batch, count)?;
            let places = offsets.iter_mut().zip(&homes).filter(|(_, home)| **home == number);
            for ((place, _), offset) in places.zip(first..) {
                *place = Offset(offset);
            }
        }
        Ok(offsets)
    }
}

fn encode<'a>(
    entries: impl Iterator<Item = &'a Append<'a>>,
    first: u64,
    time_ms: u64,
) -> Result<(Batch, u64), Error> {
    let mut batch = Batch::default();
    let mut offset = first;
    for entry in entries {
        batch.starts.push((offset, batch.bytes.len() as u64));
        let frame = Frame { offset, batch: first, time_ms, key: entry.key, payload: entry.payload };
        if !frame.encode(&mut batch.bytes) {
            let what = format!("an entry of {} bytes does not fit into a frame", entry.payload.len());
            return Err(Error::Refused { what });
        }
        offset += 1;
    }
    Ok((batch, offset - first))
}
