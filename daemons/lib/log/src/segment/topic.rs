//! Topics: their directory, their settings and the choice of a partition.
//!
//! ```text
//! <dir>/<topic>/topic                    settings, written whole
//! <dir>/<topic>/<partition>/{lock,durable,<base>.log,<base>.index}
//! <dir>/<topic>/groups/<group>/{lock,<partition>}
//! ```

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::files::{self, DURABLE, failed};
use super::frame::{FRAME_FIXED_BYTES, FRAME_MAX_BYTES, HEADER_BYTES};
use super::mark::{Mark, MarkFile};
use super::{Options, files::corrupt};
use crate::{Error, TopicNeeds, TopicOptions};

const FIRST_LINE: &str = "maidenlane-topic 1";
const PARTITIONS_MAX: u32 = 1024;
/// Counter that keeps creations by threads of one process apart.
static TURN: AtomicU64 = AtomicU64::new(0);

/// An existing topic.
#[derive(Clone, Debug)]
pub(super) struct Topic {
    pub(super) name: String,
    pub(super) dir: PathBuf,
    pub(super) settings: TopicOptions,
}

impl Topic {
    pub(super) fn open(options: &Options, name: &str) -> Result<Self, Error> {
        refuse_bad_name(name)?;
        let dir = options.dir.join(name);
        let path = dir.join("topic");
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(Error::NoTopic { topic: dir.display().to_string() });
            }
            Err(error) => return Err(failed("read", &path, error)),
        };
        let settings = parse(&text).map_err(|what| corrupt(&path, 0, what))?;
        Ok(Self { name: name.to_owned(), dir, settings })
    }

    pub(super) fn partition_dir(&self, partition: u32) -> Result<PathBuf, Error> {
        if partition < self.settings.partitions {
            return Ok(self.dir.join(partition.to_string()));
        }
        let (name, count) = (&self.name, self.settings.partitions);
        Err(Error::Refused {
            what: format!("{name} has no partition {partition}, only {count} of them from 0 on"),
        })
    }

    /// The partition of `key`, chosen as Kafka's Java clients do.
    pub(super) fn partition_of(&self, key: Option<&[u8]>) -> u32 {
        key.map_or(0, |key| partition_of(key, self.settings.partitions))
    }
}

/// Creates `topic` with its partitions; false if it exists, whose settings then stay as they are.
///
/// # Errors
/// [`Error::Refused`] for impossible options, [`Error::Io`] and the like.
pub fn create(options: &Options, topic: &str, with: &TopicOptions) -> Result<bool, Error> {
    refuse_bad_name(topic)?;
    refuse_bad_options(with)?;
    let target = options.dir.join(topic);
    if target.join("topic").exists() {
        return Ok(false);
    }
    if !options.dir.exists() {
        files::make_dir(&options.dir, true)?;
    }
    // Built aside and renamed, so that no one meets half a topic.
    let (process, turn) = (std::process::id(), TURN.fetch_add(1, Ordering::Relaxed));
    let aside = options.dir.join(format!(".{topic}.new.{process}.{turn}"));
    drop(fs::remove_dir_all(&aside));
    let built = build(&aside, with).and_then(|()| match fs::rename(&aside, &target) {
        Ok(()) => files::sync_dir(&options.dir).map(|()| true),
        Err(_) if target.join("topic").exists() => Ok(false),
        Err(error) => Err(failed("create", &target, error)),
    });
    if !matches!(built, Ok(true)) {
        drop(fs::remove_dir_all(&aside));
    }
    built
}

fn build(dir: &Path, with: &TopicOptions) -> Result<(), Error> {
    files::make_dir(dir, false)?;
    files::make_dir(&dir.join("groups"), false)?;
    for partition in 0..with.partitions {
        let dir = dir.join(partition.to_string());
        files::make_dir(&dir, false)?;
        files::open_lock(&dir.join(files::LOCK))?;
        files::create_segment(&dir, 0, files::now_ms())?;
        MarkFile::create(&dir.join(DURABLE), Mark { pos: HEADER_BYTES, ..Mark::default() })?;
    }
    files::write_whole(&dir.join("topic"), render(with).as_bytes())
}

