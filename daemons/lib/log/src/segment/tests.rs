//! Tests of the segment log alone; tests of what all logs have in common are in `tests/conformance.rs`.

mod marks;

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::{Consumer, Group, Options, Producer, create, cut, inspect, verify};
use crate::{Append, Entry, Error, From, GroupConsumer, LogConsumer, LogProducer, Offset, TopicOptions};

const NOW: Duration = Duration::ZERO;
const TOPIC: &str = "topic";

/// A log with one topic.
struct Log {
    options: Options,
    /// Directory that goes when the log does.
    _dir: tempfile::TempDir,
}

impl Log {
    fn new(segment_max_bytes: u64) -> Self {
        Self::with(&TopicOptions { segment_max_bytes, ..TopicOptions::default() })
    }

    fn with(topic: &TopicOptions) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let options = Options::new(dir.path());
        assert!(create(&options, TOPIC, topic).unwrap());
        Self { options, _dir: dir }
    }

    fn producer(&self) -> Producer {
        Producer::open(&self.options, TOPIC).unwrap()
    }

    fn consumer(&self) -> Consumer {
        Consumer::open(&self.options, TOPIC, 0).unwrap()
    }

    fn append(&self, payloads: std::ops::Range<u64>) {
        let mut producer = self.producer();
        for number in payloads {
            assert_eq!(append(&mut producer, number).unwrap(), [Offset(number)]);
        }
    }

    fn partition(&self) -> PathBuf {
        self.options.dir.join(TOPIC).join("0")
    }

    fn segments(&self) -> Vec<PathBuf> {
        super::files::bases(&self.partition())
            .unwrap()
            .into_iter()
            .map(|base| super::files::segment_path(&self.partition(), base))
            .collect()
    }

    /// All entries that a new reader gets, as far as it gets.
    fn read_all(&self) -> Result<Vec<u64>, Error> {
        let mut consumer = Consumer::open(&self.options, TOPIC, 0)?;
        let mut all = Vec::new();
        loop {
            let entries = consumer.read(1000, NOW)?;
            if entries.is_empty() {
                return Ok(all);
            }
            all.extend(entries.iter().map(number));
        }
    }
}

/// Payload of 100 bytes that begin with a number.
fn payload(number: u64) -> Vec<u8> {
    let mut bytes = number.to_le_bytes().to_vec();
    bytes.resize(100, 0xaa);
    bytes
}

fn number(entry: &Entry) -> u64 {
    u64::from_le_bytes(entry.payload[..8].try_into().unwrap())
}

fn append(producer: &mut Producer, number: u64) -> Result<Vec<Offset>, Error> {
    producer.append(&[Append { key: None, payload: &payload(number) }])
}

fn append_raw(path: &Path, bytes: &[u8]) {
    let file = OpenOptions::new().write(true).open(path).unwrap();
    file.write_all_at(bytes, file.metadata().unwrap().len()).unwrap();
}

fn flip(path: &Path, byte: u64) {
    let file = OpenOptions::new().read(true).write(true).open(path).unwrap();
    let mut one = [0];
    file.read_exact_at(&mut one, byte).unwrap();
    file.write_all_at(&[one[0] ^ 0x10], byte).unwrap();
}

fn numbers(range: std::ops::Range<u64>) -> Vec<u64> {
    range.collect()
}

#[test]
fn segments_rotate_and_the_index_finds_every_entry() {
    let log = Log::new(200_000);
    log.append(0..5_000);
    assert!(log.segments().len() > 2, "{:?}", log.segments());
    let index = fs::metadata(super::files::index_path(&log.partition(), 0)).unwrap();
    assert!(index.len() >= 16, "no index was written");
    let mut consumer = log.consumer();
    for wanted in [4_999, 0, 1_234, 1_400, 4_000, 2_999] {
        consumer.seek(From::At(Offset(wanted))).unwrap();
        let entries = consumer.read(1, NOW).unwrap();
        assert_eq!((entries.len(), entries[0].offset, number(&entries[0])), (1, Offset(wanted), wanted));
    }
    // A wrong index costs time only.
    for path in log.segments() {
        fs::write(path.with_extension("index"), [7; 64]).unwrap();
    }
    consumer.seek(From::At(Offset(3_210))).unwrap();
    assert_eq!(number(&consumer.read(1, NOW).unwrap()[0]), 3_210);
}

