//! Tests of the spool: made of pieces, and scanned as geth would let us see it.

use super::{Found, Spool};
use crate::error::Error;
use crate::follow::Lineage;
use maidenlane_testkit::spool::{self as sample, Sample};

fn chain(length: usize) -> Vec<Sample> {
    let mut chain = vec![Sample::genesis()];
    for _ in 0..length {
        chain.push(chain.last().unwrap().child("a"));
    }
    chain
}

/// Writes each `(segment, bytes)` and scans after each; compares the blocks found and torn tails of every scan.
fn check(pieces: &[(u64, &[u8])], expect: &[(usize, usize)]) -> Spool {
    let dir = tempfile::tempdir().unwrap();
    let mut spool = Spool::new(dir.path());
    let mut read = Vec::new();
    for (segment, bytes) in pieces {
        sample::write(dir.path(), *segment, bytes);
        let Found { blocks, torn, .. } = spool.scan(&mut || ()).unwrap();
        read.push((blocks, torn));
    }
    assert_eq!(read, expect);
    spool
}

fn corrupt(bytes: &[u8], expect: &str) {
    let dir = tempfile::tempdir().unwrap();
    sample::write(dir.path(), 1, bytes);
    let error = Spool::new(dir.path()).scan(&mut || ()).unwrap_err();
    assert!(matches!(&error, Error::SpoolCorrupt { .. }), "{error}");
    assert!(error.to_string().contains(expect), "{error}");
}

#[test]
fn blocks_are_found_as_they_are_written() {
    let chain = chain(3);
    let frames: Vec<Vec<u8>> = chain.iter().skip(1).map(Sample::frames).collect();
    let (first, rest) = frames[1].split_at(frames[1].len() / 2);
    let spool =
        check(&[(1, &frames[0]), (1, first), (1, rest), (2, &frames[2])], &[(1, 0), (0, 0), (1, 0), (1, 0)]);
    assert_eq!(spool.parent(&chain[3].block.hash), Some(chain[2].block.hash));
    assert_eq!(spool.parent(&chain[0].block.hash), None);
    let located = spool.find(&chain[2].block.hash).unwrap();
    assert_eq!((located.origin_root, located.root), (chain[1].header.state_root, chain[2].header.state_root));
    assert_eq!(spool.twin(located.origin_root, located.root), Some(chain[2].block.hash));
    assert_eq!(spool.init().unwrap().client_version, "geth/test");
}

#[test]
fn a_group_that_the_hook_takes_back_leaves_no_trace() {
    let chain = chain(3);
    let [one, two, three] = [1, 2, 3].map(|number: usize| chain[number].frames());
    // Whole frames of the group and a part of one, or nothing but whole frames.
    let frames =
        |count: usize| (0..count).fold(0, |at, _| at + maidenlane_wire::frame::read(&two[at..]).unwrap().1);
    for cut in [frames(1), frames(2), frames(3), frames(3) + 9, two.len() - 1] {
        let dir = tempfile::tempdir().unwrap();
        let mut spool = Spool::new(dir.path());
        sample::write(dir.path(), 1, &one);
        assert_eq!(spool.scan(&mut || ()).unwrap().blocks, 1);
        let path = dir.path().join("00000000000000000001.spool");
        let before = std::fs::metadata(&path).unwrap().len();
        sample::write(dir.path(), 1, &two[..cut]);
        assert_eq!(spool.scan(&mut || ()).unwrap().blocks, 0, "{cut}");
        std::fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(before).unwrap();
        sample::write(dir.path(), 1, &three);
        assert_eq!(spool.scan(&mut || ()).unwrap().blocks, 1, "{cut}");
        sample::write(dir.path(), 2, &two);
        assert_eq!(spool.scan(&mut || ()).unwrap().blocks, 1, "{cut}");
        for block in &chain[1..] {
            assert!(spool.load(&block.block.hash).unwrap().is_some(), "{cut}: {}", block.block);
        }
    }
}

