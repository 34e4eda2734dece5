//! The trie nodes beside the feed of a real geth: read forward, they are the tries of every block.

mod tries;

use std::time::Duration;

use maidenlane_chain::{Address, B256, Bytes, keccak256};
use maidenlane_feed::Reader;
use maidenlane_log::{Backend, Entry, segment};
use maidenlane_tests::{
    geth::{
        chaingen,
        engine::{Attributes, Engine},
    },
    rpc::Client,
    scenario::{Chain, Fed, Net},
    settings::{self, Log},
    wait,
};
use maidenlane_wire::{Advance, Gatherer, NodePart, NodeSet, Record};
use serde_json::{Value, json};
use tries::Tries;

const BLOCKS: u32 = 64;
const PATIENCE: Duration = Duration::from_secs(60);
/// Accounts of each block, and slots of each account, that geth is asked to prove.
const PROVED: usize = 4;

/// All entries of a topic.
fn entries(net: &Net, topic: &str) -> Vec<Entry> {
    let Log::Segment(dir) = net.carrier() else { panic!("a segment log") };
    let mut consumer = Backend::Segment(segment::Options::new(dir)).consumer(topic, 0).unwrap();
    let (end, mut entries) = (consumer.end().unwrap().0, Vec::new());
    while (entries.len() as u64) < end {
        entries.extend(consumer.read(1 << 20, PATIENCE).unwrap());
    }
    entries
}

/// The records that move a head.
fn moves(net: &Net) -> Vec<Record> {
    let mut reader = Reader::at_start();
    let entries = entries(net, &settings::topic());
    let records = entries.iter().filter_map(|entry| Some(reader.read(entry).unwrap()?.record().unwrap()));
    records
        .filter(|record| matches!(record, Record::Genesis(_) | Record::Advance(_) | Record::Undo(_)))
        .collect()
}

/// Every set, with its digest.
fn sets(net: &Net) -> Vec<(B256, NodeSet)> {
    let mut gatherer = Gatherer::default();
    let entries = entries(net, &settings::proofs_topic());
    let parts = entries.iter().map(|entry| NodePart::decode(&entry.payload).unwrap());
    parts.filter_map(|part| Some((part.digest, gatherer.push(&part).unwrap()?))).collect()
}

/// The network with trie nodes, at the end of our own chain through all forks; geth goes back to no block that is
/// final, so one more is made.
struct Proving {
    net: Net,
    engine: Engine,
    head: (String, u64),
}

impl Proving {
    fn new() -> Option<Self> {
        let chain = Chain::Import(chaingen::chain(BLOCKS, 3).unwrap());
        let Fed { net, engine, head } = Fed::on(chain, 0, Net::proving).unwrap()?;
        let mut proving = Self { net, engine, head };
        proving.head = proving.child(1);
        Some(proving)
    }

    /// Makes a child of the head, which is geth's head then. Siblings differ by `recipient`.
    fn child(&self, recipient: u8) -> (String, u64) {
        let (parent, time) = &self.head;
        let payload = self.engine.extend(parent, &Attributes::new(time + 12, recipient)).unwrap();
        (payload.hash().unwrap().to_owned(), time + 12)
    }

    /// Waits until the feed's head is this block.
    fn published(&mut self, hash: &str) {
        let wanted: B256 = hash.parse().unwrap();
        let published = wait::until("the tap to publish the head", PATIENCE, || {
            let head = match moves(&self.net).pop() {
                Some(Record::Advance(advance)) => advance.block.hash,
                Some(Record::Undo(undo)) => undo.parent,
                _ => B256::ZERO,
            };
            if head == wanted { Ok(()) } else { Err(format!("head {head}")) }
        });
        published.unwrap_or_else(|failure| panic!("{failure}\n{}", self.net.last_words()));
    }
}

/// Compares geth's proofs of the accounts that a block changed with the tries that the sets made.
fn compare(tries: &Tries, master: &Client, advance: &Advance) {
    let list =
        |proof: Option<&Value>| -> Vec<Bytes> { serde_json::from_value(proof.unwrap().clone()).unwrap() };
    for row in advance.rows.accounts.iter().rev().take(PROVED) {
        let owner = keccak256(row.address);
        let slots = slots(advance, row.address);
        let proof = master.call("eth_getProof", &json!([row.address, slots, advance.block.hash])).unwrap();
        assert_eq!(
            list(proof.get("accountProof")),
            tries.proof(None, owner),
            "{} at {}",
            row.address,
            advance.block
        );
        if row.after.is_none() {
            continue;
        }
        for (slot, proof) in slots.iter().zip(proof.get("storageProof").and_then(Value::as_array).unwrap()) {
            let ours = tries.proof(Some(owner), keccak256(slot));
            assert_eq!(list(proof.get("proof")), ours, "slot {slot} of {} at {}", row.address, advance.block);
        }
    }
}