/// Test with frames that lie across the ends of what is read ahead, wherever in the frame such an end falls.
#[test]
fn frames_of_all_sizes_are_walked_by_readers_and_repair() {
    let log = Log::new(64 << 20);
    let early = fs::read(log.partition().join("durable")).unwrap();
    let sizes: Vec<usize> = (0..400usize).map(|turn| (turn * 7_919) % 50_000 + (turn % 3) * 3).collect();
    let payloads: Vec<Vec<u8>> = sizes.iter().map(|size| vec![0x5a; *size]).collect();
    let mut producer = log.producer();
    for payload in &payloads {
        producer.append(&[Append { key: None, payload }]).unwrap();
    }
    let read = || {
        let mut consumer = log.consumer();
        let mut sizes = Vec::new();
        while let Some(entry) = consumer.read(1, NOW).unwrap().pop() {
            sizes.push(entry.payload.len());
        }
        sizes
    };
    assert_eq!(read(), sizes);
    fs::write(log.partition().join("durable"), early).unwrap();
    log.producer();
    assert_eq!(read(), sizes, "repair cut good entries off");
    assert_eq!(verify(&log.options, TOPIC, 0).unwrap().end, Offset(400));
}

#[test]
fn a_torn_tail_is_skipped_and_repaired_at_every_cut() {
    let log = Log::new(1 << 20);
    log.append(0..3);
    let path = log.segments().remove(0);
    let whole = fs::metadata(&path).unwrap().len();
    let frame = {
        let mut bytes = Vec::new();
        let payload = payload(99);
        assert!(
            super::frame::Frame { offset: 3, batch: 3, time_ms: 1, key: None, payload: &payload }
                .encode(&mut bytes)
        );
        bytes
    };
    for cut in 1..frame.len() {
        append_raw(&path, &frame[..cut]);
        assert_eq!(log.read_all().unwrap(), numbers(0..3), "a reader passed the mark at {cut}");
        log.producer();
        assert_eq!(fs::metadata(&path).unwrap().len(), whole, "not repaired at {cut}");
    }
    // The whole frame of a writer killed before it published: kept.
    append_raw(&path, &frame);
    log.producer();
    assert_eq!(log.read_all().unwrap(), [0, 1, 2, 99]);
    log.append(4..5);
    assert_eq!(verify(&log.options, TOPIC, 0).unwrap().end, Offset(5));
}

#[test]
fn damage_is_named_and_never_served() {
    let log = Log::new(500);
    log.append(0..20);
    let paths = log.segments();
    let bytes = fs::metadata(&paths[1]).unwrap().len();
    for byte in (0..bytes).step_by(7) {
        flip(&paths[1], byte);
        let read = log.read_all();
        let Err(Error::Corrupt { place, .. }) = read else { panic!("byte {byte}: {read:?}") };
        assert!(place.starts_with(paths[1].to_str().unwrap()), "{place}");
        assert!(matches!(verify(&log.options, TOPIC, 0), Err(Error::Corrupt { .. })), "byte {byte}");
        flip(&paths[1], byte);
    }
    assert_eq!(log.read_all().unwrap(), numbers(0..20));
}

#[test]
fn good_entries_before_the_damage_are_read_first() {
    let log = Log::new(1 << 20);
    log.append(0..10);
    let path = log.segments().remove(0);
    flip(&path, fs::metadata(&path).unwrap().len() - 50);
    let mut consumer = log.consumer();
    assert_eq!(consumer.read(1 << 20, NOW).unwrap().len(), 9);
    assert!(matches!(consumer.read(1 << 20, NOW), Err(Error::Corrupt { .. })));
    flip(&path, fs::metadata(&path).unwrap().len() - 50);
    assert_eq!(consumer.read(1 << 20, NOW).unwrap().len(), 1, "the position moved");
}