#[test]
fn a_torn_tail_is_skipped_once_geth_has_started_again() {
    let chain = chain(2);
    let (one, two) = (chain[1].frames(), chain[2].frames());
    for cut in [1, 4, 7, 8, 20, two.len() - 1] {
        check(&[(1, &one), (1, &two[..cut]), (2, &two)], &[(1, 0), (0, 0), (1, 1)]);
    }
    // A crash can leave a file extended by zeros, or a last frame whose content never reached the disk.
    let mut blank = two.clone();
    let end = blank.len() - 5;
    blank[end..].fill(0);
    check(&[(1, &one), (1, &[0; 64]), (2, &two)], &[(1, 0), (0, 0), (1, 1)]);
    check(&[(1, &one), (1, &blank), (2, &two)], &[(1, 0), (0, 0), (1, 1)]);
}

#[test]
fn a_hole_that_a_power_cut_left_ends_the_segment() {
    const SECTOR: usize = 512;
    let chain = chain(12);
    let content: Vec<u8> = chain.iter().skip(1).flat_map(Sample::frames).collect();
    let (start, one) = (sample::init_frame().len(), chain[1].frames().len());
    let sectors = (start + one).div_ceil(SECTOR)..(start + content.len()).div_ceil(SECTOR);
    assert!(sectors.len() > 4);
    for sector in sectors {
        let mut content = content.clone();
        content[sector * SECTOR - start..].iter_mut().take(SECTOR).for_each(|byte| *byte = 0);
        let dir = tempfile::tempdir().unwrap();
        sample::write(dir.path(), 1, &content);
        let mut spool = Spool::new(dir.path());
        let before = spool.scan(&mut || ()).unwrap().blocks;
        assert!((1..12).contains(&before), "sector {sector}: {before}");
        sample::write(dir.path(), 2, &chain[12].frames());
        let Found { blocks, torn, .. } = spool.scan(&mut || ()).unwrap();
        assert_eq!((blocks, torn), (1, 1), "sector {sector}");
    }
}

#[test]
fn a_bad_frame_with_more_behind_it_is_corruption() {
    let chain = chain(2);
    let mut bytes = chain[1].frames();
    bytes[40] ^= 1;
    corrupt(&bytes, "checksum");
    let mut bytes = chain[1].frames();
    bytes.extend(maidenlane_wire::frame::wrap(99, &[0xc0]));
    bytes.extend(chain[2].frames());
    corrupt(&bytes, "kind 99");
}

#[test]
fn frames_of_a_newer_hook_are_no_damage() {
    let chain = chain(2);
    let mut newer = chain[2].frames();
    let len = u32::from_le_bytes(newer[..4].try_into().unwrap());
    let end = 8 + usize::try_from(len).unwrap();
    newer[8] = 9;
    let checksum = crc32c::crc32c(&newer[8..end]);
    newer[4..8].copy_from_slice(&checksum.to_le_bytes());
    for content in [
        [chain[1].frames(), newer.clone()].concat(),
        [newer.clone(), chain[1].frames()].concat(),
        newer[..end].to_vec(),
    ] {
        let dir = tempfile::tempdir().unwrap();
        sample::write(dir.path(), 1, &content);
        let error = Spool::new(dir.path()).scan(&mut || ()).unwrap_err();
        assert!(matches!(error, Error::SpoolNewer { version: 9, .. }), "{error}");
        assert!(error.to_string().contains("upgrade this tap"), "{error}");
    }
}

