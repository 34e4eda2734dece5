//! The segment log of a feed.
#![expect(clippy::indexing_slicing, reason = "a file that our own program wrote, in its published format")]

use std::{fs, path::Path};

use maidenlane_tests::{scenario::Net, settings};

use super::{Corruption, crc32c, files, name, refuses};
use crate::driven::Driven;

/// Some records, so that the feed takes several segments.
const SEGMENT_BYTES: u32 = 50_000;
/// Of the segment header and of what precedes a frame's payload; `len` counts from behind the checksum.
const HEADER_BYTES: usize = 28;
const VERSION_AT: usize = 4;
const FRAME_FIXED_BYTES: usize = 36;
const LEN_AND_CRC: usize = 8;

/// `maidenlane log verify`, a tap and a replica that begins anew: none of them takes the feed as it is.
fn refused_by_all(net: &mut Net, words: &[&str]) {
    let log = net.dir().join("log").display().to_string();
    let verified = net.command(&["log", "verify", "--dir", &log, "--topic", &settings::topic()]);
    let outcome = verified.map_or_else(|failure| failure.to_string(), |said| format!("no error, but {said}"));
    let missing: Vec<_> = words.iter().filter(|word| !outcome.contains(**word)).collect();
    assert!(missing.is_empty(), "no {missing:?} in: {outcome}");
    refused_by_readers(net, words);
}

fn refused_by_readers(net: &mut Net, words: &[&str]) {
    refuses(net.tap(), words);
    let replica = net.replica_daemon(0).unwrap();
    if replica.state().exists() {
        fs::remove_dir_all(replica.state()).unwrap();
    }
    refuses(replica, words);
}

#[test]
fn a_damaged_log_is_never_served() {
    let Some(mut driven) = Driven::new() else { return };
    let topic = driven.net.dir().join("log").join(settings::topic());
    small_segments(&topic.join("topic"));
    driven.net.start().unwrap();
    driven.grow(0, 5);
    driven.followed("before the damage");
    driven.net.tap().stop().unwrap();
    driven.net.replica_daemon(0).unwrap().stop().unwrap();
    let segments = files(&topic, "log");
    let [first, second, .., active] = segments.as_slice() else { panic!("more than {segments:?}") };
    let net = &mut driven.net;
    for (file, percent) in [(first, 0), (first, 30), (second, 99), (active, 50)] {
        let _damage = Corruption::flipped(file, percent);
        refused_by_all(net, &["corrupt", name(file)]);
    }
    {
        let _damage = Corruption::new(first, |bytes| bytes[VERSION_AT] = 9);
        refused_by_all(net, &[name(first), "segment format 9; this program reads format 1"]);
    }
    for file in [first, active] {
        let _damage = Corruption::shorter(file, 10);
        refused_by_all(net, &["corrupt", name(file)]);
    }
    for file in [second, active] {
        let good = fs::read(file).unwrap();
        fs::remove_file(file).unwrap();
        refused_by_all(net, &["corrupt"]);
        fs::write(file, good).unwrap();
    }
    {
        let _damage = Corruption::new(&first.parent().unwrap().join("durable"), |bytes| bytes.fill(0));
        refused_by_all(net, &["corrupt", "durable"]);
    }
    // Sound for the log, damaged inside: the marker, and the schema's fingerprint.
    for (at, word) in [(0, "marker"), (5, "schema")] {
        let _damage = Corruption::new(first, |bytes| with_payload(bytes, 4, |payload| payload[at] ^= 0x10));
        refused_by_readers(net, &[word]);
    }
    driven.net.start().unwrap();
    driven.followed("nothing of that did any harm");
    cut_as_told(&mut driven, &topic);
}

/// Damages the newest entries and cuts them off, as `maidenlane log verify` tells: the tap publishes them anew, and the
/// replica, which had them, goes on.
fn cut_as_told(driven: &mut Driven, topic: &Path) {
    driven.net.tap().stop().unwrap();
    driven.net.replica_daemon(0).unwrap().stop().unwrap();
    // Not taken back.
    std::mem::forget(Corruption::flipped(files(topic, "log").last().unwrap(), 99));
    let log = driven.net.dir().join("log").display().to_string();
    let told = driven.net.command(&["log", "verify", "--dir", &log, "--topic", &settings::topic()]);
    let told = told.unwrap_err().to_string();
    let (_, command) = told.split_once("`maidenlane ").expect(&told);
    let (command, _) = command.split_once('`').expect(&told);
    let cut = driven.net.command(&command.split(' ').collect::<Vec<_>>()).unwrap();
    assert!(cut.contains("\"end\""), "{cut}");
    driven.net.start().unwrap();
    driven.grow(0, 2);
    driven.followed("cut off, and published anew");
}

/// Sets the size of a new topic's segments, which no operator needs to.
fn small_segments(file: &Path) {
    let text = fs::read_to_string(file).unwrap();
    let lines = text.lines().map(|line| match line.split_once(' ') {
        Some(("segment_max_bytes", _)) => format!("segment_max_bytes {SEGMENT_BYTES}\n"),
        _ => format!("{line}\n"),
    });
    fs::write(file, lines.collect::<String>()).unwrap();
}

/// Changes the payload of the frame with this number and makes its checksum right again.
fn with_payload(segment: &mut [u8], number: usize, change: impl FnOnce(&mut [u8])) {
    let len_at = |segment: &[u8], at: usize| {
        usize::try_from(u32::from_le_bytes(segment[at..at + 4].try_into().unwrap())).unwrap()
    };
    let mut at = HEADER_BYTES;
    for _ in 0..number {
        at += LEN_AND_CRC + len_at(segment, at);
    }
    let end = at + LEN_AND_CRC + len_at(segment, at);
    change(&mut segment[at + FRAME_FIXED_BYTES..end]);
    let covered = [&segment[at..at + 4], &segment[at + LEN_AND_CRC..end]].concat();
    segment[at + 4..at + LEN_AND_CRC].copy_from_slice(&crc32c(&covered).to_le_bytes());
}