#[test]
fn damage_behind_a_stale_mark_is_no_torn_tail() {
    let log = Log::new(1 << 20);
    log.append(0..2);
    let old = fs::read(log.partition().join("durable")).unwrap();
    let path = log.segments().remove(0);
    let damaged = fs::metadata(&path).unwrap().len() + 60;
    log.append(2..5);
    fs::write(log.partition().join("durable"), &old).unwrap();
    flip(&path, damaged);
    assert!(matches!(Producer::open(&log.options, TOPIC), Err(Error::Corrupt { .. })));
}

#[test]
fn a_shortened_or_missing_file_is_corruption() {
    let log = Log::new(500);
    log.append(0..20);
    let paths = log.segments();
    let last = paths.last().unwrap();
    let whole = fs::read(last).unwrap();
    OpenOptions::new().write(true).open(last).unwrap().set_len(whole.len() as u64 - 1).unwrap();
    assert!(matches!(Producer::open(&log.options, TOPIC), Err(Error::Corrupt { .. })));
    assert!(matches!(verify(&log.options, TOPIC, 0), Err(Error::Corrupt { .. })));
    fs::write(last, whole).unwrap();
    fs::remove_file(&paths[1]).unwrap();
    assert!(matches!(log.read_all(), Err(Error::Corrupt { .. })));
    assert!(matches!(verify(&log.options, TOPIC, 0), Err(Error::Corrupt { .. })));
}

/// Harm to segments, and the number of entries before it.
type Harm = fn(&[PathBuf]) -> u64;

fn base(path: &Path) -> u64 {
    path.file_stem().unwrap().to_str().unwrap().parse().unwrap()
}

fn shorten(path: &Path) {
    let file = OpenOptions::new().write(true).open(path).unwrap();
    file.set_len(file.metadata().unwrap().len() - 1).unwrap();
}

/// Harms the partition in one way, does as `verify` says, and goes on.
fn cut_as_told(harm: Harm) {
    let log = Log::new(500);
    log.append(0..20);
    let kept = harm(&log.segments());
    let told = verify(&log.options, TOPIC, 0).unwrap_err().to_string();
    assert!(told.ends_with(&format!("--entries {}`", 20 - kept)), "{kept}: {told}");
    assert_eq!(super::end(&log.options, TOPIC, 0).unwrap(), Offset(20));
    cut(&log.options, TOPIC, 0, Offset(kept)).unwrap();
    assert_eq!(verify(&log.options, TOPIC, 0).unwrap().end, Offset(kept));
    log.append(kept..25);
    assert_eq!(log.read_all().unwrap(), numbers(0..25), "{told}");
}

#[test]
fn what_is_damaged_is_cut_off_as_verify_tells() {
    let newest: Harm = |paths| {
        let last = paths.last().unwrap();
        flip(last, fs::metadata(last).unwrap().len() - 1);
        19
    };
    let torn: Harm = |paths| {
        shorten(paths.last().unwrap());
        19
    };
    let gone: Harm = |paths| {
        fs::remove_file(paths.last().unwrap()).unwrap();
        base(paths.last().unwrap())
    };
    let headless: Harm = |paths| {
        flip(paths.last().unwrap(), 0);
        base(paths.last().unwrap())
    };
    let within: Harm = |paths| {
        flip(&paths[2], fs::metadata(&paths[2]).unwrap().len() - 1);
        base(&paths[3]) - 1
    };
    let gap: Harm = |paths| {
        fs::remove_file(&paths[1]).unwrap();
        base(&paths[1])
    };
    for harm in [newest, torn, gone, headless, within, gap] {
        cut_as_told(harm);
    }
}

