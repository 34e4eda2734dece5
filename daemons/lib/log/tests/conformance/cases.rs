//! Conformance cases: one function per promise of the traits.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use maidenlane_log::{
    Append, Backend, Entry, Error, From, LogConsumer, LogProducer, Offset, Place, Share, TopicNeeds,
    TopicOptions,
};

use super::{SOON, broker::Broker};

type Case = fn(&Backend, &str);

pub(crate) const ALL: [(&str, Case); 16] = [
    ("append-and-read", append_and_read),
    ("seek", seek),
    ("outside", outside),
    ("retention-gap", retention_gap),
    ("large-entries", large_entries),
    ("max-bytes", max_bytes),
    ("keys", keys),
    ("waiting", waiting),
    ("creation", creation),
    ("no-topic", no_topic),
    ("group-positions", group_positions),
    ("group-shares", group_shares),
    ("places", places),
    ("unconsumed", unconsumed),
    ("hazards", hazards),
    ("shorter", shorter),
];

fn create(backend: &Backend, topic: &str, with: &TopicOptions) {
    let with = TopicOptions { replicas: Some(1), ..with.clone() };
    assert!(backend.create(topic, &with).unwrap(), "{topic} exists");
}

fn append(producer: &mut dyn LogProducer, payloads: &[&[u8]]) -> Vec<u64> {
    let entries: Vec<_> = payloads.iter().map(|payload| Append { key: None, payload }).collect();
    producer.append(&entries).unwrap().into_iter().map(|offset| offset.0).collect()
}

/// Reads `count` entries.
fn read(consumer: &mut dyn LogConsumer, count: usize) -> Vec<Entry> {
    let mut entries = Vec::new();
    let deadline = Instant::now() + SOON;
    while entries.len() < count {
        assert!(Instant::now() < deadline, "only {} of {count} entries", entries.len());
        entries.extend(consumer.read(1 << 20, Duration::from_secs(1)).unwrap());
    }
    assert_eq!(entries.len(), count);
    entries
}

fn payloads(entries: &[Entry]) -> Vec<Vec<u8>> {
    entries.iter().map(|entry| entry.payload.clone()).collect()
}

/// Bytes that do not compress.
pub(crate) fn noise(bytes: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(2).wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    (0..bytes).map(|_| next()).collect()
}

fn append_and_read(backend: &Backend, topic: &str) {
    create(backend, topic, &TopicOptions::default());
    let (mut producer, mut consumer) =
        (backend.producer(topic).unwrap(), backend.consumer(topic, 0).unwrap());
    assert_eq!(consumer.end().unwrap(), consumer.earliest().unwrap());
    assert!(producer.append(&[]).unwrap().is_empty());
    let mut wanted = Vec::new();
    let mut offsets = Vec::new();
    for round in 0..20u8 {
        let batch: Vec<Vec<u8>> = (0..=round).map(|number| vec![round, number]).collect();
        let slices: Vec<&[u8]> = batch.iter().map(Vec::as_slice).collect();
        offsets.extend(append(producer.as_mut(), &slices));
        wanted.extend(batch);
    }
    append(producer.as_mut(), &[b""]);
    wanted.push(Vec::new());
    assert!(offsets.is_sorted_by(|one, two| one < two), "{offsets:?}");
    let entries = read(consumer.as_mut(), wanted.len());
    assert_eq!(payloads(&entries), wanted);
    assert!(entries.iter().zip(&offsets).all(|(entry, offset)| entry.offset.0 == *offset));
    assert!(entries.iter().all(|entry| entry.key.is_none()));
    assert_eq!(consumer.end().unwrap().0, entries.last().unwrap().offset.0 + 1);
    // A second reader has a position of its own.
    assert_eq!(payloads(&read(backend.consumer(topic, 0).unwrap().as_mut(), wanted.len())), wanted);
}

