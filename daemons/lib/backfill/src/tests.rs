//! Tests of sources on what a real geth wrote of our own chain, from Frontier through all forks.

use crate::archives::Archives;
use crate::e2store::Archive;
use crate::era::Eras;
use crate::events::{Event, Failed, Part};
use crate::export::Export;
use crate::source::{Address, Found, Source};
use crate::sources::{Sources, Whole};
use alloy::consensus::Eip658Value;
use maidenlane_bootstrap::Error as ImportError;
use maidenlane_bootstrap::master::Blocks as _;
use maidenlane_chain::block::{self, block_hash, decode_header};
use maidenlane_chain::{B256, BlockRef, Receipts};
use maidenlane_service::Shutdown;
use maidenlane_service::tracer::Describe as _;
use maidenlane_store::PastBlock;
use maidenlane_testkit::vectors;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Blocks of the chain; before the merge geth exports `era1`, too.
const BLOCKS: u64 = 64;
const BEFORE_MERGE: u64 = 23;
const BYZANTIUM: u64 = 6;

fn archive(ending: &str) -> PathBuf {
    let all = fs::read_dir(vectors().join("era")).unwrap().map(|entry| entry.unwrap().path());
    all.into_iter().find(|path| path.extension().is_some_and(|found| found == ending)).unwrap()
}

fn exported() -> PathBuf {
    vectors().join("chain/chain.rlp")
}

fn export(path: &Path) -> Result<Export, String> {
    Export::open(path, &|| false).map_err(|error| error.to_string())
}

/// Number and hash of a block that a source has.
fn at(found: &Found) -> BlockRef {
    BlockRef::new(decode_header(&found.header).unwrap().number, block_hash(&found.header))
}

/// All blocks of the chain, by their numbers.
fn chain() -> Vec<Found> {
    let whole = Archive::open(&archive("ere")).unwrap();
    (0..=BLOCKS).map(|number| whole.block(number).unwrap().unwrap()).collect()
}

#[test]
fn archives_hold_every_block_as_its_header_says() {
    for (ending, last) in [("ere", BLOCKS), ("era1", BEFORE_MERGE)] {
        let archive = Archive::open(&archive(ending)).unwrap();
        assert_eq!(archive.blocks(), (0, last + 1));
        let mut parent = B256::ZERO;
        for number in 0..=last {
            let found = archive.block(number).unwrap().unwrap();
            let receipts = found.receipts.clone().unwrap();
            assert_eq!(archive.receipts(number).unwrap().as_ref(), Some(&receipts));
            let at = at(&found);
            let header = block::check(at.hash, &found.header, &found.body, &receipts).unwrap();
            assert_eq!((header.number, header.parent_hash), (number, parent), "{ending}");
            parent = at.hash;
            for receipt in Receipts::decode(&receipts).unwrap().items() {
                let outcome = receipt.envelope.as_receipt().unwrap().status;
                let has_root = matches!(outcome, Eip658Value::PostState(_));
                assert_eq!(has_root, number < BYZANTIUM, "{ending}: block {number}");
            }
        }
        assert_eq!(archive.block(last + 1).unwrap(), None);
        assert_eq!(archive.receipts(last + 1).unwrap(), None);
    }
}

#[test]
fn an_export_holds_the_same_blocks_without_receipts() {
    let mut export = export(&exported()).unwrap();
    for found in chain().into_iter().skip(1).rev() {
        let at = at(&found);
        assert_eq!(export.block(at).unwrap(), Some(Found { receipts: None, ..found }), "{at}");
        assert_eq!(export.receipts(at).unwrap(), None);
    }
    for number in [0, BLOCKS + 1] {
        assert_eq!(export.block(BlockRef::new(number, B256::ZERO)).unwrap(), None);
    }
}

#[test]
fn a_file_that_is_no_whole_export_is_refused_with_the_reason() {
    let dir = tempfile::tempdir().unwrap();
    let (path, bytes) = (dir.path().join("chain.rlp"), fs::read(exported()).unwrap());
    let check = |bytes: &[u8], expect: &str| {
        fs::write(&path, bytes).unwrap();
        let refused = export(&path).unwrap_err();
        assert!(refused.contains(path.to_str().unwrap()) && refused.contains(expect), "{refused}");
    };
    let length = |number: usize| {
        let found = &chain()[number];
        block::join(&found.header, &found.body).unwrap().len()
    };
    let before: usize = (1..11).map(length).sum();
    check(&[&bytes[..before], &bytes[before + length(11)..]].concat(), "has block 12 where 11 belongs");
    check(&bytes[..bytes.len() - 1], "has no whole block at byte");
    check(&[&bytes[..before], b"rubbish"].concat(), &format!("has no whole block at byte {before}"));
    check(&[0x1f, 0x8b, 8, 0], "decompress it by gunzip");
    let gone = dir.path().join("gone");
    assert!(export(&gone).unwrap_err().contains("open"));
}