#[test]
fn a_newest_segment_that_is_gone_is_corruption_to_all() {
    let log = Log::new(1 << 20);
    log.append(0..20);
    let mut running = log.consumer();
    fs::remove_file(&log.segments()[0]).unwrap();
    let gone = |result: Result<(), Error>| {
        let told = result.unwrap_err().to_string();
        assert!(told.contains("the file is gone") && told.contains("log verify"), "{told}");
    };
    gone(Producer::open(&log.options, TOPIC).map(drop));
    gone(Consumer::open(&log.options, TOPIC, 0).map(drop));
    gone(running.seek(From::At(Offset(20))));
    let told = verify(&log.options, TOPIC, 0).unwrap_err().to_string();
    assert!(told.contains("nothing of it can be kept"), "{told}");
}

#[test]
fn retention_by_size_leaves_offsets_addressable() {
    let log = Log::with(&TopicOptions {
        segment_max_bytes: 500,
        retention_max_bytes: Some(2_000),
        ..TopicOptions::default()
    });
    let mut behind = log.consumer();
    let mut producer = log.producer();
    for number in 0..200 {
        append(&mut producer, number).unwrap();
        let kept: u64 = inspect(&log.options, TOPIC, 0).unwrap().segments.iter().map(|one| one.bytes).sum();
        assert!(number < 20 || kept >= 2_000, "only {kept} bytes are left after {number}");
    }
    let info = inspect(&log.options, TOPIC, 0).unwrap();
    let total: u64 = info.segments.iter().map(|segment| segment.bytes).sum();
    assert!((2_000..3_200).contains(&total), "{total}");
    let earliest = log.consumer().earliest().unwrap();
    assert_eq!(info.segments[0].base, earliest);
    let gap = behind.read(1, NOW);
    assert!(
        matches!(gap, Err(Error::RetentionGap { wanted: 0, earliest: at, .. }) if at == earliest.0),
        "{gap:?}"
    );
    assert!(matches!(behind.seek(From::At(Offset(earliest.0 - 1))), Err(Error::RetentionGap { .. })));
    behind.seek(From::At(earliest)).unwrap();
    assert_eq!(log.read_all().unwrap(), numbers(earliest.0..200));
}

#[test]
fn retention_by_age_deletes_what_is_old() {
    let log = Log::with(&TopicOptions { segment_max_bytes: 500, ..TopicOptions::default() });
    log.append(0..20);
    let settings = |age| TopicOptions { retention_max_age: Some(age), ..TopicOptions::default() };
    let mut partition = super::partition::Partition::open(&log.partition()).unwrap();
    let mut locked = partition.lock(Duration::from_secs(1)).unwrap();
    let now_ms = super::files::now_ms();
    locked.retain(&settings(Duration::from_secs(60)), now_ms + 30_000).unwrap();
    assert_eq!(log.read_all().unwrap(), numbers(0..20));
    locked.retain(&settings(Duration::from_secs(60)), now_ms + 120_000).unwrap();
    assert_eq!(log.segments().len(), 1, "only the active one is left");
}

#[test]
fn a_cut_log_is_noticed_by_a_running_reader() {
    for segment_max_bytes in [500, 1 << 20] {
        cut_log(&Log::new(segment_max_bytes));
    }
}

fn cut_log(log: &Log) {
    log.append(0..50);
    let (mut behind, mut ahead) = (log.consumer(), log.consumer());
    assert_eq!(behind.read(1, NOW).unwrap().len(), 1);
    ahead.seek(From::End).unwrap();
    let mut writer = log.producer();
    cut(&log.options, TOPIC, 0, Offset(30)).unwrap();
    // A writer must not go on as if what it appended before were there. It gets the error once.
    assert!(matches!(append(&mut writer, 999), Err(Error::Cut { end: 30, .. })));
    assert!(matches!(ahead.read(1, NOW), Err(Error::BeyondEnd { wanted: 50, end: 30, .. })));
    assert!(matches!(ahead.seek(From::At(Offset(31))), Err(Error::BeyondEnd { .. })));
    for (offset, number) in (30..60).zip(1_000..) {
        assert_eq!(append(&mut writer, number).unwrap(), [Offset(offset)]);
    }
    // In place of the old ones, also for a reader that had read ahead.
    ahead.seek(From::At(Offset(30))).unwrap();
    assert_eq!(number(&ahead.read(1, NOW).unwrap()[0]), 1_000);
    let rest: Vec<u64> = std::iter::from_fn(|| behind.read(1, NOW).unwrap().first().map(number)).collect();
    assert_eq!(rest, numbers(1..30).into_iter().chain(1_000..1_030).collect::<Vec<_>>());
    assert!(cut(&log.options, TOPIC, 0, Offset(61)).is_err());
}