fn seek(backend: &Backend, topic: &str) {
    create(backend, topic, &TopicOptions::default());
    let (mut producer, mut consumer) =
        (backend.producer(topic).unwrap(), backend.consumer(topic, 0).unwrap());
    let offsets = append(producer.as_mut(), &[b"0", b"1", b"2", b"3"]);
    for at in [3, 0, 2, 1] {
        consumer.seek(From::At(Offset(offsets[at]))).unwrap();
        let entries = read(consumer.as_mut(), 4 - at);
        assert_eq!(
            (entries[0].offset.0, entries[0].payload.clone()),
            (offsets[at], at.to_string().into_bytes())
        );
    }
    consumer.seek(From::End).unwrap();
    assert!(consumer.read(1 << 20, Duration::from_millis(50)).unwrap().is_empty());
    append(producer.as_mut(), &[b"4"]);
    assert_eq!(payloads(&read(consumer.as_mut(), 1)), [b"4"]);
    consumer.seek(From::Earliest).unwrap();
    assert_eq!(read(consumer.as_mut(), 5).len(), 5);
    // The end itself is a position.
    let end = consumer.end().unwrap();
    consumer.seek(From::At(end)).unwrap();
    assert!(consumer.read(1, Duration::ZERO).unwrap().is_empty());
}

fn outside(backend: &Backend, topic: &str) {
    create(backend, topic, &TopicOptions::default());
    let (mut producer, mut consumer) =
        (backend.producer(topic).unwrap(), backend.consumer(topic, 0).unwrap());
    append(producer.as_mut(), &[b"0", b"1"]);
    let end = consumer.end().unwrap().0;
    let beyond = consumer.seek(From::At(Offset(end + 1)));
    assert!(
        matches!(beyond, Err(Error::BeyondEnd { wanted, end: at, .. }) if (wanted, at) == (end + 1, end)),
        "{beyond:?}"
    );
    assert_eq!(read(consumer.as_mut(), 2).len(), 2, "a refused seek moved the position");
    assert!(backend.consumer(topic, 1).is_err(), "a partition that is not there");
}

fn retention_gap(backend: &Backend, topic: &str) {
    let with = TopicOptions {
        segment_max_bytes: 1 << 20,
        retention_max_bytes: Some(2 << 20),
        entry_max_bytes: 600_000,
        ..TopicOptions::default()
    };
    create(backend, topic, &with);
    let mut producer = backend.producer(topic).unwrap();
    // Opened at the front, and not reading.
    let (mut behind, mut other) = (backend.consumer(topic, 0).unwrap(), backend.consumer(topic, 0).unwrap());
    let first = append(producer.as_mut(), &[b"first"])[0];
    // Joins, so that its position is written down.
    drop(backend.group(topic, "behind").unwrap().read(1, SOON).unwrap());
    let deadline = Instant::now() + SOON;
    let mut seed = 0;
    // Retention runs when the broker likes.
    let earliest = loop {
        if seed < 40 {
            append(producer.as_mut(), &[&noise(500_000, seed)]);
            seed += 1;
        }
        let earliest = other.earliest().unwrap().0;
        if earliest > first + 1 {
            break earliest;
        }
        assert!(Instant::now() < deadline, "nothing was deleted");
    };
    let gap = other.seek(From::At(Offset(first)));
    assert!(
        matches!(gap, Err(Error::RetentionGap { wanted, earliest: at, .. }) if wanted == first && at >= earliest),
        "{gap:?}"
    );
    let entry = earliest_entry(other.as_mut());
    assert!(entry.offset.0 >= earliest, "offsets stay what they were");
    // A reader that fell behind gets an error; it does not skip.
    let deadline = Instant::now() + SOON;
    let error = loop {
        match behind.read(1, Duration::from_secs(1)) {
            Ok(entries) => assert!(entries.is_empty(), "skipped to {:?}", entries[0].offset),
            Err(error) => break error,
        }
        assert!(Instant::now() < deadline);
    };
    assert!(matches!(error, Error::RetentionGap { wanted, .. } if wanted == first), "{error:?}");
    // It goes on from the position that it is moved to.
    earliest_entry(behind.as_mut());
    group_goes_on(backend, topic, first);
}

/// A group whose position is gone is told so once, and goes on with the oldest entry.
fn group_goes_on(backend: &Backend, topic: &str, first: u64) {
    let deadline = Instant::now() + SOON;
    let mut gaps = Vec::new();
    let oldest = loop {
        let mut member = backend.group(topic, "behind").unwrap();
        let read = loop {
            match member.read(1, Duration::from_secs(1)) {
                Ok(none) if none.is_empty() => assert!(Instant::now() < deadline, "{gaps:?}"),
                read => break read,
            }
        };
        match read {
            Ok(entries) => break entries[0].1.offset.0,
            Err(Error::RetentionGap { wanted, earliest, .. }) => gaps.push((wanted, earliest)),
            Err(error) => panic!("{error:?}"),
        }
    };
    // A broker may go on deleting meanwhile.
    assert_eq!(gaps[0].0, first, "{gaps:?}");
    assert!(gaps.windows(2).all(|pair| pair[1].0 == pair[0].1), "{gaps:?}");
    assert_eq!(gaps.last().map(|gap| gap.1), Some(oldest));
}