/// Slots of an account to ask for: those that the block changed, as far as they are known, and some that it has not.
fn slots(advance: &Advance, address: Address) -> Vec<B256> {
    let changed = advance.rows.storage.iter().filter(|storage| storage.address == address);
    let changed = changed.flat_map(|storage| &storage.slots).filter_map(|slot| slot.plain);
    changed.take(PROVED).chain((0..3).map(B256::with_last_byte)).collect()
}

/// Reads both topics forward, as a replica does.
fn replay(net: &Net) -> Vec<NodeSet> {
    let mut sets = sets(net).into_iter();
    let (mut tries, mut applied) = (Tries::default(), Vec::<NodeSet>::new());
    for record in moves(net) {
        match record {
            Record::Genesis(genesis) => {
                tries = Tries::of_genesis(&genesis.rows);
                tries.check(state_root(&genesis.header));
            }
            Record::Advance(advance) => {
                let named = advance.proofs.expect("a block names its nodes");
                let found = sets.find(|(digest, set)| (*digest, set.block) == (named, advance.block));
                let (_, set) = found.unwrap_or_else(|| panic!("no nodes of {} ahead", advance.block));
                assert_eq!(set.parent, advance.parent);
                tries.apply(&set, false);
                tries.check(state_root(&advance.header));
                compare(&tries, &net.master(), &advance);
                applied.push(set);
            }
            Record::Undo(undo) => {
                let set = applied.pop().unwrap();
                assert_eq!(set.block, undo.block);
                tries.apply(&set, true);
            }
            _ => {}
        }
    }
    applied
}

fn state_root(header: &[u8]) -> B256 {
    maidenlane_chain::block::decode_header(header).unwrap().state_root
}

#[test]
fn node_sets_are_the_tries_of_every_block_through_all_forks_and_reorgs() {
    let Some(mut proving) = Proving::new() else { return };
    proving.net.tap().start().unwrap();
    let first = proving.head.0.clone();
    proving.published(&first);
    let (one, two) = (proving.child(2), proving.child(3));
    proving.published(&two.0);
    proving.engine.choose(&one.0, None).unwrap();
    proving.published(&one.0);
    proving.engine.choose(&two.0, None).unwrap();
    proving.published(&two.0);
    let applied = replay(&proving.net);
    assert_eq!(applied.len(), BLOCKS as usize + 2);
    let storage =
        |set: &NodeSet| set.nodes.iter().filter(|row| row.owner.is_some() && row.path.len() == 1).count();
    assert!(
        applied.iter().map(storage).sum::<usize>() > 10,
        "contracts with more than one slot changed theirs"
    );
    assert!(applied.iter().flat_map(|set| &set.nodes).any(|row| row.after.is_none()), "nodes went");
    proving.net.stop().unwrap();
}

#[test]
fn a_tap_killed_between_nodes_and_block_sends_both() {
    let Some(mut proving) = Proving::new() else { return };
    let head = proving.head.0.clone();
    for _ in 0..2 {
        proving.net.tap().environment("MAIDENLANE_FAILPOINT", "tap.between_nodes_and_advance");
        proving.net.tap().launch().unwrap();
        assert_eq!(proving.net.tap().wait(PATIENCE).unwrap().code(), None, "a kill");
    }
    let (written, blocks) = (sets(&proving.net), moves(&proving.net));
    assert!(matches!(blocks.as_slice(), [Record::Genesis(_)]), "no block is published before its nodes");
    assert!(written.len() >= 2 && written.first() == written.get(written.len() / 2), "twice, as nobody knew");
    proving.net.tap().environment("MAIDENLANE_FAILPOINT", "");
    proving.net.tap().start().unwrap();
    proving.published(&head);
    assert_eq!(replay(&proving.net).len(), BLOCKS as usize + 1);
    proving.net.stop().unwrap();
}

#[test]
fn a_tap_says_what_it_needs_for_proofs() {
    let Some(mut proving) = Proving::new() else { return };
    proving.net.node().stop().unwrap();
    proving.net.node().hook("trie", json!(false));
    proving.net.node().restart().unwrap();
    let child = proving.child(2);
    proving.net.tap().launch().unwrap();
    assert_eq!(proving.net.tap().wait(PATIENCE).unwrap().code(), Some(78));
    let said = proving.net.tap().log_tail(3);
    assert!(said.contains("without trie nodes") && said.contains("--vmtrace.jsonconfig"), "{said}");
    // The cure that it names.
    proving.net.node().stop().unwrap();
    proving.net.node().hook("trie", json!(true));
    proving.net.node().restart().unwrap();
    let config = proving.net.tap().config().display().to_string();
    let repair = ["tap", "repair", "--patience-s", "0", "--config", &config];
    assert!(proving.net.command(&repair).unwrap().contains("waiting"));
    assert_eq!(proving.child(2), child, "fed again");
    assert!(proving.net.command(&repair).unwrap().contains("whole"));
    proving.net.tap().start().unwrap();
    proving.published(&child.0);
    replay(&proving.net);
    proving.net.stop().unwrap();
}
