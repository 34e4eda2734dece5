//! Backlog of a consumer group, seen from outside the group.

use super::Options;
use super::consumer::Reader;
use super::mark::MarkFile;
use super::topic::{Topic, refuse_bad_name};
use crate::{Entry, Error, From, Offset};

/// The oldest entry that `group` has not committed, of each partition that has one.
///
/// # Errors
/// [`Error::NoTopic`] and the like.
pub fn unconsumed(options: &Options, topic: &str, group: &str) -> Result<Vec<(u32, Entry)>, Error> {
    refuse_bad_name(group)?;
    let topic = Topic::open(options, topic)?;
    let dir = topic.dir.join("groups").join(group);
    let mut oldest = Vec::new();
    for partition in 0..topic.settings.partitions {
        let mut reader = Reader::open(options, &topic, partition)?;
        if let Some(position) = MarkFile::open(&dir.join(partition.to_string()), false)? {
            match reader.seek(From::At(Offset(position.read()?.end))) {
                // Entries that retention has taken are nobody's to consume any more: from the earliest, where it
                // stands.
                Ok(()) | Err(Error::RetentionGap { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        oldest.extend(reader.take(1)?.into_iter().next().map(|entry| (partition, entry)));
    }
    Ok(oldest)
}