/// The oldest entry there is. A broker may go on deleting between the seek and the read.
fn earliest_entry(consumer: &mut dyn LogConsumer) -> Entry {
    let deadline = Instant::now() + SOON;
    loop {
        consumer.seek(From::Earliest).unwrap();
        match consumer.read(1, SOON) {
            Ok(mut entries) => return entries.remove(0),
            Err(error @ Error::RetentionGap { .. }) => assert!(Instant::now() < deadline, "{error:?}"),
            Err(error) => panic!("{error:?}"),
        }
    }
}

fn large_entries(backend: &Backend, topic: &str) {
    let max = 3_000_000;
    create(backend, topic, &TopicOptions { entry_max_bytes: max, ..TopicOptions::default() });
    let (mut producer, mut consumer) =
        (backend.producer(topic).unwrap(), backend.consumer(topic, 0).unwrap());
    let wanted: Vec<Vec<u8>> = (0..4).map(|seed| noise(max - usize::try_from(seed).unwrap(), seed)).collect();
    let slices: Vec<&[u8]> = wanted.iter().map(Vec::as_slice).collect();
    append(producer.as_mut(), &slices);
    assert!(payloads(&read(consumer.as_mut(), 4)) == wanted, "large entries come back changed");
    let refused = producer.append(&[Append { key: None, payload: &noise(max + max / 10, 9) }]);
    assert!(matches!(refused, Err(Error::TooLarge { .. })), "{refused:?}");
    append(producer.as_mut(), &[b"goes on"]);
    assert_eq!(payloads(&read(consumer.as_mut(), 1)), [b"goes on"]);
}

fn max_bytes(backend: &Backend, topic: &str) {
    create(backend, topic, &TopicOptions::default());
    let (mut producer, mut consumer) =
        (backend.producer(topic).unwrap(), backend.consumer(topic, 0).unwrap());
    let offsets = append(producer.as_mut(), &[[1; 100].as_slice(); 10]);
    let mut seen = Vec::new();
    while seen.len() < 10 {
        let entries = consumer.read(350, SOON).unwrap();
        assert!((1..=3).contains(&entries.len()), "{}", entries.len());
        seen.extend(entries.iter().map(|entry| entry.offset.0));
    }
    assert_eq!(seen, offsets);
    consumer.seek(From::Earliest).unwrap();
    assert_eq!(consumer.read(0, SOON).unwrap().len(), 1, "always at least one");
}

fn keys(backend: &Backend, topic: &str) {
    create(backend, topic, &TopicOptions { partitions: 8, ..TopicOptions::default() });
    let mut producer = backend.producer(topic).unwrap();
    // Partitions as Java clients choose them, from Kafka's own test vectors: murmur2 & 0x7fffffff, modulo 8.
    let homes = BTreeMap::from([("21", 4), ("foobar", 6), ("a-little-bit-long-string", 0), ("abc", 3)]);
    for key in homes.keys() {
        for turn in [b"1", b"2"] {
            producer.append(&[Append { key: Some(key.as_bytes()), payload: turn }]).unwrap();
        }
    }
    let mut found: BTreeMap<String, Vec<(u32, Vec<u8>)>> = BTreeMap::new();
    for partition in 0..8 {
        let mut consumer = backend.consumer(topic, partition).unwrap();
        let count = usize::try_from(consumer.end().unwrap().0).unwrap();
        for entry in read(consumer.as_mut(), count) {
            let key = String::from_utf8(entry.key.unwrap()).unwrap();
            found.entry(key).or_default().push((partition, entry.payload));
        }
    }
    for (key, home) in homes {
        assert_eq!(found[key], [(home, b"1".to_vec()), (home, b"2".to_vec())], "{key}");
    }
}

