//! A feed that a segment log holds from its beginning, with the trie nodes of its blocks.

use super::Outcome;
use maidenlane_chain::{B256, BlockRef};
use maidenlane_feed::Reader;
use maidenlane_log::{Backend, Entry};
use maidenlane_replay::follow::Logs;
use maidenlane_store::SetPosition;
use maidenlane_wire::{Gatherer, NodePart, NodeSet, Open, Record};
use std::collections::HashMap;
use std::time::Duration;

const READ_BYTES: usize = 8 << 20;

/// Records and trie nodes of the feed in the log.
pub(super) struct Feed {
    pub(super) open: Open,
    pub(super) records: Vec<Record>,
    pub(super) last: BlockRef,
    log: Backend,
    topic: String,
    nodes_topic: String,
    /// By the digest that a block names.
    sets: HashMap<B256, (NodeSet, SetPosition)>,
}

impl Feed {
    pub(super) fn read(log: Backend, topic: &str, nodes_topic: &str) -> Outcome<Self> {
        let (mut open, mut records, mut last) = (None, Vec::new(), BlockRef::default());
        let mut reader = Reader::at_start();
        each(&log, topic, |entry| {
            match reader.read(entry)?.map(|whole| whole.record()).transpose()? {
                Some(Record::Open(found)) => open = Some(found),
                Some(Record::Genesis(genesis)) => records.push(Record::Genesis(genesis)),
                Some(Record::Advance(advance)) => {
                    last = advance.block;
                    records.push(Record::Advance(advance));
                }
                _ => {}
            }
            Ok(())
        })?;
        let (mut gatherer, mut sets) = (Gatherer::default(), HashMap::new());
        each(&log, nodes_topic, |entry| {
            let part = NodePart::decode(&entry.payload)?;
            if let Some(set) = gatherer.push(&part)? {
                let position = SetPosition { offset: entry.offset.0, crc32c: crc32c::crc32c(&entry.payload) };
                sets.insert(part.digest, (set, position));
            }
            Ok(())
        })?;
        let open = open.ok_or("the log holds no feed")?;
        Ok(Self {
            open,
            records,
            last,
            log,
            topic: topic.to_owned(),
            nodes_topic: nodes_topic.to_owned(),
            sets,
        })
    }

    /// The topics from their beginnings.
    pub(super) fn logs(&self, nodes: bool) -> Outcome<Logs> {
        Ok(Logs::open(&self.log, &self.topic, nodes.then_some(self.nodes_topic.as_str()))?)
    }

    /// Trie nodes that a block names.
    pub(super) fn set(&self, digest: Option<B256>) -> Outcome<&(NodeSet, SetPosition)> {
        let set = digest.and_then(|digest| self.sets.get(&digest));
        Ok(set.ok_or("the log lacks the trie nodes of a block")?)
    }
}

/// All entries of a topic.
fn each(log: &Backend, topic: &str, mut read: impl FnMut(&Entry) -> Outcome<()>) -> Outcome<()> {
    let mut consumer = log.consumer(topic, 0)?;
    loop {
        let entries = consumer.read(READ_BYTES, Duration::ZERO)?;
        if entries.is_empty() {
            return Ok(());
        }
        entries.iter().try_for_each(&mut read)?;
    }
}
