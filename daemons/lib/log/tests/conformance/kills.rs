//! Kill tests: writers and group members as processes of their own, killed at random.
//!
//! The children are this very test program: the environment names the role, standard output reports acknowledgements.
//! The parent checks the log against that.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use maidenlane_log::{Append, Backend, Error, Offset, TopicOptions, segment};

use super::{SOON, kafka_at};
use fastrand::Rng;

pub(crate) const ROLE: &str = "MAIDENLANE_LOG_ROLE";
pub(crate) const WRITERS_TOPIC: &str = "kills-writers";
const MEMBERS_TOPIC: &str = "kills-members";
/// Number of appends of a writer that ends by itself.
pub(crate) const FEW_APPENDS: u32 = 20;
const BATCH: u64 = 5;
const MEMBER_ENTRIES: u64 = 3_000;

/// A line of output, and the child that wrote it.
struct Line {
    child: u64,
    words: Vec<String>,
}

/// Running child; killed when it is dropped.
struct Running {
    number: u64,
    process: Child,
    reader: Option<std::thread::JoinHandle<()>>,
}

impl Running {
    fn start(backend: &Backend, role: &str, number: u64, lines: &SyncSender<Line>) -> Self {
        let place = match backend {
            Backend::Segment(options) => format!("segment {}", options.dir.display()),
            Backend::Kafka(options) => format!("kafka {}", options.brokers.join(",")),
        };
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child", "--nocapture"])
            .env(ROLE, format!("{role} {number} {place}"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(process.stdout.take().unwrap());
        let lines = lines.clone();
        let reader = std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
                if words.first().is_some_and(|word| word == "said")
                    && words.last().is_some_and(|word| word == ".")
                {
                    drop(lines.send(Line { child: number, words }));
                }
            }
        });
        Self { number, process, reader: Some(reader) }
    }

    /// Kills with SIGKILL, and passes its last lines to `hear`.
    fn kill(mut self, lines: &Receiver<Line>, mut hear: impl FnMut(Line)) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
        let reader = self.reader.take().unwrap();
        while !reader.is_finished() {
            if let Ok(line) = lines.recv_timeout(Duration::from_millis(1)) {
                hear(line);
            }
        }
        reader.join().unwrap();
        while let Ok(line) = lines.try_recv() {
            hear(line);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

/// A generator whose seed is printed.
pub(crate) fn random() -> Rng {
    let seed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().subsec_nanos();
    eprintln!("seed {seed}");
    Rng::with_seed(u64::from(seed))
}

/// Runs the role that the environment names; nothing in a parent.
pub(crate) fn child() {
    let Some(role) = std::env::var_os(ROLE) else { return };
    let role = role.to_string_lossy().into_owned();
    let words: Vec<&str> = role.splitn(4, ' ').collect();
    let backend = match words[2] {
        "segment" => Backend::Segment(segment::Options::new(words[3])),
        _ => kafka_at(words[3].to_owned()),
    };
    match words[0] {
        "writer" => write(&backend, words[1].parse().unwrap(), u32::MAX),
        "few" => write(&backend, 0, FEW_APPENDS),
        _ => work_forever(&backend),
    }
}

fn say(words: &str) {
    // One write, so that a kill leaves whole lines; the full stop proves it.
    std::io::stdout().write_all(format!("said {words} .\n").as_bytes()).unwrap();
}

fn write(backend: &Backend, number: u64, appends: u32) {
    let mut producer = backend.producer(WRITERS_TOPIC).unwrap();
    let mut next = 0;
    for _ in 0..appends {
        let payloads: Vec<Vec<u8>> = (next..next + 1 + next % BATCH)
            .map(|turn| format!("{number} {turn} {}", "x".repeat(300)).into_bytes())
            .collect();
        let entries: Vec<_> = payloads.iter().map(|payload| Append { key: None, payload }).collect();
        for offset in producer.append(&entries).unwrap() {
            say(&format!("acknowledged {next} {}", offset.0));
            next += 1;
        }
    }
}

/// Asks again where brokers that are busy did not answer in time, as every daemon does.
fn patient<T>(mut ask: impl FnMut() -> Result<T, Error>) -> T {
    loop {
        match ask() {
            Ok(answer) => return answer,
            Err(error) => assert!(error.may_come(), "{error}"),
        }
    }
}

fn work_forever(backend: &Backend) {
    let mut member = patient(|| backend.group(MEMBERS_TOPIC, "group"));
    loop {
        for (partition, entry) in patient(|| member.read(500, Duration::from_millis(200))) {
            say(&format!("seen {partition} {}", entry.offset.0));
            // Lost to another member: what was handed out before is that one's now.
            if member.commit(partition, entry.offset).is_ok() {
                say(&format!("committed {partition} {}", entry.offset.0));
            } else {
                break;
            }
        }
    }
}

fn number(line: &Line, word: usize) -> u64 {
    line.words[word].parse().unwrap()
}

/// Checks two writers at a time: acknowledged entries are there once, at their acknowledged offset, in each writer's
/// order.
pub(crate) fn writers(backend: &Backend, kills: u32) {
    let with = TopicOptions { replicas: Some(1), segment_max_bytes: 200_000, ..TopicOptions::default() };
    backend.create(WRITERS_TOPIC, &with).unwrap();
    let (sender, lines) = sync_channel(10_000);
    let mut random = random();
    let mut acknowledged: BTreeMap<(u64, u64), u64> = BTreeMap::new();
    let mut hear = |line: Line| {
        acknowledged.insert((line.child, number(&line, 2)), number(&line, 3));
    };
    let mut running: Vec<Running> = (0..2).map(|n| Running::start(backend, "writer", n, &sender)).collect();
    for turn in 0..kills {
        // Dies at some moment after both have been heard of; not before, or nothing would ever be written.
        let mut heard = BTreeSet::new();
        let deadline = Instant::now() + SOON;
        while heard.len() < 2 {
            assert!(Instant::now() < deadline, "a writer says nothing");
            let Ok(line) = lines.recv_timeout(Duration::from_millis(100)) else { continue };
            heard.insert(line.child);
            hear(line);
        }
        let until = Instant::now() + Duration::from_micros(random.u64(..60_000));
        while let Ok(line) = lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
            hear(line);
        }
        let victim = random.usize(..2);
        running.swap_remove(victim).kill(&lines, &mut hear);
        running.push(Running::start(backend, "writer", u64::from(turn) + 2, &sender));
    }
    for child in running {
        child.kill(&lines, &mut hear);
    }
    check_written(backend, &acknowledged);
}

