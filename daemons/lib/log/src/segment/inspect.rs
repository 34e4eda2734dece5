//! Inspection of a partition for an operator: list it, verify it, cut it off.

use std::fs;
use std::path::{Path, PathBuf};

use super::files::{self, DURABLE, corrupt, failed, segment_path};
use super::mark::{Mark, MarkFile};
use super::partition::Partition;
use super::topic::Topic;
use super::walk::{Step, Walk};
use super::{Options, frame::HEADER_BYTES};
use crate::{Error, Offset};

/// Facts about one segment file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentInfo {
    /// Path of the file.
    pub path: PathBuf,
    /// Offset of its first entry.
    pub base: Offset,
    /// Number of published entries.
    pub entries: u64,
    /// Bytes of the file.
    pub bytes: u64,
    /// Time at which it was begun, in ms since 1970.
    pub created_ms: u64,
    /// Time at which its first published entry was appended.
    pub first_ms: Option<u64>,
    /// Time at which its last published entry was appended; only [`verify`] gets to see it.
    pub last_ms: Option<u64>,
}

/// Facts about one partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionInfo {
    /// Offset after the newest durable entry.
    pub end: Offset,
    /// Bytes behind the durable mark: an append on its way, or what a killed writer left.
    pub unpublished_bytes: u64,
    /// Segments, oldest first; the last one is appended to.
    pub segments: Vec<SegmentInfo>,
}

/// Names of all topics.
///
/// # Errors
/// When the directory cannot be listed.
pub fn topics(options: &Options) -> Result<Vec<String>, Error> {
    let mut names = Vec::new();
    for item in fs::read_dir(&options.dir).map_err(|error| failed("list", &options.dir, error))? {
        let item = item.map_err(|error| failed("list", &options.dir, error))?;
        let name = item.file_name().to_string_lossy().into_owned();
        if !name.starts_with('.') && item.path().join("topic").exists() {
            names.push(name);
        }
    }
    names.sort_unstable();
    Ok(names)
}

/// Number of partitions of `topic`.
///
/// # Errors
/// [`Error::NoTopic`] and the like.
pub fn partitions(options: &Options, topic: &str) -> Result<u32, Error> {
    Ok(Topic::open(options, topic)?.settings.partitions)
}

/// Offset after the newest durable entry of a partition, whatever its segments are like.
///
/// # Errors
/// [`Error::NoTopic`] and the like.
pub fn end(options: &Options, topic: &str, partition: u32) -> Result<Offset, Error> {
    let (_, mark) = marked(options, topic, partition)?;
    Ok(Offset(mark.end))
}

fn marked(options: &Options, topic: &str, partition: u32) -> Result<(PathBuf, Mark), Error> {
    let dir = Topic::open(options, topic)?.partition_dir(partition)?;
    let path = dir.join(DURABLE);
    let file = MarkFile::open(&path, false)?;
    let mark =
        file.ok_or_else(|| corrupt(&path, 0, "the file is gone; the next writer rebuilds it"))?.read()?;
    Ok((dir, mark))
}

/// Reads every published frame of a partition and checks its checksum and its place.
///
/// # Errors
/// [`Error::Corrupt`] names file and byte of the first damage, and what to cut off.
pub fn verify(options: &Options, topic: &str, partition: u32) -> Result<PartitionInfo, Error> {
    let (dir, mark) = marked(options, topic, partition)?;
    let mut next = None;
    verify_partition(&dir, &mark, &mut next).map_err(|error| match (error, next) {
        (Error::Corrupt { place, what, .. }, Some(good)) => {
            let lost = mark.end.saturating_sub(good);
            let cure = format!(
                "restore the file, or cut {lost} entries off, from offset {good} on: `maidenlane log cut --dir {} \
                 --topic {topic} --partition {partition} --entries {lost}`",
                options.dir.display()
            );
            Error::Corrupt { place, what, cure }
        }
        (Error::Corrupt { place, what, .. }, None) => {
            let cure = "restore its files; without them nothing of it can be kept: delete it, and make it anew".into();
            Error::Corrupt { place, what, cure }
        }
        (error, _) => error,
    })
}

