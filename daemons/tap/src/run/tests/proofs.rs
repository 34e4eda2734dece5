//! Tests of a whole tap that publishes trie nodes.

use super::*;
use maidenlane_service::{Exit, Failure};
use maidenlane_wire::{Gatherer, NodePart, NodeSet};

impl World {
    /// The whole sets of the proofs topic, each with its digest.
    fn sets(&self) -> Vec<(NodeSet, maidenlane_chain::B256)> {
        let mut consumer = self.log.consumer(PROOFS, 0).unwrap();
        let (end, mut gatherer, mut sets) = (consumer.end().unwrap().0, Gatherer::default(), Vec::new());
        while (sets.len() as u64) < end {
            for entry in consumer.read(1 << 20, LONG).unwrap() {
                let part = NodePart::decode(&entry.payload).unwrap();
                assert_eq!(entry.key.as_deref(), Some(part.block.hash.as_slice()), "keyed by block");
                // Every set of a sample fits an entry.
                sets.push((gatherer.push(&part).unwrap().unwrap(), part.digest));
            }
        }
        sets
    }

    /// Digests of node sets in the ADVANCEs of the feed, in order.
    fn named(&self) -> Vec<(BlockRef, Option<maidenlane_chain::B256>)> {
        let mut consumer = self.log.consumer(TOPIC, 0).unwrap();
        let (end, mut next, mut named) = (consumer.end().unwrap().0, 0, Vec::new());
        while next < end {
            for entry in consumer.read(1 << 20, LONG).unwrap() {
                next = entry.offset.0 + 1;
                if let Record::Advance(advance) = maidenlane_wire::decode(&entry.payload).unwrap().record {
                    named.push((advance.block, advance.proofs));
                }
            }
        }
        named
    }
}

fn traced(world: &World, blocks: &[Sample]) {
    world.spool(1, &blocks.iter().flat_map(Sample::traced).collect::<Vec<u8>>());
}

/// A feed with proofs at a`length`, published by a running tap.
fn proving(length: usize) -> (World, Vec<Sample>) {
    let chain = chain(length);
    let mut world = World::new(&chain);
    world.proofs = true;
    traced(&world, &chain[1..]);
    world.start();
    world.saw(|event| *event == Event::Resumed);
    (world, chain)
}

#[test]
fn every_block_names_its_nodes_also_when_it_comes_back() {
    let (mut world, chain) = proving(3);
    world.expect(&chain[3], "G +1* +2* +3");
    let b3 = chain[2].child("b");
    traced(&world, std::slice::from_ref(&b3));
    world.geth.head(std::slice::from_ref(&b3));
    world.expect(&b3, "G +1* +2* +3 -3* +3");
    world.geth.head(&chain[3..]);
    world.expect(&chain[3], "G +1* +2* +3 -3* +3 -3* +3");
    let order = world.events.as_ref().unwrap().seen();
    let at = |wanted: fn(&Event) -> bool| order.iter().position(wanted).unwrap();
    assert!(
        at(|event| matches!(event, Event::Nodes { .. }))
            < at(|event| matches!(event, Event::Published { .. })),
        "{order:?}"
    );
    world.stop().unwrap();
    let blocks = [&chain[1], &chain[2], &chain[3], &b3, &chain[3]];
    let sets = world.sets();
    for (sample, (set, _)) in blocks.iter().zip(&sets) {
        let expected =
            NodeSet { block: sample.block, parent: sample.header.parent_hash, nodes: sample.nodes() };
        assert_eq!(*set, expected);
    }
    let written: Vec<_> = sets.iter().map(|(set, digest)| (set.block, Some(*digest))).collect();
    assert_eq!(written, world.named(), "one set for each, in their order");
}

#[test]
fn a_block_without_nodes_is_refused_and_the_cure_is_said() {
    let (mut world, chain) = proving(1);
    world.expect(&chain[1], "G +1");
    let blind = chain[1].child("a");
    spooled(&world, 1, std::slice::from_ref(&blind));
    world.geth.head(std::slice::from_ref(&blind));
    let error = world.failure();
    assert!(matches!(error, Error::NoNodes { block } if block == blind.block), "{error}");
    assert!(error.to_string().contains("set `\"trie\": true` in geth's"), "{error}");
    assert_eq!(Failure::from(error).exit, Exit::Settings);
    assert_eq!(world.records().0, "G +1");
}

#[test]
fn repair_takes_a_block_without_nodes_for_missing() {
    let (mut world, chain) = proving(1);
    world.expect(&chain[1], "G +1");
    world.stop().unwrap();
    let blind = chain[1].child("a");
    spooled(&world, 1, std::slice::from_ref(&blind));
    world.geth.head(std::slice::from_ref(&blind));
    let repaired = |world: &World| repair(&world.settings(), World::chain(), Duration::ZERO, drop).unwrap();
    assert_eq!(repaired(&world), Repaired::Waiting { missing: blind.block });
    traced(&world, std::slice::from_ref(&blind));
    world.geth.head(std::slice::from_ref(&blind));
    assert_eq!(repaired(&world), Repaired::Whole);
    world.start();
    world.expect(&blind, "G +1 +2");
    world.stop().unwrap();
}

#[test]
fn a_borrowing_block_takes_its_twin_s_nodes() {
    let (mut world, chain) = proving(1);
    let root = maidenlane_chain::keccak256("one root");
    let (twin, missing) = (chain[1].child_with_root("b", root), chain[1].child_with_root("c", root));
    traced(&world, std::slice::from_ref(&twin));
    world.geth.head(std::slice::from_ref(&missing));
    world.expect(&missing, "G +1 +2");
    world.stop().unwrap();
    let (set, _) = world.sets().pop().unwrap();
    assert_eq!((set.block, set.nodes), (missing.block, twin.nodes()));
}

#[test]
fn nodes_that_nobody_asked_for_stay_in_the_spool() {
    let chain = chain(1);
    let mut world = World::new(&chain);
    traced(&world, &chain[1..]);
    world.start();
    world.expect(&chain[1], "G +1");
    world.stop().unwrap();
    assert_eq!((world.sets(), world.named()), (Vec::new(), vec![(chain[1].block, None)]));
}