/// Has `topic` keep entries for `age` at most, from the next start of its producers on; false if it keeps none longer.
///
/// # Errors
/// [`Error::NoTopic`] and the like.
pub fn shorten(options: &Options, topic: &str, age: Duration) -> Result<bool, Error> {
    let Topic { dir, settings, .. } = Topic::open(options, topic)?;
    if settings.retention_max_age.is_some_and(|has| has <= age) {
        return Ok(false);
    }
    let shorter = TopicOptions { retention_max_age: Some(age), ..settings };
    files::write_whole(&dir.join("topic"), render(&shorter).as_bytes()).map(|()| true)
}

/// Judges the settings of `topic`: those that would lose data.
///
/// # Errors
/// [`Error::NoTopic`] and the like.
pub fn check(options: &Options, topic: &str, needs: &TopicNeeds) -> Result<Vec<String>, Error> {
    let has = Topic::open(options, topic)?.settings;
    let mut hazards = Vec::new();
    if let Some(wanted) = needs.partitions.filter(|wanted| *wanted != has.partitions) {
        hazards.push(format!("{topic} has {} partitions where {wanted} are expected", has.partitions));
    }
    if has.entry_max_bytes < needs.entry_bytes {
        let (max, need) = (has.entry_max_bytes, needs.entry_bytes);
        hazards.push(format!("{topic} takes entries up to {max} bytes, {need} are needed"));
    }
    if let Some(age) = has.retention_max_age.filter(|age| *age < needs.retention_min_age) {
        let (has, need) = (age.as_secs(), needs.retention_min_age.as_secs());
        hazards.push(format!("{topic} deletes entries after {has} s, {need} s are needed"));
    }
    if let Some(has) = has.retention_max_bytes.filter(|bytes| *bytes < needs.retention_min_bytes) {
        hazards.push(format!("{topic} keeps {has} bytes, {}", needs.wanted_bytes()));
    }
    Ok(hazards)
}

fn refuse_bad_options(with: &TopicOptions) -> Result<(), Error> {
    let most = FRAME_MAX_BYTES - FRAME_FIXED_BYTES;
    let what = if !(1..=PARTITIONS_MAX).contains(&with.partitions) {
        format!("a topic has 1 to {PARTITIONS_MAX} partitions, not {}", with.partitions)
    } else if !(1..=most).contains(&with.entry_max_bytes) {
        format!("the largest entry of a topic may have 1 to {most} bytes, not {}", with.entry_max_bytes)
    } else {
        return Ok(());
    };
    Err(Error::Refused { what })
}

/// Refuses a name that cannot be a topic's: names are directory names, and the same on Kafka.
pub(crate) fn refuse_bad_name(name: &str) -> Result<(), Error> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    if (1..=200).contains(&name.len()) && name.bytes().all(fits) && !name.starts_with('.') {
        return Ok(());
    }
    let what = format!("{name:?} is no name: 1 to 200 of A-Z a-z 0-9 . _ - are, not beginning with a dot");
    Err(Error::Refused { what })
}

fn render(with: &TopicOptions) -> String {
    let age_ms = with.retention_max_age.map(|age| u64::try_from(age.as_millis()).unwrap_or(u64::MAX));
    let or_none = |value: Option<u64>| value.map_or_else(|| "none".to_owned(), |value| value.to_string());
    format!(
        "{FIRST_LINE}\npartitions {}\nentry_max_bytes {}\nsegment_max_bytes {}\nretention_max_bytes {}\nretention_max_age_ms {}\n",
        with.partitions,
        with.entry_max_bytes,
        with.segment_max_bytes,
        or_none(with.retention_max_bytes),
        or_none(age_ms),
    )
}