/// `next` becomes the offset after the last good entry.
fn verify_partition(dir: &Path, mark: &Mark, next: &mut Option<u64>) -> Result<PartitionInfo, Error> {
    let mut info = PartitionInfo { end: Offset(mark.end), unpublished_bytes: 0, segments: Vec::new() };
    // Segments behind the mark are about to be published.
    for base in files::bases(dir)?.into_iter().filter(|base| *base <= mark.base) {
        if let Some(end) = next.filter(|next| *next != base) {
            let what = format!("begins at {base}, the segment before it ends at {end}");
            return Err(corrupt(&segment_path(dir, base), 0, what));
        }
        *next = Some(base);
        let (mut walk, header) = Walk::open(dir, base, HEADER_BYTES)?;
        let bytes = walk.file_bytes()?;
        let limit = if base == mark.base { mark.pos } else { bytes };
        let written_ms = verify_segment(&mut walk, next.get_or_insert(base), limit)?;
        let entries = next.unwrap_or(base) - base;
        info.unpublished_bytes = bytes.saturating_sub(limit);
        info.segments.push(SegmentInfo {
            path: segment_path(dir, base),
            base: Offset(base),
            entries,
            bytes,
            created_ms: header.created_ms,
            first_ms: written_ms.map(|(first, _)| first),
            last_ms: written_ms.map(|(_, last)| last),
        });
    }
    if *next != Some(mark.end) {
        return Err(files::missing(dir, mark.base));
    }
    Ok(info)
}

fn verify_segment(walk: &mut Walk, next: &mut u64, limit: u64) -> Result<Option<(u64, u64)>, Error> {
    let mut written_ms = None;
    loop {
        let pos = walk.pos();
        let what = match walk.step(limit)? {
            Step::Frame(frame) if frame.offset == *next => {
                *next += 1;
                written_ms = Some((written_ms.map_or(frame.time_ms, |(first, _)| first), frame.time_ms));
                continue;
            }
            Step::Frame(frame) => format!("offset {} where {next} belongs", frame.offset),
            Step::End => return Ok(written_ms),
            Step::Bad(what) => what,
        };
        return Err(corrupt(walk.path(), pos, what));
    }
}

/// Lists the segments of a partition without reading their frames.
///
/// # Errors
/// [`Error::NoTopic`] and the like.
pub fn inspect(options: &Options, topic: &str, partition: u32) -> Result<PartitionInfo, Error> {
    let (dir, mark) = marked(options, topic, partition)?;
    let mut info = PartitionInfo { end: Offset(mark.end), unpublished_bytes: 0, segments: Vec::new() };
    let bases: Vec<u64> = files::bases(&dir)?.into_iter().filter(|base| *base <= mark.base).collect();
    let ends = bases.iter().copied().skip(1).chain([mark.end]);
    for (base, end) in bases.iter().copied().zip(ends) {
        let (mut walk, header) = Walk::open(&dir, base, HEADER_BYTES)?;
        let bytes = walk.file_bytes()?;
        let limit = if base == mark.base { mark.pos } else { bytes };
        let first_ms = match walk.step(limit)? {
            Step::Frame(frame) => Some(frame.time_ms),
            Step::End | Step::Bad(_) => None,
        };
        info.unpublished_bytes = bytes.saturating_sub(limit);
        info.segments.push(SegmentInfo {
            path: segment_path(&dir, base),
            base: Offset(base),
            entries: end - base,
            bytes,
            created_ms: header.created_ms,
            first_ms,
            last_ms: None,
        });
    }
    Ok(info)
}

/// Cuts a partition off so that `end` is its end, whatever stands behind it, be it damaged. What was acknowledged is
/// lost: for repairs and for tests.
///
/// # Errors
/// [`Error::Refused`] if `end` is not retained or beyond the end.
pub fn cut(options: &Options, topic: &str, partition: u32, end: Offset) -> Result<(), Error> {
    let dir = Topic::open(options, topic)?.partition_dir(partition)?;
    Partition::open(&dir)?.cut(end.0, options.lock_wait)
}