fn check_written(backend: &Backend, acknowledged: &BTreeMap<(u64, u64), u64>) {
    let mut consumer = backend.consumer(WRITERS_TOPIC, 0).unwrap();
    let end = consumer.end().unwrap().0;
    let mut next: BTreeMap<u64, u64> = BTreeMap::new();
    let mut found = BTreeMap::new();
    let mut at = 0;
    while at < end {
        for entry in consumer.read(1 << 20, SOON).unwrap() {
            let text = String::from_utf8(entry.payload).unwrap();
            let mut words = text.split(' ').map(|word| word.parse::<u64>());
            let (writer, turn) = (words.next().unwrap().unwrap(), words.next().unwrap().unwrap());
            let expected = next.entry(writer).or_default();
            assert_eq!(turn, *expected, "writer {writer} at {:?}", entry.offset);
            *expected += 1;
            found.insert((writer, turn), entry.offset.0);
            at = entry.offset.0 + 1;
        }
    }
    for (what, offset) in acknowledged {
        assert_eq!(found.get(what), Some(offset), "{what:?} was acknowledged at {offset}");
    }
    // An append that nobody was acknowledged can only be the last append of a writer that was killed.
    for (writer, count) in next {
        let known = acknowledged.range((writer, 0)..=(writer, u64::MAX)).count() as u64;
        assert!(count - known <= BATCH, "writer {writer} wrote {count}, was acknowledged {known}");
    }
    eprintln!("{} entries acknowledged, {} in the log", acknowledged.len(), found.len());
    assert!(acknowledged.len() > 100);
}

/// Positions that members were known to have committed, as far as the parent heard.
#[derive(Default)]
struct Ledger {
    committed: BTreeMap<u64, u64>,
    /// Entries seen by anyone.
    seen: BTreeSet<(u64, u64)>,
    /// Positions committed when each child was started: it must see nothing before them.
    floor: BTreeMap<u64, BTreeMap<u64, u64>>,
    /// Number of commits of each child.
    work: BTreeMap<u64, u64>,
}