fn waiting(backend: &Backend, topic: &str) {
    create(backend, topic, &TopicOptions::default());
    let (mut producer, mut consumer) =
        (backend.producer(topic).unwrap(), backend.consumer(topic, 0).unwrap());
    let begun = Instant::now();
    assert!(consumer.read(1, Duration::from_millis(150)).unwrap().is_empty());
    assert!(begun.elapsed() >= Duration::from_millis(150));
    // From append to a waiting reader, many times: the price of a block at the head.
    let mut late_us = Vec::new();
    for _ in 0..100 {
        let reading = std::thread::scope(|scope| {
            let reading = scope.spawn(|| (consumer.read(1, SOON).unwrap().len(), Instant::now()));
            let begun = Instant::now();
            append(producer.as_mut(), &[b"block"]);
            let (count, at) = reading.join().unwrap();
            assert_eq!(count, 1);
            at.saturating_duration_since(begun)
        });
        late_us.push(reading.as_micros());
    }
    late_us.sort_unstable();
    eprintln!("append to read: p50 {} us, p99 {} us", late_us[50], late_us[98]);
    assert!(late_us[50] < 50_000, "a waiting reader wakes late: {late_us:?}");
}

fn creation(backend: &Backend, topic: &str) {
    create(backend, topic, &TopicOptions::default());
    let again = TopicOptions { partitions: 3, replicas: Some(1), ..TopicOptions::default() };
    assert!(!backend.create(topic, &again).unwrap());
    assert!(backend.consumer(topic, 2).is_err(), "settings of an existing topic changed");
    assert!(backend.create("bad/name", &TopicOptions::default()).is_err());
}

fn no_topic(backend: &Backend, topic: &str) {
    assert!(matches!(backend.producer(topic).err(), Some(Error::NoTopic { .. })));
    assert!(matches!(backend.consumer(topic, 0).err(), Some(Error::NoTopic { .. })));
    assert!(matches!(backend.group(topic, "group").err(), Some(Error::NoTopic { .. })));
    let needs = TopicNeeds {
        partitions: None,
        entry_bytes: 1,
        retention_min_age: Duration::ZERO,
        retention_min_bytes: 0,
    };
    assert!(matches!(backend.check(topic, &needs).err(), Some(Error::NoTopic { .. })));
    assert!(matches!(backend.unconsumed(topic, "group").err(), Some(Error::NoTopic { .. })));
}

fn group_positions(backend: &Backend, topic: &str) {
    create(backend, topic, &TopicOptions::default());
    let mut producer = backend.producer(topic).unwrap();
    let offsets = append(producer.as_mut(), &[b"0", b"1", b"2"]);
    let take = |group: &str, commit: usize| {
        let mut member = backend.group(topic, group).unwrap();
        let mut seen = Vec::new();
        let deadline = Instant::now() + SOON;
        while seen.is_empty() || seen.len() < commit {
            assert!(Instant::now() < deadline);
            for (partition, entry) in member.read(1, Duration::from_secs(1)).unwrap() {
                seen.push(entry.offset.0);
                if seen.len() <= commit {
                    member.commit(partition, entry.offset).unwrap();
                }
            }
        }
        seen
    };
    assert_eq!(take("one", 2), offsets[..2]);
    assert_eq!(take("one", 0)[0], offsets[2], "goes on behind what was committed");
    assert_eq!(take("one", 1), offsets[2..], "what was not committed comes again");
    assert_eq!(take("two", 3), offsets, "groups do not share positions");
    let mut member = backend.group(topic, "one").unwrap();
    assert!(member.commit(0, Offset(0)).is_err(), "a commit of what was never handed out");
}

fn group_shares(backend: &Backend, topic: &str) {
    create(backend, topic, &TopicOptions { partitions: 4, ..TopicOptions::default() });
    let mut members = [(); 2].map(|()| backend.group(topic, "sharers").unwrap());
    assert!(members[0].share().unwrap().partitions.is_empty(), "nothing before the first read");
    let all = [0, 1, 2, 3];
    let deadline = Instant::now() + SOON;
    let mut shares = Vec::new();
    while shares.iter().flat_map(|share: &Share| share.partitions.clone()).collect::<BTreeSet<_>>().len() < 4
    {
        assert!(Instant::now() < deadline, "{shares:?}");
        shares = Vec::new();
        for member in &mut members {
            member.read(1, Duration::from_millis(200)).unwrap();
            shares.push(member.share().unwrap());
        }
    }
    let [first, mut second] = members;
    let before = second.share().unwrap();
    drop(first);
    let taken_over = loop {
        assert!(Instant::now() < deadline, "the second does not take over");
        second.read(1, Duration::from_millis(200)).unwrap();
        let share = second.share().unwrap();
        if share.partitions == all {
            break share;
        }
    };
    assert_eq!(taken_over.turn == before.turn, before.partitions == all, "{before:?} {taken_over:?}");
}