#[test]
fn a_waiting_reader_wakes_promptly() {
    let log = Log::new(1 << 20);
    let (mut consumer, mut producer) = (log.consumer(), log.producer());
    let reading = std::thread::spawn(move || {
        let mut late = Vec::new();
        for _ in 0..50 {
            let entries = consumer.read(1, Duration::from_secs(10)).unwrap();
            late.push(super::files::now_ms().saturating_sub(number(&entries[0])));
        }
        late.sort_unstable();
        late
    });
    let mut consumer = log.consumer();
    for _ in 0..50 {
        append(&mut producer, super::files::now_ms()).unwrap();
        consumer.read(1, Duration::from_secs(10)).unwrap();
    }
    let late = reading.join().unwrap();
    assert!(late[25] < 50, "median {} ms, all {late:?}", late[25]);
}

#[test]
fn an_empty_read_waits_as_long_as_told() {
    let log = Log::new(1 << 20);
    let begun = Instant::now();
    assert!(log.consumer().read(1, Duration::from_millis(60)).unwrap().is_empty());
    assert!(begun.elapsed() >= Duration::from_millis(60));
}

#[test]
fn too_large_entries_are_refused_whole() {
    let log = Log::with(&TopicOptions { entry_max_bytes: 10, ..TopicOptions::default() });
    let (small, large) = (Append { key: None, payload: &[0; 10] }, Append { key: None, payload: &[0; 11] });
    let refused = log.producer().append(&[small, large]);
    assert!(matches!(refused, Err(Error::TooLarge { bytes: 11, max_bytes: 10, .. })), "{refused:?}");
    assert_eq!(log.consumer().end().unwrap(), Offset(0));
}

#[test]
fn a_writer_that_holds_the_lock_too_long_is_a_timeout() {
    let mut log = Log::new(1 << 20);
    let mut holder = super::partition::Partition::open(&log.partition()).unwrap();
    let mut producer = log.producer();
    log.options.lock_wait = Duration::from_millis(20);
    let mut hasty = log.producer();
    let held = holder.lock(Duration::from_secs(1)).unwrap();
    assert!(matches!(append(&mut hasty, 0), Err(Error::Timeout { .. })));
    drop(held);
    append(&mut hasty, 0).unwrap();
    append(&mut producer, 1).unwrap();
}

#[test]
fn a_standby_takes_over_where_was_committed() {
    let log = Log::with(&TopicOptions { partitions: 3, ..TopicOptions::default() });
    let mut producer = log.producer();
    let keys: Vec<Vec<u8>> = (0..30u8).map(|key| vec![key]).collect();
    for key in &keys {
        producer.append(&[Append { key: Some(key), payload: key }]).unwrap();
    }
    let mut first = Group::open(&log.options, TOPIC, "group").unwrap();
    let mut second = Group::open(&log.options, TOPIC, "group").unwrap();
    let mut seen = Vec::new();
    while seen.len() < 15 {
        for (partition, entry) in first.read(1, NOW).unwrap() {
            first.commit(partition, entry.offset).unwrap();
            seen.push(entry.key.unwrap());
        }
    }
    assert!(second.read(1, NOW).unwrap().is_empty(), "two active members");
    assert!(second.commit(0, Offset(0)).is_err(), "a standby committed");
    drop(first);
    loop {
        let entries = second.read(1, NOW).unwrap();
        if entries.is_empty() {
            break;
        }
        seen.extend(entries.into_iter().filter_map(|(_, entry)| entry.key));
    }
    seen.sort_unstable();
    assert_eq!(seen, keys);
}