impl Ledger {
    fn hear(&mut self, line: &Line) {
        let (partition, offset) = (number(line, 2), number(line, 3));
        if line.words[1] == "seen" {
            let floor = self.floor[&line.child].get(&partition);
            assert!(
                floor.is_none_or(|floor| offset > *floor),
                "partition {partition} went back to {offset}, though {floor:?} had been committed"
            );
            self.seen.insert((partition, offset));
        } else {
            let mark = self.committed.entry(partition).or_default();
            *mark = offset.max(*mark);
            *self.work.entry(line.child).or_default() += 1;
        }
    }
}

/// Checks two members at a time: nothing is skipped, no committed position is lost, the survivor takes over.
pub(crate) fn members(backend: &Backend, kills: u32) {
    let with = TopicOptions { replicas: Some(1), partitions: 4, ..TopicOptions::default() };
    backend.create(MEMBERS_TOPIC, &with).unwrap();
    let mut producer = backend.producer(MEMBERS_TOPIC).unwrap();
    let mut fill = |range: std::ops::Range<u64>| {
        let keys: Vec<[u8; 8]> = range.map(u64::to_be_bytes).collect();
        let entries: Vec<_> = keys.iter().map(|key| Append { key: Some(key), payload: &[1; 100] }).collect();
        producer.append(&entries).unwrap().len() as u64
    };
    let (sender, lines) = sync_channel(10_000);
    let mut random = random();
    let mut ledger = Ledger::default();
    let start = |ledger: &mut Ledger, number| {
        ledger.floor.insert(number, ledger.committed.clone());
        Running::start(backend, "member", number, &sender)
    };
    let mut running = vec![start(&mut ledger, 0), start(&mut ledger, 1)];
    let mut filled = 0;
    for turn in 0..kills {
        filled += fill(filled..filled + MEMBER_ENTRIES / u64::from(kills));
        wait_for_work(&lines, &mut ledger, None);
        let until = Instant::now() + Duration::from_micros(random.u64(..60_000));
        while let Ok(line) = lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
            ledger.hear(&line);
        }
        let victim = random.usize(..2);
        running.swap_remove(victim).kill(&lines, |line| ledger.hear(&line));
        // The survivor alone gets on with it.
        filled += fill(filled..filled + 50);
        wait_for_work(&lines, &mut ledger, Some(running[0].number));
        running.push(start(&mut ledger, u64::from(turn) + 2));
    }
    let deadline = Instant::now() + SOON;
    while (ledger.seen.len() as u64) < filled {
        assert!(Instant::now() < deadline, "{} of {filled} entries were seen", ledger.seen.len());
        if let Ok(line) = lines.recv_timeout(Duration::from_millis(100)) {
            ledger.hear(&line);
        }
    }
    for child in running {
        child.kill(&lines, |line| ledger.hear(&line));
    }
    check_positions(backend, &ledger);
}

/// Waits until a certain child, or any, commits something new.
fn wait_for_work(lines: &Receiver<Line>, ledger: &mut Ledger, by: Option<u64>) {
    // Brokers first wait for the sessions of those who were killed to end.
    let deadline = Instant::now() + SOON * 2;
    loop {
        match lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(line) => {
                ledger.hear(&line);
                if line.words[1] == "committed" && by.is_none_or(|by| by == line.child) {
                    return;
                }
            }
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                panic!("no member {by:?} works")
            }
        }
    }
}

/// Checks that members that come last begin behind everything that was committed.
fn check_positions(backend: &Backend, ledger: &Ledger) {
    let backend = match backend {
        Backend::Segment(_) => backend.clone(),
        Backend::Kafka(options) => {
            let mut options = options.clone();
            options.client_id = "last".to_owned();
            Backend::Kafka(options)
        }
    };
    let mut member = backend.group(MEMBERS_TOPIC, "group").unwrap();
    // Kafka waits for the session of the last one killed to end.
    let deadline = Instant::now() + Duration::from_secs(3);
    while Instant::now() < deadline {
        for (partition, entry) in member.read(1000, Duration::from_millis(200)).unwrap() {
            let committed = ledger.committed.get(&u64::from(partition)).copied().map(Offset);
            assert!(
                Some(entry.offset) > committed,
                "partition {partition}: {:?} <= {committed:?}",
                entry.offset
            );
        }
    }
    eprintln!("{} entries seen, commits per member {:?}", ledger.seen.len(), ledger.work);
}