/// Partitions of two topics at once, each from its place on, in their orders; what is not there is an error.
fn places(backend: &Backend, topic: &str) {
    let topics = [format!("{topic}-a"), format!("{topic}-b")];
    for topic in &topics {
        create(backend, topic, &TopicOptions { partitions: 3, ..TopicOptions::default() });
        let mut producer = backend.producer(topic).unwrap();
        for number in 0..60_u8 {
            let entry = Append { key: Some(&[number % 7]), payload: &[number] };
            producer.append(&[entry]).unwrap();
        }
    }
    let mut wanted = Vec::new();
    let mut named = Vec::new();
    for topic in &topics {
        for partition in 0..3 {
            let mut alone = backend.consumer(topic, partition).unwrap();
            let (earliest, end) = (alone.earliest().unwrap().0, alone.end().unwrap().0);
            // From the middle on, and of one partition nothing.
            let next = if partition == 2 { end } else { earliest.midpoint(end) };
            alone.seek(From::At(Offset(next))).unwrap();
            let count = usize::try_from(end - next).unwrap();
            wanted.push(if count == 0 { Vec::new() } else { read(alone.as_mut(), count) });
            named.push(Place { topic: topic.clone(), partition, next: Offset(next) });
        }
    }
    let total: usize = wanted.iter().map(Vec::len).sum();
    assert!(total > 20, "{total}");
    let mut together = backend.places(&named).unwrap();
    let mut found = vec![Vec::new(); named.len()];
    let deadline = Instant::now() + SOON;
    while found.iter().map(Vec::len).sum::<usize>() < total {
        assert!(Instant::now() < deadline, "{found:?}");
        for (at, entry) in together.read(100, Duration::from_secs(1)).unwrap() {
            found[at].push(entry);
        }
    }
    assert_eq!(found, wanted);
    assert_eq!(together.read(100, Duration::ZERO).unwrap(), []);
    // News of any ends the wait.
    let entry = Append { key: Some(b"new"), payload: b"new" };
    backend.producer(&topics[1]).unwrap().append(&[entry]).unwrap();
    let news = together.read(100, SOON).unwrap();
    assert_eq!(news.iter().map(|(_, entry)| entry.payload.as_slice()).collect::<Vec<_>>(), [b"new"]);
    let [first, ..] = &named[..] else { unreachable!("six are named") };
    let beyond = Place { next: Offset(1_000_000), ..first.clone() };
    let refused = backend.places(&[beyond]).and_then(|mut consumer| consumer.read(100, SOON));
    assert!(matches!(refused, Err(Error::BeyondEnd { .. })), "{refused:?}");
    let missing = Place { topic: format!("{topic}-c"), ..first.clone() };
    assert!(matches!(backend.places(&[missing]).map(drop), Err(Error::NoTopic { .. })));
}

fn unconsumed(backend: &Backend, topic: &str) {
    create(backend, topic, &TopicOptions { partitions: 3, ..TopicOptions::default() });
    let seen = || -> BTreeMap<u32, Vec<u8>> {
        let oldest = backend.unconsumed(topic, "readers").unwrap();
        oldest.into_iter().map(|(partition, entry)| (partition, entry.payload)).collect()
    };
    assert!(seen().is_empty(), "there is nothing to consume");
    let mut producer = backend.producer(topic).unwrap();
    for round in [b'0', b'1'] {
        let keyed: Vec<_> = (0..12_u8).map(|key| [key, round]).collect();
        let entries: Vec<_> =
            keyed.iter().map(|both| Append { key: Some(&both[..1]), payload: &both[1..] }).collect();
        producer.append(&entries).unwrap();
    }
    let oldest = seen();
    assert_eq!(oldest.keys().collect::<Vec<_>>(), [&0, &1, &2], "of each partition, without the group");
    assert!(oldest.values().all(|payload| payload == b"0"), "{oldest:?}");
    let mut member = backend.group(topic, "readers").unwrap();
    let mut left = 24;
    while left > 0 {
        for (partition, entry) in member.read(1 << 20, SOON).unwrap() {
            left -= 1;
            // All of partition 0, of the others the first round.
            if partition == 0 || entry.payload == b"0" {
                member.commit(partition, entry.offset).unwrap();
            }
        }
    }
    drop(member);
    let (one, two) = ((1, b"1".to_vec()), (2, b"1".to_vec()));
    assert_eq!(seen(), BTreeMap::from([one, two]), "the first that was not committed");
}