fn parse(text: &str) -> Result<TopicOptions, String> {
    let mut lines = text.lines();
    if lines.next() != Some(FIRST_LINE) {
        return Err(format!("the first line of topic settings is {FIRST_LINE:?} in this format"));
    }
    let mut field = |name: &str| -> Result<Option<u64>, String> {
        let line = lines.next().unwrap_or_default();
        match line.split_once(' ') {
            Some((found, "none")) if found == name => Ok(None),
            Some((found, value)) if found == name => {
                value.parse().map(Some).map_err(|_| format!("{name} {value:?} is no number"))
            }
            _ => Err(format!("{line:?} stands where {name} belongs")),
        }
    };
    let mut number = |name: &str| field(name)?.ok_or_else(|| format!("{name} must be a number"));
    let partitions = u32::try_from(number("partitions")?).map_err(|error| error.to_string())?;
    let entry_max_bytes = usize::try_from(number("entry_max_bytes")?).map_err(|error| error.to_string())?;
    let segment_max_bytes = number("segment_max_bytes")?;
    Ok(TopicOptions {
        partitions,
        entry_max_bytes,
        segment_max_bytes,
        retention_max_bytes: field("retention_max_bytes")?,
        retention_max_age: field("retention_max_age_ms")?.map(Duration::from_millis),
        ..TopicOptions::default()
    })
}

/// Partition of a key among so many, chosen as Kafka's Java clients do, by both backends.
#[must_use]
pub fn partition_of(key: &[u8], partitions: u32) -> u32 {
    (murmur2(key) & 0x7fff_ffff) % partitions.max(1)
}

/// Hash of keys as in Kafka.
fn murmur2(key: &[u8]) -> u32 {
    const M: u32 = 0x5bd1_e995;
    let len = u32::try_from(key.len()).unwrap_or(u32::MAX);
    let (words, rest) = key.as_chunks::<4>();
    let mut hash = 0x9747_b28c ^ len;
    for word in words {
        let mixed = u32::from_le_bytes(*word).wrapping_mul(M);
        hash = hash.wrapping_mul(M) ^ (mixed ^ (mixed >> 24)).wrapping_mul(M);
    }
    if !rest.is_empty() {
        let tail = rest.iter().rev().fold(0, |tail, byte| (tail << 8) | u32::from(*byte));
        hash = (hash ^ tail).wrapping_mul(M);
    }
    hash = (hash ^ (hash >> 13)).wrapping_mul(M);
    hash ^ (hash >> 15)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{murmur2, parse, refuse_bad_name, render};
    use crate::TopicOptions;

    /// Test with values of Kafka's own UtilsTest.
    #[test]
    fn keys_hash_as_in_java() {
        for (key, hash) in [
            ("21", -973_932_308),
            ("foobar", -790_332_482),
            ("a-little-bit-long-string", -985_981_536),
            ("a-little-bit-longer-string", -1_486_304_829),
            ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
        ] {
            assert_eq!(murmur2(key.as_bytes()).cast_signed(), hash, "{key}");
        }
    }

    #[test]
    fn settings_come_back() {
        let full = TopicOptions {
            partitions: 8,
            retention_max_bytes: Some(5),
            retention_max_age: Some(Duration::from_millis(7)),
            ..TopicOptions::default()
        };
        for options in [TopicOptions::default(), full] {
            assert_eq!(parse(&render(&options)), Ok(options));
        }
        assert!(parse("maidenlane-topic 2\n").is_err());
        assert!(parse("maidenlane-topic 1\npartitions x\n").is_err());
    }

    #[test]
    fn names_cannot_leave_the_directory() {
        for bad in ["", ".", "..", "a/b", ".hidden", "a b", &"x".repeat(201)] {
            assert!(refuse_bad_name(bad).is_err(), "{bad}");
        }
        assert!(refuse_bad_name("ml.mainnet.feed-1.blocks").is_ok());
    }
}