#[test]
fn a_damaged_length_in_a_closed_segment_is_corruption() {
    let chain = chain(3);
    let (one, two) = (chain[1].frames(), chain[2].frames());
    for len in [1_000_000, u32::MAX] {
        let mut damaged = two.clone();
        damaged[..4].copy_from_slice(&len.to_le_bytes());
        let dir = tempfile::tempdir().unwrap();
        sample::write(dir.path(), 1, &[one.clone(), damaged].concat());
        let mut spool = Spool::new(dir.path());
        assert_eq!(spool.scan(&mut || ()).unwrap().torn, 0, "it may still be written");
        sample::write(dir.path(), 2, &chain[3].frames());
        let error = spool.scan(&mut || ()).unwrap_err();
        let at = u64::try_from(sample::init_frame().len() + one.len()).unwrap();
        assert!(
            matches!(&error, Error::SpoolCorrupt { path, offset, .. } if path.is_file() && *offset == at),
            "{len}: {error}"
        );
    }
}

#[test]
fn frames_are_read_again_by_hash() {
    let chain = chain(2);
    let dir = tempfile::tempdir().unwrap();
    sample::write(dir.path(), 1, &[chain[1].frames(), chain[2].frames()].concat());
    let mut spool = Spool::new(dir.path());
    assert_eq!(spool.scan(&mut || ()).unwrap().blocks, 2);
    for sample in &chain[1..] {
        let executed = spool.load(&sample.block.hash).unwrap().unwrap();
        assert_eq!((executed.block, executed.state.hash), (sample.raw.clone(), sample.block.hash));
    }
    assert_eq!(spool.load(&chain[0].block.hash).unwrap(), None);
    // Once it was loaded, it is read from the disk like an older one.
    assert_eq!(spool.load(&chain[1].block.hash).unwrap().unwrap().block, chain[1].raw);
}

#[test]
fn a_look_makes_progress_with_every_segment() {
    let chain = chain(3);
    let dir = tempfile::tempdir().unwrap();
    (1..).zip(&chain[1..]).for_each(|(segment, block)| sample::write(dir.path(), segment, &block.frames()));
    let mut spool = Spool::new(dir.path());
    for expect in [3, 0] {
        let mut progress = 0;
        spool.scan(&mut || progress += 1).unwrap();
        assert_eq!(progress, expect);
    }
}

#[test]
fn frames_that_were_just_found_are_not_read_again() {
    let chain = chain(2);
    let dir = tempfile::tempdir().unwrap();
    sample::write(dir.path(), 1, &chain[1].frames());
    sample::write(dir.path(), 2, &chain[2].traced());
    let mut spool = Spool::new(dir.path());
    spool.scan(&mut || ()).unwrap();
    for segment in 1..=2 {
        std::fs::write(dir.path().join(format!("{segment:020}.spool")), []).unwrap();
    }
    assert_eq!(spool.load(&chain[1].block.hash).unwrap(), None, "of an older segment");
    let executed = spool.load(&chain[2].block.hash).unwrap().unwrap();
    assert_eq!((executed.block, executed.nodes), (chain[2].raw.clone(), Some(chain[2].nodes())));
}

#[test]
fn genesis_is_kept_until_its_segment_goes() {
    let dir = tempfile::tempdir().unwrap();
    sample::write(dir.path(), 1, &sample::genesis_frame());
    sample::write(dir.path(), 2, &[]);
    let mut spool = Spool::new(dir.path());
    spool.scan(&mut || ()).unwrap();
    let genesis = spool.genesis().unwrap().unwrap();
    assert_eq!(genesis.alloc, vec![sample::allocation()]);
    spool.reclaim(0).unwrap();
    assert_eq!(spool.genesis().unwrap(), None);
}

#[test]
fn only_closed_segments_without_open_blocks_are_deleted() {
    let chain = chain(4);
    let dir = tempfile::tempdir().unwrap();
    for (segment, sample) in (1..).zip(&chain[1..]) {
        sample::write(dir.path(), segment, &sample.frames());
    }
    let mut spool = Spool::new(dir.path());
    spool.scan(&mut || ()).unwrap();
    assert_eq!(spool.reclaim(2).unwrap(), 2);
    assert_eq!(spool.len(), 2);
    assert_eq!(spool.parent(&chain[2].block.hash), None);
    assert_eq!(spool.reclaim(9).unwrap(), 1); // the newest stays whatever it holds
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
}