#[test]
fn a_cut_archive_is_refused_with_its_name() {
    let dir = tempfile::tempdir().unwrap();
    for ending in ["ere", "era1"] {
        let (path, bytes) = (dir.path().join("x.ere"), fs::read(archive(ending)).unwrap());
        for len in [0, 7, 100, bytes.len() / 2, bytes.len() - 1] {
            fs::write(&path, &bytes[..len]).unwrap();
            let refused = Eras::open(dir.path()).unwrap_err().to_string();
            assert!(
                refused.contains("x.ere has no index") || refused.contains("x.ere ends early"),
                "{refused}"
            );
        }
    }
}

fn sources(addresses: &[Address]) -> Sources {
    Sources::new(addresses, Shutdown::new())
}

/// Why the only source that failed did.
#[track_caller]
fn failure(sources: &mut Sources) -> Failed {
    match <[Event; 1]>::try_from(sources.changes()) {
        Ok([Event::Failed(failed)]) => failed,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn check_whole(found: Result<Whole, Part>, expect: &Found) {
    let found = found.unwrap_or_else(|part| panic!("no {}", part.name()));
    let PastBlock { header, body, receipts, senders, .. } = found.block;
    assert_eq!((&header, &body, Some(&receipts)), (&expect.header, &expect.body, expect.receipts.as_ref()));
    let transactions = block::Body::parse(&body).unwrap().transactions.len();
    assert_eq!(senders.len(), transactions);
    assert_eq!(found.parent, decode_header(&header).unwrap().parent_hash);
}

#[test]
fn no_damage_of_an_archive_becomes_a_block() {
    let (dir, chain) = (tempfile::tempdir().unwrap(), chain());
    for ending in ["ere", "era1"] {
        let (path, bytes) = (dir.path().join("x.ere"), fs::read(archive(ending)).unwrap());
        let mut refused = 0;
        for place in (0..bytes.len()).step_by(331) {
            let mut bent = bytes.clone();
            bent[place] ^= 0x11;
            fs::write(&path, bent).unwrap();
            for expect in chain.iter().take(24).step_by(5) {
                let mut sources = sources(&[Address::Era(dir.path().to_owned())]);
                match sources.whole(at(expect)) {
                    Ok(whole) => check_whole(Ok(whole), expect),
                    Err(part) => {
                        assert_eq!(part, Part::Body);
                        refused += sources.changes().len();
                    }
                }
            }
        }
        assert!(refused > 10, "{ending}: {refused}");
    }
}

#[test]
fn a_source_that_fails_is_named_and_the_next_one_asked() {
    let (chain, dir) = (chain(), tempfile::tempdir().unwrap());
    let era = || Address::Era(vectors().join("era"));
    let bodies = || Address::Export(exported());
    let gone = || Address::Era(dir.path().join("gone"));
    let block = &chain[40];

    let mut fails = sources(&[gone(), bodies(), era()]);
    check_whole(fails.whole(at(block)), block);
    let failed = failure(&mut fails);
    assert!(failed.source == gone() && failed.reason.contains("list"), "{failed}");
    check_whole(fails.whole(at(&chain[39])), &chain[39]);
    assert_eq!(fails.changes(), [], "left alone after its failure, it is told once");
    assert!(fails.again().is_some());

    let mut nobody = sources(&[bodies()]);
    assert_eq!(nobody.whole(at(block)).err(), Some(Part::Receipts));
    assert_eq!(nobody.whole(BlockRef::new(BLOCKS + 1, B256::ZERO)).err(), Some(Part::Body));
    assert_eq!(nobody.changes(), []);

    let mut wrong = sources(&[era()]);
    assert_eq!(wrong.whole(BlockRef::new(40, B256::repeat_byte(1))).err(), Some(Part::Body));
    let reason = failure(&mut wrong).reason;
    assert!(reason.contains("block 40") && reason.contains("block hash is"), "{reason}");
}

#[test]
fn a_source_that_is_of_use_again_is_told_once() {
    let (chain, dir) = (chain(), tempfile::tempdir().unwrap());
    let place = dir.path().join("era");
    let mut sources = sources(&[Address::Era(place.clone())]);
    assert_eq!(sources.whole(at(&chain[40])).err(), Some(Part::Body));
    let failed = failure(&mut sources);
    let (block, part, again) = (40, Part::Body, Duration::from_secs(5));
    let lacks = Event::Lacks { block, part, failed: vec![failed.clone()], again };
    let line = format!("no source has the block 40 ({failed}); asking again in 5 s");
    assert_eq!(lacks.line().unwrap().message, line);
    sources.ask_at_once();
    assert_eq!(sources.whole(at(&chain[40])).err(), Some(Part::Body));
    assert_eq!(sources.changes(), [], "for the same reason");
    fs::create_dir(&place).unwrap();
    fs::copy(archive("ere"), place.join("x.ere")).unwrap();
    sources.ask_at_once();
    check_whole(sources.whole(at(&chain[40])), &chain[40]);
    assert_eq!(sources.changes(), [Event::Recovered(Address::Era(place))]);
    assert_eq!(sources.changes(), []);
}

#[test]
fn receipts_of_another_block_are_refused_by_the_root_in_the_header() {
    let (dir, chain, mut bytes) = (tempfile::tempdir().unwrap(), chain(), fs::read(archive("ere")).unwrap());
    // In the index, the third part of a block is its receipts.
    let word = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap());
    let (slots, count) = (word(bytes.len() - 16), word(bytes.len() - 8));
    let index = bytes.len() - usize::try_from(8 + 8 * (slots * count + 3)).unwrap();
    let place = |number: u64| index + 16 + 8 * usize::try_from(number * slots + 2).unwrap();
    let (one, other) = (place(40), place(41));
    (0..8).for_each(|byte| bytes.swap(one + byte, other + byte));
    fs::write(dir.path().join("x.ere"), &bytes).unwrap();
    let mut sources = sources(&[Address::Era(dir.path().to_owned())]);
    check_whole(sources.whole(at(&chain[42])), &chain[42]);
    assert_eq!(sources.whole(at(&chain[40])).err(), Some(Part::Body));
    let reason = failure(&mut sources).reason;
    assert!(reason.contains("block 40") && reason.contains("receipts"), "{reason}");
}

#[test]
fn an_import_has_its_blocks_from_archives() {
    const BASE: u64 = 40;
    let (chain, era) = (chain(), Address::Era(vectors().join("era")));
    let genesis = at(&chain[0]).hash;
    for addresses in [vec![era.clone()], vec![Address::Export(exported()), era]] {
        let archives = Archives::open(&addresses).unwrap();
        assert_eq!(archives.genesis(1, None).unwrap(), genesis);
        let refused = archives.genesis(1, Some(B256::ZERO)).unwrap_err();
        assert!(matches!(refused, ImportError::Genesis { found, .. } if found == genesis), "{refused}");
        let ancestry = archives.ancestry(archives.header("0x28").unwrap()).unwrap();
        let expect: Vec<_> =
            (0..=BASE).rev().map(|number| at(&chain[usize::try_from(number).unwrap()])).collect();
        assert_eq!(ancestry.iter().map(|header| header.at).collect::<Vec<_>>(), expect);
        for (header, found) in ancestry.iter().rev().zip(&chain) {
            let (body, receipts) = archives.content(header).unwrap().unwrap();
            assert_eq!((&body, Some(&receipts)), (&found.body, found.receipts.as_ref()), "{}", header.at);
        }
        let unknown = archives.header("0x41").unwrap_err();
        assert!(matches!(unknown, ImportError::NoBlock(_)), "{unknown}");
    }
    // Bodies alone are no content, and a file that begins at block 1 does not name its chain.
    let bodies = Archives::open(&[Address::Export(exported())]).unwrap();
    assert_eq!(bodies.content(&bodies.header("0x28").unwrap()).unwrap(), None);
    assert!(matches!(bodies.genesis(1, None), Err(ImportError::NoGenesis)));
    assert_eq!(bodies.genesis(1, Some(genesis)).unwrap(), genesis);
    let gone = Archives::open(&[Address::Era("/no/archives".into())]).unwrap_err();
    assert!(gone.to_string().contains("list /no/archives"), "{gone}");
}