fn hazards(backend: &Backend, topic: &str) {
    let with = TopicOptions {
        retention_max_age: Some(Duration::from_secs(3600)),
        retention_max_bytes: Some(1 << 30),
        ..TopicOptions::default()
    };
    create(backend, topic, &with);
    let needs = TopicNeeds {
        partitions: Some(1),
        entry_bytes: 1_000_000,
        retention_min_age: Duration::from_secs(3600),
        retention_min_bytes: 1 << 30,
    };
    assert_eq!(backend.check(topic, &needs).unwrap(), Vec::<String>::new());
    for (wanting, part) in [
        (TopicNeeds { partitions: Some(8), ..needs.clone() }, "8 are expected"),
        (TopicNeeds { entry_bytes: 2_000_000, ..needs.clone() }, " are needed"),
        (TopicNeeds { retention_min_age: Duration::from_secs(3601), ..needs.clone() }, " are needed"),
        (TopicNeeds { retention_min_bytes: (1 << 30) + 1, ..needs.clone() }, " are needed"),
    ] {
        let found = backend.check(topic, &wanting).unwrap();
        assert!(found.len() == 1 && found[0].contains(part), "{found:?}");
    }
}

/// Checks that a broker killed and restarted loses nothing, and that producer and consumer go on without being opened
/// again.
pub(crate) fn broker_killed(backend: &Backend, broker: &mut Broker) {
    let topic = "case-broker-killed";
    create(backend, topic, &TopicOptions::default());
    let (mut producer, mut consumer) =
        (backend.producer(topic).unwrap(), backend.consumer(topic, 0).unwrap());
    let mut wanted = Vec::new();
    for round in 0..3u8 {
        append(producer.as_mut(), &[&[round]]);
        wanted.push(vec![round]);
        broker.kill();
        assert!(
            consumer.read(1, Duration::from_millis(1)).is_ok(),
            "a lost broker is no error of the reader"
        );
        broker.restart().unwrap();
    }
    append(producer.as_mut(), &[b"last"]);
    wanted.push(b"last".to_vec());
    assert_eq!(payloads(&read(backend.consumer(topic, 0).unwrap().as_mut(), wanted.len())), wanted);
    consumer.seek(From::Earliest).unwrap();
    assert_eq!(payloads(&read(consumer.as_mut(), wanted.len())), wanted);
}

fn shorter(backend: &Backend, topic: &str) {
    let hours = |hours: u64| Duration::from_secs(hours * 3600);
    let made =
        TopicOptions { entry_max_bytes: 2_000_000, retention_max_age: None, ..TopicOptions::default() };
    create(backend, topic, &made);
    let keeps = |age: Duration| {
        let needs = TopicNeeds {
            partitions: Some(1),
            entry_bytes: made.entry_max_bytes,
            retention_min_age: age,
            retention_min_bytes: u64::MAX,
        };
        backend.check(topic, &needs).unwrap()
    };
    assert_eq!(keeps(hours(10_000)), Vec::<String>::new());
    for (age, expect) in [(hours(2), true), (hours(2), false), (hours(3), false), (hours(1), true)] {
        assert_eq!(backend.shorten(topic, age).unwrap(), expect);
    }
    // Settings of other kinds stay as they were.
    assert_eq!(keeps(hours(1)), Vec::<String>::new());
    assert!(keeps(hours(2)).len() == 1);
    let none = backend.shorten(&format!("{topic}-none"), hours(1)).err();
    // A broker with rights tells nobody which topics there are not.
    assert!(matches!(none, Some(Error::NoTopic { .. } | Error::Forbidden { .. })), "{none:?}");
}