/// Test on a file system of one megabyte, which only root can make.
#[test]
fn a_full_disk_is_a_clean_error_and_ends_when_space_is_freed() {
    let dir = tempfile::tempdir().unwrap();
    let mount = |args: &[&str]| {
        std::process::Command::new(args[0]).args(&args[1..]).status().is_ok_and(|s| s.success())
    };
    let path = dir.path().to_str().unwrap();
    if !mount(&["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", path]) {
        eprintln!("not run: mounting a small tmpfs needs root");
        return;
    }
    let outcome = std::panic::catch_unwind(|| fill_disk(Path::new(path)));
    assert!(mount(&["umount", path]), "the mount at {path} is left behind");
    outcome.unwrap();
}

fn fill_disk(dir: &Path) {
    let options = Options::new(dir.join("log"));
    create(&options, TOPIC, &TopicOptions { segment_max_bytes: 200_000, ..TopicOptions::default() }).unwrap();
    let ballast = dir.join("ballast");
    fs::write(&ballast, vec![1; 300_000]).unwrap();
    let mut producer = Producer::open(&options, TOPIC).unwrap();
    let mut consumer = Consumer::open(&options, TOPIC, 0).unwrap();
    let payload = vec![7; 30_000];
    let entry = Append { key: None, payload: &payload };
    let mut count = 0;
    let full = loop {
        match producer.append(&[entry]) {
            Ok(_) => count += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(full, Error::Full { .. }), "{full:?}");
    assert!(count > 10, "{count}");
    assert!(matches!(producer.append(&[entry]), Err(Error::Full { .. })));
    assert_eq!(inspect(&options, TOPIC, 0).unwrap().unpublished_bytes, 0, "a failed append keeps its space");
    let mut read = 0;
    while let Some(entries) = Some(consumer.read(1, NOW).unwrap()).filter(|entries| !entries.is_empty()) {
        read += entries.len() as u64;
    }
    assert_eq!(read, count, "only what was acknowledged is there");
    fs::remove_file(&ballast).unwrap();
    assert_eq!(producer.append(&[entry]).unwrap(), [Offset(count)]);
    assert_eq!(consumer.read(1, NOW).unwrap()[0].offset, Offset(count));
    assert_eq!(verify(&options, TOPIC, 0).unwrap().end, Offset(count + 1));
}

/// Paths below a directory, and the directory, that all the world may do something with.
fn open_to_others(dir: &Path) -> Vec<PathBuf> {
    use std::os::unix::fs::PermissionsExt as _;
    let below = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let mut open: Vec<PathBuf> = Vec::new();
    for path in below.filter(|path| !path.is_symlink()) {
        if path.is_dir() {
            open.extend(open_to_others(&path));
        } else if fs::metadata(&path).unwrap().permissions().mode() & 0o007 != 0 {
            open.push(path);
        }
    }
    let itself = fs::metadata(dir).unwrap().permissions().mode() & 0o007 != 0;
    open.extend(itself.then(|| dir.to_owned()));
    open
}

#[test]
fn what_is_in_a_topic_is_for_its_owner_and_group() {
    use std::os::unix::fs::PermissionsExt as _;
    let log = Log::new(1_000);
    let topic = log.options.dir.join(TOPIC);
    log.append(0..200);
    let mut group = Group::open(&log.options, TOPIC, "readers").unwrap();
    let (partition, entry) = group.read(1, Duration::from_secs(5)).unwrap().remove(0);
    group.commit(partition, entry.offset).unwrap();
    assert_eq!(open_to_others(&topic), Vec::<PathBuf>::new());
    // Of an older release.
    fs::set_permissions(&topic, fs::Permissions::from_mode(0o2755)).unwrap();
    log.append(200..201);
    assert_eq!(open_to_others(&topic), Vec::<PathBuf>::new());
    assert_eq!(fs::metadata(&topic).unwrap().permissions().mode() & 0o7777, 0o2750);
}
